"""What an operator's order sends down a clean line, by the rules that the session holds (`stimctl.session.targets`).

From zero to 0.5 mA nothing stands on the way down; up goes 0.1 mA a second; the last output's end is a hold.
"""

from typing import NamedTuple

from stimctl.session.states import STIMULATING, State
from tests.agree.model import S, Session

LOWEST_UA, STEP_UA = 500, 100


class Sent(NamedTuple):
    """A command by name, and its channel and target where it has them."""

    name: str
    channel: int = 0
    target_ua: int = 0


class Hand:
    """The operator's hand on one session: `channels` are the prescription's, each with its first target."""

    def __init__(self, first_ua: dict[int, int], ceiling_ua: int) -> None:
        self.first_ua = first_ua
        self.ceiling_ua = ceiling_ua
        self.began_us = 0  # when the present run began

    def targets_ua(self, model: Session) -> dict[int, int]:
        """What a start goes to: first what was prescribed, after a hold what there was if it was 0.5 mA or more."""
        if not model.stimulation:
            return self.first_ua
        had = {channel: model.channels[channel].target for channel in self.first_ua}
        return {channel: ua if ua >= LOWEST_UA else 0 for channel, ua in had.items()}

    def sends(self, do: str, channel: int, ua: int, state: State, busy: str, model: Session) -> list[Sent]:
        """The commands that go out at once when an order is given in `state`."""
        if do == "stop":
            return [Sent("Stop")] if state not in (State.STOPPING, State.ENDED) else []
        if do == "proceed":
            return [Sent("Arm"), Sent("Start")] if state in (State.HELD, State.RECHECKED) and not busy else []
        if state not in STIMULATING:
            return []
        if do != "hold" and channel not in self.first_ua:
            return []
        sent = [Sent("Hold")] if do == "hold" else self._sets(do, channel, ua, model)
        # One hold is enough: the device, which has ended without the driver knowing yet, need not have taken it.
        return sent if busy != "hold" or sent != [Sent("Hold")] else []

    def _sets(self, do: str, channel: int, ua: int, model: Session) -> list[Sent]:
        each = model.channels[channel]
        ua = {"raise": each.target + STEP_UA, "lower": each.target - STEP_UA, "set": ua}[do]
        if ua > each.target:
            # The driver counts a raise's second from a raise in this run; the device, and so the model, over runs too.
            soon = model.now - each.raised < S and each.raised >= self.began_us
            refused = ua > self.ceiling_ua or ua > each.target + STEP_UA or soon
            return [] if refused else [Sent("SetTarget", channel, ua)]
        ua = ua if ua >= LOWEST_UA else 0
        others = [model.channels[number].target for number in self.first_ua if number != channel]
        if each.target and not ua and not any(others):
            return [Sent("Hold")]
        return [Sent("SetTarget", channel, ua)]
