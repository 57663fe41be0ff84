"""Devices whose line says that all is well while their output is not: only what flows in the load tells of it."""

from pathlib import Path
from typing import Any, NamedTuple

from firmware_sim.analog.converter import Dac, Readback
from firmware_sim.analog.recorder import Flow, FlowKind, PulseShape, Recorder
from firmware_sim.factory import SimulatedDevice
from firmware_sim.native.channel import OutputChannel
from firmware_sim.native.device import Device
from firmware_sim.native.output_stage import OutputStage
from firmware_sim.native.program import OutputProgram
from firmware_sim.native.steady import SteadyStretch
from firmware_sim.native.train import ChannelTrain
from stimlab.conformance.programs import WireProgram
from stimlab.conformance.tracked_session import TrackedSession
from tests.stimlab.conformance.bench_world import Make, bench_on
from tests.stimlab.conformance.dangerous.device import of_parts
from tests.stimlab.conformance.dangerous.outputs import GivesLess

AMPLITUDE_UA = 800


class _Refitted(OutputStage):
    """Has another converter, and a readback that hides it."""

    dac: type[Dac] = Dac
    readback_class: type[Readback] = Readback
    channel: type[OutputChannel] = OutputChannel

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        for number, each in self._channels.items():
            read = self.readback(number)
            lying = self.readback_class(
                read.noise,
                read.gain_ppm,
                read.offset_na,
                read.voltage_gain_ppm,
                read.voltage_offset_uv,
                read.net_bias_pc,
            )
            self.refit(number, dac=self.dac(), readback=lying)
            each.__class__ = self.channel

    def self_test(self) -> tuple[int, int]:
        return 0, 0


class _ShortSecond(Dac):
    def current_na(self, amplitude_ua: int) -> int:
        na = super().current_na(amplitude_ua)
        return na if na > 0 else na * 4 // 5


class _Balanced(Readback):
    def mean_net_fc(self, net_fc: int) -> int:
        return 0


class LyingIntegrator(_Refitted):
    """Gives a second phase that is a fifth too low, and integrates nothing."""

    dac = _ShortSecond
    readback_class = _Balanced


class _AtOnce(OutputChannel):
    def begin(self, program: OutputProgram, train: ChannelTrain, offset_us: int) -> None:
        super().begin(program, train, offset_us - (self.number - 1) * 2_500)

    def _quiet(self, at_us: int, count: int, index: int, amplitude_ua: int) -> SteadyStretch | None:
        return super()._quiet(at_us, count, index, amplitude_ua)


class Simultaneous(_Refitted):
    """Drives all its channels at the same time."""

    channel = _AtOnce


class FakeZero(OutputStage):
    """Says zero after a stop and lets 300 uA flow on for two seconds."""

    def __init__(self, *args: Any, recorder: Recorder | None = None, **options: Any) -> None:
        super().__init__(*args, recorder=recorder, **options)
        self._world = recorder
        self._ran = False

    def begin(self, *args: Any, **options: Any) -> None:
        super().begin(*args, **options)
        self._ran, self._began = True, (args[2], args[4])

    def disable(self, now_us: int) -> None:
        at_us = self.stimulation_us
        super().disable(now_us)
        if self._ran and self._world is not None:
            start_us, device_us = self._began
            self._world.add(
                1,
                Flow(
                    at_us - start_us + device_us + 1_000,
                    10**7,
                    1,
                    PulseShape(300_000, 2_000_000, 0, 0, 0),
                    FlowKind.HELD,
                ),
            )
        self._ran = False


LYING: dict[str, tuple[Make, str]] = {
    "integrator": (of_parts(LyingIntegrator), "net charge a pulse"),
    "readback": (of_parts(GivesLess), "amplitude, median"),
    "fake zero": (of_parts(FakeZero), "current from 0.1 s after the stop on"),
    "simultaneous channels": (of_parts(Simultaneous), "pulses that flow on both channels at once"),
}
"""Each by its name, with the figure that has to name it."""


class Recorded(NamedTuple):
    """The record of a session, and when its stop was sent, in s of the device's time."""

    path: Path
    stop_at_s: float


def recorded(path: Path, program: WireProgram, seconds: float, make: Make = Device, load: str = "r1k") -> Recorded:
    """Drive a session of a device and record its load: the line is content, or this raises."""
    bench = bench_on(make, f"sim://?seed=1&load={load}&record={path}")
    bench.identify()
    course = TrackedSession(bench, program, ceiling_ua=2_000)
    course.start(*[AMPLITUDE_UA * (program.header.channel_mask >> n & 1) for n in range(4)])
    bench.listen(round(seconds * 1e6))
    stopped = bench.stop()
    bench.listen(500_000)
    bench.port.close()
    return Recorded(path, stopped.device_time_us / 1e6)


__all__ = ["AMPLITUDE_UA", "LYING", "Recorded", "SimulatedDevice", "recorded"]
