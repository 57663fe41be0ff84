"""What is done at a start about sessions that had no proper end.

A program that died leaves a session open in the ledger: it is closed as interrupted. What its device went
on to count until its watchdog acted is still in the device: it is fetched at the next connection and added
to the session that it belongs to, before the device may forget it.
"""

from typing import Any

from stimctl.ledger.store import Ledger, new_session_id
from stimctl.stimulators.base import Identity, Records

DIED = "the program that ran it ended without closing it"


def close_unfinished(ledger: Ledger) -> list[str]:
    """Close as interrupted every session that no living process holds; return their ids."""
    found = ledger.unfinished()
    for session_id in found:
        ledger.mark_interrupted(session_id, DIED, {})
    return found


def owner(ledger: Ledger, serial: str, nonce: int) -> str | None:
    """The logged session that device `serial` gave `nonce` to, or None when this ledger does not know it."""
    for session_id in reversed(ledger.session_ids()):
        serials = set()
        for entry in ledger.entries(session_id):
            if entry.kind == "opened":
                serials.add(entry.body["device"]["serial"])
            elif entry.kind == "armed" and entry.body["nonce"] == nonce and serial in serials:
                return session_id
    return None


def log_recovered(ledger: Ledger, identity: Identity, records: Records) -> str:
    """Add what the device still held to its session, durably; return that session's id.

    A dose whose session this ledger does not know (another machine ran it) is kept under an id of its own.
    """
    body: dict[str, Any] = {
        "device": identity.record(),
        "simulator": identity.simulator,
        "record": records.record._asdict(),
        "counters": [each._asdict() for each in records.counters],
        "measured": [each._asdict() for each in records.measured],
    }
    session_id = owner(ledger, identity.serial, records.record.nonce)
    body["known_here"] = session_id is not None
    session_id = session_id or new_session_id()
    ledger.append(session_id, "recovered", 0, body)
    return session_id
