"""How fast a leased channel may rise: by the plan, and by the gate, which trusts no plan and has a clock of its own."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_sim.factory import DeviceSpec
from stimctl import limits
from stimctl.errors import Unsafe
from stimctl.session.commands import Lower
from stimctl.session.states import End
from stimctl.stimulators.discovery import DeviceChoice
from stimctl.stimulators.lease.gate import CLOCK_US, CurrentPhase, Gate, GatedTrain
from stimctl.stimulators.lease.plan import LeasePlan
from stimctl.waveform import Mode, Program, segments_for
from tests.stimctl.session.world import prescription
from tests.stimctl.stimulators.bench import Bench

S = 1_000_000
SLOPE = limits.RAMP_SLOPE.high
STEP = limits.RAISE_STEP_UA


def train(amplitude_ua: int, ratio: int = 1, channel: int = 1) -> GatedTrain:
    phases = (CurrentPhase(amplitude_ua, 200), CurrentPhase(-amplitude_ua // ratio, 200 * ratio))
    return GatedTrain(channel, phases, 10_000, 250_000)


def armed() -> Gate:
    gate = Gate()
    gate.arm(2_000)
    return gate


def passes(gate: Gate, amplitude_ua: int, now_us: int, ratio: int = 1) -> bool:
    try:
        gate.check_rise([train(amplitude_ua, ratio)], now_us)
    except Unsafe:
        return False
    return True


def test_a_second_step_waits_for_as_long_as_the_steepest_ramp_takes() -> None:
    for ms, allowed in ((0, False), (30, False), (262, False), (264, True), (10_000, True)):
        gate = armed()
        assert passes(gate, STEP, 0)
        assert passes(gate, 2 * STEP, ms * 1_000) is allowed
        assert not passes(gate, 3 * STEP, ms * 1_000 + 1_000)


@pytest.mark.parametrize(
    ("after_us", "allowed"), [(0, False), (limits.PERIOD.low - 1, False), (limits.PERIOD.low, True)]
)
def test_after_a_stop_nothing_is_started_within_the_shortest_period(after_us: int, *, allowed: bool) -> None:
    """A pulse may have begun until zero was told; also before the gate was armed anew."""
    gate = armed()
    assert passes(gate, STEP, 0)
    gate.at_zero(S)
    gate.arm(2_000)
    assert passes(gate, STEP, S + after_us) is allowed


def test_a_fall_earns_no_rise() -> None:
    """Up and down again by a step, as often as one likes: each way up needs its time."""
    gate = armed()
    for number in range(1, 11):
        assert passes(gate, number * STEP, number * 300_000)
    at_us = 10 * S
    assert passes(gate, 900, at_us)
    assert passes(gate, 1_000, at_us + 10_000)
    assert passes(gate, 900, at_us + 20_000)
    with pytest.raises(Unsafe, match="rises faster than 380 uA a second"):
        gate.check_rise([train(1_000)], at_us + 30_000)
    assert passes(gate, 1_000, at_us + 300_000)


def test_a_channel_that_was_silent_rises_from_zero() -> None:
    gate = armed()
    assert passes(gate, STEP, 0)
    gate.check_rise([train(STEP, channel=2)], S)
    assert not passes(gate, 2 * STEP, 2 * S)
    assert passes(gate, STEP, 2 * S)


def test_a_refused_start_changes_nothing() -> None:
    gate = armed()
    assert passes(gate, STEP, 0)
    assert not passes(gate, 2 * STEP, 100_000)
    assert passes(gate, 2 * STEP, 264_000)


def test_a_rise_counts_from_when_it_has_left() -> None:
    gate = armed()
    assert passes(gate, STEP, 0)
    gate.wrote(40_000)
    gate.wrote(90_000)  # of something else
    assert not passes(gate, 2 * STEP, 264_000)
    assert passes(gate, 2 * STEP, 304_000)


@given(
    st.lists(st.tuples(st.integers(0, 400_000), st.integers(-300, 130)), min_size=2, max_size=60),
    st.sampled_from([1, 2, 4]),
)
def test_whatever_is_asked_no_channel_rises_faster(steps: list[tuple[int, int]], ratio: int) -> None:
    gate, at_us, level_ua = armed(), 0, 0
    given_ua = [(0, 0)]
    for wait_us, change_ua in steps:
        at_us += wait_us
        asked_ua = max(ratio, min(2_000, level_ua + change_ua)) // ratio * ratio
        if passes(gate, asked_ua, at_us, ratio):
            level_ua = asked_ua
            given_ua.append((at_us, level_ua))
    rises_ua = [(after[0], max(0, after[1] - before[1])) for before, after in pairwise(given_ua)]
    assert all(rise_ua <= STEP for _at, rise_ua in rises_ua)
    for first, (from_us, _rise) in enumerate(rises_ua):
        total_ua = 0
        for to_us, rise_ua in rises_ua[first:]:
            total_ua += rise_ua
            assert total_ua <= STEP + ratio + limits.ramp_ua(SLOPE, to_us - from_us + CLOCK_US)


@given(
    st.lists(st.tuples(st.integers(0, 30), st.sampled_from([0, 500, 1_000, 2_000])), min_size=1, max_size=80),
    st.sampled_from([Mode.HIGH, Mode.LOW, Mode.DENSE_DISPERSE]),
    st.integers(100, 380),
)
def test_a_plan_rises_by_its_slope_however_often_it_is_cut(
    cuts: list[tuple[int, int]], mode: Mode, slope_ua_per_s: int
) -> None:
    """And the gate, by its own clock, lets all of it pass."""
    program = Program(segments_for(mode), (1,), slope_ua_per_s, 0, 600 * S)
    plan, gate = LeasePlan(program, 0), armed()
    stood = [(0, 0)]
    for pulses, target_ua in cuts:
        lease = plan.next({1: target_ua})
        assert lease is not None
        if not lease.silent:
            gate.check_rise([train(lease.level_ua(1))], lease.begins_us)
        plan.took(lease, pulses)
        stood.append((lease.begins_us, lease.level_ua(1)))
    for first, (from_us, from_ua) in enumerate(stood):
        for to_us, to_ua in stood[first:]:
            assert to_ua - from_ua <= STEP + limits.ramp_ua(slope_ua_per_s, to_us - from_us)


@pytest.mark.parametrize("profile", ["bench-100hz", "bench-2-100hz"])
@pytest.mark.parametrize("device", ["a", "b", "c", "pulsepal"])
def test_a_key_held_down_on_one_channel_gives_the_other_no_steps(device: str, profile: str) -> None:
    """Channel 2 is lowered 30 times a second while both ramp: each cut begins a lease of both."""
    if device == "pulsepal":
        which, choice = DeviceSpec("pulsepal", firmware="22"), DeviceChoice("pulsepal", isolator="1.0")
    else:
        which, choice = DeviceSpec("stimjim", dialect=device), DeviceChoice("stimjim", dialect=device)
    bench = Bench(which, choice, prescription(seconds=30, amplitudes_ma={1: 2.0, 2: 2.0}, profile=profile))
    report = bench.run(*((5.5 + number / 30, Lower(2)) for number in range(20)))
    assert report.end is End.TIMER, report.end_text
    assert not report.alarms
    slope_ua_per_s = bench.rx.program.ramp_slope_ua_per_s
    levels = [(flow.first_us, flow.shape.first_na / 1_000) for flow in bench.recorder.flows(1)]
    for first, (from_us, from_ua) in enumerate(levels):
        for to_us, to_ua in levels[first:]:
            assert to_ua - from_ua <= 1.02 * (STEP + limits.ramp_ua(slope_ua_per_s, to_us - from_us + CLOCK_US))
