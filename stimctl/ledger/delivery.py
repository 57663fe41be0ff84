"""Whether what was ordered is known to have been given: an uncertain delivery is neither nothing nor what was ordered.

Every report, export and table that adds doses up keeps the states apart, and has no total of what is uncertain.
"""

from enum import StrEnum
from typing import Any

from stimctl.ledger.heads import CLOSED, RUNNING
from stimctl.ledger.standing import FigureStanding
from stimctl.ledger.summary import SessionSummary

NO_SERIAL = (None, "", "-", "none")  # what stands where a device has no serial number: its sessions have none either


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
    wrong = summary.agreement.get("exact") is False or summary.agreement.get("contradiction")
    return "disagree" if wrong else None


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
