"""Captures whose truth is known: pulses drawn into samples, with whatever a bench adds to them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Truth:
    """One kind of pulse, in V and us. `rise_us` is from 10 to 90 %, `ring` how far an edge overshoots."""

    level_v: float = 0.5
    width_us: float = 200.0
    gap_us: float = 0.0
    second_width_us: float = 200.0
    second_level_v: float = 0.5
    rise_us: float = 0.0
    ring: float = 0.0
    ring_us: float = 8.0

    @property
    def charge(self) -> float:
        """V times s of the first phase: an edge that goes on into the second one leaves out what is below zero."""
        joined = self.gap_us < self.rise_us / 0.8
        lost_us = self.rise_us / 1.6 * self.second_level_v / (self.level_v + self.second_level_v) if joined else 0.0
        return self.level_v * (self.width_us - lost_us) * 1e-6


@dataclass(frozen=True, slots=True)
class Bench:
    """What the oscilloscope adds. Noise in V (standard deviation), hum in V (amplitude)."""

    rate_hz: float = 1e6
    noise_v: float = 0.0
    offset_v: float = 0.0
    drift_v_per_s: float = 0.0
    hum_v: float = 0.0
    hum_hz: float = 50.0
    inverted: bool = False
    bits: int = 0  # 0: not quantised; else codes over `range_v` to each side
    range_v: float = 1.0
    seed: int = 1


def steady(period_s: float, count: int, first_s: float = 0.011) -> Floats:
    """Onsets of an even train."""
    return np.asarray(first_s + np.arange(count) * period_s, np.float64)


def capture(onsets_s: Sequence[float] | Floats, truth: Truth, bench: Bench, seconds: float) -> Floats:
    """The samples, in V: each sample is the instant's value, on edges that lie anywhere between samples."""
    return np.asarray(on_bench(drawn(onsets_s, truth, bench.rate_hz, seconds), bench), np.float64)


def drawn(onsets_s: Sequence[float] | Floats, truth: Truth, rate_hz: float, seconds: float) -> Floats:
    """What flows, without what a bench adds."""
    samples: Floats = np.zeros(round(seconds * rate_hz), np.float64)
    span_us = truth.width_us + truth.gap_us + truth.second_width_us + 12 * truth.ring_us * (truth.ring > 0)
    span_us += 4 * truth.rise_us
    for onset_s in onsets_s:
        begin = max(0, int(np.ceil((onset_s - 3e-6 * truth.rise_us) * rate_hz)))
        end = min(len(samples), int(np.ceil((onset_s + span_us * 1e-6) * rate_hz)) + 1)
        at_us = (np.arange(begin, end) / rate_hz - onset_s) * 1e6
        back_us = truth.width_us + truth.gap_us
        samples[begin:end] += truth.level_v * (_edge(at_us, truth) - _edge(at_us - truth.width_us, truth))
        samples[begin:end] -= truth.second_level_v * (
            _edge(at_us - back_us, truth) - _edge(at_us - back_us - truth.second_width_us, truth)
        )
    return samples


def _edge(at_us: Floats, truth: Truth) -> Floats:
    """A step at 0, as steep as told, half way at 0, that rings."""
    span_us = truth.rise_us / 0.8
    step: Floats = np.clip(at_us / span_us + 0.5, 0, 1) if span_us else (at_us >= 0).astype(np.float64)
    if truth.ring:
        after = np.maximum(at_us - span_us / 2, 0)
        wave = truth.ring * np.exp(-after / truth.ring_us) * np.sin(2 * np.pi * after / truth.ring_us)
        step = step + np.where(at_us > span_us / 2, wave, 0.0)
    return step


def on_bench(samples: Floats, bench: Bench) -> Floats:
    """The same as the oscilloscope has it."""
    times = np.arange(len(samples)) / bench.rate_hz
    seen = (-samples if bench.inverted else samples) + bench.offset_v + bench.drift_v_per_s * times
    seen = seen + bench.hum_v * np.sin(2 * np.pi * bench.hum_hz * times + 0.3)
    if bench.noise_v:
        seen = seen + np.random.default_rng(bench.seed).normal(0, bench.noise_v, len(samples))
    if bench.bits:
        step = 2 * bench.range_v / 2**bench.bits
        seen = np.clip(np.round(seen / step) * step, -bench.range_v, bench.range_v - step)
    return seen
