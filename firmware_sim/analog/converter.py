"""The simulated converters: a DAC that makes the output current, and readbacks that measure current and voltage.

The output's converter has 12 bits: current comes in steps of 1.25 uA. The readback has a gain and an offset
of its own, fixed when the device is made, and noise; together they stay inside the stated accuracy. Noise is
a seeded table that is walked one entry a pulse and sums to zero over its length, so that the noise of any
number of pulses is known without visiting each, and is the same however time was sliced.

Net charge has an integrator of its own that is reset before each pulse: the readback's offset, over both
phases, would hide more than the limit allows.

All figures in this file are [choice]. A fault is a part put in the place of another.
"""

from dataclasses import dataclass
from itertools import accumulate
from random import Random
from typing import Protocol

DAC_STEP_NA = 1_250
DAC_CODES = 2_047  # each way: 12 bits, sign included; full scale 2.56 mA
READBACK_ACCURACY_UA = 10  # stated; the parts below leave room: 3 + 3 + half a DAC step
READBACK_ACCURACY_PERMILLE = 10  # stated
NET_CHARGE_FLOOR_PC = 3_000  # stated; the parts below: 800 + 300 + 1 125 of real imbalance from rounding [calc]
COMPLIANCE_MV = 12_000

GAIN_PPM = 5_000
OFFSET_NA = 3_000
NOISE_NA = 1_000  # one standard deviation; never over three
VOLTAGE_OFFSET_UV = 1_000
NET_BIAS_PC = 800
NET_NOISE_US = 100  # the integrator's noise is the readback's over so long: 300 pC at most
_TABLE = 1_024
_NET_LAG = 311  # the integrator's noise is not the readback's: it walks elsewhere on the table


class Noise:
    """Current noise in nA, one entry a pulse, around a table of zero sum."""

    def __init__(self, rng: Random) -> None:
        peak_na = 3 * NOISE_NA
        half = [max(-peak_na, min(peak_na, round(rng.gauss(0, NOISE_NA)))) for _ in range(_TABLE // 2)]
        self._entries = half + [-value for value in half]
        rng.shuffle(self._entries)
        self._sums = [0, *accumulate(self._entries)]
        self.peak_na = max(self._entries)

    def at(self, index: int) -> int:
        """The entry of pulse `index`."""
        return self._entries[index % _TABLE]

    def total(self, index: int, count: int) -> int:
        """The sum over `count` pulses from pulse `index` on: whole turns of the table add nothing."""
        return self._sums[(index + count) % _TABLE] - self._sums[index % _TABLE]

    def highest(self, index: int, count: int) -> int:
        """The largest entry of `count` pulses from pulse `index` on."""
        if count >= _TABLE:
            return self.peak_na
        start = index % _TABLE
        wrapped = start + count - _TABLE
        highest = max(self._entries[start : start + count])
        return max(highest, *self._entries[:wrapped]) if wrapped > 0 else highest


class Dac:
    """Whole uA to the nearest current that 12 bits can make, held at full scale."""

    def current_na(self, amplitude_ua: int) -> int:
        """What a command makes flow, in nA, signed."""
        code = (abs(amplitude_ua) * 1_000 + DAC_STEP_NA // 2) // DAC_STEP_NA
        held_na = (code if code < DAC_CODES else DAC_CODES) * DAC_STEP_NA
        return held_na if amplitude_ua >= 0 else -held_na


class Converter(Protocol):
    """A DAC, good or broken."""

    def current_na(self, amplitude_ua: int) -> int:
        """What a command makes flow, in nA, signed."""


@dataclass(frozen=True, slots=True)
class Readback:
    """One channel's ammeter, voltmeter and integrator, with the errors this device was made with."""

    noise: Noise
    gain_ppm: int = 0
    offset_na: int = 0
    voltage_gain_ppm: int = 0
    voltage_offset_uv: int = 0
    net_bias_pc: int = 0

    def mean_na(self, current_na: int) -> int:
        """What is read of a current's size, noise left out."""
        return current_na + current_na * self.gain_ppm // 1_000_000 + self.offset_na

    def voltage_uv(self, volt: float) -> float:
        """What is read of a voltage's size."""
        return volt * (1_000_000 + self.voltage_gain_ppm) + self.voltage_offset_uv

    def mean_net_fc(self, net_fc: int) -> int:
        """What is read of one pulse's net charge, noise left out."""
        return net_fc + net_fc * self.gain_ppm // 1_000_000 + self.net_bias_pc * 1_000

    def net_noise_fc(self, index: int, count: int) -> int:
        """The integrator's noise over `count` pulses."""
        return self.noise.total(index + _NET_LAG, count) * NET_NOISE_US

    def energy_gain(self) -> float:
        """By how much energy, voltage times current, reads too high."""
        return (1 + self.gain_ppm / 1_000_000) * (1 + self.voltage_gain_ppm / 1_000_000)


class Switch:
    """Connects the output. A good one lets nothing through when it is open."""

    def leak_na(self, now_us: int) -> int:  # noqa: ARG002
        """Current with the outputs disabled, at device time `now_us`."""
        return 0


class OutputSwitch(Protocol):
    """An output switch, good or broken."""

    def leak_na(self, now_us: int) -> int:
        """Current with the outputs disabled, at device time `now_us`."""


def made_readback(rng: Random, noise: Noise) -> Readback:
    """A readback as it leaves the factory: its errors anywhere inside their bounds."""

    def within(bound: int) -> int:
        return rng.randint(-bound, bound)

    return Readback(noise, within(GAIN_PPM), within(OFFSET_NA), within(GAIN_PPM), within(VOLTAGE_OFFSET_UV),
                    within(NET_BIAS_PC))  # fmt: skip
