"""A row of pulses as a pattern: bands and when they change, pulses that are missing or too many, jitter, dead time.

A pulse belongs to the band whose period it is to the next pulse: at a switch the first pulse of a band already has its
own. An interval near no band's period says nothing, and the pulse stays in the band before it. So does the last pulse
of all, which has no interval, unless its width is another band's.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from stimctl.capture.cutter import Pulses
from stimctl.capture.pulses import PulseMeasurements

_NEAR = 0.3  # of a period: an interval that far off tells no band
_SPREAD = 2.2  # intervals further apart than this factor are of different bands where nobody says which there are
_LIKE = 0.15  # of a width
PAUSE_S = 5.0
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class PulseRun:
    """One stay in a band: pulses `begin` to `end` of the capture's, and how many are missing or extra.

    `jitter_s` is the standard deviation of the onsets from an even row, `worst_s` the farthest one.
    """

    band: int
    begin: int
    end: int
    first_s: float
    last_s: float
    missing: int
    extra: int
    jitter_s: float
    worst_s: float

    @property
    def count(self) -> int:
        """How many pulses it has."""
        return self.end - self.begin


@dataclass(frozen=True, slots=True)
class MeasuredTrain:
    """The pattern: each band's period, which band each pulse is in, and the stays in them in order."""

    periods_s: tuple[float, ...]
    bands: Ints
    runs: tuple[PulseRun, ...]

    def dwells_s(self, band: int) -> list[float]:
        """From the first pulse of a stay to the first of the next, where both are in the capture."""
        whole = zip(self.runs[1:], self.runs[2:], strict=False)
        return [after.first_s - run.first_s for run, after in whole if run.band == band and run.band != after.band]

    @property
    def switches_s(self) -> list[float]:
        """When another band begins."""
        return [after.first_s for run, after in zip(self.runs, self.runs[1:], strict=False) if run.band != after.band]


def train_of(pulses: Pulses, expected_s: Sequence[float] = ()) -> MeasuredTrain:
    """The pattern of pulses in order. `expected_s` are the periods there should be; without, they are looked for."""
    onsets: Floats = pulses["onset_s"]
    if len(onsets) < 2:
        return MeasuredTrain(
            (), np.zeros(len(onsets), np.int64), tuple(_runs(onsets, np.zeros(len(onsets), np.int64), (0.0,)))
        )
    intervals = np.diff(onsets)
    named = tuple(expected_s) or _periods(intervals)
    nearest = np.argmin(np.abs(np.log(intervals)[:, None] - np.log(named)), axis=1)
    of_each = [intervals[nearest == band] for band in range(len(named))]
    periods_s = tuple(
        _typical(each, name) if len(each) else float("nan") for each, name in zip(of_each, named, strict=True)
    )
    bands = _by_width(_bands(intervals, nearest, np.array(periods_s)), pulses["width_s"])
    return MeasuredTrain(periods_s, bands, tuple(_runs(onsets, bands, periods_s)))


def _typical(intervals: Floats, named: float) -> float:
    """The mean of those that are no multiples: a missing pulse makes an interval of two periods."""
    middle = float(np.median(intervals))
    near = intervals[np.abs(intervals / middle - 1) < _NEAR]
    once = intervals[np.abs(intervals / named - 1) < _NEAR]
    return float(np.mean(once if len(once) > len(intervals) / 3 else near))


def _periods(intervals: Floats) -> tuple[float, ...]:
    """Groups of like intervals of which there are enough to be a band."""
    ordered = np.sort(intervals)
    groups = np.split(ordered, np.flatnonzero(ordered[1:] > _SPREAD * ordered[:-1]) + 1)
    enough = [group for group in groups if len(group) >= max(3, len(intervals) / 50)] or [ordered]
    return tuple(float(np.median(group)) for group in reversed(enough))


def _bands(intervals: Floats, nearest: Ints, periods_s: Floats) -> Ints:
    """Each pulse's band, from the interval after it where that tells one, else from the pulse before."""
    tells = np.abs(intervals / periods_s[nearest] - 1) < _NEAR
    chosen = np.where(tells, np.arange(len(intervals)), -1)
    last = np.maximum.accumulate(chosen)
    first = int(np.argmax(tells)) if tells.any() else 0
    bands = nearest[np.where(last >= 0, last, first)]
    return np.concatenate((bands, bands[-1:]))


def _by_width(bands: Ints, widths: Floats) -> Ints:
    """The last pulse has no interval after it: where its width is another band's and not that of the one before."""
    own, last = int(bands[-1]), float(widths[-1])
    typical = {int(band): float(np.nanmedian(widths[:-1][bands[:-1] == band])) for band in np.unique(bands[:-1])}
    near = [band for band, width in typical.items() if abs(last / width - 1) < _LIKE]
    if own not in near and len(near) == 1:
        bands[-1] = near[0]
    return bands


def _runs(onsets: Floats, bands: Ints, periods_s: Sequence[float]) -> Iterator[PulseRun]:
    if not len(onsets):
        return
    changes = np.diff(bands) != 0
    changes |= np.diff(onsets) > np.maximum(PAUSE_S, 6 * np.array(periods_s)[bands[:-1]])
    edges = [0, *(np.flatnonzero(changes) + 1).tolist(), len(onsets)]
    for begin, end in pairwise(edges):
        band, times = int(bands[begin]), onsets[begin:end]
        steps = np.round(np.diff(times) / periods_s[band]).astype(np.int64) if len(times) > 1 else np.zeros(0, np.int64)
        numbers = np.concatenate(([0], np.cumsum(steps)))
        off = _off(numbers, times)
        yield PulseRun(
            band=band, begin=begin, end=end, first_s=float(times[0]), last_s=float(times[-1]),
            missing=int(np.maximum(steps - 1, 0).sum()), extra=int(np.count_nonzero(steps == 0)),
            jitter_s=float(np.std(off)), worst_s=float(np.max(np.abs(off))),
        )  # fmt: skip


def _off(numbers: Ints, times: Floats) -> Floats:
    """How far onsets lie from the straight line through them."""
    if len(times) < 3:
        return np.zeros(len(times))
    slope, at = np.polyfit(numbers, times - times[0], 1)
    off: Floats = times - times[0] - (slope * numbers + at)
    return off


def spans_s(pulses: Pulses) -> Floats:
    """From the onset of each pulse to its end."""
    spans: Floats = pulses["width_s"] + np.nan_to_num(pulses["gap_s"]) + np.nan_to_num(pulses["second_width_s"])
    return spans


@dataclass(frozen=True, slots=True)
class DeadTime:
    """From the end of a pulse on one channel to the next on the other: the shortest, and how often there was none."""

    shortest_s: float
    overlaps: int


def dead_time(one: PulseMeasurements, two: PulseMeasurements) -> DeadTime | None:
    """Between two channels; None where their pulses never follow each other."""
    onsets = np.concatenate((one.pulses["onset_s"], two.pulses["onset_s"]))
    ends = onsets + np.concatenate((spans_s(one.pulses), spans_s(two.pulses)))
    channel = np.repeat([0, 1], [len(one.pulses), len(two.pulses)])
    order = np.argsort(onsets, kind="stable")
    onsets, ends, channel = onsets[order], ends[order], channel[order]
    other = np.diff(channel) != 0
    if not other.any():
        return None
    gaps = (onsets[1:] - ends[:-1])[other]
    return DeadTime(float(gaps.min()), int(np.count_nonzero(gaps < 0)))
