"""Every way in which a session ends or is held: the fault is put in, the control is seen to act, and zero follows."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from firmware_sim.analog.load import ScriptedLoad, load_named
from firmware_sim.analog.recorder import FlowKind
from firmware_sim.native.device import Device
from firmware_sim.native.flash import Flash
from stimctl import limits
from stimctl.errors import Unsafe
from stimctl.port import Port
from stimctl.session.commands import AskHold, AskStop, AskTarget, CheckIn, Command, Raise
from stimctl.session.dose_tracker import UNANSWERED
from stimctl.session.engine import ATTENDED, UNATTENDED, Engine
from stimctl.session.states import End, State
from stimctl.session.view import Alarm
from stimctl.wire import codec as m
from stimctl.wire.codes import PROTOCOL_VERSION, DeviceState, EndReason
from tests.stimctl.session.world import (
    PULSE_US,
    Cut,
    Delayed,
    Gone,
    Rewritten,
    Rig,
    S,
    TooMuch,
    at_1_ma,
    ended_at_zero,
    exact,
    high,
    open_between,
    prescription,
    proceed,
)

# --- timers ------------------------------------------------------------------------------------------


def test_the_timer_ends_a_session_on_both_sides() -> None:
    rig = Rig()
    report = rig.run()
    ended_at_zero(rig, report, End.TIMER)
    (train, *_) = rig.recorder.flows(1)
    ended_us = next(each["device_time_us"] for each in rig.journal if each.get("reason") == "TIMER")
    assert ended_us - train.first_us == 20 * S, "to the microsecond, by the device's clock"
    assert high(rig) == []


def test_a_hold_ends_after_ten_minutes() -> None:
    rig = Rig()
    report = rig.run((8 * S, AskHold()))
    ended_at_zero(rig, report, End.HOLD_EXPIRED)
    assert rig.stopped_us() - 8 * S == pytest.approx(limits.HOLD_US, abs=limits.KEEPALIVE_US)
    assert exact(report)
    assert report.held_us == pytest.approx(limits.HOLD_US, abs=limits.KEEPALIVE_US)


def test_a_session_ends_45_minutes_after_its_first_arm() -> None:
    """Held again and again, each time under ten minutes."""
    rig = Rig(prescription(seconds=1_200))
    steps: list[tuple[int, Command]] = []
    for number in range(6):
        at_us = (20 + number * 540) * S
        steps.append((at_us, AskHold()))
        steps += [(at_us + wait_us, proceed) for wait_us in (500 * S, 502 * S)]
    report = rig.run(*steps)
    ended_at_zero(rig, report, End.SESSION_EXPIRED)
    assert rig.stopped_us() == pytest.approx(limits.SESSION_US, abs=S)
    assert exact(report)


def test_titration_is_held_after_60_s_below_half_a_milliampere() -> None:
    rig = Rig(prescription(seconds=120, titrate=True))
    report = rig.run(
        (5 * S, Raise(1)),
        (7 * S, Raise(1)),
        (80 * S, AskStop()),
    )
    (held,) = [entry for entry in rig.log.entries if entry.kind == "held"]
    assert held.at_us - 5 * S == pytest.approx(limits.TITRATION_US, abs=2 * limits.KEEPALIVE_US)
    assert any("below 0.5 mA for 60 s" in alarm for alarm in rig.alarms)
    assert rig.last_pulse_us() <= held.at_us + PULSE_US
    assert exact(report)


def test_titration_in_time_goes_on() -> None:
    rig = Rig(prescription(seconds=90, titrate=True))
    raises = [(2 * number * S, Raise(1)) for number in range(2, 8)]
    report = rig.run(*raises)
    ended_at_zero(rig, report, End.TIMER)
    assert rig.log.of("held") == []
    assert max(flow.shape.first_na for flow in rig.recorder.flows(1)) == pytest.approx(600_000, abs=1_250)
    assert exact(report)


# --- front end ---------------------------------------------------------------------------------------


def test_a_silent_front_end_ends_the_session() -> None:
    rig = Rig(attended=True)
    last_us = 6 * S
    check_ins = [(at_us, CheckIn()) for at_us in range(0, last_us + 1, 500_000)]
    report = rig.run(*((at_us, CheckIn()) for at_us, _ in check_ins))
    ended_at_zero(rig, report, End.FRONT_END)
    assert last_us < rig.stopped_us() <= last_us + limits.CHECK_IN_US + limits.KEEPALIVE_US
    assert any("front end" in text for text in high(rig))


def test_no_front_end_no_person() -> None:
    """Refused before anything is spoken; a dummy load may run from a script."""
    with pytest.raises(Unsafe, match="operator at a terminal"):
        Rig(animal())
    Rig(animal(), front_end=True)


def animal() -> Any:
    """The smallest prescription that is not for a bench."""
    plan = {
        "channel": 1,
        "first": {"point": "ST-35", "side": "left"},
        "second": {"point": "Xiyan", "side": "left"},
        "amplitude_ma": 1.0,
        "needle": {"diameter_mm": 0.30, "inserted_mm": 30, "coating": "none"},
    }
    return prescription(
        seconds=1_200,
        profile="knee-osteoarthritis",
        variant="2-100-hz",
        subject="animal",
        approval="A-1",
        pregnant=False,
        clinician={"name": "C. L.", "completes": ["amplitude_ma"]},
        channels=[plan],
    )


# --- line and device ---------------------------------------------------------------------------------


def test_a_port_that_vanishes_ends_the_session_and_the_watchdog_the_output() -> None:
    rig = Rig(line=lambda port: Gone(port, 8 * S))
    report = rig.run()
    assert report.end is End.LINE_LOST
    assert report.zero_confirmed_us is None
    assert report.delivered is None, "nobody could be asked"
    assert any("PULL THE LEADS" in alarm for alarm in rig.alarms)
    rig.device.advance(20 * S)
    alive_us = max(told.at_us for told in rig.tape.messages(m.KeepAlive))
    assert rig.last_pulse_us() <= alive_us + limits.WATCHDOG_US + PULSE_US
    assert [each["reason"] for each in rig.journal if each.get("state") == "ENDED"] == ["WATCHDOG"]


def test_silence_of_half_a_second_is_a_lost_line() -> None:
    rig = Rig(line=lambda port: Cut(port, 8 * S, to_device=False))
    report = rig.run()
    assert report.end is End.LINE_LOST
    heard_us = max(told.at_us for told in rig.tape.messages() if told.sender == "device")
    assert heard_us + limits.SILENCE_US <= rig.stopped_us() <= heard_us + limits.SILENCE_US + 1_000
    # The stop gets through: the watchdog is not needed.
    assert rig.last_pulse_us() <= rig.stopped_us() + PULSE_US


def test_silence_is_heard_where_nothing_is_asked() -> None:
    """Tested, and waiting for its operator: no keepalive goes out that could miss its answer."""
    rig = Rig(auto=ATTENDED, line=lambda port: Cut(port, 3 * S, to_device=False))
    report = rig.run()
    assert report.end is End.LINE_LOST
    heard_us = max(told.at_us for told in rig.tape.messages() if told.sender == "device")
    assert rig.stopped_us() == heard_us + limits.SILENCE_US


def test_a_device_that_answers_but_tells_nothing_is_a_lost_line() -> None:
    """Only a status says what the device's timer says: without it a frozen timer would not be seen."""

    def mute(port: Port) -> Port:
        return Rewritten(port, lambda message: None if type(message) is m.Status and port.now_us() > 8 * S else message)

    rig = Rig(line=mute)
    report = rig.run()
    ended_at_zero(rig, report, End.LINE_LOST)
    assert rig.stopped_us() <= 8 * S + limits.SILENCE_US + 2 * limits.KEEPALIVE_US
    assert report.delivered == report.commanded
    assert report.agreement["exact"] is None, "nothing but the answer to the stop told of its zero"


