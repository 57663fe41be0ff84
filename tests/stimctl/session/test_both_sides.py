"""Each limit that both machines hold, with one machine's check taken away: the other one still holds it.

`alone(DEVICE)`: the driver's check is gone. Bytes go straight to a whole device, as from a driver without limits; it
refuses, with the right reason and no output, or ends the output by itself.
`alone(DRIVER)`: the device's check is gone: its own constants are opened, its gate or monitor taken out, or its
hardware is broken where no check of its own is left. The driver refuses before it sends anything, or sees it in
what the device tells and ends the session with measured zero.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import pytest

from firmware_sim import answers, channel, gate, loading, machine
from firmware_sim.checks import ImpedanceResult
from firmware_sim.converter import Converter, Dac, Switch
from firmware_sim.load import load_named
from firmware_sim.monitor import Monitor
from firmware_sim.output import OutputStage
from firmware_sim.record import Kind, Recorder
from firmware_sim.timers import NEVER_US, Timer
from stimctl import limits
from stimctl.errors import Unsafe
from stimctl.session.engine import Engine
from stimctl.session.states import End, State
from stimctl.session.view import SessionReport
from stimctl.waveform import Program, Segment
from stimctl.wire import messages as m
from stimctl.wire.codes import DeviceState, EndReason, Purpose, Refusal, SelfTestFailure
from tests.firmware_sim.conftest import Host
from tests.stimctl.session.world import Rig, S, prescription

Patch = pytest.MonkeyPatch
PULSE_US = 1_300

# The rows marked B of the limits that were decided, as a second list beside `limits.LIMITS`.
DECIDED = (
    "peak amplitude, both phases",
    "lowering",
    "raising",
    "charge per phase",
    "balance",
    "measured net charge",
    "pulse width",
    "frequency",
    "stimulation time",
    "a hold",
    "from arm to end",
    "keepalive",
    "over-current trip",
    "lead-off",
    "short",
    "zero",
    "impedance check",
    "self-test",
    "channels on one person",
    "a fault on one channel stops all",
)


# --- a driver without limits -------------------------------------------------------------------------


class Bare(Host):
    """A host that sends what it is told, and what flowed in the load meanwhile."""

    def __init__(self, **options: Any) -> None:
        self.recorder = Recorder()
        super().__init__(recorder=self.recorder, **options)

    def trains(self) -> int:
        return sum(self.recorder.pulses(number) for number in self.recorder.channels)

    def refuses(self, message: Any, reason: Refusal) -> None:
        """The device refuses it, and nothing flows: not then, and not in the second after."""
        before = self.trains()
        answer = self.ask(message)
        assert isinstance(answer, m.Refused), answer
        assert answer.reason == reason, Refusal(answer.reason).name
        if before == 0:
            self.wait(1_000_000)
            assert self.trains() == 0

    def zero_after(self, reason: EndReason, at_us: int) -> None:
        """The device ended by itself for this reason, and nothing flowed after `at_us`."""
        assert self.state is DeviceState.ENDED
        session = self.machine.flash.session
        assert session is not None
        assert session.end_reason == reason, EndReason(session.end_reason).name
        assert self.recorder.end_us() <= at_us
        self.wait(50_000, alive=False)
        assert self.machine.zero.sure


def refuses_segment(reason: Refusal, **changes: int) -> Callable[[Patch], None]:
    """The device alone, given a segment with these values in a program of two."""

    def show(_patch: Patch) -> None:
        host = Bare().to(DeviceState.IDLE)
        host.ask(m.LoadProgram(2, 1, 200, 5_000_000))
        assert isinstance(host, Bare)
        host.refuses(m.LoadSegment(0, 10_000, 200, 0, 200, 3_000_000)._replace(**changes), reason)

    return show


def refuses_head(reason: Refusal, **changes: int) -> Callable[[Patch], None]:
    """The device alone, given the head of a program with these values."""

    def show(_patch: Patch) -> None:
        host = Bare().to(DeviceState.IDLE)
        assert isinstance(host, Bare)
        host.refuses(m.LoadProgram(1, 1, 200, 5_000_000)._replace(**changes), reason)

    return show


def refuses_arm(reason: Refusal, **changes: int) -> Callable[[Patch], None]:
    """The device alone, armed with these values."""

    def show(_patch: Patch) -> None:
        host = Bare().to(DeviceState.TESTED)
        assert isinstance(host, Bare)
        order = m.Arm(0, 1, 2_000, 60_000_000, 5_000, host.digest_head)
        host.refuses(order._replace(**changes), reason)

    return show


def running(**options: Any) -> Bare:
    """A whole device that runs, at 0.6 and 0.5 mA and 100 Hz on channels 1 and 2."""
    host = Bare(**options).to(DeviceState.RUNNING)
    assert isinstance(host, Bare)
    return host


# --- a device without limits -------------------------------------------------------------------------

OPENED = {
    "MIN_CEILING_UA": 0,
    "MAX_AMPLITUDE_UA": 65_535,
    "MIN_STIMULATION_US": 0,
    "MAX_STIMULATION_US": (1 << 32) - 1,
    "MAX_CHANNELS": 4,
    "MIN_PERIOD_US": 1,
    "MAX_PERIOD_US": (1 << 32) - 1,
    "MIN_WIDTH_US": 0,
    "MAX_WIDTH_US": 65_535,
    "MAX_GAP_US": 65_535,
    "MAX_SECOND_WIDTH_US": 65_535,
    "MIN_DWELL_US": 0,
    "MAX_DWELL_US": (1 << 32) - 1,
    "MIN_SLOPE_UA_PER_S": 0,
    "MAX_SLOPE_UA_PER_S": 65_535,
    "MAX_RAMP_DOWN_US": (1 << 32) - 1,
    "MAX_QUANTUM_UA": 65_535,
    "MAX_CHARGE_PC": 1 << 62,
    "MAX_RISE_UA": 65_535,
    "RAISE_INTERVAL_US": 0,
    "WATCHDOG_US": 65 * S,  # the most that its identity can say
    "HOLD_US": 4_000_000 * S,
    "SESSION_US": NEVER_US,
}


def open_up(patch: Patch) -> None:
    """Take away every limit in the device's own constants, its gate, and the trips of its monitor."""
    for name, value in OPENED.items():
        patch.setattr(gate, name, value)
    patch.setattr(gate, "permit", lambda *_: True)
    patch.setattr(channel, "over_current_ua", lambda _applied_ua: 1 << 40)
    patch.setattr(Monitor, "judge", lambda *_: None)


