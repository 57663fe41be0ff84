"""Zero, as measured: under 20 uA for 20 ms without a break, sampled each millisecond while it is not yet sure.

A current that shows up later takes the zero away again at once.
"""

from firmware_sim.gate import ZERO_UA, ZERO_WATCH_US

SAMPLE_US = 1_000  # while watching [choice]
RESAMPLE_US = 100_000  # once zero is sure [choice]


class ZeroWatch:
    """Fed with samples of the largest current on any output; says whether zero holds."""

    def __init__(self) -> None:
        self.sure = False
        self.since_us: int | None = None
        self.sure_us = 0
        self.measured_ua = 0

    def restart(self) -> None:
        """Outputs were enabled, or have just been disabled: nothing is known."""
        self.sure = False
        self.since_us = None

    def sample(self, now_us: int, measured_ua: int) -> None:
        """Take one sample at device time `now_us`."""
        self.measured_ua = measured_ua
        if measured_ua >= ZERO_UA:
            self.restart()
            return
        if self.since_us is None:
            self.since_us = now_us
        if not self.sure and now_us - self.since_us >= ZERO_WATCH_US:
            self.sure = True
            self.sure_us = now_us

    def next_sample_us(self, now_us: int) -> int:
        """When to sample next."""
        return now_us + (RESAMPLE_US if self.sure else SAMPLE_US)
