"""From the stop to the last entry, step by step: what is sent, written, told and waited for, and in which order."""

from dataclasses import replace
from typing import Any

import pytest

from stimctl import limits
from stimctl.session.closing import GIVE_UP_RECORDS_US, GIVE_UP_STOP_US, Closing
from stimctl.session.context import NEVER_US, AwaitDurable, Context, Ending, SessionOver
from stimctl.session.dose_tracker import CAME_BACK, UNSEEN
from stimctl.session.failures import Failures
from stimctl.session.states import End, State, Task
from stimctl.session.view import EXAMINE, PULL_THE_LEADS, UNRESTED, Priority
from stimctl.stimulators.base import Identity, SessionCounts, ZeroConfirmed, ZeroOverdue
from stimctl.stimulators.identity_pages import identified
from stimctl.stimulators.native import NativeAdapter
from stimctl.wire import codec as m
from stimctl.wire.codes import DeviceState
from tests.stimctl.session.world import ListLog, S, Tape, at_1_ma

SESSION, BOOT, STOP_US = 5, 7, 100 * S
ACKNOWLEDGED = m.Acknowledged(SESSION, int(DeviceState.IDLE), 50 * S)
ZERO = ZeroConfirmed(3_000, 2_000, 4, device_time_us=50 * S)
IDENTITY: Identity = identified(
    m.Welcome(2, BOOT, 1, 0, 0),
    m.Maker(b"model", b"serial"),
    m.Firmware(0, 1, 0, bytes(32)),
    m.Ranges(*([0] * len(m.Ranges._fields)))._replace(channels=4),
).identity


class Line(NativeAdapter):
    """An adapter that notes what is asked of it."""

    def __init__(self) -> None:
        super().__init__()
        self.command: list[tuple[Any, ...]] = []
        self.kept: SessionCounts | None = None
        self.frames = 11
        self.overtaken = False

    @property
    def damaged_frames(self) -> int:
        return 3

    @property
    def unanswered(self) -> bool:
        return self.overtaken

    def stop(self, now_us: int) -> None:
        self.command.append(("stop", now_us))

    def read_records(self, channels: Any, now_us: int) -> None:
        self.command.append(("read", tuple(channels), now_us))

    def acknowledge(self, session: int, now_us: int) -> None:
        self.command.append(("acknowledge", session, now_us))

    def kept_records(self, channels: Any) -> SessionCounts | None:
        self.command.append(("kept", tuple(channels)))
        return self.kept


class Bench:
    """A session that runs, and what closes it."""

    def __init__(self, state: State = State.RUNNING, *, armed: bool = True, known: bool = True) -> None:
        self.line = Line()
        self.log = ListLog(Tape())
        self.context = Context(self.line, at_1_ma(), self.log, lambda _now_us: None)
        self.closing = Closing(self.context, "the session")
        self.context.stop = self.closing.stop
        self.context.state = state
        if known:
            self.context.device.identity = IDENTITY
        if armed:
            self.context.times.armed_us = 1
            self.context.device.session_number = SESSION

    def stop(self, end: End = End.OPERATOR, text: str = "") -> "Bench":
        self.closing.stop(STOP_US, end, text)
        return self

    def zero(self, zero: ZeroConfirmed = ZERO) -> "Bench":
        """It is told, and the next telemetry bears it out."""
        self.closing.on_zero(zero, STOP_US + zero.after_us)
        self.borne_out(zero.device_time_us + 1, STOP_US + zero.after_us)
        return self

    def borne_out(self, device_time_us: int, now_us: int) -> None:
        self.closing.on_status(at_zero(device_time_us), now_us)
        if not self.context.by_lease:
            self.closing.on_told(1, now_us, at_zero=True)

    def want(self) -> Any:
        want, self.context.want = self.context.want, None
        return want

    def alarms(self) -> list[tuple[Priority, str, str]]:
        return [(alarm.priority, alarm.text, alarm.action) for alarm in self.context.alarms]


def records(session: int = SESSION, counted: int = SESSION, measured: int = SESSION) -> SessionCounts:
    """What a device says of a session in which nothing was given."""
    record = m.SessionRecord(session, BOOT, 1, 2_000, 1, 0, 0, 0, 0, 0, 0)
    counters = (m.Counters(1, counted, 0, 0, 0, 0, 0),)
    return SessionCounts(record, counters, (m.Measured(1, measured, 0, 0, 0, 0, 0, 0, 0),))


def status(state: DeviceState, device_time_us: int, boot_id: int = BOOT) -> m.Status:
    zeros = m.Status(*([0] * len(m.Status._fields)))
    return zeros._replace(state=state, device_time_us=device_time_us, boot_id=boot_id)


def at_zero(device_time_us: int) -> m.Status:
    return status(DeviceState.ENDED, device_time_us)._replace(zero=1)


def test_where_nothing_was_armed_zero_is_in_no_doubt_unless_the_board_may_stay_driven() -> None:
    bench = Bench()
    bench.context.times.armed_us = None
    assert bench.closing.zero_in_doubt is False
    bench.line.may_stay_driven = True
    assert bench.closing.zero_in_doubt is True


# --- the line goes while the device is put at rest -------------------------------------------------------


