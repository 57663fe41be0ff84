"""One output of a simulated StimJim or PulsePal: it drives pulses and held levels into the load.

Pulses come in runs of like ones. Below the rail a current is what was asked for, whatever the load; what a
pulse leaves in the electrode interfaces is a line of what it found, so a whole run costs as much as one pulse.
Where the rail bites, pulses go one by one. The recorder is told what really flowed; the readback says what an
ammeter at the end of each stage would read of it.
"""

from collections.abc import Sequence
from functools import lru_cache
from math import inf
from typing import NamedTuple

from firmware_sim.analog.converter import Noise, Readback
from firmware_sim.analog.load import Load
from firmware_sim.analog.needle_pair import Curve, NeedlePair, PhaseResponse
from firmware_sim.analog.pulse_series import LinearMap, Series
from firmware_sim.analog.recorder import Flow, FlowKind, PulseShape, Recorder

SOURCE_UA = 1e9  # a voltage source is a current without bound behind a rail
_ALIKE_VOLT = 1e-6  # interfaces that come back this near after a period stay as they are


class Stage(NamedTuple):
    """A stretch of constant drive: a current, or a voltage when `volt` is given."""

    na: int
    us: int
    volt: float | None = None


class PulseResponse(NamedTuple):
    """The currents of one pulse: the mean of each stage with its curve, the current at its end, and the voltage it
    left."""

    mean_na: tuple[int, ...]
    curves: tuple[Curve | None, ...]
    end_na: tuple[int, ...]
    end_volt: tuple[float, ...]
    cap_volt: float
    clipped: bool


class StageReading(NamedTuple):
    """The readings at the end of one stage, summed over pulses."""

    na: int
    uv: int


class NoNoise(Noise):
    """Noise of zero."""

    def __init__(self) -> None:
        self._entries = [0] * 1_024
        self._sums = [0] * 1_025
        self.peak_na = 0


