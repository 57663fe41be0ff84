"""Stop, in every state and on every bad line: measured zero is confirmed, and how long it took is written down.

A stop is sent ahead of everything, again each 20 ms, and nothing that keeps output alive follows it. Where zero
cannot be confirmed within 100 ms, the operator is told to pull the leads.
"""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from firmware_sim.analog.converter import Switch
from stimctl import limits
from stimctl.api import Session
from stimctl.ledger import Ledger
from stimctl.port import Port
from stimctl.session.commands import AskHold, AskStop, AskTarget, Command, Lower
from stimctl.session.context import EngineStep
from stimctl.session.engine import ATTENDED, UNATTENDED, Engine
from stimctl.session.states import End, State, Task
from stimctl.session.view import Alarm, Priority, SessionReport
from stimctl.stimulators.native import STOP_FRAME
from stimctl.traffic.session_notes import ORDER
from stimctl.wire import codec as m
from stimctl.wire.codes import DeviceState, EndReason
from tests.stimctl.session.world import (
    PULSE_US,
    ByteAtATime,
    Cut,
    Delayed,
    Lossy,
    Rewritten,
    Rig,
    S,
    exact,
    prescription,
    proceed,
)

NEVER_AFTER_A_STOP = (m.KeepAlive, m.Arm, m.Start, m.SetTarget, m.Hold, m.LoadProgram, m.LoadSegment, m.SelfTest)


stop = AskStop()
hold = AskHold()


def held(rig: Rig) -> Rig:
    return rig.when(State.RUNNING, hold)


def rechecked(rig: Rig) -> Rig:
    return held(rig).when(State.HELD, proceed)


def rearmed(rig: Rig) -> Rig:
    return rechecked(rig).when(State.RECHECKED, proceed)


# For each state, where the session waits for its operator, and what has to happen first.
WAYS: dict[State, tuple[frozenset[State], Callable[[Rig], Rig]]] = {
    State.IDLE: (frozenset(), lambda rig: rig),
    State.IDENTIFIED: (frozenset({State.IDLE}), lambda rig: rig),
    State.LOADED: (frozenset({State.IDLE, State.IDENTIFIED}), lambda rig: rig),
    State.TESTED: (ATTENDED, lambda rig: rig),
    State.CHECKING: (UNATTENDED, lambda rig: rig),
    State.CHECKED: (UNATTENDED - {State.CHECKED}, lambda rig: rig),
    State.ARMED: (UNATTENDED, lambda rig: rig),
    State.RAMPING: (UNATTENDED, lambda rig: rig),
    State.RUNNING: (UNATTENDED, lambda rig: rig),
    State.RAMPING_DOWN: (UNATTENDED, lambda rig: rig),
    State.HELD: (UNATTENDED, held),
    State.RECHECKING: (UNATTENDED, rechecked),
    State.RECHECKED: (UNATTENDED, rechecked),
    State.REARMED: (UNATTENDED, rearmed),
    State.STOPPING: (UNATTENDED, lambda rig: rig.when(State.RUNNING, stop)),
}


def stopped_in(state: State, **options: object) -> tuple[Rig, SessionReport]:
    """A session that is stopped as it enters `state`."""
    auto, lead_up = WAYS[state]
    rig = lead_up(Rig(auto=auto, **options))  # type: ignore[arg-type]
    return rig, rig.when(state, stop).run()


def check_zero(rig: Rig, report: SessionReport) -> None:
    """What holds after any stop of a healthy device, whatever the state and the line."""
    assert report.zero_confirmed_us is not None
    assert report.zero_confirmed_us <= limits.STOP_CONFIRM_US
    assert rig.engine.state is State.ENDED
    assert rig.device.machine.zero.sure
    assert rig.device.machine.state not in (DeviceState.ARMED, DeviceState.CHECKING, DeviceState.RAMPING)
    assert not [alarm for alarm in report.alarms if alarm.priority is Priority.HIGH]


