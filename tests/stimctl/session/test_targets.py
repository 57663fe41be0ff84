"""An operator's rules: down always, up by steps, nothing stands below 0.5 mA but titration."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stimctl import limits
from stimctl.errors import Misuse, Unsafe
from stimctl.session.targets import Target, Targets

S = 1_000_000


def at(confirmed_ua: int, ceiling_ua: int = 2_000) -> Target:
    target = Target(1, ceiling_ua)
    target.begin(confirmed_ua, 0)
    return target


def test_up_is_one_step_and_one_a_second() -> None:
    target = at(1_000)
    assert target.up(0) == 1_100
    target.confirm(1_100, 0)
    with pytest.raises(Unsafe, match="one step a second"):
        target.up(999_999)
    assert target.up(S) == 1_200


@pytest.mark.parametrize("asked_ua", [1_101, 1_500, 2_000])
def test_more_than_a_step_up_is_refused(asked_ua: int) -> None:
    with pytest.raises(Unsafe, match="one step up is 100 uA"):
        at(1_000).to(asked_ua, 10 * S)


def test_the_sessions_ceiling_holds_and_is_named() -> None:
    assert at(1_400, ceiling_ua=1_500).up(0) == 1_500
    with pytest.raises(Unsafe, match="ceiling is 1500 uA"):
        at(1_500, ceiling_ua=1_500).up(0)


@given(st.integers(500, 2_000), st.integers(0, 2_000), st.integers(0, 10 * S))
def test_down_is_never_refused(confirmed_ua: int, asked_ua: int, now_us: int) -> None:
    if asked_ua <= confirmed_ua:
        assert at(confirmed_ua).to(asked_ua, now_us) == (asked_ua if asked_ua >= 500 else 0)


@pytest.mark.parametrize(("confirmed_ua", "expected_ua"), [(2_000, 1_900), (600, 500), (599, 0), (500, 0), (300, 0)])
def test_a_step_down_that_would_stand_below_half_a_milliampere_is_zero(confirmed_ua: int, expected_ua: int) -> None:
    assert at(confirmed_ua).down() == expected_ua


def test_titration_rises_from_zero_by_steps_and_may_not_dawdle() -> None:
    target = at(0)
    for step in range(1, 5):
        assert target.up(step * S) == step * 100
        target.confirm(step * 100, step * S)
    assert not target.titration_overdue(S + limits.TITRATION_US)
    assert target.titration_overdue(S + limits.TITRATION_US + 1)
    target.confirm(500, 30 * S)
    assert not target.titration_overdue(10_000 * S), "at 0.5 mA it is over"


def test_a_raise_waits_for_the_answer_to_the_last_change() -> None:
    targets = Targets({1: 1_000}, 2_000)
    targets.begin({1: 1_000}, 0)
    targets.ask(1, targets.wish(1, lambda target: target.to(800, 0)))
    with pytest.raises(Misuse, match="not answered"):
        targets.wish(1, lambda target: target.up(0))
    assert targets.wish(1, lambda target: target.to(700, 0)) == 700, "lowering never waits"
    assert targets.highest_ua == {1: 1_000}


def test_what_is_resumed_after_a_hold_is_never_below_half_a_milliampere() -> None:
    targets = Targets({1: 1_000, 2: 600}, 2_000)
    targets.begin({1: 300, 2: 700}, 0)
    targets.keep_for_resume()
    assert targets.resume_ua == {1: 0, 2: 700}


def test_lowering_the_last_channel_to_zero_is_seen() -> None:
    targets = Targets({1: 600, 2: 600}, 2_000)
    targets.begin({1: 600, 2: 0}, 0)
    assert targets.leaves_nothing(1, 0)
    assert not targets.leaves_nothing(2, 0)
    targets.begin({1: 600, 2: 600}, 0)
    assert not targets.leaves_nothing(1, 0)


def test_a_channel_that_is_not_prescribed_is_named() -> None:
    with pytest.raises(Misuse, match=r"channel 3 is not in the prescription; it has \[1, 2\]"):
        Targets({2: 0, 1: 0}, 2_000).wish(3, lambda target: target.down())
