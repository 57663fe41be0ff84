"""Prescriptions: what can be one, what cannot, and that none, however made, goes above a limit."""

import copy
import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import FrozenInstanceError, fields, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stimctl import limits
from stimctl.anatomy import POINTS, Region, Side, place
from stimctl.errors import InputInvalid, Misuse, Unsafe
from stimctl.prescription import (
    ChannelPlan,
    Clinician,
    Coating,
    Needle,
    Prescription,
    Subject,
    Terminal,
    from_file,
    from_mapping,
    subject_of,
)
from stimctl.prescription.completion import left_open
from stimctl.profile import Profile, examples_folder, load_file, packaged_folder
from stimctl.screening import QUESTIONS, AnswerKind, Screening
from stimctl.waveform import Mode, Segment
from tests.stimctl.profile.whole_text import whole_text

Values = dict[str, Any]
PROFILES: dict[str, Profile] = {path.stem: load_file(path) for path in packaged_folder().glob("[!_]*.toml")}
MINUTE_US = 60_000_000
NEEDLE = {"diameter_mm": 0.30, "inserted_mm": 30, "coating": "none"}


def values(**changed: Any) -> Values:
    """A good prescription for low back pain on the simulator, as a file would hold it, with changes."""
    channel = {
        "channel": 1,
        "first": {"point": "BL-23", "side": "left"},
        "second": {"point": "BL-25", "side": "left"},
        "amplitude_ma": 1.5,
        "needle": dict(NEEDLE),
    }
    good = {
        "format": 1,
        "profile": "low-back-pain",
        "subject": "simulator",
        "operator": "an operator",
        "pseudonym": "p-1",
        "minutes": 20,
        "ceiling_ma": 2.0,
        "channels": [channel],
    }
    return {name: value for name, value in {**good, **changed}.items() if value is not None}


def channel_values(number: int = 1, **changed: Any) -> Values:
    return {**values()["channels"][0], "channel": number, **changed}


def made(screening: Screening | None = None, **changed: Any) -> Prescription:
    return from_mapping(values(**changed), PROFILES, screening=screening)


def refused(screening: Screening | None = None, **changed: Any) -> str:
    with pytest.raises(Unsafe) as caught:
        made(screening, **changed)
    assert caught.value.problems
    return str(caught.value)


def bench(profile: str = "bench-2-100hz", **changed: Any) -> Values:
    ends: Values = {"first": {"point": "terminal 1"}, "second": {"point": "terminal 2"}}
    return values(**{"profile": profile, "channels": [channel_values(**ends)], **changed})


def screened(**changed: bool) -> Screening:
    answers = {question.id: question.kind is AnswerKind.REQUIRED for question in QUESTIONS}
    return Screening({**answers, **changed}, pseudonym="p-1", now_us=0)


# --- good ones ------------------------------------------------------------------------------------------


def test_a_good_prescription_is_whole_and_exact() -> None:
    prescription = made()
    assert prescription.subject is Subject.SIMULATOR
    assert prescription.mode == Mode.DENSE_DISPERSE
    assert prescription.ceiling_ua == 2_000
    assert prescription.targets_ua == {1: 1_500}
    assert prescription.stimulation_us == prescription.program.stimulation_us == 20 * MINUTE_US
    assert prescription.program.channels == (1,)
    assert prescription.program.segments == (
        Segment(500_000, 600, 0, 600, 3_000_000),
        Segment(10_000, 200, 0, 200, 3_000_000),
    )
    assert prescription.profile.sha256 == PROFILES["low-back-pain"].sha256
    assert prescription.profile.variant == "2-100-hz"
    assert prescription.provenance() == {"pairs": "source", "amplitude_ma": "source", "minutes": "source"}
    assert prescription.plan(1).needle == Needle(300, 30_000, Coating.NONE)
    with pytest.raises(Misuse, match="channel 2"):
        prescription.plan(2)
    prescription.begin(0)


def test_amounts_convert_exactly() -> None:
    assert made(ceiling_ma=0.7, channels=[channel_values(amplitude_ma=0.57)]).targets_ua == {1: 570}
    assert from_mapping(bench(minutes=None, seconds=1, ramp_only=True), PROFILES).stimulation_us == 1_000_000


@pytest.mark.parametrize("path", sorted(examples_folder().glob("*.toml")), ids=lambda path: path.stem)
def test_the_examples_are_good_and_for_no_living_subject(path: Path) -> None:
    prescription = from_file(path, PROFILES)
    assert prescription.subject in (Subject.SIMULATOR, Subject.DUMMY_LOAD)
    assert subject_of(path) == (prescription.subject, prescription.pseudonym)


def test_every_profile_with_stimulation_has_an_example() -> None:
    used = {from_file(path, PROFILES).profile.id for path in examples_folder().glob("*.toml")}
    assert used == {name for name, profile in PROFILES.items() if profile.stimulation is not None}


