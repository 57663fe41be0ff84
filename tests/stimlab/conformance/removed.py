"""Devices made from the matrix: each lacks one safety action at one operating point, and is genuine everywhere else."""

from typing import Any

from firmware_sim.native.channel import OutputChannel
from firmware_sim.native.device import Device
from firmware_sim.native.machine import Machine
from firmware_sim.native.output_stage import OutputStage
from firmware_sim.native.timers import DeviceTimer
from stimctl.wire.codes import DeviceState, EndReason
from stimlab.conformance.approach import A_MINUTE_US, STEP_UA
from stimlab.conformance.matrix import OperatingPoint, SafetyAction, SegmentPosition, SessionMoment
from stimlab.conformance.operating_point import TRIP_OF


def _in_place(machine: Machine, cell: OperatingPoint) -> bool:
    run, program = machine.run, machine.program
    assert run is not None
    assert program is not None
    if cell.place is SegmentPosition.ONLY:
        return len(program.segments) == 1
    index = run.bands.at(machine.now_us - run.began_us)[0]
    return len(program.segments) == 2 and index == (cell.place is SegmentPosition.SECOND)


def _in_moment(machine: Machine, cell: OperatingPoint) -> bool:
    run = machine.run
    assert run is not None
    if cell.moment in {SessionMoment.RAMP, SessionMoment.FALL}:
        wanted = DeviceState.RAMPING if cell.moment is SessionMoment.RAMP else DeviceState.RAMPING_DOWN
        return machine.state is wanted
    on_hold, long = run.stimulation_us > 0, machine.stimulation_us(machine.now_us) >= A_MINUTE_US
    of_run = {
        SessionMoment.RUN: (False, False),
        SessionMoment.AFTER_HOLD: (True, False),
        SessionMoment.AFTER_A_MINUTE: (False, True),
    }
    return machine.state is DeviceState.RUNNING and (on_hold, long) == of_run[cell.moment]


def is_at(machine: Machine, cell: OperatingPoint) -> bool:
    """Whether a device stands at the operating point of a cell."""
    stage: Any = machine.stage
    train = stage._channels[cell.channel].train
    own_ua = cell.amplitude_ua - (STEP_UA if cell.action is SafetyAction.RAISE else 0)
    if machine.run is None or train is None or train.target_ua != own_ua:
        return False
    return _in_place(machine, cell) and _in_moment(machine, cell)


def without(cell: OperatingPoint) -> type[Device]:
    """A device that does not do at its operating point what the cell asks for."""

    class Lacking(Machine):
        def stop(self, at_us: int) -> None:
            if not (cell.action is SafetyAction.STOP and is_at(self, cell)):
                super().stop(at_us)

        def hold(self, reason: EndReason, at_us: int, channel: int = 0, value: int = 0) -> None:
            if not (cell.action is SafetyAction.HOLD and reason is EndReason.HELD_BY_HOST and is_at(self, cell)):
                super().hold(reason, at_us, channel, value)

        def alive(self, now_us: int) -> None:
            super().alive(now_us)
            if cell.action is SafetyAction.KEEPALIVE_LOST and is_at(self, cell):
                self.timers.cancel(DeviceTimer.WATCHDOG)

    class Blind(OutputChannel):
        machine: Machine

        def step(self, *asked: Any) -> Any:
            found, trip = super().step(*asked), TRIP_OF.get(cell.action)
            if found is None or trip is None:
                return found
            verdict, _ = found
            seen = verdict.reason in trip.reasons and (verdict.channel or self.number) == cell.channel
            return None if seen and is_at(self.machine, cell) else found

    class Stage(OutputStage):
        machine: Machine

        def set_target(self, channel: int, target_ua: int) -> None:
            present = self._channels[channel].train
            assert present is not None
            which = SafetyAction.RAISE if target_ua > present.target_ua else SafetyAction.LOWER
            if not (cell.action is which and channel == cell.channel and is_at(self.machine, cell)):
                super().set_target(channel, target_ua)

    class Without(Device):
        machine_class = Lacking
        stage_class = Stage

        def __init__(self, **options: Any) -> None:
            super().__init__(**options)
            stage: Any = self.machine.stage
            stage.machine = self.machine
            for each in stage._channels.values():
                each.__class__ = Blind
                each.machine = self.machine

    return Without
