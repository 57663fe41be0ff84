"""The state of each delivery: confirmed by the device, only commanded, or uncertain; and which of them are one.

A delivery is told by the device's own number of its session, never by when it was. The same number is one delivery,
however often the log has it: a dose that was fetched later, a log that was put together from two.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from stimctl.ledger import Entry, SessionSummary
from stimctl.ledger.heads import CLOSED, RUNNING
from stimctl.ledger.standing import FigureStanding


class DeliveryState(StrEnum):
    """A delivery is known so far. An uncertain one is in no total, neither as zero nor as given."""

    CONFIRMED = "confirmed"
    COMMANDED = "commanded"
    UNCERTAIN = "uncertain"
    NONE = "none"  # never armed: nothing can have been given


_NO_SERIAL = (None, "", "-", "none")


@dataclass(frozen=True, slots=True)
class Delivery:
    """The state of one session's delivery. `reason` names the sentence that says why; `same_as` is the session in whose
    place the same device session is counted already."""

    session_id: str
    state: DeliveryState
    reason: str
    numbers: tuple[int, ...]
    keys: frozenset[str]
    same_as: str | None = None

    @property
    def known(self) -> bool:
        """True where its figures are of what was given, whether the device confirmed it or not."""
        return self.state in (DeliveryState.CONFIRMED, DeliveryState.COMMANDED)


def delivery_of(summary: SessionSummary, entries: Iterable[Entry]) -> Delivery:
    """Of one session, by its summary and its entries."""
    state, reason = _state(summary)
    found = list(_device_sessions(entries))
    numbers = tuple(sorted({number for number, _ in found}))
    return Delivery(summary.head.session_id, state, reason, numbers, frozenset(key for _, key in found if key))


def _state(summary: SessionSummary) -> tuple[DeliveryState, str]:
    if reason := _doubt(summary):
        return DeliveryState.UNCERTAIN, reason
    if _never_armed(summary):
        return DeliveryState.NONE, "none"
    standings = {each.standing.get("delivered") for each in summary.channels}
    if standings != {FigureStanding.COUNTED}:
        return DeliveryState.COMMANDED, "commanded"
    return DeliveryState.CONFIRMED, "counted" if summary.kept else "confirmed"


def _doubt(summary: SessionSummary) -> str | None:
    """The reason why nobody knows what was given; None where it is known."""
    if summary.faults:
        return "unverified"
    if summary.head.state == RUNNING:
        return "running"
    if _never_armed(summary):
        return None
    if summary.agreement.get("exact") is False or summary.agreement.get("contradiction"):
        return "disagree"
    return "unasked" if charge_pc(summary) is None else None


def _never_armed(summary: SessionSummary) -> bool:
    return summary.armed is False and summary.head.state == CLOSED


def charge_pc(summary: SessionSummary) -> int | None:
    """The first-phase charge that all channels were given; None where that of one is not known."""
    charges = [charge for each in summary.channels for charge in (each.delivered or {}).get("charge_pc") or (None,)]
    known = [charge for charge in charges if isinstance(charge, int)]
    return sum(known) if known and len(known) == len(charges) else None


def _device_sessions(entries: Iterable[Entry]) -> "Iterable[tuple[int, str | None]]":
    """Each of the device's own numbers, with what tells it from every other; None where the device keeps none."""
    device: Mapping[str, Any] = {}
    keeps = False
    for entry in entries:
        if isinstance(entry.body.get("device"), dict):
            device, keeps = entry.body["device"], _keeps_numbers(entry.body["device"], str(entry.body.get("url")))
        told = entry.body.get("record") if entry.kind == "recovered" else entry.body if entry.kind == "armed" else None
        if isinstance(told, dict) and isinstance(told.get("session"), int):
            key = [device.get("serial"), told.get("boot_id", device.get("boot_id")), told["session"]]
            yield told["session"], str(key) if keeps else None


def _keeps_numbers(device: Mapping[str, Any], url: str) -> bool:
    """A device that never gives a number twice. By lease it is the driver's own, and begins anew with each
    connection; so does a simulator's that keeps nothing in a file."""
    if device.get("by_lease") or device.get("serial") in _NO_SERIAL:
        return False
    return not device.get("simulator") or "flash=" in url


def each_once(deliveries: Iterable[Delivery]) -> list[Delivery]:
    """The same deliveries, in order; of those that are one device session all but one say where it is counted."""
    listed = list(deliveries)
    counted: dict[str, Delivery] = {}
    rank = list(DeliveryState).index
    for one in sorted(listed, key=lambda each: rank(each.state)):  # what is known best speaks for the others
        if not counted.keys() & one.keys:
            counted |= dict.fromkeys(one.keys, one)
    return [_placed(one, counted) for one in listed]


def _placed(one: Delivery, counted: Mapping[str, Delivery]) -> Delivery:
    first = next((counted[key] for key in sorted(one.keys) if key in counted), one)
    return one if first is one else replace(one, same_as=first.session_id)