def test_its_record_is_json_and_complete() -> None:
    clinician = {"name": "Dr Who", "completes": ["amplitude_ma", "minutes", "pairs"]}
    prescription = made(profile="fibromyalgia", clinician=clinician, channels=[channel_values()])
    record = json.loads(json.dumps(prescription.record()))
    assert record["profile"]["sha256"] == PROFILES["fibromyalgia"].sha256
    assert record["channels"][0]["pair"][0] == {
        "point": "BL-23", "side": "left", "region": "lower back", "spot": "",
    }  # fmt: skip
    assert record["channels"][0]["density_uc_per_cm2"] == pytest.approx(4.244)
    assert record["clinician"] == {**clinician, "lowers": []}
    assert record["provenance"] == {"pairs": "clinician", "amplitude_ma": "clinician", "minutes": "clinician"}
    assert record["program"]["segments"][0]["width_us"] == 600
    given = {field.name for field in fields(Prescription)} - {"protocol", "variant", "segments", "rehearsal"} | {
        "profile"
    }
    assert given <= set(record)


# --- figures of a needle --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("diameter_um", "inserted_um", "density", "k", "rms"),
    [
        (250, 5_000, 30.6, 1.56, 10.2),
        (250, 10_000, 15.3, 1.26, 5.1),
        (300, 15_000, 8.5, 1.01, 2.8),
        (300, 30_000, 4.2, 0.71, 1.4),
    ],
)
def test_the_needle_table(diameter_um: int, inserted_um: int, density: float, k: float, rms: float) -> None:
    needle = Needle(diameter_um, inserted_um, Coating.NONE)
    assert round(needle.density_uc_per_cm2(2_000 * 600), 1) == density
    assert round(needle.shannon_k(2_000 * 600), 2) == k
    assert round(needle.rms_ma_per_cm2(Segment(10_000, 200, 0, 200, 0), 2_000), 1) == rms


def test_an_asymmetric_pulse_has_less_rms() -> None:
    needle = Needle(300, 15_000, Coating.NONE)
    symmetric = needle.rms_ma_per_cm2(Segment(10_000, 200, 0, 200, 0), 2_000)
    # The second phase, half as high and twice as wide, has half the first's square: 1.5 of 2 parts.
    assert needle.rms_ma_per_cm2(Segment(10_000, 200, 0, 400, 0), 2_000) == pytest.approx(symmetric * 0.75**0.5)


@pytest.mark.parametrize(("diameter_mm", "longest_mm"), [(0.30, 21.3), (0.25, 25.5)])
def test_the_rms_flag_comes_as_documented(diameter_mm: float, longest_mm: float) -> None:
    def flags(inserted_mm: float) -> set[str]:
        needle = {"diameter_mm": diameter_mm, "inserted_mm": inserted_mm, "coating": "none"}
        return {flag.name for flag in made(channels=[channel_values(needle=needle)]).flags}

    assert "density" in flags(longest_mm - 0.2)
    assert "density" not in flags(longest_mm + 0.2)


def test_flags_stop_nothing_and_say_what_they_mean() -> None:
    both = [
        channel_values(1, needle={**NEEDLE, "coating": "silicone"}),
        channel_values(2, first={"point": "BL-23", "side": "right"}, second={"point": "BL-25", "side": "right"}),
    ]
    flags = {flag.name: str(flag) for flag in made(channels=both).flags}
    assert set(flags) == {"charge", "coating", "placement", "under-dosing"}
    assert "1.200 uC" in flags["charge"]
    assert "both sides of the spinal cord" in flags["placement"]
    assert flags["coating"].startswith("channel 1: ")


def test_the_charge_flag_begins_at_one_microcoulomb() -> None:
    def charge_flag(ceiling_ma: float) -> bool:
        prescription = made(ceiling_ma=ceiling_ma, channels=[channel_values(amplitude_ma=1.0)])
        return "charge" in {flag.name for flag in prescription.flags}

    assert charge_flag(1.667)  # 1.0002 uC in 0.6 ms
    assert not charge_flag(1.666)


# --- limits ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "field", "said"),
    [
        ({"ceiling_ma": 2.001}, "ceiling_ma", "must be 0.5 to 2.0 mA"),
        ({"ceiling_ma": 0.499}, "ceiling_ma", "must be 0.5 to 2.0 mA"),
        ({"ceiling_ma": -1}, "ceiling_ma", "must be 0.5 to 2.0 mA"),
        ({"ceiling_ma": 1.4}, "channels[0].amplitude_ma", "session's ceiling of 1.4 mA"),
        ({"minutes": 19.9}, "minutes", "low-back-pain says 20 to 30 minutes"),
        ({"minutes": 30.1}, "minutes is 30.1", "must be 1 s to 30 min"),
        ({"minutes": 0}, "minutes", "must be 1 s"),
        ({"channels": [channel_values(amplitude_ma=0.4)]}, "channels[0].amplitude_ma", "must be 0.5 to 2.0 mA"),
        ({"channels": [channel_values(amplitude_ma=0)]}, "channels[0].amplitude_ma", "must be 0.5 to 2.0 mA"),
        ({"channels": [channel_values(amplitude_ma=2.1)]}, "channels[0].amplitude_ma", "must be 0.5 to 2.0 mA"),
        ({"titrate": True}, "channels[0].amplitude_ma", "must be 0 where the operator titrates"),
        ({"channels": [channel_values(0)]}, "channels", "1 to 4"),
        ({"channels": [channel_values(5)]}, "channels", "1 to 4"),
        ({"operator": "  "}, "operator", "1 to 80 printable"),
        ({"pseudonym": "a\x1b[2J"}, "pseudonym", "1 to 80 printable"),
        ({"operator": "x" * 81}, "operator", "1 to 80 printable"),
        ({"approval": "A-1"}, "approval", "only an animal"),
        ({"declared_ohm": 500}, "declared_ohm", "only a dummy load"),
        ({"variant": "2-hz"}, "variant", "one of 2-100-hz"),
        ({"profile": "knee-osteoarthritis"}, "variant", "one of 2-hz, 2-100-hz"),
        ({"profile": "migraine"}, "variant", "nothing to stimulate"),
        ({"clinician": {"name": "Dr Who", "completes": ["minutes"]}}, "clinician.completes", "settles"),
        ({"clinician": {"name": "Dr\nWho", "completes": []}}, "clinician.name", "must name the clinician"),
    ],
)
def test_what_breaks_a_limit_is_refused_with_field_value_and_limit(changed: Values, field: str, said: str) -> None:
    told = refused(**changed)
    assert any(line.startswith(field) and said in line for line in told.splitlines()), told


