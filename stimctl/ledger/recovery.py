"""Completes sessions that had no proper end, at the next start.

A program that died leaves a session open in the ledger: it is closed as interrupted. What its device went
on to count until its watchdog acted is still in the device: it is fetched at the next connection and added
to the session that it belongs to, before the device may forget it.
"""

from typing import NamedTuple

from stimctl.entries import DoseRecovered
from stimctl.ledger.reading import Entry
from stimctl.ledger.store import Ledger, new_session_id
from stimctl.stimulators.base import Identity, SessionCounts
from stimctl.wire.codec import SessionRecord

DIED = "the program that ran it ended without closing it"
LOST = "entries were lost from the log after it was opened, and its end may be among them"


def close_unfinished(ledger: Ledger) -> list[str]:
    """Close as interrupted every session that no living process holds; return their ids."""
    found = ledger.unfinished()
    lost_to = max((last for loss in ledger.losses() for _first, last in loss.missing), default=0)
    for session_id in found:
        opened = next(ledger.entries(session_id, doubtful=True)).number
        ledger.mark_interrupted(session_id, LOST if opened < lost_to else DIED, {})
    return found


class DoseOwner(NamedTuple):
    """The session that a dose belongs to, and whether the device's last arm of it was logged too.

    It was not where the program died between an arm and its entry: the session's number tells all the same.
    """

    session_id: str
    arm_logged: bool


def owner(ledger: Ledger, serial: str, record: SessionRecord) -> DoseOwner | None:
    """The logged session that is this one of device `serial`, or None when this ledger does not know it.

    Its last arm's nonce tells it from that of another device of the same serial number, as two simulators have. Where
    no session has that, it is the newest of the same number.
    """
    newest = None
    for opened in ledger.opened_newest_first():
        if not _is_of(opened, serial, record.boot_id):
            continue
        armed = [entry.body for entry in ledger.armed(opened.session_id)]
        if any((body.get("session"), body.get("nonce")) == (record.session, record.nonce) for body in armed):
            return DoseOwner(opened.session_id, arm_logged=True)
        if newest is None and any(body.get("session") == record.session for body in armed):
            newest = DoseOwner(opened.session_id, arm_logged=False)
    return newest


def _is_of(opened: Entry, serial: str, boot_id: int) -> bool:
    device = opened.body.get("device")
    return isinstance(device, dict) and (device.get("serial"), device.get("boot_id")) == (serial, boot_id)


def log_recovered(ledger: Ledger, identity: Identity, records: SessionCounts) -> str:
    """Add what the device still held to its session, durably; return that session's id.

    A dose whose session this ledger does not know (another machine ran it) is kept under an id of its own.
    """
    found = owner(ledger, identity.serial, records.record)
    recovered = DoseRecovered(
        device=identity.record(),
        simulator=identity.simulator,
        record=records.record._asdict(),
        counters=[each._asdict() for each in records.counters],
        measured=[each._asdict() for each in records.measured],
        checked=[each._asdict() for each in records.checked] or None,
        known_here=found is not None,
        arm_logged=found.arm_logged if found is not None else None,
    )
    session_id = found.session_id if found is not None else new_session_id()
    ledger.append(session_id, recovered.kind, 0, recovered.body())
    return session_id
