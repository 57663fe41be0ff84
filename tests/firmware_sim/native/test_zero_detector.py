"""The zero watch: 20 ms without a break under 20 uA."""

import pytest

from firmware_sim.native.zero_detector import RESAMPLE_US, SAMPLE_US, ZeroDetector


def fed(samples: list[int]) -> list[bool]:
    watch = ZeroDetector()
    told = []
    for number, ua in enumerate(samples):
        watch.sample(number * 1_000, ua)
        told.append(watch.sure)
    return told


def test_sure_after_twenty_milliseconds_and_not_one_sample_sooner() -> None:
    assert fed([19] * 21) == [False] * 20 + [True]


def test_twenty_microamperes_are_not_zero() -> None:
    assert fed([20] * 100) == [False] * 100


def test_a_break_begins_the_watch_anew() -> None:
    told = fed([0] * 10 + [20] + [0] * 21)
    assert told == [False] * 31 + [True]


def test_a_current_that_shows_up_takes_the_zero_away() -> None:
    assert fed([0] * 21 + [500]) == [False] * 20 + [True, False]


def test_a_new_output_forgets() -> None:
    watch = ZeroDetector()
    watch.sample(0, 0)
    watch.sample(20_000, 0)
    assert watch.sure
    watch.restart()
    assert not watch.sure
    assert watch.since_us is None


def test_it_is_sampled_each_millisecond_until_it_is_sure() -> None:
    watch = ZeroDetector()
    watch.sample(0, 0)
    assert watch.next_sample_us(0) == SAMPLE_US
    watch.sample(20_000, 0)
    assert watch.next_sample_us(20_000) == 20_000 + RESAMPLE_US


def test_a_current_that_stays_is_sampled_less_often_and_its_end_is_seen_as_surely() -> None:
    watch, at_us, samples = ZeroDetector(), 0, 0
    while at_us < 1_000_000:
        watch.sample(at_us, 500)
        at_us, samples = watch.next_sample_us(at_us), samples + 1
    assert samples == pytest.approx(200 + 80, abs=2)
    began_us, told = at_us, []
    watch.became_sure = lambda *times_us: told.append(times_us)
    while not watch.sure:
        watch.sample(at_us, 0)
        at_us = watch.next_sample_us(at_us)
    watch.sample(at_us, 0)
    assert told == [(began_us + 20_000, began_us)]