def accepts(patch: Patch, head: m.LoadProgram, *segments: m.LoadSegment) -> None:
    """The opened device takes it: its check is really gone."""
    open_up(patch)
    host = Host().to(DeviceState.IDLE)
    for order in (head, *segments):
        assert not isinstance(host.ask(order), m.Refused), order


def unsafe_program(field: str, **changes: Any) -> Callable[[Patch], None]:
    """The driver alone: a program with these values cannot be made, whatever a device would take."""

    def show(patch: Patch) -> None:
        values = {
            "period_us": 10_000,
            "width_us": 200,
            "interphase_gap_us": 0,
            "second_width_us": 200,
            "dwell_us": 3_000_000,
        }
        ours = {name: value for name, value in changes.items() if name in values}
        program = {name: value for name, value in changes.items() if name not in values}
        one, other = Segment(**{**values, **ours}), Segment(**values)
        channels = program.pop("channels", (1,))
        if program.get("stimulation_us", 0) <= limits.STIMULATION.high:
            head = m.LoadProgram(
                2,
                sum(1 << number - 1 for number in channels),
                program.get("ramp_slope_ua_per_s", 200),
                program.get("ramp_down_us", 5_000_000),
            )
            fields = [
                (each.period_us, each.width_us, each.interphase_gap_us, each.second_width_us, each.dwell_us)
                for each in (one, other)
            ]
            accepts(patch, head, *(m.LoadSegment(index, *each) for index, each in enumerate(fields)))
        with pytest.raises(Unsafe) as unsafe:
            Program((one, other), channels, **program)
        assert any(field in problem.field for problem in unsafe.value.problems), unsafe.value

    return show


def finds(
    end: End, break_it: Callable[[Rig, Patch], None], *, seconds: float = 20, at_s: float = 8
) -> Callable[[Patch], None]:
    """The driver alone: an opened device breaks in mid-session; it is found out, and zero is measured."""

    def show(patch: Patch) -> None:
        open_up(patch)
        rig, report = broken(patch, break_it, seconds=seconds, at_s=at_s)
        assert report.end is end, (report.end, report.end_text)
        measured_zero(rig, report)

    return show


def broken(
    patch: Patch, break_it: Callable[[Rig, Patch], None], *, seconds: float = 20, at_s: float = 8
) -> tuple[Rig, SessionReport]:
    """A session at 1.0 mA whose device breaks at a time."""
    rig = Rig(prescription(seconds=seconds, profile="bench-100hz", amplitudes_ma={1: 1.0}, ceiling_ma=1.5))
    report = rig.run((round(at_s * S), lambda _engine, _now_us: break_it(rig, patch)))
    return rig, report


