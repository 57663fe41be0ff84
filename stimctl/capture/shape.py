"""What one pulse is: its onset, the width of each phase, the gap, amplitudes and charges, told from its samples.

Each phase is measured against the baseline before its pulse. The histogram of IEEE 181 knows two states and loses a
phase of a pulse that has three, without a word. A phase begins and ends where it crosses half of its plateau, between
two samples on a straight line. The plateau is the mean over the middle half of the phase, so that neither edges nor
ringing are in it. Pulses are rows of one matrix: what is said here of one is done to thousands at a time.
"""

from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from stimctl.capture.matrix import AlikeRows, EachRow, UnlikeRows
from stimctl.capture.model import Samples

_ROUGH = 0.3  # of the highest sample: over the noise, and under what a ringing plateau comes down to
_ROUGH_LOOKS = 48  # along a pulse are enough for that
_FULL = 0.75  # what a phase's mean has to be of its plateau, or it has holes, or begins with what is not of it
_FULL_LONG, _LONG = 0.9, 30  # the same of one with that many samples: its edges weigh less
_CLEAR = 5.0  # times the noise: a lower second phase has to be looked for in what is smoothed
_BACK = 10.0  # times the noise: of a lower phase samples lie back that are not of its edges
_SIDES = np.array([[1], [-1]])  # of the baseline: where a first phase lies, and a second one
_EDGE_ROWS = 64  # of a matrix have the time of their rise measured
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

FIELDS = np.dtype([
    ("onset_s", "f8"), ("width_s", "f8"), ("gap_s", "f8"), ("second_width_s", "f8"),
    ("level", "f8"), ("second_level", "f8"), ("charge", "f8"), ("second_charge", "f8"), ("square", "f8"),
    ("overshoot", "f8"), ("second_overshoot", "f8"), ("droop", "f8"), ("rise_s", "f8"), ("baseline", "f8"),
    ("sign", "i1"), ("clipped", "?"),
], align=True)  # fmt: skip
"""A pulse, in the file's numbers and seconds. NaN where there is no such thing: a phase that is missing. Charges are a
number times seconds, `square` a number squared times seconds."""


class Phase(NamedTuple):
    """A phase in each row, or both: samples `begin` to `end`, where half of its plateau is crossed, if it is whole."""

    begin: Ints
    end: Ints
    from_at: Floats
    to_at: Floats
    level: Floats
    whole: npt.NDArray[np.bool_]


def measured(
    rows: Samples, lead: int, first: int, interval_s: float, noise: float
) -> "tuple[np.ndarray[Any, Any], Any]":
    """Each row as a pulse (`FIELDS`, its onset counted from the row's begin), and which rows are no plain one.

    `lead` samples of each row are baseline, and the sample `first` is inside of the first phase.
    """
    before = lead - 1  # one sample of the baseline, to see that a phase begins after it
    try:
        return _measured(AlikeRows(rows, lead, before), before, first, interval_s, noise)
    except UnlikeRows:
        return _measured(EachRow(rows, lead, before), before, first, interval_s, noise)


def _measured(
    rows: EachRow, before: int, first: int, interval_s: float, noise: float
) -> "tuple[np.ndarray[Any, Any], Any]":
    """The same of rows that begin `before` samples later."""
    sign = np.where(rows.at(np.array([first - before])) >= 0, 1, -1)
    if (sign < 0).any():
        rows.up(sign)
    both, peaks = _phases(rows, noise)
    one, two = (Phase(*(each[which] for each in both)) for which in (0, 1))
    plain = one.whole & two.whole & (two.begin >= one.end) & (-two.level > _CLEAR * noise)
    made = np.zeros(len(sign), FIELDS)
    made["rise_s"] = np.nan
    rise = _rise(rows.few(_EDGE_ROWS), one)
    made["rise_s"][:_EDGE_ROWS] = rise * interval_s
    made["charge"], made["second_charge"] = _charges(rows, one, two) * interval_s
    one, two = _joined(one, two, _typical(rise))
    made["onset_s"], made["width_s"] = (before + one.from_at) * interval_s, (one.to_at - one.from_at) * interval_s
    made["gap_s"] = np.maximum(0.0, two.from_at - one.to_at) * interval_s
    made["second_width_s"] = (two.to_at - two.from_at) * interval_s
    made["level"], made["second_level"] = one.level, -two.level
    made["square"] = rows.squares() * interval_s
    made["overshoot"], made["second_overshoot"] = peaks / both.level - 1
    made["droop"] = _droop(rows, one)
    made["baseline"], made["sign"] = rows.baseline, sign
    return made, ~plain


