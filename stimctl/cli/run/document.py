"""How a session ended, for a program: the document that the log gives of it, with what only its run knows."""

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import click

from stimctl.cli.run.summary import SavedFiles
from stimctl.course.place import facts_of, place_of
from stimctl.errors import LogFault, Misuse
from stimctl.ledger import Ledger
from stimctl.ledger.append import utc_now, utc_text
from stimctl.ledger.document import CourseFacts, LogHead, RunFacts, ToldAlarm, document
from stimctl.ledger.reading import Entry
from stimctl.ledger.summary import SessionSummary, summarize
from stimctl.prescription import Prescription
from stimctl.session.view import SessionReport


def run_document(
    ledger: Ledger, prescription: Prescription, report: SessionReport, files: SavedFiles
) -> dict[str, Any]:
    """The session as the log has it; as its report says where the log has it not, or not to its end."""
    summary = None if files.log_fault else _logged(ledger, report.session_id)
    facts = RunFacts(
        log=str(files.log),
        log_fault=files.log_fault,
        log_head=LogHead(files.head.number, files.head.hash.hex()) if files.head else None,
        log_lost=files.lost,
        picture=str(files.picture) if files.picture else None,
        traffic=str(files.traffic) if files.traffic else None,
        traffic_fault=files.traffic_fault,
        alarms=tuple(ToldAlarm(each.at_us, each.priority.name, each.text, each.action) for each in report.alarms),
        interrupted=files.interrupted,
        recovered=files.recovered,
    )
    return document(summary or _reported(prescription, report), course=_course(ledger, summary), run=facts)


def _logged(ledger: Ledger, session_id: str) -> SessionSummary | None:
    try:
        return ledger.summary(ledger.resolve(session_id))
    except Misuse:
        return None  # no device was identified, and nothing was logged


def _course(ledger: Ledger, summary: SessionSummary | None) -> CourseFacts | None:
    if summary is None:
        return None
    try:
        place = place_of(ledger, summary.head.session_id)
        return place and facts_of(ledger, place, datetime.now(UTC).astimezone().date())
    except LogFault as fault:  # of another session of the course: this one's dose is told all the same
        click.echo(f"Where this session stands in its course cannot be said: {fault}", err=True)
        return None


def _reported(prescription: Prescription, report: SessionReport) -> SessionSummary:
    now = utc_text(utc_now())
    opened = {
        "subject": str(prescription.subject),
        "operator": prescription.operator,
        "pseudonym": prescription.pseudonym,
        "profile": asdict(prescription.profile),
        "prescription": prescription.record(),
        "simulator": report.simulator,
        "planned": report.planned,
    }
    closed = {"end_reason": str(report.end), **{name: getattr(report, name) for name in _AS_REPORTED}}
    bodies = {"opened": opened, "closed": closed}
    entries = [Entry(0, report.session_id, kind, 0, now, body, "", "") for kind, body in bodies.items()]
    summary = summarize(entries, running=False)
    assert summary is not None
    return summary


_AS_REPORTED = (
    "end_text", "armed", "planned", "commanded", "delivered", "measured", "agreement", "band_us", "held_us",
    "zero_confirmed_us", "zero_measured", "kept",
)  # fmt: skip
