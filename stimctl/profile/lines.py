"""Finds the line of each value in a TOML text, so that errors can name it.

`tomllib` gives values without their lines. This reads the same text once more, only for where things stand:
table headers, arrays of tables, keys (bare, quoted, dotted), arrays and inline tables. It is given only text
that `tomllib` has accepted, so that it need not judge it.
"""

import re
import tomllib
from bisect import bisect_left
from typing import NamedTuple

Path = tuple[str | int, ...]

_KEY = re.compile(r"""[A-Za-z0-9_-]+|"(?:\\.|[^"\\])*"|'[^']*'""")
_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_SPACE = re.compile(r"[ \t]*")
_STRING = re.compile(
    r'"""(?:\\.|[^\\])*?"{3,5}(?!")'
    r"|'''.*?'{3,5}(?!')"
    r'|"(?:\\.|[^"\\])*"'
    r"|'[^']*'",
    re.DOTALL,
)
_SCALAR = re.compile(r"[^,\]}#\n]*")
_ODD_NUMERAL = re.compile(r"[+-]?(?:0[xob][0-9a-fA-F_]+|(?=[^_:]*_)[0-9_.eE+-]+)")


def path_text(path: Path) -> str:
    """A path as errors show it: `channels[0].first.point`."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".")


class Read(NamedTuple):
    """Where things stand: the line, from 1, of each table, key and array element; and odd numerals as written."""

    lines: dict[Path, int]
    numerals: dict[Path, str]  # such as 2_5 and 0x19


def read_lines(text: str) -> Read:
    """Where things stand in a valid TOML text."""
    reader = _LineFinder(text)
    return Read(reader.read(), reader.numerals)


def lines_of(text: str) -> dict[Path, int]:
    """The lines alone."""
    return read_lines(text).lines


class _LineFinder:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._breaks = [match.start() for match in re.finditer("\n", text)]
        self._lines: dict[Path, int] = {}
        self.numerals: dict[Path, str] = {}
        self._tables_seen: dict[Path, int] = {}  # how many tables each array of tables has so far

    def read(self) -> dict[Path, int]:
        table: Path = ()
        while self._skip(_BLANK) < len(self._text):
            table = self._header() if self._text[self._at] == "[" else self._entry(table)
        return self._lines

    def _skip(self, what: re.Pattern[str]) -> int:
        match = what.match(self._text, self._at)
        self._at = match.end() if match else self._at
        return self._at

    def _mark(self, path: Path) -> None:
        self._lines.setdefault(path, bisect_left(self._breaks, self._at) + 1)

    def _header(self) -> Path:
        """`[a.b]` or `[[a.b]]`; gives the path of the table it opens."""
        brackets = 2 if self._text.startswith("[[", self._at) else 1
        self._at += brackets
        names = self._key()
        path: Path = ()
        for depth, name in enumerate(names, start=1):
            path = (*path, name)
            if brackets == 2 and depth == len(names):
                self._mark(path)
                self._tables_seen[path] = self._tables_seen.get(path, 0) + 1
            if path in self._tables_seen:
                path = (*path, self._tables_seen[path] - 1)
            self._mark(path)
        self._skip(_SPACE)
        self._at += brackets
        return path

    def _entry(self, table: Path) -> Path:
        """`key = value`; gives the table it stands in, unchanged."""
        start = self._at
        names = self._key()
        after = self._at
        self._at = start
        for depth in range(1, len(names) + 1):
            self._mark((*table, *names[:depth]))
        self._at = after + 1  # past the equals sign
        self._value((*table, *names))
        return table

    def _key(self) -> list[str]:
        """A key's parts; ends at what follows it, spaces skipped."""
        names = []
        while True:
            begin = self._skip(_SPACE)
            raw = self._text[begin : self._skip(_KEY)]
            names.append(next(iter(tomllib.loads(f"{raw}=0"))))
            if self._text[self._skip(_SPACE)] != ".":
                return names
            self._at += 1

    def _value(self, path: Path) -> None:
        opening = self._text[self._skip(_SPACE)]
        if opening == "[":
            self._array(path)
        elif opening == "{":
            self._inline_table(path)
        elif opening in "\"'":
            self._skip(_STRING)
        else:
            written = self._text[self._at : self._skip(_SCALAR)].strip()
            if _ODD_NUMERAL.fullmatch(written):
                self.numerals[path] = written

    def _array(self, path: Path) -> None:
        self._at += 1
        index = 0
        while self._text[self._skip(_BLANK)] != "]":
            self._mark((*path, index))
            self._value((*path, index))
            index += 1
            if self._text[self._skip(_BLANK)] == ",":
                self._at += 1
        self._at += 1

    def _inline_table(self, path: Path) -> None:
        self._at += 1
        while self._text[self._skip(_BLANK)] != "}":
            self._entry(path)
            if self._text[self._skip(_BLANK)] == ",":
                self._at += 1
        self._at += 1
