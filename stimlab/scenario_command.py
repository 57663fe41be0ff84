"""`stimctl scenario`: lists, shows, checks and runs scenarios."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from firmware_sim.factory import WITH_SCENARIOS
from stimctl.cli.codes import DONE, INVALID, UNMET, USAGE, help_text
from stimctl.cli.numbers import WholeNumber
from stimctl.cli.table import echo_file, echo_json, json_option
from stimctl.errors import InputInvalid, Misuse
from stimctl.look import is_file

if TYPE_CHECKING:
    from stimlab.play.result import PlayedSession
    from stimlab.scenario.model import Scenario

_RUN_HELP = """\b
Examples:
  stimctl scenario run line-loss-mild
  stimctl scenario run --all
  stimctl scenario run mine.toml --seed 7
  stimctl scenario run host-killed --over tcp
  stimctl scenario run host-killed --device firmware

""" + help_text((DONE, USAGE, INVALID, UNMET))


@click.group()
def scenario() -> None:
    """Play sessions in which something goes wrong, on the simulator, and see what comes of it.

    Example: stimctl scenario run --all
    """


@scenario.command(name="list")
@json_option
def list_(as_json: bool) -> None:
    """List the scenarios that come with stimctl.

    Example: stimctl scenario list
    """
    from stimctl.cli.table import table
    from stimlab.scenario.reader import shipped

    if as_json:
        listed = shipped().values()
        echo_json([{"name": each.name, "hazards": list(each.hazards), "title": each.title} for each in listed])
        return
    rows = [(each.name, " ".join(each.hazards), each.title) for each in shipped().values()]
    click.echo(table(("NAME", "HAZARDS", "WHAT HAPPENS"), rows))


@scenario.command()
@click.argument("name")
def show(name: str) -> None:
    """Print a scenario's file: one that comes with stimctl, to copy and change.

    Example: stimctl scenario show line-loss-mild
    """
    echo_file(_path(name).read_text("utf-8"))


@scenario.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
def check(files: tuple[Path, ...]) -> None:
    """Read scenario files and say all that is wrong in them, with its line.

    Example: stimctl scenario check mine.toml
    """
    from stimlab.scenario.reader import load_scenario

    problems = []
    for file in files:
        try:
            click.echo(f"{file}: good ({load_scenario(file).name})")
        except InputInvalid as wrong:
            problems.append(str(wrong))
    if problems:
        raise Misuse("\n".join(problems))


@scenario.command(epilog=_RUN_HELP)
@click.argument("names", nargs=-1, metavar="[NAME|FILE]...")
@click.option("--all", "all_", is_flag=True, help="Run all scenarios that come with stimctl.")
@click.option("--over", type=click.Choice(("sim", "pty", "tcp")),
              help="sim: in virtual time (default); pty, tcp: processes in real time.")  # fmt: skip
@click.option("--device", type=click.Choice(WITH_SCENARIOS), default="native", show_default=True,
              help="The device to play it with: the simulator, or the firmware on its emulated chip.")  # fmt: skip
@click.option("--seed", type=WholeNumber(0, 99_999_999), help="Use this seed instead of the file's.")
@json_option
@click.pass_context
def run(
    context: click.Context,
    *,
    names: tuple[str, ...],
    all_: bool,
    over: str | None,
    device: str,
    seed: int | None,
    as_json: bool,
) -> None:
    """Play scenarios and compare what came of them with what they expect.

    A scenario in which a host's process dies is played over a pseudo-terminal, in real time, unless you say how.
    """
    if all_ == bool(names):
        raise click.UsageError("name scenarios or files, or say --all")
    chosen = [each if seed is None else replace(each, seed=seed) for each in _chosen(names)]
    # Here, because it brings the whole driver and numpy with it.
    from stimlab.play.play import play, way_for

    played = []
    for each in chosen:
        played.append(play(each, over=over or way_for(each), device=device))
        for line in (*played[-1].unmet, *played[-1].idle):
            click.echo(f"{each.name}: {line}", err=True)
    if as_json:
        echo_json([_document(each) for each in played])
    else:
        _print(played)
    if any(each.unmet for each in played):
        context.exit(UNMET)


def _chosen(names: Iterable[str]) -> "list[Scenario]":
    from stimlab.scenario.reader import load_scenario, shipped

    return [load_scenario(_path(name)) for name in names] or list(shipped().values())


def _path(name: str) -> Path:
    """A file, or one that comes with stimctl. Raises `Misuse` naming what is near."""
    from difflib import get_close_matches

    from stimlab.scenario.reader import FOLDER

    ours = {path.stem: path for path in FOLDER.glob("*.toml")}
    if name in ours:
        return ours[name]
    if is_file(given := Path(name)):
        return given
    near = get_close_matches(name, ours, n=3, cutoff=0.4)
    hint = f"; did you mean {' or '.join(near)}?" if near else "; `stimctl scenario list` shows them"
    raise Misuse(f"there is no scenario and no file {name!r}{hint}")


def _document(played: "PlayedSession") -> dict[str, Any]:
    return {
        "name": played.scenario.name,
        "outcome": played.outcome,
        "control_us": dict(played.control_us),
        "unmet": list(played.unmet),
        "idle": list(played.idle),
    }


def _print(played: "list[PlayedSession]") -> None:
    from rich.table import Table

    from stimctl.cli.console import CommandConsole

    table = Table("scenario", "outcome", "times", "verdict", box=None, pad_edge=False, header_style="bold")
    for each in played:
        verdict = "[red]not as expected[/]" if each.unmet else "[green]as expected[/]"
        table.add_row(each.scenario.name, _plain(each.outcome), "\n".join(_times(each)), verdict)
    CommandConsole(highlight=False).print(table)
    wrong = sum(bool(each.unmet) for each in played)
    click.echo(f"{len(played)} played, {wrong} not as expected")


def _plain(text: str) -> Any:
    from rich.text import Text

    return Text(text)


def _times(played: "PlayedSession") -> list[str]:
    limits = played.scenario.expect.within_us
    return [f"{name.replace('_', ' ')} {us / 1_000:.1f} ms" + _limit(limits.get(name))
            for name, us in played.control_us.items()]  # fmt: skip


def _limit(limit_us: int | None) -> str:
    return "" if limit_us is None else f" (limit {limit_us / 1_000:g})"
