"""The firmware as a host meets it: every state against every command, and each of its own clocks."""

from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_sim.analog.converter import Dac
from firmware_sim.native.device import Device
from firmware_sim.native.flash import FileFlash, Flash
from firmware_sim.native.gate import OUTPUT_STATES
from stimctl.wire import codec as wire
from stimctl.wire.codes import PROTOCOL_VERSION, EndReason, Purpose, Refusal
from stimctl.wire.codes import DeviceState as S
from stimctl.wire.framing import DELIMITER, frame

SECOND_US = 1_000_000
MINUTE_US = 60 * SECOND_US
SESSION_STATES = (S.ARMED, S.CHECKING, S.RAMPING, S.RUNNING, S.RAMPING_DOWN, S.HELD)
STIMULATING = (S.RAMPING, S.RUNNING, S.RAMPING_DOWN)


def total_pulses(host: Any) -> int:
    return sum(sum(host.machine.stage.totals(channel)[:2]) for channel in (1, 2, 3, 4))


# --- every state, every command ---------------------------------------------------------------------

LOADABLE = (S.IDLE, S.LOADING, S.LOADED, S.TESTED)
ACCEPTED: dict[str, tuple[S, ...]] = {
    "LoadProgram": LOADABLE,
    "LoadSegment": (S.LOADING,),
    "ReadDigest": (S.LOADED, S.TESTED),
    "SelfTest": (S.LOADED, S.TESTED),
    "Arm": (S.TESTED, S.HELD),
    "Start": (S.ARMED,),
    "KeepAlive": SESSION_STATES,
    "SetTarget": STIMULATING,
    "Hold": STIMULATING,
    "Acknowledge": (S.ENDED,),
    "ReadIdentity": tuple(S),
    "ReadImpedance": tuple(S),
    "ReadSession": tuple(S),
    "ReadCounters": tuple(S),
    "ReadMeasured": tuple(S),
    "Hello": tuple(S),
    "Stop": tuple(S),
}


def command(name: str, host: Any) -> Any:
    """The command with lawful values for where the host is."""
    nonce = host.armed.nonce if host.armed else 1
    record = host.machine.flash.session
    lawful = {
        "LoadProgram": wire.LoadProgram(1, 0b0011, 200, 5_000_000),
        "LoadSegment": wire.LoadSegment(0, 10_000, 200, 0, 200, 0),
        "ReadDigest": wire.ReadDigest(),
        "SelfTest": wire.SelfTest(),
        "Arm": wire.Arm(0, 0b0011, 2_000, MINUTE_US, 5_000, host.digest_head),
        "Start": wire.Start(nonce, 600, 500, 0, 0),
        "KeepAlive": wire.KeepAlive(nonce),
        "SetTarget": wire.SetTarget(nonce, 1, 500),
        "Hold": wire.Hold(),
        "Acknowledge": wire.Acknowledge(record.number if record else 1),
        "ReadIdentity": wire.ReadIdentity(0),
        "ReadImpedance": wire.ReadImpedance(1),
        "ReadSession": wire.ReadSession(),
        "ReadCounters": wire.ReadCounters(1),
        "ReadMeasured": wire.ReadMeasured(1),
        "Hello": wire.Hello(PROTOCOL_VERSION),
        "Stop": wire.Stop(),
    }
    return lawful[name]


def test_every_command_of_the_wire_is_in_the_table_below() -> None:
    assert set(ACCEPTED) == {shape.cls.__name__ for shape in wire.SHAPES.values() if shape.to_device}


@pytest.mark.parametrize(("state", "name"), list(product(S, ACCEPTED)))
def test_every_state_and_command(new_host: Any, state: S, name: str) -> None:
    host = new_host().to(state)
    answer = host.ask(command(name, host))
    if state in ACCEPTED[name]:
        assert not isinstance(answer, wire.Refused), answer
    else:
        assert isinstance(answer, wire.Refused)
        assert answer.command == wire.SHAPE_OF[type(command(name, host))].kind
        assert host.state is state, "a refusal changes nothing"
    if host.state not in OUTPUT_STATES:
        before = total_pulses(host)
        host.wait(3 * SECOND_US)
        assert total_pulses(host) == before
        assert host.told(wire.Status)[-1].zero == 1


@pytest.mark.parametrize("state", list(S))
def test_a_refusal_for_the_state_names_the_state(new_host: Any, state: S) -> None:
    host = new_host().to(state)
    if state not in ACCEPTED["Start"]:
        assert host.ask(wire.Start(1, 500, 0, 0, 0)) == wire.Refused(0x08, Refusal.WRONG_STATE, state, 0)
    if state not in (*ACCEPTED["Arm"], S.ENDED):
        assert host.arm() == wire.Refused(0x07, Refusal.WRONG_STATE, state, 0)


@pytest.mark.parametrize("state", list(S))
def test_stop_in_every_state(new_host: Any, state: S) -> None:
    host = new_host().to(state)
    session_was_open = host.machine.session is not None
    answer = host.ask(wire.Stop())
    assert isinstance(answer, wire.Stopped)
    assert host.state is (S.ENDED if session_was_open else state)
    if session_was_open:
        assert host.ask(wire.ReadSession()).end_reason == EndReason.STOP
    stopped_at = total_pulses(host)
    asked_us = host.now_us
    while not answer.zero:
        host.now_us += 5_000
        answer = host.ask(wire.Stop())
    assert host.now_us - asked_us <= 30_000
    assert answer.measured_ua < 20
    assert total_pulses(host) == stopped_at


