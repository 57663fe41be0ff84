"""The ledger: every session of this machine in one file, kept entry by entry.

    ledger = Ledger()
    with ledger.writer(new_session_id()) as log:      # the log a session writes to
        ...
    ledger.verify().ok

`append` is durable when it returns. A writer does the same on a thread of its own. A `Ledger` is used by
one thread at a time; open another one elsewhere.
"""

import json
import os
import re
import secrets
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from stimctl.errors import LogFault, Misuse
from stimctl.ledger.append import Appender, draft, utc_now, utc_text
from stimctl.ledger.chain import ChainBreak, ChainFault, ChainWalker, EntryRow, Verification, canonical_body
from stimctl.ledger.schema import connect_read_only, faults
from stimctl.ledger.summary import Entry, SessionHead, SessionSummary, head_of, summarize
from stimctl.ledger.writer import LedgerWriter
from stimctl.lock_file import ProcessLock, is_alive, private_folder, remove
from stimctl.user_folder import user_folder

FILE_NAME = "ledger.sqlite"
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # no i, l, o, u: ids are read aloud and typed
_HEX_HASH = re.compile(r"[0-9a-f]{64}")
_COLUMNS = "number, session_id, kind, at_us, utc, body, previous, hash"
# SQLite uses the partial index of the kinds at a session's ends only for a query that repeats its condition.
_ENDS = "(kind = 'opened' OR kind = 'closed' OR kind = 'recovered')"
INTERRUPTED = "interrupted"


def data_folder() -> Path:
    """Where the ledger lives: STIMCTL_DATA, or this user's data folder. Raises `Misuse` where there is none."""
    if chosen := os.environ.get("STIMCTL_DATA"):
        return Path(chosen)
    return user_folder("data", "STIMCTL_DATA")


def ledger_path(folder: Path | None = None) -> Path:
    """The ledger's file in `folder`, or in `data_folder()`."""
    return (folder or data_folder()) / FILE_NAME


def new_session_id(now: datetime | None = None) -> str:
    """A short id that sorts by time: `20260131-142501-7k3fq`, in UTC."""
    moment = (now or utc_now()).astimezone(UTC)
    return f"{moment:%Y%m%d-%H%M%S}-" + "".join(secrets.choice(_ALPHABET) for _ in range(5))