def measured_zero(rig: Rig, report: SessionReport) -> None:
    """Zero was confirmed within the time, and nothing flowed after the stop but the pulse in flight."""
    assert report.zero_confirmed_us is not None
    assert report.zero_confirmed_us <= limits.STOP_CONFIRM_US
    assert rig.device.machine.zero.sure
    assert rig.last_pulse_us() <= rig.stopped_us() + PULSE_US


def stage_of(rig: Rig) -> OutputStage:
    return rig.device.machine.stage


# --- what breaks -------------------------------------------------------------------------------------


class Scaled:
    """A converter that gives `percent` of what is asked for, forward and back."""

    def __init__(self, forward_percent: int, back_percent: int) -> None:
        self._percent = forward_percent, back_percent
        self._whole: Converter = Dac()

    def current_na(self, amplitude_ua: int) -> int:
        return self._whole.current_na(amplitude_ua) * self._percent[amplitude_ua < 0] // 100


def above_its_ceiling(rig: Rig, _patch: Patch) -> None:
    stage_of(rig).set_target(1, 1_600)


def deaf_to_lowering(rig: Rig, patch: Patch) -> None:
    """It answers that the target was lowered, and goes on as before."""
    patch.setattr(stage_of(rig), "set_target", lambda _channel, _target_ua: None)
    rig.engine.set_target(1, 600, rig.runner._port.now_us())


def ten_times_the_slope(rig: Rig, _patch: Patch) -> None:
    """It started anew in hold with a ramp of 2 mA/s."""
    whole = rig.device.machine.program
    assert whole is not None
    rig.device.machine.program = replace(whole, ramp_slope_ua_per_s=2_000)


def twice_the_width(rig: Rig, _patch: Patch) -> None:
    restart_with(rig, width_us=400, second_width_us=400)


def half_the_period(rig: Rig, _patch: Patch) -> None:
    restart_with(rig, period_us=5_000)


def restart_with(rig: Rig, **changes: int) -> None:
    """Go on with other pulses than were loaded, at the level reached, as a pulse engine with a bad register would."""
    core = rig.device.machine
    assert core.program is not None
    assert core.run is not None
    segments = tuple(replace(segment, **changes) for segment in core.program.segments)
    run_us = core.stimulation_us(core.now_us)
    core.stage.flush()
    core.stage.begin(
        replace(core.program, segments=segments),
        dict(core.targets_ua),
        run_us,
        1_800 * S,
        core.now_us,
        levels_ua=dict(core.targets_ua),
    )


def weak_back_phase(rig: Rig, _patch: Patch) -> None:
    stage_of(rig).refit(1, dac=Scaled(100, 90))


def too_much_current(rig: Rig, _patch: Patch) -> None:
    stage_of(rig).refit(1, dac=Scaled(125, 125))


def another_load(name: str) -> Callable[[Rig, Patch], None]:
    def change(rig: Rig, _patch: Patch) -> None:
        for number, each in stage_of(rig)._channels.items():
            assert number
            each._load = load_named(name)
        stage_of(rig).flush()

    return change


def frozen_timer(rig: Rig, patch: Patch) -> None:
    """Its stimulation time stands still, and with it the end of the session."""
    core = rig.device.machine
    standing_us = core.stimulation_us(core.now_us)
    core.timers.cancel(Timer.STIMULATION, Timer.FALL)
    patch.setattr(core, "stimulation_us", lambda _now_us: standing_us)
    patch.setattr(type(rig.device._telemetry), "_status", frozen_status(rig, standing_us))


def frozen_status(rig: Rig, standing_us: int) -> Callable[[Any, int], bytes]:
    """The status frame of a device whose stimulation timer has stopped."""
    core = rig.device.machine

    def status(self: Any, now_us: int) -> bytes:
        self._count = count = (self._count + 1) & 0xFFFF
        stimulating = core.run is not None
        return m.encode(
            count,
            m.Status(
                device_time_us=now_us,
                boot_id=core.boot_id,
                state=core.state,
                segment=0,
                end_reason=0 if stimulating or core.waiting is None else core.waiting.end_reason,
                zero=int(core.zero.sure),
                active_mask=1,
                session=1,
                stimulation_us=standing_us,
                time_left_us=S,
                segment_left_us=0,
                hold_left_ms=0,
                keepalive_age_ms=100,
            ),
        )

    return status


def deaf_to_keepalives(rig: Rig, patch: Patch) -> None:
    """It answers each keepalive and does not count it; nor does its watchdog act."""
    patch.setattr(rig.device.machine, "alive", lambda _now_us: None)
    rig.device.machine.timers.cancel(Timer.WATCHDOG)


def drives_another_channel(rig: Rig, _patch: Patch) -> None:
    core = rig.device.machine
    assert core.arming is not None
    core.arming = replace(core.arming, channels=(1, 2), channel_mask=3)


