"""A machine on a bench: an output stage that notes what it is asked and trips when told to, and a flash that notes."""

from firmware_sim.analog.load import load_named
from firmware_sim.native.diagnostics import ImpedanceResult
from firmware_sim.native.flash import Flash
from firmware_sim.native.machine import Machine
from firmware_sim.native.output_stage import OutputStage, Trip
from firmware_sim.native.program import OutputProgram, OutputSegment
from firmware_sim.native.run_state import Arming, StateChange
from stimctl.wire.codes import DeviceState, Purpose

S = 1_000_000
PROGRAM = OutputProgram((OutputSegment(10_000, 200, 0, 200, 0),), 0b0011, 200, 5 * S)
ARMING = Arming(Purpose.STIMULATE, (1, 2), 0b0011, 2_000, nonce=7)
GOOD = ImpedanceResult(800, 10, 100, 100, 200_000, None)


class Stage(OutputStage):
    """Notes what it is asked. `trip` is given at the next run that reaches its time; `found` at a check's pulses."""

    def __init__(self) -> None:
        super().__init__(load_named("nominal"), seed=1)
        self.disabled_us: list[int] = []
        self.ran_to_us: list[int] = []
        self.checked: list[tuple[int, int, int]] = []
        self.resets = 0
        self.trip: Trip | None = None
        self.found: dict[tuple[int, int], ImpedanceResult] = {}

    def disable(self, now_us: int) -> None:
        self.disabled_us.append(now_us)
        super().disable(now_us)

    def run(self, until_us: int) -> Trip | None:
        self.ran_to_us.append(until_us)
        if self.trip is not None and self.trip.at_us < until_us:
            trip, self.trip = self.trip, None
            return trip
        return super().run(until_us)

    def reset_counters(self) -> None:
        self.resets += 1
        super().reset_counters()

    def check_impedance(self, channel: int, number: int, at_us: int) -> ImpedanceResult:
        self.checked.append((channel, number, at_us))
        return self.found.get((channel, number), GOOD)


class NotingFlash(Flash):
    """Notes each session that is saved, as its number; None for none."""

    def __init__(self, *, saves_to_file: bool) -> None:
        super().__init__()
        self.saves_to_file = saves_to_file
        self.saved: list[int | None] = []

    def save(self) -> None:
        super().save()
        self.saved.append(None if self.session is None else self.session.number)


class Bench:
    """A machine, its stage, its flash, and what it told."""

    def __init__(self, *, to_file: bool = False) -> None:
        self.flash = NotingFlash(saves_to_file=to_file)
        self.told: list[StateChange] = []
        self.stage = Stage()
        self.machine = Machine(self.stage, self.flash, self.told.append)

    def tested(self, now_us: int = 0) -> Machine:
        machine = self.machine
        machine.advance(now_us)
        machine.program, machine.digest = PROGRAM, bytes(range(1, 33))
        machine.state = DeviceState.TESTED
        return machine

    def armed(self, now_us: int = 0, *, lapse_us: int = 60 * S) -> Machine:
        machine = self.tested(now_us)
        machine.open_session(2_000, 0b0011, 60 * S, now_us)
        assert machine.session is not None
        machine.arm(ARMING, machine.session, now_us + lapse_us, now_us)
        return machine

    def started(self, now_us: int = 0, program: OutputProgram = PROGRAM) -> Machine:
        machine = self.armed(now_us)
        assert machine.session is not None
        machine.start(machine.session, program, {1: 600, 2: 500}, now_us)
        return machine

    def checking(self, now_us: int = 0) -> Machine:
        machine = self.armed(now_us)
        machine.check((1, 2), now_us)
        return machine


def alive_until(machine: Machine, until_us: int) -> None:
    while machine.now_us < until_us:
        machine.advance(min(machine.now_us + 250_000, until_us))
        if machine.session is not None:
            machine.alive(machine.now_us)
