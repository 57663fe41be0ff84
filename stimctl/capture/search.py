"""Where in a long row of samples something stands out of the baseline.

Not each sample is looked at: a phase lasts 100 us at least, so one look each 40 us meets it twice. The
baseline is taken anew for each piece of some ten milliseconds, so that offset and drift do no harm; a threshold lies
over the noise and over what the baseline does by itself: the mains' hum. A drift on which that rides is taken off.
"""

from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from stimctl.capture.beside import side_by_side, unbuffered
from stimctl.capture.model import Samples

LOOK_S = 40e-6
MOST_STRIDE = 16
PIECE_S = 0.04
PIECE_SAMPLES = 1 << 14
SIGMAS = 6.0
MERGE_S = 0.7e-3  # what is closer belongs to one pulse: gaps have 100 us at most, the next channel comes after 2.5 ms
_PARTS_OF_ROW = (0.25, 0.4, 0.5, 0.6, 0.75)  # no phase fills a quarter of it
_SINE = 0.618  # of a sine's amplitude: what lies between 40 and 60 % of its values
_QUARTERS = 1.414  # of it: what lies between its quarters
_OF_NOISE = 0.954  # the same, of noise, over that
_TOGETHER = 1 << 18  # looks at a time: with fewer, Python takes longer than NumPy [choice]
_READ_BYTES = 1 << 20  # at a time: they stay in the cache of a processor's core [choice]
_WORTH_TWO = 1 << 20  # samples are worth two threads
_FEW_VALUES = 20_000  # tell the codes of a noisy input
_FEW_CODES = 32  # more of them lie side by side, and differ by how a file rounds them
_PARTS = 4  # of the smallest difference are looked at
_NEAR = 16  # times that: larger ones are not written finely enough to count
_WHOLE = 0.1  # of a code off a whole number of them is as good as none
_FEW = 257  # looks tell the baseline of a piece
_LEVEL = 0.1  # of what stands out: a baseline that rises by less is level
Places = npt.NDArray[np.int64]
Read = Callable[[int, int], object]


class Levels(NamedTuple):
    """What a row of samples is like where nothing happens, in its own numbers."""

    noise: float  # standard deviation from sample to sample
    step: float  # its resolution


class Spans(NamedTuple):
    """The first and the last sample, of those looked at, of each thing that stands out.

    `wander` is what the baseline does by itself: the amplitude of a sine that would lie about it as its samples do.
    """

    first: Places
    last: Places
    wander: float = 0.0


def levels_of(samples: Samples, step: float = 0.0) -> Levels:
    """Noise from the differences of neighbours and of samples some apart, whose median pulses do not move."""
    size = min(len(samples), 256)
    if size < 8:
        return Levels(0.0, step)
    starts = np.linspace(0, len(samples) - size, 64).astype(np.int64)
    rows = np.lib.stride_tricks.sliding_window_view(samples, size)[starts].astype(np.float64)
    rows = rows[np.isfinite(rows).all(axis=1)]
    if not len(rows):
        return Levels(0.0, step)
    apart = [np.abs(rows[:, lag:] - rows[:, :-lag]) for lag in (1, 3)]
    noise = float(max(np.median(each) for each in apart)) / (0.6745 * np.sqrt(2))
    step = step or step_of(samples)
    if noise < step:  # the median of whole steps is one of them, or none: what is small is looked at
        small = apart[0][apart[0] < 4.5 * step]
        noise = float(np.sqrt(np.mean(small**2) / 2)) if len(small) else noise
    return Levels(noise, step)


