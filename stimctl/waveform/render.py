"""Renders samples of a pulse train into a buffer of the caller's.

A sample is the current in uA at one instant: sample i lies at i / rate seconds, positive in the first phase,
negative in the second, 0 elsewhere. A phase that begins at T us covers the samples from ceil(T * rate / 1e6), in
integers: times in floats put wrong samples into every long train. So chunks of any size join without a seam.

Most samples are 0, so the buffer is cleared as a whole and then only the pulses are written. Pulses one period apart
lie on the grid of samples as the first of them does, or as one of the first few where the rate does not divide the
period: each such group is one strided view. Pulses that are alike are items of it, written by one assignment; in a ramp
they are rows, written phase by phase with a column of amplitudes. Copying a template of a whole period again and again
writes as much as a fill and reads as much besides; it is slower.
"""

from collections.abc import Iterator
from functools import lru_cache
from math import gcd
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from stimctl.errors import Misuse
from stimctl.units import US_PER_S
from stimctl.waveform.pattern import Program, Segment, offset_us
from stimctl.waveform.train import Stretch, Train, check_channel, check_target

Samples: TypeAlias = np.ndarray[Any, np.dtype[Any]]

# Where a pulse rises and falls, and its second phase does, in samples.
_Edges: TypeAlias = tuple[int, int, int, int]

CHUNK_SAMPLES = 1 << 22


def sample_count(program: Program, *, rate_hz: int) -> int:
    """How many samples the whole of `program` has at `rate_hz`."""
    _check_rate(rate_hz)
    return _first_sample(program.stimulation_us * rate_hz)


def render_into(
    buffer: Samples,
    program: Program,
    channel: int,
    amplitude_ua: int,
    *,
    start_sample: int,
    rate_hz: int,
    ramped: bool = False,
) -> None:
    """Write `channel`'s current in uA for samples `start_sample` onward into the whole of `buffer`.

    `buffer` is one-dimensional, of floats or of signed integers of 16 bits or more; every sample of it is written,
    with 0 after the program's end. `ramped` gives the run as it is delivered, from zero up and down again;
    without it every pulse has `amplitude_ua` (or the multiple of the program's quantum below it).
    Raises `Misuse` for a buffer, rate or channel that does not fit, `Unsafe` for an amplitude over 2.0 mA.
    """
    _check_rate(rate_hz)
    _check_buffer(buffer)
    if start_sample < 0:
        raise Misuse(f"start_sample: {start_sample} is before the beginning")
    check_target(amplitude_ua)
    check_channel(program, channel)
    window = _SampleWindow(buffer, start_sample, rate_hz)
    window.clear()
    quantum_ua, cycle_us = program.quantum_ua, program.cycle_us
    for stretch in (_ramped if ramped else _steady)(window, program, channel, amplitude_ua):
        segment = program.segments[stretch.segment]
        window.write(stretch, segment, cycle_us, _heights(stretch, segment, quantum_ua, buffer.dtype))


def render_chunks(
    program: Program,
    channel: int,
    amplitude_ua: int,
    *,
    rate_hz: int,
    buffer: Samples | None = None,
    ramped: bool = False,
) -> Iterator[Samples]:
    """The whole program in chunks as long as `buffer` (int16, 4 194 304 samples unless given), the last one shorter.

    Each chunk is a view of the same buffer, overwritten by the next: memory stays bounded however long the program.
    """
    if buffer is None:
        buffer = np.empty(CHUNK_SAMPLES, dtype=np.int16)
    if len(buffer) == 0:
        raise Misuse("buffer: must hold at least one sample")
    total = sample_count(program, rate_hz=rate_hz)
    for start_sample in range(0, total, len(buffer)):
        chunk = buffer[: total - start_sample]
        render_into(chunk, program, channel, amplitude_ua, start_sample=start_sample, rate_hz=rate_hz, ramped=ramped)
        yield chunk


def _check_rate(rate_hz: int) -> None:
    if not isinstance(rate_hz, int) or rate_hz <= 0:
        raise Misuse(f"rate_hz: {rate_hz!r} is not a whole number above zero")


def _check_buffer(buffer: Samples) -> None:
    holds_ua = buffer.dtype.kind == "f" or (buffer.dtype.kind == "i" and buffer.dtype.itemsize >= 2)
    if buffer.ndim != 1 or not holds_ua or not buffer.flags.writeable:
        raise Misuse("buffer: must be writable, one-dimensional, of floats or of signed integers of 16 bits or more")


