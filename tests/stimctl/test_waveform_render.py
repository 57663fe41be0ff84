"""Samples: chunked, whole and literal rendering are the same, at any rate; half an hour fits in bounded memory."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stimctl.errors import Misuse, Unsafe
from stimctl.waveform import (
    Mode,
    Program,
    Segment,
    Train,
    pulses,
    render_chunks,
    render_into,
    sample_count,
    segments_for,
)
from tests.stimctl.test_waveform import amplitudes as any_amplitudes
from tests.stimctl.test_waveform import programs

US = 1_000_000

PROGRAMS = [
    Program(segments_for(Mode.LOW), (1, 2, 3), stimulation_us=2_100_000),
    Program(segments_for(Mode.HIGH), (2, 4), 380, 300_000, 1_234_567),
    Program(segments_for(Mode.DENSE_DISPERSE, dwell_low_us=500_000, dwell_high_us=700_000), (1, 4), 200, 0, 3 * US),
    Program(
        (Segment(20_000, 300, 70, 600, 520_000), Segment(33_333, 150, 3, 450, 500_000 + 12_000)),
        (1, 3),
        300,
        2 * US,
        2_999_999,
    ),
    # Too little is left for a pulse at the end of the band, and of the session.
    Program(
        segments_for(Mode.DENSE_DISPERSE, dwell_low_us=500_000, dwell_high_us=700_300), (1,), stimulation_us=2 * US
    ),
    Program(segments_for(Mode.HIGH), (1,), stimulation_us=1_230_300),
]
RATES = st.sampled_from([1, 1_000, 10_000, 20_000, 44_100, 50_000]) | st.integers(1, 50_000)
amplitudes = st.sampled_from([0, 1, 100, 999, 2_000])


def literal_samples(program: Program, channel: int, amplitude_ua: int, rate_hz: int, *, ramped: bool) -> Any:
    """Sample by sample: is the instant i / rate inside a phase? In integers, i * 1e6 against us * rate."""
    samples = np.zeros(-(-program.stimulation_us * rate_hz // US), dtype=np.int64)
    for t_us, index, first_ua in pulses(program, channel, amplitude_ua, flat=not ramped):
        segment = program.segments[index]
        fall_us = t_us + segment.width_us
        second_us = fall_us + segment.interphase_gap_us
        end_us = second_us + segment.second_width_us
        i = max(0, t_us * rate_hz // US - 2)
        while i < len(samples) and i * US < end_us * rate_hz:
            if t_us * rate_hz <= i * US < fall_us * rate_hz:
                samples[i] += first_ua
            elif second_us * rate_hz <= i * US < end_us * rate_hz:
                samples[i] -= first_ua * segment.width_us // segment.second_width_us
            i += 1
    return samples


@given(st.sampled_from(PROGRAMS), amplitudes, RATES, st.integers(1, 40_000), st.booleans())
@settings(max_examples=120, deadline=None)
def test_chunked_whole_and_literal_are_the_same(
    program: Program, amplitude_ua: int, rate_hz: int, chunk: int, ramped: bool
) -> None:
    channel = program.channels[-1]
    literal = literal_samples(program, channel, amplitude_ua, rate_hz, ramped=ramped)
    whole = np.full(len(literal) + 9, 77, dtype=np.int16)
    render_into(whole, program, channel, amplitude_ua, start_sample=0, rate_hz=rate_hz, ramped=ramped)
    assert np.array_equal(whole[: len(literal)], literal)
    assert not whole[len(literal) :].any(), "zero after the end"
    buffer = np.full(max(chunk, len(literal) // 20 + 1), 77, dtype=np.float32)
    begun = 0
    for part in render_chunks(program, channel, amplitude_ua, rate_hz=rate_hz, buffer=buffer, ramped=ramped):
        assert np.array_equal(part, literal[begun : begun + len(part)])
        begun += len(part)
    assert begun == len(literal) == sample_count(program, rate_hz=rate_hz)


@given(st.sampled_from(PROGRAMS), RATES, st.integers(0, 160_000), st.integers(1, 3_000), st.booleans())
@settings(max_examples=120, deadline=None)
def test_any_window_is_a_slice_of_the_whole(
    program: Program, rate_hz: int, start_sample: int, length: int, ramped: bool
) -> None:
    channel = program.channels[0]
    whole = np.empty(start_sample + length, dtype=np.int32)
    render_into(whole, program, channel, 2_000, start_sample=0, rate_hz=rate_hz, ramped=ramped)
    window = np.full(length, 77, dtype=np.float64)
    render_into(window, program, channel, 2_000, start_sample=start_sample, rate_hz=rate_hz, ramped=ramped)
    assert np.array_equal(window, whole[start_sample:])


def plain_samples(
    program: Program, channel: int, amplitude_ua: int, rate_hz: int, first: int, length: int, *, ramped: bool
) -> Any:
    """Samples `first` onward, written one pulse after the other."""
    samples = np.zeros(length, dtype=np.int64)
    for t_us, index, first_ua in pulses(program, channel, amplitude_ua, flat=not ramped):
        segment = program.segments[index]
        second_us = t_us + segment.width_us + segment.interphase_gap_us
        for ua, begin_us, width_us in (
            (first_ua, t_us, segment.width_us),
            (-segment.second_amplitude_ua(first_ua), second_us, segment.second_width_us),
        ):
            begin, end = (-(-at_us * rate_hz // US) - first for at_us in (begin_us, begin_us + width_us))
            samples[max(0, begin) : max(0, end)] = ua
    return samples


UNEVEN = (Segment(20_000, 300, 70, 600, 520_000), Segment(33_333, 150, 3, 450, 12_000 + 15 * 33_333))
CYCLE_US = sum(segment.dwell_us for segment in UNEVEN)
ANY_RATE = st.sampled_from([1_000, 8_000, 20_000, 44_100, 48_000, 100_000]) | st.integers(1, 100_000)


@st.composite
def windows(draw: st.DrawFn, program: Program, rate_hz: int) -> tuple[int, int]:
    """(first sample, length): anywhere in the program and past its end, up to the whole of it."""
    total = sample_count(program, rate_hz=rate_hz)
    longest = min(total + 10, 1_500_000)
    return draw(st.integers(0, total)), draw(st.sampled_from([1, longest]) | st.integers(1, longest))


@given(programs(), any_amplitudes, ANY_RATE, st.booleans(), st.data())
@settings(max_examples=200, deadline=None)
def test_any_stretch_of_any_program_is_what_its_pulses_are_one_by_one(
    program: Program, amplitude_ua: int, rate_hz: int, ramped: bool, data: st.DataObject
) -> None:
    channel = data.draw(st.sampled_from(program.channels))
    first, length = data.draw(windows(program, rate_hz))
    plain = plain_samples(program, channel, amplitude_ua, rate_hz, first, length, ramped=ramped)
    dtype = data.draw(st.sampled_from([np.int16, np.int32, np.float32, np.float64]))
    # Every second column of a wider buffer is written through a stride; the others must stay as they were.
    columns = data.draw(st.sampled_from([1, 2]))
    buffer = np.full((length, columns), 77, dtype)
    window = buffer[:, 0]
    render_into(window, program, channel, amplitude_ua, start_sample=first, rate_hz=rate_hz, ramped=ramped)
    assert np.array_equal(window, plain)
    assert (buffer[:, 1:] == 77).all()


# From less than one cycle to many, which are written at once; at 12,345 Hz a cycle is no whole number of samples.
@pytest.mark.parametrize("rate_hz", [10_000, 12_345, 44_100])
@pytest.mark.parametrize("ramped", [False, True])
@pytest.mark.parametrize("stimulation_us", [1_010_000, CYCLE_US, 2 * CYCLE_US + 250_000, 29 * CYCLE_US + 700_000])
def test_alternation_is_what_its_pulses_are_one_by_one(stimulation_us: int, *, ramped: bool, rate_hz: int) -> None:
    program = Program(UNEVEN, (1, 3), 380, 500_000, stimulation_us)
    for first in (0, 3, rate_hz + 1):
        length = sample_count(program, rate_hz=rate_hz) - first + 5
        window = np.full(length, 77, np.int16)
        for channel in program.channels:
            plain = plain_samples(program, channel, 1_000, rate_hz, first, length, ramped=ramped)
            render_into(window, program, channel, 1_000, start_sample=first, rate_hz=rate_hz, ramped=ramped)
            assert np.array_equal(window, plain)


@pytest.mark.parametrize("ramped", [False, True])
@pytest.mark.parametrize("mode", [Mode.LOW, Mode.DENSE_DISPERSE])
def test_a_pulse_may_begin_on_the_last_sample_of_a_window(mode: Mode, ramped: bool) -> None:
    program = Program(segments_for(mode), (1,), stimulation_us=10 * US)
    window = np.full(501, 77, dtype=np.int16)
    render_into(window, program, 1, 2_000, start_sample=0, rate_hz=1_000, ramped=ramped)
    assert window[500] == (200 if ramped else 2_000)
    assert not window[2:500].any(), "the first pulse is over by then"


@pytest.mark.parametrize("rate_hz", [10_000, 100_000, 1_000_000])
@pytest.mark.parametrize("mode", list(Mode))
def test_the_samples_sum_to_the_charge(mode: Mode, rate_hz: int) -> None:
    """At rates that divide the phases evenly the integral of the samples is the dose, exactly."""
    program = Program(segments_for(mode), (1,), stimulation_us=13 * US)
    train = Train(program, 1, flat=True)
    train.set_target(1_500)
    train.advance(program.stimulation_us)
    positive, total = 0, 0
    for part in render_chunks(program, 1, 1_500, rate_hz=rate_hz):
        positive += int(part[part > 0].sum(dtype=np.int64))
        total += int(part.sum(dtype=np.int64))
    assert positive * US // rate_hz == sum(train.charge_pc)
    assert total == 0, "no net charge"


def test_half_an_hour_at_100_ks_per_s_in_bounded_memory() -> None:
    program = Program(segments_for(Mode.DENSE_DISPERSE), (1,))
    buffer = np.empty(1 << 20, dtype=np.int16)
    total, positive = 0, 0
    for part in render_chunks(program, 1, 2_000, rate_hz=100_000, buffer=buffer):
        assert np.shares_memory(part, buffer)
        total += len(part)
        positive += int(np.count_nonzero(part == 2_000))
    assert total == 180_000_000
    assert positive * 2_000 * 10 == 38_160_000_000, "38.16 mC, in samples of 10 us"


def test_ramped_samples_a_long_way_into_a_session() -> None:
    program = Program(segments_for(Mode.DENSE_DISPERSE), (1,))
    last = np.empty(300_000, dtype=np.int16)
    begin = 180_000_000 - len(last)
    render_into(last, program, 1, 2_000, start_sample=begin, rate_hz=100_000, ramped=True)
    # The last band begins 3 s before the end: 1.2 mA of 2.0 mA is left of a fall of 5 s, then 4 uA less each pulse.
    assert last[[0, 1_000, 299_000]].tolist() == [1_200, 1_196, 4]
    assert last[20] == -1_200
    assert last[40] == 0


def test_a_view_with_strides_is_a_buffer_too() -> None:
    """One column per channel, as sound files and converters take them."""
    program = PROGRAMS[1]
    frames = np.full((50_000, 2), 77, dtype=np.int16)
    for column, channel in enumerate(program.channels):
        render_into(frames[:, column], program, channel, 2_000, start_sample=0, rate_hz=20_000)
    for column, channel in enumerate(program.channels):
        literal = literal_samples(program, channel, 2_000, 20_000, ramped=False)
        assert np.array_equal(frames[: len(literal), column], literal)
    assert not np.any((frames[:, 0] != 0) & (frames[:, 1] != 0))


def test_what_does_not_fit_is_refused() -> None:
    program = PROGRAMS[0]

    def render(buffer: Any, channel: int = 1, amplitude_ua: int = 500, start: int = 0, rate_hz: Any = 1_000) -> None:
        render_into(buffer, program, channel, amplitude_ua, start_sample=start, rate_hz=rate_hz)

    read_only = np.zeros(5)
    read_only.flags.writeable = False
    for buffer in (np.zeros((2, 2)), np.zeros(4, np.int8), np.zeros(4, np.uint16), np.zeros(4, bool), read_only):
        with pytest.raises(Misuse, match="buffer"):
            render(buffer)
    with pytest.raises(Misuse, match="start_sample: -1"):
        render(np.zeros(4), start=-1)
    for rate in (0, -5, 44_100.0):
        with pytest.raises(Misuse, match="rate_hz"):
            render(np.zeros(4), rate_hz=rate)
    with pytest.raises(Misuse, match="channel 4"):
        render(np.zeros(4), channel=4)
    with pytest.raises(Unsafe, match="2001"):
        render(np.zeros(4), amplitude_ua=2_001)
    with pytest.raises(Misuse, match="at least one sample"):
        list(render_chunks(program, 1, 500, rate_hz=1_000, buffer=np.zeros(0)))
