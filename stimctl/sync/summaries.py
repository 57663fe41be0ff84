"""A session in a row, as the far end's views want it: from the same summary as every export."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

from stimctl.label import printable
from stimctl.ledger.delivery import charges_of, delivery_of_session, device_sessions
from stimctl.ledger.reading import Entry
from stimctl.ledger.summary import SessionSummary

Row = dict[str, Any]
_OF_HEAD = (
    *("session_id", "watermark", "state", "delivered_standing", "end_reason", "subject", "pseudonym", "profile_id"),
    *("profile_version", "device_model", "device_serial", "device_firmware", "delivered_pc", "stimulated_us"),
)
_TIMES = ("started_utc", "ended_utc", "last_seen_utc")
_FIGURE = re.compile(r"\d[\d.,]*")
# The kinds of entry that a row is made of: all but the samples, of which a session has thousands.
KINDS = ("opened", "armed", "alarm", "closed", "recovered", "counters")


def session_row(machine: str, summary: SessionSummary, of_device: Sequence[Entry]) -> Row:
    """One session's row; `of_device` are its entries of `DEVICE_KINDS`."""
    head = summary.head
    return {
        "machine": machine,
        **{name: _text(getattr(head, name)) for name in _OF_HEAD},
        **{name: _moment(getattr(head, name)) for name in _TIMES},
        "delivery": str(delivery_of_session(summary)),
        "commanded_pc": _commanded_pc(summary),
        "device_session": _device_session(of_device),
        "device_calibrated_on": _day(head.device_calibrated_on),
        "calibration_due_on": _due(of_device),
    }


def alarm_rows(machine: str, summary: SessionSummary) -> Iterator[Row]:
    """How often each kind of alarm came in a session. Figures in an alarm's text are left out: `#` stands for them."""
    found = Counter(_alarm(entry.body) for entry in summary.remarks if entry.kind == "alarm")
    for (source, priority, kind), alarms in found.items():
        about = {"machine": machine, "session_id": summary.head.session_id, "watermark": summary.head.watermark}
        yield {**about, "source": source, "priority": priority, "kind": kind, "alarms": alarms}


def _alarm(body: Mapping[str, Any]) -> tuple[str, str, str]:
    kind = _FIGURE.sub("#", str(body.get("reason") or body.get("text") or "unknown"))
    return str(body.get("source") or "host"), str(body.get("priority") or "none"), printable(kind)


def _commanded_pc(summary: SessionSummary) -> int | None:
    charges = [charge for channel in summary.channels for charge in charges_of(channel.commanded)]
    return sum(charges) if charges and all(isinstance(charge, int) for charge in charges) else None


def _device_session(entries: Iterable[Entry]) -> str | None:
    """The session as its device numbers it, where that never gives a number twice."""
    keys = [key for _, key in device_sessions(entries)]
    return keys[-1] if keys else None


def _due(entries: Iterable[Entry]) -> date | None:
    """Until when the calibration counts that was on record when the session began; None where there was none."""
    for entry in entries:
        record = entry.body.get("calibration") if entry.kind == "opened" else None
        if isinstance(record, dict):
            return _day(str(record.get("due_on")))
    return None


def _text(value: Any) -> Any:
    # A NUL, or what once was broken text, is no text to PostgreSQL.
    return printable(value) if isinstance(value, str) else value


def _moment(utc: str | None) -> datetime | None:
    try:
        return None if utc is None else datetime.fromisoformat(utc).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _day(text: str | None) -> date | None:
    try:
        return None if text is None else date.fromisoformat(text)
    except ValueError:
        return None
