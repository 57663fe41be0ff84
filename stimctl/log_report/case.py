"""One session as a report needs it: gathered from the ledger once."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stimctl.course.courses import Course, courses
from stimctl.course.visits import heads_of
from stimctl.errors import LogFault
from stimctl.ledger import Entry, Ledger, SessionSummary
from stimctl.ledger.anchor import Mark, anchor_path, read_anchor
from stimctl.ledger.files import faults
from stimctl.ledger.heads import REHEARSAL
from stimctl.log_report.delivery import Delivery, delivery_of
from stimctl.log_report.figures import mapping
from stimctl.log_report.readings import SessionReadings, readings_of
from stimctl.units import UA_PER_MA
from stimctl.wire.codes import simulator_or_hardware

HARDWARE = simulator_or_hardware(False)


@dataclass(frozen=True, slots=True)
class SessionCase:
    """A session, what is known of its delivery, and what was read in it. `opened` is its first entry's body."""

    summary: SessionSummary
    opened: dict[str, Any]
    delivery: Delivery
    readings: SessionReadings

    def remarks(self, *kinds: str) -> list[Entry]:
        """Its entries of these kinds, in order."""
        return [entry for entry in self.summary.remarks if entry.kind in kinds]

    def reached_ua(self, channel: int) -> int | None:
        """The highest amplitude of a channel, as the device told; as far as it was read where the end is missing."""
        spreads = next((each.spreads for each in self.summary.channels if each.channel == channel), {})
        read = [round(ma * UA_PER_MA) for _, ma in self.readings.applied.get(channel, ())]
        highest = mapping(spreads.get("applied_ua")).get("max", max(read, default=None))
        return highest if isinstance(highest, int) else None

    @property
    def mark(self) -> str:
        """SIMULATOR, REHEARSAL or UNKNOWN; empty of a session on a device."""
        watermark = self.summary.head.watermark
        return "" if watermark == HARDWARE else watermark if watermark in ("SIMULATOR", REHEARSAL) else "UNKNOWN"


@dataclass(frozen=True, slots=True)
class LedgerHead:
    """The newest entry of the ledger, and what its anchor says, when a report was made."""

    newest: Mark
    anchor: Mark | None


def case_of(ledger: Ledger, session_id: str) -> SessionCase:
    """One session. Raises `Misuse` where there is none of this id."""
    summary = ledger.summary(session_id)
    entries = list(ledger.entries(session_id, doubtful=True))
    opened = next((entry.body for entry in entries if entry.kind in ("opened", "recovered")), {})
    return SessionCase(summary, opened, delivery_of(summary, entries), readings_of(entries))


def cases_of(ledger: Ledger, pseudonym: str) -> list[SessionCase]:
    """Every session of one subject, oldest first. Raises `Misuse` for none, `LogFault` where some may be gone."""
    ids = [head.session_id for head in ledger.heads() if head.pseudonym == pseudonym]
    if not ids:
        raise ledger.not_found(
            f"no session of {pseudonym!r} is in this ledger; `stimctl log list` shows whose there are"
        )
    return [case_of(ledger, session_id) for session_id in ids]


@dataclass(frozen=True, slots=True)
class CasesOfPlan:
    """The sessions of one subject that follow one plan, with their numbers among all; those of none have no `course`.

    `done` is how many of them count.
    """

    course: Course | None
    cases: tuple[tuple[int, SessionCase], ...]
    done: int = 0


def by_plan(ledger: Ledger, pseudonym: str, cases: Sequence[SessionCase]) -> list[CasesOfPlan]:
    """The sessions of each plan by themselves, plans without any too; those that follow none come last."""
    found: list[CasesOfPlan] = []
    rest = list(enumerate(cases, 1))
    for course in courses(ledger):
        if course.pseudonym == pseudonym:
            own = [each for each in rest if _follows(each[1], course)]
            rest = [each for each in rest if each not in own]
            found.append(CasesOfPlan(course, tuple(own), len(heads_of(ledger, course))))
    return [*found, *([CasesOfPlan(None, tuple(rest))] if rest or not found else [])]


def _follows(case: SessionCase, course: Course) -> bool:
    return course.counts.get(case.summary.head.session_id, case.opened.get("course") == course.course_id)


def head_of(ledger: Ledger) -> LedgerHead:
    """The ledger's head and its anchor's, as they are now."""
    return LedgerHead(ledger.head(), _anchored(ledger.path))


def _anchored(path: Path) -> Mark | None:
    try:
        with faults(path):
            found = read_anchor(anchor_path(path))
    except LogFault:
        return None
    return found.mark if found else None
