"""The ledger: every session of this machine in one file, kept entry by entry.

    ledger = Ledger()
    with ledger.writer(new_session_id()) as log:      # the log a session writes to
        ...
    ledger.verify().ok

`append` is durable when it returns. A writer does the same on a thread of its own. A `Ledger` is used by
one thread at a time; open another one elsewhere.
"""

import re
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from stimctl.errors import LogFault, Misuse
from stimctl.ledger.anchor import BEGINNING, Mark, anchor_path, read_anchor
from stimctl.ledger.append import Appender, draft, utc_now, utc_text
from stimctl.ledger.chain import EntryRow, Loss, Verification, canonical_body
from stimctl.ledger.files import check_names, faults, live_folder
from stimctl.ledger.heads import LATER, SessionHead, head_of
from stimctl.ledger.place import is_begun, ledger_path
from stimctl.ledger.reading import Entry, Reader
from stimctl.ledger.schema import connect_read_only
from stimctl.ledger.seal import LEDGERS_OWN
from stimctl.ledger.seal import head_of as head_of_connection
from stimctl.ledger.walk import COLUMNS
from stimctl.ledger.writer import LedgerWriter
from stimctl.lock_file import ProcessLock, is_alive, private_folder, remove
from stimctl.units import counted

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # no i, l, o, u: ids are read aloud and typed
_HEX_HASH = re.compile(r"[0-9a-f]{64}")
INTERRUPTED = "interrupted"

if TYPE_CHECKING:
    from stimctl.entries import LogEntry
    from stimctl.ledger.afterwards import Afterwards
    from stimctl.ledger.summary import SessionSummary


def _why_none(name: str, known: Sequence[str], found: Sequence[str]) -> str:
    """Why a name of a session means none of those that are known, or several."""
    if not known:
        return "the ledger holds no session yet"
    if name == "latest":
        return "no session was run from this ledger yet; it holds fetched doses only (`stimctl log list`)"
    if not found:
        return f"no session is called {name!r}; `stimctl log list` shows them"
    if not name:
        return "an empty name means no session: write its id, or `latest`"
    listed = [*found[:5], *(["..."] if len(found) > 5 else [])]
    return f"{name!r} means {len(found)} sessions ({', '.join(listed)}); write more of it"


def new_session_id(now: datetime | None = None) -> str:
    """A short id that sorts by time: `20260131-142501-7k3fq`, in UTC."""
    import secrets  # not for those who only read

    moment = (now or utc_now()).astimezone(UTC)
    return f"{moment:%Y%m%d-%H%M%S}-" + "".join(secrets.choice(_ALPHABET) for _ in range(5))


