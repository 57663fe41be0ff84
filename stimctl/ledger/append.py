"""Appends entries to the ledger: one transaction reads the chain's head, links the new entries to it, and commits.

Several processes may append to one file: the anchor's lock lets one in at a time, from before its commit until the
anchor is on the disk, and each reads the head inside its own transaction. A single entry behind the entry that this
connection wrote last needs no such reading: its number is free only if nobody else has appended. When `append` has
returned, every entry given to it is on the disk, and the anchor tells of it.
"""

import re
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from stimctl.errors import LogFault, Misuse
from stimctl.ledger.anchor import Anchor, Found, Mark, anchor_path
from stimctl.ledger.chain import SEALED, DraftEntry, canonical_body, link
from stimctl.ledger.files import FAULTS, FilesInPlace, check_names, faults, log_fault, wal_path
from stimctl.ledger.lines import COPY_LINES, KEEP_LINES
from stimctl.ledger.schema import BUSY_TIMEOUT_S, ONCE, connect
from stimctl.ledger.seal import LEDGERS_OWN, Seal, head_of, look, set_aside
from stimctl.lock_file import private_folder

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


class Due(NamedTuple):
    """A seal to be set: where a copy of what was found is, and what else is to be said."""

    seal: Seal
    aside: Path | None
    more: Mapping[str, Any]