@pytest.mark.parametrize("state", SESSION_STATES)
@pytest.mark.parametrize("version", [PROTOCOL_VERSION, 1, 3])
def test_hello_ends_an_open_session(new_host: Any, state: S, version: int) -> None:
    host = new_host().to(state)
    answer = host.ask(wire.Hello(version))
    assert host.state is S.ENDED
    assert host.machine.waiting.end_reason == EndReason.HANDSHAKE
    if version == PROTOCOL_VERSION:
        assert answer == wire.Welcome(PROTOCOL_VERSION, 1, 1, S.ENDED, 1)
    else:
        assert answer == wire.Refused(0x01, Refusal.UNSUPPORTED_VERSION, version, PROTOCOL_VERSION)


def test_stopped_goes_ahead_of_everything_that_waits_to_be_sent(host: Any) -> None:
    host.to(S.RUNNING)
    questions = b"".join(wire.encode(host.sequence + n, wire.ReadIdentity(0)) for n in range(1, 4))
    host.device.receive(questions + wire.encode(0, wire.Stop()), host.now_us)
    said = [type(message) for _, message in host.listen()]
    assert said[0] is wire.Stopped
    assert said.count(wire.Maker) == 3


def test_every_reset_boots_idle_and_silent(new_host: Any) -> None:
    for state in S:
        flash = Flash()
        new_host(flash=flash).to(state)
        again = new_host(flash=flash)
        again.wait(10 * SECOND_US, alive=False)
        assert again.state is S.IDLE
        assert not again.said
        assert total_pulses(again) == 0


# --- before a handshake ------------------------------------------------------------------------------


def test_nothing_is_heard_before_a_handshake_but_hello_and_stop(host: Any) -> None:
    for name in ACCEPTED:
        if name not in {"Hello", "Stop"}:
            message = command(name, host)
            kind = wire.SHAPE_OF[type(message)].kind
            assert host.ask(message) == wire.Refused(kind, Refusal.NO_HANDSHAKE, 0, 0)
    assert isinstance(host.ask(wire.Stop()), wire.Stopped)
    host.wait(SECOND_US)
    assert host.told(wire.Status) == []


def test_an_unknown_version_opens_nothing(host: Any) -> None:
    assert host.ask(wire.Hello(7)) == wire.Refused(0x01, Refusal.UNSUPPORTED_VERSION, 7, PROTOCOL_VERSION)
    assert host.ask(wire.ReadSession()).reason == Refusal.NO_HANDSHAKE


def test_telemetry_comes_ten_times_a_second_from_the_handshake_on(host: Any) -> None:
    host.to(S.ARMED)
    host.wait(SECOND_US)
    assert [status.device_time_us for status in host.told(wire.Status)] == [100_000 * n for n in range(1, 11)]
    assert [told.channel for told in host.told(wire.Channel)] == [1, 2] * 10


def test_identity(host: Any) -> None:
    host.to(S.IDLE)
    maker, firmware, ranges = (host.ask(wire.ReadIdentity(page)) for page in range(3))
    assert maker.model.rstrip(b"\0") == b"stimctl simulator"
    assert firmware.sha256 != bytes(32)
    assert (ranges.calibrated_on, ranges.channels, ranges.max_amplitude_ua, ranges.watchdog_ms) == (0, 4, 2_000, 1_000)
    assert host.ask(wire.ReadIdentity(3)) == wire.Refused(0x02, Refusal.UNKNOWN_VALUE, 3, 2)


# --- limits of arm and start ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "value", "reason", "limit"),
    [
        ("ceiling_ua", 499, Refusal.BELOW_LIMIT, 500),
        ("ceiling_ua", 500, None, 0),
        ("ceiling_ua", 2_000, None, 0),
        ("ceiling_ua", 2_001, Refusal.ABOVE_LIMIT, 2_000),
        ("stimulation_limit_us", 999_999, Refusal.BELOW_LIMIT, 1_000_000),
        ("stimulation_limit_us", 1_000_000, None, 0),
        ("stimulation_limit_us", 1_800_000_000, None, 0),
        ("stimulation_limit_us", 1_800_000_001, Refusal.ABOVE_LIMIT, 1_800_000_000),
        ("time_to_live_ms", 99, Refusal.BELOW_LIMIT, 100),
        ("time_to_live_ms", 100, None, 0),
        ("time_to_live_ms", 10_000, None, 0),
        ("time_to_live_ms", 10_001, Refusal.ABOVE_LIMIT, 10_000),
        ("channel_mask", 0, Refusal.BELOW_LIMIT, 1),
        ("channel_mask", 0b0001, None, 0),
        ("channel_mask", 0b0100, Refusal.NOT_IN_PROGRAM, 0b0011),
        ("channel_mask", 0b1111, Refusal.TOO_MANY_CHANNELS, 3),
        ("channel_mask", 0b1_0001, Refusal.UNKNOWN_VALUE, 15),
    ],
)
def test_arm_limits(host: Any, field: str, value: int, reason: Refusal | None, limit: int) -> None:
    host.to(S.TESTED)
    answer = host.arm(**{field: value})
    if reason is None:
        assert getattr(answer, field) == value
        assert host.state is S.ARMED
        return
    detail = value.bit_count() if reason is Refusal.TOO_MANY_CHANNELS else value
    assert answer == wire.Refused(0x07, reason, detail, limit)
    assert host.state is S.TESTED
    assert host.machine.session is None


def test_arm_needs_the_digest_that_was_read(host: Any) -> None:
    host.to(S.TESTED)
    assert host.arm(digest_head=host.digest_head ^ 1).reason == Refusal.WRONG_DIGEST
    host.ask(wire.LoadProgram(1, 0b0011, 200, 0))
    assert host.arm().reason == Refusal.WRONG_STATE


