"""The mains' hum, fitted to what lies between the pulses and taken off the pulses.

The baseline before a pulse is that of a moment earlier, and the hum moves on meanwhile: at 2 or 100 Hz, of which 50 and
60 Hz are near multiples, by nearly the same each time, so that no mean over pulses takes it away.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from stimctl.capture.model import Samples
from stimctl.capture.search import Levels, Spans

FREQUENCIES_HZ = (50.0, 60.0)
HARMONICS = (1, 2, 3)
PART_S = 0.16  # short enough that the mains' wander does not matter in it
FEW_HZ = 4_000.0
WORTH = 0.003  # of a pulse: less is not worth taking off
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Mains:
    """The hum of a row of samples: its parts, each with what was fitted to it."""

    frequency_hz: float
    part_s: float
    fits: Floats  # (parts, sines and cosines)

    @property
    def amplitude(self) -> float:
        """Of the first harmonic, the mean over its parts."""
        return float(np.mean(np.hypot(self.fits[:, 0], self.fits[:, 1])))

    @classmethod
    def of(cls, samples: Samples, interval_s: float, spans: Spans, levels: Levels, level: float) -> "Mains | None":
        """What hums between the spans; None where too little does, or the samples are too few to tell."""
        if spans.wander < WORTH * abs(level):
            return None
        every = max(1, int(1 / FEW_HZ / interval_s))
        places = np.arange(0, len(samples), every)
        times = np.asarray(places * interval_s, np.float64)
        values: Floats = samples[::every].astype(np.float64)
        quiet = ~_inside(places, spans, round(2e-4 / interval_s))
        parts = int(len(samples) * interval_s / PART_S)
        if parts < 1 or np.count_nonzero(quiet) < 200:
            return None
        part_s = len(samples) * interval_s / parts
        numbers = np.minimum((times / part_s).astype(np.int64), parts - 1)
        best: tuple[float, Mains] | None = None
        for frequency_hz in FREQUENCIES_HZ:
            fits, left = _fitted(times[quiet], values[quiet], numbers[quiet], parts, frequency_hz)
            if best is None or left < best[0]:
                best = (left, cls(frequency_hz, part_s, fits))
        assert best is not None
        of_noise = levels.noise * np.sqrt(2 * parts / np.count_nonzero(quiet))
        return best[1] if best[1].amplitude > max(3 * of_noise, WORTH / 3 * abs(level)) else None

    def at(self, times: Floats) -> Floats:
        """The hum at those times."""
        numbers = np.clip((times / self.part_s).astype(np.int64), 0, len(self.fits) - 1)
        hum: Floats = np.einsum("ij,ij->i", _waves(times, self.frequency_hz), self.fits[numbers])
        return hum

    def take_off(self, pulses: "npt.NDArray[np.void]", baseline_before_s: float) -> None:
        """Correct levels and charges for what the hum did between the middle of the baseline and each phase."""
        onset, width = pulses["onset_s"], pulses["width_s"]
        before = self.at(onset - baseline_before_s)
        first = (self.at(onset + width / 2) - before) * pulses["sign"]
        pulses["level"] -= first
        pulses["charge"] -= first * width
        there = ~np.isnan(pulses["second_width_s"])
        second_width = np.where(there, pulses["second_width_s"], 0.0)
        middle = onset + width + np.where(there, pulses["gap_s"], 0.0) + second_width / 2
        second = (self.at(middle) - before) * pulses["sign"]
        pulses["second_level"] += second
        pulses["second_charge"] += second * second_width


def _inside(places: "npt.NDArray[np.int64]", spans: Spans, margin: int) -> "npt.NDArray[np.bool_]":
    """Which places lie in a span or near it."""
    if not len(spans.first):
        return np.zeros(len(places), bool)
    after = np.searchsorted(spans.first - margin, places, side="right") - 1
    inside: npt.NDArray[np.bool_] = (after >= 0) & (places <= spans.last[np.maximum(after, 0)] + 4 * margin)
    return inside


def _waves(times: Floats, frequency_hz: float) -> Floats:
    turns = 2 * np.pi * frequency_hz * times
    return np.stack([wave(number * turns) for number in HARMONICS for wave in (np.sin, np.cos)], axis=1)


def _fitted(
    times: Floats, values: Floats, numbers: "npt.NDArray[np.int64]", parts: int, frequency_hz: float
) -> tuple[Floats, float]:
    """Each part's waves, fitted beside a straight line, and what is left over. `numbers` ascend."""
    fits, left = np.zeros((parts, 2 * len(HARMONICS))), 0.0
    for part, (begin, end) in enumerate(pairwise(np.searchsorted(numbers, np.arange(parts + 1)))):
        if end - begin < 40:
            continue
        inside = times[begin:end]
        line = np.stack([np.ones_like(inside), inside - inside.mean()], axis=1)
        terms = np.concatenate((_waves(inside, frequency_hz), line), axis=1)
        found, *_ = np.linalg.lstsq(terms, values[begin:end], rcond=None)
        fits[part] = found[: fits.shape[1]]
        left += float(np.sum((values[begin:end] - terms @ found) ** 2))
    return fits, left
