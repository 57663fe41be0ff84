"""What comes at the wrong time, or not at all: old news, a noisy line, a port that takes no bytes."""

from collections.abc import Callable
from typing import Any

import pytest

from stimctl import limits
from stimctl.errors import LineLost, LogFault, NotSent
from stimctl.port import Port
from stimctl.session.commands import AskHold, AskStop, AskTarget, Fact, HostTrouble, LineGone, LogFailed, Lower
from stimctl.session.engine import ATTENDED
from stimctl.session.states import End, State
from stimctl.session.view import Priority
from stimctl.wire import codec as m
from stimctl.wire.codes import DeviceState, Purpose
from stimctl.wire.framing import FrameSplitter
from tests.stimctl.session.world import (
    PULSE_US,
    Cut,
    Line,
    Rewritten,
    Rig,
    S,
    at_1_ma,
    ended_at_zero,
    exact,
    high,
    proceed,
)


class Extra(Line):
    """After a message for which `more` gives another one, that one comes too."""

    def __init__(self, port: Port, more: Callable[[Any, int], Any]) -> None:
        super().__init__(port)
        self._more = more
        self._splitter = FrameSplitter()

    def wait(self, deadline_us: int | None) -> bytes:
        frames = b""
        for payload in self._splitter.feed(self.inner.wait(deadline_us)):
            sequence, message = m.parse(payload)
            frames += m.encode(sequence, message)
            extra = self._more(message, self.now_us())
            frames += b"" if extra is None else m.encode(0, extra)
        return frames


# --- out of place --------------------------------------------------------------------------------------------


def test_an_answer_that_has_no_place_ends_the_session_at_zero() -> None:
    """The device says that its arm lapsed, and then that it started."""
    statuses: list[m.Status] = []

    def lapse_as_it_arms(message: Any, _now_us: int) -> Any:
        if type(message) is m.Status:
            statuses.append(message)
        if type(message) is m.Armed and message.purpose == Purpose.STIMULATE:
            return statuses[-1]._replace(device_time_us=message.device_time_us + 1, state=DeviceState.TESTED)
        return None

    rig = Rig(at_1_ma(), auto=ATTENDED, attended=False, line=lambda port: Extra(port, lapse_as_it_arms))
    rig.when(State.TESTED, proceed).when(State.CHECKED, proceed)
    report = rig.run()
    ended_at_zero(rig, report, End.IMPLAUSIBLE)
    assert "out of place: 'started' cannot happen while the session is 'self-tested'" in report.end_text
    assert any("out of place" in text for text in high(rig))


# --- output that comes back ----------------------------------------------------------------------------------


@pytest.mark.parametrize("later_us", [1, 50_000])
def test_output_that_comes_back_after_its_zero_is_an_alarm_and_is_stopped_anew(later_us: int) -> None:
    statuses: list[m.Status] = []

    def come_back(message: Any, now_us: int) -> Any:
        if type(message) is m.Status:
            statuses.append(message)
        if type(message) is m.Stopped and message.zero and now_us > 8 * S and not came_back:
            came_back.append(now_us)
            return statuses[-1]._replace(device_time_us=message.device_time_us + later_us, state=DeviceState.RUNNING)
        return None

    came_back: list[int] = []
    rig = Rig(at_1_ma(), line=lambda port: Extra(port, come_back))
    report = rig.run((8 * S, AskStop()))
    assert report.end is End.OPERATOR
    (alarm,) = report.alarms
    assert (alarm.priority, alarm.action) == (Priority.HIGH, "PULL THE LEADS")
    assert alarm.text == "the device gives output again after its zero was confirmed"
    assert [told.at_us for told in rig.tape.messages(m.Stop) if told.at_us >= 8 * S][-1] >= came_back[0]
    assert [body["tried"] for body in rig.log.of("stop")] == [True, False, False]
    assert report.zero_confirmed_us is not None
    assert report.delivered is not None


def test_what_the_device_told_before_its_zero_is_no_output_that_comes_back() -> None:
    statuses: list[m.Status] = []

    def tell_again(message: Any, now_us: int) -> Any:
        if type(message) is m.Status and message.state == DeviceState.RUNNING:
            statuses.append(message)
        return statuses[-1] if type(message) is m.Stopped and now_us > 8 * S else None

    rig = Rig(at_1_ma(), line=lambda port: Extra(port, tell_again))
    report = rig.run((8 * S, AskStop()))
    ended_at_zero(rig, report, End.OPERATOR)
    assert report.alarms == ()


# --- old news ------------------------------------------------------------------------------------------------