class Ledger:
    """The dose log of this machine. `path` is its file; without one, `ledger_path()`.

    Opening makes the file where there is none, and brings an older version up to date; with
    `read_only=True` it does neither. Raises `LogFault`.
    """

    def __init__(
        self, path: Path | None = None, *, read_only: bool = False, now: Callable[[], datetime] = utc_now
    ) -> None:
        self.path = path or ledger_path()
        self._now = now
        self._appender = None if read_only else Appender(self.path)
        self._connection = self._appender.connection if self._appender else connect_read_only(self.path)

    def close(self) -> None:
        """Close the file. Harmless when done twice."""
        with faults(self.path):
            self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- writing ------------------------------------------------------------------------------------

    def append(self, session_id: str, kind: str, at_us: int, body: Mapping[str, Any]) -> int:
        """Append one entry and return its number; it is durable then. Raises `LogFault`, `Misuse`."""
        return self._append(session_id, kind, at_us, body, None)

    def writer(self, session_id: str) -> LedgerWriter:
        """The log of one session, with a thread and a connection of its own. Close it."""
        with faults(self.path):
            private_folder(self._live(session_id).parent)
            alive = ProcessLock(self._live(session_id))
        try:
            return LedgerWriter(self.path, session_id, alive, now=self._now)
        except BaseException:
            alive.release()
            raise

    def mark_interrupted(self, session_id: str, reason: str, body: Mapping[str, Any]) -> int:
        """Close a session that was cut short, with what is known of it. Returns the entry's number.

        Raises `Misuse` when it is unknown, closed, or still running; no other process can close it between
        that check and the entry.
        """

        def objection() -> str | None:
            kinds = {
                kind for (kind,) in self._rows("SELECT DISTINCT kind FROM entries WHERE session_id = ?", session_id)
            }
            if "closed" in kinds or not kinds:
                return f"session {session_id} is {'closed already' if kinds else 'not in the ledger'}"
            return f"session {session_id} is still running" if self.is_running(session_id) else None

        last = self._rows("SELECT MAX(at_us) FROM entries WHERE session_id = ?", session_id)
        full = {"ended_utc": utc_text(self._now()), **body, "end_reason": INTERRUPTED, "reason": reason}
        number = self._append(session_id, "closed", last[0][0] or 0, full, objection)
        remove(self._live(session_id))
        return number

    def _append(
        self, session_id: str, kind: str, at_us: int, body: Mapping[str, Any], unless: Callable[[], str | None] | None
    ) -> int:
        if self._appender is None:
            raise Misuse("this ledger was opened read-only")
        one = draft(session_id, kind, at_us, utc_text(self._now()), canonical_body(body))
        return self._appender.append([one], unless=unless)

    # --- reading ------------------------------------------------------------------------------------

    def entries(self, session_id: str | None = None) -> Iterator[Entry]:
        """The entries of one session, or all, in order. Raises `LogFault` at one that cannot be read."""
        where = "" if session_id is None else "WHERE session_id = ?"
        arguments = () if session_id is None else (session_id,)
        with faults(self.path):
            for row in self._connection.execute(f"SELECT {_COLUMNS} FROM entries {where} ORDER BY number", arguments):
                yield _entry(EntryRow(*row))

    def _of_kind(self, kind: str) -> list[Entry]:
        query = f"SELECT {_COLUMNS} FROM entries WHERE {_ENDS} AND kind = ? ORDER BY number"
        return [_entry(EntryRow(*row)) for row in self._rows(query, kind)]

    def opened_newest_first(self) -> Iterator[Entry]:
        """Every "opened", each read only when it is asked for."""
        query = f"SELECT number FROM entries WHERE {_ENDS} AND kind = 'opened' ORDER BY number DESC"
        for (number,) in self._rows(query):
            yield _entry(EntryRow(*self._rows(f"SELECT {_COLUMNS} FROM entries WHERE number = ?", number)[0]))

    def armed(self, session_id: str) -> list[Entry]:
        """The arms of one session, in order."""
        query = f"SELECT {_COLUMNS} FROM entries WHERE session_id = ? AND kind = 'armed' ORDER BY number"
        return [_entry(EntryRow(*row)) for row in self._rows(query, session_id)]

    def session_ids(self) -> list[str]:
        """Every session that was opened here, or of which a dose was recovered here, oldest first."""
        query = f"SELECT session_id FROM entries WHERE {_ENDS} AND kind != 'closed' ORDER BY number"
        return list(dict.fromkeys(row[0] for row in self._rows(query)))

    def sessions(self) -> list[SessionHead]:
        """Every session in a line, oldest first."""
        closed = {entry.session_id: entry for entry in reversed(self._of_kind("closed"))}
        heads = []
        # The first of each session, and an "opened" before any "recovered".
        entries = self._of_kind("recovered")[::-1] + self._of_kind("opened")[::-1]
        opened = {entry.session_id: entry for entry in entries}
        for entry in sorted(opened.values(), key=lambda entry: entry.number):
            end = closed.get(entry.session_id)
            heads.append(head_of(entry, end, running=end is None and self.is_running(entry.session_id)))
        return heads

    def summary(self, session_id: str) -> SessionSummary:
        """All of one session but its samples. Raises `Misuse` when it is unknown."""
        found = summarize(self.entries(session_id), running=self.is_running(session_id))
        if found is None:
            raise Misuse(f"no session {session_id!r} was opened in this ledger")
        return found

    def resolve(self, name: str) -> str:
        """The session that `name` means: an id, its beginning or end if unique, or `latest`."""
        known = self.session_ids()
        if not known:
            raise Misuse("the ledger holds no session yet")
        if name == "latest":
            return known[-1]
        found = [one for one in known if one == name] or [
            one for one in known if one.startswith(name) or one.endswith(name)
        ]
        if len(found) == 1 and name:
            return found[0]
        if not found:
            raise Misuse(f"no session is called {name!r}; `stimctl log list` shows them")
        raise Misuse(f"{name!r} means {len(found)} sessions ({', '.join(found[:5])}, ...); write more of it")

    def is_running(self, session_id: str) -> bool:
        """Whether a living process holds the session's writer."""
        return is_alive(self._live(session_id))

    def unfinished(self) -> list[str]:
        """Sessions that were opened, never closed, and that no living process holds, oldest first."""
        opened = self._rows(f"SELECT session_id FROM entries WHERE {_ENDS} AND kind = 'opened' ORDER BY number")
        closed = set(self._rows(f"SELECT session_id FROM entries WHERE {_ENDS} AND kind = 'closed'"))
        return [row[0] for row in opened if row not in closed and not self.is_running(row[0])]

    def verify(self, expected_head: str | None = None) -> Verification:
        """Follow the whole chain, then let SQLite check its file. Names the first thing that does not hold.

        `expected_head` is a head hash (64 hex digits) noted earlier: it must still be in the chain.
        """
        if expected_head is not None and not _HEX_HASH.fullmatch(expected_head.lower()):
            raise Misuse("a head hash is 64 hexadecimal digits, as `stimctl log verify` prints it")
        walker = ChainWalker(bytes.fromhex(expected_head) if expected_head else None)
        try:
            with faults(self.path):
                rows = self._connection.execute(f"SELECT {_COLUMNS} FROM entries ORDER BY number")
                if walker.follow(map(EntryRow._make, rows)):
                    walker.broken = self._file_fault()
        except LogFault as fault:
            walker.broken = ChainBreak(
                walker.count + 1, ChainFault.FILE, f"entry {walker.count + 1} cannot be read: {fault}"
            )
        return walker.verdict()

    def _file_fault(self) -> ChainBreak | None:
        # An index that disagrees with its table would hide an entry from those who ask for one session.
        found = self._rows("PRAGMA integrity_check(1)")[0][0]
        return (
            None
            if found == "ok"
            else ChainBreak(None, ChainFault.FILE, f"the file is damaged beside its entries: {found}")
        )

    def _live(self, session_id: str) -> Path:
        return self.path.with_suffix(".live") / f"{session_id}.lock"

    def _rows(self, query: str, *arguments: object) -> list[tuple[Any, ...]]:
        with faults(self.path):
            return self._connection.execute(query, arguments).fetchall()


def _entry(row: EntryRow) -> Entry:
    try:
        return Entry(*row[:5], json.loads(row.body), row.previous.hex(), row.hash.hex())
    except (ValueError, TypeError, AttributeError):
        raise LogFault(f"entry {row.number} cannot be read; `stimctl log verify` says what is wrong") from None
