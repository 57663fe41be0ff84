"""Pulses on one channel that are a lower copy of another's at the same time.

The probes do that, or current that flows on both: a capture cannot tell which. They are no pulses of that channel's own
train, whose figures they would spoil.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from stimctl.capture.pulses import PulseMeasurements
from stimctl.capture.train import spans_s

LOWER = 0.5  # of the other's pulse, and of the channel's own


@dataclass(frozen=True, slots=True)
class Crosstalk:
    """How many pulses of a channel are copies of which other's, and how high: a part of that one's, the median."""

    column: str
    of: str
    count: int
    part: float


def without_crosstalk(found: Sequence[PulseMeasurements]) -> tuple[list[PulseMeasurements], list[Crosstalk]]:
    """The channels without what is a copy of another's, and what was left out."""
    own, seen = [], []
    for each in found:
        copied = np.zeros(len(each.pulses), bool)
        for other in found:
            if other is each or not len(other.pulses) or not len(each.pulses):
                continue
            part = _parts(each, other)
            mine = each.pulses["level"][np.isnan(part)]
            low = part < LOWER
            if len(mine):
                low &= each.pulses["level"] < LOWER * np.nanmedian(mine)
            if low.any():
                seen.append(Crosstalk(each.column, other.column, int(low.sum()), float(np.median(part[low]))))
            copied |= low
        own.append(replace(each, pulses=each.pulses[~copied]) if copied.any() else each)
    return own, seen


def _parts(one: PulseMeasurements, other: PulseMeasurements) -> npt.NDArray[np.float64]:
    """How high each pulse is beside the other channel's that flows meanwhile; NaN where none does.

    A low copy near the noise has no sure edges: that it meets the other's pulse anywhere is enough.
    """
    ends = one.pulses["onset_s"] + spans_s(one.pulses)
    number = np.searchsorted(other.pulses["onset_s"], ends) - 1
    there = other.pulses[np.maximum(number, 0)]
    during = (number >= 0) & (one.pulses["onset_s"] <= there["onset_s"] + spans_s(there))
    parts: npt.NDArray[np.float64] = np.where(during, one.pulses["level"] / there["level"], np.nan)
    return parts
