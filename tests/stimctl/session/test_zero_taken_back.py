"""A zero that a device takes back: by a status, by a reading, once or again and again, before the report or after."""

from dataclasses import replace

import pytest

from stimctl import limits
from stimctl.session.closing import CAME_BACK_US, GIVE_UP_RECORDS_US, GIVE_UP_STOP_US
from stimctl.session.dose_tracker import CAME_BACK
from stimctl.session.states import State
from stimctl.session.view import PULL_THE_LEADS, Priority
from stimctl.wire.codes import DeviceState
from tests.stimctl.session.test_closing import (
    ACKNOWLEDGED,
    BOOT,
    IDENTITY,
    SESSION,
    STOP_US,
    ZERO,
    Bench,
    records,
    status,
)
from tests.stimctl.session.world import S


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "the device takes back that its output is at zero"),
        (1, "channel 1 carries current after its zero was confirmed"),
    ],
)
def test_a_last_word_that_is_of_no_zero_is_stopped_anew_and_silence_leaves_it_in_doubt(number: int, text: str) -> None:
    bench = Bench().stop()
    bench.closing.on_zero(ZERO, STOP_US + 3_000)
    bench.closing.on_told(1 - number, STOP_US + 3_000, at_zero=True)
    bench.closing.on_told(number, STOP_US + 4_000, at_zero=False)
    back_us = STOP_US + 3_000 + GIVE_UP_RECORDS_US
    bench.closing.watch_time(back_us - 1)
    assert bench.alarms() == []
    bench.closing.watch_time(back_us)
    assert bench.alarms() == [(Priority.HIGH, text, PULL_THE_LEADS)]
    assert bench.line.command == [("stop", STOP_US), ("stop", back_us)]
    bench.closing.on_zero(ZERO._replace(device_time_us=60 * S), back_us + 1)
    assert bench.closing.zero is not None
    assert bench.closing.sure_zero is None
    due_us = back_us + 1 + GIVE_UP_RECORDS_US
    assert bench.closing.deadline_us() == due_us
    bench.closing.watch_time(due_us)
    assert bench.closing.report is not None
    assert bench.closing.report.zero_confirmed_us is None
    assert "read" not in [each[0] for each in bench.line.command], "no counts of what may still flow"
    assert len(bench.log.of("stop")) == 1
    assert len(bench.alarms()) == 1


def test_a_zero_that_is_taken_back_again_and_again_is_in_the_report_after_5_s() -> None:
    bench = Bench().stop()
    for after_s in (0, 1, 4):
        bench.closing.on_zero(ZERO._replace(device_time_us=(50 + after_s) * S), STOP_US + after_s * S)
        bench.closing.on_zero_taken_back(1, STOP_US + after_s * S + 10)
    bench.closing.on_zero(ZERO._replace(device_time_us=60 * S), STOP_US + 4 * S + 20)
    due_us = STOP_US + 10 + GIVE_UP_STOP_US
    assert bench.closing.deadline_us() == due_us
    bench.closing.on_told(1, due_us - 1, at_zero=False)
    bench.closing.watch_time(due_us - 1)
    assert bench.closing.report is None
    bench.closing.watch_time(due_us)
    assert bench.closing.report is not None
    assert len(bench.alarms()) == 1


def test_a_zero_that_was_taken_back_and_lasts_then_is_logged_and_counted() -> None:
    bench = Bench().stop().zero()
    bench.closing.on_zero_taken_back(1, STOP_US + 4_000)
    bench.zero(ZERO._replace(after_us=9_000, device_time_us=60 * S))
    assert [(each["tried"], each["after_us"]) for each in bench.log.of("stop")] == [(False, 3_000), (False, 9_000)]
    assert bench.line.command[-1] == ("read", (1,), STOP_US + 9_000)
    bench.closing.on_records(records(), STOP_US + 10_000)
    assert bench.closing.report is not None
    assert bench.closing.report.zero_confirmed_us == 9_000
    assert bench.closing.report.agreement["reason"] == CAME_BACK


