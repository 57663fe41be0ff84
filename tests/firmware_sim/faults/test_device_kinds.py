"""Each fault of a device and of a load, seen from outside: on the wire, in the load's record, in the journal."""

from collections.abc import Callable
from typing import Any

import pytest

from firmware_sim.analog.recorder import FlowKind
from firmware_sim.faults import CATALOGUE, Fault
from stimctl.wire import codec as wire
from stimctl.wire.codes import PROTOCOL_VERSION, EndReason, Purpose, Refusal, SelfTestFailure
from stimctl.wire.codes import DeviceState as S

SECOND_US = 1_000_000
KINDS = [name for name in CATALOGUE if name.startswith(("device.", "load."))]
PULSE_US = 400
LATER_US = 7_600_000  # RUNNING is reached 3 s after the start, and the host waits 10 s

MakeHost = Callable[..., Any]


def now(kind: str, **options: int | str) -> Fault:
    """Half a second after the host has seen the targets reached, see `running`."""
    return Fault(kind, after="RUNNING", at_us=LATER_US, options=options)


def on_one(kind: str, **options: int | str) -> Fault:
    """The same on channel 1."""
    return Fault(kind, after="RUNNING", at_us=LATER_US, channel=1, options=options)


def running(make: MakeHost, *faults: Fault, **options: Any) -> Any:
    """A host whose device has run with the faults for most of a second, or has ended by them."""
    host = make(*faults, **options).to(S.RUNNING)
    host.wait(500_000)
    host.pass_time(900_000)
    return host


def ended(host: Any) -> Any:
    """Why the device ended or held."""
    return next(event.reason for event in reversed(host.told(wire.Event)) if event.reason)


def last_shape(host: Any, channel: int = 1) -> Any:
    """The last pulse in the load."""
    return host.recorder.flows(channel)[-1].shape


def last_channel(host: Any, number: int) -> wire.Channel:
    """What the device last told of a channel."""
    found: wire.Channel = [told for told in host.told(wire.Channel) if told.channel == number][-1]
    return found


# --- parts ------------------------------------------------------------------------------------------


def see_dac_stuck(make: MakeHost) -> None:
    host = running(make, on_one("device.dac_stuck", value_ua=640))
    assert last_shape(host).first_na == 640_000
    assert last_shape(host).second_na == -640_000, "the second phase flows the same way"
    assert ended(host) == EndReason.NET_CHARGE
    assert last_shape(host, 2).first_na == 500_000


def see_dac_gain(make: MakeHost) -> None:
    host = running(make, on_one("device.dac_gain", gain_permille=900))
    assert last_shape(host).first_na == 540_000
    assert last_shape(host, 2).first_na == 500_000
    assert last_channel(host, 1).applied_ua == 600
    assert abs(last_channel(host, 1).measured_ua - 540) <= 15


def see_readback_gain(make: MakeHost) -> None:
    host = running(make, on_one("device.readback_gain", gain_permille=500))
    assert last_shape(host).first_na == 600_000
    assert abs(last_channel(host, 1).measured_ua - 300) <= 10
    assert abs(last_channel(host, 2).measured_ua - 500) <= 10


def see_readback_offset(make: MakeHost) -> None:
    host = running(make, on_one("device.readback_offset", offset_ua=-70))
    assert last_shape(host).first_na == 600_000
    assert abs(last_channel(host, 1).measured_ua - 530) <= 10
    assert abs(last_channel(host, 2).measured_ua - 500) <= 10


def see_stuck_on(make: MakeHost) -> None:
    host = running(make, on_one("device.stuck_on", value_ua=-300))
    assert not host.recorder.flows(1, FlowKind.HELD), "while the outputs are enabled the switch is closed anyway"
    stopped_us = host.now_us
    answer = host.ask(wire.Stop())
    host.wait(SECOND_US)
    assert not answer.zero
    assert not host.ask(wire.Stop()).zero
    assert abs(host.machine.zero.measured_ua - 127) <= 10
    levels = host.recorder.flows(1, FlowKind.HELD)
    assert (levels[0].first_us, levels[0].shape.second_na) == (stopped_us, 300_000)
    assert levels[-1].shape.second_na < 150_000, "the electrodes are charged, and the supply can drive no more"
    assert host.recorder.end_us(1) == host.now_us
    assert not host.recorder.flows(2, FlowKind.HELD)


# --- power and time ---------------------------------------------------------------------------------


def see_reset(make: MakeHost) -> None:
    host = running(make, now("device.reset", down_us=300_000))
    reset_us = host.device.fired_us[0]
    assert host.recorder.end_us() <= reset_us + PULSE_US
    assert (host.state, host.machine.boot_id) == (S.IDLE, 2)
    welcome = host.ask(wire.Hello(PROTOCOL_VERSION))
    assert (welcome.boot_id, welcome.session) == (2, 1)
    assert host.ask(wire.ReadSession()).end_reason == EndReason.RESET
    assert sum(host.ask(wire.ReadCounters(1))[2:4]) == host.recorder.pulses(1)
    assert [entry["at_us"] for entry in host.journal if entry["event"] == "boot"] == [0, reset_us + 300_000]


