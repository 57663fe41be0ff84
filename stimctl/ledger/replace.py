"""Back up a ledger while it is in use, put a backup in its place, and begin anew with what is sound of a damaged one.

Whatever is replaced is copied aside first, and that it was replaced is an entry: the new stretch follows the hash that
the anchor held, under numbers that were never used, so that an anchor never goes backwards.
"""

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from stimctl.errors import LogFault, Misuse
from stimctl.ledger.anchor import Anchor, Found, Mark, anchor_path
from stimctl.ledger.append import Appender, Due, utc_now
from stimctl.ledger.files import FAULTS, check_names, faults, live_folder, log_fault, wal_path
from stimctl.ledger.salvage import entries_in, gaps_in
from stimctl.ledger.schema import connect_read_only, fill
from stimctl.ledger.seal import RECOVERED, RESTORED, Seal, head_of, set_aside
from stimctl.ledger.store import Ledger
from stimctl.lock_file import is_alive, private_folder, sync_folder
from stimctl.look import is_there
from stimctl.new_file import writing


def back_up(ledger: Ledger, target: Path) -> Mark:
    """Copy the ledger, as it is at one moment, to `target` and an anchor beside it; others may go on appending.

    Returns the newest entry that is in it. Raises `Misuse` where `target` is there, `LogFault` when the copy does not
    hold: it stays, for it may be all that is left of a ledger that does not hold either.
    """
    check_names(target)
    if is_there(target) or is_there(anchor_path(target)):
        raise Misuse(f"{target} or its anchor is there already; a backup replaces nothing: name another file")
    # Beside it, so that a copy that was broken off is never taken for one.
    with writing(target), TemporaryDirectory(dir=target.parent, prefix=".stimctl-") as folder, faults(target):
        made = Path(folder, target.name)
        os.close(os.open(made, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        with closing(sqlite3.connect(made, isolation_level=None)) as copy:
            _copy(ledger, copy, target)
            copy.execute("PRAGMA journal_mode=DELETE")  # one file, which can be read where nothing can be written
            mark = head_of(copy)
        anchor = Anchor(anchor_path(made))
        anchor.begin(mark)
        anchor.close()
        anchor.path.replace(anchor_path(target))
        made.replace(target)
        sync_folder(target.parent)
    try:
        _require_whole(target)
    except LogFault as fault:
        raise LogFault(f"{fault}. This is the copy, which stays; look whether {ledger.path} holds") from None
    return mark


def _copy(ledger: Ledger, copy: sqlite3.Connection, target: Path) -> None:
    try:
        ledger.copy_to(copy)
    except sqlite3.Error as error:
        damaged = getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
        raise log_fault(ledger.path if damaged else target, error) from error


def restore(path: Path, backup: Path, now: Callable[[], datetime] = utc_now) -> str:
    """Put a backup in the place of the ledger at `path`. Returns what was lost by it, in a sentence.

    Raises `Misuse` while a session runs, `LogFault` where the backup does not hold.
    """
    _require_whole(backup)

    def prepare(found: Found, moment: datetime) -> Due:
        replaced = _head_of_file(path)
        aside = set_aside(path, moment)
        with closing(connect_read_only(backup)) as source, closing(_new_file(path)) as new:
            source.backup(new)
            new.execute("PRAGMA journal_mode=DELETE")
            head = head_of(new)
        _take_place(path)
        told = max(filter(None, (found.mark, replaced, head)))
        missing = ((head.number + 1, told.number),) if told.number > head.number else ()
        more: dict[str, Any] = {"source": str(backup)}
        if replaced is not None:
            more |= {"replaced_number": replaced.number, "replaced_hash": replaced.hash.hex()}
        return Due(Seal(RESTORED, head, told, missing), aside, more)

    return _replaced(path, prepare, now)


def recover(path: Path, now: Callable[[], datetime] = utc_now) -> str:
    """Keep every entry that can be read of a damaged ledger, in a new file in its place. Returns what is lost.

    Raises `Misuse` while a session runs, or where nothing is wrong.
    """

    def prepare(found: Found, moment: datetime) -> Due:
        rows = entries_in(path)
        aside = set_aside(path, moment)
        with closing(_new_file(path)) as new:
            fill(new, rows)
        _take_place(path)
        head = Mark(rows[-1].number, rows[-1].hash) if rows else Mark(0, bytes(32))
        missing = gaps_in(rows, found.mark.number if found.mark else 0)
        return Due(Seal(RECOVERED, head, found.mark, missing), aside, {"source": str(path)})

    _require_none_runs(path)
    if _is_sound(path):
        raise Misuse(f"nothing is wrong with the ledger {path}: it was left as it is")
    return _replaced(path, prepare, now)


def _is_sound(path: Path) -> bool:
    try:
        with Ledger(path, read_only=True) as ledger:
            return ledger.doubt_of_all() is None and ledger.verify().broken is None
    except LogFault:
        return False


def _require_none_runs(path: Path) -> None:
    running = [lock.stem for lock in live_folder(path).glob("*.lock") if is_alive(lock)]
    if running:
        raise Misuse(f"session {running[0]} is still running on this ledger; end it first")


def _replaced(path: Path, prepare: Callable[[Found, datetime], Due], now: Callable[[], datetime]) -> str:
    _require_none_runs(path)
    appender = Appender(path, now=now, prepare=prepare)
    appender.close()
    with Ledger(path, read_only=True) as ledger:
        ledger.require_whole()
        return ledger.losses()[-1].sentence


def _head_of_file(path: Path) -> Mark | None:
    """The newest entry of a file that may be damaged."""
    try:
        with closing(connect_read_only(path)) as connection:
            return head_of(connection)
    except (LogFault, *FAULTS):
        return None


def _new_file(path: Path) -> sqlite3.Connection:
    new = _new_path(path)
    private_folder(path.parent)
    new.unlink(missing_ok=True)
    os.close(os.open(new, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    return sqlite3.connect(new, isolation_level=None)


def _new_path(path: Path) -> Path:
    return path.with_suffix(".new")


def _take_place(path: Path) -> None:
    """Who has the old file open finds that it was replaced, and writes no more."""
    for name in (wal_path(path), Path(f"{path}-shm")):
        name.unlink(missing_ok=True)
    _new_path(path).replace(path)
    sync_folder(path.parent)


def _require_whole(path: Path) -> None:
    with Ledger(path, read_only=True) as ledger:
        ledger.require_whole()
