"""Which pulses are cut off at the end of an oscilloscope's scale, told from the pulses themselves.

A top that is cut off has no noise: no sample lies over it, and none under it where the pulse goes on above. A whole one
has the baseline's noise. That is sure where noise, seen through the oscilloscope's codes, spans two of them: no place
of a level between two codes hides as much. With less noise a whole top may lie in the middle of a code and be as flat.
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from stimctl.capture.cutter import Pulses
from stimctl.capture.model import Samples

SPREAD = 1e-3  # of neighbours two codes apart: noise of a third of a code has as many, wherever its level lies
_ALL_CODES = {2**bits - off for bits in (8, 10, 12, 14, 16) for off in (0, 1)}  # some keep one for what is beyond
_PHASES = (("level", "overshoot", "width_s", 1), ("second_level", "second_overshoot", "second_width_s", -1))
_FEWEST = 200  # samples without one other code
_FEW_NOISY = 60  # of noise over half a code: a pulse alone, of a hundred at a slow rate, is flat by chance
Flags = npt.NDArray[np.bool_]


def spread(baselines: Samples, step: float) -> float:
    """Which part of neighbours on baselines are two codes apart or more: a hum never makes them so."""
    return float(np.mean(np.abs(np.diff(baselines.astype(np.float64), axis=1)) > 1.5 * step)) if step else 0.0


def at_full_scale(pulses: Pulses, full_scale: float) -> Flags:
    """Which pulses end where the scale was declared to end; none where nobody declared it."""
    if np.isinf(full_scale):
        return np.zeros(len(pulses), bool)
    at: Flags = np.any([np.abs(end) >= full_scale * (1 - 1e-6) for end, _ in _ends(pulses)], axis=0)
    return at


def cut_off(pulses: Pulses, noise: float, step: float, spread_of_codes: float, interval_s: float) -> Flags:
    """Which surely are: they end alike and without the baseline's noise.

    Where there is less noise than can be told from none: which end at the first and the last of all codes.
    """
    clipped = np.zeros(len(pulses), bool)
    if not step or not len(pulses):
        return clipped
    noisy, spreads = noise > 0.6 * step, spread_of_codes >= SPREAD
    fewest = _FEW_NOISY if noisy else _FEWEST
    for flat, samples in _flat(pulses, 0.4 * noise if noisy else 0.01 * step, step, interval_s):
        clipped |= flat & (spreads and samples >= fewest)
    return clipped if noisy else clipped | _at_the_last_codes([end for end, _ in _ends(pulses)], step)


def flat_throughout(pulses: Pulses, step: float, interval_s: float) -> bool:
    """Whether nine in ten pulses end at one same code and leave it for no sample: they may be cut off, or be whole."""
    flats = _flat(pulses, 0.01 * step, step, interval_s)
    return bool(step and len(pulses)) and any(np.mean(flat) >= 0.9 for flat, _ in flats)


def _ends(pulses: Pulses) -> Iterator[tuple[npt.NDArray[np.float64], npt.NDArray[np.int8]]]:
    """How far each phase goes, in the file's numbers, and to which side."""
    for level, over, _, side in _PHASES:
        sign = side * pulses["sign"]
        yield pulses["baseline"] + sign * pulses[level] * (1 + pulses[over]), sign


def _flat(pulses: Pulses, most: float, step: float, interval_s: float) -> Iterator[tuple[Flags, float]]:
    """For each phase, which pulses go to its end and lie there within `most`; and the samples of their middles."""
    for (end, sign), (level, over, width, _) in zip(_ends(pulses), _PHASES, strict=True):
        far = end * sign
        if not np.isfinite(far).any():
            continue
        # Where numbers have finer steps than codes, the ends' own rounding is larger than a step: half a step or a
        # quarter of what counts as flat, whichever is more.
        alike = far > np.nanmax(far) - max(0.5 * step, 0.25 * most)
        flat = alike & (pulses[level] * pulses[over] < most) & (pulses[width] > 10 * interval_s)
        yield flat, float(np.sum(pulses[width][flat])) / 2 / interval_s


def _at_the_last_codes(ends: list[npt.NDArray[np.float64]], step: float) -> Flags:
    """Which pulses end at the lowest or highest code seen, where an oscilloscope of so many bits has no more."""
    low, high = (pick(np.concatenate(ends)) for pick in (np.nanmin, np.nanmax))
    if round(float(high - low) / step) + 1 not in _ALL_CODES:
        return np.zeros(len(ends[0]), bool)
    at: Flags = np.any([np.abs(end - last) < step / 2 for end in ends for last in (low, high)], axis=0)
    return at
