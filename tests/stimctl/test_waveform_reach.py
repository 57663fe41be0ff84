"""The amplitude that will be reached is what the pulses themselves come to."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stimctl.errors import Misuse, Unsafe
from stimctl.waveform import Mode, Program, Reached, pulses, reached, segments_for

S = 1_000_000


def program(mode: Mode, *, slope: int = 200, fall_us: int = 5 * S, total_us: int, ratio: int = 1) -> Program:
    return Program(segments_for(mode, second_ratio_low=ratio, second_ratio_high=ratio), (2,), slope, fall_us, total_us)


def counted(plan: Program, target_ua: int) -> Reached:
    """The same, pulse by pulse."""
    every = list(pulses(plan, 2, target_ua))
    if not every:
        return Reached(0, 0, 0)
    peak_ua = max(pulse.amplitude_ua for pulse in every)
    at_us = [pulse.t_us for pulse in every if pulse.amplitude_ua == peak_ua]
    whole_ua = target_ua - target_ua % plan.quantum_ua
    return Reached(peak_ua, at_us[0], at_us[-1] - at_us[0] if peak_ua == whole_ua else 0)


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(list(Mode)),
    st.integers(100, 380),
    st.integers(0, 30 * S),
    st.one_of(st.integers(1 * S, 40 * S), st.sampled_from([5 * S, 120 * S])),
    st.integers(0, 2_000),
    st.sampled_from([1, 2]),
)
def test_it_is_what_the_pulses_come_to(
    mode: Mode, slope: int, fall_us: int, total_us: int, target_ua: int, ratio: int
) -> None:
    plan = program(mode, slope=slope, fall_us=fall_us, total_us=total_us, ratio=ratio)
    assert reached(plan, 2, target_ua) == counted(plan, target_ua)


def test_two_milliamperes_in_five_seconds_come_to_less() -> None:
    # By hand: 0.2 mA/s up, and down from 2.0 mA in 5 s, which begins at once; they meet where 0.2 t = 0.4 (5 - t).
    assert reached(program(Mode.LOW, total_us=5 * S), 2, 2_000).plateau_us == 0
    high = reached(program(Mode.HIGH, total_us=5 * S), 2, 2_000)
    assert high.amplitude_ua == pytest.approx(200 * 10 / 3, abs=3)
    # With 2 Hz first, the pulse after the switch of band may rise by all of the time since the last one.
    assert 668 < reached(program(Mode.DENSE_DISPERSE, total_us=5 * S), 2, 2_000).amplitude_ua < 740


def test_half_an_hour_stays_at_its_target() -> None:
    comes = reached(program(Mode.HIGH, total_us=1_800 * S), 2, 2_000)
    assert comes.amplitude_ua == 2_000
    assert comes.plateau_us == pytest.approx((1_800 - 10 - 5) * S, abs=S)


def test_what_is_no_plan_is_refused() -> None:
    plan = program(Mode.HIGH, total_us=20 * S)
    with pytest.raises(Misuse, match="channel"):
        reached(plan, 1, 1_000)
    with pytest.raises(Unsafe):
        reached(plan, 2, 2_001)
    assert reached(plan, 2, 0) == Reached(0, 0, 0)
