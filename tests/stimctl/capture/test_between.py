"""What flows between pulses is told by the rest of the whole capture, whatever a bench adds to it."""

import numpy as np
import pytest

from stimctl.capture import Block, Capture, Column, measure
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


def test_a_level_beyond_the_scale_is_higher_than_any() -> None:
    samples = on(QUIET)
    samples[40_550:50_000] += 0.3
    samples[90_550:99_000] = np.inf
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