@pytest.mark.parametrize("kind", [m.Status, m.Channel])
def test_a_single_lost_frame_of_telemetry_ends_nothing(kind: type[Any]) -> None:
    """In the ramp and in the fast band, where most changes from one reading to the next."""
    for number in range(20, 80, 7):
        assert Rig(line=spoiled(losing(kind, number))).run().end is End.TIMER


def spoiled(change: Callable[[Any], Any]) -> Callable[[Port], Port]:
    return lambda port: Rewritten(port, change)


def losing(kind: type[Any], number: int) -> Callable[[Any], Any]:
    """Loses the one message of a kind that is the `number`th of them."""
    seen = 0

    def change(message: Any) -> Any:
        nonlocal seen
        seen += type(message) is kind
        return None if type(message) is kind and seen == number else message

    return change


def reset(rig: Rig, at_us: int, flash: Flash) -> None:
    """The device loses its power for an instant: another one boots on the same flash."""
    inner: Any = rig.line
    inner.line._device = rig.device = Device(flash=flash, recorder=rig.recorder, boot_us=at_us)


@pytest.mark.parametrize("at_us", [20_000, 150_000, 3 * S, 12 * S])
def test_a_device_reset_ends_the_session(at_us: int) -> None:
    """It boots silent; the first keepalive that it refuses, knowing no handshake, gives it away."""
    flash = Flash()
    rig = Rig(flash=flash)
    report = rig.run((at_us, lambda _engine, now_us: reset(rig, now_us, flash)))
    assert report.end in ((End.RESET,) if at_us >= S else (End.RESET, End.REFUSED)), report.end_text
    assert report.zero_confirmed_us is not None
    assert rig.last_pulse_us() <= at_us + PULSE_US, "off by default"
    assert rig.stopped_us() <= at_us + limits.SILENCE_US
    assert rig.device.machine.state is DeviceState.IDLE
    assert report.delivered is None, "it is in the flash, and is fetched at the next connection"
    assert high(rig)


