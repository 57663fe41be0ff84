"""A course in a calendar: what is due next, and the sessions after it as far as the plan gives them a day.

Written with the icalendar library (an extra), loaded on first use. Who can see a calendar may not be who may see the
log, so that an event names the pseudonym and nothing that was measured or scored.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

from stimctl.course.courses import Course
from stimctl.course.due import NextSession
from stimctl.course.plan import CoursePlan
from stimctl.errors import Misuse
from stimctl.label import isolated

_WEEK = 7


class PlannedSession(NamedTuple):
    """A session to come: from the first day to the last on which it may be."""

    number: int
    first: date
    last: date


def sessions_to_come(plan: CoursePlan, next_due: NextSession, today: date) -> Iterator[PlannedSession]:
    """The next session, and those after it where the plan names one frequency and how many sessions there are.

    A frequency that leaves a choice ("1 to 2 a week") gives no day to any but the next. None is planned for a day that
    is over: what is overdue is due `today`, and what follows is counted from there.
    """
    if next_due.earliest is None or next_due.latest is None:
        return
    earliest = max(next_due.earliest, today)
    yield PlannedSession(next_due.number, earliest, max(next_due.latest, today))
    week, total = plan.sessions_per_week.range, plan.course_sessions.range
    if week is None or total is None or week.low != week.high:
        return
    for number in range(next_due.number + 1, int(total.high) + 1):
        days, rest = divmod((number - next_due.number) * _WEEK, week.high)
        first = earliest + timedelta(days=int(days))
        yield PlannedSession(number, first, first + timedelta(days=1 if rest else 0))


def calendar(planned: list[tuple[Course, NextSession]], now: datetime, today: date) -> bytes:
    """The calendar of these courses as of `today` (RFC 5545), written `now`.

    Raises `Misuse` where icalendar is not installed.
    """
    try:
        from icalendar import Calendar, Event
    except ModuleNotFoundError:
        raise Misuse("icalendar is not installed, which writes calendars: pip install 'stimctl[calendar]'") from None
    made = Calendar()
    made.add("prodid", "-//stimctl//course//EN")
    made.add("version", "2.0")
    for course, next_due in planned:
        for session in sessions_to_come(course.plan, next_due, today):
            event = Event()
            # The same event at each export, so that a calendar takes the newer one in place of the older.
            event.add("uid", f"{course.course_id}-{session.number}@stimctl")
            event.add("dtstamp", now.astimezone(UTC))
            event.add("dtstart", session.first)
            event.add("dtend", session.last + timedelta(days=1))  # the first day that is no part of it
            mark = "SIMULATED: " if course.simulated else ""
            event.add(
                "summary",
                f"{mark}{isolated(course.pseudonym)}, {course.profile_id}: session {_of(course.plan, session)}",
            )
            event.add("description", "\n".join(next_due.basis))
            event.add("transp", "TRANSPARENT")  # it says when a session is due, not that anybody is busy
            made.add_component(event)
    return bytes(made.to_ical())


def _of(plan: CoursePlan, session: PlannedSession) -> str:
    total = plan.course_sessions.range
    return str(session.number) if total is None else f"{session.number} of {total}"
