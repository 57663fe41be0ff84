"""A stretch's closed forms against driving each of its pulses."""

from random import Random

import pytest

from firmware_sim.analog.converter import Noise, Readback
from firmware_sim.analog.needle_pair import NeedlePair
from firmware_sim.analog.recorder import PulseShape
from firmware_sim.native.program import OutputSegment
from firmware_sim.native.steady import SteadyStretch

SEGMENT = OutputSegment(10_000, 300, 80, 600, 0)
SHAPE = PulseShape(1_000_000, 300, 80, 500_000, 600)
PAIR = NeedlePair(800.0, 2.5, 47_000.0)


def stretch(cap_volt: float, count: int = 50) -> SteadyStretch:
    return SteadyStretch(7, count, 0, SEGMENT, 1_000, SHAPE, PAIR, cap_volt, 0, Readback(Noise(Random(1))))


@pytest.mark.parametrize("cap_volt", [0.0, 0.5, -0.7])
def test_voltage_ohms_and_energy_are_those_of_the_pulses_driven_one_after_the_other(cap_volt: float) -> None:
    whole, volt, energy_pj = stretch(cap_volt), cap_volt, 0.0
    for number in range(50):
        assert whole.series.at(number) == pytest.approx(volt)
        first = PAIR.drive(1_000, 300, volt)
        second = PAIR.drive(-500, 600, PAIR.rested(first.cap_volt, 80))
        energy_pj += first.energy_pj + second.energy_pj
        assert whole.ohm_at(number, 1_000_000) == int(first.end_volt * 1_000 + 0.5)
        assert whole.cap_volt_after(number) == pytest.approx(second.cap_volt)
        assert whole.energy_pj(number + 1) == pytest.approx(energy_pj)
        volt = PAIR.rested(second.cap_volt, 10_000 - 980)


def test_pulses_before_a_time() -> None:
    whole = stretch(0.0, 3)
    assert [whole.before(us) for us in (0, 7, 8, 10_007, 10_008, 20_008, 99_999_999)] == [0, 0, 1, 1, 2, 3, 3]


def test_quiet_only_if_both_phases_stay_off_the_rail() -> None:
    def quiet(rail_volt: float, cap_volt: float) -> bool:
        return stretch(cap_volt).is_quiet(rail_volt, 1_100, 600)

    # 0.8 V over the resistance, 0.24 V more on the interfaces in the first phase; 0.4 V back in the second.
    assert quiet(1.1, 0.0)
    assert not quiet(1.0, 0.0)
    assert not quiet(1.1, 0.1)
    # Charged the other way, it is the second phase's end that needs most: 0.4 V and 0.75 V.
    assert quiet(1.2, -0.75)
    assert not quiet(1.1, -0.75)


def test_quiet_only_if_no_noise_can_pass_the_over_current_limits() -> None:
    peak_ua = Noise(Random(1)).peak_na / 1_000
    whole = stretch(0.0)
    assert whole.is_quiet(12.0, int(1_000 + peak_ua) + 1, 600)
    assert not whole.is_quiet(12.0, int(1_000 + peak_ua), 600)
    assert not whole.is_quiet(12.0, 1_100, int(500 + peak_ua))
