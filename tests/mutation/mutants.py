"""A mutant: one change to one file, and the name that it keeps while lines above it move.

Its name is file, function, and the text of the changed line before and after, without comments. Where a function holds
the same line twice, `nth` tells them apart.
"""

import difflib
import io
import tokenize
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from tests.mutation.operators import Change, changes

MODULE = "(module)"


class UnknownFunction(Exception):
    """A target names a function that has no mutants."""


class Name(NamedTuple):
    """What a mutant is called in the list of survivors."""

    file: str
    function: str
    before: str
    after: str
    nth: int = 1

    def __str__(self) -> str:
        again = f" (occurrence {self.nth})" if self.nth > 1 else ""
        return f"{self.file} {self.function}: {self.before} -> {self.after}{again}"


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change, and where it acts: in a function's body, or when its module is imported."""

    name: Name
    change: Change

    @property
    def in_function(self) -> bool:
        """Whether a function's code can be exchanged for it; else the module has to be imported with it."""
        return bool(self.change.function)

    def source(self, original: str) -> str:
        """The whole text with the change made."""
        data = original.encode()
        return (data[: self.change.start] + self.change.text.encode() + data[self.change.end :]).decode()

    def diff(self, original: str) -> str:
        """For people."""
        lines = difflib.unified_diff(
            original.splitlines(), self.source(original).splitlines(), self.name.file, "mutant", lineterm="", n=2
        )
        return "\n".join(lines)


def mutants_of(root: Path, file: str, functions: Iterable[str] = ()) -> list[Mutant]:
    """Every mutant of `file` under `root`; of these functions only, when any are named.

    Raises `UnknownFunction` when a function that is named has none: it was renamed, and would silently be left out.
    """
    source = (root / file).read_text(encoding="utf-8")
    comments = _comments(source)
    wanted = set(functions)
    seen: Counter[tuple[str, str, str]] = Counter()
    found = []
    for change in changes(source):
        if wanted and change.function not in wanted:
            continue
        before, after = _lines(source, change, comments)
        function = change.function or MODULE
        seen[function, before, after] += 1
        found.append(Mutant(Name(file, function, before, after, seen[function, before, after]), change))
    missing = wanted - {mutant.change.function for mutant in found}
    if missing:
        raise UnknownFunction(f"{file} has no function {', '.join(sorted(missing))}: correct tests/mutation/targets.py")
    return found


def _comments(source: str) -> dict[int, int]:
    """Where in which line a comment begins, in characters."""
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return {token.start[0]: token.start[1] for token in tokens if token.type == tokenize.COMMENT}


def _lines(source: str, change: Change, comments: dict[int, int]) -> tuple[str, str]:
    """The changed lines before and after, on one line and without comments."""
    data = source.encode()
    begin = data.rfind(b"\n", 0, change.start) + 1
    finish = data.find(b"\n", change.end)
    line = data.count(b"\n", 0, begin) + 1
    finish = len(data) if finish < 0 else finish
    cut = comments.get(line + data.count(b"\n", begin, finish))
    tail = data[change.end : finish].decode()
    if cut is not None:
        tail = tail[: len(tail) - (len(data[data.rfind(b"\n", 0, finish) + 1 : finish].decode()) - cut)]
    head = data[begin : change.start].decode()
    return _flat(head + data[change.start : change.end].decode() + tail), _flat(head + change.text + tail)


def _flat(text: str) -> str:
    return " ".join(text.split())
