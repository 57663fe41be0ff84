"""The amplitude that a channel will reach, and for how long it stays there: a ramp may be cut short by the timer.

Worked out from the same stretches of pulses that the dose is counted from, so that it cannot say anything else.
"""

from bisect import bisect_left
from typing import NamedTuple

from stimctl.waveform.pattern import Program
from stimctl.waveform.train import Stretch, Train


class Reached(NamedTuple):
    """The largest amplitude of any pulse in uA, when it is first given, and from its first pulse to its last, in us.

    `amplitude_ua` is 0 where no pulse is given; `plateau_us` is 0 where the target is not reached.
    """

    amplitude_ua: int
    at_us: int
    plateau_us: int


def reached(program: Program, channel: int, target_ua: int) -> Reached:
    """What `channel` comes to on its way to `target_ua`, if nobody touches it.

    Raises `Misuse` for a channel that the program has not, `Unsafe` for a target over 2.0 mA.
    """
    train = Train(program, channel)
    train.set_target(target_ua)
    stretches = [each for each in train.stretches(program.stimulation_us) if each.pulses]
    peak_ua = _peak_ua(stretches, program.quantum_ua)
    if not peak_ua:
        return Reached(0, 0, 0)
    at_peak = [times for each in stretches if (times := _times_at(each, peak_ua, program))]
    first_us, last_us = min(first for first, _ in at_peak), max(last for _, last in at_peak)
    whole_ua = target_ua - target_ua % program.quantum_ua
    return Reached(peak_ua, first_us, last_us - first_us if peak_ua == whole_ua else 0)


def highest_ua(train: Train, until_us: int) -> int:
    """The largest amplitude of any pulse that `train` still has to deliver before `until_us`; the train moves on."""
    return _peak_ua([each for each in train.stretches(until_us) if each.pulses], train.program.quantum_ua)


def _peak_ua(stretches: list[Stretch], quantum_ua: int) -> int:
    return max((_amplitude_ua(each, i, quantum_ua) for each in stretches for i in (0, each.pulses - 1)), default=0)


def _amplitude_ua(stretch: Stretch, i: int, quantum_ua: int) -> int:
    level_ua = (stretch.start + i * stretch.step) // stretch.divisor
    return max(0, level_ua - level_ua % quantum_ua)


def _times_at(stretch: Stretch, peak_ua: int, program: Program) -> tuple[int, int] | None:
    """When the first and the last pulse of a stretch have the amplitude that none exceeds; None where none has it."""
    falling, quantum_ua = stretch.step < 0, program.quantum_ua
    order = range(stretch.pulses - 1, -1, -1) if falling else range(stretch.pulses)
    rank = bisect_left(order, peak_ua, key=lambda i: _amplitude_ua(stretch, i, quantum_ua))
    if rank == stretch.pulses:
        return None
    period_us = program.segments[stretch.segment].period_us
    ends = (order[-1], order[rank]) if falling else (order[rank], order[-1])
    first_us, last_us = (stretch.t_us + i * period_us for i in ends)
    return first_us, last_us + (stretch.cycles - 1) * program.cycle_us