class Ledger:
    """The dose log of this machine. `path` is its file; without one, `ledger_path()`.

    Opening makes the file where there is none, brings an older version up to date, and seals what was lost since it was
    written last (`sealed` says what); with `read_only=True` it does none of these. Raises `LogFault`.
    """

    def __init__(
        self, path: Path | None = None, *, read_only: bool = False, now: Callable[[], datetime] = utc_now
    ) -> None:
        self.path = path or ledger_path()
        self._now = now
        self._appender = None
        if read_only:
            self._not_gone()
            connection = connect_read_only(self.path)
        else:
            self._appender = Appender(self.path, now=now)
            connection = self._appender.connection
        self._connection = connection
        self._reader = Reader(self.path, connection)
        self._afterwards: Afterwards | None = None

    def _not_gone(self) -> None:
        with faults(self.path):
            check_names(self.path)
            found = None if is_begun(self.path) else read_anchor(anchor_path(self.path))
        if found and found.mark and found.mark.number:
            raise LogFault(f"the ledger {self.path} is gone: its anchor tells of {counted(found.mark.number, 'entry')}")

    @property
    def sealed(self) -> str | None:
        """What was found lost when this was opened, and sealed by that; None where all was there."""
        if self._appender is None or self._appender.sealed is None:
            return None
        return next(loss.sentence for loss in self.losses() if loss.sealed_by == self._appender.sealed)

    def close(self) -> None:
        """Close the file. Harmless when done twice."""
        with faults(self.path):
            if self._appender is not None:
                self._appender.close()
            self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- writing ------------------------------------------------------------------------------------

    def append(self, session_id: str, kind: str, at_us: int, body: Mapping[str, Any]) -> int:
        """Append one entry and return its number; it is durable then. Raises `LogFault`, `Misuse`."""
        return self._append(session_id, kind, at_us, body, None)

    def append_all(self, session_id: str, entries: Iterable[tuple[str, int, Mapping[str, Any]]]) -> None:
        """Append several, each its kind, `at_us` and body, in one commit. Raises `LogFault`, `Misuse`."""
        utc = utc_text(self._now())
        drafts = [draft(session_id, kind, at_us, utc, canonical_body(body)) for kind, at_us, body in entries]
        self._writable().append(drafts)

    def add(self, session_id: str, entry: "LogEntry") -> int:
        """Append what is said later of a session that is there: a note, an adverse event. Returns its number.

        It has no place on the session's own clock. Raises `Misuse` where there is no such session.
        """

        def objection() -> str | None:
            return None if self._reader.kinds_of(session_id) else f"session {session_id} is not in the ledger"

        return self._append(session_id, entry.kind, 0, {**entry.body(), "added_later": True}, objection)

    def correct(self, number: int, text: str, author: str | None = None) -> int:
        """Say what is right where entry `number` is wrong, beside it, as an entry of the same session or course.

        Raises `Misuse` where there is no such entry, or where it is the ledger's own.
        """
        from stimctl.entries import Corrected

        wrong = self.entry(number)
        if wrong.session_id == LEDGERS_OWN:
            raise Misuse(f"entry {number} is the ledger's own ({wrong.kind}), which nobody wrote")
        return self.add(wrong.session_id, Corrected(number=number, text=text, author=author))

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

        When it ended is not known: its last entry says when it was last seen. Raises `Misuse` when it is unknown,
        closed, or still running; no other process can close it between that check and the entry.
        """

        def objection() -> str | None:
            kinds = self._reader.kinds_of(session_id)
            if "closed" in kinds or not kinds:
                return f"session {session_id} is {'closed already' if kinds else 'not in the ledger'}"
            return f"session {session_id} is still running" if self.is_running(session_id) else None

        from stimctl.entries import CLOSED_LATER, Closed

        later = sorted(LATER)
        query = f"kind NOT IN ({', '.join('?' * len(later))})"
        query = f"SELECT MAX(at_us), MAX(utc) FROM entries WHERE session_id = ? AND {query}"
        ((last_us, last_utc),) = self._reader.rows(query, session_id, *later)
        closed = Closed(end_reason=INTERRUPTED, reason=reason, closed_by=CLOSED_LATER, last_seen_utc=last_utc)
        number = self._append(session_id, "closed", last_us or 0, {**body, **closed.body()}, objection)
        remove(self._live(session_id))
        return number

    def _append(
        self, session_id: str, kind: str, at_us: int, body: Mapping[str, Any], unless: Callable[[], str | None] | None
    ) -> int:
        one = draft(session_id, kind, at_us, utc_text(self._now()), canonical_body(body))
        return self._writable().append([one], unless=unless)

    def _writable(self) -> Appender:
        if self._appender is None:
            raise Misuse("this ledger was opened read-only")
        return self._appender

    # --- reading ------------------------------------------------------------------------------------

    def entries(self, session_id: str | None = None, *, doubtful: bool = False) -> Iterator[Entry]:
        """The entries of one session, or all, in order, each checked against its hash and the entry before it.

        Raises `LogFault` at the first that does not hold; with `doubtful` it is given, and says so in its `fault`.
        """
        where = ("", ()) if session_id is None else ("WHERE session_id = ?", (session_id,))
        for entry in self._reader.entries(where[0], *where[1]):
            if entry.fault and not doubtful:
                raise LogFault(f"the ledger {self.path}: {entry.fault}; `stimctl log verify` says more")
            yield entry

    def opened_newest_first(self) -> Iterator[Entry]:
        """Every "opened", each read only when it is asked for."""
        for number in self._reader.numbers_of_opened():
            yield from self._reader.entries("WHERE number = ?", number)

    def armed(self, session_id: str) -> list[Entry]:
        """The arms of one session, in order."""
        return self.some_of(session_id, "armed")

    def some_of(self, session_id: str, *kinds: str) -> list[Entry]:
        """The entries of one session that are of these kinds, in order."""
        listed = ", ".join("?" * len(kinds))
        return list(self._reader.entries(f"WHERE session_id = ? AND kind IN ({listed})", session_id, *kinds))

    def of_courses(self) -> list[Entry]:
        """Every entry of every course, in order."""
        # A range, so that SQLite finds them by its index.
        return list(self._reader.entries("WHERE session_id > 'course-' AND session_id < 'course.'"))

    def entry(self, number: int) -> Entry:
        """One entry. Raises `Misuse` where there is none of that number."""
        for found in self._reader.entries("WHERE number = ?", number):
            return found
        raise Misuse(f"there is no entry {number} in the ledger; `stimctl log show` has the numbers")

    def doubt(self, *, listed: bool = False) -> str | None:
        """What is wrong between the ledger and its anchor, or None; with `listed` the list of sessions is compared with
        the entries too, for whoever goes by it."""
        wrong = self._reader.against_anchor() or (self._reader.against_list() if listed else None)
        return None if wrong is None else wrong.sentence

    def doubt_of_all(self) -> str | None:
        """What is wrong with the ledger, anywhere: for whoever has to find everything of somebody."""
        return self.doubt(listed=True) or next(self.afterwards().of_anybody(), None)

    def doubt_of_list(self) -> str | None:
        """What of the list can be seen at once: the anchor disagrees with the ledger, or a session is not in it."""
        wrong = self._reader.against_anchor() or self._reader.list_too_short()
        return None if wrong is None else wrong.sentence

    def doubt_of_line(self, session_id: str) -> str | None:
        """Why the line of a session cannot be believed: it, or an entry that it shows, is not as it was written."""
        return self._reader.against_line(session_id)

    def afterwards(self) -> "Afterwards":
        """What does not hold of the entries after a session or a course."""
        from stimctl.ledger.afterwards import Afterwards

        self._afterwards = self._afterwards or Afterwards(self._reader)
        return self._afterwards

    def of_kind(self, kind: str) -> Iterator[Entry]:
        """Every entry of one kind, which has to be looked for among all."""
        return self._reader.entries("WHERE kind = ?", kind)

    def hash_of(self, number: int) -> str | None:
        """The hash of one entry in hex, or None where there is none of that number."""
        found = self._reader.rows("SELECT hash FROM entries WHERE number = ?", number)
        return found[0][0].hex() if found else None

    def session_ids(self) -> list[str]:
        """Every session that was opened here, or of which a dose was recovered here, oldest first."""
        return [line.session_id for line in self._reader.lines()]

    def sessions(self) -> list[SessionHead]:
        """Every session in a line, oldest first."""
        return list(self.heads())

    def heads(self, *, newest_first: bool = False) -> Iterator[SessionHead]:
        """Every session in a line, each read as it is asked for."""
        for line in self._reader.lines(newest_first=newest_first):
            running = line.kind == "opened" and line.closed_utc is None and self.is_running(line.session_id)
            yield head_of(line, running=running)

    def summary(self, session_id: str) -> "SessionSummary":
        """All of one session but its samples, and what of it does not verify.

        Raises `Misuse` when it is unknown, `LogFault` when it is known and its first entry is gone.
        """
        from stimctl.ledger.among import among
        from stimctl.ledger.summary import summarize

        losses = tuple(loss.sentence for loss in self.losses())
        entries = self.entries(session_id, doubtful=True)
        found = summarize(entries, running=self.is_running(session_id), losses=losses)
        if found is None:
            if session_id in self.session_ids():
                raise LogFault(
                    f"session {session_id} is in the list of the ledger {self.path}, and has no first entry any more; "
                    "`stimctl log verify` says more"
                )
            raise Misuse(f"no session {session_id!r} was opened in this ledger")
        wrong = self.doubt()
        later = self.afterwards().of_session(session_id)
        more = (*among(self._reader, session_id), *later, *([wrong] if wrong else []))
        return replace(found, faults=(*found.faults, *more)) if more else found

    def outline(self, session_id: str, kinds: Sequence[str]) -> "SessionSummary | None":
        """A summary made of these kinds of entry alone, or None where nothing can be told of the session."""
        from stimctl.ledger.summary import summarize

        where = f"WHERE session_id = ? AND kind IN ({', '.join('?' * len(kinds))})"
        return summarize(self._reader.entries(where, session_id, *kinds), running=self.is_running(session_id))

    def rows_between(self, after: int, until: int, most: int) -> list[EntryRow]:
        """The first entries behind number `after` up to `until`, as the file holds them, `most` of them at the most."""
        query = f"SELECT {COLUMNS} FROM entries WHERE number > ? AND number <= ? ORDER BY number LIMIT ?"
        return [EntryRow(*row) for row in self._reader.rows(query, after, until, most)]

    def count_between(self, after: int, until: int) -> int:
        """How many entries there are behind number `after` up to `until`."""
        query = "SELECT count(*) FROM entries WHERE number > ? AND number <= ?"
        return int(self._reader.rows(query, after, until)[0][0])

    def newest_until(self, number: int) -> Mark:
        """The entry of that number, or the last one before it."""
        query = "SELECT number, hash FROM entries WHERE number <= ? ORDER BY number DESC LIMIT 1"
        return Mark(*next(iter(self._reader.rows(query, number)), BEGINNING))

    def losses(self) -> list[Loss]:
        """What was lost earlier, and sealed."""
        return self._reader.losses()

    def resolve(self, name: str) -> str:
        """The session that `name` means: an id, its beginning or end if unique, or `latest`, the newest run here."""
        if name == "latest":
            newest = next(self._reader.lines("WHERE kind = 'opened'", newest_first=True), None)
            if newest is not None:
                return newest.session_id
        known = self.session_ids()
        found = [one for one in known if one == name] or [
            one for one in known if one.startswith(name) or one.endswith(name)
        ]
        if len(found) == 1 and name:
            return found[0]
        raise self.not_found(_why_none(name, known, found))

    def not_found(self, sentence: str) -> LogFault | Misuse:
        """That something is not there; where entries may be gone or changed, that this may be why."""
        if doubt := self.doubt_of_all():
            return LogFault(f"{sentence}; but the ledger does not hold: {doubt}")
        if lost := next((loss.sentence for loss in self.losses() if loss.missing), None):
            return LogFault(f"{sentence}; but it may be among what was lost earlier: {lost}")
        return Misuse(sentence)

    def is_running(self, session_id: str) -> bool:
        """Whether a living process holds the session's writer."""
        with faults(self.path):
            return is_alive(self._live(session_id))

    def unfinished(self) -> list[str]:
        """Sessions that were opened, never closed, and that no living process holds, oldest first."""
        lines = self._reader.lines("WHERE kind = 'opened' AND closed_utc IS NULL")
        return [line.session_id for line in lines if not self.is_running(line.session_id)]

    def verify(self, expected_head: str | None = None) -> Verification:
        """Follow the whole chain, compare it with its anchor, and let SQLite check its file. Names what does not hold.

        `expected_head` is a head hash (64 hex digits) noted earlier: it must still be in the chain.
        """
        if expected_head is not None and not _HEX_HASH.fullmatch(expected_head.lower()):
            raise Misuse("a head hash is 64 hexadecimal digits, as `stimctl log verify` prints it")
        return self._reader.verify(bytes.fromhex(expected_head) if expected_head else None)

    def require_whole(self) -> None:
        """Raise `LogFault` unless every entry holds and the anchor agrees. What is sealed already does not count."""
        broken = self._reader.verify(None, file_too=False).broken
        if broken is not None:
            raise LogFault(
                f"the ledger {self.path} does not hold: {broken.sentence}; `stimctl log verify` says more, and "
                "`stimctl log recover` keeps what is sound and begins anew"
            )

    def copy_to(self, target: sqlite3.Connection) -> None:
        """Copy the whole of it, as it is at one moment, into another database. Raises `sqlite3.Error`."""
        self._connection.backup(target)

    def head(self) -> Mark:
        """Number and hash of the newest entry: what to note elsewhere."""
        with faults(self.path):
            return head_of_connection(self._connection)

    def _live(self, session_id: str) -> Path:
        return live_folder(self.path) / f"{session_id}.lock"
