"""`stimctl course new | show | due | trend`: begin a course, and look at it."""

import shutil
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stimctl.cli.completion import profile_names
from stimctl.cli.course.group import (
    CODES,
    ON,
    course,
    course_of,
    exit_code,
    found_of,
    planning,
    supplied,
)
from stimctl.cli.done import echo_done
from stimctl.cli.log.group import opened
from stimctl.cli.streams import at_terminal
from stimctl.cli.table import echo_json, json_option, json_text
from stimctl.cli.texts import author, label
from stimctl.errors import LogFault, Misuse
from stimctl.label import isolated, looks_like_name
from stimctl.ledger.place import ledger_is_there
from stimctl.new_file import check_free, write_new

if TYPE_CHECKING:
    from stimctl.course.courses import Course
    from stimctl.course.due import NextSession
    from stimctl.ledger import Ledger

__all__ = ["course"]

_FILE = click.Path(dir_okay=False, path_type=Path)
_WIDEST = 110
_SIZE = (100, 24)  # where nobody says how wide the terminal is


@course.command(epilog=CODES)
@click.argument("who", metavar="WHO", callback=label)
@click.argument("profile_name", metavar="PROFILE", shell_complete=profile_names)
@planning
@click.option("--simulated", is_flag=True, help="For rehearsals and simulators: of a real course none of them counts.")
@click.option("--pseudonym", "meant", is_flag=True, help="WHO is a pseudonym, although it looks like a name.")
@author
@click.pass_obj
def new(
    path: Path, /, who: str, profile_name: str, clinician: str | None, simulated: bool, meant: bool, author: str | None,
    **values: Any,
) -> None:  # fmt: skip
    """Begin a course of WHO, a pseudonym, by the schedule of PROFILE.

    The plan is the profile's, value by value with its source. What the profile leaves unspecified stays so until
    somebody supplies it, here or with `stimctl course correct`, and answers for it.

    \b
    Examples:
      stimctl course new P-17 low-back-pain
      stimctl course new P-18 knee-osteoarthritis --per-week 2 --sessions 8 --clinician "Dr. O."
    """
    from stimctl.cli.course.page import plan_lines
    from stimctl.course.courses import begin
    from stimctl.course.plan import plan_of
    from stimctl.entries import CourseBegun
    from stimctl.profile import choose, load_profiles

    profile = choose(load_profiles(), profile_name)
    plan = plan_of(profile).changed({name: each.record() for name, each in supplied(values, clinician).items()})
    _check_pseudonym(who, meant=meant)
    begun = CourseBegun(
        pseudonym=who,
        profile={"id": profile.id, "version": profile.version, "title": profile.title, "sha256": profile.sha256},
        plan=plan.record(),
        follow_up=[str(each.value) for each in profile.schedule.follow_up] if profile.schedule else [],
        simulated=simulated,
        author=author,
    )
    with opened(path, read_only=False) as ledger:
        course_id = begin(ledger, begun)
    mark = "SIMULATED: " if simulated else ""
    followed = f"{profile.title} ({profile.id} {profile.version})"
    echo_done(f"{mark}{isolated(who)} follows {followed}: {course_id}\n\n{plan_lines(plan)}")


def _check_pseudonym(who: str, *, meant: bool) -> None:
    """Ask about what looks like a person's name, which has no place in a log that never forgets."""
    if meant or not looks_like_name(who):
        return
    why = f"{who!r} looks like a person's name, and what is written to the log stays in it"
    if not at_terminal():
        raise Misuse(f"{why}: take a pseudonym, or say --pseudonym if it is one")
    from stimctl.cli.ask.confirm import confirmed

    if not confirmed(f"{why}. Is it a pseudonym?"):
        raise Misuse("nothing was written: take a pseudonym, such as P-17, and keep who it is elsewhere")


@course.command(epilog=CODES)
@click.argument("who", metavar="WHO", callback=label)
@ON
@json_option
@click.pass_context
def show(ctx: click.Context, who: str, today: date, as_json: bool) -> None:
    """Show the course of WHO: its plan with the sources, each session's figures, what is due, scores, events and notes.

    WHO is a pseudonym, or a course's id or the end of it. What does not verify is shown with that said first, and the
    exit code is 7.

    Example: stimctl course show P-17
    """
    from stimctl.cli.course.page import document, page
    from stimctl.course.due import due_of
    from stimctl.course.visits import visits
    from stimctl.profile import load_profiles

    with course_of(ctx.obj, who) as (ledger, named):
        found = _doubted(ledger, named)
        done = visits(ledger, found)
    next_due = due_of(found, [visit.day for visit in done], today, load_profiles())
    if as_json:
        echo_json(document(found, done, next_due))
    else:
        click.echo(page(found, done, next_due))
    ctx.exit(exit_code((*found.faults, *(fault for visit in done for fault in visit.faults))))


