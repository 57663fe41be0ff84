"""Every way in which a session ends or is held: the fault is put in, the control is seen to act, and zero follows."""

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from firmware_sim.converter import Dac
from firmware_sim.device import Device
from firmware_sim.flash import Flash
from firmware_sim.load import ScriptedLoad, load_named
from stimctl import limits
from stimctl.alive import Alive
from stimctl.api import Session
from stimctl.errors import LogFault, Unsafe
from stimctl.ledger import Ledger
from stimctl.ledger.writer import LedgerWriter
from stimctl.port import Port
from stimctl.session.engine import ATTENDED, UNATTENDED, Engine
from stimctl.session.states import End, State
from stimctl.session.view import Alarm, Priority, SessionReport, Told
from stimctl.wire import messages as m
from stimctl.wire.codes import Capability, DeviceState, EndReason
from tests.stimctl.session.world import Cut, Delayed, Gone, Rewritten, Rig, S, exact, prescription

PULSE_US = 1_300


def proceed(engine: Engine, now_us: int) -> None:
    engine.proceed(now_us)


def at_1_ma(seconds: float = 20, **changes: Any) -> Any:
    """1.0 mA at 100 Hz on channel 1: at its target 5 s after the start."""
    return prescription(seconds=seconds, profile="bench-100hz", amplitudes_ma={1: 1.0}, **changes)


def ended_at_zero(rig: Rig, report: SessionReport, end: End) -> None:
    """It ended for this reason, and nothing flowed after the stop but the pulse in flight; zero was measured."""
    assert report.end is end, (report.end, report.end_text)
    assert report.zero_confirmed_us is not None
    assert report.zero_confirmed_us <= limits.STOP_CONFIRM_US
    assert rig.last_pulse_us() <= rig.stopped_us() + PULSE_US


def high(rig: Rig) -> list[str]:
    """The HIGH alarms."""
    assert rig.engine.report is not None
    return [alarm.text for alarm in rig.engine.report.alarms if alarm.priority is Priority.HIGH]


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
    report = rig.run((8 * S, lambda engine, now_us: engine.hold(now_us)))
    ended_at_zero(rig, report, End.HOLD_EXPIRED)
    assert rig.stopped_us() - 8 * S == pytest.approx(limits.HOLD_US, abs=limits.KEEPALIVE_US)
    assert exact(report)
    assert report.held_us == pytest.approx(limits.HOLD_US, abs=limits.KEEPALIVE_US)


def test_a_session_ends_45_minutes_after_its_first_arm() -> None:
    """Held again and again, each time under ten minutes."""
    rig = Rig(prescription(seconds=1_200))
    steps: list[tuple[int, Callable[[Engine, int], None]]] = []
    for number in range(6):
        at_us = (20 + number * 540) * S
        steps.append((at_us, lambda engine, now_us: engine.hold(now_us)))
        steps += [(at_us + wait_us, proceed) for wait_us in (500 * S, 502 * S)]
    report = rig.run(*steps)
    ended_at_zero(rig, report, End.SESSION_EXPIRED)
    assert rig.stopped_us() == pytest.approx(limits.SESSION_US, abs=S)
    assert exact(report)


def test_titration_is_held_after_60_s_below_half_a_milliampere() -> None:
    rig = Rig(prescription(seconds=120, titrate=True))
    report = rig.run(
        (5 * S, lambda engine, now_us: engine.raise_target(1, now_us)),
        (7 * S, lambda engine, now_us: engine.raise_target(1, now_us)),
        (80 * S, lambda engine, now_us: engine.stop(now_us)),
    )
    (held,) = [entry for entry in rig.log.entries if entry.kind == "held"]
    assert held.at_us - 5 * S == pytest.approx(limits.TITRATION_US, abs=2 * limits.KEEPALIVE_US)
    assert any("below 0.5 mA for 60 s" in alarm for alarm in rig.alarms)
    assert rig.last_pulse_us() <= held.at_us + PULSE_US
    assert exact(report)


def test_titration_in_time_goes_on() -> None:
    rig = Rig(prescription(seconds=90, titrate=True))
    raises = [(2 * number * S, lambda engine, now_us: engine.raise_target(1, now_us)) for number in range(2, 8)]
    report = rig.run(*raises)
    ended_at_zero(rig, report, End.TIMER)
    assert rig.log.of("held") == []
    assert max(flow.shape.first_na for flow in rig.recorder.flows(1)) == pytest.approx(600_000, abs=1_250)
    assert exact(report)


