"""Pulses of known truth are measured as they are, whatever a bench adds to them."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from stimctl.capture import Block, Capture, Column, measure, shape
from stimctl.capture.model import Samples
from stimctl.capture.pulses import PulseMeasurements, measure_samples
from stimctl.errors import InputInvalid
from tests.stimctl.capture.accuracy import NOISES, PAGE, PULSES, RATES_HZ, _line, agrees
from tests.stimctl.capture.synthesis import Bench, Truth, capture, drawn, on_bench, steady

FIRST_S = 0.0110037
SYMMETRIC, LOW_SECOND = Truth(), Truth(second_width_us=1_200, second_level_v=0.5 / 6)


def found(samples: Samples, rate_hz: float) -> PulseMeasurements:
    return measure_samples(samples.astype(np.float32), 1 / rate_hz)


def median(measured: PulseMeasurements, field: str) -> float:
    return float(np.nanmedian(measured.pulses[field]))


@pytest.mark.parametrize(
    ("truth", "bench", "part"),
    [
        (SYMMETRIC, Bench(rate_hz=50e3), 0.001),
        (SYMMETRIC, Bench(rate_hz=100e3), 0.001),
        (SYMMETRIC, Bench(), 0.001),
        (SYMMETRIC, Bench(rate_hz=10e6), 0.001),
        (LOW_SECOND, Bench(), 0.002),
        (LOW_SECOND, Bench(noise_v=0.01), 0.012),
        (LOW_SECOND, Bench(noise_v=0.03), 0.02),
        (Truth(gap_us=100, width_us=100, second_width_us=100), Bench(rate_hz=100e3), 0.001),
        (Truth(gap_us=30), Bench(noise_v=0.005), 0.003),
        (SYMMETRIC, Bench(noise_v=0.05), 0.01),
        (SYMMETRIC, Bench(offset_v=0.3, drift_v_per_s=0.2, noise_v=0.005), 0.003),
        (SYMMETRIC, Bench(hum_v=0.1, noise_v=0.005), 0.005),
        (SYMMETRIC, Bench(hum_v=0.1, hum_hz=59.98, noise_v=0.005, inverted=True), 0.005),
        (Truth(ring=0.4, rise_us=2), Bench(rate_hz=5e6, noise_v=0.005), 0.004),
        (SYMMETRIC, Bench(bits=8, noise_v=0.004), 0.005),
    ],
    ids=str,
)
def test_all_of_a_pulse(truth: Truth, bench: Bench, part: float) -> None:
    seconds = 0.3 if bench.rate_hz > 2e6 else 1.0
    onsets = steady(0.01, int((seconds - 0.02) / 0.01), FIRST_S)
    seen = found(capture(onsets, truth, bench, seconds), bench.rate_hz)
    assert len(seen.pulses) == len(onsets)
    assert seen.direction == (-1 if bench.inverted else 1)
    sample_us = 1e6 * seen.interval_s
    assert median(seen, "level") == pytest.approx(truth.level_v, rel=part)
    assert median(seen, "second_level") == pytest.approx(truth.second_level_v, rel=3 * part)
    assert median(seen, "width_s") * 1e6 == pytest.approx(truth.width_us, rel=part, abs=0.6 * sample_us)
    assert median(seen, "second_width_s") * 1e6 == pytest.approx(
        truth.second_width_us, rel=3 * part, abs=0.6 * sample_us
    )
    assert median(seen, "gap_s") * 1e6 == pytest.approx(truth.gap_us, abs=max(1.0, 0.6 * sample_us))
    assert median(seen, "charge") == pytest.approx(truth.charge, rel=max(0.01, 2 * part))
    assert np.max(np.abs(seen.pulses["onset_s"] - onsets)) * 1e6 < max(2.0, sample_us)
    assert not seen.pulses["clipped"].any()


def test_a_missing_second_phase_is_missing() -> None:
    seen = found(capture(steady(0.01, 90, FIRST_S), Truth(second_level_v=1e-9), Bench(noise_v=0.005), 1.0), 1e6)
    assert np.isnan(seen.pulses["second_level"]).all()
    assert median(seen, "charge") == pytest.approx(Truth().charge, rel=0.02)


def test_clipping_at_the_end_of_the_scale() -> None:
    clipped = Bench(bits=8, noise_v=0.008, range_v=0.4)
    seen = found(capture(steady(0.01, 90, FIRST_S), SYMMETRIC, clipped, 1.0), 1e6)
    assert seen.pulses["clipped"].all()
    for range_v, is_clipped in ((0.4, True), (0.6, False)):
        quiet = Bench(bits=8, noise_v=0.0005, range_v=range_v)  # flickers on edges alone
        seen = found(capture(steady(0.01, 90, FIRST_S), Truth(rise_us=5), quiet, 1.0), 1e6)
        assert seen.noise < 0.6 * seen.step
        assert seen.pulses["clipped"].tolist() == [is_clipped] * 90
    samples = capture(steady(0.01, 90, FIRST_S), SYMMETRIC, Bench(), 1.0)
    samples[samples > 0.4] = np.inf
    assert found(samples, 1e6).pulses["clipped"].all()


def test_overshoot_rise_and_droop() -> None:
    truth = Truth(width_us=300, second_width_us=300, rise_us=20)
    assert median(found(capture(steady(0.01, 90), truth, Bench(), 1.0), 1e6), "rise_s") * 1e6 == pytest.approx(
        20, rel=0.02
    )
    ringing = found(capture(steady(0.01, 20), Truth(ring=0.4, rise_us=1), Bench(rate_hz=5e6), 0.3), 5e6)
    assert 0.1 < median(ringing, "overshoot") < 0.4
    samples = drawn(steady(0.01, 90, FIRST_S), SYMMETRIC, 1e6, 1.0)
    for onset_s in steady(0.01, 90, FIRST_S):
        begin = int(np.ceil(onset_s * 1e6))
        samples[begin : begin + 200] *= 1.05 - 0.1 * (begin + np.arange(200) - onset_s * 1e6) / 200
    assert median(found(samples, 1e6), "droop") == pytest.approx(0.1, rel=0.002)


def test_blocks_of_any_size_give_the_same() -> None:
    bench = Bench(rate_hz=100e3, noise_v=0.005, seed=4)
    samples = capture(steady(0.0137, 300, FIRST_S), Truth(width_us=600, second_width_us=600), bench, 4.3).astype(
        np.float32
    )
    whole = found(samples, bench.rate_hz)
    for size in (997, 5_003, 40_001):
        blocks = [Block([samples[at : at + size]], 1.0) for at in range(0, len(samples), size)]
        cut = measure(Capture("blocks", "", 1e-5, 0.0, (Column("1"),), lambda _, b=blocks: iter(b)))[0]  # type: ignore[misc]
        assert len(cut.pulses) == len(whole.pulses) == 300
        np.testing.assert_allclose(cut.pulses["onset_s"], whole.pulses["onset_s"], atol=2e-6)
        np.testing.assert_allclose(cut.pulses["level"], whole.pulses["level"], rtol=0.02)


def test_one_column_of_a_table_is_measured_as_it_lies() -> None:
    samples = capture(steady(0.01, 40, FIRST_S), SYMMETRIC, Bench(rate_hz=100e3, noise_v=0.004), 0.45)
    table = np.stack((samples, -samples), axis=1)
    np.testing.assert_array_equal(measure_samples(table[:, 0], 1e-5).pulses, measure_samples(samples, 1e-5).pulses)


def test_codes_that_flicker_in_a_short_rest_are_nothing() -> None:
    """What is left after the last pulse has two codes only: their step is known from before."""
    seen = found(capture(steady(0.01, 149), Truth(), Bench(bits=8, noise_v=0.004), 1.5), 1e6)
    assert (len(seen.pulses), seen.at_edges, seen.held, seen.ignored) == (149, 0, 0, 0)


def test_the_mean_and_its_uncertainty() -> None:
    bench = Bench(rate_hz=100e3, noise_v=0.004, offset_v=0.0123, bits=0)
    seen = found(on_bench(np.zeros(2_000_000), bench), bench.rate_hz)
    assert seen.mean == pytest.approx(0.0123, abs=4 * seen.mean_u)
    assert 0 < seen.mean_u < 1e-5


def test_nothing_is_found_where_nothing_is() -> None:
    for bench in (Bench(noise_v=0.05), Bench(hum_v=0.3), Bench(noise_v=0.003, bits=8), Bench(drift_v_per_s=1)):
        assert not len(found(on_bench(np.zeros(1_000_000), bench), 1e6).pulses), bench


@pytest.mark.parametrize("hum_hz", [50.0, 60.0])
def test_hum_without_noise_is_no_pulse(hum_hz: float) -> None:
    """Of twelve bits and a quiet input nothing but the hum moves, and a piece has no whole number of its waves."""
    truth = Truth(0.4, 150, 100, 150, 0.32, rise_us=10)
    for rate_hz in (1e6, 100e3):
        quiet = Bench(rate_hz=rate_hz, bits=12, hum_v=0.01, hum_hz=hum_hz - 0.03, offset_v=0.02)
        for seconds in (0.2293, 0.3015, 0.5293):
            onsets = steady(0.0100037, int((seconds - 0.02) / 0.01), 0.0113)
            seen = found(capture(onsets, truth, quiet, seconds), rate_hz)
            assert (len(seen.pulses), seen.held) == (len(onsets), 0)


@pytest.mark.parametrize(("rate_hz", "rise_us", "noise_v"), [(50e6, 6.4, 0.012), (10e6, 10, 0.02), (50e6, 20, 0.02)])
def test_noise_on_edges_of_many_samples_makes_no_phase_wider(rate_hz: float, rise_us: float, noise_v: float) -> None:
    """The first sample over half of a plateau comes early there, and the last one late."""
    truth = Truth(0.5, 370, 100, 370, 0.5, rise_us=rise_us)
    seen = found(capture(steady(0.01, 4), truth, Bench(rate_hz=rate_hz, noise_v=noise_v), 0.045), rate_hz)
    for width in ("width_s", "second_width_s"):
        assert np.mean(seen.pulses[width]) * 1e6 == pytest.approx(370, abs=0.4)
    assert median(seen, "gap_s") * 1e6 == pytest.approx(100, abs=1)


@pytest.mark.parametrize(("hum_v", "drift_v_per_s"), [(0.005, 0.2), (0.01, 0.2), (0.05, 1.0)])
def test_hum_on_a_drift_without_noise_is_no_pulse(hum_v: float, drift_v_per_s: float) -> None:
    """A sine on a slope reaches farther off its middle than its quarters tell of a sine, or of a slope."""
    for rate_hz in (1e6, 100e3):
        quiet = Bench(rate_hz=rate_hz, hum_v=hum_v, drift_v_per_s=drift_v_per_s)
        for seconds in (0.5, 1.037):
            onsets = steady(0.01, int((seconds - 0.02) / 0.01))
            seen = found(capture(onsets, SYMMETRIC, quiet, seconds), rate_hz)
            assert (len(seen.pulses), seen.held) == (len(onsets), 0)


def test_a_step_of_the_baseline_is_no_drift() -> None:
    """It lies to one side of a piece of 40 ms alone, whose pulses are found though it is the first of a half."""
    onsets = steady(0.01, 118, FIRST_S)
    samples = capture(onsets, SYMMETRIC, Bench(noise_v=0.004), 1.2)
    samples[639_000:] += 2
    at = found(samples, 1e6).pulses["onset_s"]
    assert np.abs(at[:, None] - onsets).min(axis=0).max() < 2e-6


def test_the_sample_that_is_no_number_is_named_though_some_are_averaged() -> None:
    samples = capture(steady(0.01, 5), Truth(), Bench(rate_hz=2e6, noise_v=0.2), 0.06).astype(np.float32)
    samples[100_123] = np.nan
    cut = 100_007  # no whole number of those that are averaged
    blocks = (Block([samples[:cut]], 0.5), Block([samples[cut:]], 1.0))
    parted = Capture("samples", "array", 5e-7, 0.0, (Column("1"),), lambda _: iter(blocks))
    with pytest.raises(InputInvalid, match="sample 100123 is no number"):
        measure(parted)


def test_two_spikes_with_nothing_between_them_are_no_phase() -> None:
    row = np.zeros(400, np.float32)
    row[100:102] = row[105:107] = 1
    assert shape.odd(row, 50, 1e-5, 0.01) is None


def test_ringing_in_a_gap_is_not_of_a_low_second_phase() -> None:
    truth = Truth(0.5, 190, 100, 570, 0.5 / 3 * 0.8, rise_us=2, ring=0.35, ring_us=7)
    bench = Bench(rate_hz=2e6, noise_v=0.002, bits=8)
    seen = found(capture(steady(0.0100037, 8, 0.0113), truth, bench, 0.1), bench.rate_hz)
    assert median(seen, "second_width_s") * 1e6 == pytest.approx(570, abs=2)
    assert median(seen, "gap_s") * 1e6 == pytest.approx(100, abs=2)


@pytest.mark.parametrize("grid", [("100 Hz, 200/200 us", 100e3, 0.05), ("2 Hz, 600/600 us", 50e3, 0.02)], ids=str)
def test_the_page_of_accuracy_says_what_is_measured(grid: Any) -> None:
    name, rate_hz, noise = grid
    assert rate_hz in RATES_HZ
    assert noise in NOISES
    line = _line(name, *PULSES[name], rate_hz, noise)
    row = "| " + " | ".join(line.cells) + " |"
    start = row[: row.index("(U")].rsplit("|", 1)[0]
    (kept,) = [each for each in PAGE.read_text("utf-8").splitlines() if each.startswith(start)]
    assert agrees(kept, row)
    assert not agrees(kept, row.replace(row.split("(U ")[1][:4], "9.99"))


def test_truth_is_not_of_the_measurement() -> None:
    """The drawn samples are what is told of them: their integral is the charge, without any of our code."""
    truth = replace(SYMMETRIC, gap_us=50)
    samples = drawn([0.005], truth, 10e6, 0.01)
    assert float(np.sum(np.maximum(samples, 0))) / 10e6 == pytest.approx(truth.charge, rel=0.001)