def step_of(samples: Samples, looks: int = _FEW_VALUES) -> float:
    """What the differences of values are multiples of; 0 where they are too few to be an oscilloscope's codes.

    That is the smallest difference, or a part of it: of quiet samples few codes are seen, on edges, and fewer where not
    all samples are looked at.
    """
    seen = np.unique(samples[:: max(1, len(samples) // looks)])
    apart = np.diff(seen[np.isfinite(seen)]).astype(np.float64)
    if not len(apart) or apart.min() >= apart.sum() / 8:
        return 0.0
    step, near = float(apart.min()), apart[apart < _NEAR * apart.min()]
    for part in range(1, _PARTS + 1 if len(apart) < _FEW_CODES else 1):
        codes = near * part / step
        if np.abs(codes - np.round(codes)).max() < _WHOLE:
            return step / part
    return step


def stride_of(interval_s: float) -> int:
    """Every which sample is looked at."""
    return max(1, min(MOST_STRIDE, int(LOOK_S / interval_s)))


def _unread(begin: int, end: int) -> None:
    pass


def spans_in(samples: Samples, interval_s: float, levels: Levels, read: Read = _unread) -> Spans:
    """All that stands out, in order.

    `read` is called, in two threads, with each stretch of the samples when it is looked at: what else has to be known
    of them is told while they lie in the cache.
    """
    stride = stride_of(interval_s)
    turns, wander = _turns(samples, interval_s, stride, levels, read)
    first, last = turns[::2], turns[1::2] - stride
    if not len(first):
        return Spans(first, last, wander)
    breaks = np.flatnonzero(first[1:] - last[:-1] > max(2, round(MERGE_S / interval_s)))
    return Spans(first[np.concatenate(([0], breaks + 1))], last[np.concatenate((breaks, [len(last) - 1]))], wander)


def _turns(samples: Samples, interval_s: float, stride: int, levels: Levels, read: Read) -> tuple[Places, float]:
    """Where what is looked at begins and ceases to be out of the ordinary, in turns, and how the baseline wanders.

    What stands out at the very end ceases one look after it.
    """
    size = min(len(samples), max(PIECE_SAMPLES, round(PIECE_S / interval_s)))
    size -= size % stride if size > stride else 0
    if not size:
        return np.empty(0, np.int64), 0.0
    whole = len(samples) // size * size
    turns, wander = _in_halves(samples[:whole].reshape(-1, size), stride, levels, read)
    if whole < len(samples):
        read(whole, len(samples))
        # The rest has the baseline of the last whole piece's length, so that a pulse does not fill it.
        begin = max(0, len(samples) - size)
        begin -= begin % stride
        before = samples[:whole].reshape(-1, size)[-2:, :: stride * max(1, size // stride // _FEW)]
        rise = float(np.median(before[-1]) - np.median(before[0]))
        rest = _in_rows(samples[begin:].reshape(1, -1), begin, stride, levels, rise_of_one=rise)[0]
        turns = np.concatenate((_until(turns, whole), _until(rest, whole, after=True)))
    return turns, wander


def _until(turns: Places, place: int, *, after: bool = False) -> Places:
    """What of turns lies before a place, or `after` it: what goes on there is ended there, or begun."""
    number = int(np.searchsorted(turns, place))
    if after:
        return np.concatenate(([place], turns[number:])) if number % 2 else turns[number:]
    return np.concatenate((turns[:number], [place])) if number % 2 else turns[:number]


def _in_halves(rows: Samples, stride: int, levels: Levels, read: Read) -> tuple[Places, float]:
    """The turns in all rows, counted through them, and how the baseline wanders in one.

    What goes on where the second half begins ends there and begins anew: that is near enough to be one thing.
    """
    half = len(rows) // 2 if rows.size > _WORTH_TWO else 0
    parts = [(rows[begin:end], begin * rows.shape[1]) for begin, end in pairwise((0, half, len(rows))) if end > begin]
    found = side_by_side(lambda part: _in_rows(*part, stride, levels, read), parts)
    turns, wanders = (np.concatenate(each) for each in zip(*found, strict=True))
    return turns, float(np.median(wanders))


def _baseline(few: Samples, levels: Levels) -> tuple[Samples, Samples, Samples]:
    """Of each row, from a few looks: its middle, how it wanders, and how far off the middle nothing stands out."""
    few = np.sort(few, axis=1)
    lower, low, middle, high, upper = (few[:, int(few.shape[1] * part), None] for part in _PARTS_OF_ROW)
    wander = (high - low) / _SINE
    quarters = np.sqrt(np.maximum(((upper - lower) / _QUARTERS) ** 2 - (_OF_NOISE * levels.noise) ** 2, 0))
    by_itself = np.maximum(1.2 * wander, 1.75 * quarters)
    return middle, wander, (SIGMAS * levels.noise + by_itself + 1.5 * levels.step).astype(few.dtype)


def _rise(middle: Samples) -> Samples:
    """By how much a drift lifts the baseline from the begin of each row to its end, as its neighbours' middles tell.

    A step of the baseline lies to one side of a row and is none.
    """
    apart = np.diff(middle, axis=0)
    before, after = np.concatenate((apart[:2][-1:], apart)), np.concatenate((apart, apart[-2:][:1]))
    nearer = np.where(np.abs(before) < np.abs(after), before, after)
    rise: Samples = np.where(before * after > 0, nearer, 0)
    return rise


def _in_rows(
    rows: Samples, begin: int, stride: int, levels: Levels, read: Read = _unread, *, rise_of_one: float = 0.0
) -> tuple[Places, Samples]:
    """The turns in these rows, and how the baseline wanders in each.

    `begin` is the number of their first sample. `rise_of_one` is by how much a drift lifts the baseline along one row,
    for a row without neighbours.

    Some rows at a time are looked at in a piece of memory that the processor's cache holds: the whole is read once, and
    nothing of its size is made.
    """
    size = rows.shape[1]
    looks, at_once = -(-size // stride), max(1, _READ_BYTES // (size * rows.itemsize))
    together = min(len(rows), max(1, _TOGETHER // looks))
    room = np.empty((together, looks), rows.dtype)
    out, under, turned = (np.zeros(room.size + more, bool) for more in (1, 0, 0))
    turns, wanders = [], []
    ramp = (np.arange(looks) / looks - 0.5).astype(rows.dtype)
    for row in range(0, len(rows), together):
        seen = room[: len(rows) - row]
        for first in range(row, row + len(seen), at_once):
            part = rows[first : min(first + at_once, row + len(seen))]
            read(begin + first * size, begin + first * size + part.size)
            np.copyto(seen[first - row :][: len(part)], part[:, ::stride])
        few = seen[:, :: max(1, looks // _FEW)]
        middle, wander, over = _baseline(few, levels)
        rise = np.full_like(middle, rise_of_one)
        if np.ptp(middle) > _LEVEL * over.min():
            rise = _rise(middle)
        if (np.abs(rise) > _LEVEL * over).any():
            seen -= rise * ramp
            middle, wander, over = _baseline(few, levels)
        new, low_too, turn = out[1 : seen.size + 1], under[: seen.size], turned[: seen.size]
        with unbuffered():
            np.greater(seen, middle + over, out=new.reshape(seen.shape))
            np.less(seen, middle - over, out=low_too.reshape(seen.shape))
        np.logical_or(new, low_too, out=new)
        np.not_equal(new, out[: seen.size], out=turn)
        turns.append((np.flatnonzero(turn) + row * looks) * stride + begin)
        wanders.append(wander)
        out[0] = new[-1]
    if out[0]:
        turns.append(np.array([begin + len(rows) * looks * stride]))
    return np.concatenate(turns), np.concatenate(wanders)
