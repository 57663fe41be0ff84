"""What flows between the pulses, and what of that stands out of the capture's rest: a spike, or a level of any length.

A piece of some ten milliseconds has a baseline of its own, which a longer level takes with it. So the mean of each
millisecond without a pulse is kept, and judged by the rest of the whole capture. A drift along all of the capture is
taken off: an oscilloscope's own cannot be told from a current that grows as slowly.
"""

from bisect import bisect
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from stimctl.capture.model import Samples

QUIET_S = 1e-3
_SIGMAS = 6.0
_OF_PULSE = 0.002  # so much of a pulse is nothing, where exact samples have no noise
_OF_HUM = 0.05  # is left of it
_FEWEST_CODES = 16  # in a pulse: of eight bits an eighth of the screen. A level alone looks like a step of its height
_FEWEST = 5  # milliseconds: a pulse that was not told from a level touches four; shorter levels stand out of a piece
_PARTS = 16  # of a capture: over one of them most looks meet no edge of a level, and all of them a drift
_ENOUGH = 10_000  # milliseconds, of the whole capture alike: medians of more are no better known [choice]
_FEWEST_OF_DRIFT = 10 * _PARTS  # milliseconds: over fewer noise is steeper
_BENT = 0.1  # of a level is what it bends a hum beside it by, at most
_AS_HIGH = 0.9  # of a level is the same one
_MANY = 0.1  # of the capture: what lasts for less is not its rest
Floats = npt.NDArray[np.float64]
Places = npt.NDArray[np.int64]


class Milliseconds:
    """The mean of each whole millisecond of some samples. Stretches that follow one another give each of them once."""

    def __init__(self, samples: Samples, interval_s: float) -> None:
        self.size = max(1, round(QUIET_S / interval_s))
        count = len(samples) // self.size
        self._rows = samples[: count * self.size].reshape(count, self.size)
        self.means: Floats = np.empty(count)

    def take(self, begin: int, end: int) -> None:
        """Of those that begin with a sample from `begin` up to `end`."""
        those = slice(-(-begin // self.size), -(-end // self.size))
        # Neither `mean`, which takes five times as long, nor a product, whose own threads wait for those of the search.
        sums = np.einsum("ij->i", self._rows[those], dtype=np.promote_types(self._rows.dtype, np.float32))
        np.divide(sums, self.size, out=self.means[those])


class NoPulse(NamedTuple):
    """What stands out and is no pulse, the worst last: its height, in the file's numbers, and when it began.

    `over` is whether it was beyond the end of the scale: it was higher than that. A level's height is the mean of
    `averaged` samples at least.
    """

    over: bool
    height: float
    begin_s: float
    averaged: int = 1


class Quiet(NamedTuple):
    """The mean of each millisecond without a pulse, and when that began (s of the capture's begin)."""

    times: Floats
    levels: Floats
    noise: float  # the standard uncertainty of one of them


class Level(NamedTuple):
    """One that stood longer than any pulse."""

    begin_s: float
    end_s: float
    height: float


def untouched(first: Places, last: Places, count: int) -> Places:
    """Which of so many milliseconds are none of those from `first` to `last` of any pulse, and beside none of them."""
    first, last = np.clip(first, 0, count + 1), np.clip(last, 0, count + 1)
    left = np.ones(count + 3, bool)  # the last three are no millisecond
    for place in range(-1, int((last - first).max(initial=0)) + 2):
        left[np.minimum(first + place, last + 1)] = False
    return np.flatnonzero(left[:count])


def levels_between(quiet: Quiet, of_pieces: list[Level], step: float, pulse: float, hum: float) -> list[Level]:
    """Each of a capture, with its height over the capture's rest: infinite beyond the end of the scale.

    `of_pieces` are those that stand out of their piece, each with its median for a height. `pulse` is a pulse's height,
    and `hum` that of a hum, which was taken off what is quiet.
    """
    known = np.flatnonzero(np.isfinite(quiet.levels))
    some = slice(None, None, max(1, len(known) // _ENOUGH))
    rise, rest = _rest(quiet.times[known[some]], quiet.levels[known[some]])
    apart = np.abs(quiet.levels[known[1:][some]] - quiet.levels[known[:-1][some]])
    own = 1.4826 / np.sqrt(2) * float(np.median(apart)) if len(apart) else 0.0
    step = min(step, pulse / _FEWEST_CODES) if pulse else step
    limit = _SIGMAS * max(own, quiet.noise) + 1.5 * step + _OF_PULSE * pulse + _OF_HUM * hum
    off = np.abs(quiet.levels - rest - rise * quiet.times)
    off[np.isnan(off)] = np.inf
    found = list(_stretches(quiet.times, off, limit))
    begins, alone = [each.begin_s for each in found], []
    for each in of_pieces:
        height = abs(each.height - rest - rise * each.begin_s) if np.isfinite(each.height) else np.inf
        place = bisect(begins, each.end_s) - 1
        of_longer = place >= 0 and each.begin_s <= found[place].end_s + QUIET_S
        if height <= limit + hum:  # the piece's baseline was a level, and this is the rest
            continue
        if not of_longer or height > found[place].height + limit + 2 * hum:
            alone.append(each._replace(height=height))
        elif abs(found[place].begin_s - each.begin_s) < _FEWEST * QUIET_S:  # the same, and known to a sample
            found[place] = found[place]._replace(begin_s=each.begin_s)
    found += alone
    # What was fitted to a hum bends beside a level.
    least = _BENT * max((each.height for each in found), default=0.0) if hum else 0.0
    return [each for each in found if each.height >= least]


def _rest(times: Floats, levels: Floats) -> tuple[float, float]:
    """By how much a drift rises in a second, and what flows at rest where that begins.

    Where two levels have much of the capture, the one nearer to the file's zero is its rest.
    """
    if not len(levels):
        return 0.0, 0.0
    lag, rise = len(levels) // _PARTS, 0.0
    if len(levels) >= _FEWEST_OF_DRIFT:
        rise = float(np.median((levels[lag:] - levels[:-lag]) / (times[lag:] - times[:-lag])))
    # Hum that meets the same places of its wave again and again has a rise too, but no straighter rest without it.
    rise = min(0.0, rise, key=lambda each: _spread(levels - each * times))
    flat = levels - rise * times
    rest = float(np.median(flat))
    off = np.abs(flat - rest)
    far = off > off.max() / 2
    other = float(np.median(flat[far])) if np.mean(far) > _MANY else rest
    return rise, min(rest, other, key=lambda level: abs(level + rise * float(np.median(times))))


def _spread(levels: Floats) -> float:
    return float(np.mean(np.abs(levels - np.median(levels))))


def _stretches(times: Floats, off: Floats, limit: float) -> Iterator[Level]:
    """Where for some milliseconds all are off by more than a limit, each as high as it is highest for as long."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], off > limit, [False]))))
    for begin, end in edges.reshape(-1, 2):
        if end - begin >= _FEWEST:
            least = float(sliding_window_view(off[begin:end], _FEWEST).min(axis=1).max())
            height = float(np.median(off[begin:end][off[begin:end] >= _AS_HIGH * least]))
            full = begin + int(np.argmax(off[begin:end] > height / 2)) if height < np.inf else int(begin)
            # The millisecond in which it began is off by as much of its height as is left of it.
            part = 1 - float(off[full]) / height if off[full] < height < np.inf else 0.0
            begin_s = float(times[full]) + part * QUIET_S
            yield Level(begin_s, float(times[end - 1]) + QUIET_S, height)