class AnalogOutput:
    """Output `number` of a device. All times are device time."""

    def __init__(
        self, number: int, load: Load, recorder: Recorder | None, readback: Readback, *, rail_volt: float
    ) -> None:
        self.number = number
        self._load = load
        self._recorder = recorder
        self._readback = readback
        self._rail_volt = rail_volt
        self._index = number * 257  # where on the noise table the next reading stands
        self._cap_volt = 0.0
        self._cap_at_us = 0
        self._held_stage: Stage | None = None
        self._held_at_us = 0

    # --- pulses ----------------------------------------------------------------------------------

    def pulses(self, first_us: int, period_us: int, count: int, stages: Sequence[Stage]) -> list[StageReading]:
        """Deliver `count` like pulses; return for each stage what was read at its end, summed."""
        stages = tuple(stages)
        sums = [StageReading(0, 0)] * len(stages)
        while count > 0:
            pair = self._load.pair(self.number, first_us)
            change_us = self._load.next_change_us(self.number, first_us)
            most = min(count, max(1, -(-(change_us - first_us) // period_us)))
            volt = pair.rested(self._cap_volt, first_us - self._cap_at_us)
            fired, alike, after_volt = self._alike(pair, stages, period_us, volt, most)
            for place, (na, uv) in enumerate(sums):
                read_uv = round(self._readback.voltage_uv(fired.end_volt[place]))
                sums[place] = StageReading(na + self._read(fired.end_na[place], alike), uv + alike * read_uv)
            self._index += alike
            self._cap_volt = after_volt
            self._cap_at_us = first_us + (alike - 1) * period_us + sum(stage.us for stage in stages)
            self._note(first_us, period_us, alike, stages, fired, pair)
            first_us += alike * period_us
            count -= alike
        return sums

    def _alike(
        self, pair: NeedlePair, stages: tuple[Stage, ...], period_us: int, volt: float, most: int
    ) -> tuple[PulseResponse, int, float]:
        """The pulse that is due, how many of the next `most` are like it, and the interfaces after those."""
        fired = fire(pair, stages, volt, self._rail_volt)
        if most == 1:
            return fired, 1, fired.cap_volt
        rest_us = period_us - sum(stage.us for stage in stages)
        if not fired.clipped:
            line = pulse_line(pair, stages)
            series = Series.of(pair, line, rest_us, volt)
            if not fire(pair, stages, series.final_volt, self._rail_volt).clipped:
                return fired, most, line.at(series.at(most - 1))
        elif abs(pair.rested(fired.cap_volt, rest_us) - volt) < _ALIKE_VOLT:
            return fired, most, fired.cap_volt
        return fired, 1, fired.cap_volt

    def _read(self, end_na: int, count: int) -> int:
        return count * self._readback.mean_na(end_na) + self._readback.noise.total(self._index, count)

    def _note(
        self,
        first_us: int,
        period_us: int,
        count: int,
        stages: tuple[Stage, ...],
        fired: PulseResponse,
        pair: NeedlePair,
    ) -> None:
        levels = [(na, stage.us) for na, stage in zip(fired.mean_na, stages, strict=True)]
        for offset_us, shape, first, second in shapes_of(levels):
            curves = fired.curves[first], None if second is None else fired.curves[second]
            self._record(Flow(first_us + offset_us, max(1, period_us), count, shape, FlowKind.TRAIN, curves), pair)

    def _record(self, flow: Flow, pair: NeedlePair) -> None:
        if self._recorder is None:
            return
        self._recorder.add(self.number, flow)
        if pair.leak_permille:
            self._recorder.add(pair.leaks_to, flow.leaking(pair.leak_permille))

    # --- levels ----------------------------------------------------------------------------------

    def hold(self, level: Stage | None, now_us: int) -> None:
        """Hold a level from `now_us` on; None, and a level of nothing, end it. `level.us` says nothing."""
        self.settle(now_us)
        self._held_stage = level if level is not None and (level.na or level.volt) else None
        self._held_at_us = now_us

    def settle(self, now_us: int) -> None:
        """Note what a held level did up to `now_us`."""
        if self._held_stage is None or now_us <= self._held_at_us:
            return
        pair = self._load.pair(self.number, self._held_at_us)
        stage = self._held_stage._replace(us=now_us - self._held_at_us)
        volt = pair.rested(self._cap_volt, self._held_at_us - self._cap_at_us)
        fired = fire(pair, (stage,), volt, self._rail_volt)
        shape = PulseShape(fired.mean_na[0], stage.us, 0, 0, 0)
        self._record(Flow(self._held_at_us, stage.us, 1, shape, FlowKind.HELD, (fired.curves[0], None)), pair)
        self._cap_volt, self._cap_at_us, self._held_at_us = fired.cap_volt, now_us, now_us

    def read_na(self, now_us: int) -> int:
        """What the ammeter reads of a held level at `now_us`."""
        flowing = 0 if self._held_stage is None else self._present(now_us).end_na[0]
        self._index += 1
        return self._read(flowing, 1)

    def read_volt(self, now_us: int) -> float:
        """What the voltmeter reads of a held level at `now_us`."""
        if self._held_stage is None:
            return 0.0
        return self._readback.voltage_uv(self._present(now_us).end_volt[0]) / 1e6

    def _present(self, now_us: int) -> PulseResponse:
        assert self._held_stage is not None, "nothing is held"
        pair = self._load.pair(self.number, self._held_at_us)
        volt = pair.rested(self._cap_volt, self._held_at_us - self._cap_at_us)
        return fire(pair, (self._held_stage._replace(us=max(1, now_us - self._held_at_us)),), volt, self._rail_volt)


def fire(pair: NeedlePair, stages: Sequence[Stage], volt: float, rail_volt: float = inf) -> PulseResponse:
    """Drive a load through the stages of one pulse, from an interface voltage of `volt` on."""
    means: list[int] = []
    curves: list[Curve | None] = []
    ends: list[int] = []
    volts: list[float] = []
    clipped = False
    for stage in stages:
        if stage.us <= 0 or (stage.volt is None and stage.na == 0):
            volt = pair.rested(volt, max(0, stage.us))
            means.append(0)
            curves.append(None)
            ends.append(0)
            volts.append(volt)
            continue
        phase = _drive(pair, stage, volt, rail_volt)
        volt = phase.cap_volt
        clipped |= phase.clipped and stage.volt is None
        full_na = stage.na if stage.volt is None and not phase.clipped else round(phase.mean_ua * 1_000)
        means.append(full_na)
        curves.append(phase.curve)
        ends.append(full_na if not phase.clipped else round((phase.end_volt - volt) / pair.series_ohm * 1e9))
        volts.append(phase.end_volt)
    return PulseResponse(tuple(means), tuple(curves), tuple(ends), tuple(volts), volt, clipped)


def _drive(pair: NeedlePair, stage: Stage, volt: float, rail_volt: float) -> PhaseResponse:
    if stage.volt is None:
        return pair.drive(stage.na / 1_000, stage.us, volt, rail_volt)
    # The sign of the current follows the voltage over the series resistance, not the source's.
    sign = 1.0 if stage.volt >= volt else -1.0
    return pair.drive(sign * SOURCE_UA, stage.us, volt, sign * stage.volt)


@lru_cache(maxsize=256)
def pulse_line(pair: NeedlePair, stages: tuple[Stage, ...]) -> LinearMap:
    """The interface voltage after a pulse below the rail, over the one before it."""
    from_zero = fire(pair, stages, 0.0).cap_volt
    return LinearMap(fire(pair, stages, 1.0).cap_volt - from_zero, from_zero)


class PlacedShape(NamedTuple):
    """A shape, when it begins after the pulse does, and which stages are its phases."""

    offset_us: int
    shape: PulseShape
    first: int
    second: int | None = None


def shapes_of(levels: Sequence[tuple[int, int]]) -> list[PlacedShape]:
    """Stages of (nA, us) as the recorder's shapes: two phases in one where they are a pair."""
    shapes: list[PlacedShape] = []
    offset_us, place, count = 0, 0, len(levels)
    while place < count:
        na, us = levels[place]
        first = place
        place += 1
        if na == 0 or us <= 0:
            offset_us += max(0, us)
            continue
        gap_us, second = 0, place
        while second < count and levels[second][0] == 0:
            gap_us += max(0, levels[second][1])
            second += 1
        if second < count and levels[second][0] * na < 0 and levels[second][1] > 0:
            back_na, back_us = levels[second]
            shapes.append(PlacedShape(offset_us, PulseShape(na, us, gap_us, -back_na, back_us), first, second))
            offset_us += us + gap_us + back_us
            place = second + 1
        else:
            shapes.append(PlacedShape(offset_us, PulseShape(na, us, 0, 0, 0), first))
            offset_us += us
    return shapes
