"""The named list of mutants that may live, each with its reason; and whether it is still true."""

import json
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.mutation.mutants import Name

LIST = Path(__file__).with_name("survivors.toml")
_KEYS = {"file", "function", "before", "after", "reason"}


class BadList(Exception):
    """The list itself is wrong; the text says where."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is wrong: survivors without a reason, and reasons without a survivor."""

    unlisted: tuple[Name, ...]
    gone: tuple[Name, ...]
    killed: tuple[Name, ...]

    @property
    def good(self) -> bool:
        """Whether nothing is wrong."""
        return not (self.unlisted or self.gone or self.killed)


def read(path: Path = LIST) -> dict[Name, str]:
    """The reasons by mutant. Raises `BadList` for an entry that is incomplete or stands twice."""
    found: dict[Name, str] = {}
    tables = tomllib.loads(path.read_text(encoding="utf-8")).get("survivor", [])
    for number, table in enumerate(tables, 1):
        if not _KEYS <= table.keys() <= _KEYS | {"nth"} or not str(table.get("reason", "")).strip():
            raise BadList(f"{path.name}, survivor {number}: give {', '.join(sorted(_KEYS))}, and nth where it repeats")
        name = Name(table["file"], table["function"], table["before"], table["after"], table.get("nth", 1))
        if name in found:
            raise BadList(f"{path.name}, survivor {number}: stands twice: {name}")
        found[name] = table["reason"]
    return found


def judge(listed: Mapping[Name, str], survived: Collection[Name], existing: Collection[Name]) -> Verdict:
    """Compare the list with what happened. `existing`: all mutants there are."""
    return Verdict(
        unlisted=tuple(name for name in survived if name not in listed),
        gone=tuple(name for name in listed if name not in existing),
        killed=tuple(name for name in listed if name in existing and name not in survived),
    )


def entry(name: Name) -> str:
    """A survivor as it would stand in the list, its reason still to be written."""
    lines = ["[[survivor]]", *(f"{key} = {json.dumps(getattr(name, key))}" for key in ("file", "function"))]
    lines += [f"{key} = {json.dumps(getattr(name, key), ensure_ascii=False)}" for key in ("before", "after")]
    if name.nth > 1:
        lines.append(f"nth = {name.nth}")
    return "\n".join([*lines, 'reason = ""'])
