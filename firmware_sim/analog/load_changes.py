"""Loads that change by themselves: a resistance that drifts, a clip that comes off and on again.

Times are us since the change began.
"""

from bisect import bisect_right
from random import Random
from typing import NamedTuple

NEVER_US = 1 << 62
STEP_US = 1_000_000


class Drift(NamedTuple):
    """A resistance goes evenly to `end_ohm` in `over_us`, in steps of a second, and stays there."""

    end_ohm: float
    over_us: int

    def ohm(self, start_ohm: float, since_us: int) -> float:
        """What it has come to from `start_ohm`."""
        reached_us = min(self.over_us, since_us // STEP_US * STEP_US)
        return start_ohm + (self.end_ohm - start_ohm) * reached_us / self.over_us

    def next_change_us(self, since_us: int) -> int:
        """The next step; `NEVER_US` when it has arrived."""
        step_us = since_us // STEP_US * STEP_US
        return step_us + STEP_US if step_us < self.over_us else NEVER_US


class ClipContact:
    """A clip that comes off and on again at times that the dice fix. At first it holds.

    `closed_us` and `open_us` are how long it holds and how long it is off: the least, and just over the most.
    """

    def __init__(self, dice: Random, closed_us: tuple[int, int], open_us: tuple[int, int]) -> None:
        self._dice = dice
        self._lasts_us = (closed_us, open_us)
        self._changes = [0]  # entry 0 is the beginning, closed; each later one is a change

    def is_open(self, since_us: int) -> bool:
        return bisect_right(self._until(since_us), since_us) % 2 == 0

    def next_change_us(self, since_us: int) -> int:
        """When it next comes off or on."""
        changes = self._until(since_us)
        return changes[bisect_right(changes, since_us)]

    def _until(self, since_us: int) -> list[int]:
        changes = self._changes
        while changes[-1] <= since_us:
            changes.append(changes[-1] + self._dice.randrange(*self._lasts_us[(len(changes) + 1) % 2]))
        return changes