def check_wire(rig: Rig) -> None:
    """The stop is the first thing sent after it was asked for; nothing that arms, starts or keeps alive follows."""
    assert rig.stop_asked_at is not None
    sent = [told.message for told in rig.tape.messages(from_piece=rig.stop_asked_at) if told.sender == "host"]
    assert type(sent[0]) is m.Stop
    assert not [message for message in sent if type(message) in NEVER_AFTER_A_STOP]


def test_every_state_has_its_way() -> None:
    assert set(WAYS) == set(State) - {State.ENDED}


@pytest.mark.parametrize("state", WAYS, ids=lambda state: state.name.lower())
def test_stop_in_every_state(state: State) -> None:
    rig, report = stopped_in(state)
    assert report.end is End.OPERATOR
    check_zero(rig, report)
    if state is State.IDLE:
        assert [type(told.message) for told in rig.tape.messages() if told.sender == "host"] == [m.Stop, m.Stop]
        assert rig.log.entries == [], "without a device there is no session to write of"
        return
    stop_us = rig.stopped_us()
    assert rig.last_pulse_us() <= stop_us + PULSE_US
    (entry,) = [body for body in rig.log.of("stop") if not body["tried"]]
    assert entry["after_us"] == report.zero_confirmed_us
    assert rig.log.of("closed")[-1]["zero_confirmed_us"] == report.zero_confirmed_us
    check_wire(rig)
    if rig.log.of("armed"):
        assert exact(report)


@pytest.mark.parametrize(
    "task", [Task.HANDSHAKE, Task.LOADING, Task.SELF_TEST, Task.TRYING_STOP, Task.ARMING, Task.STARTING]
)
def test_stop_while_a_command_waits_for_its_answer(task: Task) -> None:
    rig = Rig(line=lambda port: Delayed(port, 7_000))
    report = rig.when(lambda engine: engine._context.is_pending(task), stop).run()
    assert report.end is End.OPERATOR
    check_zero(rig, report)


@pytest.mark.parametrize("first_sequence", [0, 4, 0x7FF0, 0x8000, 0xFFF8, 0xFFFF])
def test_stop_whatever_the_sequence_numbers(first_sequence: int) -> None:
    """The stop's own number is always 0: here it is next, stale, far ahead, or one of the last answered."""
    rig, report = stopped_in(State.RUNNING, first_sequence=first_sequence)
    check_zero(rig, report)
    check_wire(rig)
    assert exact(report)


@pytest.mark.parametrize("sequence", [0, 1, 0x7FFF, 0x8000, 0xFFFF])
def test_a_stop_of_any_number_from_the_line_ends_the_session(sequence: int) -> None:
    """As from a button box on the same line: the device stops, and the host follows."""
    rig = Rig()

    def press(_engine: Engine, now_us: int) -> None:
        rig.device.receive(m.encode(sequence, m.Stop()), now_us)

    report = rig.run((8 * S, press))
    assert report.end is End.OPERATOR
    assert report.end_text == End.OPERATOR.value
    assert rig.last_pulse_us() <= 8 * S + PULSE_US
    assert exact(report)


def test_stop_goes_ahead_of_a_full_queue() -> None:
    """Twenty orders wait; the stop is the next frame on the line, and of the twenty none follows it."""
    rig = Rig(line=lambda port: Delayed(port, 5_000))

    pile = [(15 * S, AskTarget(1, target_ua)) for target_ua in range(1_900, 1_000, -45)]
    report = rig.run(*pile, (15 * S, stop))
    check_zero(rig, report)
    check_wire(rig)
    assert exact(report)
    written = [data for at_us, sender, data in rig.tape.pieces if sender == "host" and at_us >= 15 * S]
    assert written[0] == STOP_FRAME


