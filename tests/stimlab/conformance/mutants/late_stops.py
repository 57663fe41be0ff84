"""Devices whose Stop or zero is wrong: R-46 to R-50."""

from firmware_sim.native import gate
from firmware_sim.native.device import Device
from firmware_sim.native.machine import Machine
from firmware_sim.native.telemetry import TelemetrySender
from firmware_sim.native.timers import DeviceTimer
from firmware_sim.native.zero_detector import ZeroDetector
from stimctl.wire.codes import DeviceState, EndReason
from tests.stimlab.conformance.mutants.mutant import mutant

_STOP = 0x1F


@mutant("R-46", "takes a Stop of the right length only")
class ParticularAboutLength(Device):
    def _take(self, payload: bytes) -> None:
        if payload[0] != _STOP or len(payload) == 3:
            super()._take(payload)


@mutant("R-46", "takes a Stop at number 0 only")
class ParticularAboutNumbers(Device):
    def _take(self, payload: bytes) -> None:
        if payload[0] != _STOP or payload[1:3] == b"\0\0":
            super()._take(payload)


@mutant("R-46", "hears no Stop before a handshake")
class StopsAfterHello(Device):
    def _take(self, payload: bytes) -> None:
        if payload[0] != _STOP or self._greeted:
            super()._take(payload)


@mutant("R-46", "loses a Stop that comes right behind another frame")
class LosesTheSecond(Device):
    def receive(self, data: bytes, now_us: int) -> None:
        super().receive(data if data.count(0) < 2 else data[: data.index(0) + 1], now_us)


@mutant("R-46", "only answers a Stop in an impedance check")
class ChecksOn(Machine):
    def stop(self, at_us: int) -> None:
        if self.state is not DeviceState.CHECKING:
            super().stop(at_us)


@mutant("R-47", "forgets what is loaded at a Stop without a session")
class IdleStops(Machine):
    def stop(self, at_us: int) -> None:
        was_open = self.session is not None
        super().stop(at_us)
        if not was_open and self.waiting is None:
            self.state = DeviceState.IDLE


@mutant("R-47", "gives pulses for another 50 ms after a Stop")
class LateStops(Machine):
    def stop(self, at_us: int) -> None:
        if self.run is None:
            super().stop(at_us)
        elif self.timers.at_us(DeviceTimer.ARM) is None:
            self._due[DeviceTimer.ARM] = lambda at: self.end(EndReason.STOP, at)
            self.timers.set(DeviceTimer.ARM, at_us + 50_000)


@mutant("R-47", "takes 5 ms for a Stop at another number than 0")
class SlowOtherStops(Device):
    def _take(self, payload: bytes) -> None:
        if payload[0] == _STOP and payload[1:3] != b"\0\0":
            self.advance(self._boot_us + self.machine.now_us + 5_000)
        super()._take(payload)


@mutant("R-47", "only holds at a Stop")
class HoldingStops(Machine):
    def stop(self, at_us: int) -> None:
        if self.run is not None:
            self.hold(EndReason.HELD_BY_HOST, at_us)
        else:
            super().stop(at_us)


@mutant("R-47", "calls a Stop the timer")
class MisnamedStops(Machine):
    def stop(self, at_us: int) -> None:
        if self.session is not None:
            self.end(EndReason.TIMER, at_us)
        super().stop(at_us)


@mutant("R-48", "tells zero as soon as it measures it")
class HastyZero(ZeroDetector):
    def sample(self, now_us: int, measured_ua: int) -> None:
        super().sample(now_us, measured_ua)
        self.sure = measured_ua < gate.ZERO_UA


@mutant("R-48", "never tells zero")
class NoZero(ZeroDetector):
    def sample(self, now_us: int, measured_ua: int) -> None:
        super().sample(now_us, measured_ua)
        self.sure = False


@mutant("R-48", "tells zero while it drives")
class ZeroAlways(TelemetrySender):
    def _status(self, now_us: int) -> bytes:
        zero = self._machine.zero
        was, zero.sure = zero.sure, True
        status = super()._status(now_us)
        zero.sure = was
        return status


@mutant("R-48", "answers a Stop behind all that waits to be sent")
class StopsInTurn(Device):
    def _take(self, payload: bytes) -> None:
        super()._take(payload)
        if payload[0] == _STOP:
            self._out.append(self._out.pop(0))


@mutant("R-50", "answers a repeated Stop as it did before, and does not execute it")
class KeepsStops(Device):
    kept: tuple[bytes, bytes] = b"", b""

    def _take(self, payload: bytes) -> None:
        if payload[0] == _STOP and payload == self.kept[0]:
            self._out.insert(0, self.kept[1])
            return
        super()._take(payload)
        if payload[0] == _STOP:
            self.kept = payload, self._out[0]


@mutant("R-50", "takes a Stop's number for the newest")
class NumbersStops(Device):
    def _take(self, payload: bytes) -> None:
        super()._take(payload)
        if payload[0] == _STOP and self._greeted:
            self._replies.open(int.from_bytes(payload[1:3], "little"))


@mutant("R-50", "answers a Stop at a kept number with what it answered there")
class AnswersKeptNumbers(Device):
    def _take(self, payload: bytes) -> None:
        sequence = int.from_bytes(payload[1:3], "little")
        if payload[0] == _STOP and self._replies._command is not None and sequence == self._replies._newest:
            self._out.append(self._replies.answer)
            return
        super()._take(payload)
