"""The simulator's certificate, and the proof that it is worth something: docs/certificate.md.

The whole suite with the full range runs on the genuine simulator. Then each cell of the matrix is removed from a device
in turn, and the full product has to notice every one.

python -m tests.stimlab.conformance.certificate --write [--jobs 2] [--html FILE]
"""

import argparse
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from stimlab.conformance.check import all_checks
from stimlab.conformance.matrix import CELLS, OperatingPoint, SafetyAction
from stimlab.conformance.operating_point import check_of
from stimlab.conformance.page import as_html
from stimlab.conformance.plan import MatrixPlan
from stimlab.conformance.requirements import TO_MEASURE
from stimlab.conformance.result import SuiteResult
from stimlab.conformance.runner import SuiteRunner
from tests.stimlab.conformance.bench_world import URL, bench_on, failures, first_failed
from tests.stimlab.conformance.removed import without

DOCUMENT = Path(__file__).parents[3] / "docs" / "certificate.md"


def whole_run() -> SuiteResult:
    """Everything that the suite has, on the genuine simulator."""
    return SuiteRunner(bench_on()).run(all_checks(), MatrixPlan(wanted=True))


def noticed_by(cell: OperatingPoint) -> tuple[str, str]:
    """The check, and the requirement that it names, by which the full product notices a device without `cell`."""
    others = (check_of(each) for each in CELLS if each is not cell)
    outcome = first_failed([check_of(cell)], without(cell)) or first_failed(others, without(cell))
    if outcome is None:
        return "", ""
    return outcome.check.name, outcome.found[0].requirement if outcome.found else "error"


def document(run: SuiteResult, noticed: dict[OperatingPoint, tuple[str, str]]) -> str:
    """The page, as Markdown."""
    caught = sum(bool(name) for name, _ in noticed.values())
    return "\n".join(
        (
            "# Certificate of the simulator",
            "",
            "Made by `make certificate`, in virtual time; nothing here is typed by hand. It is evidence about the",
            f"simulated stimulator at `{URL}` and about the suite, and says nothing about any hardware.",
            "What the suite does is in [conformance.md](conformance.md).",
            "",
            f"**{run.verdict}**",
            "",
            f"Passed {run.count('passed')}, failed {run.count('failed')}, broke off {run.count('error')}, "
            f"not examined {run.not_examined}. Operating points: {len(CELLS)}.",
            "",
            "## The matrix, and devices that lack one cell of it",
            "",
            "A cell is an action in a segment, at an amplitude, on a channel, at a moment of the session. Each was",
            f"removed from a device in turn: **{caught} of {len(noticed)} were noticed**.",
            "",
            "| action | cells passed | removed | noticed | by own check | requirements named |",
            "|---|---|---|---|---|---|",
            *_rows(run, noticed),
            "",
            *(f"- not noticed: `{cell.name}`" for cell, (name, _) in noticed.items() if not name),
            *(f"- {line}" for line in failures(run)),
            "## Left to a scope",
            "",
            "What a device misreads itself, its line cannot show. Each point is open until it is measured over 1 kohm:",
            "`stimctl conformance --scope POINT=FILE` takes a capture of it.",
            "",
            "| point | what | where | has to be | measured |",
            "|---|---|---|---|---|",
            *(f"| `{each.name}` | {each.what} | {each.point} | {each.expected} | open |" for each in TO_MEASURE),
            "",
        )
    )


def _rows(run: SuiteResult, noticed: dict[OperatingPoint, tuple[str, str]]) -> Iterator[str]:
    for action in SafetyAction:
        outcomes = [each for each in run.outcomes if each.check.cell is not None and each.check.cell.action is action]
        passed = sum(each.verdict == "passed" for each in outcomes)
        mine = {cell: by for cell, by in noticed.items() if cell.action is action}
        own = sum(name == cell.name for cell, (name, _) in mine.items())
        named = Counter(requirement for _, requirement in mine.values() if requirement)
        said = ", ".join(f"{requirement} ({count})" for requirement, count in named.most_common())
        found = sum(bool(name) for name, _ in mine.values())
        yield f"| {action.value} | {passed} of {len(outcomes)} | {len(mine)} | {found} | {own} | {said} |"


def main(arguments: list[str] | None = None) -> int:
    """Run all of it. Returns 1 when the simulator fails or a removed cell is not noticed."""
    parser = argparse.ArgumentParser(description="The simulator's certificate.")
    parser.add_argument("--write", action="store_true", help="write docs/certificate.md")
    parser.add_argument("--jobs", type=int, default=2, help="processes for the devices that lack a cell")
    parser.add_argument("--html", type=Path, help="write the run's page here")
    options = parser.parse_args(arguments)
    run = whole_run()
    if options.html is not None:
        options.html.parent.mkdir(parents=True, exist_ok=True)
        options.html.write_text(as_html(run), "utf-8")
    with ProcessPoolExecutor(options.jobs) as pool:
        noticed = dict(zip(CELLS, pool.map(noticed_by, CELLS, chunksize=20), strict=True))
    page = document(run, noticed)
    if options.write:
        DOCUMENT.write_text(page, "utf-8")
    sys.stdout.write(page)
    return 0 if run.conforms and not run.not_examined and all(name for name, _ in noticed.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
