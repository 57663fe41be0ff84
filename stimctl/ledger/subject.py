"""All that a ledger holds of one subject, in one document: for the person it is about, or for another clinic.

Every session with every entry, each course, note, adverse event, score, screening and correction, with their hashes.
docs/schema/subject.json describes it:

    python -m stimctl.ledger.subject            write it
    python -m stimctl.ledger.subject --check    compare it with the one in docs/schema

A dose that was fetched from a device for a session of another ledger names nobody, so that it cannot be here.
"""

import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from stimctl.ledger.document import LogHead, document
from stimctl.ledger.kept_schema import keep, schema_of, text_of
from stimctl.ledger.reading import Entry
from stimctl.ledger.store import Ledger

FORMAT = "stimctl subject, version 1"
SCHEMA_FILE = Path(__file__).resolve().parents[2] / "docs" / "schema" / "subject.json"


@dataclass(frozen=True, slots=True)
class CourseEntries:
    """One course, as its entries."""

    course_id: str
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class SubjectDocument:
    """`sessions` are documents as docs/schema/session.json describes them, each with its entries; oldest first.

    `verifies`: whether each entry is as it was written, and the ledger agrees with its anchor; `faults` says what does
    not. `losses` is what the ledger lost earlier, of whomever. `log_head` is the ledger's newest entry.
    """

    format: str
    pseudonym: str
    verifies: bool
    faults: tuple[str, ...]
    losses: tuple[str, ...]
    log_head: LogHead
    sessions: tuple[dict[str, Any], ...]
    courses: tuple[CourseEntries, ...]


def subject_document(ledger: Ledger, pseudonym: str) -> dict[str, Any]:
    """Everything of `pseudonym`, JSON-able. Raises `Misuse` where there is nothing, `LogFault`."""
    sessions = tuple(_sessions(ledger, pseudonym))
    courses = tuple(courses_of(ledger, pseudonym))
    if not sessions and not courses:
        raise ledger.not_found(f"the ledger holds nothing of {pseudonym!r}; `stimctl log list` shows whom it knows")
    doubt = ledger.doubt_of_all()
    faults = [doubt] if doubt else []
    faults += [fault for session in sessions for fault in session["session"]["faults"]]
    faults += [entry.fault for course in courses for entry in course.entries if entry.fault]
    head = ledger.head()
    found = SubjectDocument(
        format=FORMAT,
        pseudonym=pseudonym,
        verifies=not faults,
        faults=tuple(dict.fromkeys(faults)),
        losses=tuple(loss.sentence for loss in ledger.losses()),
        log_head=LogHead(head.number, head.hash.hex()),
        sessions=sessions,
        courses=courses,
    )
    return asdict(found)


def _sessions(ledger: Ledger, pseudonym: str) -> Iterator[dict[str, Any]]:
    for head in ledger.heads():
        if head.pseudonym == pseudonym:
            summary = ledger.summary(head.session_id)
            yield document(summary, entries=ledger.entries(head.session_id, doubtful=True))


def courses_of(ledger: Ledger, pseudonym: str) -> Iterator[CourseEntries]:
    """The courses of one subject, oldest first."""
    found: dict[str, list[Entry]] = {}
    for entry in ledger.of_courses():
        found.setdefault(entry.session_id, []).append(entry)
    for course_id, entries in found.items():
        if any(entry.kind == "course" and entry.body.get("pseudonym") == pseudonym for entry in entries):
            yield CourseEntries(course_id, tuple(entries))


def schema_text() -> str:
    """Its JSON Schema; a session's is referred to."""
    schema = schema_of(SubjectDocument, FORMAT)
    schema["properties"]["sessions"]["items"] = {"$ref": "session.json"}
    return text_of(schema)


if __name__ == "__main__":
    sys.exit(keep(SCHEMA_FILE, schema_text(), "stimctl.ledger.subject", sys.argv[1:]))
