"""Devices that break R-16 to R-23: the handshake and what is told in it."""

from collections.abc import Iterable
from typing import Any

from firmware_sim.native.device import Device
from firmware_sim.native.flash import Flash
from firmware_sim.native.reply_cache import ReplyCache
from stimctl.wire import codec as m
from stimctl.wire.codes import PROTOCOL_VERSION, DeviceState, EndReason
from tests.stimlab.conformance.mutants.altered import Altered, Said
from tests.stimlab.conformance.mutants.mutant import mutant, saying


@mutant("R-16", "keeps its answer over a Hello")
class KeepsOverHello(ReplyCache):
    def open(self, sequence: int) -> None:
        self._newest = sequence


@mutant("R-16", "goes on from its newest number over a Hello")
class StaysOverHello(ReplyCache):
    def open(self, sequence: int) -> None:
        self._command = None
        self._newest = self._newest or sequence


@mutant("R-16", "does not answer a Hello that is repeated")
class HelloOnce(Altered):
    last = b""

    def hears(self, payload: bytes) -> bytes | None:
        again, self.last = payload == self.last and payload[0] == 0x01, payload
        return None if again else payload


@mutant("R-17", "welcomes every version")
class WelcomesAll(Device):
    def _hello(self, sequence: int, order: m.Hello) -> None:
        super()._hello(sequence, m.Hello(PROTOCOL_VERSION))


@mutant("R-17", "opens a handshake while it refuses")
class OpensAnyway(Device):
    def _hello(self, sequence: int, order: m.Hello) -> None:
        super()._hello(sequence, order)
        self._greeted = True


@mutant("R-18", "lets a hold go on under a new host")
class HoldSurvivesHello(Device):
    def _hello(self, sequence: int, order: m.Hello) -> None:
        machine = self.machine
        if machine.state is DeviceState.HELD:
            self._replies.open(sequence)
            self._reply(sequence, m.Welcome(PROTOCOL_VERSION, machine.boot_id, 1, machine.state, 0))
            return
        super()._hello(sequence, order)


@mutant("R-18", "does not mind a Hello of another version")
class OtherVersionsPass(Device):
    def _hello(self, sequence: int, order: m.Hello) -> None:
        if order.version != PROTOCOL_VERSION:
            self._reply(sequence, m.Refused(0x01, 4, order.version, PROTOCOL_VERSION))
            return
        super()._hello(sequence, order)


@mutant("R-18", "calls a session that a Hello ended stopped")
class CallsItStopped(Device):
    def _hello(self, sequence: int, order: m.Hello) -> None:
        if self.machine.session is not None:
            self.machine.end(EndReason.STOP, self.machine.now_us)
        super()._hello(sequence, order)


@mutant("R-19", "says who it is before a handshake")
class Talkative(Altered):
    def hears(self, payload: bytes) -> bytes | None:
        if not self._greeted and payload[0] == 0x02:
            self._reply(int.from_bytes(payload[1:3], "little"), self._execute(m.ReadIdentity(payload[3]), 2))
            return None
        return payload


@mutant("R-19", "takes a Stop for a handshake")
class StopGreets(Altered):
    def hears(self, payload: bytes) -> bytes | None:
        if payload[0] == 0x1F and not self._greeted:
            self._greeted, self._tick_us = True, self.machine.now_us + 100_000
        return payload


@mutant("R-20", "counts no boots")
class SameBoot(Device):
    def __init__(self, *, flash: Flash | None = None, **options: Any) -> None:
        if flash is not None:
            flash.boots = 0
        super().__init__(flash=flash, **options)


mutant("R-20", "tells no boot in its Status")(saying(m.Status, lambda message: message._replace(boot_id=0)))


mutant("R-21", "is a simulator and says that it is not")(
    saying(m.Welcome, lambda message: message._replace(simulator=0))
)
mutant("R-22", "names no session that waits")(saying(m.Welcome, lambda message: message._replace(session=0)))


@mutant("R-22", "names a session where none waits")
class NamesOne(Altered):
    def says(self, sequence: int, message: Any) -> Iterable[Said]:
        if isinstance(message, m.Welcome):
            message = message._replace(session=message.session or self.machine.flash.sessions)
        return ((sequence, message),)


mutant("R-23", "measures a fifth too much")(
    saying(m.Channel, lambda message: message._replace(measured_ua=message.measured_ua * 6 // 5))
)
