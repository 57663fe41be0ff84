"""Deadlines: what is due comes out in order."""

from firmware_sim.analog.load_changes import NEVER_US
from firmware_sim.native.timers import DeviceTimer, DeviceTimers


def test_ranks_are_in_the_order_of_the_list_and_never_is_the_farthest_that_64_bits_hold() -> None:
    assert [timer.value for timer in DeviceTimer] == list(range(9))
    assert NEVER_US < 1 << 63 <= 2 * NEVER_US


def test_nothing_set_is_never_due() -> None:
    timers = DeviceTimers()
    assert timers.next_us == NEVER_US
    assert timers.pop_due(NEVER_US - 1) is None


def test_due_comes_earliest_first_and_by_rank_at_the_same_instant() -> None:
    timers = DeviceTimers()
    timers.set(DeviceTimer.ZERO, 5)
    timers.set(DeviceTimer.FALL, 10)
    timers.set(DeviceTimer.WATCHDOG, 10)
    timers.set(DeviceTimer.STIMULATION, 10)
    popped = [timers.pop_due(10) for _ in range(5)]
    assert popped == [
        (DeviceTimer.ZERO, 5),
        (DeviceTimer.WATCHDOG, 10),
        (DeviceTimer.STIMULATION, 10),
        (DeviceTimer.FALL, 10),
        None,
    ]


def test_not_due_before_its_time() -> None:
    timers = DeviceTimers()
    timers.set(DeviceTimer.ARM, 10)
    assert timers.pop_due(9) is None
    assert timers.pop_due(10) == (DeviceTimer.ARM, 10)


def test_setting_again_replaces_and_cancelling_takes_out() -> None:
    timers = DeviceTimers()
    timers.set(DeviceTimer.WATCHDOG, 10)
    timers.set(DeviceTimer.WATCHDOG, 20)
    assert timers.at_us(DeviceTimer.WATCHDOG) == timers.next_us == 20
    timers.cancel(DeviceTimer.WATCHDOG, DeviceTimer.HOLD)
    assert timers.at_us(DeviceTimer.WATCHDOG) is None
    assert timers.next_us == NEVER_US
    timers.set(DeviceTimer.WATCHDOG, 30)
    assert timers.pop_due(30) == (DeviceTimer.WATCHDOG, 30), "cancelled is not dead"


def test_cancelling_leaves_the_earliest_of_the_others_next() -> None:
    timers = DeviceTimers()
    for timer, at_us in ((DeviceTimer.HOLD, 10), (DeviceTimer.ARM, 20), (DeviceTimer.SAVE, 30)):
        timers.set(timer, at_us)
    timers.cancel(DeviceTimer.HOLD)
    assert timers.next_us == 20
    timers.cancel(DeviceTimer.SAVE)
    assert timers.next_us == 20


def test_a_dead_timer_is_set_and_cancelled_but_never_due() -> None:
    timers = DeviceTimers()
    timers.set(DeviceTimer.HOLD, 5)
    timers.set(DeviceTimer.ARM, 40)
    timers.set(DeviceTimer.SAVE, 50)
    timers.kill(DeviceTimer.HOLD)
    assert (timers.next_us, timers.at_us(DeviceTimer.HOLD)) == (40, 5)
    timers.set(DeviceTimer.HOLD, 10)
    timers.kill(DeviceTimer.HOLD)
    assert (timers.next_us, timers.at_us(DeviceTimer.HOLD)) == (40, 10)
    assert timers.pop_due(39) is None
    timers.cancel(DeviceTimer.HOLD)
    assert timers.at_us(DeviceTimer.HOLD) is None
    timers.revive(DeviceTimer.HOLD, 20)
    assert timers.next_us == 40


def test_the_last_timer_dies_too() -> None:
    timers = DeviceTimers()
    timers.set(DeviceTimer.WATCHDOG, 10)
    timers.kill(DeviceTimer.WATCHDOG)
    assert timers.next_us == NEVER_US


def test_what_fell_due_while_dead_falls_due_at_revival() -> None:
    for set_us, due_us in ((10, 20), (30, 30)):
        timers = DeviceTimers()
        timers.set(DeviceTimer.WATCHDOG, set_us)
        timers.kill(DeviceTimer.WATCHDOG)
        timers.revive(DeviceTimer.WATCHDOG, 20)
        assert timers.pop_due(due_us - 1) is None
        assert timers.pop_due(due_us) == (DeviceTimer.WATCHDOG, due_us)


def test_what_fell_due_while_nobody_looked_is_put_off() -> None:
    timers = DeviceTimers()
    timers.put_off(5)
    assert timers.next_us == NEVER_US
    timers.set(DeviceTimer.HOLD, 10)
    timers.set(DeviceTimer.ARM, 30)
    timers.put_off(20)
    assert timers.next_us == timers.at_us(DeviceTimer.HOLD) == 20
    assert timers.at_us(DeviceTimer.ARM) == 30
