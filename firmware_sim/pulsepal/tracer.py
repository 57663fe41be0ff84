"""Turns the steps of a voltage output into pulses and held levels behind an isolator.

Pulses that are alike and keep their period are handed on together.
"""

from firmware_sim.analog.analog_output import AnalogOutput, Stage


class OutputTracer:
    """One channel's output. Currents in nA, device time in us."""

    def __init__(self, analog_output: AnalogOutput) -> None:
        self._analog_output = analog_output
        self.level_na = 0
        self.in_pulse = False
        self._since_us = 0
        self._begun_us = 0
        self._stages: list[Stage] = []
        self._run: tuple[int, int, int, tuple[Stage, ...]] | None = None  # first, period, count, stages

    def change(self, at_us: int, level_na: int, *, in_pulse: bool, onset: bool = False) -> None:
        """From `at_us` on the level is this; `onset` begins a pulse, the end of `in_pulse` ends it."""
        if self.in_pulse:
            self._stages.append(Stage(self.level_na, at_us - self._since_us))
            if onset or not in_pulse:
                self._finish()
        if in_pulse and (onset or not self.in_pulse):
            self._begun_us = at_us
            if self.level_na and not self.in_pulse:
                self._flush()
                self._analog_output.hold(None, at_us)
        if not in_pulse and (level_na or (self.level_na and not self.in_pulse)):
            self._flush()
            self._analog_output.hold(Stage(level_na, 0), at_us)
        self.level_na, self.in_pulse, self._since_us = level_na, in_pulse, at_us

    def run(self, first_us: int, period_us: int, count: int, stages: tuple[Stage, ...]) -> None:
        """The same for whole pulses that follow each other, between them nothing."""
        if self._run is not None:
            begun_us, before_us, done, before = self._run
            alike = before == stages and (done == 1 or before_us == period_us)
            if alike and first_us == begun_us + done * period_us:
                self._run = (begun_us, period_us, done + count, stages)
                return
            self._flush()
        self._run = (first_us, period_us, count, stages)

    def settle(self, now_us: int) -> None:
        """Hand on what has ended by now."""
        self._flush()
        self._analog_output.settle(now_us)

    def _finish(self) -> None:
        stages = tuple(stage for stage in self._stages if stage.us > 0)
        self._stages = []
        if not stages:
            return
        if self._run is not None:
            first_us, period_us, count, before = self._run
            since_us = self._begun_us - first_us
            if before == stages and (count == 1 or since_us == count * period_us):
                self._run = (first_us, period_us if count > 1 else since_us, count + 1, stages)
                return
            self._flush()
        self._run = (self._begun_us, 1, 1, stages)

    def _flush(self) -> None:
        if self._run is not None:
            run, self._run = self._run, None
            self._analog_output.pulses(*run)
