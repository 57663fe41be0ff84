"""What an operator's command sends down a clean line, by the rules that the session holds (`stimctl.session.targets`).

From zero to 0.5 mA nothing stands on the way down; up goes 0.1 mA a second; the last output's end is a hold. A channel
starts towards what is prescribed, and after a hold towards what the device had, or less if less was asked for since.
"""

from collections.abc import Iterable
from typing import NamedTuple

from stimctl.session.states import AT_REST, STIMULATING, State
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
        self.wanted_ua = dict(first_ua)  # what was asked for last
        self.began_us = 0  # when the present run began

    def resumes_ua(self, model: Session) -> dict[int, int]:
        """What a start goes to: first what was prescribed, after a hold the least that was had and asked for."""
        goes_ua = {channel: self._least_ua(channel, model) for channel in self.first_ua}
        return {channel: ua if ua >= LOWEST_UA else 0 for channel, ua in goes_ua.items()}

    def started(self, targets_ua: Iterable[int], at_us: int) -> None:
        """A run began towards these targets of channel 1, 2, ..."""
        self.began_us = at_us
        self.wanted_ua = {number: ua for number, ua in enumerate(targets_ua, 1) if number in self.first_ua}

    def _least_ua(self, channel: int, model: Session) -> int:
        wanted_ua = self.wanted_ua[channel]
        return min(wanted_ua, model.channels[channel].target) if self.began_us else wanted_ua

    def sends(self, do: str, channel: int, ua: int, state: State, busy: str, model: Session) -> list[Sent]:
        """The commands that go out at once when one is given in `state`."""
        if do == "stop":
            return [Sent("Stop")] if state not in (State.STOPPING, State.ENDED) else []
        if do == "proceed":
            return [Sent("Arm"), Sent("Start")] if state in (State.HELD, State.RECHECKED) and not busy else []
        if do != "hold" and channel not in self.first_ua:
            return []
        if state not in STIMULATING:
            if do in ("lower", "set") and state in AT_REST:
                self._lower_at_rest(do, channel, ua, model)
            return []
        sent = [Sent("Hold")] if do == "hold" else self._sets(do, channel, ua, model)
        # One hold is enough, and no target is of use in it: the device has ended without the driver knowing it yet.
        return [] if busy == "hold" else sent

    def _lower_at_rest(self, do: str, channel: int, ua: int, model: Session) -> None:
        present_ua = self._least_ua(channel, model)
        ua = present_ua - STEP_UA if do == "lower" else ua
        if ua <= present_ua:
            self.wanted_ua[channel] = ua if ua >= LOWEST_UA else 0

    def _sets(self, do: str, channel: int, ua: int, model: Session) -> list[Sent]:
        each = model.channels[channel]
        present_ua = self._least_ua(channel, model)
        ua = {"raise": each.target + STEP_UA, "lower": present_ua - STEP_UA, "set": ua}[do]
        if ua > self.wanted_ua[channel] != each.target:
            return []  # a lowering that the device refused stays wanted
        if ua > each.target:
            # The driver counts a raise's second from a raise in this run; the device, and so the model, over runs too.
            soon = model.now - each.raised < S and each.raised >= self.began_us
            if ua > self.ceiling_ua or ua > each.target + STEP_UA or soon:
                return []
        elif ua < LOWEST_UA:
            ua = 0
        self.wanted_ua[channel] = ua
        others = [self._least_ua(number, model) for number in self.first_ua if number != channel]
        if present_ua and not ua and not any(others):
            return [Sent("Hold")]
        return [Sent("SetTarget", channel, ua)] if ua != each.target else []
