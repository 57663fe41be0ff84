"""The state of each delivery: confirmed by the device, only commanded, or uncertain; and which of them are one.

A delivery is told by the device's own number of its session, never by when it was. The same number is one delivery,
however often the log has it: a dose that was fetched later, a log that was put together from two.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from stimctl.ledger import Entry, SessionSummary
from stimctl.ledger.delivery import DeliveryState, delivery_of_session, device_sessions, doubt


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
    numbers_and_keys = list(device_sessions(entries))
    numbers = tuple(sorted({number for number, _ in numbers_and_keys}))
    keys = frozenset(key for _, key in numbers_and_keys if key)
    return Delivery(summary.head.session_id, state, _reason(summary, state), numbers, keys)


def _reason(summary: SessionSummary, state: DeliveryState) -> str:
    if state is DeliveryState.UNCERTAIN:
        return doubt(summary) or "unasked"
    return "counted" if state is DeliveryState.CONFIRMED and summary.kept else str(state)


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