# --- front end ---------------------------------------------------------------------------------------


def test_a_silent_front_end_ends_the_session() -> None:
    rig = Rig(attended=True)
    last_us = 6 * S
    check_ins = [(at_us, Engine.check_in) for at_us in range(0, last_us + 1, 500_000)]
    report = rig.run(*((at_us, lambda engine, now_us: engine.check_in(now_us)) for at_us, _ in check_ins))
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


def test_a_device_that_answers_but_tells_nothing_is_a_lost_line() -> None:
    """Only a status says what the device's timer says: without it a frozen timer would not be seen."""

    def mute(port: Port) -> Port:
        return Rewritten(port, lambda message: None if type(message) is m.Status and port.now_us() > 8 * S else message)

    rig = Rig(line=mute)
    report = rig.run()
    ended_at_zero(rig, report, End.LINE_LOST)
    assert rig.stopped_us() <= 8 * S + limits.SILENCE_US + 2 * limits.KEEPALIVE_US
    assert exact(report)


@pytest.mark.parametrize("kind", [m.Status, m.Channel])
def test_a_single_lost_frame_of_telemetry_ends_nothing(kind: type[Any]) -> None:
    """In the ramp and in the fast band, where most changes from one reading to the next."""
    for number in range(20, 80, 7):
        rig = Rig(prescription(), line=lambda port, number=number: Rewritten(port, losing(kind, number)))
        assert rig.run().end is End.TIMER


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
    inner._line._device = rig.device = Device(flash=flash, recorder=rig.recorder, boot_us=at_us)


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
    report = rig.run((8 * S, lambda _engine, now_us: rig.device.receive(m.encode(1, m.Hello(1)), now_us)))
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
    assert second.engine.identity is not None
    assert serial == second.engine.identity.serial
    assert records.record.nonce == first.log.of("armed")[-1]["nonce"]
    assert records.record.end_reason == EndReason.WATCHDOG
    counted = {each.channel: each.pulses_0 + each.pulses_1 for each in records.counters}
    assert counted == {1: first.recorder.pulses(1), 2: 0, 3: 0, 4: 0}
    assert records.record.session != second.log.of("armed")[-1]["session"]


def test_a_hold_asked_for_twice_is_one_hold() -> None:
    rig = Rig(at_1_ma(), line=lambda port: Delayed(port, 5_000))
    holds = [(8 * S + later_us, lambda engine, now_us: engine.hold(now_us)) for later_us in (0, 0, 3_000)]
    report = rig.run(*holds, (9 * S, proceed), (10 * S, proceed))
    ended_at_zero(rig, report, End.TIMER)
    assert len(rig.log.of("held")) == 1
    assert exact(report)


def test_a_hold_that_crosses_the_devices_own_is_a_hold() -> None:
    """The lead comes off while the operator's order is on its way: the device refuses it, being held already."""
    rig = Rig(at_1_ma(), load=open_between(8 * S, 1_000 * S), line=lambda port: Delayed(port, 20_000))
    report = rig.run((8 * S + 20_000, lambda engine, now_us: engine.hold(now_us)), (9 * S, Engine.stop))
    ended_at_zero(rig, report, End.OPERATOR)
    assert any(type(told.message) is m.Refused for told in rig.tape.messages())
    assert len(rig.log.of("held")) == 1
    assert exact(report)


# --- contact -----------------------------------------------------------------------------------------


def open_between(begin_us: int, end_us: int) -> ScriptedLoad:
    return ScriptedLoad(load_named("nominal"), [(begin_us, load_named("open")), (end_us, load_named("nominal"))])


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
    report = rig.run((13 * S, proceed), (14 * S, proceed), (16 * S, lambda engine, now_us: engine.stop(now_us)))
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


class TooMuch(Dac):
    """A converter whose output is half as much again as it is told."""

    def current_na(self, amplitude_ua: int) -> int:
        return super().current_na(amplitude_ua) * 3 // 2