@pytest.mark.parametrize("profile", ["bench-2hz", "bench-100hz", "bench-2-100hz"])
def test_a_sweep_dense_at_the_ends_passes_inside_and_only_there(profile: str) -> None:
    swept_ua = [*range(0, 490, 70), *range(490, 511), *range(600, 1_990, 70), *range(1_990, 2_011), 2_500, 20_000]
    passed = []
    for ceiling_ua in swept_ua:
        asked = bench(profile, ceiling_ma=ceiling_ua / 1_000)
        asked["channels"][0]["amplitude_ma"] = ceiling_ua / 1_000
        with suppress(Unsafe):
            assert_within_limits(from_mapping(asked, PROFILES))
            passed.append(ceiling_ua)
    assert passed == [ceiling_ua for ceiling_ua in swept_ua if 500 <= ceiling_ua <= 2_000]
    assert min(swept_ua) < min(passed)
    assert max(swept_ua) > max(passed)


def test_the_ends_of_every_range_are_allowed() -> None:
    for ceiling_ma, minutes in ((0.5, 20), (2.0, 30)):
        made(ceiling_ma=ceiling_ma, minutes=minutes, channels=[channel_values(amplitude_ma=ceiling_ma)])
    assert made(channels=[channel_values(amplitude_ma=0.5)]).targets_ua == {1: 500}


def test_all_problems_come_at_once() -> None:
    told = refused(ceiling_ma=3, minutes=5, operator="", declared_ohm=1, channels=[channel_values(amplitude_ma=9)])
    for field in ("ceiling_ma", "minutes", "operator", "declared_ohm", "channels[0].amplitude_ma"):
        assert field in told


def test_density_and_k_are_those_of_the_ceiling_and_not_of_the_target() -> None:
    thin = {"diameter_mm": 0.25, "inserted_mm": 5, "coating": "none"}
    told = refused(channels=[channel_values(amplitude_ma=0.5, needle=thin)])
    assert "channels[0].needle is '30.6 uC/cm2': must be at most 30 uC/cm2" in told
    assert "channels[0].needle is 'Shannon k 1.56': must be at most 1.5" in told
    lower = made(ceiling_ma=1.8, channels=[channel_values(amplitude_ma=0.5, needle=thin)])
    assert lower.density(1) == pytest.approx(27.5, abs=0.01)
    assert lower.shannon_k(1) == pytest.approx(1.473, abs=0.001)


@pytest.mark.parametrize(
    ("field", "value"), [("diameter_mm", 0.09), ("diameter_mm", 5), ("inserted_mm", 0.9), ("inserted_mm", 500)]
)
def test_a_needle_has_to_be_believable(field: str, value: float) -> None:
    told = refused(channels=[channel_values(needle={**NEEDLE, field: value})])
    assert f"needle.{field} is {value}: must be " in told


def test_at_most_three_channels_and_each_once() -> None:
    sides = [
        ("BL-23", "BL-25", "left"),
        ("BL-23", "BL-25", "right"),
        ("ST-36", "SP-6", "left"),
        ("LI-4", "HT-7", "left"),
    ]
    clinician = {"name": "Dr Who", "completes": ["pairs"]}
    plans = [
        channel_values(n, first={"point": a, "side": side}, second={"point": b, "side": side})
        for n, (a, b, side) in enumerate(sides, 1)
    ]
    made(channels=plans[:3], clinician=clinician)
    assert "channels" in refused(channels=plans, clinician=clinician)
    assert "each channel may be named only once" in refused(channels=[plans[0], {**plans[1], "channel": 1}])


def profile_with(tmp_path: Path, old: str, new: str) -> dict[str, Profile]:
    """Low back pain as a user's own file might have it."""
    text = whole_text("low-back-pain")
    assert old in text
    path = tmp_path / "own.toml"
    path.write_text(text.replace(old, new, 1))
    return {"low-back-pain": load_file(path)}


def test_a_profiles_narrower_amplitudes_are_kept(tmp_path: Path) -> None:
    profiles = profile_with(tmp_path, "low = 0.5, high = 2.0", "low = 0.8, high = 1.2")
    for ceiling_ma, amplitude_ma, field in ((1.3, 1.0, "ceiling_ma"), (1.2, 0.7, "channels[0].amplitude_ma")):
        asked = values(ceiling_ma=ceiling_ma, channels=[channel_values(amplitude_ma=amplitude_ma)])
        with pytest.raises(Unsafe) as caught:
            from_mapping(asked, profiles)
        assert [problem.field for problem in caught.value.problems] == [field]
        assert "says 0.8 to 1.2 mA" in str(caught.value)


