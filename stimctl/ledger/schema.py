"""Opens the ledger's file, checks its version, and brings an older file up to date.

Each step is a list of SQL statements that leads from the version before. A step may add and replace tables of its own,
indexes and triggers; it never rewrites an entry, so that the hash chain of an older file holds unchanged after it. A
file of a newer version, or one that is no ledger, is refused. From version 4 on a ledger has an anchor.

WAL with synchronous=FULL: a commit has returned only after the operating system was told to put it on the
disk. The entries table refuses UPDATE and DELETE, any INSERT that is not the next number (a "sealed" entry alone may
leave numbers out: those of entries that were lost), a second "opened" and a second "closed" of a session.
"""

import errno
import os
import sqlite3
from collections.abc import Iterable
from functools import cache
from operator import methodcaller
from pathlib import Path

from stimctl.errors import LogFault
from stimctl.ledger.chain import EntryRow
from stimctl.ledger.files import check_names, create, faults, wal_path
from stimctl.ledger.lines import COPY_LINES, ENDS, LINES_TABLE
from stimctl.look import is_there

APPLICATION_ID = 0x5354494D  # "STIM"
BUSY_TIMEOUT_S = 10.0  # how long to wait for another process that appends [choice]
ONCE = "a session is opened once and closed once"

STEPS: tuple[tuple[str, ...], ...] = (
    (
        """CREATE TABLE entries (
            number INTEGER PRIMARY KEY,
            session_id TEXT NOT NULL,
            kind TEXT NOT NULL,
            at_us INTEGER NOT NULL,
            utc TEXT NOT NULL,
            body TEXT NOT NULL,
            previous BLOB NOT NULL,
            hash BLOB NOT NULL
        ) STRICT""",
        """CREATE TRIGGER entries_never_change BEFORE UPDATE ON entries
        BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END""",
        """CREATE TRIGGER entries_never_go BEFORE DELETE ON entries
        BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END""",
        """CREATE TRIGGER entries_only_follow BEFORE INSERT ON entries
        WHEN NEW.number IS NOT (SELECT COALESCE(MAX(number), 0) + 1 FROM entries)
        BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END""",
    ),
    (
        "CREATE INDEX entries_of_session ON entries (session_id)",
        """CREATE INDEX entries_at_ends ON entries (kind, session_id)
        WHERE kind IN ('opened', 'closed', 'recovered')""",
    ),
    (
        # The same index: for an IN, SQLite builds the list anew at each entry, which is a tenth of the work of one.
        "DROP INDEX entries_at_ends",
        """CREATE INDEX entries_at_ends ON entries (kind, session_id)
        WHERE kind = 'opened' OR kind = 'closed' OR kind = 'recovered'""",
    ),
    (
        "DROP TRIGGER entries_only_follow",
        """CREATE TRIGGER entries_only_follow BEFORE INSERT ON entries
        WHEN NEW.number IS NOT (SELECT COALESCE(MAX(number), 0) + 1 FROM entries)
        AND NOT (NEW.kind = 'sealed' AND NEW.number > (SELECT COALESCE(MAX(number), 0) FROM entries))
        BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END""",
        f"""CREATE TRIGGER entries_end_once BEFORE INSERT ON entries
        WHEN (NEW.kind = 'opened' OR NEW.kind = 'closed') AND EXISTS (SELECT 1 FROM entries WHERE {ENDS}
        AND session_id = NEW.session_id AND (kind = 'closed' OR kind = NEW.kind))
        BEGIN SELECT RAISE(ABORT, '{ONCE}'); END""",
        LINES_TABLE,
        COPY_LINES,
    ),
)
VERSION = len(STEPS)
ANCHORED = 4  # the first version with an anchor


def connect(path: Path, busy_timeout_s: float) -> sqlite3.Connection:
    """Open the ledger for appending; make it (0600, folder 0700) or bring it to this version where needed.

    Others who append are waited for as long as `busy_timeout_s`, then `LedgerBusy` is raised. The caller
    opens and commits transactions itself. Raises `LogFault`.
    """
    with faults(path):
        check_names(path)
        create(path)
        connection = _open(f"{path.absolute().as_uri()}?mode=rw", busy_timeout_s)
        try:
            migrate(connection, path)
            _switch_to_wal(connection)
            connection.execute("SELECT 1 FROM entries").fetchone()  # makes the -wal file
        except BaseException:
            connection.close()
            raise
        return connection


