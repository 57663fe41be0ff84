"""Which pulses are of the steady part: a session rises to its amplitude and falls at its end, and that is no error."""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
_REACHED = 0.97
_RISES = 0.5


def steady(levels: Floats) -> slice:
    """From the end of a rise at the beginning to the begin of a fall at the end, where there are such."""
    if len(levels) < 4:
        return slice(0, len(levels))
    height = float(np.nanmedian(np.sort(levels)[len(levels) // 2 :]))
    begin = _ramp(levels, height)
    end = len(levels) - _ramp(levels[::-1], height)
    return slice(begin, end) if end - begin >= 1 else slice(0, len(levels))


def _ramp(levels: Floats, height: float) -> int:
    """How many of the first levels are a way up to `height`. Levels that are low and stay so are none."""
    reached = np.flatnonzero(levels >= _REACHED * height)
    if not len(reached) or reached[0] == 0:
        return 0
    before = int(reached[0])
    up = float(levels[before] - levels[0])
    if before == 1:
        return 1 if up < 0.5 * height else 0
    slope = float(np.polyfit(np.arange(before), levels[:before], 1)[0])
    return before if slope * before >= _RISES * up else 0
