"""Prints lists as plain tables or as JSON, for all commands alike."""

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any

import click

from stimctl.label import columns, isolated, printable

# The one rule of every command that has it: one document on standard output, and words on standard error.
json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON document on standard output; words go to standard error."
)

_FLAT = (",\n    ", ": ")


def table(headers: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Columns as wide as their widest cell, two spaces apart; the last one is not padded."""
    cells = [list(headers), *([printable(cell) for cell in row] for row in rows)]
    widths = [max(columns(row[index]) for row in cells) for index in range(len(headers))]
    lines = ["  ".join(map(_cell, row, widths)).rstrip() for row in cells]
    return "\n".join(lines)


def _cell(text: str, width: int) -> str:
    return isolated(text) + " " * (width - columns(text))


def pairs(rows: Iterable[tuple[str, object]]) -> str:
    """Names and values below each other."""
    listed = [(name, str(value)) for name, value in rows]
    width = max((len(name) for name, _ in listed), default=0)
    return "\n".join(f"{name.ljust(width)}  {isolated(value)}" for name, value in listed)


def echo_json(document: Any) -> None:
    """Print a document for a program, in ASCII, so that it is the same on every stream."""
    click.echo(json.dumps(document, indent=2))


def echo_json_rows(rows: Iterable[dict[str, Any]]) -> None:
    """Print a list of flat documents as `echo_json` would, each as it comes: memory does not grow with their number."""
    before = "["
    # Without an indent it is the encoder in C that writes; these separators make the same text.
    encode = json.JSONEncoder(separators=_FLAT).encode
    for row in rows:
        sys.stdout.write(f"{before}\n  {{\n    {encode(row)[1:-1]}\n  }}")
        before = ","
    click.echo("[]" if before == "[" else "\n]")
