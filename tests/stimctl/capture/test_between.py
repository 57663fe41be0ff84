"""What flows between pulses is told by the rest of the whole capture, whatever a bench adds to it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stimctl.capture import Block, Capture, Column, measure
from stimctl.capture.between import Milliseconds, untouched
from stimctl.capture.model import Samples
from stimctl.capture.pulses import PulseMeasurements, measure_samples
from tests.stimctl.capture.synthesis import Bench, Truth, capture, steady

RATE_HZ = 100_000.0
SECONDS = 2.0
QUIET = Bench(rate_hz=RATE_HZ, noise_v=0.0005)


def on(bench: Bench, seconds: float = SECONDS) -> Samples:
    return capture(steady(0.01, round(100 * seconds) - 2), Truth(), bench, seconds).astype(np.float32)


def found(samples: Samples) -> PulseMeasurements:
    return measure_samples(samples, 1 / RATE_HZ)


@pytest.mark.parametrize("begin_s", [0.0, 0.2, 0.4055, 0.8, 1.2, 1.95])
@pytest.mark.parametrize("length_s", [0.006, 0.02, 0.0405, 0.1, 0.3, 0.8, 2.0])
@pytest.mark.parametrize("sign", [1, -1])
def test_a_level_has_its_height_and_its_begin(begin_s: float, length_s: float, sign: int) -> None:
    """Where the rest is the shorter part of a capture it is what lies nearer to zero."""
    samples = on(QUIET)
    samples[round(begin_s * RATE_HZ) : round((begin_s + length_s) * RATE_HZ)] += sign * 0.15
    seen = found(samples)
    if begin_s == 0.0 and length_s >= SECONDS:
        assert seen.highest is None  # it is this capture's rest: a reference tells it, by the average direct current
        return
    assert seen.highest is not None
    assert seen.highest.height == pytest.approx(0.15, abs=0.002)
    assert seen.highest.begin_s == pytest.approx(begin_s, abs=0.005)  # a pulse may lie on it
    assert seen.held == 1


@pytest.mark.parametrize(
    "bench",
    [
        QUIET,
        Bench(rate_hz=RATE_HZ, noise_v=0.03),
        Bench(rate_hz=RATE_HZ, bits=8, noise_v=0.004, offset_v=0.012),
        Bench(rate_hz=RATE_HZ, offset_v=0.3, drift_v_per_s=0.2, noise_v=0.005),
        Bench(rate_hz=RATE_HZ, hum_v=0.1, noise_v=0.005),
        Bench(rate_hz=RATE_HZ, hum_v=0.1, hum_hz=59.98, noise_v=0.005, inverted=True),
        Bench(rate_hz=RATE_HZ, hum_v=0.01, drift_v_per_s=0.2),
        Bench(rate_hz=RATE_HZ),
    ],
    ids=str,
)
@pytest.mark.parametrize("seconds", [0.25, 2.0])
def test_what_a_bench_adds_is_no_level_and_hides_none(bench: Bench, seconds: float) -> None:
    samples = on(bench, seconds)
    assert (found(samples).highest, found(samples).held) == (None, 0)
    samples[round(0.1055 * RATE_HZ) : round(0.1655 * RATE_HZ)] += 0.15
    seen = found(samples)
    assert seen.highest is not None
    assert seen.highest.height == pytest.approx(0.15, abs=0.03)
    assert seen.highest.begin_s == pytest.approx(0.1055, abs=0.005)


def test_a_level_is_told_alike_however_the_capture_is_cut_into_blocks() -> None:
    samples = on(QUIET)
    samples[40_550:90_000] += 0.15
    whole = found(samples).highest
    blocks = [Block([part], 1.0) for part in np.array_split(samples, 7)]
    seen = measure(Capture("blocks", "", 1e-5, 0.0, (Column("1"),), lambda _: iter(blocks)))[0]
    assert whole is not None
    assert seen.highest is not None
    assert seen.highest.height == pytest.approx(whole.height, abs=1e-3)
    assert seen.highest.begin_s == pytest.approx(whole.begin_s, abs=1e-3)
    assert seen.held == 1


@pytest.mark.parametrize("length_s", [0.004, 0.01, 0.06, 0.2])
def test_a_higher_level_upon_a_low_one_is_told(length_s: float) -> None:
    samples = on(QUIET)
    samples[40_000:120_000] += 0.008
    samples[90_550 : 90_550 + round(length_s * RATE_HZ)] += 0.15
    seen = found(samples)
    assert seen.highest is not None
    assert seen.highest.height == pytest.approx(0.158, abs=0.002)
    assert seen.highest.begin_s == pytest.approx(0.9055, abs=0.001)


@pytest.mark.parametrize("other", [np.inf, -np.inf])
def test_a_level_beyond_the_scale_is_higher_than_any(other: float) -> None:
    samples = on(QUIET)
    samples[40_550:50_000] += 0.3
    samples[90_550:99_000] = np.inf
    samples[90_551:99_000:2] = other
    seen = found(samples)
    assert seen.highest is not None
    assert (seen.highest.over, seen.highest.height, seen.held) == (True, pytest.approx(0.5, abs=0.001), 2)
    assert seen.highest.begin_s == pytest.approx(0.9055, abs=0.001)


def test_a_level_that_is_one_of_few_codes_is_not_their_step() -> None:
    samples = on(Bench(rate_hz=RATE_HZ, bits=8, noise_v=0.0005, seed=216), 0.4)
    samples[20_550:27_550] += 0.1
    highest = found(samples).highest
    assert highest is not None
    assert highest.height == pytest.approx(0.1, abs=0.003)


def test_a_hum_that_pulses_meet_alike_is_no_drift() -> None:
    bench = Bench(rate_hz=RATE_HZ, bits=8, noise_v=0.0005, hum_v=0.01, seed=241)
    assert found(capture(steady(0.0100003, 298), Truth(), bench, 3.0).astype(np.float32)).highest is None


@given(
    seed=st.integers(0, 1_000),
    period_s=st.floats(0.004, 0.1),
    rate_hz=st.sampled_from([50_000, 100_000, 130_000]),
    seconds=st.floats(0.05, 0.5),
    cuts=st.lists(st.floats(0, 1), max_size=3),
    dtype=st.sampled_from([np.float32, np.float64]),
)
def test_each_quiet_millisecond_has_its_plain_mean(
    seed: int, period_s: float, rate_hz: int, seconds: float, cuts: list[float], dtype: type[np.floating]
) -> None:
    onsets = np.arange(0.003, seconds - 0.003, period_s)
    bench = Bench(rate_hz=rate_hz, noise_v=0.001, offset_v=4.0, seed=seed)
    samples = capture(onsets, Truth(), bench, seconds).astype(dtype)
    blocks = [Block([part], 1.0) for part in np.split(samples, sorted(round(cut * len(samples)) for cut in cuts))]
    of_them = Capture("blocks", "", 1 / rate_hz, 0.0, (Column("1"),), lambda _: iter(blocks), simulated=True)
    quiet = measure(of_them)[0].quiet
    assert quiet is not None
    size, at = rate_hz // 1_000, (onsets * rate_hz).astype(np.int64)
    begins = np.round(quiet.times * rate_hz).astype(np.int64)
    means = [samples[begin : begin + size].astype(np.float64).mean() for begin in begins]
    np.testing.assert_allclose(quiet.levels, means, rtol=0, atol=1e-5)
    counted, on, near = (np.zeros(len(samples), np.int64) for _ in range(3))
    for begin in begins:
        counted[begin : begin + size] += 1
    for begin in at:
        on[begin : begin + round(360e-6 * rate_hz)] = 1  # up to the last look at it
        near[begin - 3 * size : begin + 4 * size] = 1
    assert counted.max() <= 1
    assert not (counted & on).any()
    # Between two blocks, and at the end, less than a millisecond is left.
    assert np.count_nonzero(~counted.astype(bool) & ~near.astype(bool)) < size * (len(blocks) + 1)


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 4))), st.integers(0, 30))
def test_what_is_beside_a_pulse_is_not_quiet(pulses: list[tuple[int, int]], count: int) -> None:
    first = np.array([begin for begin, _ in pulses], np.int64)
    last = np.array([begin + length for begin, length in pulses], np.int64)
    quiet = [n for n in range(count) if not any(begin - 1 <= n <= begin + length + 1 for begin, length in pulses)]
    assert untouched(first, last, count).tolist() == quiet


def test_samples_of_two_bytes_have_the_means_of_longer_ones() -> None:
    samples = np.full(30_000, 8.0, np.float16)  # whose sum is beyond them
    milliseconds = Milliseconds(samples, 1e-7)
    milliseconds.take(0, len(samples))
    assert milliseconds.means.tolist() == [8.0, 8.0, 8.0]