def connect_read_only(path: Path) -> sqlite3.Connection:
    """Open the ledger without the means to write it; any version up to this one. Raises `LogFault`."""
    with faults(path):
        check_names(path)
        if not is_there(path):
            raise LogFault(f"there is no ledger at {path} yet; the first session makes it")
        if not path.stat().st_size:
            raise LogFault(f"the ledger {path} is an empty file: nothing was ever written to it, or all of it is lost")
        if not os.access(path, os.R_OK):  # which SQLite would take for a folder that is not there
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        # Beside a file of WAL mode SQLite wants to make two more; where it cannot, the file lies still.
        still = not os.access(path.parent, os.W_OK)
        if still and is_there(wal_path(path)) and not os.access(f"{path}-shm", os.R_OK):
            raise LogFault(
                f"the ledger {path} cannot be read in a folder that you cannot write, because a part of it is in "
                f"{wal_path(path).name}: copy both, and its anchor, into a folder of your own"
            )
        still = still and not is_there(wal_path(path))
        connection = _open(f"{path.absolute().as_uri()}?{'immutable=1' if still else 'mode=ro'}", BUSY_TIMEOUT_S)
        try:
            _check_version(connection, path, allow_empty=False)
        except BaseException:
            connection.close()
            raise
        return connection


def _open(uri: str, busy_timeout_s: float) -> sqlite3.Connection:
    connection = sqlite3.connect(uri, uri=True, timeout=busy_timeout_s, isolation_level=None, check_same_thread=False)
    # Damaged text comes through as it is, and then fails its hash, instead of failing the whole read.
    connection.text_factory = methodcaller("decode", "utf-8", "surrogateescape")
    try:
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA fullfsync=1")  # macOS: an fsync that reaches the disk, not only its cache
        connection.execute("PRAGMA trusted_schema=OFF")
        connection.execute("PRAGMA cell_size_check=ON")
    except BaseException:  # a file that is no database says so here
        connection.close()
        raise
    return connection


def _switch_to_wal(connection: sqlite3.Connection) -> None:
    for attempt in range(10):
        try:
            mode = connection.execute("PRAGMA journal_mode=WAL").fetchone()[0]
        except sqlite3.OperationalError:
            if attempt == 9:
                raise
            # Another process is at the same switch, for which SQLite does not wait; for a write lock it does.
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("ROLLBACK")
            continue
        if mode != "wal":
            raise LogFault(f"the ledger cannot use a write-ahead log here (got {mode}); use a local disk")
        return


def migrate(connection: sqlite3.Connection, path: Path) -> None:
    """Bring an empty or older file to `VERSION`, in one transaction; leave a present one alone."""
    if _check_version(connection, path, allow_empty=True) == VERSION:
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        # Read again: another process may have done it while this one waited.
        for step in STEPS[_check_version(connection, path, allow_empty=True) :]:
            for statement in step:
                connection.execute(statement)
        connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version={VERSION}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def fill(connection: sqlite3.Connection, rows: Iterable[EntryRow]) -> None:
    """Make an empty file a ledger that holds these entries, whatever numbers they leave out."""
    connection.execute("BEGIN IMMEDIATE")
    for statement in STEPS[0]:
        if "TRIGGER" not in statement:
            connection.execute(statement)
    connection.executemany("INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)
    for statement in (
        *(each for each in STEPS[0] if "TRIGGER" in each),
        *(each for step in STEPS[1:] for each in step),
    ):
        connection.execute(statement)
    connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version={VERSION}")
    connection.execute("COMMIT")


def _check_version(connection: sqlite3.Connection, path: Path, *, allow_empty: bool) -> int:
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    found = _schema_of(connection)
    if not found and version == 0 and allow_empty:
        return 0
    if version > VERSION or version < 0:
        raise LogFault(
            f"the ledger {path} has version {version}, and this program knows versions 1 to {VERSION}; "
            "use the program that wrote it, or a newer one"
        )
    if version == 0 or application != APPLICATION_ID:
        raise LogFault(f"{path} is no ledger of this program, or its beginning is damaged; use another folder")
    if found != _expected_schema(version):
        raise LogFault(f"the ledger {path} does not have the tables and triggers of version {version}: it was altered")
    return version


def _schema_of(connection: sqlite3.Connection) -> list[tuple[str, ...]]:
    query = "SELECT type, name, tbl_name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite_stat%' ORDER BY name"
    return connection.execute(query).fetchall()


@cache  # a database in memory for each look would be half the price of opening a ledger
def _expected_schema(version: int) -> list[tuple[str, ...]]:
    with sqlite3.connect(":memory:", isolation_level=None) as plain:
        for step in STEPS[:version]:
            for statement in step:
                plain.execute(statement)
        expected = _schema_of(plain)
    plain.close()
    return expected