@pytest.mark.parametrize(
    ("by_lease", "stays", "alarms"),
    [
        (False, False, []),
        (True, False, [(Priority.HIGH, "the line was lost while the board was put at rest", UNRESTED)]),
        (True, True, [(Priority.HIGH, "zero output was not confirmed", PULL_THE_LEADS)]),
    ],
)
def test_a_line_that_goes_as_a_board_is_put_at_rest_leaves_it_in_doubt(
    by_lease: bool, stays: bool, alarms: list[tuple[Priority, str, str]]
) -> None:
    bench = Bench()
    bench.context.device.identity = replace(IDENTITY, by_lease=by_lease)
    bench.line.may_stay_driven = stays
    bench.stop().zero()
    assert bench.closing.lose_line(STOP_US + 4_000)
    assert bench.alarms() == alarms
    assert bench.closing.report is not None
    assert (bench.closing.report.zero_confirmed_us is None) is stays
    # Before its zero it was not put at rest yet; once it is at rest, nothing is left in doubt.
    before = Bench()
    before.context.device.identity, before.line.may_stay_driven = replace(IDENTITY, by_lease=by_lease), stays
    before.stop().closing.lose_line(STOP_US + 1)
    assert before.alarms() == [(Priority.HIGH, "zero output was not confirmed", PULL_THE_LEADS)]
    later = Bench()
    later.context.device.identity, later.line.may_stay_driven = replace(IDENTITY, by_lease=by_lease), stays
    later.stop().zero().closing.on_records(records(), STOP_US + 4_000)
    assert later.closing.lose_line(STOP_US + 5_000)
    assert later.alarms() == []


def test_a_zero_in_doubt_is_an_alarm_also_before_anything_was_armed() -> None:
    bench = Bench(State.IDLE, armed=False)
    bench.line.may_stay_driven = True
    bench.stop().closing.lose_line(STOP_US + 4_000)
    assert bench.alarms() == [(Priority.HIGH, "zero output was not confirmed", PULL_THE_LEADS)]


# --- the stop ---------------------------------------------------------------------------------------


def test_a_stop_stops_the_device_first_and_what_was_under_way() -> None:
    bench = Bench()
    bench.context.begin(Task.HOLD, 0)
    bench.context.want, bench.context.times.alive_due_us = AwaitDurable(), 5
    bench.context.targets.started({1: 1_000}, 0)
    bench.stop(End.SIGNAL)
    assert bench.line.command == [("stop", STOP_US)]
    assert bench.context.state is State.STOPPING
    assert bench.context.ending == Ending(End.SIGNAL, End.SIGNAL.value)
    assert (bench.context.pending, bench.context.want, bench.context.times.alive_due_us) == (None, None, None)
    assert not bench.context.targets.running
    assert bench.log.of("state") == [{"was": "running", "now": "stopping", "end": str(End.SIGNAL)}]
    assert bench.closing.report is None


def test_what_a_check_gave_that_was_broken_off_is_logged_before_the_end() -> None:
    bench = Bench(State.CHECKING).stop().zero()
    bench.closing.on_records(records()._replace(checked=(m.Impedance(1, 600, 4, 100, 99, 80_000, 7),)), STOP_US + 9)
    (told,) = bench.log.of("impedance")
    assert (told["channel"], told["pulses"], told["charge_pc"]) == (1, 4, 80_000)
    assert [entry.kind for entry in bench.log.entries][-2:] == ["impedance", "closed"]


def test_a_stop_says_more_where_more_is_said_and_a_second_one_changes_nothing() -> None:
    bench = Bench().stop(End.IMPLAUSIBLE, "too much")
    bench.closing.stop(STOP_US + 1, End.OPERATOR, "again")
    assert bench.context.ending == Ending(End.IMPLAUSIBLE, "too much")
    assert bench.line.command == [("stop", STOP_US)]
    ended = Bench(State.ENDED).stop()
    assert ended.context.ending is None


def test_what_was_cut_ahead_is_not_stopped_again_and_its_time_is_the_stops() -> None:
    bench = Bench()
    assert bench.closing.may_cut
    bench.closing.cut(STOP_US - 4_000)
    assert not bench.closing.may_cut
    bench.stop()
    assert bench.line.command == [("stop", STOP_US - 4_000)]
    assert bench.closing.deadline_us() == STOP_US - 4_000 + GIVE_UP_STOP_US


@pytest.mark.parametrize("state", State)
def test_whatever_is_not_over_may_be_cut(state: State) -> None:
    closing = Bench(state).closing
    assert closing.may_cut is (state not in (State.STOPPING, State.ENDED))
    closing.line_gone = True
    assert not closing.may_cut


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("overtaken", [True, False])
def test_an_order_without_its_answer_leaves_the_dose_open(*, before: bool, overtaken: bool) -> None:
    """Another dose than was commanded is then no device's fault."""
    bench = Bench().stop().zero()
    bench.context.dose_tracker.unanswered, bench.line.overtaken = before, overtaken
    counted = m.Counters(1, SESSION, 1, 0, 200_000, 0, 0)
    bench.closing.on_records(records()._replace(counters=(counted,)), STOP_US + 4_000)
    assert bench.closing.report is not None
    assert bench.closing.report.agreement["exact"] is (None if before or overtaken else False)


@pytest.mark.parametrize(
    ("pulses", "charge_pc", "contradiction"),
    [(10_000_000, 0, None), (1, 10**12, None), (1, 200_000, "the device's clock went back")],
)
def test_no_lost_answer_explains_more_than_a_whole_session_gives_or_what_makes_no_sense(
    pulses: int, charge_pc: int, contradiction: str | None
) -> None:
    bench = Bench().stop().zero()
    bench.line.overtaken, bench.context.dose_tracker.contradiction = True, contradiction
    counted = m.Counters(1, SESSION, pulses, 0, charge_pc, 0, 0)
    bench.closing.on_records(records()._replace(counters=(counted,)), STOP_US + 4_000)
    assert bench.closing.report is not None
    assert bench.closing.report.agreement["exact"] is False
    assert bench.alarms()[-1][2] == EXAMINE


