"""Pulses cut out of a long row of samples, each with the baseline before it, and like ones measured together."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from stimctl.capture import shape
from stimctl.capture.beside import side_by_side
from stimctl.capture.between import Level, NoPulse
from stimctl.capture.model import Samples
from stimctl.capture.search import Levels, Spans, stride_of

BASELINE_S = 250e-6
REACH_S = 3.2e-3  # the longest pulse that is looked at: 2.5 ms is what one may have
SHORTEST_S = 15e-6
_BATCH = 1 << 20  # samples measured at a time: with fewer, Python takes longer than NumPy [choice]
_BASELINES = 1_000
Pulses = npt.NDArray[np.void]


@dataclass(slots=True)
class Cutter:
    """Cuts rows of one length out of samples, each with the same baseline before it."""

    samples: Samples
    interval_s: float
    spans: Spans
    levels: Levels
    stride: int = field(init=False)
    lead: int = field(init=False)
    margin: int = field(init=False)
    cut: npt.NDArray[np.bool_] = field(init=False)
    short: npt.NDArray[np.bool_] = field(init=False)
    long: npt.NDArray[np.bool_] = field(init=False)

    def __post_init__(self) -> None:
        self.stride = stride_of(self.interval_s)
        self.lead = max(4, round(BASELINE_S / self.interval_s))
        self.margin = self.stride + max(2, round(10e-6 / self.interval_s))
        length = (self.spans.last - self.spans.first + self.stride) * self.interval_s
        before = self.spans.first - self.margin - self.lead < 0
        self.cut = before | (self.spans.last + 2 * self.margin >= len(self.samples))
        self.long = length > REACH_S
        self.short = (length < SHORTEST_S + self.stride * self.interval_s) & ~self.cut

    @property
    def _usable(self) -> npt.NDArray[np.bool_]:
        return ~self.cut & ~self.short & ~self.long

    def measured(self) -> list[Pulses]:
        """The pulses, those of like length together, in no order."""
        together = side_by_side(lambda batch: list(self._together(*batch)), list(self._batches()))
        return [pulses for each in together for pulses in each if len(pulses)]

    def baselines(self) -> Samples:
        """What lies before those that are measured, each a row: before the first thousand, which tell enough."""
        starts = self.spans.first[self._usable][:_BASELINES] - self.margin - self.lead
        return self._cut_out(starts, self.lead)

    def spikes(self, begin: int) -> Iterator[NoPulse]:
        """What stands out and is too short for a pulse, over the baseline before it; `begin` is the first sample's."""
        for number in np.flatnonzero(self.short):
            first, last = int(self.spans.first[number]), int(self.spans.last[number])
            before = first - self.margin
            baseline = float(np.median(self.samples[before - self.lead : before]))
            # It may be highest between two looks.
            off = float(np.abs(self.samples[first - self.stride + 1 : last + self.stride] - baseline).max())
            yield NoPulse(bool(np.isinf(off)), off, (begin + first) * self.interval_s)

    def levels_held(self, begin: int) -> Iterator[Level]:
        """What stands out of its piece for longer than a pulse, each with its median."""
        for number in np.flatnonzero(self.long & ~self.cut):
            first, last = int(self.spans.first[number]), int(self.spans.last[number])
            median = float(np.median(self.samples[first : last + 1]))
            yield Level((begin + first) * self.interval_s, (begin + last) * self.interval_s, median)

    def _cut_out(self, starts: "npt.NDArray[np.int64]", size: int) -> Samples:
        """A row of so many samples from each of those on."""
        windows = np.lib.stride_tricks.sliding_window_view(self.samples, size)
        # As one thing of its size each is copied in one go, not sample by sample.
        whole = windows.view(np.dtype((np.void, windows.itemsize * size)))[:, 0][starts]
        rows: Samples = whole.view(self.samples.dtype).reshape(-1, size)
        return rows

    def _batches(self) -> Iterator[tuple["npt.NDArray[np.int64]", int]]:
        """Which spans are cut out together, and how many samples of each."""
        lengths = self.spans.last - self.spans.first + 1
        lengths = lengths + np.maximum(lengths // 6, round(30e-6 / self.interval_s)) + self.stride
        usable = self._usable
        kinds = np.round(np.log2(np.maximum(lengths, 1)) * 4).astype(np.int64)
        for kind in np.unique(kinds[usable]):
            chosen = np.flatnonzero(usable & (kinds == kind))
            size = self.lead + self.margin + int(lengths[chosen].max())
            parts = -(-len(chosen) // max(1, _BATCH // size))
            for part in np.array_split(chosen, parts + parts % 2 if parts > 1 else 1):  # as much for each thread
                yield part, size

    def _together(self, chosen: "npt.NDArray[np.int64]", size: int) -> Iterator[Pulses]:
        starts = self.spans.first[chosen] - self.margin - self.lead
        fits = starts + size <= len(self.samples)
        odd = chosen[~fits]
        if fits.any():
            rows, beyond = _finite(self._cut_out(starts[fits], size), self.levels.noise)
            pulses, wrong = shape.measured(rows, self.lead, self.lead + self.margin, self.interval_s, self.levels.noise)
            pulses["onset_s"] += starts[fits] * self.interval_s
            pulses["clipped"] = beyond
            yield pulses[~wrong] if wrong.any() else pulses
            odd = np.concatenate((odd, chosen[fits][wrong]))
        for each in odd:
            one = self._one(int(each))
            if one is not None:
                yield one

    def _one(self, number: int) -> Pulses | None:
        """One that is no plain pulse, with all the samples up to the next one."""
        start = int(self.spans.first[number]) - self.margin - self.lead
        end = min(start + self.lead + round(REACH_S / self.interval_s), len(self.samples))
        if number + 1 < len(self.spans.first):
            end = min(end, int(self.spans.first[number + 1]) - self.margin)
        end = max(end, min(int(self.spans.last[number]) + self.margin, len(self.samples)))
        noise = max(self.levels.noise, self.levels.step)
        rows, beyond = _finite(self.samples[None, start:end], self.levels.noise)
        pulse = shape.odd(rows[0], self.lead, self.interval_s, noise)
        if pulse is not None:
            pulse["clipped"] = beyond
            pulse["onset_s"] += start * self.interval_s
        return pulse


def _finite(rows: Samples, noise: float) -> tuple[Samples, npt.NDArray[np.bool_]]:
    """Rows with what the oscilloscope could not tell (infinite) as high as the highest that it could, and which.

    Where it could tell none that is high, because no sample lies on an edge, far over the noise.
    """
    if np.isfinite(rows.sum()):
        return rows, np.zeros(len(rows), bool)
    beyond = np.logical_not(np.isfinite(rows).all(axis=1, keepdims=True)).reshape(-1)
    highest = float(np.abs(rows[np.isfinite(rows)]).max(initial=0.0))
    highest = max(highest, 100 * noise) or 1.0
    return np.nan_to_num(rows, nan=0.0, posinf=highest, neginf=-highest), beyond