class Appender:
    """One connection that appends. Use it from one thread at a time. Raises `LogFault`.

    Opening compares the database with its anchor and seals what was lost: `sealed` is the number of the entry that says
    so. `prepare` does something else under the same lock, before the file is opened, and gives what is to be sealed.
    """

    def __init__(
        self,
        path: Path,
        busy_timeout_s: float = BUSY_TIMEOUT_S,
        *,
        now: Callable[[], datetime] = utc_now,
        prepare: Callable[[Found, datetime], Due | None] | None = None,
    ) -> None:
        self.path = path
        self._prepare = prepare or self._look
        self.busy_timeout_s = busy_timeout_s
        self.sealed: int | None = None
        # Number and hash of the newest entry, where this connection wrote it.
        self._head: Mark | None = None
        with faults(path):
            check_names(path)
            private_folder(path.parent)
            self.anchor = self._locked_anchor()
            try:
                self._open(now())
            except BaseException:
                self.anchor.discard_unused()
                self.anchor.close()  # which gives up the lock
                raise
            self.anchor.release()

    def _locked_anchor(self) -> Anchor:
        while True:
            anchor = Anchor(anchor_path(self.path))
            try:
                anchor.acquire(self.busy_timeout_s)
                if anchor.in_place():
                    return anchor
            except BaseException:
                anchor.close()
                raise
            anchor.close()  # whoever held the lock took the file away: there is another one by now

    def _open(self, now: datetime) -> None:
        """Under the lock: look first, because opening to write changes files that tell what happened."""
        due = self._prepare(self.anchor.found(), now)
        self.connection = connect(self.path, self.busy_timeout_s)
        try:
            self._cursor = self.connection.cursor()
            self._files = FilesInPlace(self.path, wal_path(self.path), anchor_path(self.path))
            if due is not None:
                self._seal(due, now)
            else:
                with self.transaction():  # of nothing: a file that cannot be written is told now, not by a session
                    pass
        except BaseException:
            self.connection.close()
            raise

    def _look(self, found: Found, now: datetime) -> Due | None:
        seen = look(self.path, found)
        if isinstance(seen, Seal):
            return Due(seen, set_aside(self.path, now), {})
        if found.mark is None:
            self.anchor.begin(seen)  # before the file is made or migrated: from then on it has to be there
        return None

    def _seal(self, due: Due, now: datetime) -> None:
        """Append the entry that seals what is there and begins a new stretch. Under the lock only."""
        place = due.seal.place
        body = due.seal.entry(due.aside, **due.more).body()
        one = draft(LEDGERS_OWN, SEALED, 0, utc_text(now), canonical_body(body))
        mark = Mark(place.number + 1, link(place.hash, place.number + 1, one))
        with self.transaction():
            self.connection.execute(_INSERT, (mark.number, *one, place.hash, mark.hash))
            # What the list of sessions had of lost entries goes with them.
            self.connection.execute("DELETE FROM session_lines")
            self.connection.execute(COPY_LINES)
        self.anchor.renew(mark)
        self._head, self.sealed = mark, mark.number

    def append(self, drafts: Sequence[DraftEntry], *, unless: Callable[[], str | None] | None = None) -> int:
        """Append `drafts` in one commit and return the number of the last, durable and anchored by then.

        `unless` is asked inside the transaction, where no other process can append: a sentence from it
        is raised as `Misuse` and nothing is written.
        """
        # Without `faults` and `locked`, whose generators would be a tenth of an entry's cost.
        try:
            self.anchor.acquire(self.busy_timeout_s)
            try:
                mark = None
                one = drafts[0] if len(drafts) == 1 and unless is None else None
                if one is not None and self._head is not None and one.kind not in KEEP_LINES:
                    mark = self._append_behind(self._head, one)
                mark = mark or self._append_all(drafts, unless)
                self.anchor.advance(mark)
                self._head = mark
                return mark.number
            finally:
                self.anchor.release()
        except FAULTS as error:
            raise log_fault(self.path, error) from error

    def _append_all(self, drafts: Sequence[DraftEntry], unless: Callable[[], str | None] | None) -> Mark:
        self._head = None
        self._still_there()
        with self.transaction():
            if unless and (objection := unless()):
                raise Misuse(objection)
            return self._insert(drafts)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit what is done inside, or nothing of it."""
        self.connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self.connection.execute("COMMIT")
        except BaseException:
            if self.connection.in_transaction:
                self.connection.execute("ROLLBACK")
            raise

    def _append_behind(self, head: Mark, one: DraftEntry) -> Mark | None:
        """One entry in one statement, which is a commit of its own, behind the head that this connection wrote.

        None when another process has appended since: then the number is taken, and nothing was written.
        """
        number = head.number + 1
        digest = link(head.hash, number, one)
        self._still_there()
        self._head = None
        if self.anchor.found().mark != head:
            return None
        try:
            # As bytearrays: of bytes the sqlite3 module asks each time whether somebody adapts them.
            self._cursor.execute(_INSERT, (number, *one, bytearray(head.hash), bytearray(digest)))
        except sqlite3.IntegrityError:
            return None
        return Mark(number, digest)

    def checkpoint(self) -> None:
        """Bring what is in the write-ahead log into the database, as far as readers let it."""
        with faults(self.path):
            self.connection.execute("PRAGMA busy_timeout=0")
            try:
                self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            finally:
                self.connection.execute(f"PRAGMA busy_timeout={int(self.busy_timeout_s * 1000)}")

    def close(self) -> None:
        """Close the connection. The last one to close empties the write-ahead log into the file."""
        with faults(self.path):
            self.connection.close()
            self.anchor.close()

    def _insert(self, drafts: Sequence[DraftEntry]) -> Mark:
        number, previous = head_of(self.connection)
        mark = self.anchor.found().mark
        if mark is None or number < mark.number or (number == mark.number and previous != mark.hash):
            raise LogFault(f"the ledger {self.path} lost entries while it was in use: `stimctl log verify` says more")
        rows = []
        for one in drafts:
            number += 1
            digest = link(previous, number, one)
            rows.append((number, *one, previous, digest))
            previous = digest
        try:
            self.connection.executemany(_INSERT, rows)
        except sqlite3.IntegrityError as refused:
            if ONCE in str(refused):
                raise Misuse(f"session {drafts[0].session_id}: {ONCE}") from None
            raise
        for row in rows:
            for statement in KEEP_LINES.get(row[2], ()):
                self.connection.execute(statement, {"number": row[0]})
        return Mark(number, previous)

    def _still_there(self) -> None:
        # SQLite commits happily to files that were removed or replaced, where nobody finds it again.
        if not self._files.hold():
            raise LogFault(
                f"the ledger {self.path}, its -wal or its anchor was moved, removed or replaced while it was in use"
            )