def _first_sample(at: int) -> int:
    """The first sample at or after an instant given in us times rate, that is in millionths of a sample."""
    return -(-at // US_PER_S)


def _ramped(window: "_SampleWindow", program: Program, channel: int, target_ua: int) -> Iterator[Stretch]:
    """The pulses of a run as it is delivered that may have a sample in `window`."""
    train = Train(program, channel)
    train.set_target(target_ua)
    # Pulses that began before the window does may reach into it.
    train.advance(window.begin_us - max(segment.span_us for segment in program.segments))
    return train.stretches(window.end_us)


def _steady(window: "_SampleWindow", program: Program, channel: int, amplitude_ua: int) -> Iterator[Stretch]:
    """Pulses of one amplitude: each band in all its whole cycles, and what is begun of it after them."""
    cycles = program.stimulation_us // program.cycle_us if program.cycle_us else 0
    begin_us = 0
    for index, segment in enumerate(program.segments):
        if cycles:
            pulses = program.pulses_in_band(index, channel)
            yield Stretch(begin_us + offset_us(channel), index, pulses, amplitude_ua, cycles=cycles)
        last_us = begin_us + cycles * program.cycle_us
        band_end_us = last_us + segment.dwell_us if segment.dwell_us else program.stimulation_us
        end_us = min(band_end_us, program.stimulation_us)
        pulses = (end_us - last_us - offset_us(channel) - segment.span_us) // segment.period_us + 1
        if pulses > 0 and last_us < window.end_us:
            yield Stretch(last_us + offset_us(channel), index, pulses, amplitude_ua)
        begin_us += segment.dwell_us


class _Heights(NamedTuple):
    """The phases' currents in uA with their signs: numbers where all pulses are alike, else columns, a row a pulse."""

    first: Any
    second: Any

    def of(self, pulses: slice) -> "_Heights":
        """Those of some of the pulses."""
        return self if isinstance(self.first, int) else _Heights(self.first[pulses], self.second[pulses])


def _heights(stretch: Stretch, segment: Segment, quantum_ua: int, dtype: np.dtype[Any]) -> _Heights:
    # Numbers or arrays of them; 64 bits hold the product of 2000 uA and the microseconds of a session.
    levels: Any = stretch.start
    if stretch.step:
        levels = np.arange(stretch.pulses, dtype=np.int64)[:, np.newaxis] * stretch.step + stretch.start
    levels = levels // stretch.divisor
    first = levels - levels % quantum_ua
    second = -(first * segment.width_us // segment.second_width_us)
    return _Heights(first.astype(dtype), second.astype(dtype)) if stretch.step else _Heights(first, second)


class _SampleWindow:
    """A buffer and where it lies on the grid of samples.

    With two axes it is several windows of one length, one after the other, in which the same pulses are written.
    """

    __slots__ = ("begin_us", "end_us", "length", "out", "rate_hz", "start_sample")

    def __init__(self, out: Samples, start_sample: int, rate_hz: int) -> None:
        self.out = out
        self.length = out.shape[-1]
        self.start_sample = start_sample
        self.rate_hz = rate_hz
        # Its first sample's instant, rounded down.
        self.begin_us = start_sample * US_PER_S // rate_hz
        # 1 us past its last sample's instant, rounded down: what begins before this may have a sample in it.
        self.end_us = (start_sample + self.length - 1) * US_PER_S // rate_hz + 1

    def clear(self) -> None:
        """Write 0 everywhere."""
        # A fill of bytes is a memset, which is faster than a fill of numbers.
        (self.out.view(np.uint8) if self.out.flags.c_contiguous else self.out).fill(0)

    def write(self, stretch: Stretch, segment: Segment, cycle_us: int, heights: _Heights) -> None:
        """Write what lies inside of a stretch of pulses, cycles that lie here whole all at once."""
        if stretch.cycles == 1:
            self._write_pulses(stretch.t_us, stretch.pulses, segment, heights)
            return
        t_us = stretch.t_us + max(0, (self.begin_us - stretch.t_us) // cycle_us) * cycle_us
        until_us = min(stretch.t_us + stretch.cycles * cycle_us, self.end_us)
        while t_us < until_us:
            folded = self._folded(t_us, until_us, cycle_us)
            (folded or self)._write_pulses(t_us, stretch.pulses, segment, heights)
            t_us += cycle_us * (len(folded.out) if folded else 1)

    def _folded(self, t_us: int, until_us: int, cycle_us: int) -> "_SampleWindow | None":
        """Those cycles from `t_us` on that lie here whole, one upon the other; None when there are not several."""
        cycle = cycle_us * self.rate_hz
        begin = self._index(t_us * self.rate_hz)
        if cycle % US_PER_S or begin < 0:
            return None
        samples = cycle // US_PER_S
        cycles = min((self.length - begin) // samples, -(-(until_us - t_us) // cycle_us))
        if cycles < 2:
            return None
        out = self.out[begin : begin + cycles * samples].reshape(cycles, samples)
        return _SampleWindow(out, self.start_sample + begin, self.rate_hz)

    def _index(self, at: int) -> int:
        """Where the first sample lies at or after an instant given in us times rate; it may lie outside."""
        return _first_sample(at) - self.start_sample

    def _write_pulses(self, t_us: int, pulses: int, segment: Segment, heights: _Heights) -> None:
        """Write what lies inside of `pulses` pulses, one period apart, the first at `t_us`."""
        period_us = segment.period_us
        first = max(0, -((t_us + segment.span_us - self.begin_us) // period_us))
        last = min(pulses, (self.end_us - 1 - t_us) // period_us + 1)
        every, samples = _grid(period_us * self.rate_hz)
        for k in range(first, min(first + every, last)):
            edges = self._edges(t_us + k * period_us, segment)
            self._write_rows(edges, samples, -(-(last - k) // every), heights.of(slice(k, last, every)))

    def _edges(self, t_us: int, segment: Segment) -> _Edges:
        """Between which samples the two phases of a pulse lie that begins at `t_us`."""
        rate_hz = self.rate_hz
        at, second = t_us * rate_hz, (t_us + segment.width_us + segment.interphase_gap_us) * rate_hz
        return (
            self._index(at),
            self._index(at + segment.width_us * rate_hz),
            self._index(second),
            self._index(second + segment.second_width_us * rate_hz),
        )

    def _write_rows(self, edges: _Edges, samples: int, pulses: int, heights: _Heights) -> None:
        """Write pulses `samples` apart: those that have a whole row in the window all at once, then the others."""
        begin = edges[0]
        first = 0 if begin >= 0 else 1
        last = min(pulses, (self.length - begin) // samples)
        if last - first > 1:
            out = self.out[..., begin + first * samples : begin + last * samples]
            rows = out.reshape(*out.shape[:-1], last - first, samples)
            _, fall, second_rise, second_fall = (edge - begin for edge in edges)
            if isinstance(heights.first, int) and second_fall and out.strides[-1] == out.itemsize:
                pulse = _pulse(fall, second_rise, second_fall, heights, out.dtype)
                rows[..., :second_fall].view(pulse.dtype)[...] = pulse
            else:
                some = heights.of(slice(first, last))
                rows[..., :fall] = some.first
                rows[..., second_rise:second_fall] = some.second
        else:
            last = first
        for i in (*range(first), *range(last, pulses)):
            self._write_pulse(tuple(max(0, edge + i * samples) for edge in edges), heights.of(slice(i, i + 1)))

    def _write_pulse(self, edges: tuple[int, ...], heights: _Heights) -> None:
        """Write what lies inside of one pulse."""
        rise, fall, second_rise, second_fall = edges
        self.out[..., rise:fall] = heights.first
        self.out[..., second_rise:second_fall] = heights.second


@lru_cache(maxsize=4)  # each is a whole pulse
def _pulse(fall: int, second_rise: int, length: int, heights: _Heights, dtype: np.dtype[Any]) -> Samples:
    """A pulse of `length` samples as one item of so many bytes: it is copied several times as fast as samples are."""
    pulse = np.zeros(length, dtype)
    pulse[:fall], pulse[second_rise:] = heights
    return pulse.view((np.void, pulse.nbytes))


@lru_cache(maxsize=64)
def _grid(period: int) -> tuple[int, int]:
    """After how many periods (given in us times rate) pulses lie on the grid as before, and after how many samples."""
    periods = US_PER_S // gcd(period, US_PER_S)
    return periods, periods * period // US_PER_S
