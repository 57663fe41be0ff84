"""Where one session stands in the course that it belongs to."""

from collections.abc import Iterator
from dataclasses import asdict
from datetime import date
from typing import NamedTuple

from stimctl.course.courses import Course, courses
from stimctl.course.due import due_of, of_session
from stimctl.course.visits import days, heads_of
from stimctl.ledger import Ledger
from stimctl.ledger.document import CourseDue, CourseFacts
from stimctl.profile import load_profiles


class CoursePlace(NamedTuple):
    """A session's course. `number` counts from 1, and is None where the session joined it and does not count.

    `warnings` is what spoke against it on its day, and that the course's profile has changed since.
    """

    course: Course
    number: int | None
    warnings: tuple[str, ...]


def place_of(ledger: Ledger, session_id: str) -> CoursePlace | None:
    """The place of a session; None where it belongs to no course. Raises `LogFault`."""
    joined = next((entry.body.get("course") for entry in ledger.some_of(session_id, "opened")), None)
    belongs = [each for each in courses(ledger) if session_id in each.counts or each.course_id == joined]
    for course in belongs:
        ids = [head.session_id for head in heads_of(ledger, course)]
        if session_id in ids:
            number = ids.index(session_id) + 1
            then = of_session(course.plan, days(ledger, course), number)
            return CoursePlace(course, number, (*then, *_change(course)))
    return CoursePlace(belongs[0], None, tuple(_change(belongs[0]))) if belongs else None


def facts_of(ledger: Ledger, place: CoursePlace, today: date) -> CourseFacts:
    """The place of a session, its course's plan and what is due in it, for a document. Raises `LogFault`."""
    course = place.course
    due = asdict(due_of(course, days(ledger, course), today, load_profiles()))
    ends = {name: due[name] and due[name].isoformat() for name in ("earliest", "latest")}
    return CourseFacts(
        course_id=course.course_id,
        pseudonym=course.pseudonym,
        profile=dict(course.profile),
        simulated=course.simulated,
        ended=course.ended,
        number=place.number,
        plan=course.plan.record(),
        warnings=place.warnings,
        due=CourseDue(asked_on=today.isoformat(), **{**due, **ends}),
        faults=course.faults,
    )


def _change(course: Course) -> Iterator[str]:
    change = course.change_of_profile(load_profiles())
    if change is not None:
        yield change
