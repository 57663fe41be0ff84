"""What the simulated stage does in a load, against an integration that knows no closed form: Runge and Kutta, in steps.

The circuit is that of the load's description alone: a source, a series resistance, and a capacitance beside a
resistance. Everything the stage says of it is compared: what flows, how it runs, the voltage, the energy.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

from firmware_sim.analog.converter import Dac
from firmware_sim.analog.electrodes import DISCHARGE_OHM
from firmware_sim.analog.load import DRY, NOMINAL, RANDLES, steady
from firmware_sim.analog.needle_pair import NeedlePair
from firmware_sim.analog.recorder import FlowKind, Recorder
from firmware_sim.native.monitor import OVER_CURRENT_CUT_US
from firmware_sim.native.output_stage import OutputStage
from firmware_sim.native.program import OutputProgram, OutputSegment

S = 1_000_000
WIDE = OutputSegment(500_000, 600, 0, 600, 0)
TAILED = OutputSegment(10_000, 300, 80, 600, 0)
ON_THE_RAIL = NeedlePair(5_700.0, 2.5, 47_000.0)  # 2 mA leave it 0.6 V for interfaces that come to 0.96 V


@dataclass
class Circuit:
    """Stepped through. `volt` is the interfaces'; currents in A, times in s, energy in J, charge in C."""

    pair: NeedlePair
    rail_volt: float = 12.0
    step_s: float = 1e-6
    volt: float = 0.0
    charge: float = 0.0
    energy: float = 0.0

    def source(self, ampere: float) -> Callable[[float], float]:
        """A current source between two rails."""
        ohm, rail = self.pair.series_ohm, self.rail_volt
        return lambda volt: min(max(ampere, (-rail - volt) / ohm), (rail - volt) / ohm)

    def go(self, flow: Callable[[float], float], for_us: float) -> list[float]:
        """Let time pass; return the current at each step's begin."""
        capacity, leak = self.pair.cdl_uf * 1e-6 / 2, 2 * self.pair.rct_ohm

        def slope(volt: float) -> float:
            return (flow(volt) - volt / leak) / capacity

        seen, steps = [], round(for_us * 1e-6 / self.step_s)
        for _ in range(steps):
            h, v = self.step_s, self.volt
            k1 = slope(v)
            k2 = slope(v + h / 2 * k1)
            k3 = slope(v + h / 2 * k2)
            k4 = slope(v + h * k3)
            after = v + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
            begin, middle, end = flow(v), flow((v + after) / 2), flow(after)
            seen.append(begin)
            self.charge += h / 6 * (begin + 4 * middle + end)
            ohm = self.pair.series_ohm
            powers = [i * (i * ohm + u) for i, u in ((begin, v), (middle, (v + after) / 2), (end, after))]
            self.energy += h / 6 * (powers[0] + 4 * powers[1] + powers[2])
            self.volt = after
        return seen

    def rest(self, for_us: float) -> None:
        """No current; in long steps, which are still short for what rests."""
        self.step_s, kept = 10e-6, self.step_s
        self.go(lambda _: 0.0, for_us)
        self.step_s = kept

    def pulse(self, segment: OutputSegment, ampere: float) -> list[list[float]]:
        """One pulse and the rest up to the next; what flowed in each phase."""
        back = ampere * segment.width_us / segment.second_width_us
        first = self.go(self.source(ampere), segment.width_us)
        self.go(lambda _: 0.0, segment.interphase_gap_us)
        second = self.go(self.source(-back), segment.second_width_us)
        used_us = segment.width_us + segment.interphase_gap_us + segment.second_width_us
        self.rest(segment.period_us - used_us)
        return [first, second]


class Stuck(Dac):
    """Gives `first_na`, and `second_na` when it is asked for a current the other way."""

    def __init__(self, first_na: int, second_na: int) -> None:
        self._na = (first_na, second_na)

    def current_na(self, amplitude_ua: int) -> int:
        return self._na[0] if amplitude_ua > 0 else -self._na[1]


def driven(pair: NeedlePair, segment: OutputSegment, amplitude_ua: int, for_us: int, dac: Dac | None = None) -> tuple[
    OutputStage, Recorder
]:  # fmt: skip
    """A stage that gives pulses of one height from the first one on; its readback is a perfect one."""
    recorder = Recorder()
    stage = OutputStage(steady(pair), seed=1, recorder=recorder)
    stage.gate = lambda *_: True
    made = stage.readback(1)
    perfect = type(made)(made.noise)
    stage.refit(1, dac=dac, readback=perfect)
    stage.begin(OutputProgram((segment,), 1, 380, 0), {1: amplitude_ua}, 0, 10 * for_us, 0, levels_ua={1: amplitude_ua})
    stage.run(for_us)
    return stage, recorder


def sampled(recorder: Recorder, start_us: int, count: int) -> list[float]:
    """The record's samples, one a us, in A."""
    parts = recorder.samples(1, S, start_us=start_us, end_us=start_us + count)
    return [float(na) * 1e-9 for part in parts for na in part]


