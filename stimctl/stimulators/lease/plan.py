"""Cuts a program into leases: trains of one steady amplitude that end by themselves within 3 s.

Alternation and ramps come from the succession: each lease is so many whole pulses of one segment, with one amplitude a
channel. A channel rises by no more than the program's slope allows for the time since it last rose, and by at most
100 uA, however often leases are cut. So no train passes from zero to 2.0 mA in under 5 s.

Times are stimulation time: what passes between two leases, with the output at zero, is not part of it.
"""

from collections.abc import Mapping
from typing import NamedTuple

from stimctl import limits
from stimctl.errors import Problem, Unsafe
from stimctl.waveform import Program, Segment, offset_us

RAMP_LEASE_US = 250_000  # a ramp's step: short enough that the slope, not the step, sets the time [choice]


class LeaseLevel(NamedTuple):
    """The amplitude of one channel in a lease, and how far its pulses lie behind the lease's grid."""

    channel: int
    amplitude_ua: int
    delay_us: int


class Lease(NamedTuple):
    """One train: whole pulses of one segment at one amplitude a channel. No level: silence for as long.

    `ramp_ua` is where each channel's ramp stands in it: its amplitude before that is made a whole number of quanta.
    """

    segment: int
    shape: Segment
    levels: tuple[LeaseLevel, ...]
    pulses: int
    begins_us: int
    lasts_us: int
    ramp_ua: tuple[tuple[int, int], ...] = ()

    @property
    def silent(self) -> bool:
        return not self.levels

    @property
    def train_us(self) -> int:
        """How long its whole periods last."""
        return self.pulses * self.shape.period_us

    @property
    def delay_us(self) -> int:
        """How far into a period its last channel's pulse begins."""
        return max((level.delay_us for level in self.levels), default=0)

    def level_ua(self, channel: int) -> int:
        """The amplitude of a channel; 0 where it gives none."""
        return next((level.amplitude_ua for level in self.levels if level.channel == channel), 0)


def check_program(program: Program) -> None:
    """Raise `Unsafe` for a program whose bands cannot be cut into whole periods."""
    problems = [
        Problem(
            f"segment {number} dwell_us",
            segment.dwell_us,
            f"must be a whole number of its periods of {segment.period_us} us on a device that is driven by leases: "
            f"it would become {segment.dwell_us - segment.dwell_us % segment.period_us} us",
        )
        for number, segment in enumerate(program.segments, start=1)
        if segment.dwell_us % segment.period_us
    ]
    if problems:
        raise Unsafe(problems)


