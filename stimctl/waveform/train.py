"""The pulses of one channel in one run: each with its time and amplitude, and the exact sum of their charge.

A run begins at a start, from zero, and lasts until a hold or an end. Within it the amplitude rises towards the
target by the ramp's slope and by at most 100 uA a pulse, falls at once, and fades to zero before the timer ends.

Amplitudes are integers, so a stretch of pulses is summed in closed form: steady, rising and fading ones alike.
Half an hour costs well under a millisecond and gives the same picocoulombs as counting pulse by pulse.
"""

from collections.abc import Iterator
from typing import NamedTuple, Self

from stimctl import limits
from stimctl.errors import Misuse, Problem, Unsafe
from stimctl.waveform.pattern import Program, offset_us


class Pulse(NamedTuple):
    """One delivered pulse: when it begins (stimulation time), its segment, its first phase's amplitude."""

    t_us: int
    segment: int
    amplitude_ua: int


class Stretch(NamedTuple):
    """Pulses of one segment, one period apart, the first at `t_us` (stimulation time).

    Pulse i has the level (start + i * step) // divisor in uA, and the multiple of the program's quantum below it as
    its amplitude, which may be 0. All of it comes `cycles` times, one cycle of the alternation apart.
    """

    t_us: int
    segment: int
    pulses: int
    start: int
    step: int = 0
    divisor: int = 1
    cycles: int = 1


