"""Prescriptions at the edges of what is allowed: the last good value, the next one, and what exactly is said."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from stimctl import limits
from stimctl.errors import InputInvalid, Problem, Unsafe
from stimctl.label import is_label
from stimctl.prescription import ChannelPlan, Clinician, Coating, Needle, Prescription, Subject, Terminal, from_mapping
from stimctl.prescription.plan import NEEDLE_DIAMETER, NEEDLE_INSERTED, Flag, is_whole
from stimctl.profile import Profiles, load_profiles
from stimctl.units import LARGEST
from stimctl.waveform import Segment
from tests.stimctl.test_prescription import (
    MINUTE_US,
    NEEDLE,
    PROFILES,
    Values,
    arguments,
    bench,
    channel_values,
    fibromyalgia,
    made,
    profile_with,
    screened,
    values,
)


def problems_of(asked: Values, **more: Any) -> list[Problem]:
    """Everything that is wrong with these values."""
    with pytest.raises((Unsafe, InputInvalid)) as caught:
        from_mapping(asked, PROFILES, **more)
    assert isinstance(caught.value, Unsafe | InputInvalid)
    return list(caught.value.problems)


def load_values(profile: str = "bench-2-100hz", **changed: Any) -> Values:
    """For a dummy load between its terminals, where no needle is."""
    ends: Values = {"first": {"point": "terminal 1"}, "second": {"point": "terminal 2"}, "needle": None}
    return bench(profile, subject="dummy_load", declared_ohm=500, channels=[channel_values(**ends)], **changed)


def constructed(**changed: Any) -> list[tuple[str, str]]:
    """What a constructor's arguments are refused for: field, and what would be allowed."""
    with pytest.raises(Unsafe) as caught:
        Prescription(**arguments(**changed))
    return [(problem.field, problem.allowed) for problem in caught.value.problems]


# --- subjects -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("ohm", "good"), [(0, True), (-1, False), (10_000_000, True), (10_000_001, False)])
def test_the_ohms_of_a_dummy_load(ohm: int, good: bool) -> None:
    asked = bench(subject="dummy_load", declared_ohm=ohm)
    if good:
        assert from_mapping(asked, PROFILES).declared_ohm == ohm
    else:
        assert [(problem.field, problem.value) for problem in problems_of(asked)] == [("declared_ohm", ohm)]


def test_a_pregnant_person_is_refused_for_that_alone() -> None:
    (problem,) = problems_of(values(subject="person", pregnant=True), screening=screened())
    assert (problem.field, problem.value) == ("pregnant", True)
    assert "hard stop" in problem.allowed


def test_a_pregnant_animal_is_refused_only_the_points() -> None:
    assert made(subject="animal", approval="A-7", pregnant=True).pregnant is True
    ends: Values = {"first": {"point": "ST-36", "side": "left"}, "second": {"point": "SP-6", "side": "left"}}
    asked = fibromyalgia(subject="animal", approval="A-7", pregnant=True, channels=[channel_values(**ends)])
    assert [str(problem) for problem in problems_of(asked)] == [
        "channels[0] is 'SP-6 left': is not needled in pregnancy [lit]"
    ]


# --- needles, channels, texts -----------------------------------------------------------------------------


def test_the_needles_that_are_believed() -> None:
    assert (NEEDLE_DIAMETER.low, NEEDLE_DIAMETER.high) == (100, 500)
    assert (NEEDLE_INSERTED.low, NEEDLE_INSERTED.high) == (1_000, 75_000)


def test_of_a_needle_that_is_not_believed_no_density_is_told() -> None:
    for diameter_mm in (0.05, 0):
        asked = values(channels=[channel_values(needle={**NEEDLE, "diameter_mm": diameter_mm, "inserted_mm": 0.5})])
        assert [problem.field for problem in problems_of(asked)] == [
            "channels[0].needle.diameter_mm",
            "channels[0].needle.inserted_mm",
        ]


