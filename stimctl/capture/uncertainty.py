"""How far off a figure may be: standard uncertainties by the GUM (JCGM 100:2008), combined as roots of sums of squares.

What is seen to scatter counts by its scatter (type A). What cannot be seen in a capture counts by its bounds, as a
rectangle (type B): the oscilloscope's gain, the load's tolerance, the time base. Sampling is of both: an edge lies half
a sample to each side, at most, of where it is seen. Where onsets wander through the places between samples that becomes
less over many pulses; where the period is a whole number of samples each pulse is off by the same, and it does not; and
where its rest is a fifth of one, edges meet five places, and no number of pulses makes it less than their mean leaves.
Expanded uncertainty is twice the standard one (k = 2, about 95 %).
"""

from dataclasses import dataclass
from math import isqrt

import numpy as np
import numpy.typing as npt

from stimctl.capture.cutter import BASELINE_S
from stimctl.capture.model import Declared
from stimctl.capture.pulses import PulseMeasurements

COVERAGE = 2.0
FEWEST_SAMPLES = 4  # in a phase: fewer have no plateau between their edges
CLEAR_OF_NOISE = 9.0  # fewer times the noise, and only those pulses are found that the noise makes higher
FEWEST_WANDERING = 8  # samples that onsets have to wander by, and pulses to see it
_MOVED = 1.25  # from each place to the next one, and what the first and the last onset are off
_NEAR = 1.5  # samples around the median
LOWEST_CLEAR = 2.5  # times the noise: a phase below that has no edges that can be told
FEW = 30  # pulses: their scatter is told by their standard deviation, and not by less than noise makes
_MEDIAN = 1.2533  # a median's uncertainty over a mean's
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Instrument:
    """What is known of what measured: bounds as parts of the reading. `assumed` names those that nobody declared."""

    gain: float
    load: float
    timebase: float
    assumed: tuple[str, ...] = ()

    @property
    def scale(self) -> float:
        """The standard uncertainty of a current, as a part of it."""
        return float(np.hypot(self.gain, self.load) / np.sqrt(3))


