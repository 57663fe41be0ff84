"""Devices that count or keep otherwise than section 17 has it: R-68 to R-71."""

from typing import Any

from firmware_sim.native.device import Device
from firmware_sim.native.flash import NOTHING, Flash, Totals
from firmware_sim.native.machine import Machine
from stimctl.wire import codec as m
from stimctl.wire.codes import DeviceState, EndReason, Refusal
from tests.stimlab.conformance.mutants.mutant import counting, mutant

for _text, _change in (
    ("counts charge in 32 bits", lambda totals: totals._replace(charge_0_pc=totals.charge_0_pc % (1 << 32))),
    (
        "counts measured charge in 32 bits",
        lambda totals: totals._replace(measured_0_pc=totals.measured_0_pc % (1 << 32)),
    ),
    ("counts both segments in one", lambda totals: totals._replace(pulses_0=sum(totals[:2]), pulses_1=0)),
    ("measures a tenth less charge in segment 1", lambda t: t._replace(measured_1_pc=t.measured_1_pc * 9 // 10)),
    ("forgets the highest amplitude", lambda totals: totals._replace(max_amplitude_ua=0)),
    ("measures no energy", lambda totals: totals._replace(energy_nj=0)),
):
    mutant("R-68", _text)(counting(_change))


@mutant("R-69", "loses its counters at a reset")
class LosesCounters(Device):
    def __init__(self, *, flash: Flash | None = None, **options: Any) -> None:
        if flash is not None:
            flash.refresh()
            flash.collect = None
            if flash.session is not None:
                flash.session.totals = NOTHING
        super().__init__(flash=flash, **options)


@mutant("R-69", "loses what was counted since the session began, at a reset in the midst of it")
class LosesOpenCounters(Device):
    def __init__(self, *, flash: Flash | None = None, **options: Any) -> None:
        if flash is not None and flash.session is not None and flash.session.open:
            flash.refresh()
            flash.collect = None
            flash.session.totals = NOTHING
            flash.session.stimulation_us = 0
        super().__init__(flash=flash, **options)


@mutant("R-69", "counts, at a reset, the pulse that comes next")
class CountsAhead(Device):
    def __init__(self, *, flash: Flash | None = None, **options: Any) -> None:
        if flash is not None and flash.session is not None and flash.session.open:
            flash.refresh()
            flash.collect = None
            session = flash.session
            due_us = -(-session.stimulation_us // 10_000) * 10_000  # of PLAIN's train
            own = session.totals[0]
            own = own._replace(pulses_0=own.pulses_0 + 1, charge_0_pc=own.charge_0_pc + 200 * 200)
            session.totals = (own, *session.totals[1:])
            session.stimulation_us = due_us + 1
        super().__init__(flash=flash, **options)


@mutant("R-69", "calls a reset a stop")
class MisnamesResets(Device):
    def __init__(self, *, flash: Flash | None = None, **options: Any) -> None:
        if flash is not None and flash.session is not None and flash.session.open:
            flash.refresh()
            flash.session.end_reason = EndReason.STOP
        super().__init__(flash=flash, **options)


@mutant("R-69", "forgets a session's counters with a new handshake")
class ForgetsAtHello(Device):
    def _hello(self, sequence: int, order: m.Hello) -> None:
        super()._hello(sequence, order)
        if self.machine.waiting is not None:
            self.machine.waiting.totals = NOTHING


@mutant("R-70", "loads a program over a session that waits")
class LoadsOver(Device):
    def _execute(self, order: object, kind: int) -> object:
        machine = self.machine
        if type(order) is m.LoadProgram and machine.waiting is not None:
            machine.acknowledge(machine.now_us)
        return super()._execute(order, kind)


def _says_state(at: type[Any], text: str) -> None:
    class SaysState(Device):
        def _execute(self, order: object, kind: int) -> object:
            if type(order) is at and self.machine.waiting is not None:
                return m.Refused(kind, Refusal.WRONG_STATE, self.machine.state, 0)
            return super()._execute(order, kind)

    mutant("R-70", text)(SaysState)
    mutant("R-73", text)(SaysState)


_says_state(m.Arm, "says at Arm that the state is wrong, not that a session waits")
_says_state(m.SelfTest, "says at SelfTest that the state is wrong, not that a session waits")


@mutant("R-70", "takes any number in Acknowledge")
class AcknowledgesAny(Device):
    def _execute(self, order: object, kind: int) -> object:
        if type(order) is m.Acknowledge and self.machine.waiting is not None:
            order = m.Acknowledge(self.machine.waiting.number)
        return super()._execute(order, kind)


@mutant("R-70", "forgets the session at an Acknowledge that it refuses")
class ForgetsAtARefusal(Device):
    def _execute(self, order: object, kind: int) -> object:
        answer = super()._execute(order, kind)
        if type(order) is m.Acknowledge and isinstance(answer, m.Refused) and self.machine.waiting is not None:
            self.machine.acknowledge(self.machine.now_us)
        return answer


@mutant("R-71", "keeps the program after Acknowledge")
class KeepsProgram(Machine):
    def acknowledge(self, now_us: int) -> None:
        loading, program = self.loading, self.program
        super().acknowledge(now_us)
        if program is not None:
            self.loading, self.program, self.state = loading, program, DeviceState.TESTED


@mutant("R-71", "tells of the old session's charge after Acknowledge")
class TellsOfTheOld(Device):
    old = Totals()

    def _execute(self, order: object, kind: int) -> object:
        session = self.machine.waiting
        answer = super()._execute(order, kind)
        if isinstance(answer, m.Acknowledged) and session is not None:
            self.old = session.totals[0]
        elif isinstance(answer, m.Counters) and not answer.session:
            return answer._replace(charge_0_pc=self.old.charge_0_pc)
        return answer


@mutant("R-71", "counts sessions anew after Acknowledge")
class CountsSessionsAnew(Machine):
    def acknowledge(self, now_us: int) -> None:
        super().acknowledge(now_us)
        self.flash.sessions = 0


@mutant("R-71", "gives nonces anew after Acknowledge")
class NoncesAnew(Machine):
    def acknowledge(self, now_us: int) -> None:
        super().acknowledge(now_us)
        self.flash.arms = 0


@mutant("R-71", "counts sessions anew after a reset")
class CountsSessionsAnewAfterAReset(Device):
    def __init__(self, *, flash: Flash | None = None, **options: Any) -> None:
        if flash is not None:
            flash.sessions = 0
        super().__init__(flash=flash, **options)
