"""A device that is not to be believed, a host that breaks, a line that lies: each ends at zero, and says why.

These are the cases that one look at a limit does not show: what a device says in the middle of a session, at a
resume, in a hold, in a check, or while the host itself is failing.
"""

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from firmware_sim.analog.converter import Switch
from stimctl import limits
from stimctl.errors import LogFault, Misuse, Suspended
from stimctl.port import Port
from stimctl.session.closing import CAME_BACK_US, GIVE_UP_STOP_US
from stimctl.session.commands import AddNote, AskHold, AskStop, AskTarget, Lower, Proceed
from stimctl.session.engine import ATTENDED, Engine
from stimctl.session.states import End, State
from stimctl.session.view import PULL_THE_LEADS, Alarm, OperatorMessage, Priority, SessionReport
from stimctl.stimulators.native import STOP_FRAME
from stimctl.wire import codec as m
from stimctl.wire.codes import DeviceState
from stimctl.wire.framing import FrameSplitter
from tests.stimctl.session.world import (
    PULSE_US,
    Cut,
    Deed,
    Gone,
    Line,
    ListLog,
    Rewritten,
    Rig,
    S,
    Tape,
    at_1_ma,
    ended_at_zero,
    exact,
    forged,
    high,
    prescription,
    proceed,
)


def lying(change: Callable[[Any], Any]) -> Callable[[Port], Port]:
    return lambda port: Rewritten(port, change)


def from_then_on(at_us: int, kind: type[Any], **changes: Any) -> Callable[[Any], Any]:
    """Messages of `kind` say something else once the device's time has come to `at_us`."""
    seen = [0]

    def change(message: Any) -> Any:
        if isinstance(message, m.Status):
            seen[0] = message.device_time_us
        return message._replace(**changes) if isinstance(message, kind) and seen[0] >= at_us else message

    return change


def soon(rig: Rig, at_us: int, within_us: int = 300_000) -> None:
    assert at_us <= rig.stopped_us() <= at_us + within_us


def ended_in_doubt(rig: Rig, report: SessionReport, end: End) -> None:
    """It ended for this reason, and what is told of current to the end leaves the zero that is told in doubt."""
    assert report.end is end, (report.end, report.end_text)
    assert report.zero_confirmed_us is None
    assert rig.engine.view(0).stop_after_us is None
    assert any(PULL_THE_LEADS in alarm for alarm in rig.alarms)
    assert rig.last_pulse_us() <= rig.stopped_us() + PULSE_US
    assert rig.line.now_us() <= rig.stopped_us() + limits.STOP_TRY_US


# --- in the middle of stimulation ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "ended"),
    [
        (DeviceState.IDLE, ended_at_zero),
        (DeviceState.TESTED, ended_at_zero),
        (DeviceState.ARMED, ended_at_zero),
        (DeviceState.CHECKING, ended_in_doubt),
    ],
)
def test_a_device_that_says_it_does_not_stimulate_while_it_does(state: DeviceState, ended: Any) -> None:
    rig = Rig(at_1_ma(), line=lying(from_then_on(8 * S, m.Status, state=int(state))))
    report = rig.run()
    ended(rig, report, End.IMPLAUSIBLE)
    soon(rig, 8 * S)


def test_a_device_that_tells_nothing_of_a_channel() -> None:
    def mute(message: Any) -> Any:
        return None if isinstance(message, m.Channel) else message

    rig = Rig(at_1_ma(), line=lying(mute))
    report = rig.run()
    ended_at_zero(rig, report, End.LINE_LOST)
    assert "reading of a channel" in report.end_text


@pytest.mark.parametrize("stands", [False, True], ids=["none comes", "its time stands still"])
@pytest.mark.parametrize(
    "state", [State.TESTED, State.CHECKING, State.RAMPING, State.HELD, State.RECHECKING, State.REARMED]
)
def test_a_device_whose_status_tells_nothing_new_while_it_is_armed(state: State, stands: bool) -> None:
    """It answers keepalives, and nobody sees whether it still holds, whether its check is over, or what it measures."""
    rig: Rig
    reached = False
    stood_us = 0

    def change(message: Any) -> Any:
        nonlocal reached, stood_us
        reached = reached or rig.engine.state is state
        if not (reached and isinstance(message, m.Status)):
            return message
        stood_us = stood_us or message.device_time_us
        return message._replace(device_time_us=stood_us) if stands else None

    rig = Rig(at_1_ma(seconds=60), line=lying(change))
    report = rig.run((8 * S, AskHold()), (10 * S, Proceed()), (12 * S, Proceed()), (40 * S, AskStop()))
    ended_at_zero(rig, report, End.LINE_LOST)
    assert report.end_text.startswith("no newer status from the device")
    assert rig.stopped_us() <= 13 * S