def test_amplitudes_balance_in_whole_numbers(tmp_path: Path) -> None:
    old = "[stimulation.second_phase_ratio_100hz]\nvalue = 1"
    profiles = profile_with(tmp_path, old, old.removesuffix("1") + "3")
    assert from_mapping(values(), profiles).program.quantum_ua == 3
    with pytest.raises(Unsafe, match=r"multiple of 0\.003 mA"):
        from_mapping(values(channels=[channel_values(amplitude_ma=1.501)]), profiles)


def test_the_charge_of_a_phase_is_checked_for_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    # With today's limits 2.0 mA for 0.6 ms is just 1.2 uC; the check has to hold if one of them changes.
    monkeypatch.setattr(limits, "CHARGE_PER_PHASE", replace(limits.CHARGE_PER_PHASE, high=1_199_999))
    assert "gives 1200000 pC" in refused()


# --- pairs ----------------------------------------------------------------------------------------------


def pair(first: Values, second: Values, **changed: Any) -> Values:
    return values(
        channels=[channel_values(first=first, second=second)],
        clinician={"name": "Dr Who", "completes": ["pairs"]},
        **changed,
    )


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        ({"point": "LI-4", "side": "left"}, {"point": "ST-36", "side": "left"}, "arm to leg"),
        ({"point": "LI-4", "side": "left"}, {"point": "LI-4", "side": "right"}, "arm to arm"),
        ({"point": "BL-23", "side": "left"}, {"point": "BL-25", "side": "right"}, "each side of the trunk"),
        ({"point": "GV-3"}, {"point": "GV-4"}, "spinal cord"),
        ({"point": "GB-20", "side": "left"}, {"point": "BL-23", "side": "left"}, "neck"),
        ({"point": "BL-18", "side": "left"}, {"point": "BL-20", "side": "left"}, "upper back"),
        (
            {"point": "Ashi", "side": "left", "region": "chest", "spot": "rib 4"},
            {"point": "Ashi", "side": "left", "region": "chest", "spot": "rib 5"},
            "chest",
        ),
        ({"point": "terminal 1"}, {"point": "BL-23", "side": "left"}, "terminal 1 to terminal 2"),
        ({"point": "terminal 1"}, {"point": "terminal 1"}, "terminal 1 to terminal 2"),
    ],
)
def test_illegal_pairs_are_refused(first: Values, second: Values, said: str) -> None:
    with pytest.raises(Unsafe, match=said):
        from_mapping(pair(first, second), PROFILES)


def test_a_needle_is_in_one_pair() -> None:
    shared = [
        channel_values(1),
        channel_values(2, first={"point": "BL-25", "side": "left"}, second={"point": "BL-31", "side": "left"}),
    ]
    told = refused(channels=shared, clinician={"name": "Dr Who", "completes": ["pairs"]})
    assert "channels[0].second" in told
    assert "channels[1].first" in told


@pytest.mark.parametrize("code", ["LI-4", "SP-6", "BL-60", "BL-67", "BL-31", "BL-32", "BL-33", "BL-34"])
def test_points_forbidden_in_pregnancy(code: str) -> None:
    partner = {Region.ARM: "HT-7", Region.LEG: "ST-36", Region.LOWER_BACK: "BL-23"}
    region = POINTS[code].region
    assert region is not None
    ends = ({"point": code, "side": "left"}, {"point": partner[region], "side": "left"})
    from_mapping(pair(*ends), PROFILES)
    with pytest.raises(Unsafe, match="pregnancy"):
        from_mapping(pair(*ends, pregnant=True), PROFILES)


# --- whose word it is -----------------------------------------------------------------------------------


def fibromyalgia(**changed: Any) -> Values:
    ends: Values = {"first": {"point": "ST-36", "side": "left"}, "second": {"point": "SP-6", "side": "left"}}
    clinician = {"name": "Dr Who", "completes": ["pairs", "amplitude_ma", "minutes"]}
    return values(
        **{"profile": "fibromyalgia", "channels": [channel_values(**ends)], "clinician": clinician, **changed}
    )


def test_fibromyalgia_is_locked_until_a_clinician_names_what_is_open() -> None:
    prescription = from_mapping(fibromyalgia(), PROFILES)
    assert set(prescription.provenance().values()) == {"clinician"}
    with pytest.raises(Unsafe) as caught:
        from_mapping(fibromyalgia(clinician=None), PROFILES)
    assert [problem.field for problem in caught.value.problems] == ["clinician.completes"]
    for left_out in ("pairs", "amplitude_ma", "minutes"):
        rest = [name for name in ("pairs", "amplitude_ma", "minutes") if name != left_out]
        with pytest.raises(Unsafe, match=r'does not settle .*: completes = \["amplitude_ma", "minutes", "pairs"\]'):
            from_mapping(fibromyalgia(clinician={"name": "Dr Who", "completes": rest}), PROFILES)


def test_no_clinician_unlocks_an_illegal_pair() -> None:
    ends: Values = {"first": {"point": "ST-36", "side": "left"}, "second": {"point": "LI-4", "side": "left"}}
    with pytest.raises(Unsafe, match="arm to leg"):
        from_mapping(fibromyalgia(channels=[channel_values(**ends)]), PROFILES)


