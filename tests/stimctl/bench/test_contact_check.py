"""What is taken for an impedance check before a run, and what is not: a run's own pulses are never left out."""

import numpy as np
import pytest

from stimctl.bench.contact_check import without_check
from stimctl.capture import PulseMeasurements
from stimctl.capture.shape import FIELDS

UA = 2_000.0  # what the column's number 1 is: 1 V over 500 ohm


def column(
    pulses: int, *, every_s: float = 0.01, pause_s: float = 0.09, ua: float = 100, width_s: float = 2e-4
) -> PulseMeasurements:
    """A row of like pulses, a pause, and five of a run at 100 Hz and 1 mA."""
    rows = np.zeros(pulses + 5, FIELDS)
    rows["onset_s"] = np.concatenate(
        (np.arange(pulses) * every_s, (pulses - 1) * every_s + pause_s + np.arange(5) / 100)
    )
    rows["level"] = rows["second_level"] = np.repeat([ua / UA, 1_000 / UA], [pulses, 5])
    rows["width_s"] = rows["second_width_s"] = np.repeat([width_s, 2e-4], [pulses, 5])
    return PulseMeasurements("a file", "ch1", 5e-6, 0, 1, rows, 0, 0, 0, 0)


@pytest.mark.parametrize("pause_s", [0.011, 0.09, 3])
def test_a_checks_pulses_are_told_by_their_shape(pause_s: float) -> None:
    run, found = without_check(column(10, pause_s=pause_s), UA)
    assert (found, len(run.pulses)) == (10, 5)


@pytest.mark.parametrize(
    "changes",
    [
        {"pulses": 9}, {"pulses": 11}, {"ua": 80}, {"ua": 130}, {"ua": 1_000}, {"width_s": 1.5e-4}, {"width_s": 6e-4},
        {"every_s": 0.009}, {"every_s": 0.02}, {"pause_s": 0.005},
    ],
    ids=str,
)  # fmt: skip
def test_what_is_otherwise_in_anything_is_the_runs_own(changes: dict[str, float]) -> None:
    measured = column(**{"pulses": 10, **changes})  # type: ignore[arg-type]
    assert without_check(measured, UA) == (measured, 0)


def test_a_row_of_the_checks_shape_in_which_a_pulse_is_missing_is_no_check() -> None:
    measured = column(10, pause_s=0.02)
    measured.pulses["level"] = measured.pulses["second_level"] = 100 / UA
    assert without_check(measured, UA) == (measured, 0)


def test_a_run_may_begin_with_a_pulse_like_the_checks_at_its_own_rate() -> None:
    """At 2 Hz and 0.2 ms the ramp's first step is one."""
    measured = column(10, pause_s=0.09)
    measured.pulses["level"][10] = measured.pulses["second_level"][10] = 100 / UA
    measured.pulses["onset_s"][11:] += 0.49
    assert without_check(measured, UA)[1] == 10


@pytest.mark.parametrize("count", [0, 1, 5, 10, 40])
def test_an_even_row_is_no_check(count: int) -> None:
    measured = column(count + 1)
    measured = PulseMeasurements("a file", "ch1", 5e-6, 0, 1, measured.pulses[:count], 0, 0, 0, 0)
    assert without_check(measured, UA) == (measured, 0)
