"""A StimJim's analog side: 16-bit converters with offsets, two isolated outputs, an ADC behind each.

Amplitudes become codes, and codes become what flows, so that a code that does not fit into 16 bits does here
what it does there. Scales are the published firmware's (read); offsets and the readback's errors come from the
seed [choice].
"""

from dataclasses import replace
from random import Random
from typing import NamedTuple

from firmware_sim.analog.analog_output import AnalogOutput, NoNoise, Stage
from firmware_sim.analog.converter import Noise, Readback, made_readback
from firmware_sim.analog.load import Load
from firmware_sim.analog.recorder import Recorder
from firmware_sim.stimjim.slot import CURRENT, GROUNDED, VOLTAGE


class Scales(NamedTuple):
    """The scales of the converters, as a firmware has them, and whether it rounds a code or cuts it."""

    na_per_code: float
    mv_per_code: float
    ua_per_count: float
    mv_per_count: float
    rounds: bool


TEENSY = Scales(101.7, 0.4574, 0.85, 2.44, False)
RP2354B = Scales(20e9 / 3_000 / 65_536, 30_000 / 65_536, 20e6 / (1 + 9.9 / 0.47) / 100 / 8_192, 20_000 / 8_192, True)
COUNTS = 4_095  # the ADC saturates there: 10 V, 3.5 mA
COMPLIANCE_VOLT = 13.7
WORST_OFFSET = 10  # codes [choice]
SWEEP_VOLT = 0.046  # how far the offsets' calibration moves an output: 100 codes
SWEEP_US = 100_000
CHANNELS = 2


class Board:
    """Both channels, 0 and 1 as StimJim numbers them; the load and the recorder know them as 1 and 2.

    `ideal` leaves out every offset and all noise. `wraps`: a code that does not fit loses its upper bits, else it
    stays at full scale.
    """

    def __init__(
        self, load: Load, recorder: Recorder | None, scales: Scales, *, seed: int, wraps: bool, ideal: bool
    ) -> None:
        rng = Random(f"stimjim {seed}")
        noise = NoNoise() if ideal else Noise(rng)
        worst = 0 if ideal else WORST_OFFSET
        self.scales = scales
        self.wraps = wraps
        self.current_offset = [rng.randint(-worst, worst) for _ in range(CHANNELS)]
        self.voltage_offset = [rng.randint(-worst, worst) for _ in range(CHANNELS)]
        self.adc_offset = [0.0 if ideal else round(rng.uniform(-worst, worst), 4) for _ in range(CHANNELS)]
        readbacks = [Readback(noise) if ideal else made_readback(rng, noise) for _ in range(CHANNELS)]
        # The firmware measures the ammeter's offset when it boots, and takes it off.
        readbacks = [replace(each, offset_na=0) for each in readbacks]
        self.analog_outputs = [
            AnalogOutput(channel + 1, load, recorder, readbacks[channel], rail_volt=COMPLIANCE_VOLT)
            for channel in range(CHANNELS)
        ]
        self._mode = [GROUNDED] * CHANNELS
        self._code = [0] * CHANNELS
        load.watch(self._settle)
        self._now_us = 0

    # --- trains ----------------------------------------------------------------------------------

    def code(self, amplitude: int, mode: int, channel: int) -> int:
        """The converter's code for an amplitude in mV or uA."""
        return self.fit(self.wide_code(amplitude, mode, channel))

    def wide_code(self, amplitude: int, mode: int, channel: int) -> int:
        """The same before anything looks whether it fits."""
        scales = self.scales
        scaled = amplitude / scales.mv_per_code if mode == VOLTAGE else amplitude * 1_000 / scales.na_per_code
        offset = self._offset(mode, channel) if channel in range(CHANNELS) else 0
        return round(scaled) + offset if scales.rounds else int(scaled + offset)

    def fit(self, code: int) -> int:
        """What 16 bits keep of a code."""
        if self.wraps:
            return (code + 32_768 & 0xFFFF) - 32_768
        return max(-32_768, min(code, 32_767))

    def stage(self, code: int, us: int, mode: int, channel: int) -> Stage:
        """What a code makes flow, for a while."""
        steps = code - self._offset(mode, channel)
        if mode == VOLTAGE:
            return Stage(0, us, round(steps * self.scales.mv_per_code, 3) / 1_000)
        return Stage(round(steps * self.scales.na_per_code), us)

    def plan(self, modes: list[int], stages: list[tuple[int, int, int]]) -> list[tuple[Stage, ...]]:
        """Each channel's stages; none for a channel that the modes do not drive."""
        plans: list[tuple[Stage, ...]] = []
        for channel, mode in enumerate(modes):
            driven = stages if mode in {VOLTAGE, CURRENT} else []
            plans.append(
                tuple(self.stage(self.code(each[channel], mode, channel), each[2], mode, channel) for each in driven)
            )
        return plans

    def grounded(self, channel: int, now_us: int) -> None:
        """A train has taken the channel: its own level ends, and after each pulse it is grounded."""
        self.set_mode(channel, GROUNDED, now_us)
        self._code[channel] = 0

    def _offset(self, mode: int, channel: int) -> int:
        return (self.voltage_offset if mode == VOLTAGE else self.current_offset)[channel]

    # --- by hand ---------------------------------------------------------------------------------

    def set_mode(self, channel: int, mode: int, now_us: int) -> None:
        """Connect an output to the voltage source, the current source, nothing, or ground."""
        if channel in range(CHANNELS) and mode in range(4):
            self._mode[channel] = mode
            self._apply(channel, now_us)

    def mode(self, channel: int) -> int:
        """What an output is connected to."""
        return self._mode[channel]

    def set_code(self, channel: int, code: int, now_us: int) -> None:
        if channel in range(CHANNELS):
            self._code[channel] = self.fit(code)
            self._apply(channel, now_us)

    def sweep(self, now_us: int) -> None:
        """Measure the offsets: each output goes below zero and above it, connected."""
        for analog_output in self.analog_outputs:
            analog_output.hold(None, now_us)
            analog_output.pulses(now_us, 1, 1, [Stage(0, SWEEP_US, -SWEEP_VOLT), Stage(0, SWEEP_US, SWEEP_VOLT)])

    def adc(self, channel: int, line: int, now_us: int) -> int:
        """Raw counts of the voltage (line 0) or the current (line 1)."""
        if channel not in range(CHANNELS):
            return 0
        analog_output = self.analog_outputs[channel]
        if line:
            value = analog_output.read_na(now_us) / 1_000 / self.scales.ua_per_count
        else:
            value = analog_output.read_volt(now_us) * 1_000 / self.scales.mv_per_count
        return max(-COUNTS, min(round(value + self.adc_offset[channel]), COUNTS))

    def real(self, raw: int, channel: int, line: int) -> float:
        """Counts as uA or mV."""
        offset = self.adc_offset[channel] if channel in range(CHANNELS) else 0.0
        return (raw - offset) * (self.scales.ua_per_count if line else self.scales.mv_per_count)

    def settle(self, now_us: int) -> None:
        """Bring what is recorded of held levels up to now."""
        self._now_us = now_us
        self._settle()

    def _settle(self) -> None:
        for analog_output in self.analog_outputs:
            analog_output.settle(self._now_us)

    def _apply(self, channel: int, now_us: int) -> None:
        mode = self._mode[channel]
        driven = mode in {VOLTAGE, CURRENT}
        self.analog_outputs[channel].hold(self.stage(self._code[channel], 0, mode, channel) if driven else None, now_us)
