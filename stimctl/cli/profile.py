"""`stimctl profile`: lists profiles and explains them, checks one of your own, and starts a new one."""

import shutil
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stimctl.cli import codes
from stimctl.cli.completion import profile_names
from stimctl.cli.done import echo_done
from stimctl.cli.errors import shown
from stimctl.cli.table import echo_file, echo_json, json_option, table
from stimctl.errors import InputInvalid, Problem
from stimctl.new_file import check_new, write_new

if TYPE_CHECKING:
    from stimctl.profile import Profile

_WIDEST = 110
_SIZE = (100, 24)  # where nobody says how wide the terminal is


@click.group()
def profile() -> None:
    """List, explain, check and start profiles: what a protocol asks for, value by value.

    Example: stimctl profile list
    """


@profile.command("list")
@json_option
def list_(as_json: bool) -> None:
    """List the profiles that come with stimctl and your own.

    Your own are searched in the folder that STIMCTL_PROFILES names. Files of it that are wrong are told after
    the list, on standard error, and make the exit code 3.

    Example: stimctl profile list
    """
    from stimctl.profile import load_profiles

    profiles = load_profiles()
    found = sorted(profiles.values(), key=lambda one: (one.kind != "clinical", one.id))
    if as_json:
        echo_json([_summary(one) for one in found])
    else:
        rows = [(one.id, one.version, one.kind, _frequencies(one), state(one), one.title) for one in found]
        click.echo(table(("NAME", "VERSION", "KIND", "VARIANTS", "STATE", "TITLE"), rows))
    for fault in profiles.faults:
        click.echo(f"\nNot usable: {shown(fault)}", err=True)
    if profiles.faults:
        raise SystemExit(codes.INVALID)


@profile.command()
@click.argument("name", shell_complete=profile_names)
@json_option
def show(name: str, as_json: bool) -> None:
    """Explain a profile in words: each value with its source, and what is left unspecified.

    [source] is the source document, [choice] a project default, [lit] other literature.

    Example: stimctl profile show low-back-pain
    """
    from stimctl.profile import explain, load

    found = load(name)
    if as_json:
        echo_json({**_summary(found), **found.model_dump(mode="json", by_alias=True)})
        return
    width = min(shutil.get_terminal_size(_SIZE).columns, _WIDEST)
    for section in explain(found):
        click.secho(section.title, bold=True)
        for line in section.lines:
            click.echo(textwrap.fill(line, width, initial_indent="  ", subsequent_indent="    "))
        click.echo()


@profile.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@json_option
def check(file: Path, as_json: bool) -> None:
    """Check a profile's file and print every problem: line, field, value and what is allowed.

    Exits with 3 when there is one.

    Example: stimctl profile check my-profile.toml
    """
    from stimctl.profile import load_file

    try:
        found = load_file(file)
    except InputInvalid as invalid:
        if not as_json:
            raise
        echo_json({"file": str(file), "problems": [_problem(each) for each in invalid.problems]})
        raise SystemExit(codes.INVALID) from None
    if as_json:
        echo_json({"file": str(file), "problems": [], **_summary(found)})
        return
    click.echo(f"{file} is a whole profile: {found.id} {found.version}, {state(found)}; SHA-256 {found.sha256}")


@profile.command()
@click.option("-o", "--output", type=click.Path(path_type=Path), help="A new file; one that exists is never replaced.")
def new(output: Path | None) -> None:
    """Write a template of a profile, with a "?" wherever something has to be filled in.

    Example: stimctl profile new --output my-profile.toml
    """
    from stimctl.profile import new_template

    if output is None:
        echo_file(new_template())
        return
    check_new(output, "a profile")
    write_new(output, [new_template()], force=False)
    echo_done(f'{output} is written: replace every "?", then run: stimctl profile check {output}')


def state(found: "Profile") -> str:
    """What may be done with a profile, in a few words."""
    if found.no_stimulation is not None:
        return "schedule only"
    if found.locked:
        return "locked"
    return "incomplete" if found.gaps else "ready"


def _frequencies(found: "Profile") -> str:
    return ", ".join(f"{variant.id} ({variant.mode.value})" for variant in found.variants) or "-"


def _summary(found: "Profile") -> dict[str, Any]:
    return {
        "id": found.id,
        "version": found.version,
        "kind": found.kind,
        "title": found.title,
        "state": state(found),
        "gaps": list(found.gaps),
        "variants": [variant.model_dump(mode="json", by_alias=True) for variant in found.variants],
        "sha256": found.sha256,
        "path": found.path,
    }


def _problem(problem: Problem) -> dict[str, Any]:
    value = problem.value
    shown = value if value is None or isinstance(value, str | int | float | bool) else str(value)
    return {"line": problem.line, "field": problem.field, "value": shown, "allowed": problem.allowed}
