"""Which pulses are of the steady part: a session rises to its amplitude and falls at its end, and that is no error."""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
_REACHED = 0.97
_RISES = 0.5


def steady(levels: Floats, onsets_s: Floats) -> slice:
    """From the end of a rise at the beginning to the begin of a fall at the end, where there are such."""
    if len(levels) < 4:
        return slice(0, len(levels))
    height = float(np.nanmedian(np.sort(levels)[len(levels) // 2 :]))
    begin = _ramp(levels, onsets_s, height)
    end = len(levels) - _ramp(levels[::-1], -onsets_s[::-1], height)
    return slice(begin, end) if end - begin >= 1 else slice(0, len(levels))


def _ramp(levels: Floats, times_s: Floats, height: float) -> int:
    """How many of the first levels are a way up to `height`. Levels that are low and stay so are none.

    The way is straight over time or over pulses; over several bands these are not the same.
    """
    reached = np.flatnonzero(levels >= _REACHED * height)
    if not len(reached) or reached[0] == 0:
        return 0
    before = int(reached[0])
    up = float(levels[before] - levels[0])
    if before == 1:
        return 1 if up < 0.5 * height else 0
    for along in (times_s[: before + 1], np.arange(before + 1.0)):
        slope = float(np.polyfit(along[:-1], levels[:before], 1)[0])
        if slope * (along[-1] - along[0]) >= _RISES * up:
            return before
    return 0
