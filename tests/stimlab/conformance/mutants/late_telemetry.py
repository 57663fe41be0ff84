"""Devices that tell otherwise than section 16 has it: R-65 to R-67."""

from typing import Any

from firmware_sim.native.device import Device
from firmware_sim.native.run_state import StateChange
from firmware_sim.native.telemetry import PERIOD_US, TelemetrySender
from stimctl.wire.codec import Hello
from stimctl.wire.codes import DeviceState, EndReason
from tests.stimlab.conformance.mutants.mutant import mutant


@mutant("R-65", "tells five times a second")
class TellsSeldom(TelemetrySender):
    ticks = 0

    def tick(self, now_us: int) -> bytes:
        self.ticks += 1
        return super().tick(now_us) if self.ticks % 2 else b""


@mutant("R-65", "begins to tell half a second after Hello")
class TellsLate(Device):
    def _hello(self, sequence: int, order: Hello) -> None:
        before = self._greeted
        super()._hello(sequence, order)
        if self._greeted and not before:
            self._tick_us += 400_000


@mutant("R-65", "tells twelve times a second")
class TellsOften(Device):
    def advance(self, now_us: int) -> None:
        tick_us = self._tick_us
        super().advance(now_us)
        if self._greeted and self._tick_us == tick_us + 100_000:
            self._tick_us -= 17_000


@mutant("R-65", "tells of channels only while they are driven")
class TellsOfDriven(TelemetrySender):
    def tick(self, now_us: int) -> bytes:
        machine = self._machine
        quiet = machine.state in {DeviceState.ENDED, DeviceState.HELD}
        return self._status(now_us) if quiet else super().tick(now_us)


@mutant("R-65", "tells of one channel only")
class TellsOfOne(TelemetrySender):
    def tick(self, now_us: int) -> bytes:
        frames = super().tick(now_us)
        return b"".join(frame + b"\0" for frame in frames.split(b"\0")[:2])


@mutant("R-66", "tells of no hold by an Event")
class SilentAtHolds(TelemetrySender):
    def event(self, change: StateChange) -> bytes:
        return b"" if change.state is DeviceState.HELD else super().event(change)


@mutant("R-66", "tells of changes with the next Status")
class LateEvents(TelemetrySender):
    waiting = b""

    def event(self, change: StateChange) -> bytes:
        self.waiting += super().event(change)
        return b""

    def tick(self, now_us: int) -> bytes:
        waiting, self.waiting = self.waiting, b""
        return waiting + super().tick(now_us)


@mutant("R-66", "gives no reason in a hold's Status")
class HoldsNameless(TelemetrySender):
    def _status(self, now_us: int) -> bytes:
        machine = self._machine
        reason, machine.hold_reason = machine.hold_reason, EndReason.NONE
        status = super()._status(now_us)
        machine.hold_reason = reason
        return status


@mutant("R-67", "drops answers while its line is busy with telemetry")
class DropsAnswers(Device):
    def _in_turn(self, sequence: int, order: object, payload: bytes) -> None:
        waiting = len(self._out)
        super()._in_turn(sequence, order, payload)
        if self.machine.now_us - (self._tick_us - PERIOD_US) < 19_500:
            del self._out[waiting:]


@mutant("R-67", "answers after its next telemetry")
class AnswersLate(Device):
    def __init__(self, **options: Any) -> None:
        self.late: list[bytes] = []
        super().__init__(**options)

    def _in_turn(self, sequence: int, order: object, payload: bytes) -> None:
        waiting = len(self._out)
        super()._in_turn(sequence, order, payload)
        self.late += self._out[waiting:]
        del self._out[waiting:]

    def advance(self, now_us: int) -> None:
        tick_us = self._tick_us
        super().advance(now_us)
        if self._tick_us != tick_us:
            self._out += self.late
            self.late.clear()