def test_a_converter_that_gives_too_much_ends_the_session_in_mid_pulse() -> None:
    rig = Rig(at_1_ma())
    report = rig.run((8 * S, lambda _engine, _now_us: rig.device.machine.stage.refit(1, dac=TooMuch())))
    ended_at_zero(rig, report, End.OVER_CURRENT)
    (*_, cut) = rig.recorder.flows(1)
    assert cut.shape.width_us <= 1_000
    assert (cut.count, cut.shape.second_na) == (1, 0)
    assert exact(report)


# --- preparation -------------------------------------------------------------------------------------


def test_a_failed_self_test_ends_before_anything_flows() -> None:
    rig = Rig()
    rig.device.machine.stage.refit(3, dac=TooMuch())
    report = rig.run()
    ended_at_zero(rig, report, End.SELF_TEST)
    assert rig.flowed() == 0
    assert rig.log.of("armed") == []
    assert rig.log.of("self_test")[0]["failures"] != 0


@pytest.mark.parametrize(("load", "word"), [("open", "no contact"), ("short", "short circuit")])
def test_a_failed_impedance_check_ends_a_session_that_nobody_attends(load: str, word: str) -> None:
    rig = Rig(load=load)
    report = rig.run()
    ended_at_zero(rig, report, End.CONTACT)
    assert word in report.end_text
    assert rig.recorder.pulses(1) == 0, "the check's own ten pulses, and nothing else"
    assert rig.log.of("started") == []


def test_a_failed_impedance_check_waits_for_the_operator_who_attends() -> None:
    """The clip is put on, the check is repeated, and the session goes its way."""
    rig = Rig(at_1_ma(), auto=ATTENDED, load=open_between(0, 6 * S))
    report = rig.run(*((at_s * S, proceed) for at_s in (2, 7, 9)))
    ended_at_zero(rig, report, End.TIMER)
    ohms = [body["ohm"] for body in rig.log.of("impedance")]
    assert ohms[0] > limits.LEAD_OFF_OHM >= ohms[1]
    assert any("no contact" in alarm for alarm in rig.alarms)
    assert exact(report)


@pytest.mark.parametrize(("load", "ok"), [("r1k", True), ("r2k", False), ("r500", False)])
def test_a_dummy_load_has_to_be_the_one_that_is_declared(load: str, ok: bool) -> None:
    rx = at_1_ma(subject="dummy_load", declared_ohm=1_000)
    rig = Rig(rx, load=load, line=lambda port: Rewritten(port, as_hardware))
    report = rig.run()
    assert report.simulator is False
    ended_at_zero(rig, report, End.TIMER if ok else End.CONTACT)


def as_hardware(message: Any) -> Any:
    """The simulator's answer, without its saying that it is one."""
    return message._replace(simulator=0) if type(message) is m.Welcome else message


# --- who is connected to what -------------------------------------------------------------------------


def test_a_simulator_refuses_to_be_called_a_load() -> None:
    rig = Rig(at_1_ma(subject="dummy_load", declared_ohm=1_000))
    report = rig.run()
    ended_at_zero(rig, report, End.WRONG_DEVICE)
    assert "SIMULATOR" in report.end_text
    nothing_but_a_stop(rig)


def test_hardware_refuses_to_be_called_a_simulator() -> None:
    rig = Rig(line=lambda port: Rewritten(port, as_hardware))
    report = rig.run()
    ended_at_zero(rig, report, End.WRONG_DEVICE)
    assert "HARDWARE" in report.end_text
    nothing_but_a_stop(rig)


def less_able(**changes: int) -> Callable[[Any], Any]:
    """The device's ranges with other values."""
    return lambda message: message._replace(**changes) if type(message) is m.Ranges else message


@pytest.mark.parametrize(
    ("changes", "word"),
    [({"channels": 1}, "channel 2"), ({"max_amplitude_ua": 1_000}, "ceiling of 1000 uA")],
)
def test_a_device_that_cannot_do_what_is_prescribed_is_refused(changes: dict[str, int], word: str) -> None:
    rx = prescription(amplitudes_ma={1: 1.0, 2: 1.0})
    rig = Rig(rx, line=lambda port: Rewritten(port, less_able(**changes)))
    report = rig.run()
    ended_at_zero(rig, report, End.WRONG_DEVICE)
    assert word in report.end_text
    nothing_but_a_stop(rig)


def nothing_but_a_stop(rig: Rig) -> None:
    sent = {type(told.message) for told in rig.tape.messages() if told.sender == "host"}
    assert sent == {m.Hello, m.ReadIdentity, m.Stop}
    assert rig.flowed() == 0
    assert high(rig)


