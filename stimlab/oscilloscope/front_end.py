"""What an oscilloscope would take of the voltage across a load: a trigger, a window of samples, eight bits, noise."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from threading import Event

import numpy as np
import numpy.typing as npt

from firmware_sim.analog.recorder import Recorder

DIVISIONS = 12  # across, as both makers have them
CODES_PER_DIVISION = 25  # of 8 bits, as both makers have them
SEARCH_HZ = 100_000  # the trigger is looked for at this rate: no phase is shorter than 0.1 ms
LONGEST_SEARCH_S = 120
_NA_PER_A = 1e9

Codes = npt.NDArray[np.int8]


@dataclass(slots=True)
class Vertical:
    """One channel's settings, in volts; `probe` is what the numbers are multiplied by."""

    volts_per_division: float = 0.5
    offset_v: float = 0.0

    @property
    def volts_per_code(self) -> float:
        return self.volts_per_division / CODES_PER_DIVISION


@dataclass(slots=True)
class Acquisition:
    """What was taken: samples at `rate_hz` from device time `start_us` on."""

    trigger_us: int
    start_us: int
    rate_hz: int
    points: int


@dataclass(slots=True)
class ScopeInput:
    """The instrument behind its commands. `now_us` is the device's time, `world` is held while its load is looked at.

    `sought` says that somebody asks for its trigger again and again, and has not asked since it was told of it;
    `questioned` is set by each question. The oscilloscope's noise is `noise_v` rms; the same seed draws the same noise.
    """

    recorder: Recorder
    now_us: Callable[[], int]
    load_ohm: float
    noise_v: float = 0.002
    seed: int = 1
    world: AbstractContextManager[object] = field(default_factory=nullcontext)
    channels: dict[int, Vertical] = field(default_factory=lambda: {number: Vertical() for number in range(1, 5)})
    seconds_per_division: float = 1e-3
    points: int = 12_000
    trigger_channel: int = 1
    trigger_v: float = 0.1
    position: float = 0.1  # the part of the window that lies before the trigger
    _armed_us: int | None = None
    _searched_us: int = 0
    taken: Acquisition | None = None
    questioned: Event = field(default_factory=Event)
    _questions: int = 0
    _told: int = 0
    _codes: dict[int, Codes] = field(default_factory=dict)

    @property
    def sought(self) -> bool:
        return self._questions > 1 and self._armed_us is not None and self._told < 2

    def give_up_seeking(self) -> None:
        self._questions = 0

    @property
    def window_us(self) -> int:
        return round(self.seconds_per_division * DIVISIONS * 1e6)

    @property
    def rate_hz(self) -> int:
        return max(1, round(self.points * 1e6 / self.window_us))

    def single(self) -> None:
        """Wait for one trigger from now on."""
        self._armed_us = self._searched_us = self.now_us()
        self.taken = None
        self._questions = self._told = 0
        self._codes.clear()

    def force(self) -> None:
        """Take a window that begins now, whatever the level is."""
        if self._armed_us is not None:
            self._take(self.now_us())

    def stop(self) -> None:
        self._armed_us = None

    def poll(self) -> str:
        """`stop` with or without a capture, `wait` for a trigger, or `fill` until the window is over."""
        with self.world:
            if self.taken is None and self._armed_us is not None:
                self._search()
            self._questions += 1
            self._told += self.taken is not None
            self.questioned.set()
            if self.taken is not None:
                ends_us = self.taken.start_us + self.window_us
                return "stop" if self.now_us() >= ends_us else "fill"
            return "stop" if self._armed_us is None else "wait"

    def codes(self, channel: int) -> Codes:
        """The capture of one channel, in codes around the middle of the screen; empty when there is none."""
        taken = self.taken
        if taken is None:
            return np.empty(0, np.int8)
        vertical = self.channels[channel]
        if (found := self._codes.get(channel)) is not None:
            return found
        with self.world:
            volts = self._volts(channel, taken.rate_hz, taken.start_us, taken.start_us + self.window_us)[: taken.points]
        noise = np.random.default_rng((self.seed, channel, taken.trigger_us))
        seen = volts + noise.normal(0.0, self.noise_v, len(volts)) + vertical.offset_v
        clipped: Codes = np.clip(np.rint(seen / vertical.volts_per_code), -128, 127).astype(np.int8)
        self._codes[channel] = clipped
        return clipped

    def _search(self) -> None:
        """The first time since the arming at which the level is passed upwards."""
        now_us = min(self.now_us(), self._searched_us + LONGEST_SEARCH_S * 1_000_000)
        volts = self._volts(self.trigger_channel, SEARCH_HZ, self._searched_us, now_us)
        above = volts >= self.trigger_v
        crossings = np.flatnonzero(above[1:] & ~above[:-1])
        if len(crossings):
            self._take(self._searched_us + (int(crossings[0]) + 1) * 1_000_000 // SEARCH_HZ)
        else:
            self._searched_us = max(self._searched_us, now_us - 1_000_000 // SEARCH_HZ)

    def _take(self, trigger_us: int) -> None:
        self._codes.clear()
        start_us = max(0, trigger_us - round(self.window_us * self.position))
        self.taken = Acquisition(trigger_us, start_us, self.rate_hz, self.points)

    def _volts(self, channel: int, rate_hz: int, start_us: int, end_us: int) -> npt.NDArray[np.float64]:
        parts = [part.copy() for part in self.recorder.samples(channel, rate_hz, start_us=start_us, end_us=end_us)]
        amperes = np.concatenate(parts) / _NA_PER_A if parts else np.empty(0)
        return amperes * self.load_ohm