def test_an_unknown_purpose_is_refused_by_name(host: Any) -> None:
    host.to(S.TESTED)
    assert host.arm(2).reason == Refusal.UNKNOWN_VALUE


def test_a_nonce_is_never_given_twice_over_boots(new_host: Any) -> None:
    flash = Flash()
    nonces = []
    for _ in range(3):
        host = new_host(flash=flash).to(S.TESTED)
        for _ in range(3):
            nonces.append(host.arm().nonce)
            host.wait(5 * SECOND_US)
            assert host.state is S.TESTED
        host.ask(wire.Stop())
        host.ask(wire.Acknowledge(host.armed.session))
    assert len(set(nonces)) == 9
    assert [nonce & 0xFFFF_FFFF for nonce in nonces] == list(range(1, 10))


@pytest.mark.parametrize("purpose", list(Purpose))
def test_start_needs_the_nonce(host: Any, purpose: Purpose) -> None:
    host.to(S.TESTED)
    nonce = host.arm(purpose).nonce
    for wrong in (0, 1, nonce - 1, nonce + 1, nonce ^ (1 << 63)):
        assert host.ask(wire.Start(wrong, 0, 0, 0, 0)) == wire.Refused(0x08, Refusal.WRONG_NONCE, 0, 0)
    assert host.state is S.ARMED


def test_an_old_nonce_starts_nothing(host: Any) -> None:
    host.to(S.ARMED)
    old = host.armed.nonce
    host.wait(5 * SECOND_US)
    host.arm()
    assert host.ask(wire.Start(old, 500, 0, 0, 0)).reason == Refusal.WRONG_NONCE
    assert host.ask(wire.KeepAlive(old)).reason == Refusal.WRONG_NONCE


def test_start_limits(host: Any) -> None:
    host.to(S.ARMED, ceiling_ua=700)
    nonce = host.armed.nonce
    assert host.ask(wire.Start(nonce, 701, 0, 0, 0)) == wire.Refused(0x08, Refusal.ABOVE_LIMIT, 701, 700)
    assert host.ask(wire.Start(nonce, 0, 0, 500, 0)) == wire.Refused(0x08, Refusal.NOT_IN_PROGRAM, 3, 0b0011)
    assert host.state is S.ARMED
    started = host.ask(wire.Start(nonce, 700, 0, 0, 0))
    assert started == wire.Started(700, 0, 0, 0, 0, host.machine.now_us)


def test_a_check_takes_no_target(host: Any) -> None:
    host.to(S.TESTED)
    nonce = host.arm(Purpose.CHECK_IMPEDANCE).nonce
    assert host.ask(wire.Start(nonce, 500, 0, 0, 0)) == wire.Refused(0x08, Refusal.ABOVE_LIMIT, 500, 0)


def test_an_arm_lapses_to_where_it_came_from(new_host: Any) -> None:
    for origin in (S.TESTED, S.HELD):
        host = new_host().to(origin)
        host.arm(time_to_live_ms=500)
        host.wait(499_999)
        assert host.state is S.ARMED
        host.wait(1)
        assert host.state is origin


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, None),
        ({"ceiling_ua": 1_499}, None),
        ({"ceiling_ua": 1_501}, Refusal.ABOVE_LIMIT),
        ({"channel_mask": 0b0001}, None),
        ({"channel_mask": 0b0100}, Refusal.NOT_IN_PROGRAM),
        ({"stimulation_limit_us": MINUTE_US - 1}, Refusal.BELOW_LIMIT),
        ({"stimulation_limit_us": MINUTE_US + 1}, Refusal.ABOVE_LIMIT),
    ],
)
def test_a_session_is_only_narrowed(host: Any, changes: dict[str, int], reason: Refusal | None) -> None:
    host.to(S.HELD, ceiling_ua=1_500)
    answer = host.arm(**{"ceiling_ua": 1_500, **changes})
    assert (answer.reason if isinstance(answer, wire.Refused) else None) == reason
    if reason is None:
        assert answer.session == 1


# --- targets --------------------------------------------------------------------------------------------


def test_raising_by_a_step_a_second_and_lowering_at_once(host: Any) -> None:
    host.to(S.RUNNING)
    nonce = host.armed.nonce

    def target(ua: int, channel: int = 1) -> Any:
        return host.ask(wire.SetTarget(nonce, channel, ua))

    assert target(701) == wire.Refused(0x0A, Refusal.RAISE_TOO_LARGE, 101, 100)
    assert target(700) == wire.TargetSet(1, 700, 10_000_000, 10_000_000)
    host.wait(999_999)
    assert target(701) == wire.Refused(0x0A, Refusal.RAISE_TOO_SOON, 999_999, 1_000_000)
    assert isinstance(target(600, channel=2), wire.TargetSet), "each channel has its own second"
    assert isinstance(target(0), wire.TargetSet), "lowering is never refused"
    assert isinstance(target(0), wire.TargetSet), "nor is staying"
    host.wait(1)
    assert isinstance(target(100), wire.TargetSet)


def test_no_target_above_the_ceiling_nor_for_another_channel(host: Any) -> None:
    host.to(S.RUNNING, ceiling_ua=600)
    nonce = host.armed.nonce
    assert host.ask(wire.SetTarget(nonce, 1, 601)) == wire.Refused(0x0A, Refusal.ABOVE_LIMIT, 601, 600)
    assert host.ask(wire.SetTarget(nonce, 3, 500)) == wire.Refused(0x0A, Refusal.NOT_IN_PROGRAM, 3, 0b0011)
    assert host.ask(wire.SetTarget(nonce, 0, 500)) == wire.Refused(0x0A, Refusal.UNKNOWN_VALUE, 0, 4)
    assert host.ask(wire.SetTarget(nonce, 5, 500)) == wire.Refused(0x0A, Refusal.UNKNOWN_VALUE, 5, 4)
    assert host.ask(wire.SetTarget(nonce + 1, 1, 500)) == wire.Refused(0x0A, Refusal.WRONG_NONCE, 0, 0)


