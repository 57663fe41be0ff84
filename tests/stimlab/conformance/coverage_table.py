"""The table of docs/conformance.md: each requirement, the checks that look at it, the broken devices they catch.

python -m tests.stimlab.conformance.coverage_table --check     fail when the document is stale
python -m tests.stimlab.conformance.coverage_table --write     bring it up to date
"""

import re
import sys
from pathlib import Path

from stimlab.conformance.check import all_checks
from stimlab.conformance.requirements import NOT_ON_THE_WIRE, texts
from tests.stimlab.conformance.mutants import early, late  # noqa: F401  they list their devices
from tests.stimlab.conformance.mutants.mutant import MUTANTS

DOCUMENT = Path(__file__).parents[3] / "docs" / "conformance.md"
_PLACE = re.compile(r"(?<=<!-- table: coverage -->\n).*?(?=<!-- end -->)", re.DOTALL)


def table() -> str:
    """The rows, as Markdown."""
    rows = ["| requirement | checks | devices that break it on purpose, and are caught |", "|---|---|---|"]
    for number in texts():
        checks = ", ".join(f"`{each.name}`" for each in all_checks() if number in each.requirements)
        broken = "; ".join(mutant.text.replace("|", "/") for mutant in MUTANTS if mutant.requirement == number)
        if number in NOT_ON_THE_WIRE:
            checks, broken = "none", NOT_ON_THE_WIRE[number]
        rows.append(f"| {number} | {checks} | {broken} |")
    return "\n".join(rows) + "\n"


def fresh(document: str) -> str:
    """The document's text with the table as it is now."""
    return _PLACE.sub(lambda _: table(), document)


def main(arguments: list[str]) -> int:
    """Check or write. Returns the exit code."""
    text = DOCUMENT.read_text("utf-8")
    if arguments == ["--write"]:
        DOCUMENT.write_text(fresh(text), "utf-8")
    elif fresh(text) != text:
        sys.stderr.write(f"{DOCUMENT} is stale: run `python -m tests.stimlab.conformance.coverage_table --write`\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
