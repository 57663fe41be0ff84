"""Deadlines: what is due comes out in order."""

from firmware_sim.native.timers import NEVER_US, Timer, Timers


def test_ranks_are_in_the_order_of_the_list_and_never_is_the_farthest_that_64_bits_hold() -> None:
    assert [timer.value for timer in Timer] == list(range(9))
    assert NEVER_US < 1 << 63 <= 2 * NEVER_US


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
    timers.set(Timer.WATCHDOG, 30)
    assert timers.pop_due(30) == (Timer.WATCHDOG, 30), "cancelled is not dead"


def test_cancelling_leaves_the_earliest_of_the_others_next() -> None:
    timers = Timers()
    for timer, at_us in ((Timer.HOLD, 10), (Timer.ARM, 20), (Timer.SAVE, 30)):
        timers.set(timer, at_us)
    timers.cancel(Timer.HOLD)
    assert timers.next_us == 20
    timers.cancel(Timer.SAVE)
    assert timers.next_us == 20


def test_a_dead_timer_is_set_and_cancelled_but_never_due() -> None:
    timers = Timers()
    timers.set(Timer.HOLD, 5)
    timers.set(Timer.ARM, 40)
    timers.set(Timer.SAVE, 50)
    timers.kill(Timer.HOLD)
    assert (timers.next_us, timers.at_us(Timer.HOLD)) == (40, 5)
    timers.set(Timer.HOLD, 10)
    timers.kill(Timer.HOLD)
    assert (timers.next_us, timers.at_us(Timer.HOLD)) == (40, 10)
    assert timers.pop_due(39) is None
    timers.cancel(Timer.HOLD)
    assert timers.at_us(Timer.HOLD) is None
    timers.revive(Timer.HOLD, 20)
    assert timers.next_us == 40


def test_the_last_timer_dies_too() -> None:
    timers = Timers()
    timers.set(Timer.WATCHDOG, 10)
    timers.kill(Timer.WATCHDOG)
    assert timers.next_us == NEVER_US


def test_what_fell_due_while_dead_falls_due_at_revival() -> None:
    for set_us, due_us in ((10, 20), (30, 30)):
        timers = Timers()
        timers.set(Timer.WATCHDOG, set_us)
        timers.kill(Timer.WATCHDOG)
        timers.revive(Timer.WATCHDOG, 20)
        assert timers.pop_due(due_us - 1) is None
        assert timers.pop_due(due_us) == (Timer.WATCHDOG, due_us)


def test_what_fell_due_while_nobody_looked_is_put_off() -> None:
    timers = Timers()
    timers.put_off(5)
    assert timers.next_us == NEVER_US
    timers.set(Timer.HOLD, 10)
    timers.set(Timer.ARM, 30)
    timers.put_off(20)
    assert timers.next_us == timers.at_us(Timer.HOLD) == 20
    assert timers.at_us(Timer.ARM) == 30