# --- the device's own clocks -----------------------------------------------------------------------------


@pytest.mark.parametrize("state", SESSION_STATES)
def test_watchdog(new_host: Any, state: S) -> None:
    host = new_host().to(state, time_to_live_ms=10_000)
    if state is S.CHECKING:
        return  # a check of two channels is over in 200 ms; the watchdog goes on in what follows
    host.ask(wire.KeepAlive(host.armed.nonce))
    alive_us = host.now_us
    host.wait(999_999, alive=False)
    assert host.state in SESSION_STATES
    host.wait(1, alive=False)
    assert host.state is S.ENDED
    assert host.machine.waiting.end_reason == EndReason.WATCHDOG
    ended = host.told(wire.Event)[-1]
    assert ended == wire.Event(alive_us + 1_000_000, S.ENDED, EndReason.WATCHDOG, 0, 0)
    before = total_pulses(host)
    host.wait(SECOND_US, alive=False)
    assert total_pulses(host) == before


def test_watchdog_while_a_long_check_runs(host: Any) -> None:
    host.to(S.TESTED)
    host.arm(Purpose.CHECK_IMPEDANCE)
    host.wait(900_000, alive=False)
    host.start()
    host.wait(100_000, alive=False)
    assert host.state is S.ENDED
    assert host.machine.waiting.end_reason == EndReason.WATCHDOG
    assert host.ask(wire.ReadImpedance(1)).pulses == 10
    assert host.ask(wire.ReadImpedance(2)).pulses == 0


def test_a_keepalive_with_a_wrong_nonce_keeps_nothing_alive(host: Any) -> None:
    host.to(S.RUNNING)
    host.ask(wire.KeepAlive(host.armed.nonce))
    for _ in range(4):
        host.wait(250_000, alive=False)
        host.ask(wire.KeepAlive(host.armed.nonce + 1))
    assert host.state is S.ENDED


def test_stimulation_timer(host: Any) -> None:
    host.to(S.RUNNING)
    host.wait(MINUTE_US - 10 * SECOND_US - 1)
    assert host.state is S.RAMPING_DOWN
    host.wait(1)
    assert host.state is S.ENDED
    record = host.ask(wire.ReadSession())
    assert (record.end_reason, record.stimulation_us) == (EndReason.TIMER, MINUTE_US)
    falling = next(event for event in host.told(wire.Event) if event.state == S.RAMPING_DOWN)
    assert falling.device_time_us == MINUTE_US - 5 * SECOND_US


def test_a_hold_does_not_count_and_the_ramp_begins_anew(host: Any) -> None:
    host.to(S.RUNNING)
    assert host.ask(wire.Hold()) == wire.Holding(S.HELD, 10 * SECOND_US, 10 * SECOND_US)
    assert host.told(wire.Event)[-1] == wire.Event(10 * SECOND_US, S.HELD, EndReason.HELD_BY_HOST, 0, 0)
    host.wait(5 * MINUTE_US)
    assert host.ask(wire.ReadSession()).stimulation_us == 10 * SECOND_US
    host.arm()
    assert host.start().stimulation_us == 10 * SECOND_US
    assert host.state is S.RAMPING
    host.wait(200_000)
    assert host.told(wire.Channel)[-1].applied_ua < 100
    lowered = host.ask(wire.SetTarget(host.armed.nonce, 1, 500))
    assert lowered == wire.TargetSet(1, 500, 10 * SECOND_US + 200_000, host.machine.now_us)
    host.wait(50 * SECOND_US - 200_001)
    assert host.state is S.RAMPING_DOWN
    host.wait(1)
    assert host.state is S.ENDED
    assert host.machine.waiting.stimulation_us == MINUTE_US


def test_a_hold_of_ten_minutes_ends_the_session(host: Any) -> None:
    host.to(S.HELD)
    host.wait(10 * MINUTE_US - 1)
    assert host.state is S.HELD
    host.wait(1)
    assert host.machine.waiting.end_reason == EndReason.HOLD_EXPIRED


def test_arming_does_not_stretch_a_hold(host: Any) -> None:
    host.to(S.HELD)
    host.wait(10 * MINUTE_US - SECOND_US)
    host.arm(time_to_live_ms=10_000)
    assert host.ask(wire.ReadSession()).end_reason == EndReason.NONE
    host.wait(SECOND_US)
    assert host.machine.waiting.end_reason == EndReason.HOLD_EXPIRED


def test_forty_five_minutes_from_the_first_arm(host: Any) -> None:
    host.to(S.HELD)
    begun_us = host.now_us - 10 * SECOND_US
    while host.now_us < begun_us + 44 * MINUTE_US:
        host.wait(4 * MINUTE_US)
        host.arm()
        host.start()
        host.wait(SECOND_US)
        host.ask(wire.Hold())
    host.wait(begun_us + 45 * MINUTE_US - host.now_us - 1)
    assert host.state is S.HELD
    host.wait(1)
    assert host.machine.waiting.end_reason == EndReason.SESSION_EXPIRED