class LeasePlan:
    """Where one run of a program stands, and which lease comes next. A run begins from zero."""

    def __init__(self, program: Program, run_start_us: int) -> None:
        self.program = program
        self.at_us = run_start_us
        self.ramp_ua = dict.fromkeys(program.channels, 0)
        self._risen_us: dict[int, int] = {}
        self._band = 0
        self._band_begin_us = run_start_us
        first_us = offset_us(min(program.channels))
        self._delays_us = {channel: offset_us(channel) - first_us for channel in program.channels}
        self._reach_us = max(self._delays_us.values())

    @property
    def fade_us(self) -> int:
        """When the fall to the timer's end begins."""
        return self.program.stimulation_us - self.program.ramp_down_us

    @property
    def band(self) -> int:
        return self._band_now()[0]

    def reached(self, targets_ua: Mapping[int, int]) -> bool:
        return all(level_ua >= targets_ua.get(channel, 0) for channel, level_ua in self.ramp_ua.items())

    def next(self, targets_ua: Mapping[int, int]) -> Lease | None:
        """The lease that comes next towards these targets, or None at the end. Nothing moves on."""
        program, at_us = self.program, self.at_us
        if at_us >= program.stimulation_us:
            return None
        band, begin_us = self._band_now()
        shape = program.segments[band]
        end_us = program.stimulation_us
        if shape.dwell_us:
            end_us = min(end_us, begin_us + shape.dwell_us)
        whole = (end_us - at_us - self._reach_us - shape.span_us) // shape.period_us + 1
        if whole < 1:
            return Lease(band, shape, (), 0, at_us, end_us - at_us)
        pulses = min(whole, self._most_pulses(shape, targets_ua))
        ramp_ua = self._ramp_ua(shape, pulses, targets_ua)
        quantum_ua = program.quantum_ua
        given = tuple(
            LeaseLevel(channel, ua - ua % quantum_ua, self._delays_us[channel])
            for channel, ua in sorted(ramp_ua.items())
            if ua >= quantum_ua
        )
        lasts_us = min(pulses * shape.period_us, end_us - at_us)
        return Lease(band, shape, given, pulses, at_us, lasts_us, tuple(ramp_ua.items()))

    def took(self, lease: Lease, pulses: int | None = None) -> None:
        """`lease` was given, or its first `pulses`: the run stands after it, on the grid of whole periods."""
        risen = [channel for channel, level_ua in lease.ramp_ua if level_ua > self.ramp_ua[channel]]
        self._risen_us = {**self._risen_us, **dict.fromkeys(risen, lease.begins_us)}
        self.ramp_ua = {**self.ramp_ua, **dict(lease.ramp_ua)}
        self._band, self._band_begin_us = self._band_now()
        lasts_us = lease.lasts_us
        if pulses is not None:
            lasts_us = min(lasts_us, pulses * lease.shape.period_us)
        self.at_us = lease.begins_us + lasts_us

    def _band_now(self) -> tuple[int, int]:
        """The segment at this moment, and when it began."""
        if len(self.program.segments) == 1:
            return 0, self._band_begin_us
        band, begin_us = self._band, self._band_begin_us
        while self.at_us >= begin_us + self.program.segments[band].dwell_us:
            begin_us += self.program.segments[band].dwell_us
            band = 1 - band
        return band, begin_us

    def _most_pulses(self, shape: Segment, targets_ua: Mapping[int, int]) -> int:
        """How many pulses of one amplitude may follow each other here."""
        highest_ua = max((targets_ua.get(channel, 0) for channel in self.ramp_ua), default=0)
        if self.at_us < self.fade_us:
            before_fade = -(-(self.fade_us - self.at_us) // shape.period_us)
            most_us = limits.LEASE_US if highest_ua and self.reached(targets_ua) else RAMP_LEASE_US
            return max(1, min(before_fade, most_us // shape.period_us))
        step_us = limits.RAISE_STEP_UA * self.program.ramp_down_us // highest_ua if highest_ua else RAMP_LEASE_US
        return max(1, min(RAMP_LEASE_US, step_us) // shape.period_us)

    def _ramp_ua(self, shape: Segment, pulses: int, targets_ua: Mapping[int, int]) -> dict[int, int]:
        """Where each channel's ramp stands in a lease of so many pulses from here."""
        lasts_us = pulses * shape.period_us
        last_us = self.at_us + lasts_us - shape.period_us
        if last_us >= self.fade_us:
            last_us += self._reach_us
        return {
            channel: min(self._aim(targets_ua.get(channel, 0), last_us), level_ua + self._step_ua(channel, lasts_us))
            for channel, level_ua in self.ramp_ua.items()
        }

    def _step_ua(self, channel: int, lasts_us: int) -> int:
        """How far a channel may rise: for the time since it last rose; the first time for what its lease lasts."""
        risen_us = self._risen_us.get(channel)
        since_us = lasts_us if risen_us is None else self.at_us - risen_us
        return min(self.program.step_cap_ua, limits.ramp_ua(self.program.ramp_slope_ua_per_s, since_us))

    def _aim(self, target_ua: int, t_us: int) -> int:
        if t_us < self.fade_us or not self.program.ramp_down_us:
            return target_ua
        return min(target_ua, target_ua * max(0, self.program.stimulation_us - t_us) // self.program.ramp_down_us)