def test_another_boot_number_in_the_status_ends_the_session() -> None:
    def other(message: Any) -> Any:
        late = type(message) is m.Status and message.device_time_us > 8 * S
        return message._replace(boot_id=99) if late else message

    rig = Rig(line=lambda port: Rewritten(port, other))
    ended_at_zero(rig, rig.run(), End.RESET)


def test_another_host_that_says_hello_ends_the_session() -> None:
    rig = Rig()
    report = rig.run(
        (8 * S, lambda _engine, now_us: rig.device.receive(m.encode(1, m.Hello(PROTOCOL_VERSION)), now_us))
    )
    ended_at_zero(rig, report, End.HANDSHAKE)
    assert rig.last_pulse_us() <= 8 * S + PULSE_US
    assert exact(report)


def test_the_dose_of_a_session_that_was_cut_off_is_fetched_at_the_next_connection() -> None:
    flash = Flash()
    first = Rig(flash=flash, line=lambda port: Gone(port, 8 * S))
    first.run()
    first.device.advance(12 * S)
    second = Rig(flash=flash)
    report = second.run()
    ended_at_zero(second, report, End.TIMER)
    ((serial, records),) = second.recovered
    assert second.engine._context.device.identity is not None
    assert serial == second.engine._context.device.identity.serial
    assert records.record.nonce == first.log.of("armed")[-1]["nonce"]
    assert records.record.end_reason == EndReason.WATCHDOG
    counted = {each.channel: each.pulses_0 + each.pulses_1 for each in records.counters}
    assert counted == {1: first.recorder.pulses(1), 2: 0, 3: 0, 4: 0}
    assert records.record.session != second.log.of("armed")[-1]["session"]