def _charges(rows: EachRow, one: Phase, two: Phase) -> Floats:
    """The area of each phase, the edges with it: they meet in the middle of what lies between them."""
    between = (one.end + two.begin + 1) // 2
    begin = np.maximum(1, one.begin - np.maximum(2, (one.end - one.begin) // 8))
    end = np.minimum(rows.length, two.end + np.maximum(2, (two.end - two.begin) // 8))
    areas = rows.between(np.stack((begin, between)), np.stack((between, end)))
    areas[1] *= -1
    return areas


def _joined(one: Phase, two: Phase, rise: float) -> tuple[Phase, Phase]:
    """Where one phase goes over into the other without rest, both end and begin in the middle of that one edge.

    Half of each plateau is crossed before and after that: counted so, both would be too narrow. It is one edge when it
    takes no longer than an edge of twice the height and the same time, or of the same steepness.
    """
    apart = two.from_at - one.to_at
    typical = _typical(apart)
    like = np.where(np.abs(apart - typical) < 1, typical, apart)  # noise does not make two kinds of one
    direct = (like <= rise) | ((rise > 3) & (like <= 1.1 * rise / 0.8))
    with np.errstate(all="ignore"):
        cross = one.to_at + apart * two.level / (two.level - one.level)
    to_at, from_at = np.where(direct, cross, one.to_at), np.where(direct, cross, two.from_at)
    return one._replace(to_at=to_at), two._replace(from_at=from_at)


def _typical(values: Floats) -> float:
    """The median of those that there are, or 0."""
    there = values[~np.isnan(values)]
    return float(np.median(there)) if len(there) else 0.0


def _phases(rows: EachRow, noise: float) -> tuple[Phase, Samples]:
    """The phase above the baseline and the one below it, each a row of what is given, and their highest samples.

    On an edge of many samples noise crosses half of the plateau to and fro. The first and the last time lie outside of
    where the edge does, together by as many samples as lie back between them.
    """
    length, peaks = rows.length, rows.peaks()
    begin, end, _ = rows.beyond(_ROUGH * peaks, max(1, length // _ROUGH_LOOKS))
    end = np.minimum(length, end)
    quarter = (end - begin) // 4
    begin, end, count = rows.beyond(rows.mean(begin + quarter, end - quarter) / 2)
    quarter = (end - begin) // 4
    level = rows.mean(begin + quarter, end - quarter)
    level[level == 0] = np.nan
    inside = (begin > 0) & (end < length) & (end > begin)
    half = level / 2
    from_at = begin - 1 + _crossing(rows.at(begin - 1), rows.at(begin), half)
    to_at = end - 1 + _crossing(rows.at(end - 1), rows.at(np.minimum(end, length - 1)), half)
    back = np.where(np.abs(level) > _BACK * noise, (end - begin - count) / 2, 0)
    full = rows.mean(begin, end) / level > np.where(end - begin < _LONG, _FULL, _FULL_LONG)
    return Phase(begin, end, from_at + back, to_at - back, level, inside & full & (level * _SIDES > 0)), peaks


def _at(values: Samples, place: Ints) -> Floats:
    taken: Floats = values[np.arange(len(values)), place].astype(np.float64)
    return taken


def _crossing(before: Floats, after: Floats, half: Floats) -> Floats:
    """Where between two samples a straight line crosses `half`, as a part of the way."""
    step = after - before
    part: Floats = np.clip((half - before) / np.where(step == 0, 1, step), 0, 1)
    return part


def _droop(rows: EachRow, phase: Phase) -> Floats:
    """By how much of its plateau a phase falls from its begin to its end, a straight line through its middle."""
    fifth, middle = (phase.end - phase.begin) // 5, (phase.begin + phase.end) // 2
    early = rows.mean(phase.begin + fifth, middle)
    late = rows.mean(middle, phase.end - fifth)
    apart = np.maximum(1.0, (phase.end - phase.begin - 2 * fifth) / 2)
    droop: Floats = (early - late) / phase.level * (phase.to_at - phase.from_at) / apart
    return droop


def _rise(heights: Samples, phase: Phase) -> Floats:
    """From 10 to 90 % of the plateau, in samples."""
    level = phase.level[: len(heights)]
    ends = []
    for part in (0.1, 0.9):
        limit = (level * part).astype(heights.dtype)
        place = (heights[:, 1:] >= limit[:, None]).argmax(axis=1) + 1
        ends.append(place - 1 + _crossing(_at(heights, place - 1), _at(heights, place), level * part))
    rise: Floats = ends[1] - ends[0]
    return rise


def odd(row: Samples, lead: int, interval_s: float, noise: float) -> "np.ndarray[Any, Any] | None":
    """The same of one row that is no plain pulse: phases may be missing. None where there is not even one."""
    made = np.zeros(1, FIELDS)
    for name in FIELDS.names or ():
        if FIELDS[name].kind == "f":
            made[name] = np.nan
    baseline = float(row[:lead].mean())
    heights = (row - baseline).astype(np.float64)
    runs = _runs(heights, lead, max(5 * noise, 0.25 * float(np.abs(heights[lead:]).max(initial=0.0))))
    if not runs:
        return None
    sign = 1 if heights[runs[0][0]] > 0 else -1
    heights *= sign
    made["baseline"], made["sign"], made["square"] = baseline, sign, float((heights**2).sum()) * interval_s
    first = runs[0]
    begin, end, level = _single(heights, first)
    if level <= 0:  # two spikes, and nothing between them
        return None
    two = _second(heights, runs, (begin, end), noise)
    ends = (
        min(len(heights), first[1] + max(2, (first[1] - first[0]) // 8))
        if two is None
        else round((end + two[0] + 1) / 2)
    )
    made["onset_s"], made["width_s"], made["level"] = begin * interval_s, (end - begin) * interval_s, level
    made["charge"] = heights[lead:ends].sum() * interval_s
    made["overshoot"] = heights[first[0] : first[1]].max() / level - 1
    if two is not None:
        made["gap_s"], made["second_width_s"] = max(0.0, two[0] - end) * interval_s, (two[1] - two[0]) * interval_s
        last = min(len(heights), round(two[1] + max(2.0, (two[1] - two[0]) / 8)))
        made["second_level"], made["second_charge"] = two[2], -heights[ends:last].sum() * interval_s
    return made


def _second(
    heights: Floats, runs: list[tuple[int, int]], first: tuple[float, float], noise: float
) -> tuple[float, float, float] | None:
    """Begin, end and plateau of the second phase: one that stands clear, or one in the noise."""
    clear = next((run for run in runs[1:] if heights[run[0]] < 0), None)
    if clear is not None:
        return _single(-heights, clear)
    low = _low(heights, runs[0], noise)
    if low is None:
        return None
    begin, end, level = _edges(heights, low)
    # So near the first one, noise cannot tell whether there is a gap: the edge of the first is the clearer one.
    return (first[1] if begin - first[1] < (first[1] - first[0]) / 4 else begin), end, level


def _low(heights: Floats, first: tuple[int, int], noise: float) -> tuple[int, int] | None:
    """A second phase that does not stand clear of the noise sample by sample, but does when some are averaged."""
    size = max(3, (first[1] - first[0]) // 3)
    after = heights[first[1] :]
    if len(after) < 2 * size:
        return None
    sums = np.concatenate(([0.0], np.cumsum(after)))
    smooth = (sums[size:] - sums[:-size]) / size
    level = float(heights[first[0] : first[1]].mean())
    deepest = float(smooth.min())
    if -deepest < max(_CLEAR * noise / np.sqrt(size), 0.03 * level):
        return None
    beyond = np.flatnonzero(smooth < deepest / 2)
    begin, end = first[1] + int(beyond[0]) + size // 2, first[1] + int(beyond[-1]) + size // 2
    return (begin, end) if end - begin > size else None


def _edges(heights: Floats, run: tuple[int, int]) -> tuple[float, float, float]:
    """Begin, end and plateau of a phase below the noise: where a box put over it fits best."""
    quarter = (run[1] - run[0]) // 4
    level = -float(heights[run[0] + quarter : run[1] - quarter].mean())
    sums = np.concatenate(([0.0], np.cumsum(-heights - level / 2)))
    middle = (run[0] + run[1]) // 2
    begin = int(np.argmin(sums[: middle + 1]))
    end = middle + int(np.argmax(sums[middle:]))
    return begin - 0.5, end - 0.5, level


def _runs(heights: Floats, lead: int, limit: float) -> list[tuple[int, int]]:
    """Stretches beyond a limit to one side, those of any weight, in order."""
    side = np.where(heights > limit, 1, np.where(heights < -limit, -1, 0))
    side[:lead] = 0
    edges = np.flatnonzero(np.diff(np.concatenate(([0], side, [0]))))
    runs = [(int(a), int(b)) for a, b in pairwise(edges) if side[a] != 0]
    joined: list[tuple[int, int]] = []
    for run in runs:
        near = joined and run[0] - joined[-1][1] <= max(3, (joined[-1][1] - joined[-1][0]) // 8)
        if near and side[run[0]] == side[joined[-1][0]]:
            joined[-1] = (joined[-1][0], run[1])
        else:
            joined.append(run)
    areas = [abs(float(heights[a:b].sum())) for a, b in joined]
    return [run for run, area in zip(joined, areas, strict=True) if area > 0.1 * max(areas) and run[1] - run[0] > 1]


def _single(heights: Floats, run: tuple[int, int]) -> tuple[float, float, float]:
    """Begin and end in samples, and the plateau."""
    quarter = (run[1] - run[0]) // 4
    level = float(np.median(heights[run[0] + quarter : max(run[1] - quarter, run[0] + quarter + 1)]))
    near = slice(max(0, run[0] - 2 * quarter - 2), min(len(heights), run[1] + 2 * quarter + 2))
    beyond = np.flatnonzero(heights[near] >= level / 2) + near.start
    begin, end = int(beyond[0]), int(beyond[-1])
    at = [float(begin), float(end)]
    for index, (before, after) in enumerate(((begin - 1, begin), (end, end + 1))):
        if before >= 0 and after < len(heights) and heights[after] != heights[before]:
            at[index] = before + float(
                np.clip((level / 2 - heights[before]) / (heights[after] - heights[before]), 0, 1)
            )
    return at[0], at[1], level
