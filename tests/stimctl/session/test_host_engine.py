"""Keepalives, deadlines, silence and a lost line: what the engine does as time goes by, driven by hand."""

import pytest

from stimctl import limits
from stimctl.errors import LineLost, TimedOut
from stimctl.session.closing import GIVE_UP_STOP_US
from stimctl.session.preparation import CHECK_SLACK_US, CHECK_US
from stimctl.session.states import End, State
from stimctl.stimulators.base import Identity, Noted
from stimctl.wire import messages as m
from stimctl.wire.codes import DeviceState, Purpose
from tests.stimctl.session.host_alone import ARMED_US, BY_LEASE, Bad, engine
from tests.stimctl.session.test_watch import IDENTITY
from tests.stimctl.session.world import ListLog, S, Tape, prescription


@pytest.mark.parametrize(
    ("theirs_us", "alive_us", "next_us"),
    [
        (None, None, 10 * S + limits.SILENCE_US),
        (10 * S + 1, None, 10 * S + 1),
        (20 * S, None, 10 * S + limits.SILENCE_US),
        (None, 10 * S + 2, 10 * S + 2),
        (None, 20 * S, 10 * S + limits.SILENCE_US),
        (10 * S + 3, 10 * S + 2, 10 * S + 2),
        (10 * S + 1, 10 * S + 2, 10 * S + 1),
    ],
)
def test_the_next_deadline_is_the_earliest(theirs_us: int | None, alive_us: int | None, next_us: int) -> None:
    made, due = engine()
    due.heard_us, due.due_us, made._core.alive_due_us = 10 * S, theirs_us, alive_us
    assert made.next_deadline_us() == next_us


def test_a_keepalive_is_sent_each_250_ms_once_one_is_due() -> None:
    made, due = engine()
    made._core.alive_due_us = 10 * S
    for now_us in (10 * S - 1, 10 * S, 10 * S + limits.KEEPALIVE_US - 1, 10 * S + limits.KEEPALIVE_US):
        due.heard_us = now_us
        made.check_in(now_us)
        made.advance(now_us)
    assert due.kept_us == [10 * S, 10 * S + limits.KEEPALIVE_US]
    assert made._core.alive_due_us == 10 * S + 2 * limits.KEEPALIVE_US


@pytest.mark.parametrize(("silent_us", "ends"), [(limits.CHECK_IN_US, False), (limits.CHECK_IN_US + 1, True)])
def test_no_keepalive_without_a_front_end(silent_us: int, ends: bool) -> None:
    made, due = engine()
    made.check_in(10 * S - silent_us)
    made._core.alive_due_us = due.heard_us = 10 * S
    made.advance(10 * S)
    assert (made._core.end is End.FRONT_END) is ends
    assert due.kept_us == [10 * S] * (not ends)
    assert len(made._core.alarms) == ends


def test_no_keepalive_without_a_log() -> None:
    made, due = engine(Bad(Tape()))
    made._core.alive_due_us = due.heard_us = 10 * S
    made.check_in(10 * S)
    made.advance(10 * S)
    assert (made._core.end, due.kept_us) == (End.LOG, [])


def test_what_the_adapter_tells_in_time_is_heard() -> None:
    log = ListLog(Tape())
    made, due = engine(log)
    due.heard_us, due.told = 10 * S, [Noted("adapter", {"word": "here"})]
    made.advance(10 * S)
    assert log.of("adapter") == [{"word": "here"}]


def test_with_each_keepalive_every_timer_is_looked_at() -> None:
    made, due = engine()
    made._core.armed_us = ARMED_US
    made._core.alive_due_us = due.heard_us = now_us = ARMED_US + limits.SESSION_US + 1
    made.check_in(now_us)
    made.advance(now_us)
    assert made._core.end is End.SESSION_EXPIRED


@pytest.mark.parametrize(
    ("purpose", "state", "targets_ua"),
    [(Purpose.STIMULATE, State.ARMED, {1: 1_000}), (Purpose.CHECK_IMPEDANCE, State.CHECKING, {})],
)
def test_keepalives_begin_with_the_arm_and_the_session_with_its_first(
    purpose: Purpose, state: State, targets_ua: dict[int, int]
) -> None:
    log = ListLog(Tape())
    made, due = engine(log)
    made._core.state = State.CHECKED
    made._prepare.on_armed(_armed(purpose), 10 * S)
    assert (made._core.armed_us, made._core.alive_due_us) == (10 * S, 10 * S + limits.KEEPALIVE_US)
    assert (made._core.session_number, made._core.busy, made.state) == (5, "starting", state)
    assert due.started == targets_ua
    assert len(log.of("armed")) == 1
    made._core.state = State.CHECKED
    made._prepare.on_armed(_armed(purpose), 20 * S)
    assert (made._core.armed_us, made._core.alive_due_us) == (10 * S, 20 * S + limits.KEEPALIVE_US)


def _armed(purpose: Purpose) -> m.Armed:
    return m.Armed(purpose, 1, 2_000, 20 * S, 5_000, session=5, nonce=7, device_time_us=0)


