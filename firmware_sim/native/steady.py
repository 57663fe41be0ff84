"""Delivers a stretch of identical pulses: any number of them at the cost of one.

Commanded charge and read current repeat exactly, so they multiply. The interfaces' voltage does not: each
pulse leaves a little behind, and what it does there is a `series`. Its lines are found by driving one pulse from
0 V and one from 1 V.
"""

from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

from firmware_sim.analog.converter import NET_CHARGE_FLOOR_PC, NET_NOISE_US, Readback
from firmware_sim.analog.needle_pair import NeedlePair
from firmware_sim.analog.pulse_series import LinearMap, Series
from firmware_sim.analog.recorder import PulseShape
from firmware_sim.native.gate import LEAD_OFF_OHM, MEAN_DC_UA, SHORT_OHM
from firmware_sim.native.program import OutputSegment
from firmware_sim.native.train import span_us

OHM_FLOOR_UA = 100  # below it a pulse says nothing certain about its load [choice]


class PulseMaps(NamedTuple):
    """The effect of one unclipped pulse on the interfaces' voltage, and its energy, by the voltage at its start."""

    after: LinearMap  # the voltage it leaves
    first_end: LinearMap  # the output voltage at the end of its first phase
    second_start: LinearMap  # the same where the second phase begins, as a size
    energy_pj: LinearMap


@lru_cache(maxsize=256)
def pulse_lines(pair: NeedlePair, first_na: int, second_na: int, segment: OutputSegment) -> PulseMaps:
    """The lines of a pulse of these real currents (sizes)."""

    def one(cap_volt: float) -> tuple[float, float, float, float]:
        first = pair.drive(first_na / 1_000, segment.width_us, cap_volt)
        gap_volt = pair.rested(first.cap_volt, segment.interphase_gap_us)
        second = pair.drive(-second_na / 1_000, segment.second_width_us, gap_volt)
        start_volt = second_na * 1e-9 * pair.series_ohm - gap_volt
        return second.cap_volt, first.end_volt, start_volt, first.energy_pj + second.energy_pj

    return PulseMaps(*(LinearMap(y1 - y0, y0) for y0, y1 in zip(one(0.0), one(1.0), strict=True)))


@dataclass(slots=True)
class SilentStretch:
    """`count` due pulses of one channel from `first_us` on that do not leave: its amplitude is zero."""

    first_us: int
    count: int
    period_us: int

    def before(self, until_us: int) -> int:
        """How many of them are due before `until_us`."""
        if until_us <= self.first_us:
            return 0
        due = (until_us - self.first_us - 1) // self.period_us + 1
        return due if due < self.count else self.count


@dataclass(slots=True)
class SteadyStretch(SilentStretch):
    """`count` like pulses of one channel from `first_us` on. `index` is the first one's entry in the noise table."""

    period_us: int = field(init=False)
    segment_index: int
    segment: OutputSegment
    amplitude_ua: int
    shape: PulseShape
    pair: NeedlePair
    cap_volt: float
    index: int
    readback: Readback
    charge_pc: int = field(init=False)
    first_read_na: int = field(init=False)
    net_read_fc: int = field(init=False)
    lines: PulseMaps = field(init=False)
    series: Series = field(init=False)

    def __post_init__(self) -> None:
        segment, shape, pair = self.segment, self.shape, self.pair
        self.period_us = segment.period_us
        self.charge_pc = self.amplitude_ua * segment.width_us
        self.first_read_na = self.readback.mean_na(shape.first_na)
        self.net_read_fc = self.readback.mean_net_fc(shape.net_fc)
        self.lines = lines = pulse_lines(pair, shape.first_na, shape.second_na, segment)
        self.series = Series.of(pair, lines.after, segment.period_us - span_us(segment), self.cap_volt)

    def cap_volt_after(self, number: int) -> float:
        """The interfaces' voltage where pulse `number` ends."""
        return self.lines.after.at(self.series.at(number))

    def ohm_at(self, number: int, read_na: int) -> int:
        """Voltage over current of pulse `number`, as read; 0 when the current is too small to say."""
        if self.amplitude_ua < OHM_FLOOR_UA:
            return 0
        line, (start_volt, cycle, final_volt) = self.lines.first_end, self.series
        # `series.at` and `line.at` written out: telemetry asks ten times a second.
        end_volt = line.slope * (final_volt + (start_volt - final_volt) * cycle**number) + line.base
        return int(self.readback.voltage_uv(end_volt) * 1_000 / read_na + 0.5)

    def energy_pj(self, count: int) -> float:
        """The real energy of the first `count` of them."""
        return self.series.total(self.lines.energy_pj, count)

    def is_quiet(self, rail_volt: float, limit_ua: int, second_limit_ua: int) -> bool:
        """Whether no pulse of it can trip anything, whatever the noise does. If not, they go one by one."""
        noise_na = self.readback.noise.peak_na
        for size_na, most_ua in ((self.shape.first_na, limit_ua), (self.shape.second_na, second_limit_ua)):
            if self.readback.mean_na(size_na) + noise_na > most_ua * 1_000:
                return False
        net_pc = (abs(self.net_read_fc) + noise_na * NET_NOISE_US) / 1_000
        if net_pc > max(self.charge_pc / 100, NET_CHARGE_FLOOR_PC) or net_pc > MEAN_DC_UA * self.period_us:
            return False
        return all(self._fits(volt, rail_volt, noise_na) for volt in (self.cap_volt, self.series.final_volt))

    def _fits(self, cap_volt: float, rail_volt: float, noise_na: int) -> bool:
        """Whether a pulse that begins at `cap_volt` stays off the rail and between short and lead-off."""
        end_volt = self.lines.first_end.at(cap_volt)
        drop_volt = self.shape.first_na * 1e-9 * self.pair.series_ohm
        second_volt = self.lines.second_start.at(cap_volt)
        second_end_volt = self.shape.second_na * 1e-9 * self.pair.series_ohm - self.lines.after.at(cap_volt)
        if max(drop_volt + cap_volt, end_volt, second_volt, second_end_volt) > rail_volt:
            return False
        if self.amplitude_ua < OHM_FLOOR_UA:
            return True
        read_uv = self.readback.voltage_uv(end_volt)
        lowest_ohm = read_uv * 1_000 / max(1, self.first_read_na + noise_na)
        highest_ohm = read_uv * 1_000 / max(1, self.first_read_na - noise_na)
        return lowest_ohm > SHORT_OHM + 1 and highest_ohm < LEAD_OFF_OHM - 1