def test_another_pair_than_the_profiles_is_the_clinicians_word() -> None:
    ends: Values = {"first": {"point": "BL-40", "side": "left"}, "second": {"point": "BL-60", "side": "left"}}
    assert (
        'does not settle which needles are a pair; a clinician who does writes under [clinician]: completes = ["pairs"]'
        in refused(channels=[channel_values(**ends)])
    )
    clinician = {"name": "Dr Who", "completes": ["pairs"]}
    prescription = made(channels=[channel_values(**ends)], clinician=clinician)
    assert prescription.provenance()["pairs"] == "clinician"
    assert prescription.provenance()["minutes"] == "source"


def test_knee_needs_a_variant_and_a_named_amplitude() -> None:
    ends: Values = {"first": {"point": "ST-35", "side": "left"}, "second": {"point": "Xiyan", "side": "left"}}
    knee: Values = {"profile": "knee-osteoarthritis", "channels": [channel_values(**ends)]}
    clinician = {"name": "Dr Who", "completes": ["amplitude_ma"]}
    assert made(**knee, variant="2-hz", clinician=clinician).mode == Mode.LOW
    assert made(**knee, variant="2-100-hz", clinician=clinician).mode == Mode.DENSE_DISPERSE
    assert 'completes = ["amplitude_ma"]' in refused(**knee, variant="2-hz")
    assert "needs a variant" in refused(**knee, clinician=clinician)


def test_a_titration_begins_at_zero() -> None:
    plan = channel_values()
    del plan["amplitude_ma"]
    prescription = made(titrate=True, ceiling_ma=1.0, channels=[plan])
    assert prescription.targets_ua == {1: 0}
    with pytest.raises(InputInvalid, match=r"channels\[0\].amplitude_ma: is missing"):
        made(channels=[plan])


# --- subjects -------------------------------------------------------------------------------------------


def test_a_person_needs_a_screening_that_was_asked() -> None:
    assert "a person is screened anew" in refused(subject="person")
    prescription = made(screened(recent=True), subject="person")
    assert "screening" in {flag.name for flag in prescription.flags}
    assert prescription.record()["screening"]["answers"]["implant"] is False
    prescription.begin(1)
    with pytest.raises(Unsafe, match="was used"):
        prescription.begin(2)
    with pytest.raises(Unsafe, match="was used"):
        replace(prescription, operator="another")


def test_a_screening_does_not_stand_in_a_file() -> None:
    with pytest.raises(InputInvalid, match="is not a field here"):
        from_mapping({**values(subject="person"), "screening": {"implant": False}}, PROFILES)


def test_a_screening_is_of_the_person_who_is_treated_and_fresh() -> None:
    assert "must be the person treated" in refused(screened(), subject="person", pseudonym="p-2")
    with pytest.raises(Unsafe, match="ask again"):
        made(screened(), subject="person").begin(16 * MINUTE_US)
    begun = made(screened(), subject="person")
    begun.begin(14 * MINUTE_US)
    begun.still_screened(15 * MINUTE_US)
    with pytest.raises(Unsafe, match="ask again"):
        begun.still_screened(15 * MINUTE_US + 1)
    made().still_screened(60 * MINUTE_US)  # nobody was asked: it is no person
    assert "only a person is screened" in refused(screened())


def test_a_pregnant_person_is_a_hard_stop() -> None:
    assert "hard stop" in refused(screened(), subject="person", pregnant=True)


def test_an_animal_needs_an_approval_and_a_word_on_pregnancy() -> None:
    assert made(subject="animal", approval="A-7/2024", pregnant=False).approval == "A-7/2024"
    told = refused(subject="animal")
    assert "approval" in told
    assert "pregnant" in told
    assert "approval" in refused(subject="animal", approval=" ", pregnant=False)


def test_a_dummy_load_declares_its_ohms() -> None:
    load = from_mapping(bench(subject="dummy_load", declared_ohm=500), PROFILES)
    assert load.declared_ohm == 500
    assert isinstance(load.plan(1).first, Terminal)
    for ohm in (None, -1, 10_000_001):
        with pytest.raises(Unsafe, match="declared_ohm"):
            from_mapping(bench(subject="dummy_load", declared_ohm=ohm), PROFILES)


def test_a_clinical_pattern_may_be_benched_on_terminals() -> None:
    load = from_mapping(bench("low-back-pain", subject="dummy_load", declared_ohm=500), PROFILES)
    assert load.clinician is None


@pytest.mark.parametrize("subject", ["person", "animal"])
def test_bench_profiles_and_terminals_are_not_for_the_living(subject: str) -> None:
    screening = screened() if subject == "person" else None
    extra: Values = {"approval": "A-7", "pregnant": False} if subject == "animal" else {}
    with pytest.raises(Unsafe) as caught:
        from_mapping(bench(subject=subject, **extra), PROFILES, screening=screening)
    assert "bench profile" in str(caught.value)
    assert "terminals are a dummy load's" in str(caught.value)


def test_no_subject_lifts_a_limit() -> None:
    subjects: list[tuple[Values, Screening | None]] = [
        ({"subject": "simulator"}, None),
        ({"subject": "dummy_load", "declared_ohm": 500}, None),
        ({"subject": "animal", "approval": "A-7", "pregnant": False}, None),
        ({"subject": "person"}, screened()),
    ]
    for subject, screening in subjects:
        made(screening, **subject)
        told = refused(screening, **subject, ceiling_ma=2.001)
        assert "ceiling_ma is 2.001" in told


# --- files ----------------------------------------------------------------------------------------------

