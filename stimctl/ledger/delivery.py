"""Whether what was ordered is known to have been given: an uncertain delivery is neither nothing nor what was ordered.

Every report, export and table that adds doses up keeps the states apart, and has no total of what is uncertain.
"""

from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from typing import Any

from stimctl.ledger.heads import CLOSED, RUNNING
from stimctl.ledger.reading import Entry
from stimctl.ledger.standing import FigureStanding
from stimctl.ledger.summary import SessionSummary

_NO_SERIAL = (None, "", "-", "none")
# The kinds of entry that tell of a device's own sessions.
DEVICE_KINDS = ("opened", "armed", "recovered")


class DeliveryState(StrEnum):
    """What is known of a delivery, the best known first."""

    CONFIRMED = "confirmed"  # counted, pulse by pulse
    COMMANDED = "commanded"  # by the orders that the device took: it counts nothing, or not to the end
    UNCERTAIN = "uncertain"
    NONE = "none"  # nothing was ever armed, so nothing can have been given


_OF_STANDING: dict[str, DeliveryState] = {
    FigureStanding.COUNTED: DeliveryState.CONFIRMED,
    FigureStanding.ESTIMATED: DeliveryState.COMMANDED,
    FigureStanding.AT_MOST: DeliveryState.COMMANDED,
}


def doubt(summary: SessionSummary) -> str | None:
    """Why no figure of a session is to be taken for what was given, whatever it rests on."""
    if summary.faults:
        return "unverified"
    if summary.head.state == RUNNING:
        return "running"
    if summary.agreement.get("exact") is False or summary.agreement.get("contradiction"):
        return "disagree"
    # What the host kept of a device without counts has a standing of its own.
    return "unsure" if summary.agreement.get("reason") and not summary.kept else None


def delivery_of(summary: SessionSummary, standing: str) -> DeliveryState:
    """The state of a delivery whose figure stands so, in this session."""
    if doubt(summary):
        return DeliveryState.UNCERTAIN
    if summary.armed is False and summary.head.state == CLOSED:
        return DeliveryState.NONE
    return _OF_STANDING.get(standing, DeliveryState.UNCERTAIN)


def delivery_of_session(summary: SessionSummary) -> DeliveryState:
    """The state of all channels together: as certain as the least certain of them."""
    found = delivery_of(summary, summary.head.delivered_standing)
    known = found is DeliveryState.NONE or charge_pc(summary) is not None
    return found if known else DeliveryState.UNCERTAIN


def charges_of(dose: dict[str, Any] | None) -> list[Any]:
    """The charges of a dose by band; none where there is no list of them."""
    found = (dose or {}).get("charge_pc")
    return found if isinstance(found, list) else []


def charge_pc(summary: SessionSummary) -> int | None:
    """The first-phase charge that all channels were given; None where that of one is not known."""
    charges = [charge for each in summary.channels for charge in charges_of(each.delivered) or [None]]
    known = [charge for charge in charges if isinstance(charge, int)]
    return sum(known) if known and len(known) == len(charges) else None


def device_sessions(entries: Iterable[Entry]) -> Iterator[tuple[int, str | None]]:
    """Each of the device's own numbers, with what tells it from every other; None where the device keeps none."""
    device: Mapping[str, Any] = {}
    keeps = False
    for entry in entries:
        if isinstance(entry.body.get("device"), dict):
            device, keeps = entry.body["device"], _keeps_numbers(entry)
        told = entry.body.get("record") if entry.kind == "recovered" else entry.body if entry.kind == "armed" else None
        if isinstance(told, dict) and isinstance(told.get("session"), int):
            key = f"{device.get('serial')}/{told.get('boot_id', device.get('boot_id'))}/{told['session']}"
            # A simulator may be another life of the same serial number, which the log cannot see: no two lives draw
            # the same nonce.
            key += f"/{told.get('nonce')}" if device.get("simulator") else ""
            yield told["session"], key if keeps else None


def _keeps_numbers(entry: Entry) -> bool:
    """Of a device that never gives a number twice. By lease it is the driver's own, and begins anew with each
    connection; so does a simulator's in the driver's process that keeps nothing in a file. One whose dose was fetched
    has kept it."""
    device, url = entry.body["device"], str(entry.body.get("url"))
    if device.get("by_lease") or device.get("serial") in _NO_SERIAL:
        return False
    return not (device.get("simulator") and "sim://" in url and "flash=" not in url)
