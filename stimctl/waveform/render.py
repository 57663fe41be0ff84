"""Samples of a pulse train, into a buffer of the caller's.

A sample is the current in uA at one instant: sample i lies at i / rate seconds, positive in the first phase,
negative in the second, 0 elsewhere. A phase that begins at T us covers the samples from ceil(T * rate / 1e6), in
integers: times in floats put wrong samples into every long train. So chunks of any size join without a seam.

A steady train repeats itself, so it is rendered by tiling a short template, at the speed of filling memory.
With ramps every pulse is written by itself: slower, and as exact.
"""

from collections.abc import Iterator
from functools import lru_cache
from math import gcd
from typing import Any, TypeAlias

import numpy as np

from stimctl.errors import Misuse
from stimctl.units import US_PER_S
from stimctl.waveform.pattern import Program, Segment, offset_us
from stimctl.waveform.train import Train, check_channel, check_target

Samples: TypeAlias = np.ndarray[Any, np.dtype[Any]]

CHUNK_SAMPLES = 1 << 22
# A template long enough to be copied at full speed, short enough to stay in the cache.
TILE_SAMPLES = 1 << 13
LONGEST_TILE_SAMPLES = 1 << 16


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
    window = _Window(buffer, start_sample, rate_hz)
    if ramped:
        train = Train(program, channel)
        train.set_target(amplitude_ua)
        _render_pulses(window, train)
    else:
        _render_steady(window, program, channel, amplitude_ua - amplitude_ua % program.quantum_ua)


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


class _Window:
    """A buffer and where it lies on the grid of samples."""

    __slots__ = ("out", "rate_hz", "start_sample")

    def __init__(self, out: Samples, start_sample: int, rate_hz: int) -> None:
        self.out = out
        self.start_sample = start_sample
        self.rate_hz = rate_hz

    @property
    def begin_us(self) -> int:
        """Its first sample's instant, rounded down."""
        return self.start_sample * US_PER_S // self.rate_hz

    @property
    def end_us(self) -> int:
        """1 us past its last sample's instant, rounded down: what begins before this may have a sample in it."""
        return (self.start_sample + len(self.out) - 1) * US_PER_S // self.rate_hz + 1

    def index_of(self, t_us: int) -> int:
        """Index in `out` of the first sample at or after `t_us`, kept inside."""
        index = -(-t_us * self.rate_hz // US_PER_S) - self.start_sample
        if index < 0:
            return 0
        return index if index < len(self.out) else len(self.out)

    def between(self, first: int, last: int) -> "_Window":
        """The part of it from index `first` to index `last`."""
        return _Window(self.out[first:last], self.start_sample + first, self.rate_hz)

    def write_pulse(self, at: int, segment: Segment, amplitude_ua: int) -> None:
        """Write what lies inside of a pulse that begins at `at` (us times rate)."""
        second = at + (segment.width_us + segment.interphase_gap_us) * self.rate_hz
        edges = (at, at + segment.width_us * self.rate_hz, second, at + segment.span_us * self.rate_hz)
        rise, fall, second_rise, second_fall = (max(0, -(-edge // US_PER_S) - self.start_sample) for edge in edges)
        self.out[rise:fall] = amplitude_ua
        self.out[second_rise:second_fall] = -segment.second_amplitude_ua(amplitude_ua)


def _render_pulses(window: _Window, train: Train) -> None:
    window.out.fill(0)
    # Pulses that began before the window does may reach into it.
    train.advance(window.begin_us - max(segment.span_us for segment in train.program.segments))
    for t_us, index, amplitude_ua in train.walk(window.end_us):
        window.write_pulse(t_us * window.rate_hz, train.program.segments[index], amplitude_ua)


def _render_steady(window: _Window, program: Program, channel: int, amplitude_ua: int) -> None:
    # Whole cycles before the window are stepped over.
    begin_us = window.begin_us - window.begin_us % program.cycle_us if program.cycle_us else 0
    until_us = min(program.stimulation_us, window.end_us) if program.cycle_us else program.stimulation_us
    done = 0
    for index, band_us, band_end_us in program.bands(begin_us, until_us):
        end_us = min(band_end_us, program.stimulation_us)
        first, last = window.index_of(band_us), window.index_of(end_us)
        if first < last:
            first_us = band_us + offset_us(channel)
            whole = (end_us - first_us - program.segments[index].span_us) // program.segments[index].period_us + 1
            _render_band(window.between(first, last), program.segments[index], first_us, max(0, whole), amplitude_ua)
            done = last
    window.out[done:] = 0


def _render_band(window: _Window, segment: Segment, first_us: int, pulses: int, amplitude_ua: int) -> None:
    """Write a window that lies in one band, of `pulses` pulses the first of which begins at `first_us`."""
    rate_hz, out = window.rate_hz, window.out
    periods = _tile_periods(segment.period_us * rate_hz)
    if not 0 < periods <= pulses:
        _write_each(window, segment, first_us, pulses, amplitude_ua)
        return
    phase = first_us * rate_hz % US_PER_S
    tile = _tile(segment, periods, phase, rate_hz=rate_hz, amplitude_ua=amplitude_ua, dtype=out.dtype)
    begin, end = window.index_of(first_us), window.index_of(first_us + pulses * segment.period_us)
    out[:begin] = 0
    skip = window.start_sample + begin - _first_sample(first_us * rate_hz)
    _repeat(out[begin:end], tile, skip % len(tile))
    out[end:] = 0


@lru_cache(maxsize=64)
def _tile_periods(period: int) -> int:
    """How many periods (given in us times rate) make a whole number of samples that is worth copying; 0 for none."""
    periods = US_PER_S // gcd(period, US_PER_S)
    periods *= max(1, TILE_SAMPLES // (periods * period // US_PER_S))
    return periods if periods * period // US_PER_S <= LONGEST_TILE_SAMPLES else 0


def _write_each(window: _Window, segment: Segment, first_us: int, pulses: int, amplitude_ua: int) -> None:
    window.out.fill(0)
    first = max(0, (window.begin_us - first_us) // segment.period_us)
    last = min(pulses, (window.end_us - first_us) // segment.period_us + 1)
    for k in range(first, last):
        window.write_pulse((first_us + k * segment.period_us) * window.rate_hz, segment, amplitude_ua)


@lru_cache(maxsize=8)
def _tile(
    segment: Segment, periods: int, phase: int, *, rate_hz: int, amplitude_ua: int, dtype: np.dtype[Any]
) -> Samples:
    """`periods` periods of a steady train; the first pulse begins `phase` millionths of a sample past a sample."""
    tile = np.zeros(periods * segment.period_us * rate_hz // US_PER_S, dtype=dtype)
    window = _Window(tile, 1 if phase else 0, rate_hz)
    for k in range(periods):
        window.write_pulse(phase + k * segment.period_us * rate_hz, segment, amplitude_ua)
    tile.flags.writeable = False
    return tile


def _repeat(out: Samples, tile: Samples, skip: int) -> None:
    """Fill `out` with `tile` over and over, beginning `skip` samples into it."""
    head = min(len(out), (len(tile) - skip) % len(tile))
    out[:head] = tile[skip : skip + head]
    whole = (len(out) - head) // len(tile) * len(tile)
    out[head : head + whole].reshape(-1, len(tile))[:] = tile
    out[head + whole :] = tile[: len(out) - head - whole]
