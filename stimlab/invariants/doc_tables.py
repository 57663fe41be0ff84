"""Keeps the tables of docs/campaigns.md equal to the rules: `python -m stimlab.invariants.doc_tables --write`."""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from stimctl.wire.tables import check_or_write
from stimlab.invariants.currents import Rule
from stimlab.invariants.table import EXCUSES, INSTEAD, RULES

DOCUMENT = Path(__file__).parents[2] / "docs" / "campaigns.md"


def rules_table() -> str:
    """What must hold of every session."""
    return _table(RULES)


def instead_table() -> str:
    """What must hold where a rule is excused."""
    return _table({name: rule for name, rule in INSTEAD.items() if name not in RULES})


def excuses_table() -> str:
    """Which fault excuses which rules, why, and what is checked instead."""
    rows: dict[tuple[str, str, str], list[str]] = {}
    for excuse in EXCUSES:
        rows.setdefault((excuse.fault, excuse.besides, excuse.why), []).append(f"{excuse.rule}: {excuse.instead}")
    lines = ["| a fault | because | rule: what is checked instead |", "|---|---|---|"]
    for (fault, besides, why), pairs in rows.items():
        together = f" with `{_kinds(besides)}`" if besides else ""
        lines.append(f"| `{_kinds(fault)}`{together} | {why} | {'; '.join(pairs)} |")
    return "\n".join(lines) + "\n"


def _kinds(beginning: str) -> str:
    return f"{beginning}*" if beginning.endswith((".", "_")) else f"{beginning}.*" if beginning == "load" else beginning


def _table(rules: Mapping[str, Rule]) -> str:
    rows = [f"| {name} | {' '.join((rule.__doc__ or '').split())} |" for name, rule in rules.items()]
    return "\n".join(["| rule | what must hold |", "|---|---|", *rows]) + "\n"


TABLES: Mapping[str, Callable[[], str]] = {"rules": rules_table, "instead": instead_table, "excuses": excuses_table}


def fresh(document: str) -> str:
    """`document` with its tables as the code has them."""
    for name, table in TABLES.items():
        head, mark, rest = document.partition(f"<!-- table: {name} -->\n")
        _, end, tail = rest.partition("<!-- end -->")
        document = head + mark + table() + end + tail
    return document


def main(arguments: list[str] | None = None) -> int:
    """Check or write the document. Returns the exit code."""
    about = "The tables of docs/campaigns.md."
    return check_or_write(
        "stimlab.invariants.doc_tables", about, DOCUMENT, lambda text, _source: fresh(text), arguments
    )


if __name__ == "__main__":
    sys.exit(main())
