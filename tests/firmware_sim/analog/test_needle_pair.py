"""Closed forms of the needle pair against a plain integration in small steps."""

from math import inf, isclose

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_sim.analog.load import NOMINAL, RANDLES
from firmware_sim.analog.needle_pair import NeedlePair

STEPS = 20_000


def stepped(pair: NeedlePair, current_ua: float, width_us: int, cap_volt: float, rail_volt: float) -> tuple[float, ...]:
    """Mean current in uA, voltage at the end, interfaces' voltage and energy in pJ, by midpoint steps."""
    dt_us = width_us / STEPS
    capacity_uf, leak_ohm = pair.cdl_uf / 2, 2 * pair.rct_ohm

    def flow(volt: float) -> float:
        free = current_ua * 1e-6
        most, least = (rail_volt - volt) / pair.series_ohm, (-rail_volt - volt) / pair.series_ohm
        return min(max(free, least), most)

    charge = energy = end = 0.0
    for _ in range(STEPS):
        middle = cap_volt + (flow(cap_volt) - cap_volt / leak_ohm) / capacity_uf * dt_us / 2
        amp = flow(middle)
        charge += amp * 1e6 * dt_us
        energy += amp * 1e6 * (amp * pair.series_ohm + middle) * dt_us
        cap_volt += (amp - middle / leak_ohm) / capacity_uf * dt_us
        end = amp * pair.series_ohm + cap_volt
    return charge / width_us, end, cap_volt, energy


@pytest.mark.parametrize(
    ("pair", "current_ua", "width_us", "cap_volt", "rail_volt"),
    [
        (NOMINAL, 2_000, 600, 0.0, 12.0),
        (NOMINAL, -2_000, 600, 0.9, 12.0),
        (RANDLES, 1_500, 1_200, -0.3, 12.0),
        (NeedlePair(10_000, 2.5, 47_000), 2_000, 600, 0.0, 12.0),  # on the rail from the start
        (NeedlePair(5_500, 1.0, 47_000), 2_000, 600, 0.0, 12.0),  # reaches it on the way
        (NeedlePair(5_500, 1.0, 47_000), -2_000, 600, -0.4, 12.0),
    ],
)
def test_a_phase_is_what_small_steps_come_to(
    pair: NeedlePair, current_ua: float, width_us: int, cap_volt: float, rail_volt: float
) -> None:
    phase = pair.drive(current_ua, width_us, cap_volt, rail_volt)
    wanted = stepped(pair, current_ua, width_us, cap_volt, rail_volt)
    for got, want in zip(phase[:4], wanted, strict=True):
        assert isclose(got, want, rel_tol=1e-3, abs_tol=1e-4)
    assert phase.clipped == (abs(phase.mean_ua) < abs(current_ua) * (1 - 1e-9))


def test_the_interface_moves_three_quarters_of_a_volt_at_full_charge() -> None:
    """1.2 uC on 1.6 uF is 0.75 V [calc]; 1.6 uF for both needles is 3.2 uF each."""
    phase = NeedlePair(600, 3.2, 1e9).drive(2_000, 600, 0.0)
    assert isclose(phase.cap_volt, 0.75, rel_tol=1e-3)
    assert isclose(phase.end_volt, 1.2 + 0.75, rel_tol=1e-3)


def test_twelve_volts_drive_two_milliamperes_into_five_kilohms_and_no_more_into_ten() -> None:
    assert NeedlePair(5_000).drive(2_000, 600, 0.0, 12.0) == (2_000, 10.0, 0.0, 2_000 * 10 * 600, False, None)
    clipped = NeedlePair(10_000).drive(-2_000, 600, 0.0, 12.0)
    assert clipped.clipped
    assert isclose(clipped.mean_ua, -1_200)


def test_rest_discharges_by_the_charge_transfer_resistance() -> None:
    assert isclose(NOMINAL.rested(1.0, 117_500), 0.36787944, rel_tol=1e-6)  # one time constant: 47 kohm x 2.5 uF
    assert NeedlePair(500).rested(1.0, 1) == 0.0


@given(st.floats(1, 2_500), st.integers(100, 1_200), st.floats(-1, 1), st.floats(100, 20_000))
def test_the_rail_is_never_passed(current_ua: float, width_us: int, cap_volt: float, series_ohm: float) -> None:
    pair = NeedlePair(series_ohm, 2.5, 47_000)
    for signed in (current_ua, -current_ua):
        phase = pair.drive(signed, width_us, cap_volt, 12.0)
        free = pair.drive(signed, width_us, cap_volt, inf)
        assert abs(phase.end_volt) <= 12.0 + 1e-9
        assert abs(phase.mean_ua) <= current_ua * (1 + 1e-9)
        assert phase.clipped or phase == free
