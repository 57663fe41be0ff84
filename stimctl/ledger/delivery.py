"""Whether what was ordered is known to have been given: an uncertain delivery is neither nothing nor what was ordered.

Every export and every table that adds doses up keeps the states apart.
"""

from enum import StrEnum

from stimctl.ledger.heads import RUNNING
from stimctl.ledger.standing import FigureStanding
from stimctl.ledger.summary import SessionSummary


class DeliveryState(StrEnum):
    """What is known of a delivery."""

    NONE = "none"  # nothing was ever armed, so nothing can have been given
    COMMANDED = "commanded"  # the session goes on: the device confirmed orders, and has not told its counts
    CONFIRMED = "confirmed"  # counted, pulse by pulse
    UNCERTAIN = "uncertain"  # bounded, estimated, or not known at all


def delivery_of(standing: str, *, state: str, armed: object) -> DeliveryState:
    """The state of a delivery whose figure stands so, in a session in this state; `armed` as "closed" says it."""
    if standing == FigureStanding.COUNTED:
        return DeliveryState.CONFIRMED
    if armed is False:
        return DeliveryState.NONE
    if state == RUNNING and standing == FigureStanding.UNKNOWN:
        return DeliveryState.COMMANDED
    return DeliveryState.UNCERTAIN


def delivery_of_session(summary: SessionSummary) -> DeliveryState:
    """The state of all channels together: as certain as the least certain of them."""
    return delivery_of(summary.head.delivered_standing, state=summary.head.state, armed=summary.armed)
