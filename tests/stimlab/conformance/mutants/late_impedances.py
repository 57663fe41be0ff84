"""Devices whose impedance check is wrong: R-63 and R-64."""

from collections.abc import Mapping

from firmware_sim.native.diagnostics import ImpedanceResult
from firmware_sim.native.flash import StoredSession
from firmware_sim.native.gate import LEAD_OFF_OHM
from firmware_sim.native.machine import Machine
from firmware_sim.native.output_stage import OutputStage
from firmware_sim.native.program import OutputProgram
from firmware_sim.native.run_state import Arming
from stimctl.wire.codes import CHANNELS, DeviceState, EndReason
from tests.stimlab.conformance.mutants.mutant import mutant

_CHANNELS = range(1, CHANNELS + 1)


class _Results(OutputStage):
    """Other impedance checks than the right ones."""

    changes: Mapping[str, int] = {}

    def check_impedance(self, channel: int, number: int, at_us: int) -> ImpedanceResult:
        return super().check_impedance(channel, number, at_us)._replace(**self.changes)  # type: ignore[arg-type]


def _results(text: str, **changes: int) -> None:
    mutant("R-63", text)(type("Results", (_Results,), {"changes": changes}))


_results("checks with twenty pulses", pulses=20, charge_pc=400_000)
_results("checks with 200 uA", amplitude_ua=200, measured_ua=200, charge_pc=400_000)
_results("checks with pulses of 400 us", charge_pc=400_000)


@mutant("R-63", "checks the highest channel first")
class ChecksBackwards(Machine):
    def check(self, channels: tuple[int, ...], now_us: int) -> None:
        super().check(channels[::-1], now_us)


@mutant("R-63", "checks with pulses 5 ms apart")
class ChecksQuickly(Machine):
    check_period_us = 5_000


@mutant("R-63", "checks every channel, armed or not")
class ChecksAll(Machine):
    def check(self, channels: tuple[int, ...], now_us: int) -> None:
        every = tuple(_CHANNELS)
        arming = self.arming
        assert arming is not None
        self.arming = Arming(arming.purpose, every, arming.channel_mask, arming.ceiling_ua, arming.nonce)
        super().check(every, now_us)


@mutant("R-64", "counts a check in the session")
class CountsChecks(OutputStage):
    def check_impedance(self, channel: int, number: int, at_us: int) -> ImpedanceResult:
        result = super().check_impedance(channel, number, at_us)
        tally = self._channels[channel].tally
        tally.pulses[0] += 1
        tally.charge_pc[0] += result.charge_pc // result.pulses
        return result


@mutant("R-64", "takes a check's time for stimulation")
class TimesChecks(Machine):
    def _go_back(self, at_us: int) -> None:
        if self.state is DeviceState.CHECKING and self.session is not None:
            self.session.stimulation_us += 100_000
        super()._go_back(at_us)


@mutant("R-64", "forgets a check's results when it starts")
class ForgetsChecks(Machine):
    def start(self, session: StoredSession, program: OutputProgram, targets_ua: dict[int, int], now_us: int) -> None:
        super().start(session, program, targets_ua, now_us)
        self.impedances.clear()


@mutant("R-64", "keeps a check's results over the next session")
class KeepsChecks(Machine):
    def open_session(self, ceiling_ua: int, channel_mask: int, limit_us: int, now_us: int) -> StoredSession:
        kept = dict(self.impedances)
        session = super().open_session(ceiling_ua, channel_mask, limit_us, now_us)
        self.impedances.update(kept)
        return session


@mutant("R-64", "ends a check whose leads are off")
class TripsChecks(OutputStage):
    def check_impedance(self, channel: int, number: int, at_us: int) -> ImpedanceResult:
        result = super().check_impedance(channel, number, at_us)
        return result._replace(trip=EndReason.LEAD_OFF) if result.ohm > LEAD_OFF_OHM else result