class Overtaken(Line):
    """What the device tells by itself comes `by_us` later than its answers. For virtual ports."""

    def __init__(self, port: Port, by_us: int, from_us: int) -> None:
        super().__init__(port)
        self._by_us, self._from_us = by_us, from_us
        self._splitter = FrameSplitter()
        self._kept: list[tuple[int, bytes]] = []

    def wait(self, deadline_us: int | None) -> bytes:
        while True:
            if self._kept and self._kept[0][0] <= self.now_us():
                return self._kept.pop(0)[1]
            due_us = self._kept[0][0] if self._kept else None
            until_us = min((each for each in (due_us, deadline_us) if each is not None), default=None)
            data = self.inner.wait(until_us)
            answers = b""
            for payload in self._splitter.feed(data):
                sequence, message = m.parse(payload)
                frame = m.encode(sequence, message)
                if type(message) in (m.Status, m.Channel) and self.now_us() >= self._from_us:
                    self._kept.append((self.now_us() + self._by_us, frame))
                else:
                    answers += frame
            if answers or not data:
                return answers


@pytest.mark.parametrize("by_us", [5_000, 60_000, 150_000])
def test_answers_that_overtake_telemetry_blame_nobody(by_us: int) -> None:
    """Twenty changes a second: nearly every status is older than some answer."""
    rig = Rig(at_1_ma(), line=lambda port: Overtaken(port, by_us, 6 * S))
    work = [(8 * S + number * 50_000, AskTarget(1, 1_000 - 5 * number)) for number in range(80)]
    report = rig.run(*work)
    assert report.end is End.TIMER, report.end_text
    assert rig.alarms == []
    assert exact(report)


@pytest.mark.parametrize("by_us", [5_000, 60_000, 90_000])
def test_a_status_from_before_a_start_changes_no_state(by_us: int) -> None:
    """It still says that the device is held."""
    rig = Rig(at_1_ma(), line=lambda port: Overtaken(port, by_us, 9 * S))
    report = rig.run((8 * S, AskHold()), (10_033_000, proceed), (12_033_000, proceed))
    assert report.end is End.TIMER, report.end_text
    assert len(rig.log.of("held")) == 1
    assert rig.alarms == []
    assert exact(report)


def test_what_old_telemetry_measured_is_judged() -> None:
    """2.1 mA measured in readings from before the last answer."""

    def too_much(message: Any) -> Any:
        return message._replace(measured_ua=2_100) if type(message) is m.Channel and message.applied_ua else message

    def line(port: Port) -> Port:
        spoiled = Rewritten(port, lambda message: too_much(message) if port.now_us() >= 8 * S else message)
        return Overtaken(spoiled, 60_000, 6 * S)

    rig = Rig(at_1_ma(), line=line)
    report = rig.run(*((8 * S + number * 20_000, AskTarget(1, 1_000 - number)) for number in range(100)))
    assert report.end is End.OVER_CURRENT
    assert rig.stopped_us() <= 8 * S + 200_000


def test_what_an_overtaken_status_says_is_judged() -> None:
    """A channel that was not started is driven, in statuses that are all older than an answer."""

    def drives_more(message: Any) -> Any:
        return message._replace(active_mask=3) if type(message) is m.Status and message.active_mask else message

    def line(port: Port) -> Port:
        spoiled = Rewritten(port, lambda message: drives_more(message) if port.now_us() >= 8 * S else message)
        return Overtaken(spoiled, 60_000, 6 * S)

    rig = Rig(at_1_ma(), line=line)
    report = rig.run(*((8 * S + number * 20_000, AskTarget(1, 1_000 - number)) for number in range(100)))
    ended_at_zero(rig, report, End.IMPLAUSIBLE)
    assert "channels that were not started" in report.end_text
    assert rig.stopped_us() <= 8 * S + 200_000


# --- a port that takes no bytes ------------------------------------------------------------------------------


class Refusing(Line):
    """Writing fails between two times; reading goes on."""

    def __init__(self, port: Port, from_us: int, until_us: int, error: Callable[[], Exception]) -> None:
        super().__init__(port)
        self._from_us, self._until_us, self._error = from_us, until_us, error

    def write(self, data: bytes) -> None:
        if self._from_us <= self.now_us() < self._until_us:
            raise self._error()
        super().write(data)


ERRORS = [lambda: NotSent("the buffer is full"), lambda: LineLost("the port is gone")]


@pytest.mark.parametrize("error", ERRORS)
def test_a_stop_that_the_port_does_not_take_goes_on(error: Callable[[], Exception]) -> None:
    rig = Rig(at_1_ma(), line=lambda port: Refusing(port, 8 * S, 8 * S + 30_000, error))
    report = rig.run((8 * S, AskStop()))
    assert report.end is End.OPERATOR
    assert report.zero_confirmed_us is not None
    assert report.zero_confirmed_us <= limits.STOP_CONFIRM_US
    assert rig.last_pulse_us() <= 8 * S + 40_000 + PULSE_US
    assert report.alarms == ()
    assert exact(report)


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("at_us", [0, 8 * S])
def test_a_port_that_takes_nothing_for_a_moment_ends_nothing(error: Callable[[], Exception], at_us: int) -> None:
    rig = Rig(at_1_ma(), line=lambda port: Refusing(port, at_us, at_us + 100_000, error))
    report = rig.run((8 * S, Lower(1)))
    ended_at_zero(rig, report, End.TIMER)
    assert exact(report)