def test_density_k_and_rms_may_be_just_what_their_limits_say(monkeypatch: pytest.MonkeyPatch) -> None:
    figures = made(ceiling_ma=1.9)
    monkeypatch.setattr(limits, "DENSITY_UC_PER_CM2", figures.density(1))
    monkeypatch.setattr(limits, "SHANNON_K", figures.shannon_k(1))
    monkeypatch.setattr(limits, "RMS_FLAG_MA_PER_CM2", figures.rms_ma_per_cm2(1))
    assert "density" not in {flag.name for flag in made(ceiling_ma=1.9).flags}
    (density, k) = problems_of(values(ceiling_ma=1.91))
    assert "uC/cm2" in density.allowed
    assert "Shannon k" in str(k.value)
    monkeypatch.undo()
    assert (made(ceiling_ma=1.91).density(1) or 0) > (figures.density(1) or 0) > 0


def test_rms_density_goes_with_the_square_of_the_current() -> None:
    needle, pulse = Needle(300, 15_000, Coating.NONE), Segment(10_000, 200, 0, 400, 0)
    assert needle.rms_ma_per_cm2(pulse, 1_000) == pytest.approx(needle.rms_ma_per_cm2(pulse, 2_000) / 2)
    assert needle.rms_ma_per_cm2(pulse, 3_000) == pytest.approx(needle.rms_ma_per_cm2(pulse, 1_000) * 3)


def test_texts_and_whole_numbers_end_where_they_are_said_to() -> None:
    assert [is_label("x" * length) for length in (0, 1, 80, 81)] == [False, True, True, False]
    assert [is_whole(value) for value in (LARGEST - 1, LARGEST, 1 - LARGEST, -LARGEST)] == [True, False, True, False]


def test_a_channel_plan_is_made_of_its_parts() -> None:
    plan = arguments()["channels"][0]
    for changed in ({"channel": "1"}, {"amplitude_ua": 1.5}, {"first": "BL-23"}, {"second": None}, {"needle": 300}):
        with pytest.raises(InputInvalid, match=next(iter(changed))):
            ChannelPlan(**{**{name: getattr(plan, name) for name in plan.__slots__}, **changed})


@pytest.mark.parametrize("plans", [(), ("a plan",), (arguments()["channels"][0], None), list(arguments()["channels"])])
def test_channels_are_a_tuple_of_plans_and_at_least_one(plans: Any) -> None:
    assert constructed(channels=plans) == [("channels", "must be at least one channel plan")]


def test_a_load_has_two_terminals() -> None:
    assert [Terminal(number).point for number in (1, 2)] == ["terminal 1", "terminal 2"]
    for number in (0, 3):
        with pytest.raises(InputInvalid, match="must be 1 or 2"):
            Terminal(number)


@pytest.mark.parametrize("subject", [{"subject": "simulator"}, {"subject": "dummy_load", "declared_ohm": 500}])
@pytest.mark.parametrize("order", [("first", "second"), ("second", "first")])
def test_a_pair_is_of_two_terminals_or_of_two_needles(subject: Values, order: tuple[str, str]) -> None:
    ends: Values = {order[0]: {"point": "terminal 1"}, order[1]: {"point": "BL-25", "side": "left"}}
    (problem,) = problems_of(bench(**subject, channels=[channel_values(**ends)]))
    assert problem.field == "channels[0]"
    assert problem.allowed == "must be terminal 1 to terminal 2, or two needles"


def test_a_terminal_is_not_paired_with_itself() -> None:
    ends: Values = {"first": {"point": "terminal 1"}, "second": {"point": "terminal 1"}}
    (problem,) = problems_of(bench(channels=[channel_values(**ends)]))
    assert problem.allowed == "must be terminal 1 to terminal 2, or two needles"


def test_needles_are_declared_but_for_two_terminals() -> None:
    ends: Values = {"first": {"point": "terminal 1"}, "second": {"point": "BL-25", "side": "left"}}
    for asked, fields in (
        (values(channels=[channel_values(needle=None)]), ["channels[0].needle"]),
        (bench(channels=[channel_values(needle=None, **ends)]), ["channels[0].needle", "channels[0]"]),
    ):
        told = {problem.field: problem.allowed for problem in problems_of(asked)}
        assert sorted(told) == sorted(fields)
        assert told["channels[0].needle"] == "must be declared; only between a dummy load's terminals is there none"


