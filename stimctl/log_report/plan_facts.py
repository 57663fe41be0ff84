"""The plan of a course in a report: each value, and who says so."""

from collections.abc import Iterator

from stimctl.course.plan import PlannedValue
from stimctl.label import printable
from stimctl.log_report.case import CasesOfPlan
from stimctl.log_report.words import ReportWords
from stimctl.profile import Range


def plan_name(words: ReportWords, of: CasesOfPlan) -> str:
    """What a plan is called beside others."""
    return words("value.no_plan") if of.course is None else printable(f"{of.course.profile_id}, {of.course.course_id}")


def plan_facts(words: ReportWords, of: CasesOfPlan) -> Iterator[tuple[str, str]]:
    """Its course, how many of its sessions are done, and its values."""
    course = of.course
    if course is None:
        return
    yield words("label.course"), printable(course.course_id)
    yield words("label.profile"), printable(f"{course.profile_id} {course.profile.get('version') or ''}".strip())
    total = course.plan.course_sessions.range
    done = str(of.done) if total is None else words("value.done_of", done=of.done, total=_amount(total))
    yield words("label.done"), done
    if course.ended is not None:
        yield words("label.course_ended"), printable(course.ended)
    for value in course.plan:
        yield words(f"plan.{value.name}"), _in_words(words, value)


def _amount(found: Range) -> str:
    return f"{found.low:g}" if found.low == found.high else f"{found.low:g}–{found.high:g}"


def _in_words(words: ReportWords, value: PlannedValue) -> str:
    if value.range is None:
        return words.of("origin", value.origin)
    section = f" ({value.section})" if value.section else ""
    quote = f": “{value.quote}”{section}" if value.quote else f": {value.note}" if value.note else ""
    return printable(f"{_amount(value.range)} [{words.of('origin', value.origin)}]{quote}")
