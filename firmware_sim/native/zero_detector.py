"""Decides that the output is at zero: under 20 uA for 20 ms without a break, sampled each millisecond until it is sure.

A current that shows up later takes the zero away again at once. One that does not go away is looked at less often:
nothing becomes sure before it has been small for 20 ms in any case.
"""

from collections.abc import Callable

from firmware_sim.native.gate import ZERO_UA, ZERO_WATCH_US

SAMPLE_US = 1_000  # while watching [choice]
RESAMPLE_US = 100_000  # once zero is sure [choice]
STAYS_US = 200_000  # a current that has been there for so long while no output is on, stays [choice]
STAYING_US = 10_000  # and is sampled so often [choice]


class ZeroDetector:
    """Fed with samples of the largest current on any output; says whether zero holds.

    `became_sure` is called each time that it does, with when it became sure and since when it holds.
    """

    def __init__(self) -> None:
        self.sure = False
        self.since_us: int | None = None
        self.became_sure: Callable[[int, int], None] = _ignore
        self.measured_ua = 0
        self._over_since_us: int | None = None

    def restart(self) -> None:
        """Outputs were enabled, or have just been disabled: nothing is known."""
        self.sure = False
        self.since_us = None
        self._over_since_us = None

    def sample(self, now_us: int, measured_ua: int) -> None:
        """Take one sample at device time `now_us`."""
        self.measured_ua = measured_ua
        if measured_ua >= ZERO_UA:
            over_since_us = self._over_since_us
            self.restart()
            self._over_since_us = now_us if over_since_us is None else over_since_us
            return
        self._over_since_us = None
        if self.since_us is None:
            self.since_us = now_us
        if not self.sure and now_us - self.since_us >= ZERO_WATCH_US:
            self.sure = True
            self.became_sure(now_us, self.since_us)

    def next_sample_us(self, now_us: int) -> int:
        if self.sure:
            return now_us + RESAMPLE_US
        stays = self._over_since_us is not None and now_us - self._over_since_us >= STAYS_US
        return now_us + (STAYING_US if stays else SAMPLE_US)


def _ignore(_sure_us: int, _since_us: int) -> None:
    """The detector of a device that keeps no journal."""
