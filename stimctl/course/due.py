"""When the next session of a course is due, and what there is to attend to, from its plan and the days of its sessions.

Everything follows from the plan's own values; where one of them is unspecified, what would follow from it is told as
not known. Only one thing is calculated: where the plan has a frequency and no spacing, the days between sessions are
those of sessions spread evenly over the week [calc].
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from fractions import Fraction
from math import ceil, floor

from stimctl.course.courses import Course
from stimctl.course.plan import CoursePlan
from stimctl.profile import Profile
from stimctl.units import counted

_WEEK = 7
_MOST_WEEKS = 100  # over which a frequency is counted; the lowest that a plan may have is one session in so many


@dataclass(frozen=True, slots=True)
class NextSession:
    """The next session: `number` counts from 1; it is due from `earliest` to `latest`, as far as that is known.

    `too_soon` is what speaks against a session on the day of asking, `warnings` what there is to attend to anyway;
    `profile_change`, that the course's profile has another text than its plan was made of.
    """

    number: int
    earliest: date | None
    latest: date | None
    basis: tuple[str, ...]
    too_soon: tuple[str, ...]
    warnings: tuple[str, ...]
    profile_change: str | None = None

    @property
    def attention(self) -> tuple[str, ...]:
        """All that there is to attend to on any day."""
        return self.warnings if self.profile_change is None else (*self.warnings, self.profile_change)


def spread_days(plan: CoursePlan) -> tuple[int, int] | None:
    """The fewest and the most days between two sessions: the plan's own, or of an even spread; None if neither is."""
    spacing, week = plan.spacing_days.range, plan.sessions_per_week.range
    if spacing is not None:
        return ceil(spacing.low), floor(spacing.high)
    return None if week is None else (floor(_WEEK / week.high), ceil(_WEEK / week.low))


def due_of(course: Course, done: Sequence[date], today: date, profiles: Mapping[str, Profile]) -> NextSession:
    """What is due in a course, and whether its profile has changed since its plan was made."""
    found = due(course.plan, done, today, over=course.ended is not None)
    return replace(found, profile_change=course.change_of_profile(profiles))


def due(plan: CoursePlan, done: Sequence[date], today: date, *, over: bool = False) -> NextSession:
    """What is due on `today`. `done` are the days of the sessions so far; of a course that is `over` nothing is due."""
    if over:
        return NextSession(len(done) + 1, None, None, (), (), ())
    done = sorted(done)  # a clock that was set back puts a later session on an earlier day
    spread, sessions = spread_days(plan), plan.course_sessions.range
    finished = sessions is not None and len(done) >= sessions.high
    earliest = latest = None
    if done and spread is not None and not finished:
        earliest, latest = (done[-1] + timedelta(days=days) for days in spread)
        free = _free_from(plan, done)
        earliest = max(earliest, free) if free else earliest
        latest = max(earliest, latest)
    too_soon = tuple(_too_soon(plan, done, today, "a session today would be"))
    was_too_soon = _too_soon(plan, done[:-1], done[-1], f"session {len(done)} was") if done else ()
    warnings = (*_late(latest, today), *_in_future(done, today), *was_too_soon, *_at_the_end(plan, done, today))
    return NextSession(len(done) + 1, earliest, latest, tuple(_basis(plan, done)), too_soon, warnings)


def of_session(plan: CoursePlan, days: Sequence[date], number: int) -> tuple[str, ...]:
    """What spoke against session `number` on its day, given the days of all; and where it is one more than planned."""
    found = tuple(_too_soon(plan, sorted(days[: number - 1]), days[number - 1], "it was"))
    sessions = plan.course_sessions.range
    more = sessions is not None and number > sessions.high
    return (*found, f"it is one more than the plan says: {_planned(plan, 'course_sessions')}") if more else found


def _caps(plan: CoursePlan) -> Iterator[tuple[int, int]]:
    """At most so many sessions in so many days, by the plan's frequency, the shortest time first.

    A frequency that is no whole number is one over several weeks: 1.5 a week is 3 in 2 weeks, and so 2 within 7 days.
    """
    week = plan.sessions_per_week.range
    if week is not None:
        often = Fraction(str(week.high)).limit_denominator(_MOST_WEEKS)
        yield from ((ceil(often * weeks), weeks * _WEEK) for weeks in range(1, often.denominator + 1))


def _free_from(plan: CoursePlan, done: Sequence[date]) -> date | None:
    """The first day on which one more session would not exceed the frequency."""
    free = [done[-most] + timedelta(days=window) for most, window in _caps(plan) if len(done) >= most]
    return max(free, default=None)


def _too_soon(plan: CoursePlan, done: Sequence[date], day: date, words: str) -> Iterator[str]:
    """What speaks against a session on this day, after these."""
    spacing = plan.spacing_days.range
    if done and spacing is not None and (days := (day - done[-1]).days) < spacing.low:
        says = _planned(plan, "spacing_days")
        apart = f"{counted(abs(days), 'day')} {'after' if days >= 0 else 'before'} it"
        yield f"{words} too close to the one before: {apart}, and the plan says {says}"
    for most, window in _caps(plan):
        recent = [each for each in done if day - timedelta(days=window) < each <= day]
        if len(recent) >= most:
            named = ", ".join(f"{each:%a %d %b}" for each in recent)
            says = _planned(plan, "sessions_per_week")
            yield f"{words} one too many: after {named} within {counted(window, 'day')}, and the plan says {says}"
            return


def _late(latest: date | None, today: date) -> Iterator[str]:
    if latest is not None and today > latest:
        yield f"overdue by {counted((today - latest).days, 'day')}: it was due by {latest}"


def _in_future(done: Sequence[date], today: date) -> Iterator[str]:
    if done and done[-1] > today:
        yield f"the last session is of {done[-1]}, which is later than {today}: is the clock of this computer right?"


def _at_the_end(plan: CoursePlan, done: Sequence[date], today: date) -> Iterator[str]:
    sessions, weeks = plan.course_sessions.range, plan.course_weeks.range
    if sessions is not None and len(done) >= sessions.high:
        yield f"all sessions of the course are done: {len(done)}, and the plan says {_planned(plan, 'course_sessions')}"
    elif done and weeks is not None and (week := (today - done[0]).days // _WEEK + 1) > weeks.high:
        says = _planned(plan, "course_weeks")
        yield f"the course is in week {week} with {counted(len(done), 'session')}, and the plan says {says}"


def _basis(plan: CoursePlan, done: Sequence[date]) -> Iterator[str]:
    """How the days are known, or why they are not."""
    spacing, week = plan.spacing_days, plan.sessions_per_week
    if spacing.range is None and week.range is None:
        yield f"how often: unspecified ({week.note})"
        yield f"spacing: unspecified ({spacing.note})"
        yield "so when the next session is due is not known: supply one of them (`stimctl course correct`)"
        return
    if not done:
        yield "the first session has no day in the plan"
    if spacing.range is not None:
        yield f"spacing: {spacing.amount} {spacing.basis}"
    elif (spread := spread_days(plan)) is not None:
        fewest, most = spread
        days = counted(most, "day") if fewest == most else f"{fewest} to {most} days"
        yield f"spacing: unspecified ({spacing.note}); {days} is {week.amount}, spread evenly [calc]"
    yield f"how often: {week.amount} {week.basis}"


def _planned(plan: CoursePlan, name: str) -> str:
    value = getattr(plan, name)
    return f"{value.amount} {value.basis}"