def test_a_device_that_tells_of_a_channel_that_was_not_started() -> None:
    rig = Rig(at_1_ma(), line=lying(from_then_on(8 * S, m.Channel, channel=4)))
    report = rig.run()
    ended_at_zero(rig, report, End.IMPLAUSIBLE)
    assert "channel 4 carries" in report.end_text


def test_current_on_a_channel_that_was_lowered_to_zero() -> None:
    seen = [0]

    def leaking(message: Any) -> Any:
        if isinstance(message, m.Status):
            seen[0] = message.device_time_us
        if isinstance(message, m.Channel) and message.channel == 2 and seen[0] > 9 * S:
            return message._replace(applied_ua=0, measured_ua=1_900)
        return message

    rx = prescription(amplitudes_ma={1: 1.0, 2: 1.0})
    rig = Rig(rx, line=lying(leaking))
    report = rig.run((8 * S, AskTarget(2, 0)))
    ended_in_doubt(rig, report, End.OVER_CURRENT)


def test_a_session_that_lasts_longer_than_prescribed_by_the_hosts_clock() -> None:
    """A device that forgets its time at a resume would give it twice."""
    seen = [0]

    def forget(message: Any) -> Any:
        if isinstance(message, m.Started) and any(message[:4]):
            seen[0] += 1
            return message._replace(stimulation_us=0)
        return message

    rig = Rig(at_1_ma(), line=lying(forget))
    resume = [(10 * S, proceed), (11 * S, proceed)]
    report = rig.run((8 * S, AskHold()), *resume)
    assert seen[0] == 2
    ended_at_zero(rig, report, End.CLOCK)
    assert "forgot its session timer" in report.end_text


# --- hold, check, gates -------------------------------------------------------------------------------


class Stuck(Switch):
    """Once worn, it lets 1.5 mA through although it is open."""

    def leak_na(self, now_us: int) -> int:
        return 1_500_000


@pytest.mark.parametrize(
    ("held", "text"),
    [(True, "channel 1 carries 1494 uA although its output is off"), (False, "does not measure zero")],
    ids=["in a hold", "at the gate"],
)
def test_current_while_outputs_are_off_is_an_alarm(held: bool, text: str) -> None:
    rig = Rig(at_1_ma(), auto=ATTENDED, front_end=True)

    def wear(_engine: Engine, _now_us: int) -> None:
        rig.device.machine.stage.refit(1, switch=Stuck())

    steps: list[tuple[int, Any]] = [(3 * S, wear)]
    if held:
        steps = [(2 * S, proceed), (3 * S, proceed), (8 * S, wear), (8 * S + 1, AskHold())]
    rig.when(lambda engine: engine.view(0).stop_after_us is not None, proceed)
    report = rig.run(*steps)
    assert report.end is End.IMPLAUSIBLE
    assert text in report.end_text
    assert "PULL THE LEADS" in " ".join(rig.alarms)


def test_an_impedance_check_that_does_not_end() -> None:
    def for_ever(message: Any) -> Any:
        if isinstance(message, m.Status) and message.device_time_us > S // 10 and message.state != DeviceState.ENDED:
            return message._replace(state=int(DeviceState.CHECKING))
        return message

    rig = Rig(at_1_ma(), line=lying(for_ever))
    report = rig.run()
    ended_at_zero(rig, report, End.IMPLAUSIBLE)
    assert report.end_text == "the impedance check does not end"
    assert rig.stopped_us() < 2 * S


def test_an_impedance_check_above_its_amplitude() -> None:
    def strong(message: Any) -> Any:
        if isinstance(message, m.Channel):
            return message._replace(applied_ua=2_000, measured_ua=2_000)
        return message

    rig = Rig(prescription(amplitudes_ma={1: 1.0, 2: 1.0, 3: 1.0}), line=lying(strong))
    report = rig.run()
    ended_in_doubt(rig, report, End.IMPLAUSIBLE)
    assert "not ordered" in report.end_text


def test_a_hold_that_comes_between_start_and_started_is_kept() -> None:
    rig = Rig(at_1_ma())
    rig.when(State.ARMED, AskHold())
    rig.when(State.HELD, AskStop())
    report = rig.run()
    ended_at_zero(rig, report, End.OPERATOR)
    assert rig.log.of("held"), "it was held before it was stopped"
    assert exact(report)


