"""Devices that break R-10 to R-15: numbers and answers."""

from collections.abc import Iterable
from typing import Any

from firmware_sim.native.device import Device
from firmware_sim.native.reply_cache import NEW, REPEATED, STALE, Disposition, ReplyCache
from stimctl.wire import codec as m
from tests.stimlab.conformance.mutants.altered import Altered, Said
from tests.stimlab.conformance.mutants.mutant import mutant, saying


@mutant("R-10", "answers under the numbers of its own count")
class WrongNumbers(Altered):
    def says(self, sequence: int, message: Any) -> Iterable[Said]:
        return ((sequence & 0x7FFF, message),)


@mutant("R-10", "puts the host's numbers on what it sends on its own")
class HostsNumbers(Altered):
    last = 0

    def hears(self, payload: bytes) -> bytes | None:
        self.last = int.from_bytes(payload[1:3], "little")
        return payload

    def says(self, sequence: int, message: Any) -> Iterable[Said]:
        own = isinstance(message, m.Status | m.Channel)
        return ((self.last if own else sequence, message),)


@mutant("R-12", "answers a KeepAlive twice")
class Twice(Altered):
    def says(self, sequence: int, message: Any) -> Iterable[Said]:
        return ((sequence, message),) * (1 + isinstance(message, m.Alive))


@mutant("R-12", "does not answer Hold")
class SilentHold(Altered):
    def says(self, sequence: int, message: Any) -> Iterable[Said]:
        return () if isinstance(message, m.Holding) else ((sequence, message),)


@mutant("R-13", "keeps no answer to a KeepAlive")
class KeepsNoAlive(ReplyCache):
    def keep(self, sequence: int, payload: bytes, answer: bytes) -> None:
        super().keep(sequence, payload, answer)
        if answer[1] == 0x4B:  # Alive
            self._command = None


@mutant("R-13", "executes what is repeated once more")
class ExecutesAgain(ReplyCache):
    def disposition(self, sequence: int, payload: bytes) -> Disposition:
        disposition = super().disposition(sequence, payload)
        return NEW if disposition is REPEATED else disposition


@mutant("R-13", "keeps no refusals")
class ForgetsRefusals(ReplyCache):
    def disposition(self, sequence: int, payload: bytes) -> Disposition:
        disposition = super().disposition(sequence, payload)
        refused = disposition is REPEATED and self.answer[1] == 0x40
        return NEW if refused else disposition


@mutant("R-14", "takes any number that is not kept")
class TakesAnyNumber(ReplyCache):
    def disposition(self, sequence: int, payload: bytes) -> Disposition:
        disposition = super().disposition(sequence, payload)
        return NEW if disposition is STALE and sequence != self._newest else disposition


@mutant("R-14", "takes 32 768 ahead for new")
class OneTooFar(ReplyCache):
    def disposition(self, sequence: int, payload: bytes) -> Disposition:
        far = (sequence - self._newest) % 65_536 == 0x8000
        return NEW if far else super().disposition(sequence, payload)


@mutant("R-14", "tells repeated commands by their number alone")
class SameNumberSameAnswer(ReplyCache):
    def disposition(self, sequence: int, payload: bytes) -> Disposition:
        return REPEATED if sequence == self._newest else super().disposition(sequence, payload)


@mutant("R-14", "takes no numbers that skip")
class NoSkipping(ReplyCache):
    def disposition(self, sequence: int, payload: bytes) -> Disposition:
        disposition = super().disposition(sequence, payload)
        return STALE if disposition is NEW and (sequence - self._newest) % 65_536 > 1_000 else disposition


mutant("R-15", "answers LoadProgram with the slope it would like")(
    saying(m.ProgramOpen, lambda message: message._replace(ramp_slope_ua_per_s=200))
)


@mutant("R-15", "repeats what Arm asked for, and arms with a round ceiling")
class RoundsCeilings(Device):
    def _execute(self, order: Any, kind: int) -> object:
        if kind == 0x07:
            answer = super()._execute(order._replace(ceiling_ua=order.ceiling_ua // 100 * 100), kind)
            return answer._replace(ceiling_ua=order.ceiling_ua) if isinstance(answer, m.Armed) else answer
        return super()._execute(order, kind)


mutant("R-15", "answers Start without channel 2")(saying(m.Started, lambda message: message._replace(target_2_ua=0)))


@mutant("R-15", "answers SetTarget with what it was asked, and sets something else")
class SetsElse(Device):
    def _execute(self, order: Any, kind: int) -> object:
        if kind == 0x0A:
            answer = super()._execute(order._replace(target_ua=order.target_ua // 50 * 50), kind)
            return answer._replace(target_ua=order.target_ua) if isinstance(answer, m.TargetSet) else answer
        return super()._execute(order, kind)
