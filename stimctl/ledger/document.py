"""One session as one JSON document: the same shape from `run --json`, `log show --json` and `log export`.

docs/schema/session.json describes it, made of the classes here and in `stimctl.ledger.summary`:

    python -m stimctl.ledger.document            write it
    python -m stimctl.ledger.document --check    compare it with the one in docs/schema
"""

import sys
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from stimctl.ledger.kept_schema import keep, schema_of, text_of
from stimctl.ledger.reading import Entry
from stimctl.ledger.summary import SessionSummary

FORMAT = "stimctl session, version 2"
SCHEMA_FILE = Path(__file__).resolve().parents[2] / "docs" / "schema" / "session.json"


@dataclass(frozen=True, slots=True)
class ToldAlarm:
    """An alarm of a run: what it said, and what to do."""

    at_us: int
    priority: str
    text: str
    action: str


@dataclass(frozen=True, slots=True)
class LogHead:
    """Number and hash (hex) of the log's newest entry after a run, to be noted elsewhere."""

    number: int
    hash: str


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What is known of a session only where it was run. `log_fault` says why the log has not got the whole of it,
    `log_lost` what was found lost of the log at the start, `traffic_fault` why the record of traffic is not whole."""

    log: str
    log_fault: str | None
    log_head: LogHead | None
    log_lost: str | None
    picture: str | None
    traffic: str | None
    traffic_fault: str | None
    alarms: tuple[ToldAlarm, ...]
    interrupted: tuple[str, ...]
    recovered: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CourseDue:
    """The next session of a course: due from `earliest` to `latest`, days as in 2026-01-31, as far as known on the day
    `asked_on`; `too_soon` is what speaks against a session on that day, `warnings` what to attend to anyway."""

    asked_on: str
    number: int
    earliest: str | None
    latest: str | None
    basis: tuple[str, ...]
    too_soon: tuple[str, ...]
    warnings: tuple[str, ...]
    profile_change: str | None


@dataclass(frozen=True, slots=True)
class CourseFacts:
    """The course that a session belongs to. `number` is which of its sessions this is, from 1, and null where it joined
    the course and does not count; of how many, `plan` says under `course_sessions`, each value with who says so.

    `warnings` is what spoke against this session on its day. `faults` is what does not verify of the course.
    """

    course_id: str
    pseudonym: str
    profile: dict[str, Any]
    simulated: bool
    ended: str | None
    number: int | None
    plan: dict[str, dict[str, Any]]
    warnings: tuple[str, ...]
    due: CourseDue
    faults: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SessionDocument:
    """`course` is there where one session is shown or was run, and belongs to one; `entries` are there in an export,
    `run` is there after a run; else they are null.

    `verifies`: whether each entry is as it was written; null where the log has not got the session.
    """

    watermark: str
    format: str
    verifies: bool | None
    session: SessionSummary
    course: CourseFacts | None = None
    entries: tuple[Entry, ...] | None = None
    run: RunFacts | None = None


def document(
    summary: SessionSummary,
    *,
    course: CourseFacts | None = None,
    entries: Iterable[Entry] | None = None,
    run: RunFacts | None = None,
) -> dict[str, Any]:
    """The document, JSON-able; at its top it says SIMULATOR or HARDWARE, and whether the session verifies."""
    listed = None if entries is None else tuple(entries)
    verifies = not summary.faults if summary.faults or summary.last_hash else None
    return asdict(SessionDocument(summary.head.watermark, FORMAT, verifies, summary, course, listed, run))


def schema_text() -> str:
    """Its JSON Schema."""
    return text_of(schema_of(SessionDocument, FORMAT))


if __name__ == "__main__":
    sys.exit(keep(SCHEMA_FILE, schema_text(), "stimctl.ledger.document", sys.argv[1:]))