def test_a_load_without_needles_has_no_figures_of_needles_and_no_place() -> None:
    load = from_mapping(load_values(), PROFILES)
    assert (load.density(1), load.shannon_k(1), load.rms_ma_per_cm2(1)) == (None, None, None)
    assert (load.placements, load.sites) == ([], frozenset())
    assert {flag.name for flag in load.flags} == {"charge"}
    (channel,) = load.record()["channels"]
    for name in ("needle", "density_uc_per_cm2", "shannon_k", "rms_ma_per_cm2"):
        assert channel[name] is None


# --- a bench's own pulses ---------------------------------------------------------------------------------

PULSES = (Segment(20_000, 100, 0, 100, 500_000), Segment(100_000, 200, 0, 200, 500_000))


def on_bench(**changed: Any) -> dict[str, Any]:
    """A constructor's arguments for a bench profile on the simulator."""
    return arguments(**{"protocol": PROFILES["bench-2hz"], "variant": "2-hz", **changed})


def test_a_benchs_own_pulses_are_what_it_plays_names_and_records() -> None:
    own = Prescription(**on_bench(segments=PULSES))
    assert own.program.segments == PULSES
    assert own.mode == "50/10 Hz"
    assert own.record()["segments"] == own.record()["program"]["segments"]
    assert [each["period_us"] for each in own.record()["segments"]] == [20_000, 100_000]
    assert Prescription(**on_bench(segments=(replace(PULSES[0], dwell_us=0),))).mode == "50 Hz"
    profiles = Prescription(**on_bench())
    assert (profiles.mode, profiles.segments) == ("2 Hz", None)
    assert "segments" not in profiles.record()


def _segment(**changes: Any) -> Segment:
    return replace(PULSES[0], **changes)


@pytest.mark.parametrize(
    "segments", ["50 Hz", list(PULSES), (PULSES[0], "50 Hz"), (_segment(width_us=0.5),), (on_bench,)]
)
def test_pulses_are_segments_of_whole_numbers(segments: Any) -> None:
    with pytest.raises(Unsafe) as caught:
        Prescription(**on_bench(segments=segments))
    (problem,) = caught.value.problems
    assert (problem.field, problem.allowed) == ("segments", "must be a list of segments of whole us")


def test_pulses_of_its_own_are_a_benchs_alone() -> None:
    (problem, *_) = problems_of(load_values("low-back-pain", segments=[{"period_us": 500_000, "width_us": 600}]))
    assert (problem.field, problem.value) == ("segments", 1)
    assert problem.allowed == "a clinical profile's pulses are its own; name a bench profile"


# --- a rehearsal ------------------------------------------------------------------------------------------


def test_a_living_subjects_session_may_be_a_rehearsal_and_its_record_says_so() -> None:
    asked = arguments(subject=Subject.ANIMAL, approval="A-7", pregnant=False)
    rehearsal, session = Prescription(**asked, rehearsal=True), Prescription(**asked)
    assert (rehearsal.rehearsal, session.rehearsal) == (True, False)
    assert rehearsal.record() == {**session.record(), "rehearsal": True}
    assert "rehearsal" not in session.record()


def test_nothing_else_is_rehearsed() -> None:
    allowed = "only a session of a person or of an animal is rehearsed"
    animal = {"subject": Subject.ANIMAL, "approval": "A-7", "pregnant": False}
    for changed in ({"rehearsal": True}, {**animal, "rehearsal": 1}, {**animal, "rehearsal": None}, {"rehearsal": ""}):
        assert constructed(**changed) == [("rehearsal", allowed)]


# --- what is said -----------------------------------------------------------------------------------------


def test_a_variant_that_is_missing_is_told_as_missing_and_another_as_it_was_given() -> None:
    knee = arguments(protocol=PROFILES["knee-osteoarthritis"])
    for given, told in (("", None), ("100-hz", "100-hz")):
        with pytest.raises(Unsafe) as caught:
            Prescription(**{**knee, "variant": given})
        assert [problem.value for problem in caught.value.problems if problem.field == "variant"] == [told]


def test_a_flag_names_its_channel_when_it_has_one() -> None:
    assert str(Flag("charge", "high")) == "high"
    assert str(Flag("density", "high", 2)) == "channel 2: high"


