"""Which band is on, and for how long each was: against counting microseconds one by one in a small pattern."""

import pytest

from firmware_sim.native.program import BandSchedule, OutputProgram, OutputSegment


def program(*dwells_us: int) -> OutputProgram:
    return OutputProgram(tuple(OutputSegment(10_000, 200, 0, 200, dwell) for dwell in dwells_us), 1, 200, 0)


def test_one_segment_lasts_for_ever() -> None:
    assert BandSchedule(program(0)).at(10**10) == (0, 0)
    assert BandSchedule(program(0)).times(10**10) == (10**10, 0)


@pytest.mark.parametrize("dwells_us", [(3, 3), (2, 5), (7, 1)])
def test_two_alternate(dwells_us: tuple[int, int]) -> None:
    order = ([0] * dwells_us[0] + [1] * dwells_us[1]) * 4
    for at in range(sum(dwells_us) * 3):
        segment, left_us = BandSchedule(program(*dwells_us)).at(at)
        assert segment == order[at]
        assert left_us == next(n for n in range(1, 99) if order[at + n] != segment)
        assert BandSchedule(program(*dwells_us)).times(at) == (order[:at].count(0), order[:at].count(1))
