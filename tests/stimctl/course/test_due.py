"""When a session is due, at both sides of each boundary, and what is told where the plan does not say."""

from datetime import date, timedelta
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stimctl.course.due import due, of_session
from stimctl.course.plan import CoursePlan, by_person, plan_of
from stimctl.profile import Range, load

FIRST = date(2026, 3, 2)  # a Monday


@cache
def of(profile: str) -> CoursePlan:
    return plan_of(load(profile))


def plan(profile: str = "low-back-pain", **values: tuple[float, float]) -> CoursePlan:
    given = {name: by_person(name, Range(low=low, high=high), "Dr. O.") for name, (low, high) in values.items()}
    return of(profile).changed({name: each.record() for name, each in given.items()})


def on(*days: int) -> list[date]:
    return [FIRST + timedelta(days=each) for each in days]


@pytest.mark.parametrize(
    ("done", "earliest", "latest"),
    [
        ((0,), 3, 4),
        ((0, 3), 7, 7),  # the first of the two is a week ago only then
        ((0, 4), 7, 8),
        ((0, 3, 7), 10, 11),
        ((0, 10), 13, 14),
    ],
)
def test_twice_a_week_is_every_three_or_four_days_and_never_three_in_seven(
    done: tuple[int, ...], earliest: int, latest: int
) -> None:
    found = due(plan(), on(*done), FIRST + timedelta(days=done[-1]))
    assert [found.earliest, found.latest] == on(earliest, latest)
    assert any("3 to 4 days is 2 sessions a week, spread evenly [calc]" in each for each in found.basis)


def test_a_plans_own_spacing_is_taken_before_any_that_is_calculated() -> None:
    found = due(plan(spacing_days=(2, 5)), on(0), FIRST)
    assert [found.earliest, found.latest] == on(2, 5)
    assert "spacing: 2 to 5 days between sessions [clinician] by Dr. O." in found.basis


@pytest.mark.parametrize(("day", "warned"), [(1, True), (2, False)])
def test_too_close_to_the_last(day: int, warned: bool) -> None:
    found = due(plan(spacing_days=(2, 5)), on(0), on(day)[0])
    assert any("too close to the one before: 1 day after it" in each for each in found.too_soon) is warned
    after = due(plan(spacing_days=(2, 5)), on(0, day), on(day)[0])
    assert any(each.startswith("session 2 was too close to the one before") for each in after.warnings) is warned


def test_without_a_spacing_nothing_is_called_too_close() -> None:
    found = due(plan(), on(0), FIRST)
    assert (found.too_soon, found.warnings) == ((), ())


@pytest.mark.parametrize(("day", "warned"), [(6, True), (7, False)])
def test_the_frequency_exceeded(day: int, warned: bool) -> None:
    found = due(plan(), on(0, 3), on(day)[0])
    (warning,) = found.too_soon or ("",)
    assert ("would be one too many: after Mon 02 Mar, Thu 05 Mar within 7 days" in warning) is warned
    after = due(plan(), on(0, 3, day), on(day)[0])
    assert any(each.startswith("session 3 was one too many") for each in after.warnings) is warned


@pytest.mark.parametrize(("day", "warned"), [(4, False), (5, True)])
def test_overdue(day: int, warned: bool) -> None:
    found = due(plan(), on(0), on(day)[0])
    assert ("overdue by 1 day: it was due by 2026-03-06" in found.warnings) is warned


@pytest.mark.parametrize(("week", "warned"), [(6, False), (7, True)])
def test_a_course_that_takes_longer_than_its_weeks(week: int, warned: bool) -> None:
    found = due(plan(), on(0), FIRST + timedelta(weeks=week - 1))
    assert any("in week 7 with 1 session, and the plan says 4 to 6 weeks" in each for each in found.warnings) is warned


def test_a_course_whose_sessions_are_done() -> None:
    done = on(*range(0, 44, 4))
    assert not any("all sessions" in each for each in due(plan(), done, done[-1]).warnings)
    done = on(*range(0, 48, 4))
    found = due(plan(), done, done[-1] + timedelta(days=20))
    assert any("all sessions of the course are done: 12" in each for each in found.warnings)
    assert (found.earliest, found.latest) == (None, None)
    assert not any("overdue" in each for each in found.warnings)


