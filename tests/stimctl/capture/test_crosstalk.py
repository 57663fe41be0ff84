"""A lower copy of another channel's pulses is no pulse of the channel's own train."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from stimctl.capture.crosstalk import without_crosstalk
from stimctl.capture.pulses import PulseMeasurements
from tests.stimctl.capture.test_train import measured, pulses

ONE_S, TWO_S = np.arange(100) * 0.01, np.arange(100) * 0.01 + 0.0025


def channel(name: str, *parts: tuple[Any, float]) -> PulseMeasurements:
    made = np.concatenate([pulses(onsets) for onsets, _ in parts])
    made["level"] = np.concatenate([np.full(len(onsets), level) for onsets, level in parts])
    return replace(measured(made[np.argsort(made["onset_s"])]), column=name)


def test_copies_are_left_out_and_told() -> None:
    one, two = channel("A", (ONE_S, 0.5)), channel("B", (TWO_S, 0.25), (ONE_S + 2e-6, 0.03))
    own, seen = without_crosstalk([one, two])
    assert [len(each.pulses) for each in own] == [100, 100]
    assert set(own[1].pulses["level"]) == {0.25}
    assert [(each.column, each.of, each.count) for each in seen] == [("B", "A", 100)]
    assert seen[0].part == pytest.approx(0.06)


def test_a_channel_that_is_all_copies_is_empty() -> None:
    own, seen = without_crosstalk([channel("A", (ONE_S, 0.5)), channel("B", (ONE_S + 2e-6, 0.03))])
    assert [len(each.pulses) for each in own] == [100, 0]
    assert seen[0].count == 100


@pytest.mark.parametrize("level", [0.3, 0.5])
def test_pulses_of_a_devices_own_at_the_same_time_stay(level: float) -> None:
    own, seen = without_crosstalk([channel("A", (ONE_S, 0.5)), channel("B", (ONE_S, level))])
    assert [len(each.pulses) for each in own] == [100, 100]
    assert not seen


def test_a_low_pulse_at_another_time_stays() -> None:
    own, seen = without_crosstalk([channel("A", (ONE_S, 0.5)), channel("B", (TWO_S, 0.25), (TWO_S + 0.005, 0.03))])
    assert len(own[1].pulses) == 200
    assert not seen
