"""Tells the impedance check's pulses before a run from the run's own: they are of another shape, and no error."""

from dataclasses import replace

import numpy as np

from stimctl import limits
from stimctl.capture import PulseMeasurements
from stimctl.units import US_PER_S
from stimctl.waveform import CHECK_PULSES, CHECK_SHAPE

_FEWEST = 3  # a capture may begin within the check; fewer of them could be a run's own first pulses
_LIKE = 0.15  # of a width or an amplitude
_EVEN = 0.05  # of a period


def without_check(measured: PulseMeasurements, ua: float) -> tuple[PulseMeasurements, int]:
    """A column without the check's pulses at its beginning, and how many these are. `ua` is what its number 1 is in uA.

    They are so many, of such an amplitude, width and period, as no run begins; before its first pulse a run pauses.
    """
    pulses, period_s = measured.pulses, CHECK_SHAPE.period_us / US_PER_S
    steps = np.diff(pulses["onset_s"][: CHECK_PULSES + 1]) / period_s
    even = np.abs(steps - 1) <= _EVEN
    count = int(np.argmin(even)) + 1 if not even.all() else 0
    first = pulses[:count]
    alike = (
        (np.abs(first["level"] * ua / limits.RAISE_STEP_UA - 1) <= _LIKE)
        & (np.abs(first["width_s"] * US_PER_S / CHECK_SHAPE.width_us - 1) <= _LIKE)
        & (np.abs(first["second_width_s"] * US_PER_S / CHECK_SHAPE.second_width_us - 1) <= _LIKE)
    )
    if count < _FEWEST or steps[count - 1] < 1 or not alike.all():
        return measured, 0
    return replace(measured, pulses=pulses[count:]), count
