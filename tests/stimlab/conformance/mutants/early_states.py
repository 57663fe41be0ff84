"""Devices that break R-24 to R-28: states, output in them, boots and ends."""

from collections.abc import Callable, Iterable
from typing import Any

from firmware_sim.native.device import Device
from firmware_sim.native.flash import Flash
from firmware_sim.native.machine import Machine
from firmware_sim.native.output_stage import OutputStage
from stimctl.wire import codec as m
from stimctl.wire.codes import DeviceState, EndReason, Refusal
from tests.stimlab.conformance.mutants.altered import Altered, Said
from tests.stimlab.conformance.mutants.mutant import mutant

S = DeviceState


class _EverRising(OutputStage):
    ramping = True


def _lenient(text: str, kind: int, where: tuple[DeviceState, ...], yes: Callable[[Machine, Any], object]) -> None:
    """Answers a command in some states in which the table has no row for it, as if it had been done."""

    class Lenient(Device):
        def _execute(self, order: Any, asked: int) -> object:
            if asked == kind and self.machine.state in where:
                return yes(self.machine, order)
            return super()._execute(order, asked)

    mutant("R-24", text)(Lenient)


_lenient(
    "holds where nothing flows yet",
    0x0B,
    (S.ARMED, S.HELD),
    lambda machine, order: m.Holding(machine.state, 0, machine.now_us),
)
_lenient(
    "loads over a session that is armed",
    0x03,
    (S.ARMED,),
    lambda machine, order: m.ProgramOpen(*m.LoadProgram(*order), machine.now_us),
)
_lenient(
    "takes segments after the program was closed",
    0x04,
    (S.LOADED, S.TESTED),
    lambda machine, order: m.SegmentLoaded(*m.LoadSegment(*order), machine.now_us),
)
_lenient(
    "tests itself while it stimulates", 0x06, (S.RUNNING,), lambda machine, order: m.SelfTestDone(0, 0, machine.now_us)
)
_lenient(
    "takes targets in a hold",
    0x0A,
    (S.HELD,),
    lambda machine, order: m.TargetSet(order.channel, order.target_ua, 0, machine.now_us),
)
_lenient(
    "takes keepalives for a session that is over",
    0x09,
    (S.ENDED,),
    lambda machine, order: m.Alive(machine.state, machine.now_us),
)
_lenient(
    "acknowledges a session that is open",
    0x10,
    (S.HELD, S.ARMED),
    lambda machine, order: m.Acknowledged(order.session, machine.state, machine.now_us),
)
_lenient(
    "refuses a self-test that was passed before",
    0x06,
    (S.TESTED,),
    lambda machine, order: m.Refused(0x06, Refusal.WRONG_STATE, S.TESTED, 0),
)


@mutant("R-24", "tests itself under an open session")
class TestsAfterLapse(Device):
    def _execute(self, order: Any, kind: int) -> object:
        if kind == 0x06 and self.machine.session is not None and self.machine.state is S.TESTED:
            return m.SelfTestDone(0, 0, self.machine.now_us)
        return super()._execute(order, kind)


@mutant("R-24", "never comes from RAMPING to RUNNING")
class NeverThere(Device):
    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.machine.stage.__class__ = _EverRising


@mutant("R-24", "goes from a check to ENDED")
class CheckEnds(Device):
    def advance(self, now_us: int) -> None:
        checking = self.machine.state is S.CHECKING
        super().advance(now_us)
        if checking and self.machine.state in (S.TESTED, S.HELD):
            self.machine.end(EndReason.STOP, self.machine.now_us)


class LeakyAt(Device):
    """Leaves its outputs on in some states: a current over the limit of zero is read there."""

    where: tuple[DeviceState, ...]

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        machine, stage = self.machine, self.machine.stage
        reads = stage.zero_ua
        leaking = {True: 180, False: 0}
        self.machine.stage.zero_ua = (  # type: ignore[method-assign]
            lambda now_us: max(reads(now_us), leaking[machine.state in self.where])
        )


for _text, _where in (
    ("leaves its outputs enabled in a hold", (S.HELD,)),
    ("enables its outputs when it is armed", (S.ARMED,)),
    ("leaves its outputs enabled at the end", (S.ENDED,)),
    ("drives a little with nothing loaded", (S.IDLE, S.LOADING, S.LOADED)),
):
    mutant("R-25", _text)(type("Leaky", (LeakyAt,), {"where": _where}))


@mutant("R-26", "boots with the program that it had")
class KeepsProgram(Device):
    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        flash: Any = self.machine.flash
        if (kept := getattr(flash, "kept", None)) is not None and self.machine.boot_id > 1:
            machine = self.machine
            machine.loading, machine.program, machine.digest, machine.state = kept

    def close(self) -> None:
        machine, flash = self.machine, self.machine.flash
        flash.kept = machine.loading, machine.program, machine.digest, S.TESTED  # type: ignore[attr-defined]
        super().close()


@mutant("R-26", "goes to ENDED by itself some time after a boot")
class StirsAfterBoot(Device):
    def advance(self, now_us: int) -> None:
        super().advance(now_us)
        machine = self.machine
        if machine.boot_id > 1 and machine.state is S.IDLE and machine.now_us > 1_000_000:
            machine.state = S.ENDED


@mutant("R-27", "leaves ENDED with a Hello")
class HelloUnlatches(Device):
    def _hello(self, sequence: int, order: m.Hello) -> None:
        was_ended = self.machine.state is S.ENDED
        super()._hello(sequence, order)
        if was_ended:
            self.machine.state = S.IDLE


@mutant("R-27", "leaves ENDED after two seconds")
class Unlatches(Device):
    ended_us = 0

    def advance(self, now_us: int) -> None:
        super().advance(now_us)
        machine = self.machine
        if machine.state is not S.ENDED:
            self.ended_us = machine.now_us
        elif machine.now_us - self.ended_us > 2_000_000:
            machine.state = S.IDLE


@mutant("R-27", "opens no session before it starts")
class OpensLate(Altered):
    def says(self, sequence: int, message: Any) -> Iterable[Said]:
        if type(message).__name__ == "SessionRecord" and self.machine.state in (S.ARMED, S.TESTED):
            message = message._make((0,) * len(message))
        return ((sequence, message),)


@mutant("R-27", "forgets at a reset what waits")
class ForgetsAtReset(Device):
    def __init__(self, *, flash: Flash | None = None, **options: Any) -> None:
        if flash is not None:
            flash.session = None
        super().__init__(flash=flash, **options)


def _silent_about(kind: int, *where: DeviceState) -> type[Device]:
    class Silent(Device):
        def _execute(self, order: Any, asked: int) -> object:
            if asked == kind and self.machine.state in where:
                return m.Refused(asked, Refusal.WRONG_STATE, self.machine.state, 0)
            return super()._execute(order, asked)

    return Silent


mutant("R-28", "does not tell its counters while it stimulates")(_silent_about(0x0E, S.RAMPING, S.RUNNING))
mutant("R-28", "does not tell who it is in a hold")(_silent_about(0x02, S.HELD))
mutant("R-28", "has no session to tell of in IDLE")(_silent_about(0x0D, S.IDLE))
mutant("R-28", "does not tell an impedance once the session has ended")(_silent_about(0x0C, S.ENDED))
mutant("R-28", "does not tell what it measured while it checks")(_silent_about(0x0F, S.CHECKING))
