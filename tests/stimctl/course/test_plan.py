"""The plan of a course is the profile's, value by value, and nobody's where the profile has none."""

import pytest

from stimctl.course.plan import FIELDS, by_person, plan_of, read_plan
from stimctl.errors import Misuse
from stimctl.profile import Origin, Range, load, load_profiles


def test_each_value_is_the_profiles_own_with_its_source() -> None:
    plan = plan_of(load("low-back-pain"))
    assert [value.name for value in plan] == list(FIELDS)
    assert plan.sessions_per_week.amount == "2 sessions a week"
    assert (
        plan.expected_by_session.basis == '[source] "Response is typically seen by session 4-6" (Chronic Low Back Pain)'
    )
    assert plan.reassess_by_session.range == Range(low=8, high=10)
    assert "But: twice a week for 4-6 weeks is 8-12 sessions" in plan.course_sessions.basis


@pytest.mark.parametrize(
    "profile", [each.id for each in load_profiles().values() if each.schedule and each.stimulation]
)
def test_what_a_profile_leaves_unspecified_stays_so(profile: str) -> None:
    found = load(profile)
    for value in plan_of(found):
        part = getattr(getattr(found, FIELDS[value.name]), value.name)
        assert (value.range is None) == (part.origin is Origin.UNSPECIFIED)
        assert value.range == part.value
        if value.range is None:
            assert value.amount == "unspecified"
            assert part.note in value.basis


def test_a_plan_is_read_as_it_was_written() -> None:
    plan = plan_of(load("low-back-pain"))
    assert read_plan(plan.record()) == plan


@pytest.mark.parametrize(
    "record", [None, 7, {}, {"low": "2", "high": 2, "from": "source"}, {"low": 2, "high": 3, "from": "x"}]
)
def test_what_cannot_be_read_of_a_plan_is_unspecified_and_never_a_figure(record: object) -> None:
    assert read_plan({"spacing_days": record}).spacing_days.range is None


def test_a_person_supplies_what_is_missing_and_answers_for_it() -> None:
    plan = plan_of(load("knee-osteoarthritis"))
    assert plan.sessions_per_week.range is None
    supplied = by_person("sessions_per_week", Range(low=2, high=2), "Dr. O.")
    changed = plan.changed({"sessions_per_week": supplied.record(), "no such value": {}})
    assert changed.sessions_per_week.basis == "[clinician] by Dr. O."
    assert changed.spacing_days == plan.spacing_days


@pytest.mark.parametrize(("name", "low", "high"), [("spacing_days", 0, 2), ("course_sessions", 1.5, 2)])
def test_a_value_that_cannot_be_is_refused(name: str, low: float, high: float) -> None:
    with pytest.raises(Misuse, match=name.replace("_", " ")):
        by_person(name, Range(low=low, high=high), "Dr. O.")


@pytest.mark.parametrize(("profile", "why"), [("migraine", "nothing to stimulate"), ("bench-2hz", "no schedule")])
def test_a_profile_without_sessions_or_schedule_gives_no_course(profile: str, why: str) -> None:
    with pytest.raises(Misuse, match=why):
        plan_of(load(profile))


@pytest.mark.parametrize(("name", "low", "high"), [("spacing_days", 3, 9e7), ("sessions_per_week", 1e-9, 2)])
def test_an_amount_of_which_no_day_can_be_reckoned_is_refused(name: str, low: float, high: float) -> None:
    with pytest.raises(Misuse, match=r"from 0\.01 to 1000"):
        by_person(name, Range(low=low, high=high), "AO")


@pytest.mark.parametrize(("low", "high"), [(5, 1), (0, 2), (1, 9e7), (True, 2)])
def test_an_amount_in_a_ledger_that_is_none_is_unspecified(low: float, high: float) -> None:
    record = {"low": low, "high": high, "from": "clinician"}
    assert read_plan({"spacing_days": record}).spacing_days.range is None
