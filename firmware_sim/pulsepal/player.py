"""One PulsePal channel's pulse train: a state machine that compares times for equality, cycle by cycle.

Because it asks whether a time is now, a time that is set to now, or behind, is never met: that is why a first
phase of zero is DC until the train's end. Only the cycles at which something can happen are visited. Times are
us of device time, on the grid of 50 us cycles.
"""

from firmware_sim.analog.analog_output import Stage
from firmware_sim.analog.load_changes import NEVER_US
from firmware_sim.pulsepal.custom import CustomTrain, mirrored
from firmware_sim.pulsepal.params import CYCLE_US, ZERO_CODE, ChannelParams
from firmware_sim.pulsepal.tracer import OutputTracer

IDLE, FIRST, BETWEEN, SECOND = range(4)


class TrainPlayer:
    """Channel `number`, from 0. `faults` are the device's."""

    def __init__(self, channel: ChannelParams, trains: list[CustomTrain], tracer: OutputTracer, na_per_code: float,
                 faults: frozenset[str]) -> None:  # fmt: skip
        self.params = channel
        self.waiting = self.playing = False
        self.pending = False  # a soft trigger that waits for the channel to be idle
        self.pulses = 0
        self._trains = trains
        self._tracer = tracer
        self._na_per_code = na_per_code
        self._faults = faults
        self._code = channel.rest
        self._wait_us = self._pulse_us = self._burst_us = self.end_us = -1
        self._start_us = 0
        self._phase = IDLE
        self._in_burst = True
        self._index = 0
        self._onset = False

    @property
    def idle(self) -> bool:
        """Neither playing nor waiting for its delay."""
        return not (self.playing or self.waiting)

    def due_us(self, after_us: int) -> int:
        """The first time after `after_us` at which something can happen by itself."""
        if self.waiting:
            return self._wait_us if self._wait_us > after_us else NEVER_US
        if not self.playing:
            return NEVER_US
        times = (self._pulse_us, self._burst_us if self.params.uses_bursts else -1, self.end_us)
        return min((at_us for at_us in times if at_us > after_us), default=NEVER_US)

    def turn_us(self, after_us: int) -> int:
        """When its train next begins or ends."""
        turn_us = self._wait_us if self.waiting else self.end_us if self.playing else -1
        return turn_us if turn_us > after_us else NEVER_US

    def shift(self, by_us: int) -> None:
        """The device's cycles stood still for so long."""
        self._wait_us += by_us
        self._pulse_us += by_us
        self._burst_us += by_us
        self.end_us += by_us
        self._start_us += by_us

    def leap(self, after_us: int, until_us: int) -> None:
        """Play those whole pulses, interval and all, that end by then, all at once: nothing happens between them."""
        between = self.playing and self._in_burst and self._phase == IDLE and self._pulse_us > after_us
        codes = self.params.like_pulses() if between else ()
        if not codes:
            return
        period_us = (sum(cycles for _, cycles in codes) + self.params.interpulse) * CYCLE_US
        last_us = until_us if self.params.loop else min(until_us, self.end_us)
        count = (last_us - self._pulse_us) // period_us
        if count < 1:
            return
        stages = tuple(Stage(self._na_of(code), cycles * CYCLE_US) for code, cycles in codes if cycles)
        self._tracer.run(self._pulse_us, period_us, count, stages)
        self.pulses += count
        self._pulse_us += count * period_us

    # --- orders ----------------------------------------------------------------------------------

    def start(self, at_us: int) -> None:
        """Start a train at a cycle, as a trigger does."""
        self.waiting, self._in_burst, self._phase = True, True, IDLE
        self._wait_us = at_us + self.params.delay * CYCLE_US
        if self._wait_us == at_us:
            self.step(at_us)

    def kill(self, at_us: int) -> None:
        """The train is over, wherever it is."""
        self.waiting = self.playing = self._in_burst = False
        self._phase, self._index = IDLE, 0
        self.set_code(self.params.rest, at_us)

    def set_code(self, code: int, at_us: int) -> None:
        self._code = code
        self._trace(at_us)

    def freeze(self, at_us: int) -> None:
        """Nothing steps any more: the level stays."""
        self._phase = IDLE
        self.waiting = self.playing = False
        self._trace(at_us)

    # --- a cycle ---------------------------------------------------------------------------------

    def step(self, now_us: int) -> None:
        """What the timer's handler does with this channel in the cycle at `now_us`."""
        self._onset = False
        if self.waiting and now_us == self._wait_us:
            self._begin(now_us)
        if self.playing:
            if self._in_burst and now_us == self._pulse_us:
                (self._idle, self._first, self._between, self._second)[self._phase](now_us)
            if self.playing and self.params.uses_bursts and now_us == self._burst_us:
                self._turn_burst(now_us)
            ends = self.params.custom_id == 0 or self.params.custom_loop == 1
            if self.playing and now_us == self.end_us and ends and not self.params.loop:
                self._stop()
        self._trace(now_us)

    @property
    def _custom(self) -> CustomTrain:
        return self._trains[(self.params.custom_id - 1) % len(self._trains)]

    @property
    def _by_pulses(self) -> bool:
        return self.params.custom_id > 0 and self.params.custom_target == 0

    def _begin(self, now_us: int) -> None:
        params = self.params
        self.waiting, self.playing, self._phase = False, True, IDLE
        self._start_us, self.end_us = now_us, now_us + params.train * CYCLE_US
        self._in_burst = params.custom_target != 1
        self._burst_us = now_us + (params.burst if self._in_burst else self._custom.times[0]) * CYCLE_US
        if params.custom_id == 0:
            self._pulse_us = now_us
        else:
            self._pulse_us = now_us + self._custom.times[0] * CYCLE_US
            self._index = 0

    def _stop(self) -> None:
        self.playing = self._in_burst = False
        self._phase, self._index, self._code = IDLE, 0, self.params.rest

    def _idle(self, now_us: int) -> None:
        """The next pulse may begin."""
        if self._by_pulses:
            self._custom_onset(now_us)
            return
        params = self.params
        if params.phase1 == 0 and "zero_phase_dc" not in self._faults:
            self._pulse_us = now_us + max(1, params.interpulse) * CYCLE_US
            return
        if not self._fits(now_us):
            self._pulse_us = now_us + params.phase1 * CYCLE_US
            return
        self._pulse_us = now_us + params.phase1 * CYCLE_US
        self._go(self._custom.codes[self._index] if params.custom_id else params.volt1)

    def _fits(self, now_us: int) -> bool:
        """Whether a pulse can begin now: one that the burst's end would cut in its first phase cannot."""
        params = self.params
        bound_us = self._burst_us if self.params.uses_bursts else NEVER_US
        if "cut_end" in self._faults:
            return now_us + params.phase1 * CYCLE_US < bound_us
        span = params.phase1 + (params.interphase + params.phase2 if params.biphasic else 0)
        end_us = NEVER_US if params.loop else self.end_us
        return now_us + span * CYCLE_US <= min(bound_us, end_us)

    def _go(self, code: int) -> None:
        self._phase, self._code, self._onset = FIRST, code, True
        self.pulses += 1

    def _custom_onset(self, now_us: int) -> None:
        params, train = self.params, self._custom
        if params.custom_loop == 1 and self._index == train.count:
            self._index, self._start_us = 0, now_us
        code = train.codes[self._index]
        if self._index < train.count and train.gap(self._index) <= params.phase1:
            # It runs into the next one: a sample of a waveform.
            self._pulse_us = self._start_us + train.times[self._index + 1] * CYCLE_US
            self._code, self._onset = code, True
        else:
            self._pulse_us = now_us + params.phase1 * CYCLE_US
            self._go(code)
        if not params.biphasic:
            self._index += 1
        if self._index > train.count:
            self._index = 0
            if not params.custom_loop:
                self._stop()

    def _first(self, now_us: int) -> None:
        """The first phase ends."""
        params = self.params
        if not params.biphasic:
            self._rest_or_loop(now_us)
        elif params.interphase == 0:
            self._reverse(now_us)
        else:
            self._pulse_us = now_us + params.interphase * CYCLE_US
            self._phase, self._code = BETWEEN, params.rest

    def _between(self, now_us: int) -> None:
        """The gap between the phases ends."""
        self._reverse(now_us)

    def _reverse(self, now_us: int) -> None:
        params = self.params
        self._pulse_us = now_us + params.phase2 * CYCLE_US
        self._phase = SECOND
        if params.custom_id == 0:
            self._code = params.volt2
            return
        self._code = mirrored(self._custom.codes[self._index])
        if self._by_pulses:
            self._index += 1

    def _rest_or_loop(self, now_us: int) -> None:
        """A pulse of one phase is over."""
        params, train = self.params, self._custom
        self._pulse_us = now_us + params.interpulse * CYCLE_US
        if self._by_pulses:
            self._pulse_us = self._start_us + train.times[self._index] * CYCLE_US
            if self._index == train.count:
                self._again(now_us)
                return
        self._phase, self._code = IDLE, params.rest

    def _again(self, now_us: int) -> None:
        """A custom train of one phase has played its last pulse."""
        train = self._custom
        if self.params.custom_loop != 1:
            self._stop()
            return
        self._start_us = now_us
        self._go(train.codes[0])
        if train.gap(0) <= self.params.phase1:
            self._phase = IDLE
        self._pulse_us = now_us + self.params.phase1 * CYCLE_US
        self._index = 1

    def _second(self, now_us: int) -> None:
        """The second phase ends."""
        params, train = self.params, self._custom
        self._pulse_us = now_us + params.interpulse * CYCLE_US
        if self._by_pulses:
            self._pulse_us = self._start_us + train.times[self._index] * CYCLE_US
            if self._index == train.count and not self._loops_biphasic(now_us):
                self._stop()
                return
        if params.custom_id == 0 and params.interpulse == 0:
            self._pulse_us = now_us + params.phase1 * CYCLE_US
            self._go(params.volt1)
            return
        self._phase, self._code = IDLE, params.rest

    def _loops_biphasic(self, now_us: int) -> bool:
        """As it ought to: the real one ends, whatever its loop says."""
        if "no_biphasic_loop" in self._faults or self.params.custom_loop != 1:
            return False
        self._index, self._start_us = 0, now_us
        self._pulse_us = now_us + max(1, self._custom.times[0]) * CYCLE_US
        return True

    def _turn_burst(self, now_us: int) -> None:
        """A burst ends, or the next begins."""
        params, train = self.params, self._custom
        if not self._in_burst:
            self._burst_us = now_us + params.burst * CYCLE_US
            self._pulse_us = now_us + params.phase1 * CYCLE_US
            self._go(train.codes[self._index] if params.custom_id else params.volt1)
            self._in_burst = True
            return
        self._in_burst, self._phase, self._code = False, IDLE, params.rest
        if params.custom_id == 0:
            self._pulse_us = self._burst_us = now_us + params.burst_gap * CYCLE_US
        elif params.custom_target == 1:
            self._index += 1
            if self._index >= train.count:
                self._stop()
                return
            self._pulse_us = self._burst_us = self._start_us + train.times[self._index] * CYCLE_US

    def _na_of(self, code: int) -> int:
        return round((code - ZERO_CODE) * self._na_per_code)

    def _trace(self, now_us: int) -> None:
        level_na = self._na_of(self._code)
        tracer = self._tracer
        in_pulse = self._phase != IDLE or (self._onset and self.playing)
        if level_na != tracer.level_na or in_pulse != tracer.in_pulse or self._onset:
            tracer.change(now_us, level_na, in_pulse=in_pulse, onset=self._onset and in_pulse)
        self._onset = False
