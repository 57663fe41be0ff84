"""Before the first pulse: self-test, contact, who is connected to what, echoes, refusals. What is wrong ends it."""

from collections.abc import Callable
from typing import Any

import pytest

from stimctl import limits
from stimctl.errors import WrongDevice
from stimctl.port import Port
from stimctl.prescription import Subject
from stimctl.screening import FRESH_US, QUESTIONS, AnswerKind, Screening
from stimctl.session.commands import AskStop, AskTarget
from stimctl.session.engine import ATTENDED, Engine
from stimctl.session.states import End
from stimctl.session.view import OperatorMessage
from stimctl.stimulators.base import Identity
from stimctl.stimulators.interlocks import check_device
from stimctl.wire import codec as m
from stimctl.wire.codes import Capability
from stimctl.wire.framing import FrameSplitter, frame
from tests.stimctl.session.world import (
    PULSE_US,
    Cut,
    Line,
    Rewritten,
    Rig,
    S,
    TooMuch,
    at_1_ma,
    ended_at_zero,
    exact,
    forged,
    high,
    open_between,
    prescription,
    proceed,
)

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
    rig = Rig()
    rig.run((S, AskStop()))
    identity = rig.engine._context.device.identity
    assert identity is not None
    person = forged(rig.rx, subject=Subject.PERSON)
    hardware = forged(identity, simulator=False)
    check_device(person, hardware)
    if lacking is None:
        with pytest.raises(WrongDevice, match="watchdog"):
            check_device(person, forged(hardware, watchdog_ms=1_001))
        return
    lesser = forged(hardware, capabilities=identity.capabilities & ~lacking)
    # Written out, so that a need that is dropped from the source fails here.
    needed = (Capability.MEASURES_CURRENT, Capability.WATCHDOG, Capability.SESSION_TIMER, Capability.HOLDS_LIMITS)
    words = {
        **dict.fromkeys(needed, "may not be used on a person"),
        Capability.ALTERNATES: "does not alternate",
        Capability.RAMPS: "does not ramp",
    }
    if lacking in words:
        with pytest.raises(WrongDevice, match=words[lacking]):
            check_device(person, lesser)
    else:
        check_device(person, lesser)


def without(capability: Capability) -> Callable[[Port], Port]:
    """The device, without something that it can do."""
    able = sum(Capability) & ~capability
    return lambda port: Rewritten(port, less_able(capabilities=able))


@pytest.mark.parametrize(
    ("capability", "profile", "word"),
    [(Capability.RAMPS, "bench-100hz", "does not ramp"), (Capability.ALTERNATES, "bench-2-100hz", "two bands")],
)
def test_a_device_that_lacks_what_the_program_needs_is_refused(capability: Capability, profile: str, word: str) -> None:
    rig = Rig(prescription(profile=profile), line=without(capability))
    report = rig.run()
    ended_at_zero(rig, report, End.WRONG_DEVICE)
    assert word in report.end_text
    nothing_but_a_stop(rig)


def test_one_band_needs_no_alternation() -> None:
    assert Rig(at_1_ma(), line=without(Capability.ALTERNATES)).run().end is End.TIMER


@pytest.mark.parametrize("lacking", [Capability.RAMPS, Capability.ALTERNATES])
def test_by_leases_the_host_ramps_and_alternates(lacking: Capability) -> None:
    identity = identity_of_the_rig()
    check_device(prescription(), forged(identity, by_lease=True, capabilities=identity.capabilities & ~lacking))


@pytest.mark.parametrize("watchdog_ms", [0, 1_001])
def test_a_watchdog_that_is_too_slow_is_none_for_an_animal(watchdog_ms: int) -> None:
    animal = forged(prescription(), subject=Subject.ANIMAL)
    hardware = forged(identity_of_the_rig(), simulator=False)
    check_device(animal, hardware)
    with pytest.raises(WrongDevice, match="on an animal: no watchdog of 1 s"):
        check_device(animal, forged(hardware, watchdog_ms=watchdog_ms))


def identity_of_the_rig() -> Identity:
    rig = Rig()
    rig.run((S, AskStop()))
    assert rig.engine._context.device.identity is not None
    return rig.engine._context.device.identity


# --- echoes and refusals -----------------------------------------------------------------------------

ECHOES: list[tuple[type[Any], dict[str, Any]]] = [
    (m.Welcome, {"version": 3}),
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
    report = rig.run((15 * S, AskTarget(1, 1_800)))
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

    def want_too_much(engine: Engine, now_us: int) -> None:
        engine._context.targets.want(1, 1_500)
        rig.native.retarget(now_us)

    report = rig.run((12 * S, want_too_much))
    ended_at_zero(rig, report, End.TIMER)
    assert report.delivered == report.planned
    assert [each.text for each in rig.events if isinstance(each, OperatorMessage)] == [
        "the device refused SetTarget: raise too large"
    ]


def test_a_device_that_answers_nothing_is_a_lost_line() -> None:
    rig = Rig(line=lambda port: Cut(port, 0))
    report = rig.run()
    assert report.end is End.LINE_LOST
    assert "no answer to Hello" in report.end_text
    assert rig.log.entries == []


class _NewWord(Line):
    """A device whose answers to Hello name a state of tomorrow: whole frames, unknown to this version."""

    def wait(self, deadline_us: int | None) -> bytes:
        data = self.inner.wait(deadline_us)
        payloads = FrameSplitter().feed(data)
        return b"".join(frame(payload[:10] + b"\xee" + payload[11:]) for payload in payloads)


def test_what_the_device_says_and_this_version_does_not_know_is_named() -> None:
    report = Rig(line=_NewWord).run()
    assert report.end is End.LINE_LOST
    assert "does not know: device state 238 is not in protocol version 2)" in report.end_text


def test_a_screening_that_grew_old_at_the_gate_arms_nothing() -> None:
    """The clock of a rig begins at zero, and the screening with it: a quarter of an hour later it is too old."""
    answers = {question.id: question.kind is AnswerKind.REQUIRED for question in QUESTIONS}
    rig = Rig(auto=ATTENDED, front_end=True)
    screening = Screening(answers, pseudonym=rig.rx.pseudonym, now_us=0)
    rig.engine._context.prescription = forged(rig.rx, screening=screening)
    report = rig.run((FRESH_US + S, proceed))
    assert report.end is End.SCREENING
    assert rig.tape.messages(m.Arm) == []
    assert rig.flowed() == 0