def test_three_presses_down_are_three_steps() -> None:
    """What waits while the first is on its way is one place, and the newest wins."""
    rig = Rig(prescription(amplitudes_ma={1: 1.5}))
    press = [(12 * S, Lower(1))] * 3
    rig.run(*press)
    assert [told.message.target_ua for told in rig.tape.messages(m.SetTarget)] == [1_400, 1_200]


def test_an_operators_entry_cannot_pass_for_the_sessions_own() -> None:
    with pytest.raises(Misuse, match="an operator's entry is one of note, outcome, adverse, not 'closed'"):
        AddNote("closed", {"end_reason": "timer"})


# --- answers that come at a bad moment ------------------------------------------------------------------


@pytest.mark.parametrize("changes", [{"channel": 9}, {"target_ua": 60_000}])
def test_a_late_answer_that_makes_no_sense_does_not_disturb_the_stop(changes: dict[str, int]) -> None:
    rig = Rig(at_1_ma(), line=lambda port: Rewritten(port, lambda told: _bent(told, changes)))

    def lower_and_stop(engine: Engine, now_us: int) -> None:
        rig.line.write(engine.step(now_us, command=[Lower(1)]).output)
        rig.runner.post(AskStop())

    report = rig.run((8 * S, lower_and_stop))
    ended_at_zero(rig, report, End.OPERATOR)


def _bent(message: Any, changes: dict[str, int]) -> Any:
    return message._replace(**changes) if isinstance(message, m.TargetSet) else message


def test_the_counts_of_another_session_are_neither_used_nor_acknowledged() -> None:
    def other(message: Any) -> Any:
        return message._replace(session=77) if isinstance(message, m.SessionRecord | m.Counters) else message

    rig = Rig(at_1_ma(), line=lying(other))
    report = rig.run()
    ended_at_zero(rig, report, End.TIMER)
    assert report.delivered is None
    assert "77" in str(report.agreement["contradiction"])
    assert rig.tape.messages(m.Acknowledge) == []
    assert rig.device.machine.waiting is not None, "the device still holds them"


# --- a host that breaks ---------------------------------------------------------------------------------


class Bug(RuntimeError):
    """Something that nobody foresaw."""


def broken(_engine: Engine, _now_us: int) -> None:
    raise Bug("unforeseen")


def test_whatever_leaves_the_loop_leaves_zero_behind_and_a_closed_log() -> None:
    rig = Rig(at_1_ma())
    with pytest.raises(Bug):
        rig.run((8 * S, broken))
    assert rig.last_pulse_us() <= 8 * S + PULSE_US
    (closed,) = rig.log.of("closed")
    assert closed["end_reason"] == End.INTERRUPTED
    assert closed["delivered"] == closed["commanded"]


def test_the_first_stop_frame_may_be_lost_on_the_way_out_too() -> None:
    class LoseOne(Line):
        lost = False

        def write(self, data: bytes) -> None:
            if self.now_us() >= 8 * S and not self.lost:
                self.lost = True
                return
            super().write(data)

    rig = Rig(at_1_ma(), line=LoseOne)
    with pytest.raises(Bug):
        rig.run((8 * S, broken))
    assert rig.last_pulse_us() <= 8 * S + limits.STOP_RESEND_US + PULSE_US


def test_a_log_that_breaks_in_an_unforeseen_way_does_not_keep_the_stop_back() -> None:
    class Broken(ListLog):
        def put(self, kind: str, at_us: int, body: Mapping[str, Any]) -> None:
            if at_us >= 8 * S:
                raise Bug("the log")
            super().put(kind, at_us, body)

    rig = Rig(at_1_ma())
    log = Broken(rig.tape)
    rig.engine._context.log = log
    with pytest.raises(Bug):
        rig.run((8 * S, AskStop()))
    assert rig.last_pulse_us() <= 8 * S + PULSE_US


def log_breaks(engine: Engine, _now_us: int) -> None:
    def put(_kind: str, _at_us: int, _body: Mapping[str, Any]) -> None:
        raise Bug("the log")

    engine._context.log.put = put  # type: ignore[assignment]


class Watched(Line):
    """A port that is gone, or carries nothing any more, from 8 s on; it counts how often it is touched then."""

    def __init__(self, port: Port, how: str) -> None:
        from_us = 8 * S - 1
        ways: dict[str, Callable[[], Port]] = {
            "works": lambda: port,
            "gone": lambda: Gone(port, from_us),
            "dead": lambda: Cut(port, from_us),
        }
        super().__init__(ways[how]())
        self.waited = self.wrote = 0

    def wait(self, deadline_us: int | None) -> bytes:
        self.waited += self.now_us() >= 8 * S
        return super().wait(deadline_us)

    def write(self, data: bytes) -> None:
        self.wrote += self.now_us() >= 8 * S
        super().write(data)


