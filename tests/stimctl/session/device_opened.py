"""A device without limits: its own constants opened, its gate and monitor taken out; and what breaks in it then.

The driver has to find out by itself, from what the device tells.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from firmware_sim.analog.load import load_named
from firmware_sim.analog.load_changes import NEVER_US
from firmware_sim.native import channel, gate
from firmware_sim.native.monitor import Monitor
from firmware_sim.native.output_stage import OutputStage
from firmware_sim.native.timers import DeviceTimer
from stimctl import limits
from stimctl.errors import Unsafe
from stimctl.session.commands import AskTarget
from stimctl.session.states import End
from stimctl.session.view import SessionReport
from stimctl.waveform import Program, Segment
from stimctl.wire import codec as m
from stimctl.wire.codes import DeviceState
from tests.firmware_sim.conftest import Host
from tests.stimctl.session.device_alone import Scaled
from tests.stimctl.session.world import Rig, S, prescription

Patch = pytest.MonkeyPatch
PULSE_US = 1_300

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


def above_its_ceiling(rig: Rig, _patch: Patch) -> None:
    stage_of(rig).set_target(1, 1_600)


def deaf_to_lowering(rig: Rig, patch: Patch) -> None:
    """It answers that the target was lowered, and goes on as before."""
    patch.setattr(stage_of(rig), "set_target", lambda _channel, _target_ua: None)
    rig.runner.post(AskTarget(1, 600))


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
    core.timers.cancel(DeviceTimer.STIMULATION, DeviceTimer.FALL)
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
    rig.device.machine.timers.cancel(DeviceTimer.WATCHDOG)


def drives_another_channel(rig: Rig, _patch: Patch) -> None:
    core = rig.device.machine
    assert core.arming is not None
    core.arming = replace(core.arming, channels=(1, 2), channel_mask=3)
