"""Broken converters and switches, and how those of several faults go into one channel together.

Each fault makes its part of the one that the fault before it made, from the good part on: that two faults are
on, and that one of them ends, comes to the same as if the other had always been alone.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from firmware_sim.analog.converter import Converter, Dac, OutputSwitch, Readback, Switch
from firmware_sim.faults.schedule import FaultWindow
from firmware_sim.native.output_stage import OutputStage
from stimctl.wire.codes import CHANNELS

KINDS = (
    "device.dac_stuck", "device.dac_gain", "device.readback_gain", "device.readback_offset", "device.stuck_on",
)  # fmt: skip
_MILLION = 1_000_000
_NUMBERS = range(1, CHANNELS + 1)


@dataclass(frozen=True, slots=True)
class StuckDac:
    """A DAC that gives one current, whatever is commanded."""

    value_ua: int

    def current_na(self, amplitude_ua: int) -> int:  # noqa: ARG002
        return self.value_ua * 1_000


@dataclass(frozen=True, slots=True)
class ScaledDac:
    """Another converter's current, too large or too small."""

    inner: Converter
    permille: int

    def current_na(self, amplitude_ua: int) -> int:
        return self.inner.current_na(amplitude_ua) * self.permille // 1_000


@dataclass(frozen=True, slots=True)
class LeakySwitch:
    """Lets through what `flows` says flows in the load."""

    flows: Callable[[], int]

    def leak_na(self, now_us: int) -> int:  # noqa: ARG002
        """Current with the outputs disabled."""
        return self.flows()


def readbacks(stage: OutputStage) -> dict[int, Readback]:
    """The readbacks that a device was made with."""
    return {channel: stage.readback(channel) for channel in _NUMBERS}


def fit(
    stage: OutputStage,
    made: Mapping[int, Readback],
    on: Sequence[FaultWindow],
    leaks_na: Callable[[int], int],
) -> None:
    """Put into each channel the parts that the faults `on` leave of the good ones."""
    for channel in _NUMBERS:
        dac: Converter = Dac()
        readback, switch = made[channel], Switch()
        leaky: OutputSwitch | None = None
        for window in on:
            if not window.concerns(channel):
                continue
            if window.fault.kind == "device.dac_stuck":
                dac = StuckDac(window.number("value_ua"))
            elif window.fault.kind == "device.dac_gain":
                dac = ScaledDac(dac, window.number("gain_permille"))
            elif window.fault.kind == "device.stuck_on":
                leaky = LeakySwitch(lambda channel=channel: leaks_na(channel))  # type: ignore[misc]
            else:
                readback = _worse(readback, window)
        stage.refit(channel, dac=dac, readback=readback, switch=leaky or switch)


def _worse(readback: Readback, window: FaultWindow) -> Readback:
    if window.fault.kind == "device.readback_offset":
        return replace(readback, offset_na=readback.offset_na + window.number("offset_ua") * 1_000)
    permille = window.number("gain_permille")
    return replace(readback, gain_ppm=(_MILLION + readback.gain_ppm) * permille // 1_000 - _MILLION)
