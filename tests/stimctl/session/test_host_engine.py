"""Keepalives, deadlines, silence and a lost line: what the engine does as time goes by, driven by hand."""

from dataclasses import replace

import pytest

from stimctl import limits
from stimctl.entries import NoteTaken
from stimctl.errors import IllegalEvent, LineFault, LineLost, TimedOut
from stimctl.session.closing import GIVE_UP_STOP_US
from stimctl.session.commands import AskStop, CheckIn, LineGone, Proceed
from stimctl.session.engine import STOOD_STILL_US, Engine
from stimctl.session.plausibility import Implausible, Plausibility
from stimctl.session.preparation import CHECK_SLACK_US
from stimctl.session.states import End, Pending, State, Task
from stimctl.session.view import Priority
from stimctl.stimulators.base import EntryNoted, Identity, StimulatorFailed
from stimctl.stimulators.native import STOP_FRAME
from stimctl.waveform import CHECK_US
from stimctl.wire import codec as m
from stimctl.wire.codes import DeviceState, Purpose
from tests.stimctl.session.host_alone import ARMED_US, BY_LEASE, Bad, engine, look
from tests.stimctl.session.test_plausibility import IDENTITY
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
    due.heard_us, due.due_us, made._context.times.alive_due_us = 10 * S, theirs_us, alive_us
    made._deadline_us = 10 * S + 1
    assert made.step(10 * S).deadline_us == next_us


def test_a_keepalive_is_sent_each_250_ms_once_one_is_due() -> None:
    made, due = engine()
    made._context.times.alive_due_us = 10 * S
    for now_us in (10 * S - 1, 10 * S, 10 * S + limits.KEEPALIVE_US - 1, 10 * S + limits.KEEPALIVE_US):
        due.heard_us = now_us
        look(made, now_us)
    assert due.kept_us == [10 * S, 10 * S + limits.KEEPALIVE_US]
    assert made._context.times.alive_due_us == 10 * S + 2 * limits.KEEPALIVE_US


@pytest.mark.parametrize(("silent_us", "ends"), [(limits.CHECK_IN_US, False), (limits.CHECK_IN_US + 1, True)])
def test_no_keepalive_without_a_front_end(silent_us: int, ends: bool) -> None:
    made, due = engine()
    made._context.times.alive_due_us = due.heard_us = 10 * S
    look(made, 10 * S, checked_in_us=10 * S - silent_us)
    assert (end_of(made) is End.FRONT_END) is ends
    assert due.kept_us == [10 * S] * (not ends)
    assert len(made._context.alarms) == ends


def test_no_keepalive_without_a_log() -> None:
    made, due = engine(Bad(Tape()))
    made._context.times.alive_due_us = due.heard_us = 10 * S
    look(made, 10 * S)
    assert (end_of(made), due.kept_us) == (End.LOG, [])


def test_what_the_adapter_tells_in_time_is_heard() -> None:
    log = ListLog(Tape())
    made, due = engine(log)
    due.heard_us, due.told = 10 * S, [EntryNoted(NoteTaken(text="here"))]
    look(made, 10 * S)
    assert log.of("note") == [{"text": "here"}]


def test_with_each_keepalive_every_timer_is_looked_at() -> None:
    made, due = engine()
    made._context.times.armed_us = ARMED_US
    made._context.times.alive_due_us = due.heard_us = now_us = ARMED_US + limits.SESSION_US + 1
    look(made, now_us)
    assert end_of(made) is End.SESSION_EXPIRED


@pytest.mark.parametrize(
    ("purpose", "state", "targets_ua"),
    [(Purpose.STIMULATE, State.ARMED, {1: 1_000}), (Purpose.CHECK_IMPEDANCE, State.CHECKING, {})],
)
def test_keepalives_begin_with_the_arm_and_the_session_with_its_first(
    purpose: Purpose, state: State, targets_ua: dict[int, int]
) -> None:
    log = ListLog(Tape())
    made, due = engine(log)
    made._context.state = State.CHECKED
    made._prepare.on_armed(_armed(purpose), 10 * S)
    assert (made._context.times.armed_us, made._context.times.alive_due_us) == (10 * S, 10 * S + limits.KEEPALIVE_US)
    assert (made._context.device.session_number, made.state) == (5, state)
    assert made._context.is_pending(Task.STARTING)
    assert due.started == targets_ua
    assert len(log.of("armed")) == 1
    made._context.state = State.CHECKED
    made._prepare.on_armed(_armed(purpose), 20 * S)
    assert (made._context.times.armed_us, made._context.times.alive_due_us) == (10 * S, 20 * S + limits.KEEPALIVE_US)