def test_an_impedance_check(host: Any) -> None:
    host.to(S.CHECKING)
    host.wait(199_999)
    assert host.state is S.CHECKING
    host.wait(1)
    assert host.state is S.TESTED
    for channel in (1, 2):
        result = host.ask(wire.ReadImpedance(channel))
        assert (result.pulses, result.amplitude_ua, result.charge_pc) == (10, 100, 200_000)
        assert 500 < result.ohm < 800
    assert host.ask(wire.ReadImpedance(3)) == wire.Impedance(3, 0, 0, 0, 0, 0, host.machine.now_us)
    assert host.ask(wire.ReadCounters(1)) == wire.Counters(1, 1, 0, 0, 0, 0, host.machine.now_us)


def test_a_hold_is_refused_in_a_check_and_disturbs_nothing(host: Any) -> None:
    host.to(S.CHECKING)
    host.now_us += 25_000
    assert host.ask(wire.Hold()) == wire.Refused(0x0B, Refusal.WRONG_STATE, S.CHECKING, 0)
    host.wait(175_000)
    assert host.state is S.TESTED
    assert [host.ask(wire.ReadImpedance(channel)).pulses for channel in (1, 2)] == [10, 10]


def test_a_check_that_is_stopped_counts_what_it_gave(host: Any) -> None:
    host.to(S.CHECKING)
    host.now_us += 125_000
    host.ask(wire.Stop())
    assert [host.ask(wire.ReadImpedance(channel)).pulses for channel in (1, 2)] == [10, 3]


@pytest.mark.parametrize("state", [S.TESTED, S.HELD])
def test_a_check_goes_back_to_where_it_was_armed(new_host: Any, state: S) -> None:
    host = new_host().to(state)
    host.arm(Purpose.CHECK_IMPEDANCE)
    host.start()
    assert host.state is S.CHECKING
    host.wait(250_000)
    assert host.state is state


# --- loads that trip ---------------------------------------------------------------------------------------


def test_an_open_lead_holds_all_channels_at_zero(new_host: Any) -> None:
    host = new_host(load="nominal,2=open").to(S.ARMED)
    host.start()
    host.wait(SECOND_US)
    assert host.state is S.HELD
    event = host.told(wire.Event)[-1]
    assert event.reason in (EndReason.LEAD_OFF, EndReason.COMPLIANCE)
    assert event.channel == 2
    status = host.told(wire.Status)[-1]
    assert (status.zero, status.end_reason) == (1, event.reason)
    before = total_pulses(host)
    host.wait(SECOND_US)
    assert total_pulses(host) == before
    assert host.machine.flash.session.stimulation_us == event.device_time_us


def test_a_short_ends_the_session(new_host: Any) -> None:
    host = new_host(load="short").to(S.ARMED)
    host.start()
    host.wait(2 * SECOND_US)
    assert host.state is S.ENDED
    assert host.machine.waiting.end_reason == EndReason.SHORT


class StuckHigh:
    """A converter that gives 3 mA whatever it is told."""

    def current_na(self, _amplitude_ua: int) -> int:
        return 3_000_000


def test_a_failed_self_test_cannot_be_armed(host: Any) -> None:
    host.to(S.LOADED)
    host.machine.stage.refit(1, dac=StuckHigh())
    assert host.ask(wire.SelfTest()).failures
    assert host.state is S.LOADED
    assert host.arm() == wire.Refused(0x07, Refusal.WRONG_STATE, S.LOADED, 0)
    host.machine.stage.refit(1, dac=Dac())
    assert host.ask(wire.SelfTest()).failures == 0
    assert isinstance(host.arm(), wire.Armed)


def test_a_self_test_that_fails_later_takes_the_pass_away(host: Any) -> None:
    host.to(S.TESTED)
    host.machine.stage.refit(1, dac=StuckHigh())
    assert host.ask(wire.SelfTest()).failures
    assert host.state is S.LOADED


def test_over_current_ends_a_run_at_the_instant_it_happens(host: Any) -> None:
    host.to(S.RUNNING)
    before = total_pulses(host)
    host.machine.stage.refit(2, dac=StuckHigh())
    host.wait(30_000)
    assert host.state is S.ENDED
    host.wait(100_000)
    ended = host.told(wire.Event)[-1]
    assert (ended.reason, ended.channel) == (EndReason.OVER_CURRENT, 2)
    assert ended.value > 2_200
    assert 10 * SECOND_US <= ended.device_time_us < 10 * SECOND_US + 15_000
    assert total_pulses(host) - before <= 2


def test_over_current_ends_a_check(host: Any) -> None:
    host.to(S.CHECKING)
    host.machine.stage.refit(2, dac=StuckHigh())
    host.wait(SECOND_US, alive=False)
    ended = next(event for event in host.told(wire.Event) if event.state == S.ENDED)
    assert (ended.reason, ended.channel, ended.device_time_us) == (EndReason.OVER_CURRENT, 2, 100_020), "with the cut"
    assert host.ask(wire.ReadImpedance(2)).pulses == 1


def test_nothing_is_applied_once_it_is_held(host: Any) -> None:
    host.to(S.RUNNING)
    assert host.told(wire.Status)[-1].zero == 0
    assert all(channel.applied_ua >= 500 for channel in host.told(wire.Channel)[-2:])
    host.ask(wire.Hold())
    host.wait(100_000)
    assert [channel.applied_ua for channel in host.told(wire.Channel)[-2:]] == [0, 0]


@pytest.mark.parametrize("state", [S.CHECKING, S.RAMPING])
def test_zero_is_not_claimed_while_output_may_flow(new_host: Any, state: S) -> None:
    host = new_host().to(state)
    host.wait(100_000)
    assert host.told(wire.Status)[-1].zero == 0