FILE = (examples_folder() / "low-back-pain.toml").read_text()


def errors_of(tmp_path: Path, *changes: tuple[str, str]) -> InputInvalid | Unsafe:
    text = FILE
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path = tmp_path / "p.toml"
    path.write_text(text)
    with pytest.raises((InputInvalid, Unsafe)) as caught:
        from_file(path, PROFILES)
    assert isinstance(caught.value, InputInvalid | Unsafe)
    return caught.value


def line_of(words: str) -> int:
    return next(number for number, line in enumerate(FILE.splitlines(), 1) if words in line)


def test_a_refused_file_heads_its_problems_and_each_amount_has_one(tmp_path: Path) -> None:
    told = str(errors_of(tmp_path, ("ceiling_ma = 2.0", "ceiling_ma = 3.0"))).splitlines()
    assert told[0] == f"{tmp_path / 'p.toml'}:"
    (line,) = [line for line in told if "ceiling" in line]
    assert line.startswith(f"  line {line_of('ceiling_ma')}: ceiling_ma is 3.0: must be 0.5 to 2.0 mA (")


def test_the_subjects_there_are_stand_once(tmp_path: Path) -> None:
    told = str(errors_of(tmp_path, ('subject = "simulator"', 'subject = "dummy load"')))
    assert told.count("dummy_load") == 1


@pytest.mark.parametrize(
    ("old", "new", "kind", "said"),
    [
        ("ceiling_ma = 2.0", "ceiling_ma = 2.5", Unsafe, "ceiling_ma is 2.5: must be 0.5 to 2.0 mA"),
        ("minutes = 20", "minutes = 31", Unsafe, "minutes is 31: must be 1 s to 30 min"),
        ("amplitude_ma = 1.5", "amplitude_ma = 15", Unsafe, "amplitude_ma is 15: must be"),
        ("inserted_mm = 30", "inserted_mm = 3", Unsafe, "uC/cm2"),
        ("minutes = 20", 'minutes = "20"', InputInvalid, "minutes is '20': must be a number"),
        ("minutes = 20", "seconds = 1200.0000001", InputInvalid, "not a whole number of us"),
        ("minutes = 20", "minutes = 20\nseconds = 5", InputInvalid, "give minutes or seconds, one of the two"),
        ("minutes = 20", "minuets = 20", InputInvalid, "did you mean minutes?"),
        ("ceiling_ma = 2.0", "ceiling_ma = 1.00005", InputInvalid, "not a whole number of uA"),
        ("ceiling_ma = 2.0", "ceiling_ma = inf", InputInvalid, "finite"),
        ("ceiling_ma = 2.0", "ceiling_ma = true", InputInvalid, "must be a number"),
        ('subject = "simulator"', 'subject = "robot"', InputInvalid, "must be 'person', 'animal'"),
        ('profile = "low-back-pain"', 'profile = "back"', InputInvalid, "no profile has this id"),
        ('coating = "none"', 'coating = "insulated"', InputInvalid, "coating"),
        ('point = "BL-25", side = "left"', 'point = "BL-25"', InputInvalid, "second.side: is missing"),
        ('point = "BL-25"', 'point = "BL-99"', InputInvalid, "point 'BL-99' is not known"),
    ],
)
def test_a_file_is_told_its_line(tmp_path: Path, old: str, new: str, kind: type[Exception], said: str) -> None:
    error = errors_of(tmp_path, (old, new))
    assert isinstance(error, kind)
    matching = [problem for problem in error.problems if said in str(problem)]
    assert matching, str(error)
    assert matching[0].line == line_of(old)


def test_a_pinned_profile_has_to_be_the_one_that_is_found(tmp_path: Path) -> None:
    sha256 = PROFILES["low-back-pain"].sha256
    pinned = 'profile = "low-back-pain"\nprofile_version = "1.1.0"\nprofile_sha256 = '
    good = tmp_path / "good.toml"
    good.write_text(FILE.replace('profile = "low-back-pain"', f'{pinned}"{sha256}"'))
    from_file(good, PROFILES)
    error = errors_of(tmp_path, ('profile = "low-back-pain"', f'{pinned}"{"0" * 64}"'))
    assert f"has {sha256}: check which is meant" in str(error)


def test_a_file_that_cannot_be_read_tells_no_subject(tmp_path: Path) -> None:
    path = tmp_path / "p.toml"
    path.write_text(FILE.replace('subject = "simulator"', 'subject = "robot"'))
    with pytest.raises(InputInvalid, match=f"line {line_of('subject =')}: subject"):
        subject_of(path)


def test_a_broken_profile_is_told_with_its_own_file_and_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own.toml").write_text('format = 2\nid = "low-back-pain"\n')
    monkeypatch.setenv("STIMCTL_PROFILES", str(tmp_path))
    with pytest.raises(InputInvalid, match=r"own\.toml") as caught:
        from_file(examples_folder() / "low-back-pain.toml")
    assert "line 1: format is 2" in str(caught.value)


def test_a_waveform_that_the_profile_leaves_open_cannot_be_prescribed(tmp_path: Path) -> None:
    old = '[stimulation.ramp_down_s]\nvalue = 5\nfrom = "project default"'
    profiles = profile_with(tmp_path, old, '[stimulation.ramp_down_s]\nfrom = "unspecified"')
    with pytest.raises(Unsafe, match="leaves ramp_down_s unspecified"):
        from_mapping(values(), profiles)


