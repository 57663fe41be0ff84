"""Devices that count otherwise than they deliver, or deliver at another time than they say: R-55 and R-56."""

from firmware_sim.native.output_stage import OutputStage
from firmware_sim.native.program import OutputProgram
from firmware_sim.native.train import ChannelTrain
from tests.stimlab.conformance.mutants.mutant import counting, mutant

mutant("R-55", "counts a picocoulomb too much in all")(
    counting(lambda totals: totals._replace(charge_0_pc=totals.charge_0_pc + bool(totals.pulses_0)))
)
mutant("R-55", "counts a little too much charge a pulse")(
    counting(lambda totals: totals._replace(charge_0_pc=totals.charge_0_pc * 1_002 // 1_001))
)
mutant("R-55", "counts the charge of both phases")(
    counting(lambda totals: totals._replace(charge_0_pc=2 * totals.charge_0_pc, charge_1_pc=2 * totals.charge_1_pc))
)
mutant("R-55", "counts a pulse too many in segment 1")(
    counting(lambda totals: totals._replace(pulses_1=totals.pulses_1 + bool(totals.pulses_1)))
)


@mutant("R-56", "gives the pulse of the very moment of a hold too")
class EndsLate(OutputStage):
    def disable(self, now_us: int) -> None:
        until_us = self.stimulation_us
        if self._running and self._pending is None:
            super().run(until_us + 1)
            for channel in self._running:
                channel.end(until_us + 1)
            self.stimulation_us = until_us
        super().disable(now_us)


@mutant("R-56", "uses a target with pulses after its time only")
class LateTarget(OutputStage):
    def set_target(self, channel: int, target_ua: int) -> None:
        until_us = self.stimulation_us
        super().run(until_us + 1)
        super().set_target(channel, target_ua)
        self.stimulation_us = until_us


@mutant("R-56", "uses a target one pulse late")
class PeriodLate(ChannelTrain):
    __slots__ = ("_waiting_ua",)
    _waiting_ua: int | None

    def __init__(
        self, program: OutputProgram, channel: int, start_us: int, limit_us: int, target_ua: int, *, level_ua: int = 0
    ) -> None:
        self._waiting_ua = None
        super().__init__(program, channel, start_us, limit_us, target_ua, level_ua=level_ua)

    def set_target(self, target_ua: int) -> None:
        self._waiting_ua = target_ua

    def alike(self, until_us: int) -> int:
        return 0 if self._waiting_ua is not None else super().alike(until_us)

    def take(self) -> int:
        amplitude_ua = super().take()
        if self._waiting_ua is not None:
            super().set_target(self._waiting_ua)
            self._waiting_ua = None
        return amplitude_ua
