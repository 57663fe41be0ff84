"""What the end of an oscilloscope's scale cuts off is told; what is whole never is, however little noise it has."""

import numpy as np
import pytest

from stimctl.capture import Block, Capture, Column, measure
from stimctl.capture.pulses import PulseMeasurements, measure_samples
from stimctl.capture.search import step_of
from tests.stimctl.capture.synthesis import Bench, Truth, capture, steady

LOW_SECOND = Truth(width_us=100, second_width_us=600, second_level_v=0.5 / 6, rise_us=2)  # its far end is in range


def seen(range_v: float, noise_steps: float, offset_steps: float, truth: Truth = LOW_SECOND) -> PulseMeasurements:
    step = 2 * range_v / 256
    bench = Bench(rate_hz=1e6, bits=8, range_v=range_v, noise_v=noise_steps * step, offset_v=offset_steps * step)
    return measure_samples(capture(steady(0.0100037, 45, 0.011), truth, bench, 0.5).astype(np.float32), 1e-6)


@pytest.mark.parametrize("offset_steps", [0, 0.25, 0.5])
@pytest.mark.parametrize("noise_steps", [0.4, 0.5, 0.7, 1.0])
def test_a_top_without_the_noise_of_the_baseline_is_cut_off(noise_steps: float, offset_steps: float) -> None:
    assert seen(0.4, noise_steps, offset_steps).pulses["clipped"].all()


@pytest.mark.parametrize("range_v", np.linspace(0.55, 0.62, 5))  # the top lies at another place of its code
@pytest.mark.parametrize("noise_steps", [0, 0.05, 0.2, 0.3, 0.4, 0.7])
def test_a_whole_top_is_whole(noise_steps: float, range_v: float) -> None:
    for offset_steps in (0, 0.5):
        assert not seen(float(range_v), noise_steps, offset_steps).pulses["clipped"].any()


def test_a_flat_top_with_too_little_noise_is_told_and_judged() -> None:
    flat = seen(0.4, 0.1, 0)
    assert flat.flat_top
    assert not flat.pulses["clipped"].any()
    assert not seen(0.6, 0.3, 0).flat_top
    assert seen(0.4, 0.1, 0, Truth(rise_us=2)).pulses["clipped"].all()  # both ends of 256 codes


def test_what_was_not_looked_for_is_said() -> None:
    """Steep edges of quiet pulses show three codes, whose step nobody knows."""
    steep = Truth(width_us=100, second_width_us=600, second_level_v=0.5 / 6)
    assert seen(0.4, 0, 0, steep).few_codes
    assert not seen(0.4, 0, 0).few_codes
    samples = capture(steady(0.0100037, 45, 0.011), steep, Bench(bits=8, range_v=0.4), 0.5).astype(np.float32)
    whole = (Block([samples], 1.0),)
    parted = Capture("samples", "array", 1e-6, 0.0, (Column("1"),), lambda _: iter(whole))
    (declared,) = measure(parted, full_scale=0.4 - 0.8 / 256)
    assert declared.pulses["clipped"].all()
    assert not declared.few_codes


def test_the_highest_of_pulses_on_a_drift_is_not_cut_off() -> None:
    """Noise of half a code leaves a single pulse of twenty samples flat now and then."""
    for seed in range(12):
        bench = Bench(rate_hz=100e3, bits=8, noise_v=0.0045, drift_v_per_s=0.4, seed=seed)
        samples = capture(steady(0.0099996, 57, 0.0113), Truth(rise_us=2), bench, 0.6)
        assert not measure_samples(samples.astype(np.float32), 1e-5).pulses["clipped"].any()


def test_the_step_of_codes_that_a_file_rounds_is_a_codes() -> None:
    """Codes of 0.488 mV written to 0.1 mV are 0.4 or 0.5 mV apart, and none of them is a fifth of one."""
    assert step_of(np.round(np.arange(200) * 4.88e-4, 4).astype(np.float32)) > 3.9e-4
    assert step_of(np.array([0, 3, 7, 128, 131, 255], np.float32)) == 1  # few, seen on edges


@pytest.mark.parametrize("noise_v", [0.0005, 0.002, 0.02])
def test_a_cut_off_top_is_told_where_numbers_have_finer_steps_than_codes(noise_v: float) -> None:
    """As of an oscilloscope that averages, or a program that writes every digit."""
    bench = Bench(rate_hz=200e3, bits=0, noise_v=noise_v)
    whole = capture(steady(0.0100037, 45, 0.011), Truth(), bench, 0.5)
    assert not measure_samples(whole.astype(np.float32), 5e-6).pulses["clipped"].any()
    cut = np.clip(whole, -0.4, 0.4).astype(np.float32)
    assert measure_samples(cut, 5e-6).pulses["clipped"].all()