def test_a_terminal_has_no_side() -> None:
    ends: Values = {"first": {"point": "terminal 1", "side": "left"}, "second": {"point": "terminal 2"}}
    with pytest.raises(InputInvalid, match="a terminal has none"):
        from_mapping(bench(channels=[channel_values(**ends)]), PROFILES)


@pytest.mark.parametrize("completes", ["pairs", ("everything",), (7,), None])
def test_a_clinician_completes_what_there_is_to_complete(completes: Any) -> None:
    with pytest.raises(Unsafe, match="must be a list of pairs"):
        Prescription(**arguments(clinician=Clinician("Dr Who", completes)))


def test_all_that_cannot_be_read_comes_at_once(tmp_path: Path) -> None:
    error = errors_of(
        tmp_path, ("ceiling_ma = 2.0", "ceiling_ma = 0.00001"), ('"BL-25"', '"BL-99"'), ("0.30", "0.30001")
    )
    assert len(error.problems) == 3
    assert [problem.line for problem in error.problems] == sorted(problem.line or 0 for problem in error.problems)


# --- no way around --------------------------------------------------------------------------------------


def test_it_does_not_change() -> None:
    with pytest.raises(FrozenInstanceError):
        made().ceiling_ua = 3_000  # type: ignore[misc]


@pytest.mark.parametrize(
    "change",
    [
        {"ceiling_ua": 2_001},
        {"stimulation_us": 31 * MINUTE_US},
        {"channels": ()},
        {"subject": Subject.PERSON},
        {"variant": "100-hz"},
        {"protocol": PROFILES["migraine"]},
    ],
)
def test_a_changed_copy_is_checked_again(change: dict[str, Any]) -> None:
    with pytest.raises(Unsafe):
        replace(made(), **change)


def test_a_program_cannot_be_given() -> None:
    prescription = made()
    with pytest.raises((ValueError, TypeError), match="program"):  # the second since Python 3.14
        replace(prescription, program=prescription.program)
    with pytest.raises(TypeError, match="program"):
        Prescription(**arguments(program=prescription.program))


def arguments(**changed: Any) -> dict[str, Any]:
    plan = ChannelPlan(
        1, place("BL-23", Side.LEFT), place("BL-25", Side.LEFT), 1_500, Needle(300, 30_000, Coating.NONE)
    )
    good = {
        "subject": Subject.SIMULATOR,
        "operator": "an operator",
        "pseudonym": "p-1",
        "protocol": PROFILES["low-back-pain"],
        "variant": "2-100-hz",
        "channels": (plan,),
        "ceiling_ua": 2_000,
        "stimulation_us": 20 * MINUTE_US,
    }
    return {**good, **changed}


@pytest.mark.parametrize(
    "build", [lambda v: Needle(v, 30_000, Coating.NONE), lambda v: Needle(300, 30_000, v), Terminal]
)
@pytest.mark.parametrize("value", [True, 0.3, "300", None, float("nan")])
def test_parts_hold_whole_numbers_only(build: Callable[[Any], Any], value: Any) -> None:
    with pytest.raises(InputInvalid):
        build(value)


def test_a_terminal_is_no_place_on_a_body() -> None:
    with pytest.raises(InputInvalid, match="is no place"):
        Terminal(1, region="arm")


def assert_within_limits(prescription: Prescription) -> None:
    """The limits once more, in figures of this test's own."""
    program, ceiling_ua = prescription.program, prescription.ceiling_ua
    assert type(ceiling_ua) is int
    assert 500 <= ceiling_ua <= 2_000
    assert 1_000_000 <= program.stimulation_us <= 30 * MINUTE_US
    assert program.stimulation_us == prescription.stimulation_us
    assert 1 <= len(program.channels) <= 3
    assert set(program.channels) == set(prescription.targets_ua) <= {1, 2, 3, 4}
    assert 100 <= program.ramp_slope_ua_per_s <= 380
    for segment in program.segments:
        assert 10_000 <= segment.period_us <= 1_000_000
        assert 100 <= segment.width_us <= 600
        assert segment.width_us <= segment.second_width_us <= 1_200
        assert ceiling_ua * segment.width_us <= 1_200_000
    ends: list[Any] = []
    for plan in prescription.channels:
        assert plan.amplitude_ua == 0 if prescription.titrate else 500 <= plan.amplitude_ua <= ceiling_ua
        density, k = prescription.density(plan.channel), prescription.shannon_k(plan.channel)
        if plan.needle is None:
            assert isinstance(plan.first, Terminal)
            assert density is None
            assert k is None
        else:
            assert density is not None
            assert density <= 30
            assert k is not None
            assert k <= 1.5
        if isinstance(plan.first, Terminal):
            assert prescription.subject in (Subject.DUMMY_LOAD, Subject.SIMULATOR)
            continue
        assert plan.first.side == plan.second.side != "midline"
        regions = {plan.first.region, plan.second.region}
        assert regions <= {"lower back", "abdomen"} or regions in ({"arm"}, {"leg"})
        ends += [(end.point, end.side, end.spot) for end in plan.ends]
    assert len(set(ends)) == len(ends)
    assert prescription.subject is not Subject.PERSON or prescription.screening is not None


HOSTILE = st.one_of(
    st.integers(-(10**30), 10**30),
    st.just(10**5_000),
    st.floats(),
    st.booleans(),
    st.text(max_size=5),
    st.none(),
    st.lists(st.integers(), max_size=2),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)
