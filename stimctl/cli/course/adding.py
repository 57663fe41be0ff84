"""`stimctl course correct | note | adverse | end`: what is said of a course later, each a new entry."""

from pathlib import Path
from typing import Any

import click

from stimctl.cli.completion import session_ids
from stimctl.cli.course.group import CODES, course, course_of, planning, supplied
from stimctl.cli.done import echo_done
from stimctl.cli.texts import author, label, prose
from stimctl.entries import LogEntry
from stimctl.label import isolated


@course.command(epilog=CODES)
@click.argument("who", metavar="WHO", callback=label)
@click.option("--why", required=True, callback=prose, help="The reason, in words.")
@planning
@click.option(
    "--with", "joins", multiple=True, metavar="ID", shell_complete=session_ids, help="A session belongs to it."
)
@click.option("--without", "leaves", multiple=True, metavar="ID", shell_complete=session_ids, help="It does not count.")
@author
@click.pass_obj
def correct(
    path: Path, /, who: str, why: str, clinician: str | None, joins: tuple[str, ...], leaves: tuple[str, ...],
    author: str | None, **values: Any,
) -> None:  # fmt: skip
    """Correct the course of WHO: values of its plan, or which sessions belong to it. What was written stays.

    \b
    Examples:
      stimctl course correct P-17 --per-week 1 --clinician "Dr. O." --why "travels far"
      stimctl course correct P-17 --without 7k3fq --why "stopped in the ramp"
    """
    from stimctl.course.visits import check_session
    from stimctl.entries import CourseChanged

    plan = {name: each.record() for name, each in supplied(values, clinician).items()}
    if not (plan or joins or leaves):
        raise click.UsageError("nothing to correct: name a value of the plan, or a session --with or --without")
    with course_of(path, who, read_only=False) as (ledger, found):
        counts = {check_session(ledger, found, each): True for each in joins}
        counts |= {check_session(ledger, found, each): False for each in leaves}
    _add(path, found.course_id, CourseChanged(why=why, plan=plan or None, counts=counts or None, author=author))


@course.command(epilog=CODES)
@click.argument("who", metavar="WHO", callback=label)
@click.argument("text", metavar="TEXT", callback=prose)
@author
@click.pass_obj
def note(path: Path, who: str, text: str, author: str | None) -> None:
    """Add a note to the course of WHO.

    Example: stimctl course note P-17 "sleeps through since the third session" --author AO
    """
    from stimctl.entries import NoteTaken

    _add(path, who, NoteTaken(text=text, author=author))


@course.command(epilog=CODES)
@click.argument("who", metavar="WHO", callback=label)
@click.argument("text", metavar="TEXT", callback=prose)
@click.option("--severity", type=click.Choice(["mild", "moderate", "severe"]), help="As you judge it.")
@author
@click.pass_obj
def adverse(path: Path, who: str, text: str, severity: str | None, author: str | None) -> None:
    """Add an adverse event between sessions to the course of WHO; one of a session goes to `stimctl log adverse`.

    Example: stimctl course adverse P-17 "bruise at BL-25, two days" --severity mild --author AO
    """
    from stimctl.entries import AdverseEvent

    _add(path, who, AdverseEvent(text=text, severity=severity, author=author))


@course.command(epilog=CODES)
@click.argument("who", metavar="WHO", callback=label)
@click.argument("why", metavar="WHY", callback=prose)
@author
@click.pass_obj
def end(path: Path, who: str, why: str, author: str | None) -> None:
    """End the course of WHO: no session joins it any more. It stays in the log, and can be looked at.

    Example: stimctl course end P-17 "12 sessions done; weekly from here on" --author AO
    """
    from stimctl.entries import CourseEnded

    _add(path, who, CourseEnded(why=why, author=author))


def _add(path: Path, who: str, entry: LogEntry) -> None:
    from stimctl.course.courses import add

    with course_of(path, who, read_only=False) as (ledger, found):
        number = add(ledger, found, entry)
    echo_done(f"Added to the course of {isolated(found.pseudonym)} ({found.course_id}) as entry {number}.")
