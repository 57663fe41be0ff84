"""The pattern of a program: one or two segments of balanced pulses, and when the pulses fall.

A pulse is a first phase of +amplitude for `width_us`, a gap, and a second phase of the opposite sign whose
area is the same in integers: as high and as wide, or wider and lower. A segment (band) is such a pulse at a
steady period. Two segments alternate, each for its dwell; a pulse that would not fit whole before the switch
is not begun. Channel n runs (n-1) slots of 2.5 ms behind channel 1, so that no two drive at once.

A `Program` that breaks a limit cannot be constructed.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from math import gcd, lcm

from stimctl import limits
from stimctl.errors import Problem, Unsafe
from stimctl.limits import CHANNEL_SLOT_US, Limit
from stimctl.units import US_PER_S

LOW_PERIOD_US = 500_000  # 2 Hz [source]
HIGH_PERIOD_US = 10_000  # 100 Hz [source]
DWELL_US = 3 * US_PER_S  # each band of 2/100 Hz: 3 s / 3 s (Wang 2005) [lit]
WIDTH_LOW_US = 600  # [choice]
WIDTH_HIGH_US = 200  # [choice]
DEFAULT_SLOPE_UA_PER_S = 200  # from zero to 2.0 mA in 10 s [choice]
DEFAULT_RAMP_DOWN_US = 5 * US_PER_S  # [choice]
CHANNELS = (1, 2, 3, 4)


class Mode(StrEnum):
    """The therapeutic modes, as people call them."""

    LOW = "2 Hz"
    HIGH = "100 Hz"
    DENSE_DISPERSE = "2/100 Hz"


@dataclass(frozen=True, slots=True)
class Segment:
    """One band: a pulse and its period. `dwell_us` is 0 where the band is the only one."""

    period_us: int
    width_us: int
    interphase_gap_us: int
    second_width_us: int
    dwell_us: int

    @property
    def span_us(self) -> int:
        """From the start of a pulse to its end."""
        return self.width_us + self.interphase_gap_us + self.second_width_us

    @property
    def quantum_ua(self) -> int:
        """The smallest amplitude, and step of it, for which the second phase's amplitude is whole."""
        return self.second_width_us // gcd(self.width_us, self.second_width_us)

    def charge_pc(self, amplitude_ua: int) -> int:
        """The first phase's charge, which is the second's too: uA times us is pC exactly."""
        return amplitude_ua * self.width_us

    def second_amplitude_ua(self, amplitude_ua: int) -> int:
        """The second phase's amplitude, exact for a multiple of `quantum_ua`."""
        return amplitude_ua * self.width_us // self.second_width_us


# What the impedance check gives each channel, at the amplitude of one step: R-63 of the protocol; by lease too.
CHECK_SHAPE = Segment(10_000, 200, 0, 200, 0)
CHECK_PULSES = 10
CHECK_US = CHECK_PULSES * CHECK_SHAPE.period_us


@dataclass(frozen=True, slots=True)
class Program:
    """The program of a session: one segment, or two that alternate; 1 to 3 channels; ramps; length in all.

    Raises `Unsafe` naming every limit that is broken, not only the first.
    """

    segments: tuple[Segment, ...]
    channels: tuple[int, ...]
    ramp_slope_ua_per_s: int = DEFAULT_SLOPE_UA_PER_S
    ramp_down_us: int = DEFAULT_RAMP_DOWN_US
    stimulation_us: int = limits.STIMULATION.high

    def __post_init__(self) -> None:
        problems = list(_program_problems(self))
        if problems:
            raise Unsafe(problems)

    @property
    def quantum_ua(self) -> int:
        """Amplitudes are multiples of this, in every segment, so that each pulse balances exactly."""
        return lcm(*[segment.quantum_ua for segment in self.segments])

    @property
    def step_cap_ua(self) -> int:
        """The largest rise between two pulses: 100 uA, or the whole multiple of the quantum below it."""
        return limits.RAISE_STEP_UA - limits.RAISE_STEP_UA % self.quantum_ua

    @property
    def cycle_us(self) -> int:
        """After how long the alternation repeats; 0 with one segment, which never switches."""
        return sum([segment.dwell_us for segment in self.segments])

    def pulses_in_band(self, index: int, channel: int) -> int:
        """How many whole pulses `channel` has in one dwell of segment `index` (two segments)."""
        segment = self.segments[index]
        return (segment.dwell_us - offset_us(channel) - segment.span_us) // segment.period_us + 1

    def bands(self, run_start_us: int, until_us: int) -> Iterator[tuple[int, int, int]]:
        """(segment index, begin, end) of each band that a run beginning at `run_start_us` enters before `until_us`.

        Times are stimulation time; the last band ends where its dwell would, or at `until_us` with one segment.
        """
        begin, index = run_start_us, 0
        while begin < until_us:
            end = begin + self.segments[index].dwell_us if len(self.segments) > 1 else until_us
            yield index, begin, end
            begin, index = end, (index + 1) % len(self.segments)


def offset_us(channel: int) -> int:
    """How far a channel's pulses lie behind channel 1's."""
    return (channel - 1) * CHANNEL_SLOT_US