def end_of(made: Engine) -> End | None:
    """Why it ends, if it does."""
    ending = made._context.ending
    return None if ending is None else ending.end


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
    made._context.state, made._context.pending = was, Pending(Task.STARTING, 10 * S)
    made._context.times.alive_due_us = 11 * S
    made._stimulate.hold(10 * S, "")
    status = m.Status(
        device_time_us=0, boot_id=1, state=told, segment=0, end_reason=0, zero=0, active_mask=0, session=5,
        stimulation_us=0, time_left_us=0, segment_left_us=0, hold_left_ms=0, keepalive_age_ms=0,
    )  # fmt: skip
    made._telemetry._auto = frozenset()  # somebody is there to start it again
    made._telemetry._watch_rest(status, IDENTITY, 10 * S)
    assert made.state is now
    assert (made._stimulate.hold_next is not None) is kept, (
        "what was not started needs no hold, nor does the next start"
    )
    assert made._context.is_pending(Task.STARTING) is kept
    assert made._context.times.alive_due_us == (11 * S if kept else None)


def test_a_reading_that_asks_for_a_hold_where_nothing_is_stimulated_is_a_surprise_and_breaks_no_loop() -> None:
    made, _ = engine()
    made._context.state = State.HELD
    with pytest.raises(IllegalEvent, match="nothing is stimulated while 'held'"):
        made._stimulate.found(Implausible(End.IMPLAUSIBLE, "no contact", hold=True), 10 * S)


@pytest.mark.parametrize(("late_us", "end"), [(0, None), (1, End.IMPLAUSIBLE)])
@pytest.mark.parametrize("channels", [1, 2])
def test_an_impedance_check_may_last_as_long_as_its_pulses_and_a_little(
    channels: int, late_us: int, end: End | None
) -> None:
    made, _ = engine(rx=prescription(profile="bench-100hz", amplitudes_ma=dict.fromkeys(range(1, channels + 1), 1.0)))
    assert len(made._context.targets.channels) == channels
    made._context.state, made._context.times.entered_us = State.RECHECKING, 10 * S
    made._prepare.watch_check(10 * S + channels * CHECK_US + CHECK_SLACK_US + late_us)
    assert end_of(made) is end
    assert len(made._context.alarms) == late_us


@pytest.mark.parametrize(
    ("told", "end"),
    [(DeviceState.ARMED, End.IMPLAUSIBLE), (DeviceState.CHECKING, End.IMPLAUSIBLE), (DeviceState.TESTED, None)],
)
def test_asking_for_what_a_check_found_may_last_longer(told: DeviceState, end: End | None) -> None:
    made, _ = engine()
    made._context.state, made._context.times.entered_us = State.CHECKING, 10 * S
    made._context.device.status = m.Status(*[0] * len(m.Status._fields))._replace(state=told)
    made._prepare.watch_check(12 * S)
    assert end_of(made) is end


def test_what_is_no_check_may_last() -> None:
    made, _ = engine()
    made._prepare.watch_check(3_600 * S)
    assert end_of(made) is None


@pytest.mark.parametrize(("pending", "end"), [(Pending(Task.CHECK, 0), End.IMPLAUSIBLE), (None, None)])
def test_an_impedance_check_that_does_not_end_is_ended(pending: Pending | None, end: End | None) -> None:
    made, due = engine()
    made._context.state, made._context.pending, made._context.times.entered_us = State.CHECKING, pending, 0
    made._context.times.alive_due_us = due.heard_us = 60 * S
    look(made, 60 * S)
    assert end_of(made) is end


def test_a_stop_that_is_not_answered_is_given_up_in_the_report_but_not_in_what_is_sent() -> None:
    made, due = engine()
    look(made, 10 * S, command=[AskStop()])
    due.heard_us = 0
    look(made, 10 * S + GIVE_UP_STOP_US - 1)
    assert made.report is None
    look(made, 10 * S + GIVE_UP_STOP_US)
    assert made.report is not None
    assert end_of(made) is End.OPERATOR


@pytest.mark.parametrize(("ago_us", "lost"), [(limits.SILENCE_US - 1, False), (limits.SILENCE_US, True)])
def test_half_a_second_without_a_frame_is_a_lost_line(ago_us: int, lost: bool) -> None:
    made, due = engine()
    due.heard_us = 10 * S - ago_us
    look(made, 10 * S)
    assert (end_of(made) is End.LINE_LOST) is lost