@pytest.mark.parametrize(
    ("more", "exact"), [((0, 0, 0), None), ((1, 0, 0), False), ((0, 1, 0), False), ((0, 0, 1), False)]
)
def test_a_lost_answer_explains_what_each_run_may_have_begun_with(
    more: tuple[int, int, int], exact: bool | None
) -> None:
    """After a hold each band begins anew: it may have more pulses than an unbroken session has in it."""
    bench = Bench().stop().zero()
    bench.line.overtaken = True
    dose_tracker, rx = bench.context.dose_tracker, bench.context.prescription
    for _ in range(2):
        dose_tracker.started({1: 500}, 0)
        dose_tracker.on_hold(0)
    (segment,) = rx.program.segments
    more_pulses, more_pc, second_band = more
    pulses = rx.stimulation_us // segment.period_us + 3 + more_pulses
    charge_pc = pulses * segment.width_us * rx.ceiling_ua + more_pc
    counted = m.Counters(1, SESSION, pulses, second_band, charge_pc, 0, 0)
    bench.closing.on_records(records()._replace(counters=(counted,)), STOP_US + 4_000)
    assert bench.closing.report is not None
    assert bench.closing.report.agreement["exact"] is exact


def test_that_zero_is_overdue_is_told_once_until_it_is_confirmed() -> None:
    """A stop that is begun anew measures another time; output that comes back is in doubt anew."""
    bench = Bench().stop()
    failures = Failures(bench.context, bench.closing)
    failures.on_zero_overdue(ZeroOverdue(100_312), STOP_US + 100_312)
    failures.on_zero_overdue(ZeroOverdue(101_290), STOP_US + 201_000)
    assert len(bench.alarms()) == 1
    bench.zero()
    failures.on_zero_overdue(ZeroOverdue(100_312), STOP_US + S)
    assert len(bench.alarms()) == 2


def test_an_intruder_who_is_being_stopped_does_not_shorten_the_stop() -> None:
    bench = Bench().stop()
    before_us = bench.closing.deadline_us()
    for _ in range(60_000):
        bench.closing.stop_anew("somebody else gives it orders", STOP_US + 1)
    assert bench.closing.deadline_us() == before_us


def test_without_a_line_nothing_is_sent_and_the_report_is_drawn_up_at_once() -> None:
    bench = Bench()
    assert bench.closing.lose_line(STOP_US) is False
    assert bench.context.state is State.RUNNING
    bench.stop(End.LINE_LOST)
    assert ("stop", STOP_US) not in bench.line.command
    assert bench.closing.report is not None
    assert bench.want() == AwaitDurable()
    bench.closing.durable(STOP_US + 1)
    assert (bench.want(), bench.context.state) == (SessionOver(), State.ENDED)
    assert bench.alarms() == [(Priority.HIGH, "zero output was not confirmed", PULL_THE_LEADS)]


# --- zero, counts, log, acknowledgement -----------------------------------------------------------------


def test_counts_are_read_after_zero_and_forgotten_after_the_log() -> None:
    bench = Bench().stop().zero()
    assert bench.log.of("stop") == [
        {"tried": False, "after_us": 3_000, "answered_us": 2_000, "measured_ua": 4, "measured": True}
    ]
    assert bench.closing.zero is ZERO
    assert bench.context.device.answered_us == 50 * S
    assert bench.line.command[1:] == [("read", (1,), STOP_US + 3_000)]
    assert (bench.closing.report, bench.context.want) == (None, None)
    bench.closing.on_records(records(), STOP_US + 4_000)
    report = bench.closing.report
    assert report is not None
    assert (report.session_id, report.end, report.armed) == ("the session", End.OPERATOR, True)
    assert (report.frames, report.damaged_frames) == (11, 3)
    assert report.agreement["exact"] is True
    assert report.zero_confirmed_us == 3_000
    assert ("kept", (1,)) not in bench.line.command
    assert len(bench.log.of("closed")) == 1
    assert (bench.want(), bench.context.is_pending(Task.WRITING_LOG)) == (AwaitDurable(), True)
    bench.closing.durable(STOP_US + 5_000)
    assert bench.line.command[-1] == ("acknowledge", SESSION, STOP_US + 5_000)
    assert bench.context.is_pending(Task.ACKNOWLEDGING)
    assert bench.want() is None
    bench.closing.on_acknowledged(ACKNOWLEDGED, STOP_US + 6_000)
    assert (bench.want(), bench.context.state, bench.context.pending) == (SessionOver(), State.ENDED, None)
    assert bench.alarms() == []


def test_where_nothing_was_armed_nothing_is_read_or_forgotten() -> None:
    bench = Bench(State.TESTED, armed=False).stop().zero()
    assert bench.line.command == [("stop", STOP_US)]
    report = bench.closing.report
    assert report is not None
    assert not report.armed
    bench.closing.durable(STOP_US + 5_000)
    assert (bench.want(), bench.context.state) == (SessionOver(), State.ENDED)


