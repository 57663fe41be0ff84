"""What a clinician may do otherwise and by name, what is flagged for a person, and plans that cannot be reached."""

from typing import Any

import pytest

from stimctl.anatomy import Side, place
from stimctl.errors import InputInvalid, Unsafe, WrongDevice
from stimctl.prescription import Prescription, from_mapping
from stimctl.stimulators.base import Identity
from stimctl.stimulators.interlocks import check_device
from stimctl.wire.codes import Capability
from tests.stimctl.test_prescription import PROFILES, bench, channel_values, fibromyalgia, made, screened, values

Values = dict[str, Any]
NEEDLE = {"diameter_mm": 0.3, "inserted_mm": 30, "coating": "none"}
CLINICIAN: Values = {"name": "Dr Who"}


def flags(prescription: Prescription) -> dict[str, str]:
    return {flag.name: str(flag) for flag in prescription.flags}


def told(asked: Values, **options: Any) -> str:
    with pytest.raises((InputInvalid, Unsafe)) as caught:
        from_mapping(asked, PROFILES, **options)
    return str(caught.value)


# --- less than the profile says ---------------------------------------------------------------------------


def test_less_time_than_the_profile_says_needs_a_clinicians_name() -> None:
    said = told(values(minutes=10))
    assert "minutes is 10: low-back-pain says 20 to 30 minutes; a clinician who chooses less writes" in said
    assert 'lowers = ["minutes"]' in said
    shorter = made(minutes=10, clinician={**CLINICIAN, "lowers": ["minutes"]})
    assert shorter.provenance() == {"pairs": "source", "amplitude_ma": "source", "minutes": "clinician"}
    assert shorter.record()["clinician"] == {"name": "Dr Who", "completes": [], "lowers": ["minutes"]}
    assert "10 minutes, and low-back-pain says 20 to 30: less, as Dr Who chose" in flags(shorter)["lowered"]
    seconds = made(minutes=0.9, clinician={**CLINICIAN, "lowers": ["minutes"]})
    assert "0:54 minutes, and low-back-pain says 20 to 30" in flags(seconds)["lowered"]


def test_nobody_goes_above_what_the_profile_says() -> None:
    lowers = {**CLINICIAN, "lowers": ["minutes"]}
    assert "minutes is 31" in told(values(minutes=31, clinician=lowers))


def test_what_is_not_less_is_not_listed() -> None:
    said = told(values(clinician={**CLINICIAN, "lowers": ["minutes"]}))
    assert "holds 'minutes', which is not below what the profile says; take it out" in said
    assert "must be 'amplitude_ma' or 'minutes'" in told(values(clinician={**CLINICIAN, "lowers": ["pairs"]}))


def test_less_is_still_named_where_the_profile_leaves_a_gap() -> None:
    asked = fibromyalgia(clinician={**CLINICIAN, "completes": ["pairs", "amplitude_ma"], "lowers": ["minutes"]})
    said = told(asked)
    assert "does not settle how long" in said
    assert "holds 'minutes', which is not below" in said


# --- to patient tolerance ----------------------------------------------------------------------------------


def test_a_persons_fixed_amplitude_is_flagged_where_the_source_says_to_tolerance() -> None:
    fixed = channel_values(amplitude_ma=2.0)
    person = made(screened(), subject="person", channels=[fixed])
    assert (
        "2.00 mA is fixed, and low-back-pain says to patient tolerance: titrate [source]" in flags(person)["tolerance"]
    )
    del fixed["amplitude_ma"]
    assert "tolerance" not in flags(made(screened(), subject="person", titrate=True, channels=[fixed]))
    assert "tolerance" not in flags(made())


# --- pairs of a profile that names none -----------------------------------------------------------------------


def test_between_terminals_there_is_no_pair_to_name() -> None:
    ends: Values = {"first": {"point": "terminal 1"}, "second": {"point": "terminal 2"}}
    asked = fibromyalgia(channels=[channel_values(**ends)])
    asked["clinician"] = {**CLINICIAN, "completes": ["amplitude_ma", "minutes"]}
    assert from_mapping(asked, PROFILES).provenance()["minutes"] == "clinician"
    asked["clinician"]["completes"].append("pairs")
    assert "holds 'pairs', which the profile settles" in told(asked)


@pytest.mark.parametrize(
    ("spot", "said"),
    [
        ("GB-20 base of skull", "names the point GB-20"),
        ("BL-23", "names the point BL-23"),
        ("BL23", "names the point BL-23"),
        ("over the heart", "where no needle of a pair may be"),
        ("right side", "says right"),
        ("calf", "which is leg"),
    ],
)
def test_an_ashi_point_is_no_way_round_for_a_person(spot: str, said: str) -> None:
    ashi = {"point": "Ashi", "side": "left", "region": "lower back", "spot": spot}
    asked = values(subject="person", channels=[channel_values(first=ashi)])
    asked["clinician"] = {**CLINICIAN, "completes": ["pairs"]}
    problems = told(asked, screening=screened())
    assert f"channels[0].first.spot is {spot!r}" in problems
    assert said in problems


def test_pregnancy_points_cannot_be_needled_under_another_name() -> None:
    first, second = ({"point": "Ashi", "side": "left", "region": "leg", "spot": spot} for spot in ("SP-6", "BL-60"))
    asked = fibromyalgia(
        subject="animal", approval="1", pregnant=True, channels=[channel_values(first=first, second=second)]
    )
    assert told(asked).count("names the point") == 2