@pytest.mark.parametrize(
    ("what", "how"),
    [
        *((what, how) for what in ("loop", "log") for how in ("works", "gone", "dead")),
        ("display", "works"),
        ("display", "gone"),
    ],
)
def test_what_nobody_foresaw_ends_at_zero_or_with_the_alarm_that_it_is_not_known(what: str, how: str) -> None:
    def broken_display(_reading: m.Channel, now_us: int) -> None:
        if now_us >= 8 * S - 2:
            raise Bug("the display")

    rig = Rig(at_1_ma(), line=lambda port: Watched(port, how))
    if what == "display":
        rig.engine._telemetry.on_reading = broken_display
    deeds: dict[str, list[tuple[int, Deed]]] = {
        "loop": [(8 * S, broken)],
        "display": [],
        "log": [(8 * S - 2, log_breaks), (8 * S - 1, AskHold())],
    }
    with pytest.raises(Bug):
        rig.run(*deeds[what])
    told = [alarm for alarm in rig.events if isinstance(alarm, Alarm)]
    assert all("stood still" not in alarm.text for alarm in told)
    pulls = [alarm for alarm in told if (alarm.priority, alarm.action) == (Priority.HIGH, PULL_THE_LEADS)]
    assert len(pulls) == (how != "works"), "told once, by whichever of the two stops"
    assert rig.line.now_us() <= 8 * S + (limits.STOP_TRY_US if how == "dead" else 0) + S
    if how == "gone":
        watched = rig.line
        assert isinstance(watched, Watched)
        assert max(watched.wrote, watched.waited) <= 1, "nobody touches a port that is gone"
    if what != "log":
        assert rig.engine.report is not None
        assert rig.engine.report.end is End.INTERRUPTED
        assert len(rig.log.of("closed")) == 1


@pytest.mark.parametrize("what", [broken, log_breaks])
def test_a_silent_line_and_then_an_error_end_with_the_word_to_pull_the_leads(what: Deed) -> None:
    """The alarm of the silence says to pull them if in doubt. Behind it there is doubt."""
    rig = Rig(at_1_ma(), line=lambda port: Watched(port, "dead"))
    with pytest.raises(Bug):
        rig.run((8 * S + (limits.SILENCE_US + 50_000 if what is broken else 100_000), what))
    actions = [alarm.action for alarm in rig.events if isinstance(alarm, Alarm)]
    assert all(PULL_THE_LEADS in action for action in actions)
    assert [action == PULL_THE_LEADS for action in actions] == [False, True]
    assert rig.line.now_us() <= 10 * S + limits.STOP_TRY_US


@pytest.mark.parametrize(
    ("kind", "change", "said"),
    [
        (m.Channel, {"measured_ua": 1_500}, "channel 1 carries current after its zero was confirmed"),
        (m.Status, {"zero": 0}, "the device takes back that its output is at zero"),
    ],
)
def test_current_after_the_zero_is_an_alarm_as_long_as_the_session_stops(
    kind: type[Any], change: dict[str, int], said: str
) -> None:
    """The last entry may take its time; so may counts over a slow line."""

    class TellsAnother(Line):
        def __init__(self, port: Port) -> None:
            super().__init__(port)
            self.virtual = False
            self._splitter = FrameSplitter()

        def wait(self, deadline_us: int | None) -> bytes:
            told = [m.parse(payload) for payload in self._splitter.feed(super().wait(deadline_us))]
            late = self.now_us() > 8 * S + 150_000
            return b"".join(
                m.encode(number, each._replace(**change) if late and type(each) is kind else each)
                for number, each in told
            )

    class SlowLog(ListLog):
        def drain(self, timeout_s: float) -> None:
            if rig.engine.report is not None and rig.line.now_us() < 10 * S:
                raise LogFault("not yet")

    tape = Tape()
    rig = Rig(at_1_ma(), line=TellsAnother, log=SlowLog(tape))
    report = rig.run((8 * S, AskStop()))
    assert rig.alarms == [f"{said}: {PULL_THE_LEADS}"]
    assert report.agreement["exact"] is False
    assert report.agreement["contradiction"] == said