def test_what_nobody_has_said_gives_no_day_and_no_warning() -> None:
    found = due(plan("knee-osteoarthritis"), on(0, 0, 0, 90), on(400)[0])
    assert (found.earliest, found.latest, found.too_soon, found.warnings) == (None, None, (), ())
    assert found.basis[0] == "how often: unspecified (the source gives no schedule for the knee)"


def test_less_than_once_a_week() -> None:
    found = due(plan(sessions_per_week=(0.5, 0.5)), on(0), on(13)[0])
    assert [found.earliest, found.latest] == on(14, 14)
    assert any("within 14 days" in each for each in found.too_soon)


@pytest.mark.parametrize(
    ("often", "done", "free"),
    [
        (1.5, (0,), 4),  # by the even spread alone: two within a week are allowed
        (1.5, (0, 4), 8),  # two within a week, and the third within the two weeks
        (1.5, (0, 1), 7),
        (1.5, (0, 4, 9), 14),  # three within two weeks
        (1.5, (0, 5, 9, 14), 19),
        (2.5, (0, 1, 2), 7),
        (2.5, (0, 1, 7, 8, 9), 14),
        (0.75, (0, 1), 14),  # 3 in 4 weeks: no 2 within one, no 3 within two
        (0.1, (0,), 70),
    ],
)
def test_a_frequency_that_is_no_whole_number_is_counted_over_its_weeks(
    often: float, done: tuple[int, ...], free: int
) -> None:
    planned = plan(sessions_per_week=(often, often))
    assert due(planned, on(*done), on(done[-1])[0]).earliest == on(free)[0]
    before = due(planned, on(*done), on(free - 1)[0]).too_soon
    assert bool(before) is (free - done[-1] != 4)
    assert due(planned, on(*done), on(free)[0]).too_soon == ()


def test_a_session_one_too_many_names_those_within_the_same_weeks() -> None:
    found = due(plan(sessions_per_week=(1.5, 1.5)), on(0, 4, 9), on(13)[0])
    assert found.too_soon == (
        "a session today would be one too many: after Mon 02 Mar, Fri 06 Mar, Wed 11 Mar within 14 days, and the plan "
        "says 1.5 sessions a week [clinician] by Dr. O.",
    )


@pytest.mark.parametrize(
    ("number", "said"),
    [(1, ()), (2, ("it was too close",)), (3, ()), (4, ("it is one more than the plan says: 3 sessions",))],
)
def test_what_spoke_against_a_session_on_its_day(number: int, said: tuple[str, ...]) -> None:
    planned = plan(spacing_days=(2, 5), sessions_per_week=(3, 3), course_sessions=(3, 3))
    found = of_session(planned, on(0, 1, 4, 8), number)
    assert [each.startswith(one) for each, one in zip(found, said, strict=True)] == [True] * len(said)


DAYS = st.lists(st.integers(0, 60), max_size=11).map(sorted)


@given(DAYS, st.integers(0, 30), st.sampled_from([(1, 1), (1, 2), (2, 2), (3, 5), (0.5, 1), (1.5, 1.5), (0.75, 2.25)]))
def test_a_session_on_the_first_due_day_never_exceeds_the_frequency(
    done: list[int], later: int, week: tuple[float, float]
) -> None:
    found = due(plan(sessions_per_week=week), on(*done), FIRST)
    if found.earliest is None:
        assert not done
        return
    assert found.latest is not None
    assert on(done[-1])[0] <= found.earliest <= found.latest
    then = due(plan(sessions_per_week=week), on(*done), found.earliest + timedelta(days=later))
    assert then.too_soon == ()


def test_a_course_that_is_over_has_nothing_due() -> None:
    found = due(plan(), on(0, 3), on(90)[0], over=True)
    assert (found.earliest, found.latest, found.too_soon, found.warnings) == (None, None, (), ())


def test_a_clock_that_was_set_back_is_told_and_hides_no_session() -> None:
    """The third was run by a clock a month behind: the last day counts, and not the last that was written."""
    found = due(plan(), on(28, 31, 0), on(32)[0])
    assert [found.earliest, found.latest] == on(35, 35)
    assert any("one too many" in each for each in found.too_soon)
    early = due(plan(spacing_days=(2, 5)), on(28), on(26)[0])
    assert any("too close to the one before: 2 days before it" in each for each in early.too_soon)
    assert any(
        f"the last session is of {on(28)[0]}, which is later than {on(26)[0]}" in each for each in early.warnings
    )