def test_a_device_is_not_expected_to_speak_before_the_handshake() -> None:
    made, due = engine()
    made._context.device.identity, made._context.state = None, State.IDLE
    due.heard_us = 0
    look(made, 10 * S)
    assert (end_of(made), due.heard_us) == (None, 10 * S)


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
    made._context.times.armed_us, made._context.device.identity = armed_us, identity
    look(made, 10 * S, command=[LineGone(LineLost("the port is gone"))])
    assert end_of(made) is End.LINE_LOST
    actions = [alarm.action for alarm in made._context.alarms if alarm.text == "the port is gone"]
    assert actions == [action] * bool(action)


@pytest.mark.parametrize("armed_us", [None, ARMED_US])
@pytest.mark.parametrize(
    ("lost", "action"),
    [
        (LineLost("the port is gone"), "PULL THE LEADS: its output may stay driven"),
        (TimedOut("no answer"), "its output may stay driven; if in doubt PULL THE LEADS"),
    ],
)
def test_of_a_device_that_may_stay_driven_nobody_says_that_its_output_ends(
    armed_us: int | None, lost: LineFault, action: str
) -> None:
    made, due = engine()
    due.may_stay_driven, made._context.times.armed_us = True, armed_us
    made._failures.line_lost(lost, 10 * S)
    assert [alarm.action for alarm in made._context.alarms if alarm.text == str(lost)] == [action]


def test_a_line_that_goes_while_stopping_closes_the_session_without_another_alarm() -> None:
    made, _ = engine()
    made._context.times.armed_us = ARMED_US
    look(made, 10 * S, command=[AskStop()])
    look(made, 10 * S + 1, command=[LineGone(LineLost("the port is gone"))])
    assert made.report is not None
    assert made.report.end is End.OPERATOR
    assert "the port is gone" not in [alarm.text for alarm in made._context.alarms]


def test_silence_while_stopping_does_not_give_the_line_up() -> None:
    made, due = engine()
    look(made, 10 * S, command=[AskStop()])
    due.told = [StimulatorFailed(TimedOut("silent"))]
    look(made, 10 * S + 1)
    assert made.report is None
    assert made._context.state is State.STOPPING


def test_the_session_is_no_longer_driven_once_it_stops() -> None:
    """While stopping, silence is the stop's affair, and no keepalive goes out."""
    made, due = engine()
    made._context.times.alive_due_us = 10 * S
    look(made, 9 * S, command=[AskStop()])
    due.heard_us = 0
    assert look(made, 10 * S).deadline_us > 10 * S
    assert (end_of(made), due.kept_us) == (End.OPERATOR, [])


# --- a device at rest ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kept_alive", [False, True])
@pytest.mark.parametrize(
    ("state", "by_lease", "armed", "status_us", "channel_us", "entered_us", "told_us"),
    [
        (State.TESTED, False, False, 10 * S + 2, None, 10 * S, 10 * S + 2),
        (State.TESTED, False, False, 10 * S, None, 10 * S + 3, 10 * S + 3),
        (State.CHECKED, False, True, 10 * S + 5, 10 * S + 4, 10 * S, 10 * S + 4),
        (State.CHECKED, False, True, 10 * S + 4, 10 * S + 5, 10 * S, 10 * S + 4),
        (State.CHECKED, False, True, 10 * S + 4, None, 10 * S + 1, 10 * S + 1),
        (State.CHECKED, True, True, 10 * S, None, 10 * S, None),
        (State.RUNNING, False, True, 10 * S + 4, None, 10 * S, None),
    ],
)
def test_a_device_at_rest_has_to_tell_of_itself_and_of_each_channel(
    state: State,
    by_lease: bool,
    armed: bool,
    status_us: int,
    channel_us: int | None,
    entered_us: int,
    told_us: int | None,
    kept_alive: bool,
) -> None:
    made, due = engine()
    context, times = made._context, made._context.times
    context.device.identity = replace(IDENTITY, by_lease=by_lease)
    context.state, times.armed_us = state, 10 * S if armed else None
    times.status_us, times.entered_us = status_us, entered_us
    times.quiet_us = {} if channel_us is None else {1: channel_us}
    times.alive_due_us = 20 * S if kept_alive else None
    due.heard_us = made._deadline_us = 10 * S + 400_000
    # When the device has to be heard from, if it has told of all that.
    by_us = (10 * S + 400_000 if told_us is None else told_us) + limits.SILENCE_US
    assert made.step(10 * S + 400_000).deadline_us == by_us
    due.heard_us = by_us - 1
    made.step(by_us - 1)
    assert end_of(made) is None
    made._deadline_us = by_us
    made.step(by_us)
    assert end_of(made) is (None if told_us is None else End.LINE_LOST)