def test_an_arm_without_its_answer_may_have_been_taken() -> None:
    bench = Bench(State.CHECKED, armed=False)
    bench.context.begin(Task.ARMING, 0)
    bench.stop()
    bench.closing.close(STOP_US + GIVE_UP_STOP_US)
    report = bench.closing.report
    assert report is not None
    assert report.armed
    assert bench.alarms() == [(Priority.HIGH, "zero output was not confirmed", PULL_THE_LEADS)]


def test_where_nobody_was_there_it_ends_without_a_log() -> None:
    bench = Bench(State.IDLE, armed=False, known=False).stop()
    bench.closing.close(STOP_US + 1)
    assert (bench.want(), bench.context.state, bench.log.entries) == (SessionOver(), State.ENDED, [])
    assert bench.closing.report is not None
    assert bench.closing.report.band_us == (0, 0)


def test_what_the_host_kept_is_the_record_where_the_device_keeps_none() -> None:
    bench = Bench()
    bench.line.kept = records()
    bench.stop()
    bench.closing.close(STOP_US + 1)
    assert bench.line.command[-1] == ("kept", (1,))
    assert bench.closing.report is not None
    assert bench.closing.report.delivered is not None


@pytest.mark.parametrize("others", [{"session": 6}, {"counted": 6}, {"measured": 6}])
def test_another_sessions_counts_are_neither_used_nor_forgotten(others: dict[str, int]) -> None:
    bench = Bench().stop().zero()
    bench.closing.on_records(records(**others), STOP_US + 4_000)
    assert bench.closing.report is not None
    assert bench.closing.report.delivered is None
    told = {SESSION, 6}
    assert bench.context.dose_tracker.contradiction == f"asked for session 5, the device told of {told}"
    bench.closing.durable(STOP_US + 5_000)
    assert bench.want() == SessionOver()
    assert not [each for each in bench.line.command if each[0] == "acknowledge"]


def test_a_count_that_is_not_what_was_commanded_is_an_alarm_and_in_the_report() -> None:
    bench = Bench().stop().zero()
    wrong = records()
    counters = (wrong.counters[0]._replace(pulses_0=1, charge_0_pc=600_000),)
    bench.closing.on_records(wrong._replace(counters=counters), STOP_US + 4_000)
    alarm = (
        Priority.HIGH,
        "the device's count is not what was commanded",
        "do not use this device until it has been examined",
    )
    assert bench.alarms() == [alarm]
    bench.closing.durable(STOP_US + 5_000)
    bench.closing.on_acknowledged(ACKNOWLEDGED, STOP_US + 6_000)
    assert bench.closing.report is not None
    assert [each.text for each in bench.closing.report.alarms] == [alarm[1]]
    assert bench.closing.report.zero_confirmed_us == 3_000


def test_the_report_is_drawn_up_once() -> None:
    bench = Bench().stop().zero()
    bench.closing.close(STOP_US + 4_000)
    bench.closing.close(STOP_US + 5_000)
    assert len(bench.log.of("closed")) == 1


def test_how_far_it_came_without_records_is_what_was_told_last() -> None:
    bench = Bench()
    bench.context.dose_tracker.started({1: 1_000}, 0)
    bench.context.device.status = status(DeviceState.RUNNING, 9)._replace(stimulation_us=10 * S)
    bench.stop().zero()
    bench.closing.close(STOP_US + 4_000)
    assert bench.closing.report is not None
    assert sum(bench.closing.report.commanded["1"]["pulses"]) > 100


def test_of_a_run_of_which_nothing_was_told_no_pulse_was_surely_given() -> None:
    bench = Bench()
    bench.context.dose_tracker.started({1: 1_000}, 0)
    bench.stop().zero()
    bench.closing.close(STOP_US + 4_000)
    assert bench.closing.report is not None
    assert sum(bench.closing.report.commanded["1"]["pulses"]) == 0


def test_times_are_as_they_are_said() -> None:
    assert (GIVE_UP_STOP_US, GIVE_UP_RECORDS_US, NEVER_US) == (5 * S, 2 * S, 1 << 62)


def test_no_report_before_there_is_a_stop_and_none_is_told_of_leads_where_nothing_was_armed() -> None:
    bench = Bench(State.TESTED, armed=False).stop()
    bench.closing.close(STOP_US + 1)
    assert bench.alarms() == []


# --- zero that does not come, or comes late ----------------------------------------------------------------


def test_zero_is_waited_for_5_s_then_written_down_and_stopped_for_60_s() -> None:
    bench = Bench().stop()
    assert bench.closing.deadline_us() == STOP_US + GIVE_UP_STOP_US
    bench.closing.watch_time(STOP_US + GIVE_UP_STOP_US - 1)
    assert bench.closing.report is None
    bench.closing.watch_time(STOP_US + GIVE_UP_STOP_US)
    assert bench.closing.report is not None
    assert bench.alarms() == [(Priority.HIGH, "zero output was not confirmed", PULL_THE_LEADS)]
    assert bench.closing.deadline_us() == NEVER_US, "the log has a limit of its own"
    bench.closing.watch_time(NEVER_US)
    assert bench.want() == AwaitDurable()
    bench.closing.durable(STOP_US + 6 * S)
    assert (bench.want(), bench.context.pending) == (None, None)
    assert bench.closing.deadline_us() == STOP_US + limits.STOP_TRY_US
    bench.closing.watch_time(STOP_US + limits.STOP_TRY_US - 1)
    assert bench.want() is None
    bench.closing.watch_time(STOP_US + limits.STOP_TRY_US)
    assert bench.want() == SessionOver()
    assert bench.closing.report.zero_confirmed_us is None
    assert bench.context.state is State.ENDED