class Train:
    """One channel of one run. `advance` delivers; `pulses` and `charge_pc`, by segment, say what came of it.

    With `flat` there are no ramps: every pulse has the target's amplitude, as a dose table assumes.
    Raises `Misuse` for a channel that the program has not.
    """

    __slots__ = (
        "_band", "_begin_us", "_fade_us", "_flat", "_k", "_last_us", "_offset_us", "_quantum_ua", "_target_ua",
        "channel", "charge_pc", "level_ua", "program", "pulses",
    )  # fmt: skip

    def __init__(self, program: Program, channel: int, run_start_us: int = 0, *, flat: bool = False) -> None:
        check_channel(program, channel)
        if run_start_us < 0:
            raise Misuse(f"a run cannot begin at {run_start_us} us, before the session")
        self.program = program
        self.channel = channel
        self.level_ua = 0
        self.pulses = [0, 0]
        self.charge_pc = [0, 0]
        self._flat = flat
        self._quantum_ua = program.quantum_ua
        self._target_ua = 0
        self._offset_us = offset_us(channel)
        self._band = 0
        self._begin_us = run_start_us
        self._k = 0
        self._last_us: int | None = None
        self._fade_us = program.stimulation_us - (0 if flat else program.ramp_down_us)

    @property
    def target_ua(self) -> int:
        """The amplitude that the ramp aims at."""
        return self._target_ua

    def set_target(self, target_ua: int) -> None:
        """Use `target_ua` for every pulse not yet delivered. Raises `Unsafe` above 2.0 mA."""
        check_target(target_ua)
        self._target_ua = target_ua

    def copy(self) -> Self:
        """A train at the same place that goes its own way from here."""
        other = type(self).__new__(type(self))
        for name in self.__slots__:
            value = getattr(self, name)
            setattr(other, name, list(value) if isinstance(value, list) else value)
        return other

    def advance(self, until_us: int) -> None:
        """Deliver every pulse that begins before `until_us` (stimulation time) and has not been delivered."""
        while True:
            self._skip_cycles(until_us)
            end_k = self._scheduled(until_us)
            while self._k < end_k:
                self._deliver(end_k)
            if not self._switch(until_us):
                return

    def walk(self, until_us: int) -> Iterator[Pulse]:
        """As `advance`, one pulse at a time."""
        while True:
            end_k = self._scheduled(until_us)
            while self._k < end_k:
                t_us = self._pulse_us(self._k)
                amplitude_ua = self._deliver_one()
                if amplitude_ua:
                    yield Pulse(t_us, self._band, amplitude_ua)
            if not self._switch(until_us):
                return

    def stretches(self, until_us: int) -> Iterator[Stretch]:
        """As `advance`, as many pulses at a time as one formula holds for."""
        while True:
            yield from self._skipped(until_us)
            end_k = self._scheduled(until_us)
            while self._k < end_k:
                k, level_ua = self._k, self.level_ua
                self._deliver(end_k)
                yield self._since(k, level_ua)
            if not self._switch(until_us):
                return

    # --- where in the pattern ---

    def _pulse_us(self, k: int) -> int:
        return self._begin_us + self._offset_us + k * self.program.segments[self._band].period_us

    def _scheduled(self, until_us: int) -> int:
        """How many pulses of this band begin before `until_us` and are whole before its end and the timer's."""
        segment = self.program.segments[self._band]
        first_us = self._pulse_us(0)
        end_us = self.program.stimulation_us
        if segment.dwell_us:
            end_us = min(end_us, self._begin_us + segment.dwell_us)
        whole = (end_us - first_us - segment.span_us) // segment.period_us + 1
        begun = (until_us - first_us - 1) // segment.period_us + 1
        return max(0, min(whole, begun))

    def _switch(self, until_us: int) -> bool:
        """Go to the next band if this one is over before `until_us`."""
        dwell_us = self.program.segments[self._band].dwell_us
        end_us = self._begin_us + dwell_us
        if not dwell_us or end_us >= min(until_us, self.program.stimulation_us):
            return False
        self._begin_us = end_us
        self._band = 1 - self._band
        self._k = 0
        return True

    def _skip_cycles(self, until_us: int) -> None:
        """Count all whole cycles of a level that stays as it is, at once."""
        cycle_us = self.program.cycle_us
        if not cycle_us or self._band or self._k or not (self._flat or self.level_ua >= self._target_ua):
            return
        # One cycle is left for `advance`, which then knows when the last pulse was.
        cycles = (min(until_us, self._fade_us) - self._begin_us) // cycle_us - 1
        if cycles > 0:
            self.level_ua = self._target_ua
            for index in (0, 1):
                count = cycles * self.program.pulses_in_band(index, self.channel)
                self._count_steady(index, count)
            self._begin_us += cycles * cycle_us

    def _skipped(self, until_us: int) -> Iterator[Stretch]:
        """The bands of the cycles that `_skip_cycles` counts at once."""
        begin_us = self._begin_us
        self._skip_cycles(until_us)
        if self._begin_us > begin_us:
            cycles = (self._begin_us - begin_us) // self.program.cycle_us
            for index, band_us in ((0, begin_us), (1, begin_us + self.program.segments[0].dwell_us)):
                count = self.program.pulses_in_band(index, self.channel)
                yield Stretch(band_us + self._offset_us, index, count, self.level_ua, cycles=cycles)

    # --- amplitudes ---

    def _deliver(self, end_k: int) -> None:
        """Deliver pulses of this band up to `end_k`, as many at once as one formula holds for."""
        t_us = self._pulse_us(self._k)
        if self._flat:
            self.level_ua = self._target_ua
            self._steady(end_k)
        elif t_us >= self._fade_us:
            if self._aim(t_us) > self.level_ua:
                self._deliver_one()
            else:
                self._fade(end_k)
        else:
            period_us = self.program.segments[self._band].period_us
            end_k = min(end_k, self._k + (self._fade_us - t_us - 1) // period_us + 1)
            if self.level_ua < self._target_ua and self._k == 0:
                self._deliver_one()  # the last pulse was not one period ago
            elif self.level_ua < self._target_ua:
                self._rise(end_k)
            else:
                self.level_ua = self._target_ua
                self._steady(end_k)

    def _since(self, k: int, level_ua: int) -> Stretch:
        """What one `_deliver` delivered: pulses of this band from `k` on, when the level was `level_ua` before."""
        t_us, count = self._pulse_us(k), self._k - k
        if count > 1 and t_us >= self._fade_us:
            start = self._target_ua * (self.program.stimulation_us - t_us)
            step = -self._target_ua * self.program.segments[self._band].period_us
            return Stretch(t_us, self._band, count, start, step, self.program.ramp_down_us)
        if count > 1 and not self._flat and level_ua < self._target_ua:
            step = (self.level_ua - level_ua) // count
            return Stretch(t_us, self._band, count, level_ua + step, step)
        return Stretch(t_us, self._band, count, self.level_ua)

    def _aim(self, t_us: int) -> int:
        if t_us < self._fade_us:
            return self._target_ua
        left_us = self.program.stimulation_us - t_us
        return min(self._target_ua, self._target_ua * left_us // self.program.ramp_down_us)

    def _step(self, since_us: int) -> int:
        return min(self.program.step_cap_ua, limits.ramp_ua(self.program.ramp_slope_ua_per_s, since_us))

    def _deliver_one(self) -> int:
        """The rule itself, for one scheduled pulse. Returns its amplitude; 0 means that none was delivered."""
        t_us = self._pulse_us(self._k)
        if self._flat:
            self.level_ua = self._target_ua
        else:
            aim_ua = self._aim(t_us)
            period_us = self.program.segments[self._band].period_us
            since_us = period_us if self._last_us is None else t_us - self._last_us
            rising = aim_ua > self.level_ua
            self.level_ua = min(aim_ua, self.level_ua + self._step(since_us)) if rising else aim_ua
        amplitude_ua = self.level_ua - self.level_ua % self._quantum_ua
        self._count(self._band, 1 if amplitude_ua else 0, amplitude_ua)
        self._passed(1)
        return amplitude_ua

    def _steady(self, end_k: int) -> None:
        self._count_steady(self._band, end_k - self._k)
        self._passed(end_k - self._k)

    def _count_steady(self, segment: int, count: int) -> None:
        amplitude_ua = self.level_ua - self.level_ua % self._quantum_ua
        self._count(segment, count if amplitude_ua else 0, count * amplitude_ua)

    def _rise(self, end_k: int) -> None:
        """Pulses one period apart, each a step higher, up to the one that reaches the target."""
        quantum_ua = self._quantum_ua
        step_ua = self._step(self.program.segments[self._band].period_us)
        # The pulse that reaches the target may be clipped by it: the formula ends before that one.
        full = (self._target_ua - self.level_ua - 1) // step_ua
        count = min(end_k - self._k, full)
        if count == 0:
            self._deliver_one()
            return
        first_ua = self.level_ua + step_ua
        silent = max(0, min(count, -((first_ua - quantum_ua) // step_ua)))
        self._count(self._band, count - silent, quantum_ua * floor_sum(count, quantum_ua, step_ua, first_ua))
        self.level_ua += count * step_ua
        self._passed(count)

    def _fade(self, end_k: int) -> None:
        """Pulses one period apart in the fall to the timer's end, summed from the last one backwards."""
        program = self.program
        count = end_k - self._k
        whole = program.ramp_down_us * self._quantum_ua
        last = self._target_ua * (program.stimulation_us - self._pulse_us(end_k - 1))
        rise = self._target_ua * program.segments[self._band].period_us
        silent = count if rise == 0 else max(0, min(count, -((last - whole) // rise)))
        self._count(self._band, count - silent, self._quantum_ua * floor_sum(count, whole, rise, last))
        self.level_ua = last // program.ramp_down_us
        self._passed(count)

    def _count(self, segment: int, pulses: int, sum_ua: int) -> None:
        self.pulses[segment] += pulses
        self.charge_pc[segment] += self.program.segments[segment].charge_pc(sum_ua)

    def _passed(self, count: int) -> None:
        self._k += count
        self._last_us = self._pulse_us(self._k - 1)


def check_channel(program: Program, channel: int) -> None:
    """Raise `Misuse` unless the program drives `channel`."""
    if channel not in program.channels:
        raise Misuse(f"channel {channel} is not in the program, which has {list(program.channels)}")


def check_target(target_ua: int) -> None:
    """Raise `Unsafe` unless an amplitude is whole and 0 to 2.0 mA; the session's own ceiling is held elsewhere."""
    if not isinstance(target_ua, int) or not 0 <= target_ua <= limits.CEILING.high:
        allowed = f"must be 0 to {limits.CEILING.high} ua ({limits.CEILING.why})"
        raise Unsafe([Problem("amplitude_ua", target_ua, allowed)])


def pulses(
    program: Program,
    channel: int,
    target_ua: int,
    *,
    run_start_us: int = 0,
    until_us: int | None = None,
    flat: bool = False,
) -> Iterator[Pulse]:
    """Every pulse of one run at one target, in order; `until_us` defaults to the program's end."""
    train = Train(program, channel, run_start_us, flat=flat)
    train.set_target(target_ua)
    yield from train.walk(program.stimulation_us if until_us is None else until_us)


def floor_sum(count: int, divisor: int, step: int, start: int) -> int:
    """The sum of (start + i * step) // divisor for i from 0 to count - 1, without a loop over i.

    None may be negative. Whole parts are summed as a series; what is left over is the same problem with divisor
    and step exchanged (a lattice count), so the number of rounds is that of Euclid's algorithm.
    """
    total = 0
    while count > 0:
        total += count * (count - 1) // 2 * (step // divisor) + count * (start // divisor)
        step, start = step % divisor, start % divisor
        top = step * count + start
        if top < divisor:
            break
        count, start, divisor, step = top // divisor, top % divisor, step, divisor
    return total