@pytest.mark.parametrize(
    ("told", "was", "now", "kept"),
    [
        (DeviceState.TESTED, State.ARMED, State.TESTED, False),
        (DeviceState.HELD, State.REARMED, State.HELD, False),
        (DeviceState.ARMED, State.ARMED, State.ARMED, True),
    ],
)
def test_keepalives_end_with_an_arm_that_lapsed(told: DeviceState, was: State, now: State, kept: bool) -> None:
    made, _ = engine()
    made._core.state, made._core.busy, made._core.alive_due_us = was, "starting", 11 * S
    status = m.Status(
        device_time_us=0, boot_id=1, state=told, segment=0, end_reason=0, zero=0, active_mask=0, session=5,
        stimulation_us=0, time_left_us=0, segment_left_us=0, hold_left_ms=0, keepalive_age_ms=0,
    )  # fmt: skip
    made._prepare.on_lapsed(status, 10 * S)
    assert made.state is now
    assert (made._core.busy, made._core.alive_due_us) == (("starting", 11 * S) if kept else ("", None))


@pytest.mark.parametrize(("late_us", "end"), [(0, None), (1, End.IMPLAUSIBLE)])
@pytest.mark.parametrize("channels", [1, 2])
def test_an_impedance_check_may_last_as_long_as_its_pulses_and_a_little(
    channels: int, late_us: int, end: End | None
) -> None:
    made, _ = engine(rx=prescription(profile="bench-100hz", amplitudes_ma=dict.fromkeys(range(1, channels + 1), 1.0)))
    assert len(made._core.targets.channels) == channels
    made._core.state, made._core.entered_us = State.RECHECKING, 10 * S
    made._prepare.watch_check(10 * S + channels * CHECK_US + CHECK_SLACK_US + late_us)
    assert made._core.end is end
    assert len(made._core.alarms) == late_us


def test_what_is_no_check_may_last() -> None:
    made, _ = engine()
    made._prepare.watch_check(3_600 * S)
    assert made._core.end is None


@pytest.mark.parametrize(("busy", "end"), [("impedance check", End.IMPLAUSIBLE), ("", None)])
def test_an_impedance_check_that_does_not_end_is_ended(busy: str, end: End | None) -> None:
    made, due = engine()
    made._core.state, made._core.busy, made._core.entered_us = State.CHECKING, busy, 0
    made._core.alive_due_us = due.heard_us = 60 * S
    made.check_in(60 * S)
    made.advance(60 * S)
    assert made._core.end is end


def test_a_stop_that_is_not_answered_is_given_up_in_the_report_but_not_in_what_is_sent() -> None:
    made, due = engine()
    made.stop(10 * S)
    due.heard_us = 0
    made.advance(10 * S + GIVE_UP_STOP_US - 1)
    assert made.report is None
    made.advance(10 * S + GIVE_UP_STOP_US)
    assert made.report is not None
    assert made._core.end is End.OPERATOR


@pytest.mark.parametrize(("ago_us", "lost"), [(limits.SILENCE_US - 1, False), (limits.SILENCE_US, True)])
def test_half_a_second_without_a_frame_is_a_lost_line(ago_us: int, lost: bool) -> None:
    made, due = engine()
    due.heard_us = 10 * S - ago_us
    made.advance(10 * S)
    assert (made._core.end is End.LINE_LOST) is lost


def test_a_device_is_not_expected_to_speak_before_the_handshake() -> None:
    made, due = engine()
    made._core.identity, made._core.state = None, State.IDLE
    due.heard_us = 0
    made.advance(10 * S)
    assert (made._core.end, due.heard_us) == (None, 10 * S)


@pytest.mark.parametrize(
    ("armed_us", "identity", "action"),
    [
        (None, IDENTITY, None),
        (ARMED_US, IDENTITY, "output ends within 1 s by itself; if in doubt PULL THE LEADS"),
        (ARMED_US, BY_LEASE, "output ends within 3 s by itself; if in doubt PULL THE LEADS"),
        (ARMED_US, None, "output ends within 1 s by itself; if in doubt PULL THE LEADS"),
    ],
)
def test_a_lost_line_is_an_alarm_once_output_may_flow(
    armed_us: int | None, identity: Identity | None, action: str | None
) -> None:
    made, _ = engine()
    made._core.armed_us, made._core.identity = armed_us, identity
    made.line_lost(LineLost("the port is gone"), 10 * S)
    assert made._core.end is End.LINE_LOST
    assert [alarm.action for alarm in made._core.alarms if alarm.text == "the port is gone"] == [action] * bool(action)


def test_a_line_that_goes_while_stopping_closes_the_session_without_another_alarm() -> None:
    made, _ = engine()
    made._core.armed_us = ARMED_US
    made.stop(10 * S)
    made.line_lost(LineLost("the port is gone"), 10 * S + 1)
    assert made.report is not None
    assert made.report.end is End.OPERATOR
    assert "the port is gone" not in [alarm.text for alarm in made._core.alarms]


def test_silence_while_stopping_does_not_give_the_line_up() -> None:
    made, _ = engine()
    made.stop(10 * S)
    made.line_lost(TimedOut("silent"), 10 * S + 1)
    assert made.report is None
    assert made._core.state is State.STOPPING


def test_the_session_is_no_longer_driven_once_it_stops() -> None:
    """While stopping, silence is the stop's affair, and no keepalive goes out."""
    made, due = engine()
    made._core.alive_due_us = 10 * S
    made.stop(9 * S)
    due.heard_us = 0
    made.advance(10 * S)
    assert (made._core.end, due.kept_us) == (End.OPERATOR, [])
    assert made.next_deadline_us() > 10 * S