# --- the device alone --------------------------------------------------------------------------------


def device_peak(_patch: Patch) -> None:
    """Above the armed ceiling, and a second phase that would be higher than the first."""
    host = running()
    assert host.armed is not None
    host.refuses(m.SetTarget(host.armed.nonce, 1, 2_001), Refusal.ABOVE_LIMIT)
    refuses_arm(Refusal.ABOVE_LIMIT, ceiling_ua=2_001)(_patch)
    refuses_segment(Refusal.BELOW_LIMIT, width_us=300, second_width_us=299)(_patch)


def device_lowering(_patch: Patch) -> None:
    """Any lower value is applied, at the next pulse: also one that the driver would never send."""
    host = running()
    assert host.armed is not None
    answer = host.ask(m.SetTarget(host.armed.nonce, 1, 123))
    assert isinstance(answer, m.TargetSet), answer
    host.wait(20_000)
    (last, *_) = reversed(host.recorder.flows(1))
    assert abs(last.shape.first_na - 123_000) <= 1_250
    assert last.first_us - host.now_us <= 10_000


def device_raising(_patch: Patch) -> None:
    host = running()
    assert host.armed is not None
    host.refuses(m.SetTarget(host.armed.nonce, 1, 701), Refusal.RAISE_TOO_LARGE)
    assert isinstance(host.ask(m.SetTarget(host.armed.nonce, 1, 700)), m.TargetSet)
    host.wait(999_999)
    host.refuses(m.SetTarget(host.armed.nonce, 1, 701), Refusal.RAISE_TOO_SOON)
    refuses_head(Refusal.ABOVE_LIMIT, ramp_slope_ua_per_s=381)(_patch)


def device_charge(patch: Patch) -> None:
    """With width and amplitude opened, the gate's cap on charge ends the session before the pulse that breaks it."""
    for name in ("MAX_AMPLITUDE_UA", "MAX_WIDTH_US"):
        patch.setattr(gate, name, 65_535)
    host = Bare().to(DeviceState.IDLE)
    assert isinstance(host, Bare)
    host.load(m.LoadSegment(0, 10_000, 1_000, 0, 1_000, 0), mask=1, slope=380)
    host.arm(channel_mask=1, ceiling_ua=2_000)
    assert host.armed is not None
    host.ask(m.Start(host.armed.nonce, 2_000, 0, 0, 0))
    host.wait(10_000_000)
    host.zero_after(EndReason.GATE, host.now_us)
    most_fc = max(flow.shape.first_na * flow.shape.width_us for flow in host.recorder.flows(1))
    assert most_fc <= 1_200_000_000 + 625 * 1_000, "and half a step of the converter"


def device_balance(_patch: Patch) -> None:
    """No whole amplitude but a coarse one gives 150 us and 1 199 us equal areas."""
    refuses_segment(Refusal.UNBALANCED, width_us=150, second_width_us=1_199)(_patch)
    permitted = gate.Pulse(1_000, 200, 0, 1_000, 200, 10_000)
    assert gate.permit(DeviceState.RUNNING, 2_000, 1_000, permitted)
    assert not gate.permit(DeviceState.RUNNING, 2_000, 1_000, permitted._replace(second_ua=999))


def device_net_charge(_patch: Patch) -> None:
    host = running()
    host.machine.stage.refit(1, dac=Scaled(100, 90))
    broke_us = host.now_us
    host.wait(50_000)
    host.zero_after(EndReason.NET_CHARGE, broke_us + 10_000 + PULSE_US)


def device_time(_patch: Patch) -> None:
    """Its own timer ends the session although the keepalives go on."""
    refuses_arm(Refusal.ABOVE_LIMIT, stimulation_limit_us=1_800_000_001)(_patch)
    host = running()
    started_us = host.recorder.flows(1)[0].first_us
    host.wait(100_000_000)
    host.zero_after(EndReason.TIMER, started_us + 60_000_000)


def device_hold(_patch: Patch) -> None:
    host = running()
    host.ask(m.Hold())
    held_us = host.now_us
    host.wait(600_000_000)
    host.zero_after(EndReason.HOLD_EXPIRED, held_us + PULSE_US)


def device_session(_patch: Patch) -> None:
    """45 minutes, although each hold stayed under its ten."""
    host = running()
    began_us = host.now_us
    while host.state is not DeviceState.ENDED and host.now_us < began_us + 3_000 * S:
        host.ask(m.Hold())
        host.wait(500 * S)
        if isinstance(host.arm(), m.Armed):
            host.start()
            host.wait(S)
    host.zero_after(EndReason.SESSION_EXPIRED, 2_700 * S + PULSE_US)