def test_orders_that_come_faster_than_they_are_taken_are_for_the_next_step() -> None:
    """Each order that is taken brings another one, ten thousand times: they came to one step, which had no end."""
    rig, taken, at_once = Rig(), 0, [0]

    def bring_another(_at_us: int, kind: str, _said: Any) -> None:
        nonlocal taken
        taken += kind == ORDER
        if kind == ORDER and taken < 10_000:
            rig.runner.post(Lower(3))

    step = rig.engine.step

    def counted(now_us: int, data: bytes = b"", command: Any = ()) -> EngineStep:
        at_once.append(len(command))
        return step(now_us, data, command)

    rig.runner._take_note = bring_another
    rig.engine.step = counted  # type: ignore[method-assign]
    report = rig.run((8 * S, Lower(3)), (12 * S, stop))
    assert taken > 10_000
    assert max(at_once) < 10
    assert report.end is End.OPERATOR


@pytest.mark.parametrize("order", [hold, Lower(1), AskTarget(1, 1_900), proceed], ids=lambda each: type(each).__name__)
def test_what_is_asked_for_together_with_a_stop_sends_nothing_after_it(order: Command) -> None:
    rig = Rig()
    report = rig.run((15 * S, order), (15 * S, stop))
    assert report.end is End.OPERATOR
    check_zero(rig, report)
    check_wire(rig)
    assert exact(report)


def test_a_target_applied_just_before_the_stop_is_in_the_dose() -> None:
    """Its answer is still on the line when the stop goes out: two pulses were lower already."""
    rig = Rig(prescription(profile="bench-100hz", amplitudes_ma={1: 1.2}), line=lambda port: Delayed(port, 9_000))
    report = rig.run((8 * S, AskTarget(1, 900)), (8 * S + 12_000, stop))
    check_zero(rig, report)
    assert exact(report)
    assert rig.log.of("target")[-1]["target_ua"] == 900


def test_an_answer_lost_to_the_stop_is_said_and_blames_nobody() -> None:
    """Whether the order was applied cannot be known: that is no fault of the device."""

    def spoil(port: Port) -> Port:
        return Rewritten(port, lambda message: None if type(message) is m.TargetSet else message)

    rig = Rig(prescription(profile="bench-100hz", amplitudes_ma={1: 1.2}), line=spoil)
    report = rig.run((8 * S, AskTarget(1, 900)), (8 * S + 30_000, stop))
    check_zero(rig, report)
    assert report.agreement["exact"] is None
    assert "was lost" in report.agreement["reason"]
    assert report.delivered != report.commanded


LOSSES = [
    pytest.param(to_device, from_device, lose_first, id=f"{name}, {'odd' if lose_first else 'even'} ones")
    for name, to_device, from_device in (("to", True, False), ("from", False, True), ("both ways", True, True))
    for lose_first in (False, True)
]


def lossy(to_device: bool, from_device: bool, lose_first: bool, *, bad: bool) -> Callable[[Port], Lossy]:
    return lambda port: Lossy(port, to_device=to_device, from_device=from_device, lose_first=lose_first, bad=bad)


@pytest.mark.parametrize(("to_device", "from_device", "lose_first"), LOSSES)
@pytest.mark.parametrize("state", WAYS, ids=lambda state: state.name.lower())
def test_stop_with_every_second_frame_lost(state: State, to_device: bool, from_device: bool, lose_first: bool) -> None:
    """The line goes bad with the stop, so that the stop's first frame, or its first answer, may be what is lost."""
    auto, lead_up = WAYS[state]
    rig = lead_up(Rig(auto=auto, line=lossy(to_device, from_device, lose_first, bad=False)))

    def stop_on_a_bad_line(_engine: Engine, _now_us: int) -> None:
        assert isinstance(rig.line, Lossy)
        rig.line.bad = True
        rig.runner.post(stop)

    report = rig.when(state, stop_on_a_bad_line).run()
    assert report.end is End.OPERATOR
    assert report.zero_confirmed_us is not None
    # Where the first stop and two answers are lost, the fourth confirms: the alarm may have gone off by then.
    assert report.zero_confirmed_us <= limits.STOP_CONFIRM_US
    assert rig.device.machine.zero.sure
    if rig.log.entries:
        check_wire(rig)
        assert rig.last_pulse_us() <= rig.stopped_us() + limits.STOP_RESEND_US + PULSE_US
        assert rig.log.of("stop")[-1]["after_us"] == report.zero_confirmed_us