def test_the_device_may_forget_once_its_newest_word_is_of_zero() -> None:
    bench = Bench().stop().zero()
    bench.closing.on_records(records(), STOP_US + 4_000)
    bench.closing.on_told(1, STOP_US + 5_000, at_zero=True)
    bench.closing.on_told(1, STOP_US + 6_000, at_zero=False)
    bench.want()
    bench.closing.durable(STOP_US + 7_000)
    assert bench.line.command[-1][0] == "read"
    assert bench.closing.deadline_us() == STOP_US + 7_000 + GIVE_UP_RECORDS_US
    for after_us in (8_000, 9_000):
        bench.closing.on_told(1, STOP_US + after_us, at_zero=True)
    assert bench.line.command[-1] == ("acknowledge", SESSION, STOP_US + 8_000)
    assert [each[0] for each in bench.line.command].count("acknowledge") == 1
    assert bench.closing.deadline_us() == STOP_US + 8_000 + GIVE_UP_RECORDS_US
    bench.closing.on_acknowledged(ACKNOWLEDGED, STOP_US + 10_000)
    assert bench.context.state is State.ENDED
    assert bench.alarms() == []


def test_a_device_that_boots_and_is_not_at_zero_may_not_forget_either() -> None:
    bench = Bench().stop().zero()
    bench.closing.on_records(records(), STOP_US + 4_000)
    bench.closing.on_status(status(DeviceState.IDLE, 1, BOOT + 1), STOP_US + 5_000)
    bench.closing.durable(STOP_US + 6_000)
    assert bench.line.command[-1][0] == "read"


def test_while_its_zero_is_in_doubt_the_session_goes_on_for_60_s_and_no_longer() -> None:
    for after_us, ended in ((-1, False), (0, True)):
        bench = Bench().stop().zero()
        bench.closing.on_records(records(), STOP_US + 4_000)
        bench.closing.on_zero_taken_back(1, STOP_US + 5_000)
        bench.closing.durable(STOP_US + 6_000)
        last_us = STOP_US + limits.STOP_TRY_US - CAME_BACK_US
        bench.closing.on_zero(ZERO._replace(device_time_us=99 * S), last_us + after_us)
        assert (bench.context.state is State.ENDED) is ended
        assert ("acknowledge", SESSION) not in [each[:2] for each in bench.line.command]
    taken_back = Bench().stop().zero()
    taken_back.closing.on_told(1, STOP_US + S, at_zero=False)
    taken_back.closing.watch_time(STOP_US + limits.STOP_TRY_US)
    assert taken_back.closing.report is not None, "not begun anew"


def test_a_zero_in_doubt_is_waited_for_with_a_log_that_is_done_before_it() -> None:
    bench = Bench().stop().zero()
    bench.closing.on_records(records(), STOP_US + 4_000)
    bench.closing.on_zero_taken_back(1, STOP_US + 5_000)
    bench.closing.on_zero(ZERO._replace(device_time_us=60 * S), STOP_US + 6_000)
    bench.closing.durable(STOP_US + 7_000)
    assert bench.context.state is State.STOPPING
    assert ("acknowledge", SESSION) not in [each[:2] for each in bench.line.command]


def test_counts_from_before_current_came_back_are_not_all_and_stay_in_the_device() -> None:
    bench = Bench().stop().zero()
    bench.closing.on_records(records(), STOP_US + 4_000)
    bench.closing.on_zero_taken_back(1, STOP_US + 5_000)
    bench.zero(ZERO._replace(after_us=6_000, device_time_us=60 * S))
    assert bench.context.state is State.STOPPING, "the log has the last entry not yet"
    bench.closing.durable(STOP_US + 7_000)
    assert bench.context.state is State.ENDED
    assert ("acknowledge", SESSION) not in [each[:2] for each in bench.line.command]


def test_a_boards_own_statuses_take_no_zero_back_and_its_second_zero_is_not_exact() -> None:
    bench = Bench()
    bench.context.device.identity = replace(IDENTITY, by_lease=True)
    bench.stop().closing.on_zero(ZERO, STOP_US + 3_000)
    bench.closing.on_status(status(DeviceState.ENDED, 51 * S), STOP_US + 4_000)
    bench.closing.watch_time(bench.closing.deadline_us())
    assert bench.alarms() == []
    another = Bench()
    another.context.device.identity = replace(IDENTITY, by_lease=True)
    another.stop().closing.on_zero(ZERO, STOP_US + 3_000)
    another.closing.stop_anew("somebody else started it", STOP_US + 4_000)
    another.closing.on_zero(ZERO._replace(device_time_us=60 * S), STOP_US + 5_000)
    another.closing.on_records(records(), STOP_US + 6_000)
    assert another.closing.report is not None
    assert (another.closing.report.agreement["exact"], another.closing.report.zero_confirmed_us) == (None, 5_000)
