"""Follow a long chain quickly: many entries at once, the next of them read while these are hashed.

SQLite writes the text that was hashed, and gives many entries as one row. Entries among which anything is out of the
ordinary are followed again one by one.
"""

import sqlite3
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from hashlib import sha256
from itertools import islice
from typing import Any, NamedTuple

from stimctl.ledger.chain import SEALED, ChainWalker

COLUMNS = "number, session_id, kind, at_us, utc, body, previous, hash"
_TOGETHER = 2_000  # entries that are read as one row: with fewer, two threads wait for each other more often [choice]
_ONE_BY_ONE = f"SELECT {COLUMNS} FROM entries WHERE number > ? AND number <= ? ORDER BY number LIMIT 500"
# What JSON would escape comes out escaped, and differs from what was hashed where that was otherwise. A plus takes away
# the column's type, by which SQLite would take a number for a text.
_AS_ONE_ROW = """SELECT count(*), CAST(group_concat(json_array(number, session_id, kind, at_us, utc), '\n') AS BLOB),
    CAST(group_concat(body, ']\n') AS BLOB),
    CAST(group_concat(previous, '') AS BLOB), CAST(group_concat(hash, '') AS BLOB)
FROM entries WHERE number > ? AND number <= ? AND +body >= '' AND +previous >= x'' AND +hash >= x''"""


class _Stretch(NamedTuple):
    """The entries of a range of numbers, as one row: texts a line each, hashes one behind the other."""

    entries: int
    heads: bytes
    bodies: bytes
    previous: bytes
    hashes: bytes


def follow(walker: ChainWalker, connection: sqlite3.Connection) -> bool:
    """Have `walker` follow the whole chain. Returns whether all of it holds."""
    (end,) = connection.execute("SELECT COALESCE(MAX(number), 0) FROM entries").fetchone()
    while True:
        before = walker.count
        with closing(_read_ahead(connection, walker.number, end)) as stretches:
            _follow_simple(walker, stretches)
        if not walker.follow(raw_rows(connection, _ONE_BY_ONE, walker.number, end)):
            return False
        if walker.count == before:
            return True


def _read_ahead(connection: sqlite3.Connection, after: int, end: int) -> Generator[_Stretch | None]:
    """One stretch after the other. Two are asked for at a time: SQLite reads, without a need for Python, meanwhile."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1, "stimctl ledger") as reader:
        asked = (reader.submit(_read, connection, first, end) for first in range(after, end, _TOGETHER))
        coming = deque(islice(asked, 2))
        while coming:
            stretch = coming.popleft().result()
            coming.extend(islice(asked, 1))
            yield stretch


def _read(connection: sqlite3.Connection, after: int, end: int) -> _Stretch | None:
    """The entries behind number `after`; None where what is the matter has to be found one by one."""
    try:
        return _Stretch(*connection.execute(_AS_ONE_ROW, (after, min(after + _TOGETHER, end))).fetchone())
    except sqlite3.DatabaseError:
        return None


def _follow_simple(walker: ChainWalker, stretches: Iterable[_Stretch | None]) -> None:
    """Have `walker` go on while each entry is simply the next, as nearly all are."""
    for stretch in stretches:
        hashes = stretch and _hashes(stretch, walker)
        if not hashes:
            return
        walker.leap(hashes)


def _hashes(stretch: _Stretch, walker: ChainWalker) -> list[bytes] | None:
    """The hash of each entry, if each is simply the next one behind `walker`."""
    after, digest = walker.number, walker.head
    if not stretch.entries or stretch.previous != (digest + stretch.hashes)[: -len(digest)]:
        return None
    if b'"%b"' % SEALED.encode() in stretch.heads or not stretch.heads.isascii():
        return None
    # A line feed is escaped within a JSON text: here it stands between two of them, or the counts differ. The bracket
    # that ends the text of an entry stands behind its body already.
    heads = (stretch.heads[:-1] + b",").replace(b"]\n", b",\n").split(b"\n")
    bodies = (stretch.bodies + b"]").split(b"\n")
    if not len(heads) == len(bodies) == stretch.entries:
        return None
    if not (heads[0].startswith(b"[%d," % (after + 1)) and heads[-1].startswith(b"[%d," % (after + len(heads)))):
        return None
    hashes = [digest := sha256(digest + head + body).digest() for head, body in zip(heads, bodies, strict=True)]
    whole = b"".join(hashes) == stretch.hashes and (walker.one_text is None or walker.one_text(stretch.bodies + b"]\n"))
    return hashes if whole else None


def raw_rows(connection: sqlite3.Connection, query: str, *arguments: object) -> Iterator[tuple[Any, ...]]:
    """Rows whose texts are bytes: a text for each would take longer than its hash."""
    as_text = connection.text_factory
    connection.text_factory = bytes
    try:
        yield from connection.execute(query, arguments)
    finally:
        connection.text_factory = as_text
