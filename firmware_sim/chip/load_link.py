"""A Python load for the circuit of `firmware/world`: told to it anew whenever it changes by itself."""

from collections.abc import Callable

from firmware_sim.analog.load import Load
from firmware_sim.analog.needle_pair import NeedlePair

_CHANNELS = range(1, 5)
# Connects a channel's pair: series ohm, uF and ohm of each needle, the channel it leaks to and how much, how much to
# earth.
Connect = Callable[[int, float, float, float, int, int, int], None]


class LoadLink:
    """`next_us` is when it has to `look` again, in device time; `pairs` what each channel drives until then."""

    def __init__(self, load: Load, connect: Connect) -> None:
        self._load = load
        self._connect = connect
        self.next_us = 0
        self.pairs: dict[int, NeedlePair] = {}

    def replace(self, load: Load) -> None:
        """Another load, from the next look on."""
        self._load = load

    def look(self, now_us: int) -> None:
        """Tell the circuit what each channel drives now."""
        for channel in _CHANNELS:
            pair = self.pairs[channel] = self._load.pair(channel, now_us)
            self._connect(
                channel, pair.series_ohm, pair.cdl_uf, pair.rct_ohm, pair.leaks_to, pair.leak_permille,
                pair.earthed_permille,
            )  # fmt: skip
        self.next_us = min(self._load.next_change_us(channel, now_us) for channel in _CHANNELS)
