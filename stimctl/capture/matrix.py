"""Pulses as rows of one matrix: their sums, and where they cross a height.

`EachRow` looks through each row by itself. `AlikeRows` is for rows that cross at the same samples, as those of an even
train do whose period is a whole number of samples: one place is every row's, and what is said of a sample is said of
all rows at once. Short rows are turned in memory too, so that the same sample of all of them lies together.

Places are given and taken with a last axis of one for each row, or of one for all.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from stimctl.capture.beside import unbuffered
from stimctl.capture.model import Samples

_LOOKED_AT = 8  # rows, before all of them are turned
_FEWEST = 16  # rows are worth it
_LONG = 256  # samples: such rows are fast as they lie
_TURNED = 512  # rows at a time: of more, the processor's first cache holds no line of each
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


class UnlikeRows(Exception):
    """They do not cross at the same samples."""


class EachRow:
    """Rows of whatever kind."""

    def __init__(self, rows: Samples, lead: int, before: int) -> None:
        self.baseline = rows[:, :lead].mean(axis=1)
        with unbuffered():
            self._heights = np.subtract(rows[:, before:], self.baseline[:, None], order="C")
        self._begins = np.arange(len(rows)) * self._heights.shape[1]
        self._sums: Floats | None = None

    @property
    def length(self) -> int:
        """How many samples a row has."""
        return int(self._heights.shape[1])

    def up(self, sign: Ints) -> None:
        """Turn over those rows whose sign is -1. Nothing may have been summed before."""
        self._heights *= sign.astype(self._heights.dtype)[:, None]

    def few(self, count: int) -> Samples:
        """The first of them, each a row."""
        few: Samples = self._heights[:count]
        return few

    def peaks(self) -> Samples:
        """The highest of each row, and the lowest."""
        return np.stack((self._heights.max(axis=1), self._heights.min(axis=1)))

    def squares(self) -> Floats:
        """The sum of the squares of each row."""
        squares: Floats = np.einsum("ij,ij->i", self._heights, self._heights)
        return squares

    def at(self, place: Ints) -> Floats:
        """One sample of each row."""
        taken: Floats = self._heights.reshape(-1).take(self._begins + place).astype(np.float64)
        return taken

    def between(self, begin: Ints, end: Ints) -> Floats:
        """The sum of each row's samples from `begin` up to `end`, in doubles: it is a difference of two."""
        if self._sums is None:
            self._sums = np.empty(self._heights.size + 1)
            self._sums[0], self._sums[1:] = 0.0, self._heights.reshape(-1)
            np.add.accumulate(self._sums, out=self._sums)
        between: Floats = self._sums.take(self._begins + end) - self._sums.take(self._begins + begin)
        return between

    def mean(self, begin: Ints, end: Ints) -> Floats:
        """Their mean; of one sample at least."""
        end = np.maximum(end, begin + 1)
        mean: Floats = self.between(begin, end) / (end - begin)
        return mean

    def beyond(self, thresholds: Samples, every: int = 1) -> tuple[Ints, Ints, Ints]:
        """Between which samples each row lies over the first threshold, and under the second.

        The first such, and one after the last, of `every` which sample; and how many there are.
        """
        seen = self._heights[:, ::every]
        begin, end, count = (np.empty(thresholds.shape, np.int64) for _ in range(3))
        for side, (compare, limit) in enumerate(zip((np.greater_equal, np.less_equal), thresholds, strict=True)):
            with unbuffered():
                beyond = compare(seen, limit.astype(seen.dtype)[:, None])
            beyond.argmax(axis=1, out=begin[side])
            beyond[:, ::-1].argmax(axis=1, out=end[side])
            count[side] = np.count_nonzero(beyond, axis=1)
        return every * begin, every * (seen.shape[1] - end), count


class AlikeRows(EachRow):
    """Rows that cross at the same samples; `beyond` raises `UnlikeRows` where they do not."""

    def __init__(self, rows: Samples, lead: int, before: int) -> None:
        if not _look_alike(rows):
            raise UnlikeRows
        short = rows.shape[1] <= _LONG
        turned = _turned(rows) if short else rows.T
        self.baseline = turned[:lead].mean(axis=0)
        with unbuffered():
            self._heights = np.subtract(turned[before:], self.baseline, out=turned[before:] if short else None)

    @property
    def length(self) -> int:
        """How many samples a row has."""
        return len(self._heights)

    def up(self, sign: Ints) -> None:
        """Turn over those rows whose sign is -1."""
        self._heights *= sign.astype(self._heights.dtype)

    def few(self, count: int) -> Samples:
        """The first of them, each a row."""
        return np.ascontiguousarray(self._heights[:, :count].T)

    def peaks(self) -> Samples:
        """The highest of each row, and the lowest."""
        return np.stack((self._heights.max(axis=0), self._heights.min(axis=0)))

    def squares(self) -> Floats:
        """The sum of the squares of each row."""
        squares: Floats = np.einsum("ij,ij->j", self._heights, self._heights)
        return squares

    def at(self, place: Ints) -> Floats:
        """One sample of each row."""
        taken: Floats = self._heights[place[..., 0]].astype(np.float64)
        return taken

    def between(self, begin: Ints, end: Ints) -> Floats:
        """The sum of each row's samples from `begin` up to `end`."""
        pairs = zip(begin.flat, end.flat, strict=True)
        sums = [np.add.reduce(self._heights[a:b], axis=0, dtype=np.float64) for a, b in pairs]
        return np.reshape(sums, (*begin.shape[:-1], -1))

    def beyond(self, thresholds: Samples, every: int = 1) -> tuple[Ints, Ints, Ints]:
        """Between which samples all rows lie over the first threshold, and under the second; and how many do."""
        seen = self._heights[::every]
        begin, end, count = (np.empty((2, 1), np.int64) for _ in range(3))
        for side, (compare, limit) in enumerate(zip((np.greater_equal, np.less_equal), thresholds, strict=True)):
            beyond = compare(seen, limit.astype(seen.dtype))
            every_row = beyond.all(axis=1)
            if not np.array_equal(every_row, beyond.any(axis=1)):
                raise UnlikeRows
            begin[side], end[side] = every_row.argmax(), every_row[::-1].argmax()
            count[side] = np.count_nonzero(every_row)
        return every * begin, every * (len(seen) - end), count


def _turned(rows: Samples) -> Samples:
    turned = np.empty(rows.shape[::-1], rows.dtype)
    for begin in range(0, len(rows), _TURNED):
        turned[:, begin : begin + _TURNED] = rows[begin : begin + _TURNED].T
    return turned


def _look_alike(rows: "npt.NDArray[Any]") -> bool:
    """Whether some rows first lie over half of their height at the same sample: whether turning all may be worth it."""
    if len(rows) < _FEWEST:
        return False
    some = rows[:: len(rows) // _LOOKED_AT]
    some = np.abs(some - some[:, :1])
    first = (some >= some.max(axis=1, keepdims=True) / 2).argmax(axis=1)
    return bool((first == first[0]).all())
