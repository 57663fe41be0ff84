"""Tells the impedance check's pulses before a run from the run's own: they are of another shape, and no error."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from stimctl import limits
from stimctl.capture import PulseMeasurements
from stimctl.capture.cutter import Pulses
from stimctl.units import US_PER_S
from stimctl.waveform import CHECK_PULSES, CHECK_SHAPE

_LIKE = 0.15  # of a width or an amplitude
_EVEN = 0.05  # of a period


def without_check(measured: PulseMeasurements, ua: float) -> tuple[PulseMeasurements, int]:
    """A column without the check's pulses at its beginning, and how many these are. `ua` is what its number 1 is in uA.

    They are all there, alike and even; a row that goes on like them, though with a pulse missing, is no check.
    """
    pulses = measured.pulses
    steps = np.diff(pulses["onset_s"][: CHECK_PULSES + 2]) * US_PER_S / CHECK_SHAPE.period_us
    even, alike = np.abs(steps - 1) <= _EVEN, _of_check(pulses[: CHECK_PULSES + 1], ua)
    last = CHECK_PULSES - 1
    whole = len(alike) > CHECK_PULSES and alike[:CHECK_PULSES].all() and even[:last].all() and steps[last] > 1 - _EVEN
    if not whole or (alike[CHECK_PULSES] and even[last:].any()):
        return measured, 0
    return replace(measured, pulses=pulses[CHECK_PULSES:]), CHECK_PULSES


def _of_check(pulses: Pulses, ua: float) -> npt.NDArray[np.bool_]:
    alike: npt.NDArray[np.bool_] = (
        (np.abs(pulses["level"] * ua / limits.RAISE_STEP_UA - 1) <= _LIKE)
        & (np.abs(pulses["width_s"] * US_PER_S / CHECK_SHAPE.width_us - 1) <= _LIKE)
        & (np.abs(pulses["second_width_s"] * US_PER_S / CHECK_SHAPE.second_width_us - 1) <= _LIKE)
    )
    return alike
