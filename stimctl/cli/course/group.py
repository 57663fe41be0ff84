"""The group `stimctl course`, and what its commands share: the ledger, one course of it, amounts from low to high."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stimctl.cli import codes
from stimctl.cli.log.group import opened
from stimctl.cli.texts import label
from stimctl.errors import Misuse
from stimctl.ledger.place import ledger_is_there

if TYPE_CHECKING:
    from stimctl.course.courses import Course
    from stimctl.course.plan import PlannedValue
    from stimctl.ledger import Ledger

CODES = codes.help_text((codes.DONE, codes.USAGE, codes.INVALID, codes.LOG))
# The values of a plan as options, by their names in the profile.
OPTIONS = {
    "sessions_per_week": ("--per-week", "Sessions a week, as in 2 or 1-2."),
    "course_weeks": ("--weeks", "Weeks that the course lasts."),
    "course_sessions": ("--sessions", "Sessions of the course, as in 10-12."),
    "spacing_days": ("--spacing", "Days from one session to the next, as in 3-4."),
    "expected_by_session": ("--expected-by", "Session by which a response is expected."),
    "reassess_by_session": ("--reassess-by", "Session by which to reassess without one."),
}
_YEARS = range(1970, 3000)  # of a day of asking: far enough from where days end to reckon with [choice]
_RANGE = re.compile(r"([0-9]+(?:\.[0-9]+)?)(?:(?:-| to )([0-9]+(?:\.[0-9]+)?))?")


@click.group()
@click.option(
    "--data", "folder", type=click.Path(readable=False, path_type=Path),
    help="Folder of the ledger, instead of what STIMCTL_DATA names, or this user's data folder.",
)  # fmt: skip
@click.pass_context
def course(ctx: click.Context, folder: Path | None) -> None:
    """Follow one subject from visit to visit: a plan made from a profile, what is done and what is due.

    A course is entries of the dose log: what is corrected, noted or ended is a new entry. `stimctl run` picks it up.

    \b
    Examples:
      stimctl course new P-17 low-back-pain
      stimctl course due
    """
    from stimctl.ledger.place import ledger_path

    ctx.obj = ledger_path(folder)


@contextmanager
def course_of(path: Path, who: str, *, read_only: bool = True) -> "Iterator[tuple[Ledger, Course]]":
    """The ledger and the course that `who` means, a pseudonym or an id; what does not verify is told."""
    if not ledger_is_there(path):
        raise Misuse(f"the ledger {path} holds no course yet; `stimctl course new` begins one")
    with opened(path, read_only=read_only) as ledger:
        yield ledger, found_of(ledger, who)


def found_of(ledger: "Ledger", who: str) -> "Course":
    """The course that `who` means. Raises `Misuse`, and `LogFault` where it may be one that does not verify."""
    from stimctl.course.courses import courses, find

    try:
        return find(courses(ledger), who)
    except Misuse as none:
        raise ledger.not_found(str(none)) from None


def exit_code(faults: "tuple[str, ...]") -> int:
    """Say what does not verify, and give the exit code."""
    for fault in dict.fromkeys(faults):
        click.echo(f"This does not verify: {fault}.", err=True)
    return codes.LOG if faults else codes.DONE


def planning(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that supply values of the plan."""
    for name, (option, text) in reversed(OPTIONS.items()):
        command = click.option(option, name, metavar="LOW[-HIGH]", callback=_range, help=text)(command)
    return click.option("--clinician", callback=label, help="Who answers for what is supplied here.")(command)


def supplied(values: "dict[str, Any]", clinician: str | None) -> "dict[str, PlannedValue]":
    """The values of the plan that were typed. Raises `click.UsageError` where nobody answers for them."""
    from stimctl.course.plan import by_person
    from stimctl.profile import Range

    typed = {name: values[name] for name in OPTIONS if values.get(name) is not None}
    if typed and clinician is None:
        named = ", ".join(OPTIONS[name][0] for name in typed)
        raise click.UsageError(f"{named}: name who answers for it with --clinician")
    return {name: by_person(name, Range(low=low, high=high), str(clinician)) for name, (low, high) in typed.items()}


def _range(_ctx: click.Context, _option: click.Parameter, text: str | None) -> tuple[float, float] | None:
    if text is None:
        return None
    found = _RANGE.fullmatch(text.strip())
    low, high = (float(each) for each in (found[1], found[2] or found[1])) if found else (1.0, 0.0)
    if low > high:
        raise click.BadParameter(f"{text!r} is no amount: write 2, or 4-6 with the lower first")
    return low, high


def day(_ctx: click.Context, _option: click.Parameter, text: str | None) -> date:
    """A day, or today by this computer's clock."""
    if text is None:
        return datetime.now(UTC).astimezone().date()
    try:
        found = date.fromisoformat(text)
    except ValueError:
        found = date.min
    if found.year not in _YEARS:
        raise click.BadParameter(f"{text!r} is no day: write 2026-01-31")
    return found


ON = click.option("--on", "today", callback=day, metavar="DAY", help="As of this day, instead of today.")