@pytest.mark.parametrize("lacking", [*Capability, None], ids=lambda bit: "slow watchdog" if bit is None else bit.name)
def test_what_a_person_needs_of_a_device(lacking: Capability | None) -> None:
    """Current measured, and limits, timer and a watchdog of 1 s held by the device itself."""
    from stimctl.errors import WrongDevice
    from stimctl.prescription import Subject
    from stimctl.session.subject import check_device
    from tests.stimctl.session.world import forged

    rig = Rig()
    rig.run((S, lambda engine, now_us: engine.stop(now_us)))
    identity = rig.engine.identity
    assert identity is not None
    person = forged(rig.rx, subject=Subject.PERSON)
    hardware = forged(identity, simulator=False)
    check_device(person, hardware)
    if lacking is None:
        with pytest.raises(WrongDevice, match="watchdog"):
            check_device(person, forged(hardware, watchdog_ms=1_001))
        return
    lesser = forged(hardware, capabilities=identity.capabilities & ~lacking)
    needed = {Capability.MEASURES_CURRENT, Capability.HOLDS_LIMITS, Capability.SESSION_TIMER, Capability.WATCHDOG}
    if lacking in needed:
        with pytest.raises(WrongDevice, match="may not be used on a person"):
            check_device(person, lesser)
    else:
        check_device(person, lesser)


# --- echoes and refusals -----------------------------------------------------------------------------

ECHOES: list[tuple[type[Any], dict[str, Any]]] = [
    (m.Welcome, {"version": 2}),
    (m.ProgramOpen, {"ramp_slope_ua_per_s": 201}),
    (m.SegmentLoaded, {"width_us": 601}),
    (m.ProgramDigest, {"sha256": bytes(32)}),
    (m.Armed, {"ceiling_ua": 1_999}),
    (m.Armed, {"channel_mask": 3}),
    (m.Armed, {"stimulation_limit_us": 21 * S}),
    (m.Started, {"target_1_ua": 1_999}),
    (m.Started, {"target_3_ua": 100}),
    (m.TargetSet, {"target_ua": 1_801}),
    (m.TargetSet, {"channel": 2}),
    (m.Impedance, {"channel": 2}),
]


@pytest.mark.parametrize(("kind", "changes"), ECHOES, ids=lambda part: getattr(part, "__name__", None) or str(*part))
def test_a_value_applied_that_is_not_the_value_asked_ends_the_session(kind: type[Any], changes: dict[str, Any]) -> None:
    def change(message: Any) -> Any:
        return message._replace(**changes) if type(message) is kind else message

    rig = Rig(prescription(seconds=30), line=lambda port: Rewritten(port, change))
    report = rig.run((15 * S, lambda engine, now_us: engine.set_target(1, 1_800, now_us)))
    assert report.end is End.ECHO, (report.end, report.end_text)
    assert report.zero_confirmed_us is not None
    assert high(rig)
    if kind is m.TargetSet:
        assert rig.last_pulse_us() <= 15 * S + PULSE_US


def test_an_answer_of_another_kind_ends_the_session() -> None:
    def change(message: Any) -> Any:
        return m.Alive(0, 0) if type(message) is m.SelfTestDone else message

    rig = Rig(line=lambda port: Rewritten(port, change))
    ended_at_zero(rig, rig.run(), End.ECHO)


def test_a_refused_order_ends_the_session_and_says_why() -> None:
    """Another master has armed the device meanwhile: what is armed here is refused."""
    rig = Rig(auto=ATTENDED)

    def load_something_else(_engine: Engine, now_us: int) -> None:
        rig.device.receive(m.encode(100, m.LoadProgram(1, 1, 200, 0)), now_us)

    report = rig.run((S, load_something_else), (2 * S, proceed))
    ended_at_zero(rig, report, End.REFUSED)
    assert rig.flowed() == 0
    assert high(rig)


def test_a_refused_target_is_told_and_changes_nothing() -> None:
    """The driver's rule is passed by, the device refuses, the session goes on."""
    rig = Rig(at_1_ma())
    report = rig.run((12 * S, lambda _engine, now_us: rig.native.set_target(1, 1_500, now_us)))
    ended_at_zero(rig, report, End.TIMER)
    assert report.delivered == report.planned
    assert [each.text for each in rig.events if isinstance(each, Told)] == [
        "the device refused SetTarget: raise too large"
    ]


