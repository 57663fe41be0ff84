"""Reading a ledger's database: its entries one by one, each checked, its sessions in lines, and the proof of it all."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stimctl.errors import LogFault
from stimctl.ledger import walk
from stimctl.ledger.anchor import Found, anchor_path, read_anchor
from stimctl.ledger.chain import (
    SEALED,
    ChainBreak,
    ChainFault,
    ChainWalker,
    EntryRow,
    Loss,
    Verification,
    fault_of,
)
from stimctl.ledger.files import faults
from stimctl.ledger.lines import ENDS, LINES_OF_ENTRIES, SessionLine, line_of_row
from stimctl.ledger.schema import ANCHORED, connect_read_only
from stimctl.ledger.seal import LEDGERS_OWN, Seal, against_anchor, in_words
from stimctl.ledger.walk import COLUMNS

_BEFORE = "(SELECT before.hash FROM entries AS before WHERE before.number = entries.number - 1)"
_LIST_DIFFERS = f"""SELECT EXISTS (SELECT * FROM session_lines EXCEPT SELECT * FROM ({LINES_OF_ENTRIES}))
    OR EXISTS (SELECT * FROM ({LINES_OF_ENTRIES}) EXCEPT SELECT * FROM session_lines)"""
_LINE_DIFFERS = f"""SELECT EXISTS (SELECT * FROM session_lines WHERE session_id = ?
    EXCEPT SELECT * FROM ({LINES_OF_ENTRIES} AND first.session_id = ?))"""
_LINES_TOO_FEW = f"""SELECT (SELECT count(DISTINCT session_id) FROM entries WHERE {ENDS} AND kind != 'closed')
    > (SELECT count(*) FROM session_lines)"""
_OF_SEALS = "SELECT number, utc, body FROM entries WHERE session_id = ? AND kind = 'sealed' ORDER BY number"


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry. `hash` and `previous` are hex. `fault` says why it cannot be believed, or is None."""

    number: int
    session_id: str
    kind: str
    at_us: int
    utc: str
    body: dict[str, Any]
    previous: str
    hash: str
    fault: str | None = None


