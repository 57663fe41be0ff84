"""`python -m tests.mutation`: change the code that keeps people safe, and see a test fail for every change."""

import os
import shutil
import sys
import tempfile
from pathlib import Path

import click
from rich.console import Console
from rich.progress import Progress, TaskID

from tests.mutation import report, survivors
from tests.mutation.campaign import Campaign, OutOfTime, RedBaseline, RunnerBroken
from tests.mutation.fork import Fate
from tests.mutation.mutants import UnknownFunction
from tests.mutation.suite import start
from tests.mutation.targets import TARGETS, Target

ROOT = Path(__file__).resolve().parents[2]
BOUND_S = 300.0
# The same each time: hash order, hypothesis' examples. Plugins that happen to be installed stay away.
SURROUNDINGS = {
    "PYTHONHASHSEED": "0",
    "CI": "1",
    "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
    "OPENBLAS_NUM_THREADS": "1",
}


@click.command()
@click.option("--only", multiple=True, metavar="PATH", help="Only this file; may be given more than once.")
@click.option("--jobs", default=2, show_default=True, type=click.IntRange(1), help="Processes at a time.")
@click.option("--bound", default=BOUND_S, show_default=True, type=click.FloatRange(1), help="Seconds it may take.")
@click.option("--show", is_flag=True, help="Print every survivor as a difference.")
def main(only: tuple[str, ...], jobs: int, bound: float, show: bool) -> None:
    """Mutation tests. Exits with 1 for a survivor or a stale list, with 2 when nothing can be said."""
    _settle()
    targets = _chosen(only)
    console = Console(width=None if sys.stdout.isatty() else 120)
    scratch = tempfile.mkdtemp(prefix="mutation-")
    tempfile.tempdir = scratch
    try:
        good = _run(console, targets, jobs, bound, show)
    except RedBaseline as red:
        console.print(f"The tests fail without any mutant. Mend that first:\n{red}", markup=False, highlight=False)
        sys.exit(2)
    except (OutOfTime, RunnerBroken, UnknownFunction, survivors.BadList) as failed:
        console.print(f"Mutation tests failed: {failed}", markup=False, highlight=False)
        sys.exit(2)
    finally:
        tempfile.tempdir = None
        shutil.rmtree(scratch, ignore_errors=True)
    sys.exit(0 if good else 1)


def _settle() -> None:
    """Start again with these in the environment: some are read when Python starts."""
    os.chdir(ROOT)
    if any(os.environ.get(name) != value for name, value in SURROUNDINGS.items()):
        os.execve(sys.executable, [sys.executable, "-m", "tests.mutation", *sys.argv[1:]], os.environ | SURROUNDINGS)


def _chosen(only: tuple[str, ...]) -> list[Target]:
    known = {target.file for target in TARGETS}
    for path in only:
        if path not in known:
            raise click.BadParameter(f"{path} is not mutated; there are {', '.join(sorted(known))}")
    return [target for target in TARGETS if not only or target.file in only]


def _run(console: Console, targets: list[Target], jobs: int, bound: float, show: bool) -> bool:
    files = {target.file for target in targets}
    listed = {name: reason for name, reason in survivors.read().items() if name.file in files}
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        tasks: dict[str, TaskID] = {}

        def told(what: str, done: int, of: int) -> None:
            if what not in tasks:
                tasks[what] = progress.add_task(what)
            progress.update(tasks[what], completed=done, total=of)

        campaign = Campaign(ROOT, targets, jobs, bound, told)
        start(campaign.run)
    survived = [
        campaign.jobs[index].mutant.name
        for index, outcome in sorted(campaign.outcomes.items())
        if outcome.fate is Fate.SURVIVED
    ]
    verdict = survivors.judge(listed, survived, {job.mutant.name for job in campaign.jobs})
    console.print(report.table(campaign, listed))
    report.tell(console, campaign, verdict, show=show)
    times = f"unmutated {campaign.baseline_s:.0f} s, all {campaign.spent_s:.0f} of {bound:g} s"
    console.print(f"{len(campaign.jobs)} mutants, {len(survived)} survived, {len(listed)} listed; {times}")
    return verdict.good


if __name__ == "__main__":
    main()
