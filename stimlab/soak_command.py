"""`stimctl soak`: runs a campaign of random sessions, shows the results by kind of fault, and saves each failure."""

import os
import shutil
import sys
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, nullcontext, redirect_stdout
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stimctl.cli.codes import DONE, INTERRUPTED, INVALID, UNMET, USAGE, help_text
from stimctl.cli.numbers import WholeNumber
from stimctl.cli.table import echo_json, json_option
from stimctl.new_file import writing
from stimctl.units import counted

if TYPE_CHECKING:
    from stimlab.campaign.campaign import FaultKindRow, FinishedSession, SessionResult

_MAX_SESSIONS = 10_000_000
_WIDTH = 100  # of the table, where no terminal says another
_TENTH_OF_MS = 10_000  # from here on a tenth of a ms is enough
_SHOWN = 20  # violations that are printed; all of them are in the files
_EPILOG = """\b
Examples:
  stimctl soak --sessions 200 --seed 1
  stimctl soak --sessions 10000 --seed 7 --jobs 2 --save failures --json > results.json
  stimctl soak --sessions 500 --seed 1 --fault line.loss
  stimctl soak --sessions 100000 --seed 1 --scheduler tcp://10.0.0.5:8786
  stimctl soak --again failures/campaign-7-311.toml

""" + help_text((DONE, USAGE, INVALID, UNMET))


@click.command(epilog=_EPILOG)
@click.option("--sessions", type=WholeNumber(1, _MAX_SESSIONS), default=200, show_default=True, help="How many.")
@click.option("--seed", type=WholeNumber(0), default=1, show_default=True, help="Which campaign.")
@click.option("--first", type=WholeNumber(0), default=0, help="Number of the first session; by default 0.")
@click.option("--fault", metavar="KIND", help="Give every session this kind of fault and no other.")
@click.option("--jobs", type=WholeNumber(1, 1_024), help="Worker processes; by default one for each processor.")
@click.option("--scheduler", metavar="ADDRESS", help="A Dask scheduler whose workers do the work.")
@click.option("--save", metavar="DIR", type=click.Path(file_okay=False, path_type=Path),
              help="Write each session that broke a rule there, as a scenario.")  # fmt: skip
@json_option
@click.option("--again", metavar="FILE", multiple=True, type=click.Path(exists=True, dir_okay=False, path_type=Path),
              help="No campaign: play this scenario and judge it by every rule. More than once for more.")  # fmt: skip
@click.pass_context
def soak(
    context: click.Context,
    *,
    sessions: int,
    seed: int,
    first: int,
    fault: str | None,
    jobs: int | None,
    scheduler: str | None,
    save: Path | None,
    as_json: bool,
    again: tuple[Path, ...],
) -> None:
    """Run many random sessions with faults in virtual time, and check every pulse of each by every rule.

    The same seed gives the same results, whatever --jobs or the scheduler; the digest that is printed shows it.
    """
    if jobs is not None and scheduler is not None:
        raise click.UsageError("--jobs is for this machine, --scheduler for others: give one of them")
    if save is not None:
        with writing(save):  # now: hours of a campaign are not to be lost on it
            save.mkdir(parents=True, exist_ok=True)
    began_s = time.monotonic()
    if again:
        found = _CampaignProgress(list(_again(again)), time.process_time())
    else:
        from stimlab.campaign.campaign import chunks

        work = _work(seed, fault)
        found = _collect(_spread(work, chunks(sessions, first), jobs, scheduler), sessions)
    results = sorted(found.results, key=lambda result: result.index)
    if as_json:
        echo_json(_document(results, seed, fault))
    # The words about them go to the other stream then.
    with redirect_stdout(sys.stderr) if as_json else nullcontext():
        _tell(results, time.monotonic() - began_s, found.cpu_s)
        if not again:
            _print_digest(results, seed)
            if save is not None:
                _save(results, save, seed)
    if found.interrupted:
        click.echo(f"Interrupted after {len(results)} of {sessions} sessions.", err=True)
        context.exit(INTERRUPTED)
    if any(result.violations for result in results):
        context.exit(UNMET)


@dataclass(slots=True)
class _CampaignProgress:
    """The results so far, and the processor time they took."""

    results: "list[SessionResult]"
    cpu_s: float = 0.0
    interrupted: bool = False


def _work(seed: int, fault: str | None) -> "partial[FinishedSession]":
    # Here, because it brings driver, simulator and numpy with it.
    from stimlab.campaign.campaign import play_chunk
    from stimlab.campaign.random_scenario import known_kind

    return partial(play_chunk, seed, None if fault is None else known_kind(fault))


def _spread(
    work: "partial[FinishedSession]", parts: Sequence[range], jobs: int | None, scheduler: str | None
) -> "Generator[FinishedSession]":
    from stimlab.campaign import executors

    if scheduler is not None:
        return executors.distributed(work, parts, scheduler)
    count = min(jobs or os.cpu_count() or 1, len(parts))
    return executors.here(work, parts) if count == 1 else executors.local(work, parts, count)