# --- a program that stood still ------------------------------------------------------------------------------


@pytest.mark.parametrize(("late_us", "told"), [(STOOD_STILL_US, False), (STOOD_STILL_US + 1, True)])
def test_a_turn_later_than_its_deadline_by_over_a_fifth_of_a_second_is_told(late_us: int, told: bool) -> None:
    assert STOOD_STILL_US == 200_000
    made, due = engine()
    times = made._context.times
    due.heard_us = times.checked_in_us = made._deadline_us = 10 * S
    made._turned_us = 10 * S - 90_000
    times.alive_due_us = 11 * S
    turn = made.step(10 * S + late_us)
    assert [alarm.text for alarm in turn.events] == ["this program stood still for 0.3 s"] * told
    assert [alarm.priority for alarm in turn.events] == [Priority.LOW] * told
    assert made.state is State.TESTED


@pytest.mark.parametrize(("stops", "told"), [(True, ["this program stood still for 0.7 s"]), (False, [])])
def test_who_sleeps_in_a_stop_is_told_so_and_who_has_nothing_to_keep_alive_is_not(stops: bool, told: list[str]) -> None:
    made, due = engine()
    made._context.times.alive_due_us = None
    due.heard_us = made._deadline_us = made._turned_us = 10 * S
    if stops:
        made.step(10 * S, command=[AskStop()])
        made.step(10 * S)
    made._deadline_us = 10 * S
    turn = made.step(10 * S + 700_000)
    assert [alarm.text for alarm in turn.events if hasattr(alarm, "priority")] == told


def test_what_this_program_slept_through_an_impedance_check_does_not_last_longer_by() -> None:
    made, due = engine()
    times = made._context.times
    due.heard_us = times.checked_in_us = made._deadline_us = made._turned_us = 10 * S
    times.entered_us, times.alive_due_us = 9 * S, 11 * S
    made.step(10 * S + 700_000)
    assert times.entered_us == 9 * S + 700_000


def test_what_this_program_slept_through_is_no_time_that_a_task_takes() -> None:
    made, due = engine()
    times = made._context.times
    due.heard_us = times.checked_in_us = times.status_us = made._deadline_us = made._turned_us = 10 * S
    times.alive_due_us = 11 * S
    made._context.pending = Pending(Task.HOLD, 9 * S)
    made.step(10 * S + 700_000)
    assert made._context.pending == Pending(Task.HOLD, 9 * S + 700_000)


@pytest.mark.parametrize("after_us", [1_000, STOOD_STILL_US])
def test_what_was_due_at_the_last_turn_and_was_left_then_was_not_slept_through(after_us: int) -> None:
    """Two turns so little apart do not shift every timer twice."""
    made, due = engine()
    times = made._context.times
    made._deadline_us, made._turned_us = 9 * S, 10 * S
    due.heard_us = times.checked_in_us = times.status_us = 10 * S
    times.alive_due_us = 11 * S
    assert not made.step(10 * S + after_us).events
    assert due.heard_us == 10 * S


@pytest.mark.parametrize(("silent_us", "ends"), [(limits.WATCHDOG_US, False), (limits.WATCHDOG_US + 1, True)])
def test_longer_than_the_watchdog_waits_it_ends_the_session(silent_us: int, ends: bool) -> None:
    made, due = engine()
    times = made._context.times
    made._deadline_us = 10 * S + limits.KEEPALIVE_US
    times.alive_due_us = due.heard_us = times.checked_in_us = times.status_us = made._deadline_us
    turn = made.step(10 * S + silent_us)
    (alarm,) = [event for event in turn.events if hasattr(event, "priority")]
    assert alarm.priority is (Priority.HIGH if ends else Priority.LOW)
    assert (made.state is State.STOPPING) is ends
    if ends:
        assert made._context.ending is not None
        assert made._context.ending.end is End.STOOD_STILL


@pytest.mark.parametrize(("identity", "within"), [(IDENTITY, "1 s"), (BY_LEASE, "3 s")])
def test_whoever_stood_still_says_by_when_output_ends(identity: Identity, within: str) -> None:
    made, due = engine()
    made._context.device.identity = identity
    times = made._context.times
    times.alive_due_us = times.checked_in_us = due.heard_us = made._deadline_us = 10 * S
    turn = made.step(10 * S + limits.WATCHDOG_US + 1)
    (alarm,) = [event for event in turn.events if hasattr(event, "priority")]
    assert f"output ends within {within} by itself" in alarm.action