def device_keepalive(_patch: Patch) -> None:
    host = running()
    host.wait(250_000)
    alive_us = host.now_us
    host.wait(1_500_000, alive=False)
    host.zero_after(EndReason.WATCHDOG, alive_us + 1_000_000 + PULSE_US)


def device_over_current(_patch: Patch) -> None:
    host = running()
    host.machine.stage.refit(1, dac=Scaled(150, 150))
    broke_us = host.now_us
    host.wait(50_000)
    (*_, cut) = host.recorder.flows(1)
    assert cut.shape.width_us < 1_000, "cut within 1 ms, in mid-pulse"
    assert cut.shape.second_na == 0
    host.zero_after(EndReason.OVER_CURRENT, broke_us + 10_000 + 1_000)


def device_lead_off(_patch: Patch) -> None:
    host = running()
    for each in host.machine.stage._channels.values():
        each._load = load_named("open")
    host.machine.stage.flush()
    broke_us = host.now_us
    host.wait(100_000)
    assert host.state is DeviceState.HELD
    assert host.machine.hold_reason == EndReason.LEAD_OFF
    assert host.recorder.end_us() <= broke_us + 3 * 10_000 + PULSE_US
    assert host.machine.zero.sure


def device_short(_patch: Patch) -> None:
    host = running()
    for each in host.machine.stage._channels.values():
        each._load = load_named("short")
    host.machine.stage.flush()
    broke_us = host.now_us
    host.wait(100_000)
    host.zero_after(EndReason.SHORT, broke_us + 3 * 10_000 + PULSE_US)


class Leaking(Switch):
    """20 uA, and as much as the readback may read too low, on an output that is off."""

    def leak_na(self, now_us: int) -> int:
        return 24_000 + 0 * now_us


def device_zero(_patch: Patch) -> None:
    """It does not say zero before 20 ms, nor while 20 uA flow."""
    host = running()
    assert host.ask(m.Stop()).zero == 0
    host.wait(15_000, alive=False)
    assert host.ask(m.Stop()).zero == 0
    host.wait(15_000, alive=False)
    assert host.ask(m.Stop()).zero == 1
    leaking = running()
    leaking.machine.stage.refit(1, switch=Leaking())
    leaking.ask(m.Stop())
    leaking.wait(500_000, alive=False)
    assert leaking.ask(m.Stop()).zero == 0


def device_check(_patch: Patch) -> None:
    """Ten pulses of 0.1 mA and 0.2 ms, whatever is asked for; not without an arm of its own."""
    host = Bare().to(DeviceState.TESTED)
    assert isinstance(host, Bare)
    host.refuses(m.Start(0, 0, 0, 0, 0), Refusal.WRONG_STATE)
    host.arm(Purpose.CHECK_IMPEDANCE)
    assert host.armed is not None
    host.refuses(m.Start(host.armed.nonce, 100, 0, 0, 0), Refusal.ABOVE_LIMIT)
    host = Bare().to(DeviceState.CHECKING)
    assert isinstance(host, Bare)
    host.wait(2_000_000)
    for number in (1, 2):
        (flow,) = host.recorder.flows(number, Kind.CHECK)
        assert (flow.count, flow.shape.width_us, flow.shape.first_na) == (10, 200, 100_000)
    first, second = (host.recorder.flows(number, Kind.CHECK)[0] for number in (1, 2))
    assert second.first_us >= first.last_us + first.shape.span_us, "one channel at a time"


def device_self_test(_patch: Patch) -> None:
    """Untested, or with a failed test, it does not arm; and the test itself lets nothing out."""
    host = Bare().to(DeviceState.LOADED)
    assert isinstance(host, Bare)
    order = m.Arm(0, 1, 2_000, 60_000_000, 5_000, host.digest_head)
    host.refuses(order, Refusal.WRONG_STATE)
    host.machine.stage.refit(1, dac=Scaled(80, 80))
    assert host.ask(m.SelfTest()).failures & SelfTestFailure.DAC
    host.refuses(order, Refusal.SELF_TEST_FAILED)
    assert host.recorder.channels == ()


def device_channels(_patch: Patch) -> None:
    refuses_head(Refusal.TOO_MANY_CHANNELS, channel_mask=0b1111)(_patch)
    refuses_arm(Refusal.TOO_MANY_CHANNELS, channel_mask=0b1111)(_patch)


def device_one_stops_all(_patch: Patch) -> None:
    host = running(load="nominal")
    host.machine.stage._channels[2]._load = load_named("short")
    host.machine.stage.flush()
    broke_us = host.now_us
    host.wait(200_000)
    host.zero_after(EndReason.SHORT, broke_us + 30_000 + PULSE_US + gate.CHANNEL_SLOT_US)