class TellsOfCurrent(Line):
    """After the stop at 8 s was confirmed, what it tells by itself goes through `change`, which may leave it out."""

    def __init__(self, port: Port, change: Callable[[Any, int], Any]) -> None:
        super().__init__(port)
        self._change = change
        self._splitter = FrameSplitter()
        self._confirmed = False
        self._number = 0

    def wait(self, deadline_us: int | None) -> bytes:
        frames = b""
        for number, message in map(m.parse, self._splitter.feed(super().wait(deadline_us))):
            self._confirmed |= type(message) is m.Stopped and bool(message.zero) and self.now_us() > 8 * S
            told = message
            if self._confirmed and type(message) in (m.Status, m.Channel):
                self._number += type(message) is m.Status
                told = self._change(message, self._number)
            frames += b"" if told is None else m.encode(number, told)
        return frames


def carrying(channels: set[int], measured_ua: int, pictures: range = range(1, 1_000)) -> Callable[[Any, int], Any]:
    def change(message: Any, number: int) -> Any:
        if type(message) is m.Channel and message.channel in channels and number in pictures:
            return message._replace(measured_ua=measured_ua)
        return message

    return change


@pytest.mark.parametrize("profile", ["bench-100hz", "bench-2-100hz"])
@pytest.mark.parametrize(
    ("channels", "loud"), [((1,), {1}), ((2,), {2}), ((1, 2, 3), {3}), ((2, 3, 4), {2, 3, 4}), ((4,), {4})]
)
def test_a_zero_that_the_channels_do_not_bear_out_is_in_doubt(
    channels: tuple[int, ...], loud: set[int], profile: str
) -> None:
    """Nothing but the readings tells of it: the answer to the stop and each status say zero. No log makes it wait."""
    rx = prescription(seconds=20, profile=profile, amplitudes_ma=dict.fromkeys(channels, 1.0))
    rig = Rig(rx, line=lambda port: TellsOfCurrent(port, carrying(loud, limits.ZERO_UA + 1)))
    ended_in_doubt(rig, rig.run((8 * S, AskStop())), End.OPERATOR)
    assert rig.alarms[0] == f"channel {min(loud)} carries current after its zero was confirmed: {PULL_THE_LEADS}"
    assert len(rig.log.of("stop")) == 2, "the one that was tried, and the one that was taken back"
    quiet = Rig(rx, line=lambda port: TellsOfCurrent(port, carrying(loud, limits.ZERO_UA)))
    report = quiet.run((8 * S, AskStop()))
    ended_at_zero(quiet, report, End.OPERATOR)
    assert exact(report)
    assert quiet.alarms == []


def test_one_reading_of_current_is_waited_out_and_a_repeated_frame_is_none() -> None:
    rx = prescription(seconds=20, amplitudes_ma={2: 1.0, 3: 1.0})
    rig = Rig(rx, line=lambda port: TellsOfCurrent(port, carrying({3}, 1_500, range(1, 2))))
    report = rig.run((8 * S, AskStop()))
    assert exact(report)
    assert rig.alarms == []
    assert rig.line.now_us() >= 8 * S + 200_000

    class Twice(Line):
        def wait(self, deadline_us: int | None) -> bytes:
            return 3 * super().wait(deadline_us)

    again = Rig(rx, line=lambda port: Twice(TellsOfCurrent(port, carrying({3}, 1_500, range(1, 2)))))
    assert exact(again.run((8 * S, AskStop())))
    assert again.alarms == []


@pytest.mark.parametrize(
    ("kind", "change"), [(m.Channel, {"measured_ua": 1_500}), (m.Status, {"zero": 0})], ids=["channel", "status"]
)
def test_current_that_is_the_last_word_of_a_device_leaves_its_zero_in_doubt(
    kind: type[Any], change: dict[str, int]
) -> None:
    told: list[Any] = []

    def once(message: Any, _number: int) -> Any:
        if told:
            return None
        if type(message) is kind:
            told.append(message)
            return message._replace(**change)
        return message

    rig = Rig(prescription(amplitudes_ma={3: 1.0}), line=lambda port: TellsOfCurrent(port, once))
    report = rig.run((8 * S, AskStop()))
    assert report.zero_confirmed_us is None
    assert [alarm.partition(": ")[2] for alarm in rig.alarms] == [PULL_THE_LEADS]
    assert rig.line.now_us() <= 15 * S