def test_a_start_that_is_never_answered_is_no_count_that_differs() -> None:
    """The device took it: pulses flow until it is given up, and nobody is to examine the device for that."""

    def mute(message: Any) -> Any:
        return None if type(message) is m.Started and any(message[:4]) else message

    rig = Rig(at_1_ma(), line=spoiled(mute))
    report = rig.run()
    ended_at_zero(rig, report, End.LINE_LOST)
    assert rig.recorder.pulses(1) > 10
    assert (report.agreement["exact"], report.agreement["reason"]) == (None, UNANSWERED)
    assert [alarm.text for alarm in report.alarms] == [
        "no answer to Start after 10 tries; check the cable and the device"
    ]


def test_a_lowering_without_an_answer_that_a_hold_and_a_stop_overtook_is_no_count_that_differs() -> None:
    def mute(message: Any) -> Any:
        return None if type(message) in (m.TargetSet, m.Holding) else message

    rig = Rig(at_1_ma(), line=spoiled(mute))
    report = rig.run((8 * S, AskTarget(1, 500)), (8_010_000, AskHold()), (8_080_000, AskStop()))
    ended_at_zero(rig, report, End.OPERATOR)
    assert (report.agreement["exact"], report.agreement["reason"]) == (None, UNANSWERED)
    assert report.alarms == ()


def test_the_check_in_which_a_host_died_is_fetched_with_its_session() -> None:
    """The device ended the check by itself; the host had heard of none of it."""
    rx = prescription(amplitudes_ma={1: 1.0, 2: 1.0})
    whole = Rig(rx)
    whole.run((5 * S, AskStop()))
    began_us = next(entry.at_us for entry in whole.log.entries if entry.body.get("now") == State.CHECKING)
    first = Rig(rx, line=lambda port: Cut(port, began_us + 135_000))
    first._port.close = lambda: None  # the device keeps its power
    cut: Any = first.line
    first.run()
    assert first.log.of("impedance") == []
    second = Rig(rx, line=lambda _port: cut.inner)
    flowed = {channel: first.recorder.pulses(channel, FlowKind.CHECK) for channel in (1, 2)}
    assert second.run().end is End.TIMER
    ((_serial, records),) = second.recovered
    assert {each.channel: each.pulses for each in records.checked} == flowed == {1: 10, 2: 10}
    assert len(second.log.of("impedance")) == 2, "its own check is told once"


def test_a_hold_asked_for_twice_is_one_hold() -> None:
    rig = Rig(at_1_ma(), line=lambda port: Delayed(port, 5_000))
    holds = [(8 * S + later_us, AskHold()) for later_us in (0, 0, 3_000)]
    report = rig.run(*holds, (9 * S, proceed), (10 * S, proceed))
    ended_at_zero(rig, report, End.TIMER)
    assert len(rig.log.of("held")) == 1
    assert len(rig.tape.messages(m.Hold)) == 1
    assert exact(report)


def test_a_hold_that_crosses_the_devices_own_is_a_hold() -> None:
    """The lead comes off while the operator's order is on its way: the device refuses it, being held already."""
    rig = Rig(at_1_ma(), load=open_between(8 * S, 1_000 * S), line=lambda port: Delayed(port, 20_000))
    report = rig.run((8 * S + 20_000, AskHold()), (9 * S, AskStop()))
    ended_at_zero(rig, report, End.OPERATOR)
    assert any(type(told.message) is m.Refused for told in rig.tape.messages())
    assert len(rig.log.of("held")) == 1
    assert exact(report)


# --- contact -----------------------------------------------------------------------------------------


def test_lead_off_is_held_and_resumes_from_zero_by_a_person() -> None:
    rig = Rig(at_1_ma(), load=open_between(8 * S, 12 * S))
    report = rig.run((13 * S, proceed), (14 * S, proceed))
    (held,) = rig.log.of("held")
    assert held["stimulation_us"] < 8 * S
    gap_us = [each.first_us for each in rig.recorder.flows(1) if each.first_us > 8 * S + 100_000]
    assert gap_us[0] >= 14 * S, "nothing flows by itself when the lead is back"
    resumed = next(each for each in rig.recorder.flows(1) if each.first_us == gap_us[0])
    assert resumed.shape.first_na <= 100_000, "from zero, by one step at most"
    ended_at_zero(rig, report, End.TIMER)
    assert exact(report)
    assert any("lead off" in alarm for alarm in rig.alarms)
    assert len(rig.log.of("started")) == 2