def _doubted(ledger: "Ledger", found: "Course") -> "Course":
    """With what does not verify of the sessions by which it is known which belong to it."""
    from stimctl.course.visits import doubts_of_days

    return replace(found, faults=(*found.faults, *doubts_of_days(ledger, found)))


@course.command("due", epilog=CODES)
@click.argument("who", metavar="[WHO]", required=False, callback=label)
@ON
@click.option("--ics", type=_FILE, metavar="FILE", help="Also write a calendar, readable by you alone.")
@click.option("--force", is_flag=True, help="Replace the file if it is there.")
@json_option
@click.pass_context
def due_(ctx: click.Context, who: str | None, today: date, ics: Path | None, force: bool, as_json: bool) -> None:
    """Say when the next session of each course is due, the most urgent first; with WHO, of that course, and why.

    A calendar has the next session, and those after it where the plan names one frequency.

    \b
    Examples:
      stimctl course due
      stimctl course due P-17 --ics P-17.ics
    """
    from stimctl.cli.course.page import due_document, due_page, due_table

    planned, faults = _due(ctx.obj, who, today)
    if ics is not None:
        _write_calendar(planned, ics, today, force=force)
    if as_json:
        said = json_text([due_document(found, next_due) for found, next_due in planned])
    elif not planned:
        said = f"The ledger {ctx.obj} holds no course that goes on."
    else:
        said = due_page(*planned[0]) if who is not None else due_table(planned, today)
    if ics is None:
        click.echo(said)
    else:
        echo_done(said)
        echo_done(f"The calendar is {ics}", err=as_json)
    ctx.exit(exit_code(faults))


def _due(path: Path, who: str | None, today: date) -> "tuple[list[tuple[Course, NextSession]], tuple[str, ...]]":
    """Each course that goes on, or the one that was named, with what is due; and what does not verify."""
    from stimctl.course.courses import courses
    from stimctl.course.due import due_of
    from stimctl.course.visits import days, doubts_of_days
    from stimctl.profile import load_profiles

    if who is None and not ledger_is_there(path):
        return [], ()
    with opened(path) as ledger:
        found = [each for each in courses(ledger) if each.ended is None] if who is None else [found_of(ledger, who)]
        profiles = load_profiles() if found else {}
        planned = [(each, due_of(each, days(ledger, each), today, profiles)) for each in found]
        doubts = [fault for each in found for fault in (*each.faults, *doubts_of_days(ledger, each))]
        doubts += ledger.afterwards().of_anybody() if who is None else ()  # a course may be missing
    planned.sort(key=lambda each: (each[1].latest or date.max, each[1].earliest or date.max))
    return planned, tuple(doubts)


def _write_calendar(planned: "list[tuple[Course, NextSession]]", path: Path, today: date, *, force: bool) -> None:
    from stimctl.course.calendar import calendar

    write_new(path, [calendar(planned, datetime.now(UTC), today)], force=force)


@course.command(epilog=CODES)
@click.argument("who", metavar="WHO", callback=label)
@click.option("-o", "--output", type=_FILE, help="Write a picture, .png or .svg, readable by you alone.")
@click.option("--force", is_flag=True, help="Replace the file if it is there.")
@click.pass_context
def trend(ctx: click.Context, who: str, output: Path | None, force: bool) -> None:
    """Draw the course of WHO over its sessions: pain, reached amplitude, impedance, charge with how it is known.

    In the terminal, or into a picture. What nobody knows has no point, and is never drawn as 0.

    Example: stimctl course trend P-17 -o P-17.png
    """
    from stimctl.course import drawing
    from stimctl.course.trend import trends
    from stimctl.course.visits import visits

    if output is not None:
        check_free(output, force=force)
    with course_of(ctx.obj, who) as (ledger, named):
        found = _doubted(ledger, named)
        done = visits(ledger, found)
    faults = (*found.faults, *(fault for visit in done for fault in visit.faults))
    try:
        drawn = trends(found, done)
    except Misuse as none:
        raise (LogFault(f"{none}; but the course does not verify: {faults[0]}") if faults else none) from None
    if output is None:
        click.echo(drawing.text(drawn, width=min(_WIDEST, shutil.get_terminal_size(_SIZE).columns)))
    else:
        write_new(output, [drawing.picture(drawn, output.suffix)], force=force)
        echo_done(f"The picture is {output}")
    ctx.exit(exit_code(faults))


# The commands that add entries register themselves with the group.
from stimctl.cli.course import adding  # noqa: E402, F401
