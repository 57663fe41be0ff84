"""Follow a long chain quickly: many entries at once, and each stretch of it by a process of its own.

Each entry holds the hash of the one before, so a stretch can be followed from any entry on. SQLite writes the text that
was hashed. Entries among which anything is out of the ordinary are followed again one by one.
"""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Any

from stimctl.ledger.chain import ChainWalker
from stimctl.ledger.schema import connect_read_only

COLUMNS = "number, session_id, kind, at_us, utc, body, previous, hash"
_AT_ONCE = 500  # entries that are followed together [choice]
_WHERE = f"FROM entries WHERE number > ? AND number <= ? ORDER BY number LIMIT {_AT_ONCE}"
_ONE_BY_ONE = f"SELECT {COLUMNS} {_WHERE}"
# What JSON would escape comes out escaped, and differs from what was hashed where that was otherwise.
_HASHED = f"SELECT number, previous, json_array(number, session_id, kind, at_us, utc), body, hash {_WHERE}"
LEAST = 100_000  # entries below which starting a process takes longer than it saves [choice]


def follow(walker: ChainWalker, connection: sqlite3.Connection, path: Path, expected_head: bytes | None) -> bool:
    """Have `walker` follow the whole chain of the ledger at `path`. Returns whether all of it holds."""
    (last,) = connection.execute("SELECT COALESCE(MAX(number), 0) FROM entries").fetchone()
    ends = _ends(last)
    bodies = walker.one_text is not None
    others = [_start(path, first, end, expected_head, bodies=bodies) for first, end in pairwise(ends) if first]
    try:
        for first, end in pairwise(ends):
            if first and _leapt(walker, others.pop(0), first, end):
                continue
            if not _follow_to(end, walker, connection, expected_head):
                return False
        return True
    finally:
        for other in others:
            other.kill()
            other.communicate()


def _follow_to(end: int, walker: ChainWalker, connection: sqlite3.Connection, wanted: bytes | None) -> bool:
    """Have `walker` go on to entry `end`. Returns whether all holds."""
    while True:
        before = walker.count
        if not _at_once(end, walker, connection, wanted) and not walker.follow(
            raw_rows(connection, _ONE_BY_ONE, walker.number, end)
        ):
            return False
        if walker.count == before:
            return True


def _at_once(end: int, walker: ChainWalker, connection: sqlite3.Connection, wanted: bytes | None) -> bool:
    """Take the next entries, if each of them is simply the next, as nearly all are."""
    try:
        rows = raw_rows(connection, _HASHED, walker.number, end)
        numbers, previous, heads, bodies, hashes = zip(*rows, strict=True)
        texts = [
            b"%b%b,%b]" % (before, head[:-1], body) for before, head, body in zip(previous, heads, bodies, strict=True)
        ]
    except (sqlite3.OperationalError, TypeError, ValueError):
        return False  # what is the matter, if anything is, is found one by one
    after = walker.number + 1
    if numbers != tuple(range(after, after + len(numbers))) or previous != (walker.head, *hashes[:-1]):
        return False
    if b'"sealed"' in b"".join(heads) or tuple([sha256(text).digest() for text in texts]) != hashes:
        return False
    if walker.one_text is not None and not all(map(walker.one_text, bodies)):
        return False
    walker.leap(numbers[-1], hashes[-1], seen=wanted in hashes)
    return True


def _ends(last: int) -> list[int]:
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if last < LEAST or getattr(sys, "frozen", False):
        return [0, last]
    return [last * index // processors for index in range(processors)] + [last]


def _start(path: Path, first: int, end: int, expected_head: bytes | None, *, bodies: bool) -> "subprocess.Popen[str]":
    wanted = expected_head.hex() if expected_head else ""
    command = [sys.executable, "-m", "stimctl.ledger.walk", str(path), str(first), str(end), wanted, "x" * bodies]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)


def _leapt(walker: ChainWalker, other: "subprocess.Popen[str]", first: int, end: int) -> bool:
    """Whether a process followed its stretch without a fault, from the very entry to which `walker` has come."""
    told = other.communicate()[0].split()
    if len(told) != 3 or (walker.number, walker.head.hex()) != (first, told[0]):
        return False
    walker.leap(end, bytes.fromhex(told[1]), seen=told[2] == "seen")
    return True


def stretch(path: Path, first: int, end: int, wanted: bytes | None, *, bodies: bool = False) -> str | None:
    """The hashes before and at the end of a stretch in which each entry is simply the next; None of any other."""
    with closing(connect_read_only(path)) as connection:
        row = connection.execute("SELECT hash FROM entries WHERE number = ?", (first,)).fetchone()
        if row is None:
            return None
        walker = ChainWalker(wanted, bodies=bodies)
        walker.number, walker.head = first, row[0]
        whole = _follow_to(end, walker, connection, wanted)
    if not whole or walker.number != end or walker.count != end - first or walker.losses:
        return None
    return f"{row[0].hex()} {walker.head.hex()} {'seen' if wanted and walker.seen else 'not'}"


def raw_rows(connection: sqlite3.Connection, query: str, *arguments: object) -> Iterator[tuple[Any, ...]]:
    """Rows whose texts are bytes: a text for each would take longer than its hash."""
    as_text = connection.text_factory
    connection.text_factory = bytes
    try:
        yield from connection.execute(query, arguments)
    finally:
        connection.text_factory = as_text


if __name__ == "__main__":
    _path, _first, _end, _wanted, _bodies = sys.argv[1:]
    _head = bytes.fromhex(_wanted) or None
    print(stretch(Path(_path), int(_first), int(_end), _head, bodies=bool(_bodies)) or "")  # noqa: T201
