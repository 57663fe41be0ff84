"""Records the current in the load in the world's time, over resets and whatever the device's clock does.

A recorder that is given to a bare device gets device times. Here each device has a recorder of its own that maps them.
A level that is held while nothing is delivered, by a stuck switch or a device that stands still, flows in the load as
well: the device itself would not report it.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

from firmware_sim.analog.converter import COMPLIANCE_MV
from firmware_sim.analog.needle_pair import NeedlePair, PhaseResponse
from firmware_sim.analog.recorder import Flow, FlowKind, PulseShape, Recorder
from firmware_sim.faults.clock import WarpedClock
from firmware_sim.faults.loads import HostileWorldLoad

_RAIL_VOLT = COMPLIANCE_MV / 1_000
_FIRST_US = 1_000  # the first piece of a level in the record


class WorldTimeRecorder(Recorder):
    """The recorder of one device, which passes its currents on to the world's `recorder` by `clock`."""

    def __init__(self, recorder: Recorder, clock: WarpedClock) -> None:
        super().__init__()
        self._recorder = recorder
        self._clock = clock

    def listen(self, flush: Callable[[], None]) -> None:
        self._recorder.listen(flush)

    def add(self, channel: int, flow: Flow) -> None:
        """The same in the world's time: by a clock that is wrong pulses last longer or shorter, too."""
        clock = self._clock
        if not clock.warped:
            at_us = clock.was(flow.first_us)
            self._recorder.add(channel, flow if at_us == flow.first_us else replace(flow, first_us=at_us))
            return
        period_us, shape = clock.stretched(flow.period_us), _stretched(flow.shape, clock)
        slower = 1_000_000 / clock.rate if clock.rate else 1.0
        first, second = (None if curve is None else curve.slowed(slower) for curve in flow.curves)
        for number in range(flow.count):
            at_us = clock.was(flow.first_us + number * flow.period_us)
            self._recorder.add(channel, Flow(at_us, period_us, 1, shape, flow.kind, (first, second)))


def _stretched(shape: PulseShape, clock: WarpedClock) -> PulseShape:
    """Widths in the world. Both phases come from one clock: what was equal stays equal."""
    width_us = clock.stretched(shape.width_us)
    second_us = clock.stretched(shape.second_width_us)
    if shape.width_us and shape.second_width_us % shape.width_us == 0:
        second_us = width_us * (shape.second_width_us // shape.width_us)
    return PulseShape(shape.first_na, width_us, clock.stretched(shape.gap_us), shape.second_na, second_us)


class HeldLevel(NamedTuple):
    """A level that is held on a channel: since when, and the interfaces' voltage there."""

    level_na: int
    at_us: int
    cap_volt: float


class HeldLevels:
    """The levels that are held in the load, each channel's from when it began, as far as the supply can drive them.

    A level charges the interfaces, and sinks as the voltage comes to the rail. The record has it in pieces that
    double in length.
    """

    def __init__(self, recorder: Recorder | None, load: HostileWorldLoad, now_us: Callable[[], int]) -> None:
        self._recorder = recorder
        self._load = load
        self._now_us = now_us
        self._levels: dict[int, HeldLevel] = {}
        self._since_us: dict[int, int] = {}
        if recorder is not None:
            recorder.listen(self.flush)

    def set(self, channel: int, level_na: int, at_us: int) -> None:
        """From `at_us` on `level_na` is held; 0 for none."""
        held_level = self._levels.get(channel)
        if (0 if held_level is None else held_level.level_na) == level_na:
            return
        self._book(channel, at_us)
        self._levels.pop(channel, None)
        if level_na:
            self._levels[channel] = HeldLevel(level_na, at_us, 0.0 if held_level is None else held_level.cap_volt)
            self._since_us[channel] = at_us

    def flowing_na(self, channel: int) -> int:
        """What flows of it just now."""
        held_level = self._levels.get(channel)
        if held_level is None:
            return 0
        now_us = self._now_us()
        pair = self._load.pair(channel, now_us)
        phase = _drive(pair, held_level, max(0, now_us - held_level.at_us))
        if not phase.clipped:
            return held_level.level_na
        most_na = round(max(0.0, _RAIL_VOLT - abs(phase.cap_volt)) / pair.series_ohm * 1e9)
        return min(most_na, held_level.level_na) if held_level.level_na > 0 else max(-most_na, held_level.level_na)

    def flush(self) -> None:
        """Bring the record up to now."""
        for channel in list(self._levels):
            self._book(channel, self._now_us())

    def _book(self, channel: int, until_us: int) -> None:
        while (held_level := self._levels.get(channel)) is not None and held_level.at_us < until_us:
            double_us = 2 * held_level.at_us - self._since_us[channel]
            end_us = min(
                until_us,
                self._load.next_change_us(channel, held_level.at_us),
                max(held_level.at_us + _FIRST_US, double_us),
            )
            width_us = end_us - held_level.at_us
            phase = _drive(self._load.pair(channel, held_level.at_us), held_level, width_us)
            if self._recorder is not None and (mean_na := round(phase.mean_ua * 1_000)):
                curves = (phase.curve, None) if mean_na > 0 else (None, phase.curve)
                level = Flow(held_level.at_us, width_us, 1, _level(mean_na, width_us), FlowKind.HELD, curves)
                self._recorder.add(channel, level)
            self._levels[channel] = HeldLevel(held_level.level_na, end_us, phase.cap_volt)


@lru_cache(maxsize=4)  # a level held on every channel is asked for four times at each look
def _drive(pair: NeedlePair, held_level: HeldLevel, for_us: int) -> PhaseResponse:
    return pair.drive(held_level.level_na / 1_000, max(1, for_us), held_level.cap_volt, _RAIL_VOLT)


def _level(level_na: int, width_us: int) -> PulseShape:
    return PulseShape(level_na, width_us, 0, 0, 0) if level_na > 0 else PulseShape(0, 0, 0, -level_na, width_us)