def test_the_gate_is_asked_with_the_ceiling_that_was_armed(host: Any) -> None:
    """The device's own gate stands behind its command checks: a target that got past them flows no further."""
    host.to(S.RUNNING, ceiling_ua=600)
    host.machine.stage.set_target(1, 650)
    host.wait(2 * SECOND_US)
    assert host.machine.waiting.end_reason == EndReason.GATE
    assert all(channel.applied_ua <= 600 for channel in host.told(wire.Channel))


# --- the end, and what remains -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["LoadProgram", "LoadSegment", "SelfTest", "Arm"])
def test_nothing_new_over_unread_counters(new_host: Any, name: str) -> None:
    flash = Flash()
    new_host(flash=flash).to(S.RUNNING)
    host = new_host(flash=flash).to(S.IDLE)
    for _ in range(2):
        answer = host.ask(command(name, host))
        assert (answer.reason, answer.detail) == (Refusal.UNREAD_COUNTERS, 1)
    assert host.ask(wire.Acknowledge(2)) == wire.Refused(0x10, Refusal.WRONG_SESSION, 2, 1)
    assert host.ask(wire.Acknowledge(1)) == wire.Acknowledged(1, S.IDLE, host.machine.now_us)
    assert host.ask(wire.Acknowledge(1)) == wire.Refused(0x10, Refusal.WRONG_SESSION, 1, 0)
    assert isinstance(host.ask(wire.LoadProgram(1, 1, 200, 0)), wire.ProgramOpen)


def records(host: Any) -> Any:
    """What is kept of channels 1 and 2 and of the session; the times of the answers are left out."""

    def kept(order: Any) -> Any:
        return host.ask(order)._replace(device_time_us=0)

    counted = [kept(wire.ReadCounters(channel)) for channel in (1, 2)]
    return counted, [kept(wire.ReadMeasured(channel)) for channel in (1, 2)], kept(wire.ReadSession())


def test_a_reset_in_mid_session_loses_nothing(new_host: Any) -> None:
    flash = Flash()
    host = new_host(flash=flash).to(S.RUNNING)
    host.wait(3_333_333)
    counted, measured, record = records(host)
    assert counted[0].pulses_0 > 1_000
    again = new_host(flash=flash)
    assert again.ask(wire.Hello(PROTOCOL_VERSION)) == wire.Welcome(PROTOCOL_VERSION, 2, 1, S.IDLE, 1)
    assert records(again) == (counted, measured, record._replace(end_reason=EndReason.RESET))


def test_a_flash_file_has_all_that_was_told(new_host: Any, tmp_path: Any) -> None:
    path = tmp_path / "flash.json"
    flash = FileFlash(path)
    host = new_host(flash=flash).to(S.ARMED)
    host.start()
    host.wait(7_500_000)
    flash.close()
    # A second device on a copy of the file: what a killed process leaves behind.
    left = tmp_path / "left.json"
    left.write_bytes(path.read_bytes())
    kept = FileFlash(left)
    again = new_host(flash=kept).to(S.IDLE)
    record = again.ask(wire.ReadSession())
    assert record.end_reason == EndReason.RESET
    counters = again.ask(wire.ReadCounters(1))
    kept.close()
    assert record.stimulation_us == 7_500_000
    assert counters.pulses_0 == host.told(wire.Channel)[-2].pulses_0


def test_a_flash_file_is_saved_at_each_change_of_state(new_host: Any, tmp_path: Any) -> None:
    path = tmp_path / "flash.json"
    flash = FileFlash(path)
    host = new_host(flash=flash).to(S.ARMED)
    stored = copied(path).session
    assert stored is not None
    assert (stored.number, stored.nonce, stored.end_reason) == (1, host.armed.nonce, EndReason.NONE)
    host.ask(wire.Stop())
    stored = copied(path).session
    flash.close()
    assert stored is not None
    assert stored.end_reason == EndReason.STOP


def copied(path: Any) -> FileFlash:
    """What stands in a flash file that a device has."""
    copy = path.with_name("copy")
    copy.write_bytes(path.read_bytes())
    flash = FileFlash(copy)
    flash.close()
    return flash


def test_sessions_are_numbered_over_boots(new_host: Any) -> None:
    flash = Flash()
    for number in (1, 2, 3):
        host = new_host(flash=flash).to(S.ENDED)
        assert host.armed.session == number
        host.ask(wire.Acknowledge(number))


def test_time_in_bands(host: Any) -> None:
    host.ask(wire.Hello(PROTOCOL_VERSION))
    host.load(wire.LoadSegment(0, 500_000, 600, 0, 600, 3_000_000), wire.LoadSegment(1, 10_000, 200, 0, 200, 3_000_000))
    host.arm()
    host.start()
    host.wait(10_500_000)
    status = host.told(wire.Status)[-1]
    assert (status.segment, status.segment_left_us) == (1, 1_500_000)
    host.ask(wire.Hold())
    host.arm()
    host.start()
    host.wait(3_100_000)
    record = host.ask(wire.ReadSession())
    assert (record.segment_0_us, record.segment_1_us) == (6_000_000 + 3_000_000, 4_500_000 + 100_000)
    assert record.stimulation_us == 13_600_000


def test_status_of_an_idle_device(host: Any) -> None:
    assert host.ask(wire.Hello(PROTOCOL_VERSION)) == wire.Welcome(PROTOCOL_VERSION, 1, 1, S.IDLE, 0)
    host.wait(100_000)
    assert host.told(wire.Status) == [wire.Status(100_000, 1, S.IDLE, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0)]


