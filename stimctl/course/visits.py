"""What each session of a course came to: when, pain before and after, reached amplitude, impedance, charge.

Each figure is that of the session's own page, with its standing; what nobody knows is None, and never 0.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime

from stimctl.course.courses import Course
from stimctl.errors import LogFault, Misuse
from stimctl.ledger import Entry, Ledger, SessionHead, SessionSummary
from stimctl.ledger.delivery import DeliveryState, charge_pc, delivery_of_session
from stimctl.ledger.heads import REHEARSAL
from stimctl.ledger.standing import FigureStanding
from stimctl.wire.codes import SATURATED_OHM

_SAY_IT = ("opened", "started")  # the kinds of entry by which a session belongs to a course


@dataclass(frozen=True, slots=True)
class Visit:
    """One session of a course; `number` counts from 1. `reached_ua` and `ohm` are by channel: the highest amplitude
    that the device said it applied, and the median impedance that it measured. `faults`: what does not verify."""

    number: int
    session_id: str
    started_utc: str
    end_reason: str | None
    pain_before: float | None
    pain_after: float | None
    reached_ua: dict[int, int]
    ohm: dict[int, float]
    delivered_pc: int | None
    delivered_standing: str
    adverse: tuple[Entry, ...]
    faults: tuple[str, ...]

    @property
    def day(self) -> date:
        """The day on which it began, by this computer's clock."""
        return _day(self.session_id, self.started_utc)


def visits(ledger: Ledger, course: Course) -> list[Visit]:
    """The sessions of a course in which there was output, oldest first."""
    found: list[Visit] = []
    for head in heads_of(ledger, course):
        found.append(_visit(len(found) + 1, ledger.summary(head.session_id)))
    return found


def days(ledger: Ledger, course: Course) -> list[date]:
    """The days of a course's sessions, in order; a tenth of what `visits` reads. Raises `LogFault` for no day."""
    return [_day(head.session_id, head.started_utc or "") for head in heads_of(ledger, course)]


def doubts_of_days(ledger: Ledger, course: Course) -> tuple[str, ...]:
    """What does not verify of the entries that `days` goes by; those of its subject's other sessions too."""
    heads = [head for head in ledger.heads() if head.pseudonym == course.pseudonym]
    return tuple(fault for head in heads for fault in _doubts(ledger, head))


def _doubts(ledger: Ledger, head: SessionHead) -> Iterator[str]:
    found = ledger.some_of(head.session_id, *_SAY_IT)
    kinds = {entry.kind for entry in found}
    yield from (entry.fault for entry in found if entry.fault)
    if head.started_utc is not None and "opened" not in kinds:
        yield f"session {head.session_id} has no first entry any more"
    elif "started" not in kinds:  # so it does not count: whether it said so once, all of its entries tell
        yield from ledger.summary(head.session_id).faults


def _day(session_id: str, started_utc: str) -> date:
    try:
        return datetime.fromisoformat(started_utc).astimezone().date()
    except (ValueError, OverflowError):
        raise LogFault(
            f"session {session_id} began at {started_utc!r}, which is no time; `stimctl log verify` says more"
        ) from None


def last_session_id(ledger: Ledger, course: Course, *, rehearsal: bool) -> str | None:
    """The newest session of a course, of its rehearsals or of its others."""
    ids = [head.session_id for head in heads_of(ledger, course) if (head.watermark == REHEARSAL) is rehearsal]
    return ids[-1] if ids else None


def check_session(ledger: Ledger, course: Course, name: str) -> str:
    """The id of a session that can be put into a course, or taken out. Raises `Misuse`."""
    session_id = ledger.resolve(name)
    (head,) = (each for each in ledger.heads() if each.session_id == session_id)
    if head.pseudonym != course.pseudonym:
        raise Misuse(f"session {session_id} is {head.pseudonym}'s, not {course.pseudonym}'s")
    if head.profile_id != course.profile_id:
        raise Misuse(f"session {session_id} followed {head.profile_id}, and the course {course.profile_id}")
    if _simulated(head) != course.simulated:
        kind = "a simulation" if _simulated(head) else "no simulation"
        raise Misuse(
            f"session {session_id} is {kind}, and the course has {'only' if course.simulated else 'none of'} those"
        )
    return session_id


def heads_of(ledger: Ledger, course: Course) -> list[SessionHead]:
    """The sessions of a course in which there was output, in lines, oldest first."""
    return [head for head in ledger.heads() if head.pseudonym == course.pseudonym and _belongs(ledger, course, head)]


def _belongs(ledger: Ledger, course: Course, head: SessionHead) -> bool:
    """Whether it joined the course and gave output, or a person says so; a simulation never joins a real course."""
    if head.started_utc is None or _simulated(head) != course.simulated:
        return False
    if head.session_id in course.counts:
        return course.counts[head.session_id]
    found = ledger.some_of(head.session_id, *_SAY_IT)
    joined = any(entry.kind == "opened" and entry.body.get("course") == course.course_id for entry in found)
    return joined and any(entry.kind == "started" for entry in found)


def _simulated(head: SessionHead) -> bool:
    return head.watermark != "HARDWARE"


def _visit(number: int, summary: SessionSummary) -> Visit:
    spreads = {channel.channel: channel.spreads for channel in summary.channels}
    known = delivery_of_session(summary) in (DeliveryState.CONFIRMED, DeliveryState.COMMANDED)
    return Visit(
        number=number,
        session_id=summary.head.session_id,
        started_utc=summary.head.started_utc or "",
        end_reason=summary.head.end_reason or summary.head.state,
        pain_before=_pain(summary, "before"),
        pain_after=_pain(summary, "after"),
        reached_ua={channel: int(peak) for channel, peak in _figure(spreads, "applied_ua", "max")},
        ohm={channel: ohm for channel, ohm in _figure(spreads, "ohm", "median") if ohm < SATURATED_OHM},
        # As in the reports: what is uncertain has no figure, and a part is no whole.
        delivered_pc=charge_pc(summary) if known else None,
        delivered_standing=summary.head.delivered_standing if known else FigureStanding.UNKNOWN.value,
        adverse=tuple(entry for entry in summary.remarks if entry.kind == "adverse"),
        faults=summary.faults,
    )


def _figure(spreads: dict[int, dict[str, object]], name: str, end: str) -> Iterator[tuple[int, float]]:
    for channel, each in spreads.items():
        spread = each.get(name)
        value = spread.get(end) if isinstance(spread, dict) else None
        if isinstance(value, int | float):
            yield channel, value


def _pain(summary: SessionSummary, when: str) -> float | None:
    """The last score that was given: a later one corrects an earlier one."""
    outcomes = [entry.body for entry in summary.remarks if entry.kind == "outcome" and entry.body.get("when") == when]
    scores = [body["pain"] for body in outcomes if isinstance(body.get("pain"), int | float)]
    return scores[-1] if scores else None
