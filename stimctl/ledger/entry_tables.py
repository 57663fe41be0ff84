"""Makes the tables of docs/ledger.md from the classes of the entries, so that neither can drift.

    python -m stimctl.ledger.entry_tables --check     fail when the document is stale
    python -m stimctl.ledger.entry_tables --write     bring it up to date

They stand between `<!-- entries -->` and `<!-- end -->`; everything else is written by people and left alone.
"""

import argparse
import sys
from collections.abc import Iterator
from dataclasses import MISSING, fields
from inspect import cleandoc
from pathlib import Path
from typing import get_args, get_type_hints

from stimctl.entries import KINDS, LogEntry

DOCUMENT = Path(__file__).parents[2] / "docs" / "ledger.md"
_BEGIN, _END = "<!-- entries -->\n", "<!-- end -->"


def tables() -> str:
    """Each kind of entry: what it is, and its fields."""
    return "\n".join(_kind(entry) for kind, entry in KINDS.items() if kind)


def _kind(entry: type[LogEntry]) -> str:
    about = " ".join(cleandoc(entry.__doc__ or "").split())
    rows = "\n".join(_rows(entry))
    return f"### `{entry.kind}`\n\n{about}\n\n| field | type | always there | what it is |\n|---|---|---|---|\n{rows}\n"


def _rows(entry: type[LogEntry]) -> Iterator[str]:
    hints = get_type_hints(entry, include_extras=True)
    for field in fields(entry):
        kind, meaning = get_args(hints[field.name])
        always = "yes" if field.default is MISSING else ""
        yield f"| `{field.name}` | {_type(kind)} | {always} | {meaning} |"


def _type(kind: object) -> str:
    name = kind.__name__ if isinstance(kind, type) and not get_args(kind) else str(kind)
    name = name.replace("stimctl.entries.", "").replace("typing.", "").replace(" | None", "")
    return f"`{name}`"


def document(text: str) -> str:
    """The document with its tables made anew."""
    before, begin, rest = text.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not begin or not end:
        raise SystemExit(f"{DOCUMENT}: no place for the tables between {_BEGIN.strip()} and {_END}")
    return f"{before}{_BEGIN}\n{tables()}\n{_END}{after}"


def main() -> int:
    """Check or write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--check", action="store_true", help="fail when the document is stale")
    what.add_argument("--write", action="store_true", help="bring it up to date")
    text = DOCUMENT.read_text(encoding="utf-8")
    made = document(text)
    if parser.parse_args().write:
        DOCUMENT.write_text(made, encoding="utf-8")
    elif made != text:
        sys.stderr.write(f"{DOCUMENT} is stale: python -m stimctl.ledger.entry_tables --write\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