@pytest.mark.parametrize(("to_device", "from_device", "lose_first"), LOSSES[:4])
def test_a_session_on_a_line_that_loses_every_second_frame(
    to_device: bool, from_device: bool, lose_first: bool
) -> None:
    """Orders are sent again until they are answered, and the dose stays exact; it is not told so where every status
    after the stop is among what is lost. One direction at a time: with both, a fixed pattern can take every answer to
    one order, and then the session ends before it begins."""
    rig = Rig(line=lossy(to_device, from_device, lose_first, bad=True))
    report = rig.run()
    assert report.end is End.TIMER
    assert report.agreement["exact"] is (None if from_device else True)
    assert report.delivered == report.planned == report.commanded
    check_zero(rig, report)


@pytest.mark.parametrize("state", [State.CHECKING, State.RUNNING, State.REARMED])
def test_stop_with_split_reads(state: State) -> None:
    rig, report = stopped_in(state, line=ByteAtATime)
    check_zero(rig, report)
    check_wire(rig)
    assert exact(report)


@pytest.mark.parametrize("delay_us", [1_000, 15_000, 30_000])
def test_stop_on_a_slow_line(delay_us: int) -> None:
    rig, report = stopped_in(State.RUNNING, line=lambda port: Delayed(port, delay_us))
    check_zero(rig, report)
    check_wire(rig)
    assert exact(report)
    assert rig.last_pulse_us() <= rig.stopped_us() + delay_us + PULSE_US


def test_stop_twice_is_one_stop() -> None:
    rig = Rig()
    report = rig.run((9 * S, stop), (9 * S + 10_000, stop), (9 * S + 10_000, stop))
    assert report.end is End.OPERATOR
    check_zero(rig, report)
    assert len([body for body in rig.log.of("stop") if not body["tried"]]) == 1
    assert len(rig.log.of("closed")) == 1
    turn = rig.engine.step(10 * S, command=[stop])
    assert rig.engine.state is State.ENDED
    assert (turn.output, turn.events) == (b"", []), "an ended session has nothing more to say"


def test_stop_frames_go_on_every_20_ms_until_zero_is_confirmed() -> None:
    rig, report = stopped_in(State.RUNNING, line=lambda port: Delayed(port, 30_000))
    stop_us = rig.stopped_us()
    at_us = [told.at_us for told in rig.tape.messages(m.Stop) if told.at_us >= stop_us]
    assert at_us[0] == stop_us
    assert {later - earlier for earlier, later in pairwise(at_us)} == {limits.STOP_RESEND_US}
    assert report.zero_confirmed_us is not None
    assert at_us[-1] <= stop_us + report.zero_confirmed_us


# --- a device that does not come to zero -------------------------------------------------------------


class Stuck(Switch):
    """An output that stays on when it is switched off, from `from_us` on."""

    def __init__(self, from_us: int) -> None:
        self.from_us = from_us

    def leak_na(self, now_us: int) -> int:
        return 500_000 if now_us >= self.from_us else 0


def pull_the_leads(report: SessionReport) -> Alarm:
    alarm = next(alarm for alarm in report.alarms if alarm.action == "PULL THE LEADS")
    assert alarm.priority is Priority.HIGH
    return alarm


