"""The calendar, read again by the library that other programs read it with."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from stimctl.course.calendar import calendar, sessions_to_come
from stimctl.course.courses import Course
from stimctl.course.due import due
from stimctl.course.plan import by_person
from stimctl.profile import Range

icalendar = pytest.importorskip("icalendar")
NOW = datetime(2026, 3, 5, 9, tzinfo=UTC)
DONE = [date(2026, 3, 2), date(2026, 3, 5)]


def events(course: Course) -> list[Any]:
    made = calendar([(course, due(course.plan, DONE, DONE[-1]))], NOW, DONE[-1])
    return list(icalendar.Calendar.from_ical(made).walk("VEVENT"))


def test_each_session_to_come_is_an_event_of_its_days(begun: Callable[..., Course]) -> None:
    found = events(begun())
    assert [str(each["summary"]) for each in found[:2]] == [
        "P-17, low-back-pain: session 3 of 10 to 12",
        "P-17, low-back-pain: session 4 of 10 to 12",
    ]
    assert len(found) == 10
    first, second, third = found[:3]
    assert (first["dtstart"].dt, first["dtend"].dt) == (date(2026, 3, 9), date(2026, 3, 10))
    assert (second["dtstart"].dt, second["dtend"].dt) == (date(2026, 3, 12), date(2026, 3, 14)), "3 or 4 days later"
    assert third["dtstart"].dt - first["dtstart"].dt == timedelta(weeks=1)
    assert len({str(each["uid"]) for each in found}) == 10
    assert not any("pain before" in str(each["description"]) for each in found)


def test_the_same_event_has_the_same_uid_at_the_next_export(begun: Callable[..., Course]) -> None:
    course = begun()
    earlier = calendar([(course, due(course.plan, DONE[:1], DONE[0]))], NOW, DONE[0])
    uids = {str(each["uid"]) for each in icalendar.Calendar.from_ical(earlier).walk("VEVENT")}
    assert {str(each["uid"]) for each in events(course)} < uids


def test_a_frequency_that_leaves_a_choice_gives_no_day_to_later_sessions(begun: Callable[..., Course]) -> None:
    plan = begun().plan.changed(
        {"sessions_per_week": by_person("sessions_per_week", Range(low=1, high=2), "Dr. O.").record()}
    )
    assert [each.number for each in sessions_to_come(plan, due(plan, DONE, DONE[-1]), DONE[-1])] == [3]


def test_a_simulated_course_says_so_and_one_without_days_has_no_event(begun: Callable[..., Course]) -> None:
    assert str(events(begun(simulated=True))[0]["summary"]).startswith("SIMULATED: P-17")
    assert events(begun("P-18", profile="knee-osteoarthritis")) == []


def test_what_is_overdue_is_due_today_and_what_follows_is_counted_from_there(begun: Callable[..., Course]) -> None:
    plan, today = begun().plan, date(2026, 4, 6)
    third, fourth, *_ = sessions_to_come(plan, due(plan, DONE, today), today)
    assert third == (3, today, today)
    assert fourth == (4, date(2026, 4, 9), date(2026, 4, 10))