def test_a_lead_that_stays_off_fails_the_recheck_and_nothing_starts() -> None:
    rig = Rig(at_1_ma(), load=open_between(8 * S, 1_000 * S))
    report = rig.run((13 * S, proceed), (14 * S, proceed), (16 * S, AskStop()))
    assert report.end is End.OPERATOR
    assert len(rig.log.of("started")) == 1
    assert sum("no contact" in alarm for alarm in rig.alarms) == 2
    assert not [each for each in rig.recorder.flows(1) if each.first_us > 9 * S]
    assert exact(report)


def test_a_clip_that_comes_and_goes_never_starts_by_itself() -> None:
    """Minutes of an intermittent clip: each output follows a proceed of the operator."""
    rig = Rig(at_1_ma(120), load="intermittent", seed=3)
    report = rig.run(*((at_s * S, proceed) for at_s in range(10, 500, 3)))
    assert report.end in (End.TIMER, End.HOLD_EXPIRED)
    assert len(rig.log.of("held")) >= 2
    assert exact(report)


def test_a_short_ends_the_session() -> None:
    rig = Rig(at_1_ma(), load=ScriptedLoad(load_named("nominal"), [(8 * S, load_named("short"))]))
    report = rig.run()
    ended_at_zero(rig, report, End.SHORT)
    assert rig.last_pulse_us() <= 8 * S + 3 * 10_000 + PULSE_US, "after three pulses"
    assert exact(report)
    assert high(rig)


def test_a_converter_that_gives_too_much_ends_the_session_in_mid_pulse() -> None:
    rig = Rig(at_1_ma())
    report = rig.run((8 * S, lambda _engine, _now_us: rig.device.machine.stage.refit(1, dac=TooMuch())))
    ended_at_zero(rig, report, End.OVER_CURRENT)
    (*_, cut) = rig.recorder.flows(1)
    assert cut.shape.width_us <= 1_000
    assert (cut.count, cut.shape.second_na) == (1, 0)
    assert exact(report)


@pytest.mark.parametrize("percent", [70, 140])
def test_an_ammeter_that_reads_wrong_ends_the_session(percent: int) -> None:
    """Read too low, a real over-current would be missed: what is read is held against what is applied."""
    rig = Rig(at_1_ma())

    def worse(_engine: Engine, _now_us: int) -> None:
        stage = rig.device.machine.stage
        stage.refit(1, readback=replace(stage.readback(1), gain_ppm=(percent - 100) * 10_000))

    report = rig.run((8 * S, worse))
    ended_at_zero(rig, report, End.IMPLAUSIBLE if percent < 100 else End.OVER_CURRENT)
    assert rig.last_pulse_us() <= 8 * S + 400_000
    assert exact(report)
    assert high(rig)


def test_a_current_that_finds_its_way_to_another_channel_ends_the_session() -> None:
    """The leads of channels 1 and 2 touch: what nobody applied to channel 2 is seen there."""
    rig = Rig(at_1_ma(), load=ScriptedLoad(load_named("nominal"), [(8 * S, load_named("bridged"))]))
    report = rig.run()
    ended_at_zero(rig, report, End.OVER_CURRENT)
    assert rig.last_pulse_us() <= 8 * S + 10_000 + PULSE_US
    assert exact(report)


def test_alarms_say_what_to_do() -> None:
    rig = Rig(line=lambda port: Gone(port, 8 * S))
    rig.run()
    alarms = [each for each in rig.events if isinstance(each, Alarm)]
    assert alarms
    assert all(alarm.text and alarm.action for alarm in alarms)


def test_unattended_does_not_mean_resumed() -> None:
    """After a hold it is always a person who goes on, also where everything else goes by itself."""
    assert not UNATTENDED & {State.HELD, State.RECHECKED}