def test_a_zero_after_the_last_entry_ends_it_and_reads_nothing() -> None:
    bench = Bench().stop()
    bench.closing.watch_time(STOP_US + GIVE_UP_STOP_US)
    bench.closing.durable(STOP_US + 6 * S)
    bench.want()
    bench.closing.on_zero(ZERO._replace(after_us=7 * S), STOP_US + 7 * S)
    assert (bench.want(), bench.context.state) == (SessionOver(), State.ENDED)
    assert not [each for each in bench.line.command if each[0] == "read"]


def test_what_this_program_slept_through_is_no_time_that_the_device_had() -> None:
    bench = Bench()
    bench.closing.stood_still(7 * S, STOP_US)  # nothing was asked for yet
    bench.stop().closing.stood_still(7 * S, STOP_US)
    assert bench.closing.deadline_us() == STOP_US + GIVE_UP_STOP_US, "the stop was sent as it awoke"
    bench.closing.stood_still(7 * S, STOP_US + 8 * S)
    assert bench.closing.deadline_us() == STOP_US + GIVE_UP_STOP_US + 7 * S


def test_where_the_line_is_gone_too_a_last_entry_that_cannot_be_written_is_the_end() -> None:
    bench = Bench().stop()
    bench.closing.lose_line(STOP_US + 1)
    bench.want()
    bench.closing.log_failed("the disk is full", STOP_US + 2)
    assert (bench.want(), bench.context.state) == (SessionOver(), State.ENDED)


@pytest.mark.parametrize("zero", [True, False])
def test_a_last_entry_that_cannot_be_written_does_not_end_the_stops(zero: bool) -> None:
    bench = Bench().stop()
    bench.closing.watch_time(STOP_US + GIVE_UP_STOP_US)
    bench.want()
    bench.closing.log_failed("the disk is full", STOP_US + 6 * S)
    assert (bench.want(), bench.context.state) == (None, State.STOPPING)
    assert bench.closing.deadline_us() == STOP_US + limits.STOP_TRY_US
    if zero:
        bench.closing.on_zero(ZERO._replace(after_us=7 * S), STOP_US + 7 * S)
    else:
        bench.closing.watch_time(STOP_US + limits.STOP_TRY_US)
    assert (bench.want(), bench.context.state) == (SessionOver(), State.ENDED)
    assert bench.closing.report is not None
    assert [alarm.text for alarm in bench.closing.report.alarms][-1] == "the disk is full"


@pytest.mark.parametrize("written", [True, False])
def test_a_zero_while_the_last_entry_is_written_waits_for_that(written: bool) -> None:
    bench = Bench().stop()
    bench.closing.watch_time(STOP_US + GIVE_UP_STOP_US)
    bench.want()
    bench.zero(ZERO._replace(after_us=GIVE_UP_STOP_US + 1))
    assert (bench.want(), bench.context.state) == (None, State.STOPPING)
    if written:
        bench.closing.durable(STOP_US + 6 * S)
    else:
        bench.closing.log_failed("the disk is full", STOP_US + 6 * S)
    assert (bench.want(), bench.context.state) == (SessionOver(), State.ENDED)
    assert bench.closing.report is not None
    assert any(alarm.text == "the disk is full" for alarm in bench.closing.report.alarms) is not written


def test_who_was_told_to_pull_the_leads_is_told_once() -> None:
    bench = Bench()
    bench.context.alarm(Priority.HIGH, "no zero", f"{PULL_THE_LEADS} now", 1)
    bench.stop()
    bench.closing.close(STOP_US + 1)
    assert len(bench.alarms()) == 1
    another = Bench()
    another.context.alarm(Priority.LOW, "another", "look", 1)
    another.stop()
    another.closing.close(STOP_US + 1)
    assert another.alarms()[1:] == [(Priority.HIGH, "zero output was not confirmed", PULL_THE_LEADS)]


def test_a_zero_that_came_is_no_alarm() -> None:
    bench = Bench().stop().zero()
    bench.closing.close(STOP_US + 1)
    assert bench.alarms() == []


def test_counts_are_asked_for_once_newer_telemetry_bears_the_zero_out() -> None:
    bench = Bench().stop()
    bench.closing.on_zero(ZERO, STOP_US + 3_000)
    bench.closing.on_told(1, STOP_US + S, at_zero=True)
    for told in (at_zero(50 * S), status(DeviceState.ENDED, 51 * S), at_zero(52 * S)._replace(boot_id=BOOT + 1)):
        bench.closing.on_status(told, STOP_US + S)
    assert bench.line.command == [("stop", STOP_US)]
    for at_us in (52 * S, 53 * S):
        bench.closing.on_status(at_zero(at_us), STOP_US + S)
    assert bench.line.command[1:] == [("read", (1,), STOP_US + S)]


def test_counts_of_a_device_whose_zero_nothing_bears_out_are_not_exact() -> None:
    bench = Bench().stop()
    bench.closing.on_zero(ZERO, STOP_US + 3_000)
    due_us = STOP_US + 3_000 + GIVE_UP_RECORDS_US
    bench.closing.watch_time(due_us - 1)
    assert bench.line.command == [("stop", STOP_US)]
    bench.closing.watch_time(due_us)
    assert bench.line.command[1:] == [("read", (1,), due_us)]
    bench.closing.on_records(records(), due_us + 1)
    assert bench.closing.report is not None
    agreement = bench.closing.report.agreement
    assert bench.closing.report.delivered == bench.closing.report.commanded
    assert (agreement["exact"], agreement["reason"]) == (None, UNSEEN)


