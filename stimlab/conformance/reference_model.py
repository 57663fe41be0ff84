"""A reference model of the pulse rules of section 13: pulse by pulse, in integers, with nothing made fast.

`ReportedSession` takes down what the device said that it applied, and says what it must have counted for it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain, count
from math import gcd, lcm
from typing import NamedTuple

from stimctl.wire.codec import LoadSegment
from stimlab.conformance.programs import WireProgram

CHANNELS = (1, 2, 3, 4)
SLOT_US = 2_500
MOST_RISE_UA = 100


class DuePulse(NamedTuple):
    """A pulse: when it begins (stimulation time), in which segment, and its first phase."""

    at_us: int
    segment: int
    amplitude_ua: int


class ExpectedCounts(NamedTuple):
    """Pulses and charge of first phases, in the order of the wire's Counters."""

    pulses_0: int = 0
    pulses_1: int = 0
    charge_0_pc: int = 0
    charge_1_pc: int = 0


@dataclass(slots=True)
class ReferenceRun:
    """From a start to its end. `targets_ua`: for each channel, from when on which target holds."""

    begin_us: int
    targets_ua: dict[int, list[tuple[int, int]]]
    end_us: int | None = None


@dataclass(slots=True)
class ReportedSession:
    """A session of `program` as the device reported it. Times are stimulation time."""

    program: WireProgram
    limit_us: int
    runs: list[ReferenceRun] = field(default_factory=list)
    _kept: dict[tuple[object, ...], tuple[DuePulse, ...]] = field(default_factory=dict)

    def started(self, targets_ua: Mapping[int, int], at_us: int) -> None:
        """Begin a run."""
        self.runs.append(ReferenceRun(at_us, {channel: [(at_us, target)] for channel, target in targets_ua.items()}))

    def target_set(self, channel: int, target_ua: int, at_us: int) -> None:
        """A channel's pulses from `at_us` on go elsewhere."""
        self.runs[-1].targets_ua[channel].append((at_us, target_ua))

    def over(self, at_us: int) -> None:
        """The run ended or is held, if one is on."""
        if self.runs and self.runs[-1].end_us is None:
            self.runs[-1].end_us = at_us

    def pulses(self, channel: int) -> tuple[DuePulse, ...]:
        """All that `channel` must have delivered. Asked again without anything new, it costs nothing."""
        runs = tuple((run.begin_us, run.end_us, tuple(run.targets_ua.get(channel, ()))) for run in self.runs)
        key = (channel, *runs)
        if key not in self._kept:
            every = (pulses_of(self.program, channel, run, self.limit_us) for run in self.runs)
            self._kept[key] = tuple(chain.from_iterable(every))
        return self._kept[key]

    def tally(self, channel: int) -> ExpectedCounts:
        """What `channel` must have counted."""
        pulses, charge_pc = [0, 0], [0, 0]
        for due in self.pulses(channel):
            pulses[due.segment] += 1
            charge_pc[due.segment] += due.amplitude_ua * self.program.segments[due.segment].width_us
        return ExpectedCounts(*pulses, *charge_pc)

    def segments_us(self) -> tuple[int, int]:
        """How long the session was in each segment."""
        first_us = second_us = 0
        for run in self.runs:
            assert run.end_us is not None, "a run that goes on"
            length_us = run.end_us - run.begin_us
            in_second_us = sum(
                max(0, min(begin_us + segment.dwell_us, length_us) - begin_us)
                for begin_us, index, segment in bands_of(self.program, length_us)
                if index == 1
            )
            first_us, second_us = first_us + length_us - in_second_us, second_us + in_second_us
        return first_us, second_us


def span_us(segment: LoadSegment) -> int:
    """From a pulse's start to its end."""
    return segment.width_us + segment.interphase_gap_us + segment.second_width_us


def quantum_ua(program: WireProgram) -> int:
    """The step between amplitudes whose phases have equal areas: R-53."""
    return lcm(*(each.second_width_us // gcd(each.width_us, each.second_width_us) for each in program.segments))


def bands_of(program: WireProgram, until_us: int) -> Iterator[tuple[int, int, LoadSegment]]:
    """R-51: when each band begins (pattern time), its index and its segment."""
    begin_us = 0
    for number in count():
        index = number % len(program.segments)
        if begin_us >= until_us:
            return
        yield begin_us, index, program.segments[index]
        if len(program.segments) == 1:
            return
        begin_us += program.segments[index].dwell_us


def scheduled(program: WireProgram, channel: int, run: ReferenceRun, limit_us: int) -> Iterator[tuple[int, int]]:
    """R-52: stimulation time and segment of each scheduled pulse of a run."""
    end_us = limit_us if run.end_us is None else run.end_us
    for band_us, index, segment in bands_of(program, end_us - run.begin_us):
        for into_us in count((channel - 1) * SLOT_US, segment.period_us):
            at_us = run.begin_us + band_us + into_us
            whole = len(program.segments) == 1 or into_us + span_us(segment) <= segment.dwell_us
            if not whole or at_us >= end_us or at_us + span_us(segment) > limit_us:
                break
            yield at_us, index


def pulses_of(program: WireProgram, channel: int, run: ReferenceRun, limit_us: int) -> Iterator[DuePulse]:
    """R-54 to R-56: the pulses that one channel delivers in one run."""
    changes, quantum = run.targets_ua.get(channel), quantum_ua(program)
    if changes is None:
        return
    slope, fall_us = program.header.ramp_slope_ua_per_s, program.header.ramp_down_us
    level = 0
    previous_us: int | None = None
    for at_us, index in scheduled(program, channel, run, limit_us):
        target = aim = [ua for since_us, ua in changes if since_us <= at_us][-1]
        if at_us >= limit_us - fall_us:
            aim = min(aim, target * (limit_us - at_us) // fall_us)
        passed_us = program.segments[index].period_us if previous_us is None else at_us - previous_us
        step = min(MOST_RISE_UA - MOST_RISE_UA % quantum, slope * passed_us // 1_000_000)
        level = min(aim, level + step) if aim > level else aim
        previous_us = at_us
        if amplitude := level - level % quantum:
            yield DuePulse(at_us, index, amplitude)
