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

    They are all there, alike and even, with a pause behind them; the same row with a pulse missing is no check.
    """
    pulses = measured.pulses
    steps = np.diff(pulses["onset_s"][: CHECK_PULSES + 2]) * US_PER_S / CHECK_SHAPE.period_us
    even, alike = np.abs(steps - 1) <= _EVEN, _of_check(pulses[: CHECK_PULSES + 1], ua)
    check, then = slice(CHECK_PULSES), slice(CHECK_PULSES, None)
    whole = (
        len(alike) > CHECK_PULSES and alike[check].all() and even[check][:-1].all() and steps[CHECK_PULSES - 1] > 1.5
    )
    if not whole or (alike[then].all() and even[then].all()):
        return measured, 0
    return replace(measured, pulses=pulses[then]), CHECK_PULSES


def _of_check(pulses: Pulses, ua: float) -> npt.NDArray[np.bool_]:
    alike: npt.NDArray[np.bool_] = (
        (np.abs(pulses["level"] * ua / limits.RAISE_STEP_UA - 1) <= _LIKE)
        & (np.abs(pulses["width_s"] * US_PER_S / CHECK_SHAPE.width_us - 1) <= _LIKE)
        & (np.abs(pulses["second_width_s"] * US_PER_S / CHECK_SHAPE.second_width_us - 1) <= _LIKE)
    )
    return alike
