"""Devices whose gate or monitors are wrong: R-57 to R-62."""

from typing import Any

from firmware_sim.analog.converter import Dac
from firmware_sim.native.channel import OutputChannel
from firmware_sim.native.device import Device
from firmware_sim.native.flash import StoredSession
from firmware_sim.native.gate import LEAD_OFF_OHM
from firmware_sim.native.machine import Machine
from firmware_sim.native.monitor import Monitor, Reading, TripVerdict
from firmware_sim.native.output_stage import OutputStage, Trip
from firmware_sim.native.program import OutputProgram
from stimctl.wire.codec import Counters
from stimctl.wire.codes import CHANNELS, DeviceState, EndReason
from tests.stimlab.conformance.mutants.mutant import mutant, with_channels

_CHANNELS = range(1, CHANNELS + 1)
_LEADS_OFF = (EndReason.LEAD_OFF, EndReason.COMPLIANCE)  # below 100 uA it is the latter


# --- the gate -----------------------------------------------------------------------------------


@mutant("R-57", "drives every channel of the program, armed or not")
class DrivesAll(Machine):
    def start(self, session: StoredSession, program: OutputProgram, targets_ua: dict[int, int], now_us: int) -> None:
        highest_ua = max(targets_ua.values())
        mask = program.channel_mask
        every = {channel: highest_ua for channel in _CHANNELS if mask >> (channel - 1) & 1}
        super().start(session, program, every, now_us)

    def _permit(self, channel: int, segment: int, amplitude_ua: int, second_ua: int, last_ua: int) -> bool:
        return True


class _Louder(Dac):
    def current_na(self, amplitude_ua: int) -> int:
        return super().current_na(amplitude_ua) * 6 // 5


class _Refitted(OutputStage):
    """Converters of another class, and a self-test that finds nothing."""

    dac_class: type[Dac] = Dac

    def __init__(self, *parts: Any, **options: Any) -> None:
        super().__init__(*parts, **options)
        for number in _CHANNELS:
            self.refit(number, dac=self.dac_class())

    def self_test(self) -> tuple[int, int]:
        return 0, 0


@mutant("R-57", "drives a fifth more than it was asked for")
class DrivesMore(_Refitted):
    dac_class = _Louder


# --- the monitors -------------------------------------------------------------------------------


@mutant("R-58", "has no over-current trip")
class NoOverCurrent(OutputChannel):
    def hear(self, stray_na: int) -> TripVerdict | None:
        super().hear(stray_na)
        return None


@mutant("R-58", "cuts an over-current at the end of the pulse")
class SlowToCut(OutputChannel):
    def _deliver(self, at_us: int, index: int, amplitude_ua: int) -> tuple[TripVerdict, int] | None:
        found = super()._deliver(at_us, index, amplitude_ua)
        if found is not None and found[0].reason is EndReason.OVER_CURRENT:
            return found[0], at_us + 1_900
        return found


@mutant("R-58", "only holds at an over-current")
class HoldsOverCurrent(Machine):
    def _tripped(self, trip: Trip, at_us: int) -> None:
        if trip.reason is EndReason.OVER_CURRENT:
            self.hold(trip.reason, at_us, trip.channel, trip.value)
        else:
            super()._tripped(trip, at_us)


class _Blind(Monitor):
    """Sees nothing of some kinds."""

    __slots__ = ()
    to: frozenset[EndReason] = frozenset()

    def judge(self, reading: Reading, charge_pc: int, at_us: int) -> TripVerdict | None:
        verdict = super().judge(reading, charge_pc, at_us)
        return None if verdict is not None and verdict.reason in self.to else verdict


class _Patient(Monitor):
    """Waits for fifty pulses, not three."""

    __slots__ = ("_count",)

    def __init__(self) -> None:
        super().__init__()
        self._count = 0

    def judge(self, reading: Reading, charge_pc: int, at_us: int) -> TripVerdict | None:
        verdict = super().judge(reading, charge_pc, at_us)
        self._count += verdict is not None
        return verdict if self._count > 50 else None


class _Hasty(Monitor):
    """Waits for one pulse."""

    __slots__ = ()

    def judge(self, reading: Reading, charge_pc: int, at_us: int) -> TripVerdict | None:
        if reading.ohm > LEAD_OFF_OHM or reading.clipped:
            return TripVerdict(EndReason.LEAD_OFF, reading.ohm)
        return super().judge(reading, charge_pc, at_us)


def _blind_to(*reasons: EndReason) -> type[Monitor]:
    return type("BlindToSome", (_Blind,), {"__slots__": (), "to": frozenset(reasons)})


def _monitored_by(monitor: type[Monitor], stage: type[OutputStage] = OutputStage) -> type[Device]:
    class Channel(OutputChannel):
        def begin(self, program: OutputProgram, train: Any, offset_us: int) -> None:
            super().begin(program, train, offset_us)
            self.monitor = monitor()

    return with_channels(Channel, stage)


class _Unbalanced(Dac):
    def current_na(self, amplitude_ua: int) -> int:
        current_na = super().current_na(amplitude_ua)
        return current_na if current_na > 0 else current_na * 9 // 10


class _UnbalancedStage(_Refitted):
    dac_class = _Unbalanced


mutant("R-59", "does not notice a short")(_monitored_by(_blind_to(EndReason.SHORT)))
mutant("R-59", "notices a short after fifty pulses")(_monitored_by(_Patient))
mutant("R-60", "does not notice leads that are off")(_monitored_by(_blind_to(EndReason.LEAD_OFF, EndReason.COMPLIANCE)))
mutant("R-60", "notices leads that are off after fifty pulses")(_monitored_by(_Patient))
mutant("R-60", "holds at the first pulse into leads that are off")(_monitored_by(_Hasty))
mutant("R-61", "gives unbalanced pulses and does not notice")(
    _monitored_by(_blind_to(EndReason.NET_CHARGE), _UnbalancedStage)
)


@mutant("R-59", "only holds at a short")
@mutant("R-60", "ends the session when leads are off")
class Contrary(Machine):
    """Ends where it should hold, and the other way round."""

    def _tripped(self, trip: Trip, at_us: int) -> None:
        leave = self.hold if trip.reason is EndReason.SHORT else self.end
        leave(trip.reason, at_us, trip.channel, trip.value)


@mutant("R-62", "holds one channel and goes on with the others")
class HoldsOne(Device):
    """As the wire shows it: the state is right, and the other channels count on."""

    def _execute(self, order: object, kind: int) -> object:
        answer = super()._execute(order, kind)
        machine = self.machine
        on_hold = machine.state is DeviceState.HELD and machine.hold_reason in _LEADS_OFF
        if isinstance(answer, Counters) and answer.pulses_0 and on_hold and answer.channel != 2:
            more = machine.now_us // 10_000
            return answer._replace(pulses_0=answer.pulses_0 + more, charge_0_pc=answer.charge_0_pc + more * 40_000)
        return answer


@mutant("R-62", "stops one channel, and does not even say so")
class StopsOne(Machine):
    def _tripped(self, trip: Trip, at_us: int) -> None:
        if trip.reason in _LEADS_OFF and self.run is not None and self.program is not None:
            others = {channel: ua for channel, ua in self.targets_ua.items() if channel != trip.channel}
            session = self.session
            assert session is not None
            self.targets_ua = others
            self.stage.begin(self.program, others, trip.at_us, session.limit_us, at_us)
        else:
            super()._tripped(trip, at_us)