def _collect(done: "Generator[FinishedSession]", sessions: int) -> _CampaignProgress:
    """Take in what comes, with a progress bar at a terminal. Ctrl-C ends it, with what came so far."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from stimctl.cli.console import CommandConsole

    found, broke, console = _CampaignProgress([]), 0, CommandConsole(stderr=True)
    shown = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"), TimeRemainingColumn())
    with Progress(*shown, console=console, disable=not console.is_terminal, transient=True) as progress, closing(done):
        task = progress.add_task("no violations", total=sessions)
        try:
            for part in done:
                found.results += part.results
                found.cpu_s += part.cpu_s
                broke += sum(bool(result.violations) for result in part.results)
                text = f"[red]{broke} broke a rule" if broke else "no violations"
                progress.update(task, completed=len(found.results), description=text)
        except KeyboardInterrupt:
            found.interrupted = True
    return found


def _again(files: Sequence[Path]) -> "Iterator[SessionResult]":
    from stimlab.campaign.campaign import judged
    from stimlab.scenario.reader import load_scenario

    for index, file in enumerate(files):
        yield judged(load_scenario(file), index)


# --- telling -----------------------------------------------------------------------------------------


def _print_digest(results: "Sequence[SessionResult]", seed: int) -> None:
    from stimlab.campaign.campaign import digest

    click.echo(f"seed {seed}, digest {digest(results)}")


def _tell(results: "Sequence[SessionResult]", took_s: float, cpu_s: float) -> None:
    from stimlab.campaign.campaign import by_kind

    _print_table(by_kind(results))
    broke = [(result, violation) for result in results for violation in result.violations]
    for result, violation in broke[:_SHOWN]:
        click.echo(f"{result.name}: {violation.rule}, at {violation.at_us / 1e6:.3f} s: {violation.text}")
    if len(broke) > _SHOWN:
        click.echo(f"... and {len(broke) - _SHOWN} violations more")
    pulses, hours = sum(result.pulses for result in results), sum(result.lasted_us for result in results) / 3.6e9
    sessions = len({result.name for result, _ in broke})
    ran, gave = counted(len(results), "session"), counted(pulses, "pulse")
    click.echo(f"{ran}, {hours:.1f} hours of device time, {gave}, each under every rule")
    click.echo(f"{counted(len(broke), 'violation')}, in {sessions} of them" if broke else "no violations")
    each_ms = 1_000 * cpu_s / max(1, len(results))
    click.echo(f"{took_s:.1f} s; {each_ms:.0f} ms of processor time a session", err=True)


def _print_table(rows: "Sequence[FaultKindRow]") -> None:
    """A line for each kind, cut where the line ends."""
    width = shutil.get_terminal_size((_WIDTH, 0)).columns if sys.stdout.isatty() else _WIDTH
    head = _line("FAULT", "RUNS", "ACTED", "BROKE", ("CONTROL", "TOOK ms", "LIMIT ms", "USED"), "ENDED")
    click.echo(click.style(_cut(head, width), bold=True))
    for row in rows:
        counts = str(row.sessions), str(row.acted), str(row.violations)
        line = _cut(_line(row.kind, *counts, _control(row), row.ended), width)
        click.echo(click.style(line, fg="red") if row.violations else line)


def _line(kind: str, runs: str, acted: str, broke: str, control: tuple[str, str, str, str], ended: str) -> str:
    name, took, limit, used = control
    return f"{kind:<25}{runs:>5}{acted:>6}{broke:>6}  {name:<12}{took:>8}{limit:>9}{used:>5}  {ended}"


def _cut(line: str, width: int) -> str:
    return line if len(line) <= width else line[: width - 3] + "..."


def _control(row: "FaultKindRow") -> tuple[str, str, str, str]:
    """The control that used most of its limit: its name, its time, its limit, and the share."""
    slowest = row.slowest
    if slowest is None:
        return "-", "-", "-", "-"
    return slowest.control, _ms(slowest.took_us), _ms(slowest.limit_us), f"{slowest.share:.0%}"


def _ms(us: int) -> str:
    return f"{us / 1_000:,.1f}" if us >= _TENTH_OF_MS else f"{us / 1_000:.2f}"


def _document(results: "Sequence[SessionResult]", seed: int, fault: str | None) -> dict[str, Any]:
    from stimlab.campaign.campaign import digest

    return {
        "seed": seed,
        "fault": fault,
        "sessions": len(results),
        "digest": digest(results),
        "violations": sum(len(result.violations) for result in results),
        "results": [result.record() for result in results],
    }


def _save(results: "Sequence[SessionResult]", folder: Path, seed: int) -> None:
    from stimlab.campaign.campaign import save

    for path in save(results, folder, seed):
        click.echo(f"saved {path}; play it again with: stimctl soak --again {path}")
