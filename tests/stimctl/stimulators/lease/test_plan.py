"""Leases: whatever the program, whole pulses, at most 3 s, no step over 100 uA upward, 5 s to 2.0 mA."""

from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from stimctl import limits
from stimctl.errors import Unsafe
from stimctl.stimulators.lease.plan import Lease, LeasePlan, check_program
from stimctl.waveform import Mode, Program, Segment, segments_for

S = 1_000_000


def leases(program: Program, targets_ua: dict[int, int]) -> list[Lease]:
    """All leases of an undisturbed run."""
    plan, found = LeasePlan(program, 0), []
    while (lease := plan.next(targets_ua)) is not None:
        found.append(lease)
        plan.took(lease)
    return found


def pulses(given_leases: list[Lease], channel: int) -> list[tuple[int, int]]:
    """(when, uA) of each pulse of a channel."""
    return [
        (lease.begins_us + number * lease.shape.period_us + level.delay_us, level.amplitude_ua)
        for lease in given_leases
        for level in lease.levels
        if level.channel == channel
        for number in range(lease.pulses)
    ]


@st.composite
def programs(draw: st.DrawFn) -> Program:
    """Lawful programs whose bands are whole periods."""
    count = draw(st.integers(1, 2))
    segments = []
    for _ in range(count):
        period_us = draw(st.sampled_from([10_000, 20_000, 33_350, 100_000, 250_000, 500_000, 1_000_000]))
        width_us = draw(st.sampled_from([100, 200, 600]))
        ratio = draw(st.sampled_from([1, 2]))
        dwell_us = 0 if count == 1 else period_us * -(-draw(st.integers(500_000, 7 * S)) // period_us)
        segments.append(Segment(period_us, width_us, draw(st.sampled_from([0, 50])), width_us * ratio, dwell_us))
    try:
        return Program(
            tuple(segments),
            draw(st.sampled_from([(1,), (2,), (1, 2)])),
            draw(st.integers(100, 380)),
            draw(st.sampled_from([0, 2 * S, 5 * S])),
            draw(st.integers(10, 60)) * S,
        )
    except Unsafe:
        assume(False)
        raise


@given(programs(), st.integers(500, 2_000))
def test_whatever_the_program(program: Program, target_ua: int) -> None:
    targets_ua = dict.fromkeys(program.channels, target_ua)
    all_leases = leases(program, targets_ua)
    assert all(lease.lasts_us <= limits.LEASE_US for lease in all_leases)
    assert all(before.begins_us + before.lasts_us == after.begins_us for before, after in pairwise(all_leases))
    for channel in program.channels:
        flowed = pulses(all_leases, channel)
        assert all(level_ua <= target_ua for _at, level_ua in flowed)
        assert all(after[1] - before[1] <= limits.RAISE_STEP_UA for before, after in pairwise(flowed))
        assert not flowed or flowed[0][1] <= limits.RAISE_STEP_UA
        assert all(at_us + program.segments[0].span_us <= program.stimulation_us + 2_500 for at_us, _ua in flowed)
        near_full = [at_us for at_us, level_ua in flowed if level_ua >= 1_990]
        assert not near_full or near_full[0] - flowed[0][0] >= 4_950_000


@given(programs(), st.integers(500, 2_000), st.data())
def test_targets_that_change_on_the_way(program: Program, target_ua: int, data: st.DataObject) -> None:
    plan = LeasePlan(program, 0)
    before_ua = dict.fromkeys(program.channels, 0)
    for _ in range(30):
        targets_ua = {channel: data.draw(st.sampled_from([0, 500, target_ua])) for channel in program.channels}
        lease = plan.next(targets_ua)
        if lease is None:
            break
        for channel in program.channels:
            level_ua = lease.level_ua(channel)
            assert level_ua <= min(targets_ua[channel], before_ua[channel] + limits.RAISE_STEP_UA)
            before_ua[channel] = level_ua if lease.pulses else before_ua[channel]
        cut = data.draw(st.one_of(st.none(), st.integers(0, lease.pulses)))
        at_us = plan.at_us
        plan.took(lease, cut)
        assert plan.at_us >= at_us


def test_two_and_a_hundred_hertz_for_20_minutes() -> None:
    program = Program(segments_for(Mode.DENSE_DISPERSE), (1,), stimulation_us=1_200 * S)
    given_leases = leases(program, {1: 2_000})
    by_band = [sum(lease.pulses for lease in given_leases if lease.segment == band and lease.levels) for band in (0, 1)]
    assert by_band == [1_200, 60_000]


def test_a_band_that_is_not_whole_periods_is_refused_with_what_it_would_become() -> None:
    segments = (Segment(500_000, 600, 0, 600, 3_200_000), Segment(10_000, 200, 0, 200, 3_000_000))
    with pytest.raises(Unsafe, match="would become 3000000 us"):
        check_program(Program(segments, (1,)))


def test_zero_targets_are_silence() -> None:
    program = Program(segments_for(Mode.HIGH), (1,), stimulation_us=2 * S)
    assert all(lease.silent for lease in leases(program, {1: 0}))