@pytest.mark.parametrize("pair", [NOMINAL, DRY, RANDLES])
@pytest.mark.parametrize("segment", [WIDE, TAILED])
def test_a_stretch_of_like_pulses_is_what_its_pulses_come_to_in_steps(pair: NeedlePair, segment: OutputSegment) -> None:
    pulses = 12
    stage, recorder = driven(pair, segment, 1_000, pulses * segment.period_us)
    circuit = Circuit(pair)
    for _ in range(pulses - 1):
        circuit.pulse(segment, 1e-3)
    before_volt, before = circuit.volt, circuit.energy
    circuit.pulse(segment, 1e-3)
    assert recorder.pulses(1) == pulses
    assert len(recorder.flows(1)) == 1, "the shortcut was taken"
    assert stage.totals(1).energy_nj == pytest.approx(circuit.energy * 1e9, rel=1e-6, abs=1)
    end_volt = 1e-3 * pair.series_ohm + _charged(pair, before_volt, segment.width_us)
    assert stage.readout(1).ohm == pytest.approx(end_volt / 1e-3, rel=0.01)
    assert circuit.energy > before


def _charged(pair: NeedlePair, volt: float, for_us: int) -> float:
    circuit = Circuit(pair, volt=volt)
    circuit.go(circuit.source(1e-3), for_us)
    return circuit.volt


def test_a_clipped_phase_is_recorded_as_it_flows_and_not_as_its_mean() -> None:
    stage, recorder = driven(ON_THE_RAIL, WIDE, 2_000, 100_000)
    circuit = Circuit(ON_THE_RAIL)
    first, second = circuit.pulse(WIDE, 2e-3)
    seen = sampled(recorder, 0, 1_200)
    assert seen == pytest.approx(first + second, abs=2e-9)
    assert max(first) == 2e-3 == seen[0]
    assert seen[599] < 1.95e-3 < np.mean(first), "it falls"
    (flow,) = recorder.flows(1)
    assert flow.shape.first_na * 1e-9 == pytest.approx(np.mean(first), rel=1e-4)
    assert stage.totals(1).energy_nj == pytest.approx(circuit.energy * 1e9, abs=1)
    assert stage.totals(1).compliance_hits == 1


@pytest.mark.parametrize("cut_in", ["first", "second"])
@pytest.mark.parametrize("pair", [NOMINAL, DRY])
def test_a_cut_pulse_has_the_energy_that_flowed_and_discharges_with_its_time_constant(
    pair: NeedlePair, cut_in: str
) -> None:
    ampere = 2.55875e-3
    stuck = Stuck(2_558_750, 1_000_000) if cut_in == "first" else Stuck(1_000_000, 2_558_750)
    stage, recorder = driven(pair, WIDE, 1_000, 100_000, stuck)
    circuit = Circuit(pair)
    cut_us = OVER_CURRENT_CUT_US
    if cut_in == "second":
        circuit.go(circuit.source(1e-3), 600)
        circuit.go(circuit.source(-ampere), OVER_CURRENT_CUT_US)
        cut_us += 600
    else:
        circuit.go(circuit.source(ampere), OVER_CURRENT_CUT_US)
    assert stage.totals(1).energy_nj == pytest.approx(circuit.energy * 1e9, abs=1)
    assert recorder.end_us() == cut_us
    seen = circuit.go(lambda volt: -volt / (pair.series_ohm + DISCHARGE_OHM), 5_000)
    assert sampled(recorder, cut_us, 5_000) == pytest.approx(seen, abs=2e-9)
    assert seen[0] < -10e-6, "something is left on the electrodes"
    # What the discharge carries is what was left on them, but for what goes through the interfaces themselves.
    back_fc = recorder.net_fc(1, FlowKind.DISCHARGE)
    assert -recorder.net_fc(1) * 0.95 > back_fc > -recorder.net_fc(1) * 1.001
    stage.disable(0)
    for at_us in (cut_us, cut_us + 500, cut_us + 1_500):
        flowing_ua = abs(seen[at_us - cut_us]) * 1e6
        assert stage.zero_ua(at_us) == pytest.approx(flowing_ua, abs=12), "the device measures it as well"
    assert stage.zero_ua(cut_us + 60_000) < 20


def test_pulses_after_a_rest_find_what_the_rest_has_left() -> None:
    """A stretch, a pause of half a time constant, a stretch: the second begins where the steps say."""
    stage, _ = driven(RANDLES, TAILED, 1_000, 100_000)
    stage.disable(0)
    circuit = Circuit(RANDLES)
    for _ in range(10):
        circuit.pulse(TAILED, 1e-3)
    circuit.rest(10_000)
    before = circuit.energy
    told_nj = stage.totals(1).energy_nj
    stage.begin(OutputProgram((TAILED,), 1, 380, 0), {1: 1_000}, 0, S, 110_000, levels_ua={1: 1_000})
    stage.run(50_000)
    for _ in range(5):
        circuit.pulse(TAILED, 1e-3)
    assert stage.totals(1).energy_nj - told_nj == pytest.approx((circuit.energy - before) * 1e9, abs=2)
