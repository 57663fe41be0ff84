"""The driver alone: the device's check is gone.

Each function shows one limit: the driver refuses before it sends anything, or sees it in what the device tells
and ends the session with measured zero.
"""

from dataclasses import replace
from typing import Any

import pytest

from firmware_sim.analog.converter import Switch
from firmware_sim.analog.load import load_named
from firmware_sim.native import command_handlers
from firmware_sim.native.diagnostics import ImpedanceResult
from firmware_sim.native.machine import Machine
from firmware_sim.native.output_stage import OutputStage
from firmware_sim.native.zero_detector import ZeroDetector
from stimctl import limits
from stimctl.errors import Unsafe
from stimctl.prescription import checks
from stimctl.session.commands import AddNote, AskHold, AskStop, AskTarget, CheckIn, Command, Proceed, Raise
from stimctl.session.engine import Engine
from stimctl.session.states import End, State
from stimctl.waveform import Program, Segment
from stimctl.wire import codec as m
from stimctl.wire.codes import DeviceState, SelfTestFailure
from tests.stimctl.session.device_opened import (
    above_its_ceiling,
    another_load,
    deaf_to_keepalives,
    drives_another_channel,
    finds,
    frozen_timer,
    measured_zero,
    open_up,
    stage_of,
    ten_times_the_slope,
    twice_the_width,
    unsafe_program,
)
from tests.stimctl.session.world import Rig, S, prescription

Patch = pytest.MonkeyPatch


def refusal(**answers: Any) -> str:
    """What the driver says of such a prescription; nothing when it takes it."""
    try:
        prescription(**answers)
    except Unsafe as refused:
        return str(refused)
    return ""


def peak(patch: Patch) -> None:
    # At 100 Hz the charge of a phase would allow it: the ceiling alone refuses.
    assert "ceiling_ma" in refusal(ceiling_ma=2.001, profile="bench-100hz"), "2.0 mA is the highest ceiling there is"
    with pytest.raises(Unsafe, match="never the higher one"):
        Program((Segment(10_000, 300, 0, 299, 0),), (1,))
    open_up(patch)
    rig = Rig(prescription(amplitudes_ma={1: 1.5}, ceiling_ma=1.5))
    rig.run((12 * S, Raise(1)))
    sent = [each.message.target_ua for each in rig.tape.messages(m.SetTarget)]
    assert sent == [], f"the driver sent targets of {sent} uA above the session's ceiling of 1500 uA"
    finds(End.IMPLAUSIBLE, above_its_ceiling)(patch)


def raising(patch: Patch) -> None:
    """Its own rule refuses before anything is sent; and a device that jumps is found out."""
    open_up(patch)
    rig = Rig(prescription(ceiling_ma=2.0, amplitudes_ma={1: 1.0}))
    rig.run(
        (8 * S, AskTarget(1, 1_101)),
        (9 * S, Raise(1)),
        (9 * S + 500_000, Raise(1)),
    )
    assert [told.message.target_ua for told in rig.tape.messages(m.SetTarget)] == [1_100]
    unsafe_program("ramp_slope_ua_per_s", ramp_slope_ua_per_s=381)(patch)
    jumps(patch)


def jumps(patch: Patch) -> None:
    """A device whose ramp is ten times too steep, and which does not see that its program has changed."""
    rig = Rig(prescription(profile="bench-100hz", amplitudes_ma={1: 1.0}))
    patch.setattr("firmware_sim.native.loading.digest_of", lambda _program: rig.device.machine.digest)
    rig.when(State.CHECKED, lambda _engine, _now_us: ten_times_the_slope(rig, patch))
    report = rig.when(State.ARMED, lambda _engine, _now_us: ten_times_the_slope(rig, patch)).run()
    assert report.end is End.IMPLAUSIBLE, report.end_text
    assert "rises faster" in report.end_text
    measured_zero(rig, report)


def charge(patch: Patch) -> None:
    unsafe_program("width_us", width_us=601, second_width_us=1_200)(patch)
    finds(End.IMPLAUSIBLE, twice_the_width)(patch)
    assert limits.CHARGE_PER_PHASE.high == 1_200_000
    patch.setattr(limits, "WIDTH", replace(limits.WIDTH, high=1_000))
    with pytest.raises(Unsafe, match="1400000 pC"):
        check_charge(Program((Segment(10_000, 700, 0, 700, 0),), (1,)))


def check_charge(program: Program) -> None:
    """The prescription's own check of charge, given a program that the width's limit did not stop."""
    problems = list(checks._charge_problems(prescription(), program))
    if problems:
        raise Unsafe(problems)


def time(patch: Patch) -> None:
    unsafe_program("stimulation_us", stimulation_us=1_800_000_001)(patch)
    finds(End.CLOCK, frozen_timer)(patch)


def hold(patch: Patch) -> None:
    open_up(patch)
    rig = Rig()
    report = rig.run((8 * S, AskHold()))
    assert report.end is End.HOLD_EXPIRED
    assert abs(rig.stopped_us() - 608 * S) <= limits.KEEPALIVE_US
    measured_zero(rig, report)


