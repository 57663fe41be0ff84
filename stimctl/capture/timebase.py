"""When each sample was taken: from a time column, from what the header says, and whether the two agree.

Where a time column has more resolution than its step, it counts: some headers state an interval that is not theirs
(an ADS1202CL+ writes 1.3 ps above samples 8 ns apart). Where it has less, the header's interval counts, and without
one, first and last time over the number of samples.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from stimctl.capture.header import Header
from stimctl.errors import InputInvalid, Problem

_AGREE = 0.01
_STEADY = 0.1  # of a step: times with too few digits would differ by whole ones
_STEP_OFF = 0.35  # of a step: more is no rounding any more
Times = npt.NDArray[np.float64]


@dataclass(slots=True)
class TimeBase:
    """The interval and the first time. `check` follows the time column through the file.

    `part` is by how much of it the interval may be off because times are written with few digits.
    """

    source: str
    interval_s: float
    start_s: float
    quantum_s: float = 0.0
    unit_s: float = 1.0
    notes: tuple[str, ...] = ()
    part: float = 0.0
    digits: int | None = None  # of times with an exponent, after the first: the larger those are, the less they tell
    _last: float | None = field(default=None)

    def check(self, times: Times, first_line: int) -> None:
        """Raise `InputInvalid` naming the line at which the samples are not even any more."""
        step, quantum = self.interval_s / self.unit_s, self._quantum(times)
        if self._last is not None and len(times):
            self._last, joint = None, np.array([self._last, times[0]])
            self.check(joint, first_line - 1)
        if quantum < step / 2:
            apart, off = np.diff(times), _STEP_OFF * step + 1.5 * quantum
            sound = not len(apart) or (apart.max() <= step + off and apart.min() >= step - off)
            wrong = np.empty(0, np.int64) if sound else np.flatnonzero(np.abs(apart - step) > off)
        else:
            ideal = times[0] + np.arange(len(times)) * step
            wrong = np.flatnonzero(np.abs(times - ideal)[1:] > 2 * step + 2 * quantum)
        self._last = float(times[-1]) if len(times) else self._last
        if len(wrong):
            at = int(wrong[0])
            value = f"{times[at + 1] - times[at]:g}"
            allowed = f"samples have to be {step:g} apart, as those before: they stop being even here"
            raise InputInvalid(
                self.source, [Problem("time since the line before", value, allowed, first_line + at + 1)]
            )

    def _quantum(self, times: Times) -> float:
        """The worth of the last digit of these times, in their unit."""
        largest = float(np.abs(times[[0, -1]]).max()) if len(times) else 0.0
        of_digits = 10.0 ** (np.floor(np.log10(largest)) - self.digits) if self.digits is not None and largest else 0.0
        return max(self.quantum_s / self.unit_s, float(of_digits))


def found_in(header: Header, source: str, times: Times | None, texts: list[str]) -> TimeBase:
    """The time base of a text file from its header and its first block. Raises `InputInvalid` when there is none."""
    if times is None or header.time_unit_s == 0:
        return _counted(header, source, has_column=times is not None)
    if len(times) < 2:
        raise InputInvalid(source, [Problem("samples", len(times), "two rows at least are needed to know the rate")])
    unit_s = header.time_unit_s
    quantum_s = _quantum(texts) * unit_s
    steps = np.diff(times) * unit_s
    mean_s = float(times[-1] - times[0]) * unit_s / (len(times) - 1)
    step_s = float(np.median(steps))
    start_s = float(times[0]) * unit_s
    if mean_s <= 0:
        allowed = "time has to rise from row to row"
        raise InputInvalid(source, [Problem("time", f"{times[0]:g}, {times[1]:g}, ...", allowed, header.lines + 1)])
    if np.ptp(steps) < _STEADY * mean_s:
        quantum_s = 0.0  # whatever their digits, they are even
    if quantum_s < mean_s / 2:
        even = abs(mean_s - step_s) <= max(_AGREE * step_s, quantum_s)
        interval_s, notes = (mean_s if even else step_s), _disagree(header, step_s)
        return TimeBase(source, interval_s, start_s, quantum_s, unit_s, notes, digits=_digits(texts))
    if header.interval_s and abs(header.interval_s - mean_s) * (len(times) - 1) <= 2 * quantum_s + 2 * mean_s:
        note = "the time column has too few digits: the interval is the header's"
        return TimeBase(source, header.interval_s, start_s, quantum_s, unit_s, (note,))
    note = "the time column has too few digits: the interval was computed from its first and last time"
    part = quantum_s / (mean_s * (len(times) - 1))
    return TimeBase(source, mean_s, start_s, quantum_s, unit_s, (note,), part)


def _counted(header: Header, source: str, *, has_column: bool) -> TimeBase:
    if header.interval_s is None:
        allowed = "the header has to say the interval or the rate, because no column has times"
        raise InputInvalid(source, [Problem("sample interval", None, allowed, 1)])
    # A column that counts is followed in counts: its unit is one sample.
    unit_s = header.interval_s if has_column else 1.0
    return TimeBase(source, header.interval_s, header.start_s or 0.0, 0.0, unit_s)


def _disagree(header: Header, step_s: float) -> tuple[str, ...]:
    said_s = header.interval_s
    if said_s is None or abs(said_s - step_s) <= _AGREE * step_s:
        return ()
    return (f"the header says {said_s:g} s from sample to sample, the time column {step_s:g} s: the column counts",)


def _quantum(texts: Sequence[str]) -> float:
    """The worth of the last digit: 1e-8 for `1.2345e-4`. Zeros at a number's end may not have been written."""
    parts = [text.strip().lower().replace(",", ".").partition("e") for text in texts]
    worth = []
    for wanted in (True, False):
        kind = [(mantissa, int(exponent or 0)) for mantissa, e, exponent in parts if bool(e) is wanted]
        if kind:
            places = max(len(mantissa.partition(".")[2]) for mantissa, _ in kind)
            worth.append(float(10.0 ** (max(exponent for _, exponent in kind) - places)))
    return min(worth)


def _digits(texts: Sequence[str]) -> int | None:
    """How many digits numbers have after their first that is no zero; None where none has an exponent."""
    parts = [text.lower().partition("e") for text in texts]
    if not any(e for _, e, _ in parts):
        return None
    return max(len(re.sub(r"\D", "", mantissa).lstrip("0")) for mantissa, _, _ in parts) - 1