def see_brown_out(make: MakeHost) -> None:
    host = running(make, now("device.brown_out", times=3, every_us=200_000, down_us=50_000))
    assert host.device.fired == {0: 3}
    assert host.machine.boot_id == 4
    boots = [entry["at_us"] for entry in host.journal if entry["event"] == "boot"]
    assert [later - boots[1] for later in boots[2:]] == [200_000, 400_000]


def see_clock_drift(make: MakeHost) -> None:
    host = make(Fault("device.clock_drift", options={"ppm": 100_000})).to(S.RUNNING)
    status = host.told(wire.Status)[-1]
    assert abs(status.device_time_us - host.now_us * 11 // 10) <= 110_000
    assert host.recorder.flows(1)[-1].shape.width_us == 182, "200 us by a clock that runs a tenth too fast"
    good = make().to(S.RUNNING)
    good.wait(SECOND_US)
    assert host.recorder.pulses(1) == good.recorder.pulses(1)
    slow = make(Fault("device.clock_drift", options={"ppm": -100_000})).to(S.RUNNING)
    alive_us = slow.now_us
    slow.pass_time(3 * SECOND_US)
    end = next(entry for entry in slow.journal if entry.get("state") == "ENDED")
    assert abs(end["at_us"] - alive_us - SECOND_US * 10 // 9) <= 10, "its watchdog comes so much later"


def see_clock_freeze(make: MakeHost) -> None:
    fault = now("device.clock_freeze", moment="in_pulse")
    host = make(Fault(fault.kind, fault.at_us, 3 * SECOND_US, fault.after, None, fault.options)).to(S.RUNNING)
    host.pass_time(1_500_000)
    frozen_us = host.device.fired_us[0]
    heard = len(host.heard)
    host.say(wire.Stop())
    host.pass_time(SECOND_US)
    assert len(host.heard) == heard
    assert (host.state, host.now_us > frozen_us + SECOND_US) == (S.RUNNING, True)
    [levels] = [found for channel in (1, 2) if (found := host.recorder.flows(channel, FlowKind.HELD))]
    assert levels[0].first_us == frozen_us
    assert sum(flow.count * flow.shape.span_us for flow in levels) == host.now_us - frozen_us
    assert levels[0].shape.first_na in (600_000, 500_000), "the pulse of that moment never ends"
    host.pass_time(2 * SECOND_US)
    assert host.state is S.ENDED, "the stop waited for it"
    levels = [flow for channel in (1, 2) for flow in host.recorder.flows(channel, FlowKind.HELD)]
    planned_us = host.journal_us("RUNNING") + LATER_US
    assert sum(flow.count * flow.shape.span_us for flow in levels) == 3 * SECOND_US - (frozen_us - planned_us)


def test_frozen_between_two_pulses_nothing_flows(hostile_host: MakeHost) -> None:
    host = hostile_host(now("device.clock_freeze")).to(S.RUNNING)
    host.pass_time(3 * SECOND_US)
    assert host.recorder.end_us() <= host.device.fired_us[0] + PULSE_US
    assert host.state is S.RUNNING, "its watchdog stands as well"


def test_firmware_that_hangs_leaves_its_pulses_on(hostile_host: MakeHost) -> None:
    fault = now("device.clock_freeze", output="pulses")
    host = hostile_host(Fault(fault.kind, fault.at_us, 3 * SECOND_US, fault.after, None, fault.options)).to(S.RUNNING)
    host.pass_time(1_500_000)
    heard, pulses = len(host.heard), host.recorder.pulses(1)
    host.say(wire.Stop())
    host.pass_time(2 * SECOND_US)
    assert len(host.heard) == heard
    assert host.recorder.pulses(1) == pulses + 200
    assert host.state is S.RUNNING
    host.pass_time(SECOND_US)
    assert host.state is S.ENDED
    thawed_us = host.device.fired_us[0] + 3 * SECOND_US
    assert host.recorder.end_us() <= thawed_us + PULSE_US
    assert ended(host) == EndReason.WATCHDOG, "what is overdue is done before what waits"


def test_bytes_for_frozen_firmware_wait_as_far_as_there_is_room(hostile_host: MakeHost) -> None:
    host = hostile_host(Fault("device.clock_freeze", at_us=SECOND_US, for_us=SECOND_US))
    host.ask(wire.Hello(PROTOCOL_VERSION))
    host.pass_time(1_500_000)
    for _ in range(100):
        host.say(wire.ReadIdentity(0))
    host.pass_time(SECOND_US)
    assert len(host.told(wire.Maker)) == 256 // len(wire.encode(1, wire.ReadIdentity(0)))


def see_watchdog_dead(make: MakeHost) -> None:
    host = running(make, now("device.watchdog_dead"))
    pulses = host.recorder.pulses(1)
    host.pass_time(5 * SECOND_US)
    assert host.recorder.pulses(1) == pulses + 500
    assert host.state is S.RUNNING
    fault = Fault("device.watchdog_dead", for_us=20 * SECOND_US)
    repaired = make(fault).to(S.RUNNING)
    repaired.pass_time(20 * SECOND_US - 1_000 - repaired.now_us)
    assert repaired.state is S.RUNNING
    repaired.pass_time(100_000)
    assert ended(repaired) == EndReason.WATCHDOG


def see_session_timer_dead(make: MakeHost) -> None:
    host = make(now("device.session_timer_dead")).to(S.RUNNING, stimulation_limit_us=20 * SECOND_US)
    host.wait(40 * SECOND_US)
    assert host.state is S.RUNNING
    assert host.recorder.end_us() > host.now_us - 20_000
    assert host.told(wire.Status)[-1].time_left_us == 0
    fault = Fault("device.session_timer_dead", for_us=30 * SECOND_US)
    repaired = make(fault).to(S.RUNNING, stimulation_limit_us=20 * SECOND_US)
    repaired.wait(30 * SECOND_US)
    assert ended(repaired) == EndReason.TIMER
    assert 30 * SECOND_US - 20_000 < repaired.recorder.end_us() <= 30 * SECOND_US + PULSE_US


# --- memory and words -------------------------------------------------------------------------------


def see_program_flip(make: MakeHost) -> None:
    host = running(make, now("device.program_flip", field="ramp_slope_ua_per_s", bit=3))
    assert ended(host) == EndReason.GATE
    assert host.recorder.end_us() <= host.device.fired_us[0] + 100_000 + PULSE_US, "seen with the next status"
    gated = running(make, now("device.program_flip", field="width_us", bit=4))
    assert ended(gated) == EndReason.GATE
    assert {flow.shape.width_us for flow in gated.recorder.flows(1)} == {200}, "not one pulse of another width"
    unseen = running(make, now("device.program_flip", field="interphase_gap_us", bit=4))
    assert last_shape(unseen).gap_us == 16, "the gate sees nothing wrong with it, the digest does"
    assert ended(unseen) == EndReason.GATE


@pytest.mark.parametrize("field", ["period_us", "second_width_us", "interphase_gap_us", "dwell_us", "ramp_down_us"])
def test_a_flip_in_any_field_ends_a_session_within_a_tenth_of_a_second(hostile_host: MakeHost, field: str) -> None:
    host = running(hostile_host, now("device.program_flip", field=field, bit=6))
    assert ended(host) == EndReason.GATE
    assert host.recorder.end_us() <= host.device.fired_us[0] + 100_000 + PULSE_US


def test_a_flip_before_arm_or_start_is_refused(hostile_host: MakeHost) -> None:
    host = hostile_host(Fault("device.program_flip", after="TESTED", options={"field": "dwell_us"})).to(S.TESTED)
    host.pass_time(1_000)
    refused = host.arm()
    assert (refused.reason, refused.detail) == (Refusal.SELF_TEST_FAILED, SelfTestFailure.MEMORY)
    assert host.ask(wire.SelfTest()).failures == SelfTestFailure.MEMORY
    assert host.state is S.LOADED
    armed = hostile_host(Fault("device.program_flip", after="ARMED")).to(S.ARMED)
    armed.pass_time(1_000)
    refused = armed.start()
    assert (refused.reason, refused.detail) == (Refusal.SELF_TEST_FAILED, SelfTestFailure.MEMORY)
    assert (armed.state, armed.recorder.channels) == (S.ARMED, ())


def see_slow_answers(make: MakeHost) -> None:
    host = make(Fault("device.slow_answers", at_us=SECOND_US, options={"delay_us": 300_000}))
    host.ask(wire.Hello(PROTOCOL_VERSION))
    host.pass_time(SECOND_US)
    host.say(wire.ReadIdentity(0))
    host.pass_time(250_000)
    assert not host.told(wire.Maker)
    host.pass_time(50_000)
    assert len(host.told(wire.Maker)) == 1
    assert host.told(wire.Status)[-1].device_time_us == SECOND_US


def see_wrong_echo(make: MakeHost) -> None:
    host = make(now("device.wrong_echo", message="TargetSet", field="target_ua", add=100)).to(S.RUNNING)
    host.wait(SECOND_US)
    answer = host.ask(wire.SetTarget(host.armed.nonce, 1, 500))
    assert answer.target_ua == 600
    assert host.machine.targets_ua[1] == 500
    around = make(Fault("device.wrong_echo", options={"message": "Welcome", "field": "version", "add": -3}))
    assert around.ask(wire.Hello(PROTOCOL_VERSION)).version == 0xFFFF
    first = make(Fault("device.wrong_echo", options={"message": "Armed"})).to(S.TESTED)
    assert first.arm().purpose == Purpose.CHECK_IMPEDANCE


def see_wrong_version(make: MakeHost) -> None:
    host = make(Fault("device.wrong_version", options={"version": 7}))
    assert host.ask(wire.Hello(PROTOCOL_VERSION)).version == 7


def see_silent_telemetry(make: MakeHost) -> None:
    host = make(now("device.silent_telemetry")).to(S.RUNNING)
    host.wait(1_100_000)
    heard = len(host.told(wire.Status))
    host.wait(SECOND_US)
    assert len(host.told(wire.Status)) == heard
    assert host.ask(wire.KeepAlive(host.armed.nonce)).state == S.RUNNING
    only = make(Fault("device.silent_telemetry", options={"message": "Channel"})).to(S.RUNNING)
    assert not only.told(wire.Channel)
    assert len(only.told(wire.Status)) > 90


# --- loads ------------------------------------------------------------------------------------------


def see_open(make: MakeHost) -> None:
    host = running(make, on_one("load.open"))
    assert (host.state, ended(host)) == (S.HELD, EndReason.LEAD_OFF)
    assert host.told(wire.Event)[-1].channel == 1


def see_short(make: MakeHost) -> None:
    host = running(make, on_one("load.short"))
    assert (host.state, ended(host)) == (S.ENDED, EndReason.SHORT)


def see_intermittent(make: MakeHost) -> None:
    host = running(make, on_one("load.intermittent", closed_us=400_000, open_us=200_000))
    assert (host.state, ended(host)) == (S.HELD, EndReason.LEAD_OFF)
    off_us = host.told(wire.Event)[-1].device_time_us
    assert host.device.fired_us[0] + 200_000 <= off_us <= host.device.fired_us[0] + 650_000


def see_bridged(make: MakeHost) -> None:
    host = running(make, on_one("load.bridged", other=3, leak_permille=100))
    leaked = host.recorder.flows(3, FlowKind.LEAK)
    assert leaked[0].shape.first_na == 60_000
    assert not host.recorder.flows(2, FlowKind.LEAK)


def see_drift(make: MakeHost) -> None:
    host = make(on_one("load.drift", end_ohm=2_600, over_us=2 * SECOND_US)).to(S.RUNNING)
    before = last_channel(host, 1).ohm
    host.wait(2 * SECOND_US)
    assert abs(last_channel(host, 1).ohm - before - 1_000) < 100, "half of the way after one of two seconds"
    host.wait(3 * SECOND_US)
    assert abs(last_channel(host, 1).ohm - before - 2_000) < 150


def see_dry(make: MakeHost) -> None:
    host = running(make, on_one("load.dry"))
    assert last_channel(host, 1).ohm > 3_000 > last_channel(host, 2).ohm


def see_resistor(make: MakeHost) -> None:
    host = running(make, on_one("load.resistor", ohm=1_500))
    assert abs(last_channel(host, 1).ohm - 1_500) < 40
    assert last_channel(host, 2).ohm < 1_000


SEEN = {name.removeprefix("see_"): see for name, see in list(globals().items()) if name.startswith("see_")}


@pytest.mark.parametrize("kind", KINDS)
def test_a_fault_does_what_it_says(hostile_host: MakeHost, kind: str) -> None:
    SEEN[kind.partition(".")[2]](hostile_host)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if CATALOGUE[kind].lasts])
def test_each_ends_and_leaves_a_good_device(hostile_host: MakeHost, kind: str) -> None:
    """After a fault of before the session, a session comes to the very figures of one without it."""
    good, healed = hostile_host(), hostile_host(Fault(kind, at_us=1_000, for_us=200_000))
    for host in (good, healed):
        host.pass_time(SECOND_US)
        host.to(S.RUNNING)
    assert healed.device.fired[0] == 0 or kind not in ("device.slow_answers",)
    if kind in ("device.clock_drift", "device.clock_freeze"):
        assert healed.recorder.pulses(1) == good.recorder.pulses(1)
        return
    assert healed.recorder.flows(1) == good.recorder.flows(1)
    assert bytes(healed.said) == bytes(good.said)


def test_a_fault_of_the_host_does_nothing_here(hostile_host: MakeHost) -> None:
    hosts = [Fault(kind, at_us=5) for kind in CATALOGUE if kind.startswith("host.")]
    host, bare = hostile_host(*hosts).to(S.RUNNING), hostile_host().to(S.RUNNING)
    assert bytes(host.said) == bytes(bare.said)
    assert set(host.device.fired.values()) == {0}
