"""Prints lists as plain tables or as JSON, for all commands alike."""

import json
import re
import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, zip_longest
from typing import Any

import click

from stimctl.label import columns, isolated, printable

# The one rule of every command that has it: one document on standard output, and words on standard error.
json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON document on standard output; words go to standard error."
)

_FLAT = (",\n    ", ": ")
_NARROWEST = 8  # columns of a terminal [choice]


def table(headers: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Columns as wide as their widest cell, two spaces apart; the last one is not padded.

    On a terminal it is no wider than that: the widest columns give way, and their cells go on below.
    """
    cells = [list(headers), *([printable(cell) for cell in row] for row in rows)]
    widths = [max(columns(row[index]) for row in cells) for index in range(len(headers))]
    room = terminal_columns()
    if room is not None:
        _give_way(widths, room - 2 * (len(widths) - 1))
    return "\n".join(line for row in cells for line in _lines(row, widths))


def terminal_columns() -> int | None:
    """How wide standard output's terminal is; None where it is none: who reads a pipe wants whole lines."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def folded(text: str, width: int, indent: str = "") -> list[str]:
    """The text in lines of at most `width` columns, broken at blanks if there are any; all but the first indented."""
    lines, line = [], ""
    for word in re.split(r"(?<= )(?=[^ ])", text):
        rest = word
        if line.strip() and columns(line + rest.rstrip()) > width:
            lines.append(line.rstrip())
            line = indent
        while columns(line + rest.rstrip()) > width:
            kept = max(1, sum(taken <= width for taken in accumulate(map(columns, rest), initial=columns(line))) - 1)
            lines.append(line + rest[:kept])
            line, rest = indent, rest[kept:]
        line += rest
    return [*lines, line.rstrip()]


def _give_way(widths: list[int], room: int) -> None:
    """Make the widest columns narrower until all fit, none below what can be read."""
    while sum(widths) > room and max(widths) > _NARROWEST:
        widths[widths.index(max(widths))] -= 1


def _lines(row: Sequence[str], widths: Sequence[int]) -> Iterator[str]:
    for parts in zip_longest(*map(folded, row, widths), fillvalue=""):
        yield "  ".join(map(_cell, parts, widths)).rstrip()


def _cell(text: str, width: int) -> str:
    return isolated(text) + " " * (width - columns(text))


def pairs(rows: Iterable[tuple[str, object]]) -> str:
    """Names and values below each other."""
    listed = [(name, str(value)) for name, value in rows]
    width = max((len(name) for name, _ in listed), default=0)
    return "\n".join(f"{name.ljust(width)}  {isolated(value)}" for name, value in listed)


def echo_json(document: Any) -> None:
    """Print a document for a program."""
    click.echo(json_text(document))


def echo_file(text: str) -> None:
    """Print what could as well stand in a file: in UTF-8 as there, unless it is a terminal that shows it."""
    click.echo(text if sys.stdout.isatty() else text.encode(), nl=False)


def json_text(document: Any) -> str:
    """In ASCII, so that it is the same on every stream."""
    return json.dumps(document, indent=2)


def echo_json_rows(rows: Iterable[dict[str, Any]]) -> None:
    """Print a list of flat documents as `echo_json` would, each as it comes: memory does not grow with their number."""
    before = "["
    # Without an indent it is the encoder in C that writes; these separators make the same text.
    encode = json.JSONEncoder(separators=_FLAT).encode
    for row in rows:
        sys.stdout.write(f"{before}\n  {{\n    {encode(row)[1:-1]}\n  }}")
        before = ","
    click.echo("[]" if before == "[" else "\n]")
