"""A run on a load from amounts alone: what it prescribes, and what has no needle."""

import json
from dataclasses import replace

import pytest

from stimctl.bench.dummy_load import LoadRun, nearest_period_us, prescription_for, pulses_text
from stimctl.errors import Misuse, Unsafe
from stimctl.prescription import Subject, from_mapping
from stimctl.profile import load
from stimctl.traffic.session_notes import answers_of
from stimctl.waveform import Mode

RUN = LoadRun(ohm=1_000, amplitude_ua=1_500, stimulation_us=30_000_000)


@pytest.mark.parametrize("run", [RUN, replace(RUN, width_us=150), replace(RUN, period_us=30_030, channels=(2, 4))])
def test_it_is_a_dummy_loads_prescription_that_a_file_could_hold(run: LoadRun) -> None:
    made = prescription_for(run)
    assert (made.subject, made.declared_ohm, made.ceiling_ua) == (Subject.DUMMY_LOAD, 1_000, 1_500)
    again = from_mapping(answers_of(made))
    assert (again.program, again.channels, again.segments) == (made.program, made.channels, made.segments)


def test_without_a_needle_there_are_no_densities_and_the_record_says_so() -> None:
    made = prescription_for(RUN)
    assert (made.density(1), made.shannon_k(1), made.rms_ma_per_cm2(1)) == (None, None, None)
    (channel,) = json.loads(json.dumps(made.record()))["channels"]
    assert (channel["needle"], channel["density_uc_per_cm2"], channel["shannon_k"]) == (None, None, None)


@pytest.mark.parametrize(
    ("run", "said"),
    [
        (RUN, "2 Hz 0.6 ms, 100 Hz 0.2 ms"),
        (replace(RUN, mode=Mode.LOW, width_us=300), "2 Hz 0.3 ms"),
        (replace(RUN, period_us=40_000), "25 Hz 0.2 ms"),
        (replace(RUN, period_us=nearest_period_us("33.3")), "33.3 Hz 0.2 ms"),
        (replace(RUN, period_us=nearest_period_us("70"), ramp_only=True), "70 Hz (given: 69.9986 Hz) 0.2 ms"),
        (replace(RUN, period_us=nearest_period_us("1.23456"), ramp_only=True), "1.23456 Hz 0.2 ms"),
    ],
)
def test_its_pulses_are_said(run: LoadRun, said: str) -> None:
    assert pulses_text(prescription_for(run)) == said


def test_the_mode_of_own_pulses_is_their_rate() -> None:
    assert prescription_for(replace(RUN, period_us=40_000)).mode == "25 Hz"
    assert prescription_for(replace(RUN, width_us=300)).mode == "2/100 Hz" == prescription_for(RUN).mode


@pytest.mark.parametrize(
    "run", [replace(RUN, period_us=9_999), replace(RUN, width_us=601), replace(RUN, amplitude_ua=499)]
)
def test_no_amount_is_beyond_a_limit(run: LoadRun) -> None:
    with pytest.raises(Unsafe):
        prescription_for(run)


@pytest.mark.parametrize("hertz", ["1", "2", "33.3", "60", "70", "90", "99", "100"])
def test_a_plateau_is_given_the_ramps_besides(hertz: str) -> None:
    """Whatever whole uA the rise has at each pulse."""
    period_us = nearest_period_us(hertz)
    asked = replace(RUN, stimulation_us=None, plateau_us=3_000_000, mode=Mode.HIGH, period_us=period_us, ramp_only=True)
    reached = prescription_for(asked).reached(1)
    assert reached.amplitude_ua == 1_500
    assert reached.plateau_us + period_us >= 3_000_000
    assert reached.plateau_us <= 3_200_000 + 2 * period_us


def test_needles_at_points_have_to_be_declared_and_a_clinical_profile_has_its_own_pulses() -> None:
    needles = {"channel": 1, "first": {"point": "BL-23", "side": "left"}, "second": {"point": "BL-25", "side": "left"}}
    asked = answers_of(prescription_for(replace(RUN, width_us=150)))
    bare = {**asked, "channels": [{**needles, "amplitude_ma": 1.5}]}
    with pytest.raises(Unsafe, match=r"channels\[0\]\.needle: must be declared"):
        from_mapping(bare)
    back = load("low-back-pain")
    clinical = {**asked, "profile": back.id, "profile_sha256": back.sha256, "variant": back.variants[0].id}
    with pytest.raises(Unsafe, match="a clinical profile's pulses are its own"):
        from_mapping(clinical)


@pytest.mark.parametrize(("hertz", "period_us"), [("2", 500_000), ("33.3", 30_030), ("3", 333_333)])
def test_a_rate_has_its_nearest_period(hertz: str, period_us: int) -> None:
    assert nearest_period_us(hertz) == period_us


@pytest.mark.parametrize("hertz", ["0", "-1", "nan", "1e9", "two"])
def test_what_is_no_rate(hertz: str) -> None:
    with pytest.raises(Misuse):
        nearest_period_us(hertz)


def test_no_time_at_all_is_refused_as_it_was_written() -> None:
    with pytest.raises(Unsafe, match="stimulation_us is 0"):
        prescription_for(replace(RUN, stimulation_us=0))
