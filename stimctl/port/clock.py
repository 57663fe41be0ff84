"""The host's clock in us, and whether the host was suspended since it was last asked."""

import sys
import time
from collections.abc import Callable

from stimctl.errors import Suspended

_SUSPEND_NS = 100_000_000
_TRIES = 5
_CLOSE_ENOUGH_NS = 1_000_000

Clock = Callable[[], int]


def _boottime_ns() -> int:
    """Monotonic, and counts a suspend where the system has such a clock."""
    if sys.platform == "linux":
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    return time.monotonic_ns()


class HostClock:
    """The host's monotonic clock in us, and whether the host slept since it was last asked.

    A suspend shows as a greater lead of the clock that counts it. The two clocks cannot be read in one moment, and
    the program may stand still between the reads; so what is compared is between which bounds the lead was for
    certain: a standstill makes them wide, and only a suspend moves them apart. `monotonic_ns` and `boottime_ns` are
    for tests.
    """

    def __init__(self, monotonic_ns: Clock = time.monotonic_ns, boottime_ns: Clock = _boottime_ns) -> None:
        self._monotonic_ns = monotonic_ns
        self._boottime_ns = boottime_ns
        self._highest_lead_ns = self._lead_bounds()[1]

    def now_us(self) -> int:
        """Monotonic; does not count a suspend."""
        return self._monotonic_ns() // 1_000

    def check_awake(self) -> None:
        """Raise `Suspended` when the host slept since the last call: what ran meanwhile is unknown."""
        at_ns = self._monotonic_ns()
        lead_ns = self._boottime_ns() - at_ns  # or less
        if lead_ns <= self._highest_lead_ns:
            self._highest_lead_ns = lead_ns
        elif lead_ns - self._highest_lead_ns > _SUSPEND_NS:
            self._look_closely()

    def _look_closely(self) -> None:
        lowest_ns, highest_ns = self._lead_bounds()
        slept_ns = lowest_ns - self._highest_lead_ns
        if slept_ns > _SUSPEND_NS:
            self._highest_lead_ns = highest_ns
            raise Suspended(f"the host was suspended for {slept_ns / 1e9:.1f} s; the session is over, start a new one")

    def _lead_bounds(self) -> tuple[int, int]:
        """The closest bounds of the lead that a few tries give."""
        closest = self._bounds_once()
        for _ in range(_TRIES - 1):
            if closest[1] - closest[0] <= _CLOSE_ENOUGH_NS:
                break
            closest = min(closest, self._bounds_once(), key=lambda bounds: bounds[1] - bounds[0])
        return closest

    def _bounds_once(self) -> tuple[int, int]:
        before_ns, boottime_ns, after_ns = self._monotonic_ns(), self._boottime_ns(), self._monotonic_ns()
        return boottime_ns - after_ns, boottime_ns - before_ns