# --- the driver alone --------------------------------------------------------------------------------


def driver_peak(patch: Patch) -> None:
    with pytest.raises(Unsafe, match="ceiling_ua"):
        prescription(ceiling_ma=2.1)
    with pytest.raises(Unsafe, match="never the higher one"):
        Program((Segment(10_000, 300, 0, 299, 0),), (1,))
    finds(End.IMPLAUSIBLE, above_its_ceiling)(patch)


def driver_raising(patch: Patch) -> None:
    """Its own rule refuses before anything is sent; and a device that jumps is found out."""
    open_up(patch)
    rig = Rig(prescription(ceiling_ma=2.0, amplitudes_ma={1: 1.0}))
    rig.run(
        (8 * S, lambda engine, now_us: engine.set_target(1, 1_101, now_us)),
        (9 * S, lambda engine, now_us: engine.raise_target(1, now_us)),
        (9 * S + 500_000, lambda engine, now_us: engine.raise_target(1, now_us)),
    )
    assert [told.message.target_ua for told in rig.tape.messages(m.SetTarget)] == [1_100]
    unsafe_program("ramp_slope_ua_per_s", ramp_slope_ua_per_s=381)(patch)
    jumps(patch)


def jumps(patch: Patch) -> None:
    """A device whose ramp is ten times too steep."""
    rig = Rig(prescription(profile="bench-100hz", amplitudes_ma={1: 1.0}))
    rig.when(State.CHECKED, lambda _engine, _now_us: ten_times_the_slope(rig, patch))
    report = rig.when(State.ARMED, lambda _engine, _now_us: ten_times_the_slope(rig, patch)).run()
    assert report.end is End.IMPLAUSIBLE, report.end_text
    assert "rises faster" in report.end_text
    measured_zero(rig, report)


def driver_charge(patch: Patch) -> None:
    unsafe_program("width_us", width_us=601, second_width_us=1_200)(patch)
    finds(End.IMPLAUSIBLE, twice_the_width)(patch)
    assert limits.CHARGE_PER_PHASE.high == 1_200_000
    patch.setattr(limits, "WIDTH", replace(limits.WIDTH, high=1_000))
    with pytest.raises(Unsafe, match="1400000 pC"):
        check_charge(Program((Segment(10_000, 700, 0, 700, 0),), (1,)))


def check_charge(program: Program) -> None:
    """The prescription's own check of charge, given a program that the width's limit did not stop."""
    from stimctl.prescription import checks

    problems = list(checks._charge_problems(prescription(), program))
    if problems:
        raise Unsafe(problems)


def driver_time(patch: Patch) -> None:
    unsafe_program("stimulation_us", stimulation_us=1_800_000_001)(patch)
    finds(End.CLOCK, frozen_timer)(patch)


def driver_hold(patch: Patch) -> None:
    open_up(patch)
    rig = Rig()
    report = rig.run((8 * S, lambda engine, now_us: engine.hold(now_us)))
    assert report.end is End.HOLD_EXPIRED
    assert abs(rig.stopped_us() - 608 * S) <= limits.KEEPALIVE_US
    measured_zero(rig, report)


def driver_session(patch: Patch) -> None:
    """Held and resumed under ten minutes each, past 45 in all."""
    open_up(patch)
    rig = Rig(prescription(seconds=600))
    steps: list[tuple[int, Callable[[Engine, int], None]]] = []
    for number in range(6):
        at_us = 20 * S + number * 540 * S
        steps.append((at_us, lambda engine, now_us: engine.hold(now_us)))
        steps += [(at_us + wait_us, lambda engine, now_us: engine.proceed(now_us)) for wait_us in (500 * S, 501 * S)]
    report = rig.run(*steps)
    assert report.end is End.SESSION_EXPIRED
    assert abs(rig.stopped_us() - 2_700 * S) <= S
    measured_zero(rig, report)


