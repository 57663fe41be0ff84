"""Appends entries to the ledger: one transaction reads the chain's head, links the new entries to it, and commits.

Several processes may append to one file: BEGIN IMMEDIATE lets one in at a time, and each reads the head
inside its own transaction. A single entry behind the entry that this connection wrote last needs neither: its
number is free only if nobody else has appended. When `append` has returned, every entry given to it is on the disk.
"""

import re
import sqlite3
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from stimctl.errors import LogFault, Misuse
from stimctl.ledger.chain import GENESIS, DraftEntry, link
from stimctl.ledger.schema import BUSY_TIMEOUT_S, FAULTS, connect, faults, log_fault

_HEAD = "SELECT number, hash FROM entries ORDER BY number DESC LIMIT 1"
_INSERT = "INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
_INT64 = 1 << 63
_SESSION_ID = re.compile(r"\w[\w.-]{0,63}", re.ASCII)  # it names a file as well


def utc_text(moment: datetime) -> str:
    """A moment as the ledger writes it: UTC, microseconds, `Z`."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def utc_now() -> datetime:
    """The wall clock, for the `utc` of entries; nothing is timed by it."""
    return datetime.now(UTC)


def draft(session_id: str, kind: str, at_us: int, utc: str, body: str) -> DraftEntry:
    """A checked draft. Raises `Misuse` for a name or a time that the ledger does not take."""
    if not _SESSION_ID.fullmatch(session_id):
        raise Misuse(f"a session id is at most 64 letters, digits, dots, dashes and underscores, not {session_id!r}")
    if not kind.isidentifier():
        raise Misuse(f"a log entry's kind is one word, not {kind!r}")
    if isinstance(at_us, bool) or not isinstance(at_us, int) or not -_INT64 <= at_us < _INT64:
        raise Misuse(f"a log entry's at_us is a whole number of microseconds, not {at_us!r}")
    return DraftEntry(session_id, kind, at_us, utc, body)


class Appender:
    """One connection that appends. Use it from one thread at a time. Raises `LogFault`."""

    def __init__(self, path: Path, busy_timeout_s: float = BUSY_TIMEOUT_S) -> None:
        self.path = path
        self.connection = connect(path, busy_timeout_s)
        with faults(path):
            status = path.stat()
        self._identity = status.st_dev, status.st_ino
        # Number and hash of the newest entry, where this connection wrote it.
        self._head: tuple[int, bytes] | None = None

    def append(self, drafts: Sequence[DraftEntry], *, unless: Callable[[], str | None] | None = None) -> int:
        """Append `drafts` in one commit and return the number of the last, durable by then.

        `unless` is asked inside the transaction, where no other process can append: a sentence from it
        is raised as `Misuse` and nothing is written.
        """
        # Without `faults`, whose generator would be a twentieth of an entry's cost.
        try:
            if len(drafts) == 1 and unless is None and self._head is not None:
                number = self._append_behind(self._head, drafts[0])
                if number is not None:
                    return number
            return self._append_all(drafts, unless)
        except FAULTS as error:
            raise log_fault(self.path, error) from error

    def _append_all(self, drafts: Sequence[DraftEntry], unless: Callable[[], str | None] | None) -> int:
        connection = self.connection
        connection.execute("BEGIN IMMEDIATE")
        try:
            if unless and (objection := unless()):
                raise Misuse(objection)
            head = self._insert(drafts)
            self._still_there()
            connection.execute("COMMIT")
        except BaseException:
            self._head = None
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        self._head = head
        return head[0]

    def _append_behind(self, head: tuple[int, bytes], one: DraftEntry) -> int | None:
        """One entry in one statement, which is a commit of its own, behind the head that this connection wrote.

        None when another process has appended since: then the number is taken, and nothing was written.
        """
        number = head[0] + 1
        digest = link(head[1], number, one)
        self._still_there()
        self._head = None
        try:
            self.connection.execute(_INSERT, (number, *one, head[1], digest))
        except sqlite3.IntegrityError:
            return None
        self._head = number, digest
        return number

    def close(self) -> None:
        """Close the connection. The last one to close empties the write-ahead log into the file."""
        with faults(self.path):
            self.connection.close()

    def _insert(self, drafts: Sequence[DraftEntry]) -> tuple[int, bytes]:
        number, previous = self.connection.execute(_HEAD).fetchone() or (0, GENESIS)
        rows = []
        for one in drafts:
            number += 1
            digest = link(previous, number, one)
            rows.append((number, *one, previous, digest))
            previous = digest
        if len(rows) == 1:
            self.connection.execute(_INSERT, rows[0])
        else:
            self.connection.executemany(_INSERT, rows)
        return int(number), previous

    def _still_there(self) -> None:
        # SQLite commits happily to a file that was removed or replaced, where nobody finds it again.
        try:
            status = self.path.stat()
        except FileNotFoundError:
            status = None
        if status is None or (status.st_dev, status.st_ino) != self._identity:
            raise LogFault(f"the ledger {self.path} was moved, removed or replaced while it was in use")
