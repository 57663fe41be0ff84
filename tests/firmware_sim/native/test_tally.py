"""What a channel counts, in the units of the wire: rounded to the nearest, and inside what the wire can carry."""

import pytest

from firmware_sim.native.flash import Totals
from firmware_sim.native.tally import ChannelTally, whole_ua


@pytest.mark.parametrize(
    ("read_na", "told_ua"),
    [(-5_000, 0), (0, 0), (499, 0), (500, 1), (1_499, 1), (1_500, 2), (65_534_499, 65_534), (10**9, 65_535)],
)
def test_a_reading_in_whole_microamperes(read_na: int, told_ua: int) -> None:
    assert whole_ua(read_na) == told_ua


def test_nothing_counted_is_nothing_told() -> None:
    tally = ChannelTally()
    assert tally.totals() == Totals()
    assert (tally.pulses, tally.charge_pc, tally.read_fc) == ([0, 0], [0, 0], [0, 0])
    assert (tally.net_fc, tally.highest_na, tally.hits, tally.energy_pj) == (0, 0, 0, 0)


@pytest.mark.parametrize(("below", "told"), [(499, 7), (500, 8)])
def test_each_figure_has_its_own_place(below: int, told: int) -> None:
    tally = ChannelTally()
    tally.pulses = [3, 4]
    tally.charge_pc = [5, 6]
    tally.read_fc = [7_000 + below, 17_000 + below]
    tally.net_fc = -28_000 + below
    tally.highest_na = 37_000 + below
    tally.hits = 9
    tally.energy_pj = 47_000.0 + below + 0.1
    assert tally.totals() == Totals(3, 4, 5, 6, told, told + 10, told - 35, told + 30, 9, told + 40)


def test_a_reading_below_zero_is_told_as_zero() -> None:
    tally = ChannelTally()
    tally.read_fc = [-9_000, -9_000]
    tally.energy_pj = -9_000.0
    totals = tally.totals()
    assert (totals.measured_0_pc, totals.measured_1_pc, totals.energy_nj) == (0, 0, 0)