def test_a_device_that_answers_nothing_is_a_lost_line() -> None:
    rig = Rig(line=lambda port: Cut(port, 0))
    report = rig.run()
    assert report.end is End.LINE_LOST
    assert "no answer to Hello" in report.end_text
    assert rig.log.entries == []


# --- the log -----------------------------------------------------------------------------------------


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "ledger.sqlite"


@pytest.fixture
def writer(path: Path) -> Iterator[LedgerWriter]:
    """A real log, whose troubles at closing have been seen by the test."""
    with Ledger(path) as ledger:
        log = ledger.writer("failing")
        yield log
        try:
            log.close()
        except LogFault:
            return


def fill_the_disk(log: LedgerWriter) -> None:
    """SQLite may not take one page more, and says what a full disk says."""
    connection = log._appender.connection
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count={pages}")


def test_a_log_that_fails_in_mid_session_ends_it_at_zero(writer: LedgerWriter) -> None:
    rig = Rig(prescription(seconds=1_800), log=writer)

    def fill(_engine: Engine, now_us: int) -> None:
        writer.drain(5)
        fill_the_disk(writer)

    # Entries fill the last page first; what the operator writes does it at once.
    words = {"text": "x" * 3_000}
    notes = [(at_s * S, lambda engine, now_us: engine.note("note", words, now_us)) for at_s in range(21, 40)]
    report = rig.run((20 * S, fill), *notes)
    assert report.end is End.LOG, report.end_text
    assert "disk is full" in report.end_text
    assert report.zero_confirmed_us is not None
    assert rig.device.machine.run is None
    assert any("disk is full" in text for text in high(rig))
    assert rig.device.machine.waiting is not None, "the device keeps what was not logged"


def test_a_log_that_cannot_be_written_starts_nothing(writer: LedgerWriter) -> None:
    fill_the_disk(writer)
    rig = Rig(log=writer)
    writer.put("note", 0, {"text": "x" * 5_000})
    report = rig.run()
    assert report.end is End.LOG
    assert rig.recorder.pulses(1) == 0
    assert report.zero_confirmed_us is not None


def test_a_log_that_falls_behind_ends_the_session(path: Path) -> None:
    """Another program holds the file's lock and does not let go."""
    Ledger(path).close()
    (path.parent / "live").mkdir()
    log = LedgerWriter(path, "behind", Alive(path.parent / "live" / "behind.lock"), bound_age_s=0.2)
    other = sqlite3.connect(path, isolation_level=None)
    rig = Rig(prescription(seconds=1_800), log=log)
    # It lets go when the stop is out, so that the last entries find their way and the test its end.
    rig.when(State.STOPPING, lambda _engine, _now_us: other.execute("ROLLBACK"))
    report = rig.run((20 * S, lambda _engine, _now_us: other.execute("BEGIN IMMEDIATE")))
    other.close()
    log.close()
    assert report.end is End.LOG
    assert "behind" in report.end_text
    assert report.zero_confirmed_us is not None
    with Ledger(path) as ledger:
        assert ledger.verify().ok
        (closed,) = [entry.body for entry in ledger.entries("behind") if entry.kind == "closed"]
    assert closed["delivered"] == report.delivered


def test_no_ledger_no_session(tmp_path: Path) -> None:
    """A ledger that is removed under the session's feet before it starts."""
    path = tmp_path / "data" / "ledger.sqlite"
    with (
        Ledger(path) as ledger,
        pytest.raises(LogFault, match="removed"),
        Session("sim://?seed=1", prescription(), ledger) as session,
    ):
        path.unlink()
        report = session.run()
    assert report.end is End.LOG
    assert report.delivered in (None, report.commanded)
    assert all(sum(dose["pulses"]) == 0 for dose in report.commanded.values())


def test_alarms_say_what_to_do() -> None:
    rig = Rig(line=lambda port: Gone(port, 8 * S))
    rig.run()
    alarms = [each for each in rig.events if isinstance(each, Alarm)]
    assert alarms
    assert all(alarm.text and alarm.action for alarm in alarms)


def test_unattended_does_not_mean_resumed() -> None:
    """After a hold it is always a person who goes on, also where everything else goes by itself."""
    assert not UNATTENDED & {State.HELD, State.RECHECKED}
