"""The schedule of faults: when each begins and ends, in order of time, and how often it acted.

Times here are the world's: since the first power-on. One whole number says when something next changes, so
that until then nobody need look.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from firmware_sim.analog.load_changes import NEVER_US
from firmware_sim.faults.catalogue import CATALOGUE
from firmware_sim.faults.model import Fault


class FaultWindow:
    """One fault in time. `on` says whether it acts just now, `over` that it has ended.

    `start_us` is `NEVER_US` while it is not known.
    """

    __slots__ = ("end_us", "fault", "fired", "fired_us", "index", "kind", "on", "over", "start_us")

    def __init__(self, index: int, fault: Fault) -> None:
        self.index = index
        self.fault = fault
        self.kind = CATALOGUE[fault.kind]
        self.on = self.over = False
        self.fired = 0
        self.fired_us: int | None = None
        self.start_us = self.end_us = NEVER_US
        if fault.after is None:
            self.begin_at(fault.at_us)

    def begin_at(self, at_us: int) -> None:
        """Let it begin at `at_us`, and end when its time is over."""
        self.start_us = at_us
        self.end_us = NEVER_US if self.fault.for_us is None or not self.kind.lasts else at_us + self.fault.for_us

    @property
    def next_us(self) -> int:
        """When it next begins or ends."""
        if self.over:
            return NEVER_US
        return self.end_us if self.on else self.start_us

    def fire(self, at_us: int, times: int = 1) -> None:
        """Note that the fault did something."""
        if self.fired_us is None:
            self.fired_us = at_us
        self.fired += times

    def number(self, option: str) -> int:
        """An option, or its default."""
        return self.kind.number(self.fault, option)

    def word(self, option: str) -> str:
        """An option, or its default."""
        return self.kind.word(self.fault, option)

    def concerns(self, channel: int) -> bool:
        """Whether it is of this channel."""
        return self.fault.channel is None or self.fault.channel == channel


class FaultEdge(NamedTuple):
    """A fault begins (`on`) or ends."""

    window: FaultWindow
    on: bool


class FaultSchedule:
    """The windows of all faults. `next_us` is when one next begins or ends; `states` those that wait for a state."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.windows = tuple(FaultWindow(index, fault) for index, fault in enumerate(faults))
        self.waiting = [window for window in self.windows if window.fault.after is not None]
        self.next_us = NEVER_US
        self._look_ahead()

    def of(self, *prefixes: str) -> tuple[FaultWindow, ...]:
        """The windows whose kind begins with one of these."""
        return tuple(window for window in self.windows if window.fault.kind.startswith(prefixes))

    def entered(self, state: str, at_us: int) -> bool:
        """The device is in `state` from `at_us` on. Says whether a fault waited for it."""
        begun = [window for window in self.waiting if window.fault.after == state]
        for window in begun:
            self.waiting.remove(window)
            window.begin_at(at_us + window.fault.at_us)
        self._look_ahead()
        return bool(begun)

    def turns(self, now_us: int) -> Iterable[FaultEdge]:
        """What begins or ends up to `now_us`, in order of time, an end before a beginning."""
        while self.next_us <= now_us:
            window = min(self.windows, key=lambda window: (window.next_us, not window.on))
            window.on, window.over = not window.on, window.on
            self._look_ahead()
            yield FaultEdge(window, window.on)

    def _look_ahead(self) -> None:
        self.next_us = min((window.next_us for window in self.windows), default=NEVER_US)
