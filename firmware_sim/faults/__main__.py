"""Keeps the table of docs/faults.md equal to the catalogue.

python -m firmware_sim.faults --check     fail when the document is stale
python -m firmware_sim.faults --write     bring it up to date
"""

import re
import sys
from pathlib import Path

from firmware_sim.faults.catalogue import CATALOGUE, ECHO_MESSAGES
from firmware_sim.faults.model import FaultKind, Option, WordOption
from stimctl.errors import InputInvalid, Problem
from stimctl.wire.tables import check_or_write

DOCUMENT = Path(__file__).parents[2] / "docs" / "faults.md"
_PLACE = re.compile(r"(<!-- table: faults -->\n).*?(<!-- end -->)", re.DOTALL)
_FEW = 8  # choices that are listed; of more it is said where they are
_WHERE = {ECHO_MESSAGES: "a message of the device, see protocol.md"}


def table() -> str:
    """The catalogue as a table of Markdown."""
    rows = ["| kind | what goes wrong | channel | lasts | options: default, what is allowed |", "|---|---|---|---|---|"]
    return "\n".join([*rows, *(_row(kind) for kind in CATALOGUE.values())]) + "\n"


def _row(kind: FaultKind) -> str:
    options = "; ".join(_option(name, option) for name, option in kind.options.items())
    marks = ["yes" if has else "" for has in (kind.channels, kind.lasts)]
    return f"| `{kind.name}` | {kind.text} | {marks[0]} | {marks[1]} | {options} |"


def _option(name: str, option: Option) -> str:
    if isinstance(option, WordOption):
        few = len(option.choices) <= _FEW
        allowed = ", ".join(f"`{choice}`" for choice in option.choices) if few else _WHERE.get(option.choices, "a name")
        return f"`{name}` = `{option.default}`: {allowed} ({option.text})"
    return f"`{name}` = {option.default}: {option.low} to {option.high} ({option.text})"


def fresh(document: str, source: str) -> str:
    """`document` with the table as the code has it. Raises `InputInvalid` when it has no place for it."""
    if not _PLACE.search(document):
        raise InputInvalid(source, [Problem("<!-- table: faults -->", None, "this table has no place in the document")])
    return _PLACE.sub(lambda place: f"{place[1]}{table()}{place[2]}", document)


def main(arguments: list[str] | None = None) -> int:
    """Check or write the document. Returns the exit code."""
    return check_or_write("firmware_sim.faults", "The table of docs/faults.md.", DOCUMENT, fresh, arguments)


if __name__ == "__main__":
    sys.exit(main())