MINUTES = st.one_of(st.sampled_from([20, 25.5, 30, 0.5, 31, 1e9]), st.floats(0, 40))
MILLIAMPS = st.one_of(
    st.sampled_from([0.5, 1, 1.5, 2.0, 2.001, 0.499, 20, -1]), st.integers(0, 25).map(lambda n: n / 10)
)


def sometimes_hostile(good: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.integers(0, 19).flatmap(lambda die: HOSTILE if die == 0 else good)


def table(**columns: st.SearchStrategy[Any]) -> st.SearchStrategy[Values]:
    return st.fixed_dictionaries({name: sometimes_hostile(column) for name, column in columns.items()})


END = table(
    point=st.sampled_from(["BL-23", "BL-25", "BL-31", "ST-36", "SP-6", "LI-4", "HT-7", "GV-4", "BL-17", "terminal 1"]),
    side=st.sampled_from(["left", "left", "left", "right"]),
)
CHANNEL = table(
    channel=st.integers(1, 4),
    first=END,
    second=END,
    amplitude_ma=MILLIAMPS,
    needle=table(
        diameter_mm=st.sampled_from([0.3, 0.25, 0.16, 5]),
        inserted_mm=st.one_of(st.sampled_from([5, 10, 30]), st.integers(0, 100)),
        coating=st.sampled_from(list(Coating)).map(str),
    ),
)
NAMES = st.sampled_from(["pairs", "amplitude_ma", "minutes"])
PRESCRIPTIONS = table(
    format=st.just(1),
    profile=st.sampled_from(sorted(PROFILES)),
    subject=st.sampled_from(["simulator", "simulator", "dummy_load", "animal", "person"]),
    operator=st.just("an operator"),
    pseudonym=st.just("p-1"),
    minutes=MINUTES,
    ceiling_ma=MILLIAMPS,
    titrate=st.booleans(),
    channels=st.lists(CHANNEL, min_size=1, max_size=4),
    clinician=table(name=st.just("Dr Who"), completes=st.lists(NAMES, max_size=3, unique=True)),
)


@settings(max_examples=400, deadline=None)
@given(PRESCRIPTIONS, st.booleans())
def test_no_file_however_hostile_gives_a_program_above_a_limit(asked: Values, with_screening: bool) -> None:
    for name in ("clinician", "titrate"):  # often left out
        if asked["minutes"] in (20, 30):
            asked.pop(name, None)
    with suppress(InputInvalid, Unsafe):
        assert_within_limits(from_mapping(asked, PROFILES, screening=screened() if with_screening else None))


GOOD_PAIRS = st.sampled_from([("BL-23", "BL-25", "left"), ("ST-36", "SP-6", "left"), ("LI-4", "HT-7", "right")])


@st.composite
def nearly_good(draw: st.DrawFn) -> Values:
    """Good but for figures around their limits, so that many pass and many just do not."""
    asked = bench(draw(st.sampled_from(["bench-2hz", "bench-100hz", "bench-2-100hz"])))
    asked["ceiling_ma"] = draw(st.integers(480, 2_020)) / 1_000
    asked["minutes"] = draw(st.one_of(st.integers(0, 32), st.sampled_from([0.01, 0.02, 29.99, 30.01])))
    first, second, side = draw(GOOD_PAIRS)
    channel = asked["channels"][0]
    channel |= {"first": {"point": first, "side": side}, "second": {"point": second, "side": side}}
    channel["amplitude_ma"] = draw(st.integers(480, 2_020)) / 1_000
    channel["needle"] = {
        "diameter_mm": draw(st.integers(90, 510)) / 1_000,
        "inserted_mm": draw(st.integers(1, 30)),
        "coating": "none",
    }
    return asked


@settings(max_examples=300, deadline=None)
@given(nearly_good())
def test_around_the_limits_what_passes_is_inside(asked: Values) -> None:
    with suppress(Unsafe):
        assert_within_limits(from_mapping(asked, PROFILES))


def test_the_property_tests_reach_good_prescriptions_too() -> None:
    assert_within_limits(made())
    assert_within_limits(from_mapping(bench(), PROFILES))
    assert_within_limits(from_mapping(fibromyalgia(), PROFILES))


FIELDS = [field.name for field in fields(Prescription) if field.init]


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(st.sampled_from(FIELDS), HOSTILE, min_size=1, max_size=3))
def test_no_constructors_argument_however_hostile_gives_one_above_a_limit(changed: dict[str, Any]) -> None:
    with suppress(InputInvalid, Unsafe):
        assert_within_limits(Prescription(**arguments(**changed)))


def test_a_copy_is_the_same_and_a_persons_is_refused() -> None:
    assert copy.copy(made()) == made()
    with pytest.raises(Misuse, match="not copied"):
        copy.deepcopy(made(screened(), subject="person"))


def test_only_other_pairs_of_points_are_left_to_a_clinician() -> None:
    """The same for a file and for answers at a terminal, where a dummy load has no points."""
    profile = PROFILES["low-back-pain"]
    assert left_open(profile, []) == left_open(profile, [{"BL-25", "BL-23"}]) == set(profile.gaps)
    assert left_open(profile, [{"BL-23", "BL-25"}, {"BL-23", "BL-31"}]) == {*profile.gaps, "pairs"}
