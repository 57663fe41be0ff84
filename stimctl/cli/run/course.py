"""The course that a run joins: what is told of it before anything is asked, and its last session's settings.

A course is found by its subject, its profile, and whether it is simulated; nobody names it.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import click

from stimctl.cli.run.again import earlier_values
from stimctl.course.courses import Course, courses, going_on
from stimctl.course.due import due_of
from stimctl.course.visits import days, doubts_of_days, last_session_id
from stimctl.label import isolated
from stimctl.ledger import Ledger, ledger_is_there, ledger_path
from stimctl.prescription import Subject
from stimctl.profile import Profiles
from stimctl.units import counted


class CourseOfRun:
    """Looks for the course once the subject is known, and tells of it once, until another is meant."""

    def __init__(self, profile_id: str, profiles: Profiles, *, rehearsal: bool, to_stderr: bool = False) -> None:
        self._profile_id, self._profiles = profile_id, profiles
        self._rehearsal, self._to_stderr = rehearsal, to_stderr
        self._told: str | None = None
        self.course_id: str | None = None

    def find(self, subject: Subject, pseudonym: str) -> tuple[Mapping[str, Any], Mapping[str, Any]] | None:
        """Tell of the course of this subject. The settings of its last session, with the profile that it followed;
        None where there is no course, or no session in it yet, or all this was told. Raises `LogFault`."""
        self.course_id = None
        path = ledger_path()
        if not ledger_is_there(path):
            return None
        with Ledger(path, read_only=True) as ledger:
            simulated = self._rehearsal or subject is Subject.SIMULATOR
            course = going_on(courses(ledger), pseudonym, self._profile_id, simulated=simulated)
            if course is None:
                self._told = None
                return None
            self.course_id = course.course_id
            if course.course_id == self._told:
                return None
            self._told = course.course_id
            _tell(ledger, course, self._profiles, to_stderr=self._to_stderr)
            last = last_session_id(ledger, course, rehearsal=self._rehearsal)
        return None if last is None else earlier_values(last, self._profile_id, rehearsal=self._rehearsal)


def _tell(ledger: Ledger, course: Course, profiles: Profiles, *, to_stderr: bool) -> None:
    """Where the course stands, in two lines or three; what speaks against a session today stands out."""
    done, today = days(ledger, course), datetime.now(UTC).astimezone().date()
    next_due = due_of(course, done, today, profiles)
    total = course.plan.course_sessions.range
    of = f" of {total}" if total else ""
    since = (
        f"the last was on {max(done)}, {counted((today - max(done)).days, 'day')} ago" if done else "it is the first"
    )
    mark = "SIMULATED course" if course.simulated else "Course"
    which = f"{course.profile_id}: session {next_due.number}{of}"
    click.echo(f"{mark} of {isolated(course.pseudonym)}, {which}; {since}.", err=to_stderr)
    for warning in (*next_due.too_soon, *next_due.attention):
        click.secho(f"Attention: {warning}.", fg="yellow", err=to_stderr)
    for fault in dict.fromkeys((*course.faults, *doubts_of_days(ledger, course))):
        click.secho(f"The course does not verify: {fault}.", fg="red", err=to_stderr)