def test_after_output_that_came_back_zero_is_borne_out_anew_and_the_counts_are_not_exact() -> None:
    bench = Bench().stop()
    bench.closing.on_zero(ZERO, STOP_US + 3_000)
    bench.closing.on_status(status(DeviceState.RUNNING, 51 * S), STOP_US + S)
    bench.closing.on_zero(ZERO._replace(device_time_us=52 * S), STOP_US + 2 * S)
    assert bench.line.command[-1] == ("stop", STOP_US + S)
    bench.borne_out(53 * S, STOP_US + 2 * S + 1)
    assert bench.line.command[-1] == ("read", (1,), STOP_US + 2 * S + 1)
    bench.closing.on_records(records(), STOP_US + 3 * S)
    assert bench.closing.report is not None
    assert bench.closing.report.agreement["exact"] is None
    assert bench.closing.report.zero_confirmed_us == 2 * S


def test_a_board_whose_zero_was_only_acknowledged_has_no_exact_dose() -> None:
    for measured in (True, False):
        bench = Bench()
        bench.context.device.identity = replace(IDENTITY, by_lease=True)
        bench.stop().closing.on_zero(ZERO._replace(measured=measured), STOP_US + 3_000)
        bench.closing.on_records(records(), STOP_US + 4_000)
        assert bench.closing.report is not None
        assert bench.closing.report.agreement["exact"] is (True if measured else None)


def test_output_that_comes_back_again_and_again_is_stopped_for_60_s() -> None:
    bench = Bench().stop()
    for after_s in range(60):
        assert bench.closing.deadline_us() <= STOP_US + limits.STOP_TRY_US
        now_us = STOP_US + after_s * S
        bench.closing.on_zero(ZERO._replace(device_time_us=now_us), now_us)
        bench.closing.on_status(status(DeviceState.RUNNING, now_us + 1), now_us)
    bench.closing.watch_time(STOP_US + limits.STOP_TRY_US)
    assert bench.want() == AwaitDurable()
    bench.closing.durable(STOP_US + limits.STOP_TRY_US)
    bench.closing.watch_time(STOP_US + limits.STOP_TRY_US)
    assert bench.want() == SessionOver()
    assert bench.closing.report is not None
    assert bench.closing.report.zero_confirmed_us is None


def test_records_are_waited_for_2_s_from_the_zero() -> None:
    bench = Bench().stop().zero()
    due_us = STOP_US + 3_000 + GIVE_UP_RECORDS_US
    assert bench.closing.deadline_us() == due_us
    bench.closing.watch_time(due_us - 1)
    assert bench.closing.report is None
    bench.closing.watch_time(due_us)
    assert bench.closing.report is not None


def test_an_acknowledgement_is_waited_for_2_s_from_its_order() -> None:
    bench = Bench().stop().zero()
    bench.closing.on_records(records(), STOP_US + 4_000)
    bench.want()
    bench.closing.durable(STOP_US + 9 * S)
    due_us = STOP_US + 9 * S + GIVE_UP_RECORDS_US
    assert bench.closing.deadline_us() == due_us
    bench.closing.watch_time(due_us - 1)
    assert bench.want() is None
    bench.closing.watch_time(due_us)
    assert bench.want() == SessionOver()


# --- the line and the log fail meanwhile --------------------------------------------------------------------


def test_a_line_lost_before_the_zero_is_the_end_of_waiting() -> None:
    bench = Bench().stop()
    assert bench.closing.lose_line(STOP_US + 1) is True
    assert bench.closing.report is not None
    assert (bench.want(), bench.context.state) == (AwaitDurable(), State.STOPPING)
    assert bench.closing.lose_line(STOP_US + 2) is True
    assert bench.want() is None, "the log is still waited for"
    bench.closing.durable(STOP_US + 3)
    assert bench.want() == SessionOver()


def test_a_line_lost_after_the_last_entry_ends_it_without_an_acknowledgement() -> None:
    bench = Bench().stop().zero()
    bench.closing.on_records(records(), STOP_US + 4_000)
    bench.closing.lose_line(STOP_US + 5_000)
    bench.want()
    bench.closing.durable(STOP_US + 6_000)
    assert bench.want() == SessionOver()
    assert not [each for each in bench.line.command if each[0] == "acknowledge"]
    later = Bench().stop().zero()
    later.closing.on_records(records(), STOP_US + 4_000)
    later.closing.durable(STOP_US + 5_000)
    later.want()
    later.closing.lose_line(STOP_US + 6_000)
    assert later.want() == SessionOver()


@pytest.mark.parametrize(
    ("identity", "action"),
    [
        (replace(IDENTITY, simulator=False), "the dose is still in the device: mend the log, then connect again"),
        (
            IDENTITY,
            "the dose is still in the device, which at sim:// ends with this program: mend the log, then connect again",
        ),
        (
            replace(IDENTITY, by_lease=True),
            "the device keeps no dose, and the log has not got it: write down what the summary says",
        ),
        (None, "the dose is still in the device: mend the log, then connect again"),
    ],
)
def test_a_last_entry_that_cannot_be_written_is_told_and_the_end(identity: Identity | None, action: str) -> None:
    bench = Bench().stop().zero()
    bench.closing.on_records(records(), STOP_US + 4_000)
    bench.context.device.identity = identity
    bench.closing.log_failed("the disk is full", STOP_US + 5_000)
    assert bench.alarms() == [(Priority.HIGH, "the disk is full", action)]
    assert (bench.want(), bench.context.state) == (SessionOver(), State.ENDED)
    assert bench.closing.report is not None
    assert len(bench.closing.report.alarms) == 1
    assert bench.closing.deadline_us() != NEVER_US


