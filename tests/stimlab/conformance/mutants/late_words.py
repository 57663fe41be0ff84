"""Devices that refuse in the wrong words or the wrong order, or speak another version: R-72 to R-75."""

from typing import Any

from firmware_sim.native.device import Device
from stimctl.wire import codec as m
from stimctl.wire.codes import PROTOCOL_VERSION, DeviceState, Refusal
from stimctl.wire.framing import frame
from tests.stimlab.conformance.mutants.mutant import mutant

_STOP, _HELLO = 0x1F, 0x01


class _Wording(Device):
    """A device that has its own way with a refusal."""

    def word(self, order: Any, refused: m.Refused) -> object:
        """What it says instead."""
        raise NotImplementedError

    def _execute(self, order: object, kind: int) -> object:
        answer = super()._execute(order, kind)
        return self.word(order, answer) if isinstance(answer, m.Refused) else answer


@mutant("R-72", "names the limit as the value and the value as the limit")
class Swaps(_Wording):
    def word(self, order: Any, refused: m.Refused) -> m.Refused:
        return refused._replace(detail=refused.limit, limit=refused.detail)


@mutant("R-72", "names no limit")
class NamesNoLimit(_Wording):
    def word(self, order: Any, refused: m.Refused) -> m.Refused:
        return refused._replace(limit=0)


@mutant("R-72", "does not name the state")
class NamesNoState(_Wording):
    def word(self, order: Any, refused: m.Refused) -> m.Refused:
        return refused._replace(detail=0) if refused.reason == Refusal.WRONG_STATE else refused


@mutant("R-72", "names another command")
class NamesNoCommand(_Wording):
    def word(self, order: Any, refused: m.Refused) -> m.Refused:
        return refused._replace(command=0x02)


@mutant("R-72", "takes as much of a refused target as it may")
class TakesSome(_Wording):
    def word(self, order: Any, refused: m.Refused) -> m.Refused:
        machine = self.machine
        if type(order) is m.SetTarget and machine.run is not None and order.channel in machine.targets_ua:
            machine.targets_ua[order.channel] += 10
            machine.stage.set_target(order.channel, machine.targets_ua[order.channel])
        return refused


@mutant("R-72", "forgets its program at a LoadProgram that it refuses")
class ForgetsItsProgram(_Wording):
    def word(self, order: Any, refused: m.Refused) -> m.Refused:
        machine = self.machine
        if type(order) is m.LoadProgram and machine.state is DeviceState.TESTED:
            machine.loading, machine.program, machine.digest = None, None, b""
            machine.state = DeviceState.IDLE
        return refused


@mutant("R-72", "ends the session at a Start that it refuses")
class EndsAtARefusal(_Wording):
    def word(self, order: Any, refused: m.Refused) -> m.Refused:
        if type(order) is m.Start and self.machine.state is DeviceState.ARMED:
            self.machine.stop(self.machine.now_us)
        return refused


@mutant("R-73", "looks at the nonce before the state")
class NonceFirst(Device):
    def _execute(self, order: object, kind: int) -> object:
        arming = self.machine.arming
        if isinstance(order, m.Start | m.SetTarget | m.KeepAlive) and (arming is None or order.nonce != arming.nonce):
            return m.Refused(kind, Refusal.WRONG_NONCE, 0, 0)
        return super()._execute(order, kind)


@mutant("R-73", "looks at the fields before the digest")
class DigestLast(Device):
    def _execute(self, order: object, kind: int) -> object:
        if type(order) is m.Arm and self.machine.state is DeviceState.TESTED and order.channel_mask.bit_count() > 3:
            return m.Refused(kind, Refusal.TOO_MANY_CHANNELS, order.channel_mask.bit_count(), 3)
        return super()._execute(order, kind)


@mutant("R-73", "looks at the fields before the state")
class FieldsFirst(Device):
    def _execute(self, order: object, kind: int) -> object:
        if type(order) is m.LoadProgram and order.channel_mask.bit_count() > 3:
            return m.Refused(kind, Refusal.TOO_MANY_CHANNELS, order.channel_mask.bit_count(), 3)
        return super()._execute(order, kind)


@mutant("R-73", "looks at Arm's last field first")
class LastFieldFirst(Device):
    def _execute(self, order: object, kind: int) -> object:
        if type(order) is m.Arm and self.machine.state is DeviceState.TESTED and order.time_to_live_ms < 100:
            head = int.from_bytes(self.machine.digest[:8], "little")
            if order.digest_head == head and order.channel_mask.bit_count() <= 3:
                return m.Refused(kind, Refusal.BELOW_LIMIT, order.time_to_live_ms, 100)
        return super()._execute(order, kind)