def test_a_board_that_boots_as_its_port_is_opened_is_waited_for() -> None:
    for boots_us, end in ((2_900_000, End.TIMER), (3_100_000, End.LINE_LOST)):
        assert Rig(at_1_ma(), line=booting(boots_us)).run().end is end


def booting(until_us: int) -> Callable[[Port], Port]:
    return lambda port: Refusing(port, 0, until_us, ERRORS[0])


# --- armed, and zero unconfirmed -----------------------------------------------------------------------------

ENDS: list[tuple[str, Fact | AskStop, End]] = [
    ("a person", AskStop(), End.OPERATOR),
    ("a signal", AskStop(End.SIGNAL), End.SIGNAL),
    ("elsewhere", AskStop(End.ELSEWHERE), End.ELSEWHERE),
    ("the port", LineGone(LineLost("the port is gone")), End.LINE_LOST),
    ("a sleeping host", HostTrouble(End.SUSPENDED, "slept"), End.SUSPENDED),
    ("the clock", HostTrouble(End.CLOCK, "went back"), End.CLOCK),
    ("an interrupt", HostTrouble(End.INTERRUPTED, ""), End.INTERRUPTED),
    ("the log", LogFailed(LogFault("the disk is full")), End.LOG),
]


@pytest.mark.parametrize(("command", "end"), [each[1:] for each in ENDS], ids=[each[0] for each in ENDS])
def test_armed_and_zero_unconfirmed_is_always_a_high_alarm_to_pull_the_leads(command: Any, end: End) -> None:
    rig = Rig(at_1_ma(), line=lambda port: Cut(port, 8 * S))
    report = rig.run((8 * S, command))
    assert report.end is end
    assert report.zero_confirmed_us is None
    leads = [alarm for alarm in report.alarms if "PULL THE LEADS" in alarm.action]
    assert leads
    assert {alarm.priority for alarm in leads} == {Priority.HIGH}


def test_a_port_that_goes_before_zero_is_overdue_is_an_alarm_too() -> None:
    rig = Rig(at_1_ma(), line=lambda port: Cut(port, 8 * S))
    gone: Any = LineGone(LineLost("the port is gone"))
    report = rig.run((8 * S, AskStop()), (8 * S + 50_000, gone))
    assert report.end is End.OPERATOR
    assert report.zero_confirmed_us is None
    assert [(alarm.priority, alarm.text, alarm.action) for alarm in report.alarms] == [
        (Priority.HIGH, "zero output was not confirmed", "PULL THE LEADS")
    ]


def test_before_anything_is_armed_no_leads_are_to_be_pulled_for_a_port_that_went() -> None:
    rig = Rig(at_1_ma(), auto=ATTENDED)
    gone: Any = LineGone(LineLost("the port is gone"))
    report = rig.run((S, gone))
    assert report.end is End.LINE_LOST
    assert report.alarms == ()


# --- a noisy line --------------------------------------------------------------------------------------------


class Noisy(Line):
    """Of every so many frames from the device one is damaged, from a time on."""

    def __init__(self, port: Port, one_in: int, from_us: int) -> None:
        super().__init__(port)
        self._one_in, self._from_us, self._count = one_in, from_us, 0

    def wait(self, deadline_us: int | None) -> bytes:
        frames = b""
        for frame in self.inner.wait(deadline_us).split(b"\x00")[:-1]:
            self._count += self.now_us() >= self._from_us
            spoiled = self._count % self._one_in == 0 and self.now_us() >= self._from_us
            frames += (bytes([frame[0], frame[1] ^ 0x20 or 1, *frame[2:]]) if spoiled else frame) + b"\x00"
        return frames


@pytest.mark.parametrize(("one_in", "told"), [(20, True), (60, True), (150, False)])
def test_a_line_that_damages_one_frame_in_a_hundred_is_told_of_and_counted(one_in: int, told: bool) -> None:
    rig = Rig(at_1_ma(60), line=lambda port: Noisy(port, one_in, 6 * S))
    report = rig.run()
    noise = [alarm for alarm in report.alarms if "came damaged" in alarm.text]
    assert bool(noise) is told
    assert {(alarm.priority, alarm.action) for alarm in noise} <= {
        (Priority.LOW, "check the cable and what runs beside it")
    }
    assert report.damaged_frames > 0
    assert report.frames > 1_000
    assert rig.log.of("closed")[-1]["line"] == {"frames": report.frames, "damaged_frames": report.damaged_frames}
    assert len(noise) < 8, "told again only as often as the number doubles"


def test_noise_that_begins_late_is_told_of_too() -> None:
    """Of the whole session it is less than one frame in a hundred."""
    rig = Rig(at_1_ma(150), line=lambda port: Noisy(port, 60, 125 * S))
    report = rig.run()
    noise = [alarm for alarm in report.alarms if "came damaged" in alarm.text]
    assert noise
    assert report.damaged_frames * 100 < report.frames