@pytest.mark.parametrize("by_lease", [False, True])
def test_where_nothing_was_armed_a_failed_log_has_lost_no_dose(by_lease: bool) -> None:
    bench = Bench(State.TESTED, armed=False)
    bench.context.device.identity = replace(IDENTITY, by_lease=by_lease)
    bench.stop().zero()
    bench.closing.log_failed("the disk is full", STOP_US + 5_000)
    action = "nothing was armed, so no dose is lost: mend the log, then start a new session"
    assert bench.alarms() == [(Priority.HIGH, "the disk is full", action)]
    assert (bench.want(), bench.context.state) == (SessionOver(), State.ENDED)


def test_what_is_told_of_earlier_entries_ends_nothing_before_the_zero_and_the_counts() -> None:
    """The log was waited for as the stop came: what comes of that is not about the last entry."""
    bench = Bench(State.CHECKED)
    bench.context.await_durable(0)
    bench.stop()
    bench.closing.durable(STOP_US + 1)
    bench.closing.log_failed("the disk is full", STOP_US + 2)
    assert (bench.want(), bench.context.state, bench.alarms()) == (None, State.STOPPING, [])
    bench.zero()
    bench.closing.durable(STOP_US + 4_000)
    bench.closing.log_failed("the disk is full", STOP_US + 4_001)
    assert (bench.want(), bench.context.state, bench.closing.report) == (None, State.STOPPING, None)
    bench.closing.on_records(records(), STOP_US + 5_000)
    assert bench.want() == AwaitDurable()


# --- output after the zero ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "after_us", "boot_id", "late_us", "renewed"),
    [
        (DeviceState.RUNNING, 1, BOOT, 4_000, True),
        (DeviceState.RUNNING, 0, BOOT, 500_000, False),
        (DeviceState.RUNNING, 0, BOOT, 500_001, True),
        (DeviceState.ENDED, 1, BOOT, 500_001, False),
        (DeviceState.RUNNING, 1, BOOT + 1, 4_000, True),
    ],
)
def test_output_after_the_zero_is_stopped_anew(
    state: DeviceState, after_us: int, boot_id: int, late_us: int, renewed: bool
) -> None:
    now_us = STOP_US + ZERO.after_us + late_us
    bench = Bench().stop().zero()
    bench.context.begin(Task.WRITING_LOG, 0)
    bench.closing.on_status(status(state, 50 * S + after_us, boot_id), now_us)
    assert (bench.closing.zero is None) is renewed
    assert (("stop", now_us) in bench.line.command) is renewed
    assert (bench.context.pending is None) is renewed
    alarm = (Priority.HIGH, "the device gives output again after its zero was confirmed", PULL_THE_LEADS)
    assert bench.alarms() == [alarm] * renewed
    if renewed:
        assert bench.closing.deadline_us() == now_us + GIVE_UP_STOP_US


def test_what_waited_while_this_program_stood_still_is_not_told_long_after_the_zero() -> None:
    bench = Bench().stop().zero()
    assert bench.closing.long_at_zero(STOP_US + ZERO.after_us + 500_001)
    bench.context.times.entered_us += S  # as the engine does for a second that was slept through
    assert not bench.closing.long_at_zero(STOP_US + ZERO.after_us + S)
    assert not Bench().stop().closing.long_at_zero(STOP_US + 60 * S)


@pytest.mark.parametrize(("zero", "lost"), [(False, False), (True, True), (False, True)])
def test_what_is_being_stopped_or_has_no_line_is_told_and_not_stopped_again(zero: bool, lost: bool) -> None:
    bench = Bench().stop()
    if zero:
        bench.zero()
    bench.closing.line_gone = lost
    bench.line.command.clear()
    bench.closing.stop_anew("somebody else started it", STOP_US + S)
    assert bench.alarms() == [(Priority.HIGH, "somebody else started it", PULL_THE_LEADS)]
    assert bench.line.command == []
    assert (bench.closing.zero is not None) is zero


def test_each_reason_is_told_once_and_stopped_each_time() -> None:
    bench = Bench().stop()
    for n, text in enumerate(["started", "started", "started otherwise"]):
        bench.zero()
        bench.closing.stop_anew(text, STOP_US + n * S)
    assert [text for _, text, _ in bench.alarms()] == ["started", "started otherwise"]
    assert [command for command in bench.line.command if command[0] == "stop"] == [
        ("stop", STOP_US), *(("stop", STOP_US + n * S) for n in range(3))
    ]  # fmt: skip


def test_each_time_that_output_comes_back_spends_a_thousandth_of_a_second_of_the_minute() -> None:
    """Where a virtual clock stands still, else nothing would end it."""
    bench = Bench().stop()
    times = limits.STOP_TRY_US // 1_000
    for n in range(times):
        bench.closing.on_zero(ZERO, STOP_US)
        assert bench.closing.deadline_us() == min(STOP_US + GIVE_UP_RECORDS_US, STOP_US + 60 * S - n * 1_000)
        bench.closing.stop_anew("started", STOP_US)
    assert bench.closing.deadline_us() == STOP_US