@mutant("R-73", "looks at a target's size before its channel")
class SizeFirst(Device):
    def _execute(self, order: object, kind: int) -> object:
        arming = self.machine.arming
        if type(order) is not m.SetTarget or self.machine.run is None or arming is None or order.nonce != arming.nonce:
            return super()._execute(order, kind)
        if order.target_ua > arming.ceiling_ua:
            return m.Refused(kind, Refusal.ABOVE_LIMIT, order.target_ua, arming.ceiling_ua)
        return super()._execute(order, kind)


@mutant("R-73", "says of Acknowledge without a session that it has another number")
class NumberFirst(Device):
    def _execute(self, order: object, kind: int) -> object:
        if type(order) is m.Acknowledge and self.machine.waiting is None:
            return m.Refused(kind, Refusal.WRONG_SESSION, order.session, 0)
        return super()._execute(order, kind)


@mutant("R-73", "looks at the number after the state")
class NumberLast(Device):
    def _in_turn(self, sequence: int, order: object, payload: bytes) -> None:
        if payload[0] == 0x0B and self.machine.run is None:
            self._reply(sequence, m.Refused(payload[0], Refusal.WRONG_STATE, self.machine.state, 0))
        else:
            super()._in_turn(sequence, order, payload)


@mutant("R-73", "looks at the handshake before anything else")
class HandshakeFirst(Device):
    def _take(self, payload: bytes) -> None:
        if payload[0] not in {_HELLO, _STOP} and not self._greeted:
            self._reply(int.from_bytes(payload[1:3], "little"), m.Refused(payload[0], Refusal.NO_HANDSHAKE, 0, 0))
        else:
            super()._take(payload)


@mutant("R-73", "looks at the length before the kind, and at the number before both")
class NumbersFirst(Device):
    def _take(self, payload: bytes) -> None:
        sequence = int.from_bytes(payload[1:3], "little")
        ahead = (sequence - self._replies._newest) % 65_536
        if self._greeted and payload[0] not in {_HELLO, _STOP} and ahead >= 32_768:
            self._reply(sequence, m.Refused(payload[0], Refusal.STALE_SEQUENCE, sequence, 0))
        else:
            super()._take(payload)


@mutant("R-74", "does not answer a command cut short")
class SilentAboutShortOnes(Device):
    def _take(self, payload: bytes) -> None:
        if len(payload) >= 3 or payload[0] == _STOP:
            super()._take(payload)


@mutant("R-74", "refuses a command cut short at number 0")
class NumbersShortOnesZero(Device):
    def _take(self, payload: bytes) -> None:
        if len(payload) >= 3 or payload[0] == _STOP:
            super()._take(payload)
        else:
            self._reply(0, m.Refused(payload[0], Refusal.WRONG_LENGTH, 0, 0))


@mutant("R-74", "refuses a command cut short as one of another state")
class MisnamesShortOnes(Device):
    def _take(self, payload: bytes) -> None:
        if len(payload) >= 3 or payload[0] == _STOP:
            super()._take(payload)
        else:
            sequence = int.from_bytes(payload[1:3], "little")
            self._reply(sequence, m.Refused(payload[0], Refusal.WRONG_STATE, 0, 0))


@mutant("R-75", "refuses another version in a longer frame")
class LongRefusals(Device):
    def _hello(self, sequence: int, order: m.Hello) -> None:
        waiting = len(self._out)
        super()._hello(sequence, order)
        if order.version != PROTOCOL_VERSION:
            del self._out[waiting:]
            fields = (
                (4).to_bytes(1, "little") + order.version.to_bytes(4, "little") + bytes([PROTOCOL_VERSION, 0, 0, 0, 0])
            )
            self._out.append(frame(bytes([0x40]) + sequence.to_bytes(2, "little") + bytes([_HELLO]) + fields))


@mutant("R-75", "refuses another version for its length")
class RefusesLength(Device):
    def _hello(self, sequence: int, order: m.Hello) -> None:
        if order.version != PROTOCOL_VERSION:
            self._reply(sequence, m.Refused(_HELLO, Refusal.WRONG_LENGTH, 0, 0))
        else:
            super()._hello(sequence, order)


@mutant("R-75", "answers Stop in a longer frame")
class LongStopped(Device):
    def _take(self, payload: bytes) -> None:
        super()._take(payload)
        if payload[0] == _STOP:
            state = self.machine.state
            stopped = bytes([0x5F, *payload[1:3].ljust(2, b"\0"), state, 0, 0, 0]) + bytes(9)
            self._out[0] = frame(stopped)