def test_status_after_a_reset_shows_the_session_that_waits_and_no_end(new_host: Any) -> None:
    flash = Flash()
    new_host(flash=flash).to(S.ARMED)
    host = new_host(flash=flash).to(S.IDLE)
    host.wait(100_000)
    status = host.told(wire.Status)[-1]
    assert (status.session, status.end_reason, status.time_left_us, status.keepalive_age_ms) == (1, 0, 0, 0)


def test_telemetry_has_a_count_of_its_own(host: Any) -> None:
    host.to(S.RUNNING)
    counts = [number for number, message in host.heard if isinstance(message, wire.Status | wire.Channel | wire.Event)]
    assert counts == list(range(1, len(counts) + 1))


def test_status_tells_times_left(host: Any) -> None:
    host.to(S.RUNNING)
    running = host.told(wire.Status)[-1]
    assert (running.stimulation_us, running.time_left_us) == (10 * SECOND_US, 50 * SECOND_US)
    assert (running.hold_left_ms, running.keepalive_age_ms, running.session) == (0, 250, 1)
    host.ask(wire.Hold())
    host.wait(100_000, alive=False)
    held = host.told(wire.Status)[-1]
    assert (held.hold_left_ms, held.time_left_us) == (599_900, 50 * SECOND_US)
    assert held.end_reason == EndReason.HELD_BY_HOST


# --- sequence numbers ------------------------------------------------------------------------------------


def test_a_repeated_command_is_answered_again_and_not_executed(host: Any) -> None:
    host.to(S.RUNNING)
    order = wire.SetTarget(host.armed.nonce, 1, 650)
    first = host.ask(order)
    host.now_us += 400_000
    assert host.ask(order, sequence=host.sequence) == first
    assert host.ask(wire.SetTarget(host.armed.nonce, 1, 660)).reason == Refusal.RAISE_TOO_SOON


def test_a_repeated_arm_gives_the_same_nonce(host: Any) -> None:
    host.to(S.TESTED)
    order = wire.Arm(0, 0b0011, 2_000, MINUTE_US, 5_000, host.digest_head)
    assert host.ask(order) == host.ask(order, sequence=host.sequence)


def test_a_repeated_answer_says_when_it_was_first_made(host: Any) -> None:
    host.to(S.RUNNING)
    order = wire.KeepAlive(host.armed.nonce)
    first = host.ask(order)
    host.now_us += 60_000
    assert host.ask(order, sequence=host.sequence) == first
    assert first.device_time_us == host.now_us - 60_000


def test_an_old_keepalive_that_is_played_again_keeps_nothing_alive(host: Any) -> None:
    host.to(S.RUNNING)
    order, used = wire.KeepAlive(host.armed.nonce), host.sequence + 1
    host.ask(order)
    host.ask(order)
    for _ in range(9):
        host.now_us += 100_000
        assert host.ask(order, sequence=used).reason == Refusal.STALE_SEQUENCE
    host.now_us += 100_001
    host.device.advance(host.now_us)
    assert host.machine.waiting.end_reason == EndReason.WATCHDOG


def test_what_is_refused_before_its_number_is_looked_at_uses_none_up(host: Any) -> None:
    host.to(S.TESTED)
    number = host.sequence + 1
    host.device.receive(frame(b"\x3e" + number.to_bytes(2, "little")), host.now_us)
    [(_, refused)] = host.listen()
    assert refused.reason == Refusal.UNKNOWN_KIND
    assert isinstance(host.ask(wire.ReadSession(), sequence=number), wire.SessionRecord)


def test_what_is_refused_after_it_uses_its_number_up(host: Any) -> None:
    host.to(S.TESTED)
    refused = host.ask(wire.Hold())
    assert host.ask(wire.Hold(), sequence=host.sequence) == refused
    assert host.ask(wire.ReadSession(), sequence=host.sequence).reason == Refusal.STALE_SEQUENCE


def test_every_answer_of_a_session_says_when_it_was_made(host: Any) -> None:
    host.to(S.RUNNING)
    untimed = {wire.Refused, wire.Welcome, wire.Maker, wire.Firmware, wire.Ranges}
    answers = [message for _, message in host.heard if wire.SHAPE_OF[type(message)].kind < 0x60]
    assert {type(each) for each in answers if each._fields[-1] != "device_time_us"} <= untimed
    times = [each.device_time_us for each in answers if type(each) not in untimed]
    assert len(times) > 40
    assert times == sorted(times)
    assert times[-1] == host.now_us


def test_what_is_behind_is_refused(host: Any) -> None:
    host.to(S.RUNNING)
    host.sequence = 200
    host.ask(wire.KeepAlive(host.armed.nonce))
    stale = wire.Refused(0x0B, Refusal.STALE_SEQUENCE, 150, 0)
    assert host.ask(wire.Hold(), sequence=150) == stale
    assert host.state is S.RUNNING


def test_a_handshake_begins_a_new_window(host: Any) -> None:
    host.ask(wire.Hello(PROTOCOL_VERSION), sequence=60_000)
    host.ask(wire.ReadSession(), sequence=60_001)
    host.ask(wire.Hello(PROTOCOL_VERSION), sequence=10)
    assert isinstance(host.ask(wire.ReadSession(), sequence=11), wire.SessionRecord)
    host.ask(wire.Hello(PROTOCOL_VERSION), sequence=5)
    assert isinstance(host.ask(wire.ReadSession(), sequence=6), wire.SessionRecord)


def test_stop_has_no_sequence(host: Any) -> None:
    host.to(S.RUNNING)
    for sequence in (0, host.sequence, host.sequence - 1, 65_535):
        assert isinstance(host.ask(wire.Stop(), sequence=sequence), wire.Stopped)
    assert host.state is S.ENDED
    assert isinstance(host.ask(wire.ReadSession()), wire.SessionRecord), "it does not move the window either"