@pytest.mark.parametrize("measured_ua", [0, 1_500])
@pytest.mark.parametrize("booted", [True, False])
def test_what_is_told_long_after_the_zero_is_no_old_news_whatever_its_clock_says(
    booted: bool, measured_ua: int
) -> None:
    """A clock that goes back, or begins anew, hides no current; and what looks late is told once a channel."""

    def change(message: Any, _number: int) -> Any:
        earlier = message._replace(device_time_us=message.device_time_us - 7 * S)
        if type(message) is m.Channel:
            return earlier._replace(measured_ua=measured_ua)
        return earlier._replace(boot_id=earlier.boot_id ^ booted)

    rig = Rig(prescription(amplitudes_ma={2: 1.0, 4: 1.0}), line=lambda port: TellsOfCurrent(port, change))
    report = rig.run((8 * S, AskStop()))
    assert report.agreement["exact"] is None
    assert (report.zero_confirmed_us is None) is bool(measured_ua)
    told = [alarm.partition(": ") for alarm in rig.alarms]
    assert sum("was allowed" in text for text, _, _ in told) == (2 if measured_ua else 0)
    pulled = [text for text, _, action in told if action == PULL_THE_LEADS]
    carries = [f"channel {channel} carries current after its zero was confirmed" for channel in (2, 4)]
    assert pulled == (carries if measured_ua else [])


def test_a_clock_that_goes_back_to_before_the_run_is_the_clocks_fault() -> None:
    def change(message: Any) -> Any:
        if not hasattr(message, "device_time_us") or rig.line.now_us() < 8 * S:
            return message
        return message._replace(device_time_us=message.device_time_us - 7_900_000)

    rig = Rig(at_1_ma(), line=lying(change))
    report = rig.run()
    assert report.end is End.CLOCK, report.end_text
    soon(rig, 8 * S)


def test_zero_after_current_that_came_back_is_told_from_the_first_stop_on() -> None:
    rig = Rig(at_1_ma(), line=lambda port: TellsOfCurrent(port, carrying({1}, 1_500, range(1, 3))))
    report = rig.run((8 * S, AskStop()))
    assert len(rig.alarms) == 1
    assert report.agreement["exact"] is None
    assert report.delivered == report.commanded
    assert report.zero_confirmed_us is not None
    assert report.zero_confirmed_us >= 200_000
    assert rig.log.of("stop")[-1]["after_us"] == report.zero_confirmed_us


def test_who_does_not_wait_for_the_way_out_is_told_all_the_same() -> None:
    class Impatient(Line):
        def wait(self, deadline_us: int | None) -> bytes:
            if self.now_us() >= 8 * S:
                raise KeyboardInterrupt
            return super().wait(deadline_us)

    rig = Rig(at_1_ma(), line=Impatient)
    with pytest.raises(KeyboardInterrupt):
        rig.run()
    assert rig.engine.state is State.ENDED
    assert [each.action for each in rig.events if isinstance(each, Alarm)] == [PULL_THE_LEADS]


class ComesBack(Line):
    """From 8 s on every stop is answered at once, with zero and with output again behind it: no time passes."""

    def __init__(self, port: Port) -> None:
        super().__init__(port)
        self.stops, self._after_us, self._said = 0, 0, b""

    def write(self, data: bytes) -> None:
        if self.now_us() < 8 * S:
            super().write(data)
        elif STOP_FRAME in data:
            self.stops, self._after_us = self.stops + 1, self._after_us + 2
            zero = m.Stopped(DeviceState.ENDED, 1, 0, self.now_us() + self._after_us - 1)
            self._said += m.encode(0, zero) + m.encode(0, self._status._replace(device_time_us=zero.device_time_us + 1))

    def wait(self, deadline_us: int | None) -> bytes:
        if self.now_us() < 8 * S:
            data = super().wait(deadline_us)
            for payload in FrameSplitter().feed(data):
                _, message = m.parse(payload)
                if isinstance(message, m.Status):
                    self._status = message
            return data
        said, self._said = self._said, b""
        return said or (super().wait(deadline_us) and b"")


