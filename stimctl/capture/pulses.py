"""All pulses of a capture in one reading, in memory of one block.

A block is searched, each thing that stands out is cut out with the baseline before it, and like ones are measured
together. What touches the end of a block is left for the next one.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from stimctl.capture import clipping, shape
from stimctl.capture.between import QUIET_S, Level, Milliseconds, NoPulse, Quiet, levels_between, untouched
from stimctl.capture.cutter import BASELINE_S, REACH_S, SHORTEST_S, Cutter, Pulses
from stimctl.capture.mains import Mains
from stimctl.capture.model import Block, Capture, Column, Samples
from stimctl.capture.search import Levels, Spans, levels_of, spans_in
from stimctl.errors import InputInvalid, Problem

AVERAGED_TO_S = 5e-6
CLEAR = 14.0  # a pulse this many times the noise needs no averaging
_WHOLE = np.dtype((np.void, shape.FIELDS.itemsize))  # a pulse: copied in one go, not field by field
Progress = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class PulseMeasurements:
    """What one column of a capture holds. `pulses` has the fields of `shape.FIELDS`, in the file's numbers, by onset.

    `mean` is the mean of all samples and `mean_u` its standard uncertainty, from how the means of its parts differ.
    """

    source: str
    column: str
    interval_s: float
    start_s: float
    duration_s: float
    pulses: Pulses
    noise: float
    step: float
    mean: float
    mean_u: float
    mains: float = 0.0  # the amplitude of the hum
    averaged: int = 1  # how many samples were taken together against noise
    at_edges: int = 0  # pulses that the capture's begin or end cuts
    ignored: int = 0  # things too short for a phase
    held: int = 0  # levels that stood longer than any pulse
    highest: NoPulse | None = None  # of those and these
    simulated: bool = False
    quiet: Quiet | None = None
    interval_part: float = 0.0
    flat_top: bool = False  # pulses end at one same code without noise: cut off, or quiet
    few_codes: bool = False  # too few to tell one from the next: what is cut off was not looked for

    @property
    def direction(self) -> int:
        """1 where first phases go up, -1 where they go down: an inverted probe, or an inverted output."""
        return int(np.sign(np.median(self.pulses["sign"]))) or 1 if len(self.pulses) else 1


def measure(
    capture: Capture, numbers: tuple[int, ...] | None = None, *, full_scale: float = np.inf,
    progress: Progress | None = None,
) -> list[PulseMeasurements]:  # fmt: skip
    """Measure columns of a capture by number, all of them by default. Raises `InputInvalid` where the file breaks off.

    `full_scale` is the largest number that the oscilloscope could tell; a sample there is clipped.
    """
    numbers = tuple(range(len(capture.columns))) if numbers is None else numbers
    readings = [_Reading(capture, number, full_scale) for number in numbers]
    for block in capture.blocks(numbers):
        for reading, values in zip(readings, block.values, strict=True):
            reading.take(values)
        if progress is not None:
            progress(block.done)
    return [reading.done() for reading in readings]


def measure_samples(samples: Samples, interval_s: float, *, mean: bool = True) -> PulseMeasurements:
    """The same of samples in memory. Without `mean` the mean of all samples is not taken."""
    whole = (Block([samples], 1.0),)
    capture = Capture("samples", "array", interval_s, 0.0, (Column("1"),), lambda _: iter(whole))
    reading = _Reading(capture, 0, np.inf, mean=mean)
    reading.take(samples)
    return reading.done()


@dataclass(slots=True)
class _Reading:
    """One column while it is read."""

    capture: Capture
    number: int
    full_scale: float
    mean: bool = True
    _averaged: int = 0  # 0 while not decided
    _rest: Samples = field(default_factory=lambda: np.empty(0, np.float32))
    _uneven: Samples = field(default_factory=lambda: np.empty(0, np.float32))
    _begin: int = 0  # the number of the first sample of the rest
    _taken: int = 0
    _levels: list[Levels] = field(default_factory=list)
    _found: list[Pulses] = field(default_factory=list)
    _means: list[tuple[float, int]] = field(default_factory=list)
    _mains: list[float] = field(default_factory=list)
    _spreads: list[float] = field(default_factory=list)
    _between: list[tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]] = field(default_factory=list)
    _hum: tuple[Mains | None, int] = (None, 0)  # and the number of the sample from which it counts
    _at_edges: int = 0
    _ignored: int = 0
    _held: list[Level] = field(default_factory=list)
    _highest: NoPulse | None = None

    @property
    def _column(self) -> Column:
        return self.capture.columns[self.number]

    @property
    def interval_s(self) -> float:
        """Between samples, after averaging."""
        return self.capture.interval_s * max(1, self._averaged)

    @np.errstate(invalid="ignore")
    def take(self, samples: Samples) -> None:
        """The next samples. What is over range is infinite: to both sides, it has no mean."""
        if self.mean and len(samples):
            parts = np.array_split(samples, max(1, min(64, len(samples) // 4_096)))
            self._means += [(float(np.add.reduce(part)) / len(part), len(part)) for part in parts]
            # Infinite to both sides has no mean either.
            if any(np.isnan(mean) for mean, _ in self._means[-len(parts) :]) and np.isnan(samples).any():
                read = self._taken * max(1, self._averaged) + len(self._uneven)
                place = read + int(np.argmax(np.isnan(samples)))
                allowed = f"sample {place} is no number: it stops here"
                raise InputInvalid(self.capture.source, [Problem("value", "nan", allowed)])
        levels = None
        if self._averaged == 0:
            levels = levels_of(samples, self._column.resolution)
            self._averaged = _averaging(samples, self.capture, levels)
        samples = self._average(samples) if self._averaged > 1 else np.ascontiguousarray(samples)
        self._taken += len(samples)
        samples = np.concatenate((self._rest, samples)) if len(self._rest) else samples
        self._search(samples, levels if self._averaged == 1 else None, last=False)

    @np.errstate(invalid="ignore")
    def done(self) -> PulseMeasurements:
        """All that was found."""
        self._search(self._rest, None, last=True)
        pulses = _together(self._found)
        noise = float(np.median([each.noise for each in self._levels])) if self._levels else 0.0
        step = min((each.step for each in self._levels if each.step), default=0.0)
        pulses["clipped"] |= clipping.at_full_scale(pulses, self.full_scale)
        codes = 0.0 if self.capture.simulated else step
        spread = float(np.mean(self._spreads)) if self._spreads else 0.0
        pulses["clipped"] |= clipping.cut_off(pulses, noise, codes, spread, self.interval_s)
        undeclared = bool(np.isinf(self.full_scale)) and not self.capture.simulated and not pulses["clipped"].any()
        flat_top = undeclared and clipping.flat_throughout(pulses, codes, self.interval_s)
        mean, mean_u = _mean_of(self._means)
        duration_s = self._taken * self.interval_s
        quiet = self._quiet(noise)
        pulse = float(np.median(pulses["level"])) if len(pulses) else 0.0
        levels = levels_between(quiet, self._held, codes, pulse, max(self._mains, default=0.0))
        return PulseMeasurements(
            source=self.capture.source, column=self._column.name, interval_s=self.interval_s,
            start_s=self.capture.start_s, duration_s=duration_s, pulses=pulses, noise=noise, step=step, mean=mean,
            mean_u=mean_u, mains=max(self._mains, default=0.0), averaged=max(1, self._averaged),
            at_edges=self._at_edges, ignored=self._ignored, held=len(levels), highest=self._worst(levels, pulse),
            simulated=self.capture.simulated, quiet=quiet, interval_part=self.capture.interval_part,
            flat_top=flat_top, few_codes=undeclared and not step and len(pulses) > 0,
        )  # fmt: skip

    def _worst(self, levels: list[Level], pulse: float) -> NoPulse | None:
        """Of spikes and levels. What was beyond the end of the scale was higher than that, or than a pulse."""
        most, averaged = min(self.full_scale, pulse or np.inf), max(1, round(QUIET_S / self.interval_s))
        each_level = (NoPulse(bool(np.isinf(each.height)), each.height, each.begin_s, averaged) for each in levels)
        worst = max(filter(None, (self._highest, *each_level)), default=None)
        return worst._replace(height=most) if worst is not None and worst.over else worst

    def _quiet(self, noise: float) -> Quiet:
        times, levels = (np.concatenate([each[part] for each in self._between] or [np.empty(0)]) for part in (0, 1))
        return Quiet(times, levels, noise / float(np.sqrt(max(1.0, QUIET_S / self.interval_s))))

    def _keep_quiet(self, milliseconds: Milliseconds, end: int, spans: Spans) -> None:
        """The mean of each up to there that no pulse touches, without the hum. A level held for long is no pulse."""
        size, count = milliseconds.size, end // milliseconds.size
        pulse = spans.last - spans.first < REACH_S / self.interval_s
        numbers = untouched(spans.first[pulse] // size, spans.last[pulse] // size, count)
        times = np.asarray((self._begin + numbers * size) * self.interval_s, np.float64)
        levels = milliseconds.means[numbers]
        mains, begin = self._hum
        if mains is not None:
            levels -= mains.at(times - begin * self.interval_s + QUIET_S / 2)
        self._between.append((times, levels))

    def _average(self, samples: Samples) -> Samples:
        samples = np.concatenate((self._uneven, samples))
        whole = len(samples) // self._averaged * self._averaged
        self._uneven = samples[whole:].copy()
        mean: Samples = samples[:whole].reshape(-1, self._averaged).mean(axis=1)
        return mean

    def _search(self, samples: Samples, levels: Levels | None, *, last: bool) -> None:
        """Find and measure what is in the samples, and keep what may go on in those that come.

        `levels` are theirs if they are known.
        """
        if len(samples) < 8:
            self._rest = samples
            return
        # A short rest in which little happens shows too few codes to tell their step: those before have told it.
        before = self._levels[-1].step if self._levels else 0.0
        levels = levels or levels_of(samples, (self._column.resolution if self._averaged == 1 else 0.0) or before)
        self._levels.append(levels)
        milliseconds = Milliseconds(samples, self.interval_s)
        spans = spans_in(samples, self.interval_s, levels, milliseconds.take)
        reach = round((REACH_S + BASELINE_S) / self.interval_s)
        keep = len(samples) - (0 if last else reach)
        inside = spans.last < keep if not last else np.ones(len(spans.last), bool)
        ready = Spans(spans.first[inside], spans.last[inside], spans.wander)
        mains = self._measure(samples, ready, levels)
        unfinished = spans.first[~inside]
        begin = max(0, min(keep, int(unfinished[0]) if len(unfinished) else keep) - reach) if not last else len(samples)
        begin = max(begin, int(ready.last[-1]) + 1 if len(ready.last) else 0)
        if mains is not None or not last:  # the rest is too short to tell how it hums: as what came before it
            self._hum = mains, self._begin
        self._keep_quiet(milliseconds, begin, spans)
        self._rest = samples[begin:].copy()
        self._begin += begin

    def _measure(self, samples: Samples, spans: Spans, levels: Levels) -> Mains | None:
        """Find the pulses in the samples, and tell how these hum."""
        cutter = Cutter(samples, self.interval_s, spans, levels)
        self._at_edges += int(np.count_nonzero(cutter.cut & (spans.last - spans.first > cutter.stride)))
        self._ignored += int(np.count_nonzero(cutter.short))
        self._held += cutter.levels_held(self._begin)
        self._highest = max(filter(None, (self._highest, *cutter.spikes(self._begin))), default=None)
        found = cutter.measured()
        if not found:
            return None
        self._spreads.append(clipping.spread(cutter.baselines(), levels.step))
        pulses = _together(found)
        if (np.diff(pulses["onset_s"]) < 0).any():
            pulses = pulses[np.argsort(pulses["onset_s"], kind="stable")]
        mains = Mains.of(samples, self.interval_s, spans, levels, float(np.median(pulses["level"])))
        if mains is not None:
            mains.take_off(pulses, (cutter.lead / 2 + cutter.margin - cutter.stride / 2) * self.interval_s)
            self._mains.append(mains.amplitude)
        pulses["onset_s"] += self._begin * self.interval_s
        self._found.append(pulses)
        return mains


def _together(found: list[Pulses]) -> Pulses:
    if len(found) < 2:
        return found[0] if found else np.zeros(0, shape.FIELDS)
    return np.concatenate([each.view(_WHOLE) for each in found]).view(shape.FIELDS)


def _averaging(samples: Samples, capture: Capture, levels: Levels) -> int:
    """How many samples to take together: 1 where pulses stand clear of the noise, more where they do not."""
    most = int(AVERAGED_TO_S / capture.interval_s)
    if most < 2 or capture.simulated:
        return 1
    if levels.noise <= levels.step:
        return 1
    spans = spans_in(samples, capture.interval_s, levels)
    long = spans.last - spans.first > SHORTEST_S / capture.interval_s
    if not long.any():
        return most
    heights = [samples[a : b + 1] for a, b in zip(spans.first[long][:50], spans.last[long][:50], strict=True)]
    middle = float(np.median(samples[:: max(1, len(samples) // 10_001)]))
    level = float(np.median([np.median(np.abs(each - middle)) for each in heights]))
    return max(1, min(most, int(np.ceil((CLEAR * levels.noise / level) ** 2)))) if level > 0 else most


def _mean_of(parts: list[tuple[float, int]]) -> tuple[float, float]:
    """The mean of all, and its standard uncertainty from the scatter of some thirty parts of the whole."""
    if not parts:
        return float("nan"), float("nan")
    means, weights = np.array([part[0] for part in parts]), np.array([part[1] for part in parts], float)
    mean = float(np.average(means, weights=weights))
    if not np.isfinite(mean):
        return mean, float("nan")
    groups = np.array_split(np.arange(len(means)), min(32, len(means)))
    of_groups = [float(np.average(means[group], weights=weights[group])) for group in groups]
    return mean, float(np.std(of_groups, ddof=1) / np.sqrt(len(of_groups))) if len(of_groups) > 3 else float("nan")
