"""An operator's rules: down always, up by steps, nothing stands below 0.5 mA but titration."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stimctl import limits
from stimctl.errors import Misuse, Unsafe
from stimctl.session.targets import TargetRules

S = 1_000_000


def at(applied_ua: int, ceiling_ua: int = 2_000) -> TargetRules:
    return started({1: applied_ua}, ceiling_ua)


def started(applied_ua: dict[int, int], ceiling_ua: int = 2_000) -> TargetRules:
    """Rules for a run that was started towards these."""
    rules = TargetRules(applied_ua, ceiling_ua)
    rules.started(applied_ua, 0)
    return rules


def apply(rules: TargetRules, channel: int, target_ua: int, now_us: int) -> None:
    """A target is wanted, sent and applied."""
    rules.want(channel, target_ua)
    rules.sent(channel, target_ua)
    rules.applied(channel, target_ua, now_us)


def test_up_is_one_step_and_one_a_second() -> None:
    rules = at(1_000)
    assert rules.up(1, 0) == 1_100
    apply(rules, 1, 1_100, 0)
    with pytest.raises(Unsafe, match="one step a second"):
        rules.up(1, 999_999)
    assert rules.up(1, S) == 1_200
    apply(rules, 1, 1_200, 5 * S)
    with pytest.raises(Unsafe, match="one step a second"):
        rules.up(1, 6 * S - 1)
    assert rules.up(1, 6 * S) == 1_300


@pytest.mark.parametrize("asked_ua", [1_101, 1_500, 2_000])
def test_more_than_a_step_up_is_refused(asked_ua: int) -> None:
    with pytest.raises(Unsafe, match="one step up is 100 uA"):
        at(1_000).to(1, asked_ua, 10 * S)


def test_the_sessions_ceiling_holds_and_is_named() -> None:
    assert at(1_400, ceiling_ua=1_500).up(1, 0) == 1_500
    with pytest.raises(Unsafe, match="ceiling is 1500 uA"):
        at(1_500, ceiling_ua=1_500).up(1, 0)


@given(st.integers(500, 2_000), st.integers(0, 2_000), st.integers(0, 10 * S))
def test_down_is_never_refused(applied_ua: int, asked_ua: int, now_us: int) -> None:
    if asked_ua <= applied_ua:
        assert at(applied_ua).to(1, asked_ua, now_us) == (asked_ua if asked_ua >= 500 else 0)


def test_what_stands_may_be_asked_for_again_at_any_time() -> None:
    rules = at(1_000)
    apply(rules, 1, 1_100, S)
    assert rules.to(1, 1_100, S) == 1_100
    assert at(400).to(1, 400, 0) == 0, "below 0.5 mA only a raise stands"


@pytest.mark.parametrize(("applied_ua", "expected_ua"), [(2_000, 1_900), (600, 500), (599, 0), (500, 0), (300, 0)])
def test_a_step_down_that_would_stand_below_half_a_milliampere_is_zero(applied_ua: int, expected_ua: int) -> None:
    assert at(applied_ua).down(1) == expected_ua


def test_a_step_down_is_from_what_was_asked_for_last() -> None:
    rules = at(1_000)
    rules.want(1, 800)
    assert rules.down(1) == 700
    apply(rules, 1, 800, 0)
    rules.want(1, 900)
    assert rules.down(1) == 700, "a raise that is not answered yet is no place to step down from"


def test_titration_rises_from_zero_by_steps_and_may_not_dawdle() -> None:
    rules = at(0)
    for step in range(1, 5):
        assert rules.up(1, step * S) == step * 100
        apply(rules, 1, step * 100, step * S)
    assert rules.titrating
    assert rules.titration_overdue(S + limits.TITRATION_US) is None
    assert rules.titration_overdue(S + limits.TITRATION_US + 1) == 1
    apply(rules, 1, 500, 30 * S)
    assert not rules.titrating
    assert rules.titration_overdue(10_000 * S) is None, "at 0.5 mA it is over"


def test_a_raise_waits_for_the_answer_to_the_last_change() -> None:
    rules = at(1_000)
    rules.want(1, rules.to(1, 800, 0))
    with pytest.raises(Misuse, match="not answered"):
        rules.up(1, 0)
    assert rules.to(1, 700, 0) == 700, "lowering never waits"
    assert rules.to(1, 800, 0) == 800, "what is wanted already may be asked for again"
    with pytest.raises(Misuse, match="not answered"):
        rules.to(1, 801, 0)
    assert rules[1].highest_ua == 1_000


def test_what_is_resumed_after_a_hold_is_never_below_half_a_milliampere() -> None:
    rules = started({1: 300, 2: 700})
    rules.on_hold()
    assert rules.by_channel("resume_ua") == {1: 0, 2: 700}


def test_lowering_the_last_channel_to_zero_is_seen() -> None:
    rules = started({1: 600, 2: 0})
    assert rules.leaves_nothing(1, 0)
    assert not rules.leaves_nothing(2, 0)
    assert not rules.leaves_nothing(1, 500)
    assert not started({1: 600, 2: 600}).leaves_nothing(1, 0)
    assert not started({1: 600, 2: 600, 3: 0}).leaves_nothing(1, 0), "the second is left"
    assert not started({1: 0, 2: 0}).leaves_nothing(1, 0), "there was nothing"


def test_at_rest_a_target_is_lowered_and_never_raised() -> None:
    rules = started({1: 1_000})
    rules.on_hold()
    assert rules.lower(1, 1_000) == 1_000
    assert rules.lower(1, 499) == 0
    rules.want(1, rules.lower(1, 700))
    with pytest.raises(Misuse, match="it will go to 700 uA"):
        rules.lower(1, 701)
    assert rules.down(1) == 600


@pytest.mark.parametrize("ask", ["up", "down", "to", "lower"])
def test_a_channel_that_is_not_prescribed_is_named(ask: str) -> None:
    rules = TargetRules({2: 0, 1: 0}, 2_000)
    with pytest.raises(Misuse, match=r"channel 3 is not in the prescription; it has \[1, 2\]"):
        {
            "up": lambda: rules.up(3, 0),
            "down": lambda: rules.down(3),
            "to": lambda: rules.to(3, 0, 0),
            "lower": lambda: rules.lower(3, 0),
        }[ask]()