def test_flags_of_a_profile_are_those_on_under_dosing_and_a_load_has_no_placement() -> None:
    notes = PROFILES["fibromyalgia"].notes
    assert {"under-dosing", "mechanism"} <= {note.about for note in notes}
    told = [flag.text for flag in from_mapping(fibromyalgia(), PROFILES).flags if flag.name == "under-dosing"]
    assert told == [note.text for note in notes if note.about == "under-dosing"]
    assert [flag.name for flag in from_mapping(bench(), PROFILES).flags] == ["charge"]


def test_terminals_beside_needles_have_no_placement_to_warn_of() -> None:
    """The simulator takes both: one channel on the load, one at points."""
    channels = [
        channel_values(1, first={"point": "terminal 1"}, second={"point": "terminal 2"}),
        channel_values(2, first={"point": "BL-23", "side": "right"}, second={"point": "BL-25", "side": "right"}),
    ]
    assert "placement" not in {flag.name for flag in made(channels=channels).flags}


def test_in_pregnancy_one_pair_below_the_chest_is_enough_for_the_flag() -> None:
    animal: Values = {"subject": "animal", "approval": "A-7", "pregnant": True}
    leg: Values = {"first": {"point": "ST-36", "side": "left"}, "second": {"point": "GB-34", "side": "left"}}
    for channels, flagged in (([channel_values(), channel_values(2, **leg)], True), ([channel_values(**leg)], False)):
        prescription = from_mapping(fibromyalgia(channels=channels, **animal), PROFILES)
        assert ("pregnancy" in {flag.name for flag in prescription.flags}) is flagged


def test_a_fixed_amplitude_is_flagged_only_where_the_profile_says_to_tolerance(tmp_path: Path) -> None:
    old = "[stimulation.to_tolerance]\nvalue = true"
    for value, flagged in (("true", True), ("false", False)):
        profiles = profile_with(tmp_path, old, old.replace("true", value))
        prescription = from_mapping(values(subject="person"), profiles, screening=screened())
        assert ("tolerance" in {flag.name for flag in prescription.flags}) is flagged


def test_the_charge_flag_is_shown_at_one_microcoulomb_itself(tmp_path: Path) -> None:
    old = "[stimulation.width_2hz_ms]\nvalue = 0.6"
    prescription = from_mapping(values(), profile_with(tmp_path, old, old.replace("0.6", "0.5")))
    assert prescription.charge_per_phase_pc == 1_000_000
    assert "charge" in {flag.name for flag in prescription.flags}


def test_it_is_no_titration_unless_it_says_so() -> None:
    assert Prescription(**arguments()).titrate is False


def test_a_session_that_is_mostly_ramp_has_to_say_so() -> None:
    asked = arguments(stimulation_us=5_000_000, protocol=PROFILES["bench-2hz"], variant="2-hz")
    record = Prescription(**asked, ramp_only=True).record()
    assert (record["ramp_only"], record["channels"][0]["amplitude_ua"]) == (True, 1_500)
    assert 0 < record["channels"][0]["reached_ua"] < 1_500
    with pytest.raises(Unsafe, match="ramp_only = true where that is meant"):
        Prescription(**asked)


def test_no_clinician_answers_for_a_bench_profile() -> None:
    """Its pairs are terminals, or needles in a simulator: nobody's word is needed, and none is recorded."""
    asked = bench(channels=[channel_values()])
    origins = {"pairs": "unspecified", "amplitude_ma": "project default", "minutes": "project default"}
    assert from_mapping(asked, PROFILES).provenance() == origins


# --- files ------------------------------------------------------------------------------------------------


def test_a_file_without_channels_cannot_be_read() -> None:
    with pytest.raises(InputInvalid, match="channels"):
        made(channels=[])


def test_zero_seconds_are_zero() -> None:
    (problem,) = problems_of(bench(minutes=None, seconds=0))
    assert (problem.field, problem.value) == ("seconds", 0)


def test_a_profile_that_nobody_has_is_not_a_broken_one() -> None:
    known = load_profiles()
    assert isinstance(known, Profiles)
    with pytest.raises(InputInvalid, match="no profile has this id"):
        from_mapping(values(profile="no-such-profile"), known)


