"""All that is judged of one channel: each band's amplitudes, widths, rate and stays, then charge, count and zero."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from stimctl.bench.expected import Expected
from stimctl.bench.steady import steady
from stimctl.bench.tolerances import Tolerances
from stimctl.bench.verdict import Row, around, at_most, count_row, open_, shown
from stimctl.capture.cutter import Pulses
from stimctl.capture.pulses import PulseMeasurements
from stimctl.capture.train import MeasuredTrain, train_of
from stimctl.capture.uncertainty import CLEAR_OF_NOISE, Figure, Judge, unknown
from stimctl.units import US_PER_S, hz_text
from stimctl.waveform import Segment

CLIPPED = "pulses are clipped at the end of the oscilloscope's scale"
_FEWEST_OF_EDGE = 2.5  # samples: a step that meets one in its middle looks like 1.6 of them
_CUT = 0.85  # of its band's median: a phase narrower than that was cut off
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class BenchChannel:
    """One channel of one capture, measured, with its pattern."""

    name: str
    judge: Judge
    expected: Expected
    tolerances: Tolerances
    train: MeasuredTrain
    held: slice
    reference: PulseMeasurements | None = None

    @classmethod
    def of(
        cls, name: str, judge: Judge, expected: Expected, tolerances: Tolerances, reference: PulseMeasurements | None
    ) -> "BenchChannel":
        """Find its pattern."""
        pulses = judge.measured.pulses
        train = train_of(pulses, expected.periods_s)
        return cls(name, judge, expected, tolerances, train, steady(pulses["level"], pulses["onset_s"]), reference)

    @property
    def pulses(self) -> Pulses:
        """All of them."""
        return self.judge.measured.pulses

    def in_band(self, band: int) -> Pulses:
        """A band's pulses of the steady part."""
        chosen: Pulses = self.pulses[self.held][self.train.bands[self.held] == band]
        return chosen

    def judge_of(self, pulses: Pulses) -> Judge:
        """Of these alone: the edges of a band lie between samples as its own period lets them."""
        return replace(self.judge, measured=replace(self.judge.measured, pulses=pulses))

    @property
    def amplitude_is_judged(self) -> bool:
        """Whether the load is one on which amplitudes have a tolerance."""
        limit = self.tolerances.amplitude
        return limit.from_ohm <= self.judge.declared.load_ohm <= limit.to_ohm

    def rows(self) -> Iterator[Row]:
        """What is judged, and what is told without a limit."""
        yield from self._between_pulses()
        if not len(self.pulses):
            period_s = max(band.period_us for band in self.expected.bands) / US_PER_S
            if self.judge.measured.duration_s > 1.1 * period_s:
                yield Row("pulses", self.name, Figure(0.0, 0.0, ""), 1.0, None, "no pulse was found in this channel")
            else:
                yield open_("pulses", self.name, "", "the capture is shorter than a period and holds none")
            return
        for number, band in enumerate(self.expected.bands):
            yield from self._band(number, band)
        yield from self._all()

    def _between_pulses(self) -> Iterator[Row]:
        """What stands out and is no pulse may not be over what counts as zero. That there is none is not said: what is
        shorter than one look to the next, or lies close to a pulse, may be missed."""
        measured, highest = self.judge.measured, self.judge.measured.highest
        if highest is None:
            return
        # Of so many samples, noise alone makes one stand out by that.
        largest_of = max(2.0, float(np.sqrt(2 * np.log(max(2.0, measured.duration_s / measured.interval_s)))))
        noise = largest_of * float(np.hypot(measured.noise, measured.step / np.sqrt(12)))
        noise /= np.sqrt(highest.averaged)
        off = float(np.hypot(noise * self.judge.ua, 2 * self.judge.instrument.scale * highest.height * self.judge.ua))
        places = 6 if highest.averaged == 1 else 3
        note = f"at {measured.start_s + highest.begin_s:.{places}f} s; {measured.ignored + measured.held} in all"
        figure = Figure(highest.height * self.judge.ua, 0.0 if highest.over else off, "uA", over=highest.over)
        yield at_most("output between pulses, highest", self.name, figure, self.tolerances.zero.ua, note)

    def _band(self, number: int, band: Segment) -> Iterator[Row]:
        where = f"{self.name}, {hz_text(band.period_us)}"
        pulses = self.in_band(number)
        if not len(pulses):
            long = self.judge.measured.duration_s > 1.1 * self.expected.cycle_s
            if long:
                yield Row("pulses", where, Figure(0.0, 0.0, ""), 1.0, None, "no pulse of this band in a whole cycle")
            else:
                yield open_("pulses", where, "", "the capture is shorter than a cycle and holds none")
            return
        yield from self._amplitudes(where, band, pulses)
        yield from self._widths(where, band, pulses)
        yield from self._times(where, number, band)
        yield from self._charges(where, pulses)

    def _amplitudes(self, where: str, band: Segment, pulses: Pulses) -> Iterator[Row]:
        judge, limit = self.judge_of(pulses), self.tolerances.amplitude
        clipped = int(np.count_nonzero(pulses["clipped"]))
        if clipped:
            yield open_("amplitude, median", where, "uA", f"{clipped} of {len(pulses)} {CLIPPED}")
            return
        first = judge.level(pulses["level"], pulses["width_s"])
        low = self.expected.low_ua - limit.around_ua(self.expected.low_ua)
        high = self.expected.high_ua + limit.around_ua(self.expected.high_ua)
        farthest = self._farthest(pulses["level"], (low + high) / 2 / judge.ua, first)
        ratio = band.width_us / band.second_width_us
        second = judge.level(pulses["second_level"], pulses["second_width_s"])
        wanted = (self.expected.high_ua if self.expected.commanded else first.value) * ratio
        if self.amplitude_is_judged:
            note = "" if self.expected.commanded else "no amplitude was declared: what the profile allows"
            yield Row("amplitude, median", where, first, low, high, note)
            yield Row("amplitude, farthest pulse", where, farthest, low, high)
            yield around("second phase, amplitude", where, second, wanted, limit.around_ua(wanted), _missing(pulses))
        else:
            note = f"amplitudes are judged from {limit.from_ohm:g} to {limit.to_ohm:g} ohm"
            yield shown("amplitude, median", where, first, note)
            yield shown("second phase, amplitude", where, second, note)
        for name, field in (("overshoot", "overshoot"), ("droop", "droop")):
            yield shown(name, where, self._part(pulses, field, first))
        yield shown("rise, 10 to 90 %", where, self._rise(pulses["rise_s"]))

    def _farthest(self, values: Floats, middle: float, like: Figure) -> Figure:
        if not like.known:
            return like
        farthest = values[int(np.nanargmax(np.abs(values - middle)))]
        scatter = 1.4826 * float(np.nanmedian(np.abs(values - np.nanmedian(values)))) * self.judge.ua
        single = float(np.hypot(like.uncertainty, 2 * scatter))
        return Figure(float(farthest) * self.judge.ua, single, like.unit)

    def _part(self, pulses: Pulses, field: str, level: Figure) -> Figure:
        """The median of a part of the plateau, in %."""
        values = pulses[field][np.isfinite(pulses[field])]
        if not level.known or not len(values):
            return unknown("%", level.reason or "no pulse is a whole one")
        measured = self.judge.measured
        noise = float(np.hypot(measured.noise if field == "overshoot" else 0.0, measured.step / np.sqrt(12)))
        u = np.hypot(np.std(values) / np.sqrt(len(values)), noise * self.judge.ua / level.value)
        return Figure(float(np.median(values)) * 100, 200 * float(u), "%")

    def _rise(self, seconds: Floats) -> Figure:
        there = seconds[np.isfinite(seconds)]
        interval_s = self.judge.measured.interval_s
        if not len(there):
            return unknown("us", "no edge was whole")
        rise_s = float(np.median(there))
        if rise_s < _FEWEST_OF_EDGE * interval_s:
            return unknown("us", f"under {_FEWEST_OF_EDGE:g} samples ({_FEWEST_OF_EDGE * 1e6 * interval_s:g} us)")
        return Figure(
            rise_s * 1e6, 2e6 * float(np.hypot(interval_s / np.sqrt(6), np.std(there) / np.sqrt(len(there)))), "us"
        )

    def _widths(self, where: str, band: Segment, pulses: Pulses) -> Iterator[Row]:
        judge, part = self.judge_of(pulses), self.tolerances.width.part
        for name, field, of, wanted_us in (
            ("width", "width_s", "level", band.width_us),
            ("second phase, width", "second_width_s", "second_level", band.second_width_us),
        ):  # fmt: skip
            figure = judge.width(pulses[field], pulses[of])
            yield around(f"{name}, mean", where, figure, wanted_us, part * wanted_us, _missing(pulses))
            if figure.known:
                values = pulses[field][~np.isnan(pulses[field])]
                farthest = values[int(np.argmax(np.abs(values - wanted_us * 1e-6)))]
                single = judge.width(pulses[field], pulses[of], single=True).uncertainty
                yield around(
                    f"{name}, farthest pulse", where, Figure(farthest * 1e6, single, "us"), wanted_us, part * wanted_us
                )
        # The gap lies between two edges as a phase does, and may be none at all: it is as good as the phase before it.
        second = judge.width(pulses["second_width_s"], pulses["second_level"])
        gap_s = float(np.nanmedian(pulses["gap_s"])) if second.known else float("nan")
        gap = Figure(gap_s * 1e6, second.uncertainty, "us", second.reason)
        most_us = part * band.width_us
        least_us = band.interphase_gap_us - most_us
        yield Row("gap", where, gap, least_us if least_us > 0 else None, band.interphase_gap_us + most_us)

    def _times(self, where: str, number: int, band: Segment) -> Iterator[Row]:
        runs = [run for run in self.train.runs if run.band == number]
        wanted_hz = US_PER_S / band.period_us
        yield around("rate", where, self.rate(number), wanted_hz, self.tolerances.rate.part * wanted_hz)
        sampling_us = 1e6 * self.judge.measured.interval_s / np.sqrt(6)
        few = "" if max((run.count for run in runs), default=0) >= 3 else "fewer than three pulses in a row"
        yield shown("jitter of onsets", where, Figure(self._jitter_s(number) * 1e6, 2 * sampling_us, "us", few))
        yield count_row("missing pulses", where, sum(run.missing for run in runs))
        yield count_row("extra pulses", where, sum(run.extra for run in runs))
        if band.dwell_us:
            yield self._dwell(where, number, band.dwell_us / US_PER_S)

    def rate(self, number: int) -> Figure:
        """Of a band in Hz, over all of its stays."""
        period_s = self.train.periods_s[number] if number < len(self.train.periods_s) else float("nan")
        count = sum(run.count for run in self.train.runs if run.band == number)
        return self.judge.rate(period_s, self._jitter_s(number), count)

    def _jitter_s(self, number: int) -> float:
        """Of the stay in a band in which it is largest."""
        return max((run.jitter_s for run in self.train.runs if run.band == number), default=0.0)

    def _dwell(self, where: str, number: int, wanted_s: float) -> Row:
        dwells = self.train.dwells_s(number)
        if not dwells:
            return open_("dwell, farthest", where, "s", "no stay with both of its switches is in the capture")
        farthest = max(dwells, key=lambda dwell: abs(dwell - wanted_s))
        return around("dwell, farthest", where, self.judge.time(farthest), wanted_s, self.tolerances.dwell.s)

    def _charges(self, where: str, pulses: Pulses) -> Iterator[Row]:
        first, second = self.charges(pulses)
        yield at_most("charge of the first phase", where, first, self.tolerances.charge.most_nc)
        yield shown("charge of the second phase", where, second)

    def charges(self, pulses: Pulses) -> tuple[Figure, Figure]:
        """Of both phases of these pulses."""
        judge = self.judge_of(pulses)
        level = judge.level(pulses["level"], pulses["width_s"])
        level = unknown("uA", CLIPPED) if pulses["clipped"].any() else level
        width = judge.width(pulses["width_s"])
        return judge.charge(pulses["charge"], level, width), judge.charge(pulses["second_charge"], level, width)

    def _all(self) -> Iterator[Row]:
        """What is no matter of a band."""
        pulses, measured = self.pulses, self.judge.measured
        yield count_row("pulses cut short", self.name, self._cut(), _missing(pulses))
        other = int(np.count_nonzero(pulses["sign"] != measured.direction))
        yield count_row("pulses of the other polarity", self.name, other)
        direct = self.judge.direct_current(self.reference, self._aliased())
        if direct.known and pulses["clipped"].any():
            direct = unknown("uA", CLIPPED)
        yield at_most("average direct current", self.name, direct, self.tolerances.charge.direct_ua)
        phase_nc = float(np.nanmedian(pulses["charge"])) * self.judge.ua * 1e3
        each_s = measured.duration_s / max(1, len(pulses))
        net = Figure(direct.value * each_s * 1e3, direct.uncertainty * each_s * 1e3, "nC", direct.reason)
        yield at_most("net charge a pulse", self.name, net, self.tolerances.charge.net_part * phase_nc)
        yield shown("rms current", self.name, self.rms())

    def _aliased(self) -> float:
        """How far off the mean may be because edges lie between samples, a standard uncertainty in numbers."""
        off = 0.0
        for band in np.unique(self.train.bands):
            pulses = self.pulses[self.train.bands == band]
            part_s = self.judge_of(pulses).sampling_s(pulses["width_s"]) * np.sqrt(1.5)  # of three edges, not of two
            off += len(pulses) * float(np.nanmedian(pulses["level"])) * part_s
        return off / self.judge.measured.duration_s

    def _cut(self) -> int:
        """Pulses a phase of which is missing, or much narrower than in others of their band."""
        cut = 0
        for number, band in enumerate(self.expected.bands):
            chosen = self.pulses[self.train.bands == number]
            if not len(chosen):
                continue
            wrong = np.isnan(chosen["second_width_s"]) & self._would_show(band, chosen)
            for field in ("width_s", "second_width_s"):
                there = chosen[field][~np.isnan(chosen[field])]
                wrong |= chosen[field] <= _CUT * np.median(there) if len(there) else False
            cut += int(np.count_nonzero(wrong))
        return cut

    def _would_show(self, band: Segment, pulses: Pulses) -> bool:
        """Whether a second phase of the first one's area, if there were one, would stand clear of the noise."""
        level = float(np.nanmedian(pulses["level"])) * band.width_us / band.second_width_us
        return level >= CLEAR_OF_NOISE * self.judge.measured.noise

    def rms(self) -> Figure:
        """Of the pulses, over the whole capture: without the noise between them."""
        if self.pulses["clipped"].any():
            return unknown("uA", CLIPPED)
        square = float(np.nansum(self.pulses["square"])) / self.judge.measured.duration_s
        value = float(np.sqrt(max(0.0, square))) * self.judge.ua
        return Figure(value, 2 * value * max(self.judge.instrument.scale, 1e-3), "uA")


def _missing(pulses: Pulses) -> str:
    missing = int(np.count_nonzero(np.isnan(pulses["second_width_s"])))
    return f"{missing} of {len(pulses)} pulses have no second phase" if missing else ""