@pytest.mark.parametrize(
    ("by_lease", "before_us", "told_us"),
    [(True, None, 3_000), (False, None, None), (True, 7_000, 7_000), (False, 7_000, 7_000)],
)
def test_a_boards_zero_that_comes_after_the_last_entry_is_in_the_report(
    by_lease: bool, before_us: int | None, told_us: int | None
) -> None:
    """A board's is all that is known of it; of a device with counts a status has to bear it out."""
    bench = Bench().stop()
    bench.context.device.identity = replace(IDENTITY, by_lease=by_lease)
    if before_us is not None:
        bench.zero(ZERO._replace(after_us=before_us, measured=False))
        bench.closing.on_records(records(), STOP_US + 8_000)
        bench.closing.stop_anew("started", STOP_US + 9_000)
    else:
        bench.closing.close(STOP_US + GIVE_UP_STOP_US)
    bench.closing.durable(STOP_US + GIVE_UP_STOP_US)
    bench.closing.on_zero(ZERO._replace(device_time_us=60 * S), STOP_US + GIVE_UP_STOP_US + S)
    if told_us and not by_lease:
        assert bench.context.state is State.STOPPING
        bench.borne_out(61 * S, STOP_US + GIVE_UP_STOP_US + 2 * S)
    assert bench.context.state is State.ENDED
    assert ("acknowledge", SESSION) not in [each[:2] for each in bench.line.command]
    assert bench.closing.report is not None
    assert bench.closing.report.zero_confirmed_us == told_us
    measured = {None: None, 3_000: True, 7_000: False}[told_us]
    assert bench.closing.report.zero_measured is measured


def test_a_doubt_takes_the_reason_away_why_a_count_is_not_known_to_be_exact() -> None:
    bench = Bench().stop().zero()
    bench.line.overtaken = True
    bench.closing.on_records(
        records()._replace(counters=(m.Counters(1, SESSION, 1, 0, 200_000, 0, 0),)), STOP_US + 4_000
    )
    assert bench.closing.report is not None
    before = bench.closing.report.agreement
    assert before["reason"] is not None
    bench.closing.doubt_counts("somebody else started it")
    told = {"exact": False, "reason": None, "contradiction": "somebody else started it"}
    assert bench.closing.report.agreement == {**before, **told}


def test_a_zero_that_did_not_last_is_not_in_the_report() -> None:
    bench = Bench().stop().zero()
    bench.closing.on_records(records(), STOP_US + 4_000)
    bench.closing.on_status(status(DeviceState.RUNNING, 51 * S), STOP_US + S)
    bench.closing.lose_line(STOP_US + 2 * S)
    bench.closing.durable(STOP_US + 3 * S)
    assert bench.context.state is State.ENDED
    assert bench.closing.report is not None
    assert bench.closing.report.zero_confirmed_us is None


@pytest.mark.parametrize(
    ("drawn_up", "counted", "exact"), [(False, True, None), (True, True, False), (True, False, None)]
)
def test_counts_from_before_output_that_came_back_are_not_exact(drawn_up: bool, counted: bool, exact: bool) -> None:
    bench = Bench().stop().zero()
    told = "the device gives output again after its zero was confirmed" if drawn_up else CAME_BACK
    if drawn_up:
        bench.closing.on_records(records(counted=SESSION if counted else SESSION + 1), STOP_US + 4_000)
    bench.closing.on_status(status(DeviceState.RUNNING, 51 * S), STOP_US + S)
    bench.zero()
    if not drawn_up:
        bench.closing.on_records(records(), STOP_US + 2 * S)
    assert bench.closing.report is not None
    agreement = bench.closing.report.agreement
    assert agreement["exact"] is exact
    assert (agreement["contradiction" if drawn_up else "reason"] == told) is counted
    assert agreement["measured"] is (True if counted else None)


def test_before_the_zero_and_of_an_unknown_device_a_status_changes_nothing() -> None:
    before = Bench().stop()
    before.closing.on_status(status(DeviceState.RUNNING, 90 * S), STOP_US + S)
    unknown = Bench(known=False).stop().zero()
    unknown.closing.on_status(status(DeviceState.RUNNING, 90 * S), STOP_US + S)
    for bench in (before, unknown):
        assert bench.alarms() == []
        assert ("stop", STOP_US + S) not in bench.line.command


@pytest.mark.parametrize("simulator", [True, False])
def test_the_report_says_whether_it_was_a_simulator(simulator: bool) -> None:
    bench = Bench()
    bench.context.device.identity = replace(IDENTITY, simulator=simulator)
    bench.stop().zero()
    bench.closing.close(STOP_US + 4_000)
    assert bench.closing.report is not None
    assert bench.closing.report.simulator is simulator


@pytest.mark.parametrize("measured", [True, False])
def test_the_report_says_whether_its_zero_was_measured(measured: bool) -> None:
    bench = Bench().stop().zero(ZERO._replace(measured=measured))
    bench.closing.close(STOP_US + 4_000)
    assert bench.closing.report is not None
    assert bench.closing.report.zero_measured is measured


def test_what_is_doubted_before_the_report_is_in_it_by_its_first_reason() -> None:
    bench = Bench().stop().zero()
    for text in ("somebody else started it", "and again"):
        bench.closing.doubt_counts(text)
    bench.closing.on_records(records(), STOP_US + 4_000)
    assert bench.closing.report is not None
    agreement = bench.closing.report.agreement
    assert (agreement["exact"], agreement["contradiction"]) == (False, "somebody else started it")
