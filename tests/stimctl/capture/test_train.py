"""Bands, switches, missing and extra pulses, jitter and dead time, of pulses whose onsets are known."""

import numpy as np
import numpy.typing as npt
import pytest

from stimctl.capture import shape
from stimctl.capture.cutter import Pulses
from stimctl.capture.pulses import PulseMeasurements
from stimctl.capture.train import dead_time, train_of

ALTERNATING = np.concatenate(
    [
        np.arange(6) * 0.5, 3 + np.arange(300) * 0.01, 6 + np.arange(6) * 0.5, 9 + np.arange(300) * 0.01,
        12 + np.arange(3) * 0.5,
    ]
)  # fmt: skip
EXPECTED_S = (0.5, 0.01)


def pulses(onsets: "npt.NDArray[np.floating]", width_us: float = 200) -> Pulses:
    made = np.zeros(len(onsets), shape.FIELDS)
    made["onset_s"], made["width_s"], made["second_width_s"] = onsets, width_us * 1e-6, width_us * 1e-6
    return made


def measured(of: Pulses) -> PulseMeasurements:
    return PulseMeasurements("", "1", 1e-6, 0.0, 15.0, of, 0.0, 0.0, 0.0, 0.0)


@pytest.mark.parametrize("expected_s", [EXPECTED_S, ()])
def test_bands_and_switches(expected_s: tuple[float, ...]) -> None:
    train = train_of(pulses(ALTERNATING), expected_s)
    assert sorted(train.periods_s, reverse=True) == pytest.approx(EXPECTED_S)
    assert [run.count for run in train.runs] == [6, 300, 6, 300, 3]
    assert train.switches_s == pytest.approx([3, 6, 9, 12])
    band = train.bands[10]
    assert train.dwells_s(int(band)) == pytest.approx([3, 3])
    assert not any(run.missing or run.extra for run in train.runs)


def test_the_last_pulse_is_of_the_band_that_its_width_tells() -> None:
    """A capture that ends right after a switch holds one pulse of the new band, and no interval after it."""
    cut = pulses(ALTERNATING[:613])
    slow = np.r_[0:6, 306:312, 612]
    cut["width_s"][slow] = 600e-6
    assert train_of(cut, EXPECTED_S).bands[-1] == 0
    assert train_of(cut, EXPECTED_S).dwells_s(1) == pytest.approx([3, 3])
    cut["width_s"][612] = 60e-6  # of no band: it was cut, and stays where it is
    assert train_of(cut, EXPECTED_S).bands[-1] == 1


def test_missing_and_extra_pulses_are_counted_in_their_band() -> None:
    train = train_of(pulses(np.delete(ALTERNATING, [50, 51, 120, 308])), EXPECTED_S)
    assert [run.missing for run in train.runs] == [0, 3, 1, 0, 0]
    more = np.sort(np.concatenate((ALTERNATING, [3.5043, 6.7])))
    train = train_of(pulses(more), EXPECTED_S)
    assert sum(run.extra for run in train.runs if run.band == 1) == 1
    assert sum(run.extra for run in train.runs) >= 2


def test_jitter_is_from_an_even_row() -> None:
    off = np.random.default_rng(1).normal(0, 20e-6, 1_000)
    (run,) = train_of(pulses(np.arange(1_000) * 0.01 + off)).runs
    assert run.jitter_s == pytest.approx(20e-6, rel=0.1)


def test_a_wrong_rate_is_of_the_band_it_is_nearest_to() -> None:
    slow = np.arange(100) / 3.0
    assert train_of(pulses(slow), EXPECTED_S).periods_s[0] == pytest.approx(1 / 3)


def test_dead_time_and_overlap() -> None:
    one, two = pulses(np.arange(100) * 0.01), pulses(np.arange(100) * 0.01 + 0.0025)
    found = dead_time(measured(one), measured(two))
    assert found is not None
    assert found.shortest_s == pytest.approx(0.0021)
    assert found.overlaps == 0
    two["onset_s"][40] = one["onset_s"][40] + 0.0003
    found = dead_time(measured(one), measured(two))
    assert found is not None
    assert found.overlaps == 1


def test_one_pulse_and_none() -> None:
    assert train_of(pulses(np.array([1.0]))).periods_s == ()
    assert train_of(pulses(np.empty(0))).runs == ()
