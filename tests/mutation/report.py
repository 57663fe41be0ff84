"""What a person reads: a table by file, and what is wrong, in words and ready to be corrected."""

from collections import Counter
from collections.abc import Iterable

from rich.console import Console
from rich.table import Table

from tests.mutation.campaign import Campaign
from tests.mutation.fork import Fate
from tests.mutation.mutants import Name
from tests.mutation.survivors import Verdict, entry
from tests.mutation.work import Job

_COLUMNS = ("mutants", "killed", "timed out", "survived", "listed", "seconds")


def table(campaign: Campaign, listed: Iterable[Name]) -> Table:
    """One row a file: seconds are those of its mutants, over all processes."""
    shown = Table("control", "file")
    for column in _COLUMNS:
        shown.add_column(column, justify="right")
    names = set(listed)
    counts: dict[tuple[str, str], Counter[str]] = {}
    seconds: Counter[tuple[str, str]] = Counter()
    for index, outcome in campaign.outcomes.items():
        job = campaign.jobs[index]
        row = job.target.control, job.target.file
        tally = counts.setdefault(row, Counter())
        tally.update((outcome.fate, "mutants", *(["listed"] if job.mutant.name in names else [])))
        seconds[row] += outcome.seconds  # type: ignore[assignment]
    for target in campaign.targets:
        row = target.control, target.file
        tally = counts.get(row, Counter())
        shown.add_row(*row, *(str(tally[column]) for column in _COLUMNS[:-1]), f"{seconds[row]:.1f}")
    total = sum(counts.values(), Counter())
    shown.add_section()
    figures = (str(total[column]) for column in _COLUMNS[:-1])
    shown.add_row("", "all", *figures, f"{sum(seconds.values()):.1f}")
    return shown


def tell(console: Console, campaign: Campaign, verdict: Verdict, *, show: bool) -> None:
    """What is wrong, and how to put it right. `show`: also the text of every survivor, listed or not."""
    jobs = {job.mutant.name: (job, campaign.outcomes[index]) for index, job in enumerate(campaign.jobs)}
    if show:
        for job, outcome in jobs.values():
            if outcome.fate is Fate.SURVIVED:
                _plain(console, _diff(campaign, job))
    if verdict.unlisted:
        _plain(console, "\nSurvived, and not on the list. Write the test that notices, or list it with its reason:\n")
    for name in verdict.unlisted:
        said = jobs[name][1].said
        _plain(console, f"# {said}\n{entry(name)}\n" if said else f"{entry(name)}\n")
    for names, why in ((verdict.killed, "is killed now"), (verdict.gone, "does not exist any more")):
        for name in names:
            _plain(console, f"Stale entry in survivors.toml, this mutant {why}: {name}")


def _plain(console: Console, text: str) -> None:
    """Text as it is: to be read, or pasted."""
    console.print(text, markup=False, highlight=False, soft_wrap=True)


def _diff(campaign: Campaign, job: Job) -> str:
    original = (campaign.root / job.target.file).read_text(encoding="utf-8")
    return f"{job.mutant.diff(original)}\n"
