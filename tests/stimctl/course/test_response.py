"""What scores say against the profile's own sessions: 4 to 6 for a response, 8 to 10 to reassess."""

import pytest

from stimctl.course.plan import plan_of
from stimctl.course.response import response
from stimctl.profile import load

PLAN = plan_of(load("low-back-pain"))
SAME = [7.0] * 12


def told(before: list[float | None]) -> str:
    return "; ".join(response(PLAN, before).warnings)


@pytest.mark.parametrize(
    ("sessions", "says"),
    [
        (1, ""),
        (5, ""),
        (6, "no response by the score"),
        (7, "no response by the score"),
        (8, "REASSESS"),
        (12, "REASSESS"),
    ],
)
def test_no_lower_pain_is_told_at_the_profiles_sessions(sessions: int, says: str) -> None:
    found = told([*SAME[:sessions]])
    assert found.startswith(says)
    assert bool(found) is bool(says)
    assert ('"if no improvement by session 8-10, reassess diagnosis" (Chronic Low Back Pain)' in found) is (
        sessions >= 8
    )


def test_a_lower_score_is_never_called_a_response() -> None:
    assert told([7, 7, 6, 6, 5, 5]) == ""
    found = response(PLAN, [7, 7, 6, 6, 5, 5, 5, 4])
    assert found.lines[-1] == "pain before session 1: 7; before session 8: 4"
    assert found.warnings[0].startswith("whether this is an improvement is yours to judge")


@pytest.mark.parametrize("before", [[], [7.0], [None, None, 7.0, None]])
def test_without_two_scores_nothing_is_said_of_a_response(before: list[float | None]) -> None:
    found = response(PLAN, before)
    assert found.warnings == ()
    assert "cannot be said" in found.lines[-1]


def test_a_profile_that_names_no_session_asks_for_nothing() -> None:
    found = response(plan_of(load("knee-osteoarthritis")), [*SAME])
    assert found.warnings == ()
    assert "unspecified (the source names none for the knee)" in found.lines[0]


@pytest.mark.parametrize(
    ("before", "says"),
    [
        ([None] * 5, ""),
        ([None] * 6, "session 6 is done, and no pain score since says whether there is a response"),
        ([7, 6, 6, 6, 6, None, None], "session 7 is done, and no pain score since session 5 says"),
        ([7, 6, 6, 6, 6, 6, None], ""),
        ([7, 6, 6, 6, 6, 6, None, None], "session 8 is done, and no pain score since session 6 says"),
    ],
)
def test_where_nobody_scores_the_question_stays(before: list[float | None], says: str) -> None:
    found = told(before)
    assert says in found
    assert bool(found) is bool(says)