EXACT = Instrument(0.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Figure:
    """A measured value and its expanded uncertainty, in one unit. `reason` says why it could not be measured.

    `over` is whether the value is the most that the instrument can show, and what was measured was higher.
    """

    value: float
    uncertainty: float
    unit: str
    reason: str = ""
    over: bool = False

    @property
    def known(self) -> bool:
        """Whether it could be measured."""
        return not self.reason


def unknown(unit: str, reason: str) -> Figure:
    """What could not be measured, and why."""
    return Figure(float("nan"), float("nan"), unit, reason)


@dataclass(frozen=True, slots=True)
class Judge:
    """Turns what was measured on one column into figures in uA, us and so on, each with its uncertainty."""

    measured: PulseMeasurements
    declared: Declared
    instrument: Instrument

    @property
    def ua(self) -> float:
        """What one of the file's numbers is in uA."""
        return self.declared.ua_per_number

    @property
    def timebase(self) -> float:
        """What times are good for, as a part of them: the instrument's clock, and how it wrote them."""
        return float(np.hypot(self.instrument.timebase, self.measured.interval_part))

    def width(self, seconds: Floats, levels: Floats | None = None, *, single: bool = False) -> Figure:
        """The mean of widths near their median, or with `single` one of them, in us. `levels` are their phase's."""
        if not len(seconds) or np.isnan(seconds).all():
            return unknown("us", "there is no such phase")
        if self._noisy:
            return unknown("us", self._noisy)
        interval_s = self.measured.interval_s
        value_s = _middle(seconds, interval_s)
        if value_s < FEWEST_SAMPLES * interval_s:
            return unknown("us", f"{value_s / interval_s:.1f} samples wide: {FEWEST_SAMPLES} at least are needed")
        bound_s = 0.0 if self._exact(seconds) else interval_s / np.sqrt(6)
        clear = self._clear(levels)
        if clear < LOWEST_CLEAR:
            return unknown("us", f"the phase is {clear:.1f} times the noise: {LOWEST_CLEAR:g} at least are needed")
        own_s = self._noise_of_edges_s(clear)
        typical_s = self._typical(seconds, bound_s, own_s, single=single)
        u_s = np.hypot(np.hypot(typical_s, self._shared_edge_s()), value_s * self.timebase / np.sqrt(3))
        return Figure(value_s * 1e6, COVERAGE * float(u_s) * 1e6, "us")

    def _shared_edge_s(self) -> float:
        """Where a first phase goes over into one that noise blurs, its end is taken at half of the first.

        Whether the two are one edge cannot be told there. If they are, its middle comes later, by as much in each
        pulse: no mean takes that away. A standard uncertainty.
        """
        pulses = self.measured.pulses
        known = pulses[~np.isnan(pulses["second_level"])]
        if not len(known) or self._clear(known["second_level"]) >= CLEAR_OF_NOISE:
            return 0.0
        first, second = float(np.median(known["level"])), float(np.median(known["second_level"]))
        whole_s = self._rise_s() / 0.8  # of which rises are told from 10 to 90 %
        if not np.nanmedian(known["gap_s"]) <= whole_s:
            return 0.0
        return float(whole_s * second / 2 / (first + second) / np.sqrt(3))

    def _rise_s(self) -> float:
        """Of a first phase, and no less than a sample."""
        rises = self.measured.pulses["rise_s"][np.isfinite(self.measured.pulses["rise_s"])]
        return max(float(np.median(rises)) if len(rises) else 0.0, self.measured.interval_s)

    def _exact(self, seconds: Floats) -> bool:
        """Whether these are exact samples whose edges all fall on samples, as widths that never vary show."""
        return self.measured.simulated and bool(np.nanstd(seconds) < 1e-9)

    def sampling_s(self, seconds: Floats) -> float:
        """By how much widths are off on average because edges lie between samples: a standard uncertainty."""
        if not len(seconds) or np.isnan(seconds).all() or self._exact(seconds):
            return 0.0
        bound_s = self.measured.interval_s / np.sqrt(6)
        return float(bound_s * self._left(len(seconds)))

    def _left(self, count: int) -> float:
        """Which part of what sampling may do to one pulse is left in a mean of so many."""
        return 1 / min(self.places, float(np.sqrt(count)))

    @property
    def places(self) -> int:
        """At how many places between samples edges lie, as far as pulses tell: 1 where a period is whole samples.

        A period whose rest is a third of a sample meets three, unless it moves on from them. More than the root of the
        number of pulses do not matter.
        """
        intervals = np.diff(self.measured.pulses["onset_s"]) / self.measured.interval_s
        if len(intervals) < FEWEST_WANDERING:
            return 1
        like = intervals[np.abs(intervals - np.median(intervals)) < 1.6]
        if len(like) < FEWEST_WANDERING:
            return 1
        mean, most = float(np.mean(like)), isqrt(len(like)) + 1
        for places in range(1, most):
            moved = abs(places * mean - round(places * mean)) * len(like)
            if moved <= (FEWEST_WANDERING if places == 1 else _MOVED * places):
                return places
        return most

    def level(self, numbers: Floats, widths_s: Floats, *, single: bool = False) -> Figure:
        """The median of amplitudes, or with `single` one of them, in uA."""
        if not len(numbers) or np.isnan(numbers).all():
            return unknown("uA", "there is no such phase")
        value, noise, step = float(np.nanmedian(numbers)), self.measured.noise, self.measured.step
        samples = float(np.nanmedian(widths_s)) / self.measured.interval_s
        if samples < FEWEST_SAMPLES:
            return unknown("uA", f"{samples:.1f} samples wide: {FEWEST_SAMPLES} at least are needed for a plateau")
        if self._noisy:
            return unknown("uA", self._noisy)
        # Noise of half a step and more spreads a level over codes, so that their mean tells it finer than a step.
        codes = 0.0 if self.measured.simulated else step / np.sqrt(12)
        codes /= np.sqrt(max(1.0, samples / 2)) if noise > step / 2 else 1.0
        hum = 0.03 * self.measured.mains
        before = BASELINE_S / self.measured.interval_s
        own = 0.0 if self.measured.simulated else noise * float(np.sqrt(2 / samples + 1 / before))
        u = np.sqrt(
            self._typical(numbers, codes, own, single=single) ** 2 + (value * self.instrument.scale) ** 2 + hum**2
        )
        return Figure(value * self.ua, COVERAGE * float(u) * self.ua, "uA")

    def charge(self, numbers: Floats, level: Figure, width: Figure) -> Figure:
        """The median charge of a phase, in nC: its parts are those of its amplitude and of its width."""
        for part in (level, width):
            if not part.known:
                return unknown("nC", part.reason)
        if np.isnan(numbers).all():
            return unknown("nC", "there is no such phase")
        value = float(np.nanmedian(numbers)) * self.ua * 1e3
        parts = level.uncertainty / level.value, width.uncertainty / width.value
        return Figure(value, abs(value) * float(np.hypot(*parts)), "nC")

    def rate(self, period_s: float, jitter_s: float, count: int) -> Figure:
        """Of a band, in Hz: over many periods the first and the last onset are left, by their sampling and noise.

        Two pulses have no jitter to tell of noise; that of their edges does.
        """
        if self._noisy:
            return unknown("Hz", self._noisy)
        if count < 2 or not period_s > 0:
            return unknown("Hz", "fewer than two pulses")
        sampling = self.measured.interval_s / np.sqrt(6) / (max(1, count - 1) * period_s)
        scatter = jitter_s / (np.sqrt(count) * period_s)
        noise = self._noise_of_edges_s(self._clear(None)) / (max(1, count - 1) * period_s)
        part = np.sqrt(sampling**2 + scatter**2 + noise**2 + self.timebase**2 / 3)
        return Figure(1 / period_s, COVERAGE * float(part) / period_s, "Hz")

    def time(self, seconds: float) -> Figure:
        """A time between two onsets, in s."""
        sampling_s = self.measured.interval_s / np.sqrt(6)
        u_s = np.hypot(sampling_s, seconds * self.timebase / np.sqrt(3))
        return Figure(seconds, COVERAGE * float(u_s), "s")

    @property
    def _noisy(self) -> str:
        """Why nothing can be told because of noise; empty where it can."""
        levels = self.measured.pulses["level"]
        if not len(levels) or self.measured.simulated or not self.measured.noise:
            return ""
        times = float(np.nanmedian(levels)) / self.measured.noise
        reason = f"first phases are {times:.1f} times the noise: {CLEAR_OF_NOISE:g} at least are needed"
        return reason if times < CLEAR_OF_NOISE else ""

    def _clear(self, levels: Floats | None) -> float:
        """How many times the noise a phase is; infinite for exact samples."""
        levels = self.measured.pulses["level"] if levels is None else levels
        if self.measured.simulated or not self.measured.noise or not len(levels) or np.isnan(levels).all():
            return float("inf")
        return float(np.nanmedian(levels)) / self.measured.noise

    def _noise_of_edges_s(self, clear: float) -> float:
        """By how much noise moves both edges of a phase: along the edge, or by samples where it is high."""
        return float(np.sqrt(2) * max(self._rise_s() / clear, self.measured.interval_s * (2 / clear) ** 2))

    def _typical(self, values: Floats, bound: float, own: float, *, single: bool) -> float:
        """Of a median or of one value: scatter (`own` at least, where few show it), and what of a bound it leaves."""
        there = values[~np.isnan(values)]
        count = len(there)
        scatter = 1.4826 * float(np.median(np.abs(there - np.median(there)))) if count > 1 else 0.0
        if count < FEW:
            scatter = max(own, float(np.std(there, ddof=1)) if count > 1 else 0.0)
        if single:
            return float(np.hypot(max(scatter, own), bound))
        return float(np.hypot(_MEDIAN * scatter / np.sqrt(count), bound * self._left(count)))

    def direct_current(self, reference: PulseMeasurements | None, aliased: float) -> Figure:
        """The mean of all, less that of a capture with the outputs disabled, in uA.

        `aliased` is the standard uncertainty that edges between samples leave in the mean, in the file's numbers.
        """
        if reference is None and not self.measured.simulated:
            why = "needs a reference capture with the outputs disabled (--reference): zero is not known without"
            return unknown("uA", why)
        if not np.isfinite(self.measured.mean):
            return unknown("uA", "samples are beyond the end of the oscilloscope's scale")
        zero, zero_u = (reference.mean, reference.mean_u) if reference is not None else (0.0, 0.0)
        own_u = 0.0 if self.measured.simulated else self._mean_u()
        value = (self.measured.mean - zero) * self.ua * self.measured.direction
        u = np.sqrt(own_u**2 + np.nan_to_num(zero_u) ** 2 + aliased**2) * self.ua
        return Figure(value, COVERAGE * float(np.hypot(u, value * self.instrument.scale)), "uA")

    def _mean_u(self) -> float:
        """Of the mean: noise over all samples, and codes. How full of pulses a part is says nothing of it."""
        samples = self.measured.duration_s / self.measured.interval_s
        fine = np.sqrt(samples) if self.measured.noise > self.measured.step / 2 else 1.0
        return float(np.hypot(self.measured.noise / np.sqrt(samples), self.measured.step / np.sqrt(12) / fine))


def _middle(seconds: Floats, interval_s: float) -> float:
    """The mean of those near the median. Steep edges make a width a whole number of samples, and so their median."""
    there = seconds[~np.isnan(seconds)]
    off = np.abs(there - np.median(there))
    return float(np.mean(there[off <= max(_NEAR * interval_s, 3 * float(np.median(off)))]))
