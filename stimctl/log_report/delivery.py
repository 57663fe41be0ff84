"""The state of each delivery: confirmed by the device, only commanded, or uncertain; and which of them are one.

A delivery is told by the device's own number of its session, never by when it was. The same number is one delivery,
however often the log has it: a dose that was fetched later, a log that was put together from two.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from stimctl.ledger import Entry, SessionSummary
from stimctl.ledger.delivery import NO_SERIAL, DeliveryState, delivery_of_session, doubt


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
    state = delivery_of_session(summary)
    numbers_and_keys = list(_device_sessions(entries))
    numbers = tuple(sorted({number for number, _ in numbers_and_keys}))
    keys = frozenset(key for _, key in numbers_and_keys if key)
    return Delivery(summary.head.session_id, state, _reason(summary, state), numbers, keys)


def _reason(summary: SessionSummary, state: DeliveryState) -> str:
    if state is DeliveryState.UNCERTAIN:
        return doubt(summary) or "unasked"
    return "counted" if state is DeliveryState.CONFIRMED and summary.kept else str(state)


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
    if device.get("by_lease") or device.get("serial") in NO_SERIAL:
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