def session(patch: Patch) -> None:
    """Held and resumed under ten minutes each, past 45 in all."""
    open_up(patch)
    rig = Rig(prescription(seconds=600))
    steps: list[tuple[int, Command]] = []
    for number in range(6):
        at_us = 20 * S + number * 540 * S
        steps.append((at_us, AskHold()))
        steps += [(at_us + wait_us, Proceed()) for wait_us in (500 * S, 501 * S)]
    report = rig.run(*steps)
    assert report.end is End.SESSION_EXPIRED
    assert abs(rig.stopped_us() - 2_700 * S) <= S
    measured_zero(rig, report)


def keepalive(patch: Patch) -> None:
    """A front end that stays away gets no keepalive, and a device whose watchdog is dead is found out."""
    open_up(patch)
    rig = Rig(attended=True)
    report = rig.run(*((at_s * S // 2, CheckIn()) for at_s in range(10)))
    assert report.end is End.FRONT_END
    last_us = max(told.at_us for told in rig.tape.messages(m.KeepAlive))
    assert last_us <= 4_500_000 + limits.CHECK_IN_US
    measured_zero(rig, report)
    finds(End.IMPLAUSIBLE, deaf_to_keepalives)(patch)


def lead_off(patch: Patch) -> None:
    """Held, as the device would have done: all at zero, and a person decides."""
    open_up(patch)
    rig = Rig(prescription(profile="bench-100hz", amplitudes_ma={1: 1.0}))
    rig.when(State.HELD, AddNote("note", {"held": True}))
    report = rig.run(
        (8 * S, lambda _engine, _now_us: another_load("open")(rig, patch)),
        (12 * S, AskStop()),
    )
    (held,) = rig.log.of("held")
    assert held["stimulation_us"] < 9 * S
    assert rig.last_pulse_us() < 9 * S
    assert any("no contact" in alarm for alarm in rig.alarms)
    assert report.zero_confirmed_us is not None


def zero(patch: Patch) -> None:
    """A device that calls 500 uA zero is not believed: the alarm goes off, and the stop goes on."""
    patch.setattr(ZeroDetector, "sample", careless_sample)
    rig = Rig()

    def stick_and_stop(_engine: Engine, _now_us: int) -> None:
        stage_of(rig).refit(1, switch=Stuck())
        rig.runner.post(AskStop())

    report = rig.when(State.RUNNING, stick_and_stop).run()
    assert any(told.message.zero for told in rig.tape.messages(m.Stopped) if told.at_us > rig.stopped_us())
    assert report.zero_confirmed_us is None
    assert any("PULL THE LEADS" in alarm for alarm in rig.alarms)


class Stuck(Switch):
    """On, although it is off."""

    def leak_na(self, now_us: int) -> int:
        return 500_000 + 0 * now_us


def careless_sample(self: ZeroDetector, now_us: int, measured_ua: int) -> None:
    """Whatever is measured, it is zero."""
    self.measured_ua = measured_ua
    self.sure, self.since_us = True, now_us


def check(patch: Patch) -> None:
    """Eleven pulses, or 0.2 mA, are no impedance check."""
    for pulses, amplitude_ua in ((11, 100), (10, 200)):
        charge_pc = pulses * amplitude_ua * 200
        result = ImpedanceResult(600, pulses, amplitude_ua, amplitude_ua, charge_pc, None)
        patch.setattr(OutputStage, "check_impedance", lambda *_, result=result: result)
        rig = Rig()
        report = rig.run()
        assert report.end is End.CONTACT
        assert "beyond 10 pulses" in report.end_text
        assert rig.recorder.channels == ()
        measured_zero(rig, report)


def self_test(patch: Patch) -> None:
    """It says that a test failed, and would go on all the same."""
    patch.setattr(OutputStage, "self_test", lambda _self: (0, 0))
    whole = command_handlers.self_test

    def careless(core: Machine, order: m.SelfTest, now_us: int) -> m.SelfTestDone:
        return whole(core, order, now_us)._replace(failures=int(SelfTestFailure.DAC))

    patch.setitem(command_handlers.ANSWERS, m.SelfTest, careless)
    rig = Rig()
    report = rig.run()
    assert rig.device.machine.state is DeviceState.TESTED
    assert report.end is End.SELF_TEST
    assert rig.flowed() == 0
    measured_zero(rig, report)


def channels(patch: Patch) -> None:
    unsafe_program("channels", channels=(1, 2, 3, 4))(patch)
    finds(End.IMPLAUSIBLE, drives_another_channel)(patch)


def one_stops_all(patch: Patch) -> None:
    """The device lets channel 2 run on into a short: the host ends all three."""
    open_up(patch)
    rig = Rig(prescription(profile="bench-100hz", amplitudes_ma={1: 1.0, 2: 1.0, 3: 1.0}))

    def short_two(_engine: Engine, _now_us: int) -> None:
        stage_of(rig)._channels[2]._load = load_named("short")
        stage_of(rig).flush()

    report = rig.run((8 * S, short_two))
    assert report.end is End.SHORT
    measured_zero(rig, report)
