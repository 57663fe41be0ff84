"""Deadlines: what is due comes out in order."""

from firmware_sim.timers import NEVER_US, Timer, Timers


def test_nothing_set_is_never_due() -> None:
    timers = Timers()
    assert timers.next_us == NEVER_US
    assert timers.pop_due(NEVER_US - 1) is None


def test_due_comes_earliest_first_and_by_rank_at_the_same_instant() -> None:
    timers = Timers()
    timers.set(Timer.ZERO, 5)
    timers.set(Timer.FALL, 10)
    timers.set(Timer.WATCHDOG, 10)
    timers.set(Timer.STIMULATION, 10)
    popped = [timers.pop_due(10) for _ in range(5)]
    assert popped == [(Timer.ZERO, 5), (Timer.WATCHDOG, 10), (Timer.STIMULATION, 10), (Timer.FALL, 10), None]


def test_not_due_before_its_time() -> None:
    timers = Timers()
    timers.set(Timer.ARM, 10)
    assert timers.pop_due(9) is None
    assert timers.pop_due(10) == (Timer.ARM, 10)


def test_setting_again_replaces_and_cancelling_takes_out() -> None:
    timers = Timers()
    timers.set(Timer.WATCHDOG, 10)
    timers.set(Timer.WATCHDOG, 20)
    assert timers.at_us(Timer.WATCHDOG) == timers.next_us == 20
    timers.cancel(Timer.WATCHDOG, Timer.HOLD)
    assert timers.at_us(Timer.WATCHDOG) is None
    assert timers.next_us == NEVER_US
