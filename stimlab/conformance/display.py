"""The screen of `stimctl conformance`: a bar while it runs on a terminal, lines elsewhere, and a table at the end."""

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Self

import click
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from stimctl.cli.console import CommandConsole
from stimctl.cli.table import table
from stimctl.label import printable as plain
from stimctl.wire.codes import simulator_or_hardware
from stimlab.conformance.requirements import section_of

if TYPE_CHECKING:
    from stimlab.conformance.check import Check
    from stimlab.conformance.fixture import Reply
    from stimlab.conformance.result import CheckResult, SuiteResult

SHOWN = 30  # failed checks in full on the screen
_KEYS = "s skips it, r says it again"
_REPLIES: "dict[str, Reply]" = {"": "done", "s": "skip", "r": "again"}
_STYLES = {"passed": "green", "failed": "bold red", "error": "bold red", "skipped": "yellow"}


class ConformanceDisplay:
    """Shows the progress of the suite. Use it in a `with`."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or CommandConsole(stderr=True)
        columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("{task.description}"))
        self._progress = Progress(*columns, console=self._console, transient=True)
        self._task = self._progress.add_task("", total=None)  # known only once it is known who is there
        self._drawn = self._console.is_terminal

    def __enter__(self) -> Self:
        if self._drawn:
            self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def progress(self, check: "Check", outcome: "CheckResult | None") -> None:
        """A check begins (None), or is done."""
        if outcome is None:
            self._progress.update(self._task, description=escape(check.title))
            return
        self._progress.advance(self._task)
        if outcome.verdict in {"failed", "error"} or not self._drawn:
            style = _STYLES[outcome.verdict]
            said = f"[{style}]{outcome.verdict:<7}[/] {escape(plain(check.name))}"
            self._console.print(said, soft_wrap=True, highlight=False)

    def ask(self, text: str) -> "Reply":
        """Have somebody do something, and wait until it is done, skipped, or to be said again."""
        self._progress.stop()
        said = click.prompt(f"{text}. Then press Enter ({_KEYS})", default="", show_default=False, prompt_suffix=" ")
        if self._drawn:
            self._progress.start()
        answer: Reply = _REPLIES.get(said.strip().lower()[:1], "again")
        return answer


def summary(run: "SuiteResult") -> str:
    """What came out: the verdict, by topic, what was found, what was not examined and why, and what a scope is for."""
    parts = [plain(run.verdict), _head(run)]
    if run.broken_off:
        parts.append(f"BROKEN OFF: {plain(run.broken_off)}")
    if run.outcomes:
        parts.append(table(("TOPIC", "PASSED", "FAILED", "NOT EXAMINED"), _by_topic(run)))
    for lines in (list(_wrong(run)), list(_left_out(run))):
        if lines:
            parts.append("\n".join(lines))
    points = [point for point in run.scope.values() if point.verdict != "passed"]
    parts += ["\n".join(f"scope, {point.name}: {point.verdict}: {point.text}" for point in points)] if points else []
    what = "points are left to a scope: what a device misreads, its line cannot show (--html lists them)"
    parts.append(f"{run.scope_open} {what}")
    return "\n\n".join(parts)


def _left_out(run: "SuiteResult") -> "Iterator[str]":
    reasons = Counter(outcome.reason for outcome in run.outcomes if outcome.verdict == "skipped")
    for reason, count in reasons.most_common():
        yield f"  {count} not examined: {plain(reason)}"


def _head(run: "SuiteResult") -> str:
    who = run.identity
    if who is None:
        return f"{run.url}: it did not say what it is"
    sha256 = who.firmware.sha256.hex()
    kind = simulator_or_hardware(bool(who.welcome.simulator))
    return f"{kind}: {who.model} {who.serial}, firmware {who.version} (SHA-256 {sha256[:16]}...)"


def _by_topic(run: "SuiteResult") -> Iterator[tuple[object, ...]]:
    for topic in dict.fromkeys(outcome.check.topic for outcome in run.outcomes):
        verdicts = [outcome.verdict for outcome in run.outcomes if outcome.check.topic == topic]
        failed = verdicts.count("failed") + verdicts.count("error")
        yield topic, verdicts.count("passed"), failed, verdicts.count("skipped")


def _wrong(run: "SuiteResult") -> Iterator[str]:
    wrong = [outcome for outcome in run.outcomes if outcome.verdict in {"failed", "error"}]
    for outcome in wrong[:SHOWN]:
        for found in outcome.found:
            yield f"  {found.requirement} ({outcome.check.name}): {plain(found.text)}"
            if found.expected or found.seen:
                yield f"      expected {plain(found.expected)}; seen {plain(found.seen)}"
            yield f"      docs/protocol.md, section {section_of(found.requirement)}"
        if outcome.verdict == "error":
            yield f"  {outcome.check.name} broke off: {plain(outcome.reason.splitlines()[-1])}"
    if len(wrong) > SHOWN:
        yield f"  and {len(wrong) - SHOWN} more; --html and --json hold them all"