@pytest.mark.timeout(120)
def test_output_that_comes_back_at_one_instant_is_not_stopped_for_ever() -> None:
    rig = Rig(at_1_ma(), line=ComesBack)
    report = rig.run((8 * S, AskStop()))
    assert isinstance(rig.line, ComesBack)
    assert rig.line.now_us() < 9 * S
    assert abs(rig.line.stops - limits.STOP_TRY_US // CAME_BACK_US) <= 2
    assert [alarm.action for alarm in report.alarms].count(PULL_THE_LEADS) == 1
    assert (report.zero_confirmed_us, report.delivered, report.end) == (None, None, End.OPERATOR)


def test_a_host_that_slept_stops_what_it_started() -> None:
    class Sleepy(Line):
        slept = False

        def wait(self, deadline_us: int | None) -> bytes:
            if self.now_us() >= 8 * S and not self.slept:
                self.slept = True
                raise Suspended("the host was suspended for 20.0 s; the session is over, start a new one")
            return super().wait(deadline_us)

    rig = Rig(at_1_ma(), line=Sleepy)
    report = rig.run()
    ended_at_zero(rig, report, End.SUSPENDED)
    assert exact(report)


def test_where_the_stop_that_is_tried_confirms_no_zero_it_is_told_once() -> None:
    rig = Rig(at_1_ma(), line=lying(lambda message: None if isinstance(message, m.Stopped) else message))
    report = rig.run()
    assert (report.end, report.zero_confirmed_us) == (End.SELF_TEST, None)
    assert [alarm.text for alarm in report.alarms] == ["no zero output confirmed 100 ms after the stop"]


def test_stop_frames_go_on_when_zero_is_never_confirmed() -> None:
    def never_zero(message: Any) -> Any:
        return message._replace(zero=0) if isinstance(message, m.Stopped) and message.device_time_us > S else message

    rig = Rig(at_1_ma(), line=lying(never_zero))
    report = rig.run((8 * S, AskStop()))
    assert report.zero_confirmed_us is None
    assert any("no zero output confirmed" in text for text in high(rig))
    last_us = max(told.at_us for told in rig.tape.messages(m.Stop))
    assert last_us >= 8 * S + limits.STOP_TRY_US - limits.STOP_RESEND_US
    (closed,) = [entry for entry in rig.log.entries if entry.kind == "closed"]
    assert closed.at_us <= 8 * S + GIVE_UP_STOP_US + limits.STOP_RESEND_US, "what is known is written down early"


class Leaping(Line):
    """A host whose clock leaps from 9 s on, and a device that never says that its current is zero."""

    def __init__(self, port: Port) -> None:
        super().__init__(lying(lambda message: message._replace(zero=0) if is_late_stop(message) else message)(port))
        self.now_us = self._leapt_us

    def _leapt_us(self) -> int:
        at_us = self.inner.now_us()
        return at_us + (2 * limits.STOP_TRY_US if at_us >= 9 * S else 0)

    def wait(self, deadline_us: int | None) -> bytes:
        lead_us = self._leapt_us() - self.inner.now_us()
        return self.inner.wait(None if deadline_us is None else deadline_us - lead_us)


def is_late_stop(message: Any) -> bool:
    return isinstance(message, m.Stopped) and message.device_time_us > S


def test_a_clock_that_leaps_over_the_end_of_the_stop_frames_still_gives_a_report() -> None:
    rig = Rig(at_1_ma(), line=Leaping)
    report = rig.run((8_500_000, AskStop()))
    assert report.end is End.OPERATOR
    assert report.zero_confirmed_us is None
    assert [entry.kind for entry in rig.log.entries].count("closed") == 1


class Stopped(Line):
    """This program is stopped for 20 s once its stop has left; what came meanwhile is there afterwards."""

    waits: int | None = None

    def write(self, data: bytes) -> None:
        super().write(data)
        if STOP_FRAME in data and self.now_us() > 8 * S and self.waits is None:
            self.waits = 0

    def wait(self, deadline_us: int | None) -> bytes:
        if self.waits is None or self.waits > 1:
            return self.inner.wait(deadline_us)
        self.waits += 1
        if self.waits == 1:
            return self.inner.wait(deadline_us)
        late, until_us = b"", self.inner.now_us() + 20 * S
        while self.inner.now_us() < until_us:
            late += self.inner.wait(until_us)
        return late


class StoppedAtOnce(Stopped):
    """The same before anything is read; for less time, which the device's watchdog ends all the same."""

    def wait(self, deadline_us: int | None) -> bytes:
        if self.waits != 0:
            return self.inner.wait(deadline_us)
        self.waits = 2
        late, until_us = b"", self.inner.now_us() + 2 * S
        while self.inner.now_us() < until_us:
            late += self.inner.wait(until_us)
        return late


def test_a_program_that_stood_still_at_once_behind_its_stop_was_stopped_by_its_operator() -> None:
    rig = Rig(at_1_ma(), line=StoppedAtOnce)
    report = rig.run((9 * S, AskStop()))
    assert report.end is End.OPERATOR
    assert rig.last_pulse_us() <= 9 * S + PULSE_US
    assert exact(report)


def test_a_program_that_stood_still_behind_its_stop_reads_zero_and_dose_all_the_same() -> None:
    """The device took the stop and had no zero yet; it was not asked again before the time to wait for it was over."""
    rig = Rig(at_1_ma(), line=Stopped)
    report = rig.run((9 * S, AskStop()))
    assert report.end is End.OPERATOR
    assert report.zero_confirmed_us is not None
    assert exact(report)
    assert [alarm.text for alarm in report.alarms] == ["this program stood still for 20.0 s"]


def test_a_session_that_nobody_begins_waits_without_spinning() -> None:
    rig = Rig(at_1_ma(), auto=frozenset())
    report = rig.run((3 * S, AskStop()))
    assert report.end is End.OPERATOR
    assert rig.tape.messages(m.Hello) == []


def test_where_an_operator_begins_the_stimulation_a_hold_before_it_is_refused_plainly() -> None:
    rig = Rig(at_1_ma(), auto=ATTENDED)
    rig.when(State.TESTED, Proceed()).when(State.CHECKING, AskHold()).when(State.CHECKED, AskStop())
    rig.run()
    ended = rig.engine.step(0, command=[AskHold()]).events
    told = [event.text for event in (*rig.events, *ended) if isinstance(event, OperatorMessage)]
    assert [text for text in told if text.startswith("hold")] == [
        f"hold: nothing is stimulated while {state}" for state in ("'impedance check'", "'ended'")
    ]


def test_the_hosts_own_timer_ends_a_session_alone() -> None:
    """The device was told 20 s and keeps them; the host means 10 s, and only its own timer knows."""
    rig = Rig(at_1_ma(20))

    def shorten(engine: Engine, _now_us: int) -> None:
        engine._context.prescription = forged(rig.rx, stimulation_us=10 * S)

    report = rig.when(State.RAMPING, shorten).run()
    ended_at_zero(rig, report, End.CLOCK)
    assert "longer than prescribed" in report.end_text
    started_us = next(told.at_us for told in rig.tape.messages(m.Started) if any(told.message[:4]))
    soon(rig, started_us + 11 * S)


# --- a slow disk ----------------------------------------------------------------------------------------


class Wall(Line):
    """A line that passes for one on the wall's clock: nothing may block on it."""

    def __init__(self, port: Port) -> None:
        super().__init__(port)
        self.virtual = False


def slow_from(rig: Rig, at_us: int, takes_us: int) -> None:
    """From `at_us` on the log's entries are on disk only `takes_us` later."""

    def drain(timeout_s: float) -> None:
        assert timeout_s == 0, "the loop waits for no disk"
        if at_us <= rig.line.now_us() < at_us + takes_us:
            raise LogFault("not yet")

    rig.log.drain = drain  # type: ignore[method-assign]


def test_a_slow_disk_delays_no_keepalive() -> None:
    """Resumed out of a hold while the log takes 1.6 s: longer than the watchdog would wait."""
    rig = Rig(at_1_ma(), line=Wall)
    slow_from(rig, 10 * S, 1_600_000)
    report = rig.run((8 * S, AskHold()), (10 * S, proceed), (13 * S, proceed))
    ended_at_zero(rig, report, End.TIMER)
    assert exact(report)


def test_a_slow_disk_delays_no_stop() -> None:
    rig = Rig(at_1_ma(), line=Wall)
    slow_from(rig, 10 * S, 5 * S)
    stop_us = 10 * S + 500_000
    hold = (8 * S, AskHold())
    report = rig.run(hold, (10 * S, proceed), (stop_us, AskStop()))
    assert report.end is End.OPERATOR
    assert rig.stopped_us() == stop_us
    assert report.zero_confirmed_us is not None


# --- a stop that is none ------------------------------------------------------------------------------


class StopsInWords(Line):
    """From a time on the device's end answers a stop with zero, and goes on: no stop comes through."""

    def __init__(self, port: Port, at_us: int) -> None:
        super().__init__(port)
        self._at_us = at_us
        self._answers = b""

    def write(self, data: bytes) -> None:
        if data != STOP_FRAME or self.now_us() < self._at_us:
            super().write(data)
            return
        self._answers = m.encode(0, m.Stopped(int(DeviceState.ENDED), 1, 0, self.now_us()))

    def wait(self, deadline_us: int | None) -> bytes:
        answers, self._answers = self._answers, b""
        return answers or super().wait(deadline_us)


def test_counts_of_a_device_that_only_says_that_it_stopped_are_not_exact() -> None:
    """Its next status says that it goes on: that is an alarm, and what it counted until then is not all that flowed."""
    rig = Rig(at_1_ma(), line=lambda port: StopsInWords(port, 8 * S))
    report = rig.run((8 * S + 5_000, AskStop()))
    assert high(rig) == ["the device gives output again after its zero was confirmed"]
    assert not exact(report)
    assert rig.last_pulse_us() > rig.stopped_us() + 100_000