def driver_keepalive(patch: Patch) -> None:
    """A front end that stays away gets no keepalive, and a device whose watchdog is dead is found out."""
    open_up(patch)
    rig = Rig(attended=True)
    report = rig.run(*((at_s * S // 2, lambda engine, now_us: engine.check_in(now_us)) for at_s in range(10)))
    assert report.end is End.FRONT_END
    last_us = max(told.at_us for told in rig.tape.messages(m.KeepAlive))
    assert last_us <= 4_500_000 + limits.CHECK_IN_US
    measured_zero(rig, report)
    finds(End.IMPLAUSIBLE, deaf_to_keepalives)(patch)


def driver_lead_off(patch: Patch) -> None:
    """Held, as the device would have done: all at zero, and a person decides."""
    open_up(patch)
    rig = Rig(prescription(profile="bench-100hz", amplitudes_ma={1: 1.0}))
    rig.when(State.HELD, lambda engine, now_us: engine.note("note", {"held": now_us}, now_us))
    report = rig.run(
        (8 * S, lambda _engine, _now_us: another_load("open")(rig, patch)),
        (12 * S, lambda engine, now_us: engine.stop(now_us)),
    )
    (held,) = rig.log.of("held")
    assert held["stimulation_us"] < 9 * S
    assert rig.last_pulse_us() < 9 * S
    assert any("no contact" in alarm for alarm in rig.alarms)
    assert report.zero_confirmed_us is not None


def driver_zero(patch: Patch) -> None:
    """A device that calls 500 uA zero is not believed: the alarm goes off, and the stop goes on."""
    patch.setattr(machine.ZeroWatch, "sample", careless_sample)
    rig = Rig()

    def stick_and_stop(engine: Engine, now_us: int) -> None:
        stage_of(rig).refit(1, switch=Stuck())
        engine.stop(now_us)

    report = rig.when(State.RUNNING, stick_and_stop).run()
    assert any(told.message.zero for told in rig.tape.messages(m.Stopped) if told.at_us > rig.stopped_us())
    assert report.zero_confirmed_us is None
    assert any("PULL THE LEADS" in alarm for alarm in rig.alarms)


class Stuck(Switch):
    """On, although it is off."""

    def leak_na(self, now_us: int) -> int:
        return 500_000 + 0 * now_us


def careless_sample(self: machine.ZeroWatch, now_us: int, measured_ua: int) -> None:
    """Whatever is measured, it is zero."""
    self.measured_ua = measured_ua
    self.sure, self.sure_us, self.since_us = True, now_us, now_us


def driver_check(patch: Patch) -> None:
    """Twenty pulses of 0.2 mA are no impedance check."""

    def too_much(self: OutputStage, number: int, pulses: int, now_us: int) -> ImpedanceResult:
        return ImpedanceResult(600, 2 * pulses, 200, 200, 20 * 200 * 200, None)

    patch.setattr(OutputStage, "check_impedance", too_much)
    rig = Rig()
    report = rig.run()
    assert report.end is End.CONTACT
    assert "beyond 10 pulses" in report.end_text
    assert rig.recorder.channels == ()
    measured_zero(rig, report)


def driver_self_test(patch: Patch) -> None:
    """It says that a test failed, and would go on all the same."""
    patch.setattr(OutputStage, "self_test", lambda _self: (0, 0))
    whole = answers.self_test

    def careless(core: machine.Machine, order: m.SelfTest, now_us: int) -> m.SelfTestDone:
        return whole(core, order, now_us)._replace(failures=int(SelfTestFailure.DAC))

    patch.setitem(answers.ANSWERS, m.SelfTest, careless)
    rig = Rig()
    report = rig.run()
    assert rig.device.machine.state is DeviceState.TESTED
    assert report.end is End.SELF_TEST
    assert rig.flowed() == 0
    measured_zero(rig, report)


def driver_channels(patch: Patch) -> None:
    unsafe_program("channels", channels=(1, 2, 3, 4))(patch)
    finds(End.IMPLAUSIBLE, drives_another_channel)(patch)


def driver_one_stops_all(patch: Patch) -> None:
    """The device lets channel 2 run on into a short: the host ends all three."""
    open_up(patch)
    rig = Rig(prescription(profile="bench-100hz", amplitudes_ma={1: 1.0, 2: 1.0, 3: 1.0}))

    def short_two(_engine: Engine, _now_us: int) -> None:
        stage_of(rig)._channels[2]._load = load_named("short")
        stage_of(rig).flush()

    report = rig.run((8 * S, short_two))
    assert report.end is End.SHORT
    measured_zero(rig, report)


# --- the table ---------------------------------------------------------------------------------------


class Row(NamedTuple):
    """A limit that both hold, shown from both sides."""

    limit: str
    device: Callable[[Patch], None]
    driver: Callable[[Patch], None]


TABLE = (
    # as decided
    Row("peak amplitude, both phases", device_peak, driver_peak),
    Row("lowering", device_lowering, finds(End.IMPLAUSIBLE, deaf_to_lowering)),
    Row("raising", device_raising, driver_raising),
    Row("charge per phase", device_charge, driver_charge),
    Row("balance", device_balance, unsafe_program("amplitude_quantum_ua", width_us=150, second_width_us=1_199)),
    Row("measured net charge", device_net_charge, finds(End.NET_CHARGE, weak_back_phase)),
    Row(
        "pulse width",
        refuses_segment(Refusal.BELOW_LIMIT, width_us=99, second_width_us=99),
        unsafe_program("width_us", width_us=99),
    ),
    Row("frequency", refuses_segment(Refusal.BELOW_LIMIT, period_us=9_999), finds(End.IMPLAUSIBLE, half_the_period)),
    Row("stimulation time", device_time, driver_time),
    Row("a hold", device_hold, driver_hold),
    Row("from arm to end", device_session, driver_session),
    Row("keepalive", device_keepalive, driver_keepalive),
    Row("over-current trip", device_over_current, finds(End.OVER_CURRENT, too_much_current)),
    Row("lead-off", device_lead_off, driver_lead_off),
    Row("short", device_short, finds(End.SHORT, another_load("short"))),
    Row("zero", device_zero, driver_zero),
    Row("impedance check", device_check, driver_check),
    Row("self-test", device_self_test, driver_self_test),
    Row("channels on one person", device_channels, driver_channels),
    Row("a fault on one channel stops all", device_one_stops_all, driver_one_stops_all),
    # as they stand in the driver's source
    Row("ceiling_ua", refuses_arm(Refusal.BELOW_LIMIT, ceiling_ua=499), driver_peak),
    Row("charge_per_phase_pc", device_charge, driver_charge),
    Row(
        "width_us",
        refuses_segment(Refusal.ABOVE_LIMIT, width_us=601, second_width_us=601),
        unsafe_program("width_us", width_us=601, second_width_us=601),
    ),
    Row(
        "second_width_us",
        refuses_segment(Refusal.ABOVE_LIMIT, width_us=601 - 1, second_width_us=1_201),
        unsafe_program("second_width_us", width_us=600, second_width_us=1_201),
    ),
    Row(
        "interphase_gap_us",
        refuses_segment(Refusal.ABOVE_LIMIT, interphase_gap_us=101),
        unsafe_program("interphase_gap_us", interphase_gap_us=101),
    ),
    Row(
        "period_us",
        refuses_segment(Refusal.ABOVE_LIMIT, period_us=1_000_001),
        unsafe_program("period_us", period_us=1_000_001),
    ),
    Row(
        "dwell_us", refuses_segment(Refusal.BELOW_LIMIT, dwell_us=499_999), unsafe_program("dwell_us", dwell_us=499_999)
    ),
    Row(
        "ramp_down_us",
        refuses_head(Refusal.ABOVE_LIMIT, ramp_down_us=30_000_001),
        unsafe_program("ramp_down_us", ramp_down_us=30_000_001),
    ),
    Row(
        "stimulation_us",
        refuses_arm(Refusal.BELOW_LIMIT, stimulation_limit_us=999_999),
        unsafe_program("stimulation_us", stimulation_us=999_999),
    ),
    Row("channels", device_channels, driver_channels),
    Row(
        "ramp_slope_ua_per_s",
        refuses_head(Refusal.BELOW_LIMIT, ramp_slope_ua_per_s=99),
        unsafe_program("ramp_slope_ua_per_s", ramp_slope_ua_per_s=99),
    ),
    Row("amplitude_quantum_ua", device_balance, unsafe_program("quantum", width_us=200, second_width_us=1_199)),
)


def test_every_limit_that_both_hold_is_in_the_table() -> None:
    named = [row.limit for row in TABLE]
    assert len(named) == len(set(named))
    assert set(named) == set(DECIDED) | {limit.name for limit in limits.LIMITS if limit.held_by == "B"}


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.limit)
def test_the_device_alone_holds_it(row: Row, monkeypatch: Patch) -> None:
    row.device(monkeypatch)


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.limit)
def test_the_driver_alone_holds_it(row: Row, monkeypatch: Patch) -> None:
    row.driver(monkeypatch)


def test_what_is_opened_is_all_that_the_device_limits_by() -> None:
    """A limit that is added to the firmware has to be opened here too, or it would help the driver in secret."""
    kept = {
        *("MIN_TIME_TO_LIVE_MS", "MAX_TIME_TO_LIVE_MS", "CHANNEL_SLOT_US", "ZERO_UA", "ZERO_WATCH_US", "TRIP_PULSES"),
        *("CHECK_AMPLITUDE_UA", "CHECK_WIDTH_US", "CHECK_PULSES", "CHECK_PERIOD_US", "MEAN_DC_UA"),
        *("OVER_CURRENT_UA", "OVER_CURRENT_MARGIN_UA", "SHORT_OHM", "LEAD_OFF_OHM"),  # gone with the monitor
    }
    numbers = {name for name, value in vars(gate).items() if name.isupper() and isinstance(value, int)}
    assert numbers == set(OPENED) | kept
    assert loading.gate is gate