def segments_for(
    mode: Mode,
    *,
    dwell_low_us: int = DWELL_US,
    dwell_high_us: int = DWELL_US,
    width_low_us: int = WIDTH_LOW_US,
    width_high_us: int = WIDTH_HIGH_US,
    gap_us: int = 0,
    second_ratio_low: int = 1,
    second_ratio_high: int = 1,
    low_first: bool = True,
) -> tuple[Segment, ...]:
    """The segments of a therapeutic mode. A second ratio of n makes the second phase n times as wide, 1/n as high."""
    low = Segment(LOW_PERIOD_US, width_low_us, gap_us, width_low_us * second_ratio_low, 0)
    high = Segment(HIGH_PERIOD_US, width_high_us, gap_us, width_high_us * second_ratio_high, 0)
    if mode is Mode.LOW:
        return (low,)
    if mode is Mode.HIGH:
        return (high,)
    bands = (replace(low, dwell_us=dwell_low_us), replace(high, dwell_us=dwell_high_us))
    return bands if low_first else bands[::-1]


# --- what is wrong with a program --------------------------------------------------------------------


def _program_problems(program: Program) -> Iterator[Problem]:
    if not 1 <= len(program.segments) <= 2:
        yield Problem("segments", len(program.segments), "must be 1 or 2 segments (one band, or two that alternate)")
    yield from _broken("ramp_slope_ua_per_s", program.ramp_slope_ua_per_s, limits.RAMP_SLOPE)
    yield from _broken("ramp_down_us", program.ramp_down_us, limits.RAMP_DOWN)
    yield from _broken("stimulation_us", program.stimulation_us, limits.STIMULATION)
    channel_problems = list(_channel_problems(program.channels))
    yield from channel_problems
    shape_problems: list[Problem] = []
    for number, segment in enumerate(program.segments, start=1):
        shape_problems += _segment_problems(f"segment {number} ", segment, alternates=len(program.segments) > 1)
    yield from shape_problems
    if not shape_problems and program.segments:
        yield from _broken("amplitude_quantum_ua", program.quantum_ua, limits.AMPLITUDE_QUANTUM)
    if not shape_problems and not channel_problems:
        for number, segment in enumerate(program.segments, start=1):
            yield from _fit_problems(f"segment {number} ", segment, program.channels)


def _broken(field: str, value: int, limit: Limit) -> Iterator[Problem]:
    """One problem if `value` is not an int inside `limit`. A float would end exact arithmetic: refused."""
    if not isinstance(value, int) or not limit.allows(value):
        yield Problem(field, value, limit.allowed())


def _channel_problems(channels: tuple[int, ...]) -> Iterator[Problem]:
    if not limits.CHANNELS_AT_ONCE.allows(len(channels)):
        yield Problem("channels", len(channels), limits.CHANNELS_AT_ONCE.allowed())
    for channel in channels:
        if not isinstance(channel, int) or channel not in CHANNELS:
            yield Problem("channels", channel, "channels are numbered 1 to 4")
    if len(set(channels)) < len(channels):
        yield Problem("channels", list(channels), "each channel may be named only once")


def _segment_problems(prefix: str, segment: Segment, *, alternates: bool) -> Iterator[Problem]:
    yield from _broken(f"{prefix}period_us", segment.period_us, limits.PERIOD)
    yield from _broken(f"{prefix}width_us", segment.width_us, limits.WIDTH)
    yield from _broken(f"{prefix}interphase_gap_us", segment.interphase_gap_us, limits.INTERPHASE_GAP)
    yield from _broken(f"{prefix}second_width_us", segment.second_width_us, limits.SECOND_WIDTH)
    if segment.second_width_us < segment.width_us:
        allowed = f"must be at least the first phase's {segment.width_us} us (the second phase is never the higher one)"
        yield Problem(f"{prefix}second_width_us", segment.second_width_us, allowed)
    if alternates:
        yield from _broken(f"{prefix}dwell_us", segment.dwell_us, limits.DWELL)
    elif segment.dwell_us != 0:
        yield Problem(f"{prefix}dwell_us", segment.dwell_us, "must be 0 us (the only band never switches)")


def _fit_problems(prefix: str, segment: Segment, channels: tuple[int, ...]) -> Iterator[Problem]:
    """Room for every channel's pulse. The limits leave enough today; a change of one of them must not."""
    if segment.span_us > CHANNEL_SLOT_US:
        yield Problem(f"{prefix}pulse", segment.span_us, f"must be at most {CHANNEL_SLOT_US} us, a channel's slot")
    end_us = max(offset_us(channel) for channel in channels) + segment.span_us
    if end_us > segment.period_us:
        yield Problem(f"{prefix}period_us", segment.period_us, f"must be at least {end_us} us for its last channel")
    if segment.dwell_us:
        yield from _switch_problems(prefix, segment, channels, end_us)


def _switch_problems(prefix: str, segment: Segment, channels: tuple[int, ...], end_us: int) -> Iterator[Problem]:
    """A whole pulse of every channel in the band, and no two pulses closer than 100 Hz allows at its end."""
    field = f"{prefix}dwell_us"
    if end_us > segment.dwell_us:
        yield Problem(field, segment.dwell_us, f"must be at least {end_us} us: one whole pulse of every channel")
        return
    for channel in channels:
        last_us = (segment.dwell_us - offset_us(channel) - segment.span_us) // segment.period_us * segment.period_us
        if segment.dwell_us - last_us < limits.PERIOD.low:
            allowed = (
                f"leaves {segment.dwell_us - last_us} us from channel {channel}'s last pulse to the next band's first:"
                f" must be at least {limits.PERIOD.low} us (at most 100 Hz); a whole number of periods always fits"
            )
            yield Problem(field, segment.dwell_us, allowed)
            return
