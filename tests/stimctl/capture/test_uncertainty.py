"""What a width is where samples are far apart, and what it may be off by."""

import numpy as np
import pytest

from stimctl.capture import Declared
from stimctl.capture.pulses import measure_samples
from stimctl.capture.uncertainty import EXACT, Judge
from tests.stimctl.capture.synthesis import Bench, Floats, Truth, capture, steady

RATE_HZ = 50e3


def judged(onsets_s: Floats, width_us: float = 230.0) -> Judge:
    truth = Truth(width_us=width_us, second_width_us=width_us, rise_us=0.5)
    samples = capture(onsets_s, truth, Bench(rate_hz=RATE_HZ, noise_v=0.002), float(onsets_s[-1]) + 0.02)
    return Judge(measure_samples(samples.astype(np.float32), 1 / RATE_HZ), Declared(500), EXACT)


@pytest.mark.parametrize("width_us", [225.0, 230.0, 234.0])
def test_a_width_between_two_counts_of_samples(width_us: float) -> None:
    """Each pulse is eleven samples wide or twelve: so is their median, and their mean is neither."""
    judge = judged(steady(0.0100037, 90, 0.0113), width_us)
    for name in ("width_s", "second_width_s"):
        figure = judge.width(judge.measured.pulses[name])
        assert judge.places > 8
        assert figure.value == pytest.approx(width_us, abs=figure.uncertainty)
        assert figure.uncertainty < 4


@pytest.mark.parametrize(("rest", "places"), [(0, 1), (1 / 3, 3), (1 / 5, 5), (3 / 7, 7)])
def test_a_period_that_meets_few_places_between_samples(rest: float, places: int) -> None:
    """Their mean may be off by half of what lies between two of them, over however many pulses."""
    for width_us in np.arange(221.0, 240.0, 3.0):
        judge = judged(steady((520 + rest) / RATE_HZ, 120, 0.0113), float(width_us))
        seconds = judge.measured.pulses["second_width_s"]
        figure = judge.width(seconds)
        assert judge.places == places
        assert judge.sampling_s(seconds) == pytest.approx(1 / RATE_HZ / np.sqrt(6) / places)
        assert figure.value == pytest.approx(width_us, abs=figure.uncertainty)


def test_onsets_without_any_rule_tell_no_places() -> None:
    judge = judged(np.cumsum(np.geomspace(0.008, 0.08, 14)))
    assert judge.places == 1
    assert judge.width(judge.measured.pulses["width_s"]).known
