"""Prints lists as plain tables or as JSON, for all commands alike."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

import click

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")


def table(headers: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Columns as wide as their widest cell, two spaces apart; the last one is not padded."""
    cells = [list(headers), *([str(cell) for cell in row] for row in rows)]
    widths = [max(len(row[index]) for row in cells) for index in range(len(headers))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]
    return "\n".join(lines)


def pairs(rows: Iterable[tuple[str, object]]) -> str:
    """Names and values below each other."""
    listed = [(name, str(value)) for name, value in rows]
    width = max((len(name) for name, _ in listed), default=0)
    return "\n".join(f"{name.ljust(width)}  {value}" for name, value in listed)


def echo_json(document: Any, *, ascii_only: bool = False) -> None:
    """Print a document for a program; `ascii_only` writes other characters as escapes."""
    click.echo(json.dumps(document, indent=2, ensure_ascii=ascii_only))