def test_pregnancy_points_cannot_be_needled_by_saying_where_they_are() -> None:
    web = {"point": "Ashi", "side": "left", "region": "arm", "spot": "web of the thumb"}
    channels = [channel_values(first=web, second={"point": "LI-11", "side": "left"})]
    asked = fibromyalgia(subject="animal", approval="1", channels=channels)
    assert "could be a point that is not needled in pregnancy" in told({**asked, "pregnant": True})
    from_mapping({**asked, "pregnant": False}, PROFILES)


def test_a_pregnant_animals_abdomen_and_lower_back_are_flagged() -> None:
    back = made(subject="animal", approval="A-7", pregnant=True)
    assert "WHO guidelines on safety, 1999" in flags(back)["pregnancy"]
    assert "pregnancy" not in flags(made(subject="animal", approval="A-7", pregnant=False))


# --- a plan that cannot be reached ------------------------------------------------------------------------------


def test_a_plan_that_is_mostly_ramp_is_refused_unless_it_says_so() -> None:
    asked = bench("bench-2-100hz", minutes=None, seconds=5)
    asked["channels"][0]["amplitude_ma"] = 2.0
    said = told(asked)
    assert "channels[0].amplitude_ma is 2.0: 0.73 mA is reached; the ramps take 5.0 of 5 s" in said
    assert "ramp_only = true" in said
    meant = from_mapping({**asked, "ramp_only": True}, PROFILES)
    assert meant.reached(1).amplitude_ua == 732
    assert meant.record()["channels"][0]["reached_ua"] == 732
    assert "0.73 mA will be reached, not 2.00 mA" in flags(meant)["reached"]


def test_half_of_the_time_at_the_target_is_enough() -> None:
    # 2.0 mA at 100 Hz: 10 s up, 5 s down. So 30 s are just enough, and 29 s are not.
    def plan(seconds: int) -> Values:
        asked = bench("bench-100hz", minutes=None, seconds=seconds)
        asked["channels"][0]["amplitude_ma"] = 2.0
        return asked

    assert "the ramps take" in told(plan(29))
    assert "reached" not in flags(from_mapping(plan(31), PROFILES))


def test_a_titration_has_its_fall_in_at_most_half_of_the_time() -> None:
    channel = channel_values(first={"point": "terminal 1"}, second={"point": "terminal 2"})
    del channel["amplitude_ma"]
    asked = bench(minutes=None, seconds=8, titrate=True, channels=[channel])
    assert "the fall at the end takes 5.0 of 8 s" in told(asked)
    assert from_mapping({**asked, "seconds": 10}, PROFILES).reached(1).amplitude_ua == 0


# --- two limbs at once -------------------------------------------------------------------------------------------


def device(*, isolated: bool) -> Identity:
    told_by_itself = Capability(127) | (Capability.ISOLATED_OUTPUTS if isolated else Capability(0))
    return Identity(
        model="a device", serial="1", firmware="1.0.0", firmware_sha256="", boot_id=1, simulator=False,
        calibrated_on=None, channels=4, capabilities=told_by_itself,
        max_amplitude_ua=2_000, dac_step_na=100, readback_accuracy_ua=10, readback_accuracy_permille=10,
        net_charge_floor_pc=100, compliance_mv=12_000, watchdog_ms=1_000,
    )  # fmt: skip


def on(subject: str, *pairs: tuple[str, str, str]) -> Prescription:
    """Each pair on a channel: two points and their side."""
    channels = [
        channel_values(number, first={"point": a, "side": side}, second={"point": b, "side": side}, amplitude_ma=1.0)
        for number, (a, b, side) in enumerate(pairs, 1)
    ]
    extra: Values = {"approval": "A-7", "pregnant": False} if subject == "animal" else {}
    asked = fibromyalgia(subject=subject, channels=channels, **extra)
    return from_mapping(asked, PROFILES, screening=screened() if subject == "person" else None)


ARM_LEFT, ARM_RIGHT, LEG = ("LI-4", "LI-11", "left"), ("LI-4", "LI-11", "right"), ("ST-36", "SP-6", "right")
BACK_LEFT, BACK_RIGHT = ("BL-23", "BL-25", "left"), ("BL-23", "BL-25", "right")


@pytest.mark.parametrize("subject", ["person", "animal"])
@pytest.mark.parametrize("pairs", [(ARM_LEFT, ARM_RIGHT), (ARM_LEFT, LEG), (LEG, BACK_LEFT)])
def test_current_on_two_limbs_needs_outputs_that_are_isolated(subject: str, pairs: tuple[Any, ...]) -> None:
    prescription = on(subject, *pairs)
    assert "only with a device that says its outputs are isolated" in flags(prescription)["isolation"]
    with pytest.raises(WrongDevice, match="does not say that its outputs are isolated"):
        check_device(prescription, device(isolated=False))
    check_device(prescription, device(isolated=True))


@pytest.mark.parametrize("pairs", [(ARM_LEFT,), (LEG, ("GB-34", "BL-60", "right")), (BACK_LEFT, BACK_RIGHT)])
def test_one_limb_or_the_trunk_needs_none(pairs: tuple[Any, ...]) -> None:
    prescription = on("person", *pairs)
    assert "isolation" not in flags(prescription)
    check_device(prescription, device(isolated=False))


def test_sites_are_of_all_channels() -> None:
    assert on("animal", ARM_LEFT, LEG).sites == {"left arm", "right leg"}
    assert place("LI-11", Side.LEFT).region == "arm"