def test_without_a_keepalive_to_send_it_may_stand_still() -> None:
    """At its gate nobody is hurt by a pause, and it is no silence of the device's."""
    made, due = engine()
    made._context.times.armed_us, made._context.times.quiet_us = 10 * S, {1: 10 * S}
    made._deadline_us = due.heard_us = 10 * S
    turn = made.step(70 * S)
    assert turn.events == []
    assert made._context.times.quiet_us == {1: 70 * S}
    assert made.state is State.TESTED
    assert due.heard_us == 70 * S


def test_an_operator_who_goes_on_while_it_stood_still_is_heard_first() -> None:
    """The pause counts neither as the operator's nor as the device's silence."""
    made, due = engine()
    times = made._context.times
    made._deadline_us = due.heard_us = times.status_us = 10 * S
    times.alive_due_us = 10 * S + limits.KEEPALIVE_US
    times.checked_in_us = 10 * S - limits.CHECK_IN_US
    made.step(10 * S + 900_000, command=[Proceed()])
    assert made.state is not State.STOPPING
    assert due.kept_us == [10 * S + 900_000]


def test_what_it_slept_is_told_to_who_judges_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    made, due = engine()
    made._deadline_us = due.heard_us = 10 * S
    slept: list[int | tuple[int, int]] = []
    made._stimulate.plausibility = judge = Plausibility(
        IDENTITY, made._context.prescription.program, 2_000, made._context.targets
    )
    monkeypatch.setattr(judge, "stood_still", slept.append)
    monkeypatch.setattr(made._close, "stood_still", lambda *told: slept.append(told))
    made.step(10 * S + 300_000)
    assert slept == [300_000, (300_000, 10 * S + 300_000)]


# --- what else a step does -------------------------------------------------------------------------------


def test_a_check_in_and_a_keepalive_leave_their_times() -> None:
    made, due = engine()
    times = made._context.times
    times.alive_due_us = due.heard_us = made._deadline_us = 10 * S
    made.step(10 * S, command=[CheckIn()])
    assert (times.checked_in_us, times.alive_due_us) == (10 * S, 10 * S + limits.KEEPALIVE_US)


def test_damaged_frames_are_counted_by_the_minute_and_from_the_first_on() -> None:
    """The host's clock began two hours ago."""
    made, due = engine()
    telemetry, at_us = made._telemetry, 7_200 * S
    told: list[str] = []

    def watch(after_s: int, frames: int, damaged: int) -> list[str]:
        due.frames, due._splitter.damaged = frames, damaged
        telemetry.watch_line(at_us + after_s * S)
        told[:], before = [alarm.text for alarm in made._context.alarms], len(told)
        return [text.partition(" frames")[0] for text in told[before:]]

    assert watch(0, 5, 5) == ["5 of 10"], "also what came before the first keepalive"
    assert watch(1, 300, 9) == []
    assert watch(2, 300, 10) == ["10 of 310"], "twice as many"
    assert watch(60, 1_400, 13) == [], "the minute is over: from here on it is counted anew"
    assert watch(61, 1_420, 18) == ["5 of 25"], "the minute as a whole had less than one in a hundred"
    assert watch(120, 1_480, 20) == [], "this one has more"
    assert watch(121, 1_500, 27) == [], "so it is not told again before twice as many are"
    assert watch(180, 2_700, 27) == []
    assert watch(181, 2_720, 31) == []
    assert watch(182, 2_740, 32) == ["5 of 45"]
    assert watch(900, 3_000, 69) == ["42 of 342"], "a long time without a keepalive is judged before it is over"


def test_with_each_keepalive_the_line_is_looked_at() -> None:
    made, due = engine()
    due._splitter.damaged = 5
    made._context.times.alive_due_us = due.heard_us = 10 * S
    assert [event.text for event in look(made, 10 * S).events] == ["5 of 5 frames from the device came damaged"]


def test_a_silent_device_is_told_to_stop_all_the_same() -> None:
    """Only its answers are missing: the line may carry the stop."""
    made, due = engine()
    due.heard_us = 10 * S - limits.SILENCE_US
    assert look(made, 10 * S).output == STOP_FRAME
    assert made.report is None


def test_where_the_line_is_gone_nobody_waits_for_the_adapter() -> None:
    made, due = engine()
    due.due_us = 10 * S + 1
    due.take_output()
    turn = look(made, 10 * S, command=[LineGone(LineLost("the port is gone"))])
    assert turn.output == b""
    assert turn.deadline_us > 10 * S + 1


def test_a_session_that_has_ended_is_silent() -> None:
    made, _ = engine()
    made._context.state = State.ENDED
    assert look(made, 60 * S).events == []