@pytest.mark.parametrize("state", [State.TESTED, State.RUNNING, State.HELD])
def test_an_output_stuck_on_is_an_alarm_within_100_ms(state: State) -> None:
    auto, lead_up = WAYS[state]
    rig = lead_up(Rig(auto=auto))

    def stick_and_stop(_engine: Engine, now_us: int) -> None:
        rig.device.machine.stage.refit(1, switch=Stuck(now_us))
        rig.runner.post(stop)

    report = rig.when(state, stick_and_stop).run()
    assert report.zero_confirmed_us is None
    assert 0 <= pull_the_leads(report).at_us - rig.stopped_us() <= limits.STOP_CONFIRM_US
    assert not [body for body in rig.log.of("stop") if not body["tried"]], "no zero was written that was not measured"
    assert rig.log.of("closed")[-1]["zero_confirmed_us"] is None
    check_wire(rig)


def test_an_output_stuck_on_is_found_when_the_stop_is_tried() -> None:
    """The self-test sees it first where it can; here it sticks between the two."""
    rig = Rig()

    def stick(_engine: Engine, now_us: int) -> None:
        rig.device.machine.stage.refit(2, switch=Stuck(now_us))

    report = rig.when(lambda engine: engine._context.is_pending(Task.TRYING_STOP), stick).run()
    assert report.end is End.SELF_TEST
    pull_the_leads(report)
    assert rig.flowed() == 0, "no lead was driven"


def test_a_current_that_comes_back_takes_the_zero_away() -> None:
    """Zero is watched for 20 ms without a break: 15 ms of silence are not zero."""

    class Blinking(Switch):
        def leak_na(self, now_us: int) -> int:
            return 500_000 if now_us // 1_000 % 16 == 0 else 0

    rig = Rig()

    def blink_and_stop(_engine: Engine, _now_us: int) -> None:
        rig.device.machine.stage.refit(1, switch=Blinking())
        rig.runner.post(stop)

    report = rig.when(State.RUNNING, blink_and_stop).run()
    assert report.zero_confirmed_us is None
    pull_the_leads(report)


def test_a_stop_that_reaches_nobody_is_an_alarm_and_the_watchdog_ends_the_output() -> None:
    rig = Rig(line=lambda port: Cut(port, 8 * S))
    report = rig.run((8 * S, stop))
    assert report.end is End.OPERATOR
    assert report.zero_confirmed_us is None
    assert report.delivered is None
    assert pull_the_leads(report).at_us == 8 * S + limits.STOP_CONFIRM_US
    alive_us = max(told.at_us for told in rig.tape.messages(m.KeepAlive) if told.at_us < 8 * S)
    assert rig.last_pulse_us() <= alive_us + limits.WATCHDOG_US + PULSE_US
    assert rig.device.machine.flash.session is not None
    assert rig.device.machine.flash.session.end_reason == EndReason.WATCHDOG


def test_answers_that_never_come_are_no_zero() -> None:
    """The stop gets through, its answers do not: the output is off, but nobody can say so."""
    rig = Rig(line=lambda port: Cut(port, 8 * S, to_device=False))
    report = rig.run((8 * S, stop))
    assert report.zero_confirmed_us is None
    pull_the_leads(report)
    assert rig.last_pulse_us() <= 8 * S + PULSE_US


# --- from elsewhere ----------------------------------------------------------------------------------


@pytest.mark.realtime
def test_stop_from_another_thread(tmp_path: Path) -> None:
    with (
        Ledger(tmp_path / "ledger.sqlite") as ledger,
        Session("sim://?seed=1&pace=real", prescription(), ledger) as session,
    ):
        session.start()
        thread = Thread(target=stop_once, args=(session, State.RAMPING))
        thread.start()
        report = session.wait(20)
        thread.join()
    assert report is not None
    assert report.end is End.OPERATOR
    assert report.zero_confirmed_us is not None
    assert report.zero_confirmed_us <= limits.STOP_CONFIRM_US
    assert exact(report)


def stop_once(session: Session, state: State) -> None:
    """Stop a session of another thread as it is seen in `state`."""
    while session.view().state is not state:
        assert session.wait(0.005) is None, "it ended before it came there"
    session.stop()