@pytest.mark.parametrize("left", [b"\x05", b"\x02\x1f", bytes(range(1, 200)), b"\x03\x09\xff"])
def test_an_empty_frame_keeps_what_was_left_on_the_line_from_the_stop(host: Any, left: bytes) -> None:
    host.to(S.RUNNING)
    stop = wire.encode(0, wire.Stop())
    host.device.receive(left + stop, host.now_us)
    assert host.state is S.RUNNING, "without it the Stop is lost with what was left"
    host.device.receive(left + DELIMITER + stop, host.now_us)
    assert host.state is S.ENDED


def test_a_stop_of_any_length_is_a_stop(host: Any) -> None:
    host.to(S.RUNNING)
    host.device.receive(frame(b"\x1f"), host.now_us)
    assert host.state is S.ENDED


# --- what it does not know ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"\x3f\x01\x00", Refusal.UNKNOWN_KIND),
        (b"\x3f", Refusal.UNKNOWN_KIND),
        (b"\x0b\x01\x00\x00", Refusal.WRONG_LENGTH),
        (b"\x0b", Refusal.WRONG_LENGTH),
        (b"\x40\x01\x00\x01\x01" + bytes(8), Refusal.UNKNOWN_KIND),
        (b"\x4d\x01\x00\x07\x00\x00\x00\x00", Refusal.UNKNOWN_KIND),
        (b"\x4d\x01\x00\x99\x00\x00\x00\x00", Refusal.UNKNOWN_KIND),  # the kind is looked at before codes
        (b"\x4d\x01\x00", Refusal.UNKNOWN_KIND),  # and before the length
    ],
)
def test_unknown_is_refused_by_name(host: Any, payload: bytes, reason: Refusal) -> None:
    host.to(S.RUNNING)
    host.listen()
    host.device.receive(frame(payload), host.now_us)
    [(sequence, answer)] = host.listen()
    assert (answer.command, answer.reason) == (payload[0], reason)
    assert sequence == int.from_bytes(payload[1:3], "little")
    assert host.state is S.RUNNING


@settings(max_examples=200, deadline=None)
@given(st.lists(st.one_of(st.binary(max_size=200), st.binary(min_size=1, max_size=58).map(frame)), max_size=20))
def test_any_bytes_never_raise_and_never_drive_current(chunks: list[bytes]) -> None:
    device = Device()
    for number, chunk in enumerate(chunks):
        device.receive(chunk, number * 10_000)
    device.advance(SECOND_US)
    assert device.machine.state not in OUTPUT_STATES
    assert all(sum(device.machine.stage.totals(channel)) == 0 for channel in (1, 2, 3, 4))


ORDERS = st.one_of(
    *(
        st.builds(
            shape.cls,
            *(
                st.integers(0, min(2 ** (8 * {"B": 1, "H": 2, "I": 4, "Q": 8}[field.code]) - 1, 2_100))
                for field in shape.fields.values()
            ),
        )
        for shape in wire.SHAPES.values()
        if shape.to_device
    )
)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(ORDERS, st.integers(0, 70_000), st.integers(0, 2_000_000)), max_size=25))
def test_any_orders_in_any_state_never_raise(orders: list[tuple[Any, int, int]]) -> None:
    device = Device()
    device.receive(wire.encode(0, wire.Hello(PROTOCOL_VERSION)), 0)
    now_us = 0
    for order, sequence, later_us in orders:
        now_us += later_us
        device.receive(wire.encode(sequence & 0xFFFF, order), now_us)
        assert device.next_event_us() > now_us
    device.take_output()


# --- the same, to the byte ------------------------------------------------------------------------------------


def whole_session(new_host: Any, seed: int) -> bytes:
    host = new_host(seed=seed, load="drift").to(S.RAMPING_DOWN)
    host.wait(10 * SECOND_US)
    assert host.state is S.ENDED
    return bytes(host.said)


def test_the_same_seed_gives_the_same_bytes(new_host: Any) -> None:
    assert whole_session(new_host, 5) == whole_session(new_host, 5)
    assert whole_session(new_host, 5) != whole_session(new_host, 6)


def test_how_time_is_cut_changes_nothing(new_host: Any) -> None:
    """A device that is woken often and one that sleeps long count the same."""
    counted = []
    for step_us in (1_000, 33_333, 250_000):
        host = new_host().to(S.ARMED)
        host.start()
        for at_us in range(0, 900_000, step_us):
            host.device.advance(at_us)
        host.now_us = 900_000
        counted.append((host.ask(wire.ReadCounters(1)), host.ask(wire.ReadMeasured(2)), host.told(wire.Status)))
    assert counted[0] == counted[1] == counted[2]


def test_time_that_goes_back_changes_nothing(host: Any) -> None:
    host.to(S.RUNNING)
    before = total_pulses(host)
    host.device.advance(0)
    assert total_pulses(host) == before
    assert host.state is S.RUNNING


def test_the_journal_tells_states_and_zero(new_host: Any) -> None:
    entries: list[Any] = []
    host = new_host(journal=entries.append).to(S.RUNNING)
    host.wait(2 * SECOND_US, alive=False)
    assert entries[0]["event"] == "boot"
    ended = next(entry for entry in entries if entry.get("state") == "ENDED")
    assert (ended["before"], ended["reason"], ended["keepalive_age_us"]) == ("RUNNING", "WATCHDOG", 1_000_000)
    zero = entries[-1]
    assert zero["event"] == "zero"
    assert ended["device_time_us"] <= zero["since_us"] <= ended["device_time_us"] + 2_000
    assert zero["device_time_us"] - zero["since_us"] >= 20_000