class Reader:
    """Reads one database. Raises `LogFault` where the file itself cannot be read."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self.connection = connection
        self.version = int(self.rows("PRAGMA user_version")[0][0])
        self._lines = "session_lines" if self.version >= ANCHORED else f"({LINES_OF_ENTRIES})"

    def rows(self, query: str, *arguments: object) -> list[tuple[Any, ...]]:
        """What a query gives."""
        with faults(self.path):
            return self.connection.execute(query, arguments).fetchall()

    def entries(self, where: str = "", *arguments: object) -> Iterator[Entry]:
        """Entries in order, each with what is wrong with it, if anything is."""
        query = f"SELECT {COLUMNS}, {_BEFORE} FROM entries {where} ORDER BY number"
        missing = [(first - 1, last) for loss in self.losses() for first, last in loss.missing]
        with faults(self.path):
            for *raw, before in self.connection.execute(query, arguments):
                row = EntryRow(*raw)
                fault = fault_of(row) or _out_of_place(row, before, missing)
                yield _entry(row, fault)

    def lines(self, where: str = "", *arguments: object, newest_first: bool = False) -> Iterator[SessionLine]:
        """Sessions in lines."""
        order = "DESC" if newest_first else "ASC"
        with faults(self.path):
            query = f"SELECT * FROM {self._lines} AS line {where} ORDER BY number {order}"
            for row in self.connection.execute(query, arguments):
                try:
                    yield line_of_row(row)
                except (ValueError, TypeError):
                    raise LogFault(f"the line of session {row[1]!r} cannot be read; `stimctl log verify`") from None

    def losses(self) -> list[Loss]:
        """What was lost and sealed, as entries that hold tell of it."""
        found = ChainWalker()
        for number, utc, body in self.rows(_OF_SEALS, LEDGERS_OWN):
            found.take_seal(number, utc, body)
        return found.losses

    def against_anchor(self) -> ChainBreak | None:
        """What is wrong between the database and its anchor, without looking at every entry."""
        # The anchor first: what is written meanwhile is ahead of it, and sound.
        return self._against(self._anchor())

    def _anchor(self) -> Found | ChainBreak | None:
        try:
            with faults(self.path):
                return read_anchor(anchor_path(self.path))
        except LogFault as fault:
            return ChainBreak(None, ChainFault.ANCHOR, f"the anchor cannot be read: {fault}")

    def _against(self, found: Found | ChainBreak | None) -> ChainBreak | None:
        if isinstance(found, ChainBreak):
            return found
        with faults(self.path):
            wrong = against_anchor(self.connection, self.version, found)
        return in_words(wrong) if isinstance(wrong, Seal) else wrong

    def verify(self, expected_head: bytes | None, *, file_too: bool = True) -> Verification:
        """Follow the whole chain and compare it with the anchor; with `file_too` look at each body and the file."""
        from concurrent.futures import ThreadPoolExecutor

        found = self._anchor()
        walker = ChainWalker(expected_head, bodies=file_too)
        with ThreadPoolExecutor(1, "stimctl ledger") as beside:
            file_fault = beside.submit(self._file_fault) if file_too else None
            try:
                with faults(self.path):
                    if walk.follow(walker, self.connection):
                        walker.broken = self._against(found) or (file_fault.result() if file_fault else None)
            except LogFault as fault:
                sentence = f"the entry behind number {walker.number} cannot be read: {fault}"
                walker.broken = ChainBreak(walker.number + 1, ChainFault.FILE, sentence)
        return walker.verdict()

    def _file_fault(self) -> ChainBreak | None:
        # By a connection of its own: SQLite looks, without a need for Python, while the chain is followed.
        with closing(connect_read_only(self.path)) as connection:
            other = Reader(self.path, connection)
            # An index that disagrees with its table would hide an entry from those who ask for one session.
            found = other.rows("PRAGMA integrity_check(1)")[0][0]
            if found != "ok":
                return ChainBreak(None, ChainFault.FILE, f"the file is damaged beside its entries: {found}")
            return other.against_list()

    def against_list(self) -> ChainBreak | None:
        """What is wrong between the list of sessions and the entries: a session that is not in it would be missed."""
        # In one statement: a session that begins meanwhile is in both, or in neither.
        return self._list_fault(_LIST_DIFFERS, "the list of sessions is not what the entries say")

    def list_too_short(self) -> ChainBreak | None:
        """Whether a session is not in the list, which takes a moment to see."""
        return self._list_fault(_LINES_TOO_FEW, "the list of sessions is shorter than the entries say")

    def against_line(self, session_id: str) -> str | None:
        """What is wrong with the entries that the line of one session shows, or with the line."""
        faults_of_ends = (entry.fault for entry in self.entries(f"WHERE session_id = ? AND {ENDS}", session_id))
        wrong = next(filter(None, faults_of_ends), None)
        if wrong is None and self._list_fault(_LINE_DIFFERS, "", session_id, session_id):
            return "its line is not what the entries say"
        return wrong

    def _list_fault(self, query: str, sentence: str, *arguments: object) -> ChainBreak | None:
        differs = self.version >= ANCHORED and self.rows(query, *arguments)[0][0]
        return ChainBreak(None, ChainFault.FILE, sentence) if differs else None

    def kinds_of(self, session_id: str) -> set[str]:
        """Which kinds of entry a session has."""
        return {kind for (kind,) in self.rows("SELECT DISTINCT kind FROM entries WHERE session_id = ?", session_id)}

    def numbers_of_opened(self) -> list[int]:
        """The numbers of every "opened", newest first."""
        query = f"SELECT number FROM entries WHERE {ENDS} AND kind = 'opened' ORDER BY number DESC"
        return [number for (number,) in self.rows(query)]


def _out_of_place(row: EntryRow, before: object, missing: list[tuple[int, int]]) -> ChainBreak | None:
    number = row.number
    if row.kind == SEALED or before == row.previous or (number == 1 and not any(row.previous)):
        return None
    if before is None and any(first < number - 1 <= last for first, last in missing):
        return None
    what = "is missing" if before is None else "is another one"
    return ChainBreak(number, ChainFault.LINK, f"entry {number} does not follow: the entry before it {what}")


def _entry(row: EntryRow, fault: ChainBreak | None) -> Entry:
    body: dict[str, Any] = {}
    if fault is None or fault.why is not ChainFault.UNREADABLE:
        body = _loads(row.body)
    previous, digest = (value.hex() if isinstance(value, bytes) else "" for value in (row.previous, row.hash))
    return Entry(*row[:5], body, previous, digest, fault.sentence if fault else None)


def _loads(body: str) -> dict[str, Any]:
    found = json.loads(body)
    return found if isinstance(found, dict) else {}