@pytest.mark.parametrize("end", ["first", "second"])
def test_a_point_that_is_not_known_is_told_where_it_stands(end: str) -> None:
    unknown: Values = {end: {"point": "BL-99", "side": "left"}}
    asked = values(ceiling_ma=1.00005, channels=[channel_values(**unknown)])
    assert [problem.field for problem in problems_of(asked)] == ["ceiling_ma", f"channels[0].{end}.point"]


# --- the record -------------------------------------------------------------------------------------------


def test_the_record_of_a_good_prescription_is_exactly_this() -> None:
    prescription = made(
        screened(recent=True), subject="person", pregnant=False, ceiling_ma=1.6, clinician=None,
        channels=[channel_values(needle={**NEEDLE, "coating": "gold"})],
    )  # fmt: skip
    profile = PROFILES["low-back-pain"]
    record = json.loads(json.dumps(prescription.record()))
    screening, flags = record.pop("screening"), record.pop("flags")
    assert prescription.screening is not None
    assert screening == json.loads(json.dumps(prescription.screening.record()))
    assert flags == [str(flag) for flag in prescription.flags]
    assert len(flags) >= 2
    assert record == {
        "subject": "person",
        "operator": "an operator",
        "pseudonym": "p-1",
        "profile": {
            "id": "low-back-pain",
            "version": profile.version,
            "sha256": profile.sha256,
            "title": "Chronic low back pain",
            "variant": "2-100-hz",
        },
        "mode": "2/100 Hz",
        "titrate": False,
        "ramp_only": False,
        "ceiling_ua": 1_600,
        "stimulation_us": 20 * MINUTE_US,
        "charge_per_phase_pc": 1_600 * 600,
        "channels": [
            {
                "channel": 1,
                "pair": [
                    {"point": "BL-23", "side": "left", "region": "lower back", "spot": ""},
                    {"point": "BL-25", "side": "left", "region": "lower back", "spot": ""},
                ],
                "amplitude_ua": 1_500,
                "reached_ua": 1_500,
                "needle": {"diameter_um": 300, "inserted_um": 30_000, "coating": "gold"},
                # 0.96 uC on pi * 0.03 cm * 3 cm = 0.28274 cm2; log10(0.96) + log10(3.3953)
                "density_uc_per_cm2": 3.395,
                "shannon_k": 0.513,
                # 1.6 mA in 2 phases of 200 us each 10 ms: 1.6 * sqrt(0.04) / 0.28274
                "rms_ma_per_cm2": 1.132,
            }
        ],
        "program": {
            "segments": [
                {
                    "period_us": period_us,
                    "width_us": width_us,
                    "interphase_gap_us": 0,
                    "second_width_us": width_us,
                    "dwell_us": 3_000_000,
                }
                for period_us, width_us in ((500_000, 600), (10_000, 200))
            ],
            "channels": [1],
            "ramp_slope_ua_per_s": prescription.program.ramp_slope_ua_per_s,
            "ramp_down_us": 5_000_000,
            "stimulation_us": 20 * MINUTE_US,
        },
        "provenance": {"pairs": "source", "amplitude_ma": "source", "minutes": "source"},
        "declared_ohm": None,
        "approval": None,
        "pregnant": False,
        "clinician": None,
    }


def test_the_record_holds_what_other_subjects_declare() -> None:
    load = from_mapping(bench(subject="dummy_load", declared_ohm=500), PROFILES).record()
    assert (load["declared_ohm"], load["approval"], load["pregnant"], load["screening"]) == (500, None, None, None)
    animal = made(subject="animal", approval="A-7", pregnant=True).record()
    assert (animal["declared_ohm"], animal["approval"], animal["pregnant"]) == (None, "A-7", True)
    titrated = Prescription(**arguments(titrate=True, channels=(replace(arguments()["channels"][0], amplitude_ua=0),)))
    assert titrated.record()["titrate"] is True
    assert titrated.subject is Subject.SIMULATOR
    named = from_mapping(fibromyalgia(), PROFILES)
    assert named.clinician == Clinician("Dr Who", ("pairs", "amplitude_ma", "minutes"))
    completes = ["pairs", "amplitude_ma", "minutes"]
    assert named.record()["clinician"] == {"name": "Dr Who", "completes": completes, "lowers": []}
