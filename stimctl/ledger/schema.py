"""Opens the ledger's file, checks its version, and brings an older file up to date.

Each step is a list of SQL statements that leads from the version before. A step may add columns, and
add and replace indexes; it never rewrites an entry, so that the hash chain of an older file holds unchanged after it. A
file of a newer version, or one that is no ledger, is refused.

WAL with synchronous=FULL: a commit has returned only after the operating system was told to put it on the
disk. The entries table refuses UPDATE and DELETE, and any INSERT that is not the next number.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from stimctl.errors import LogFault
from stimctl.lock_file import private_folder

APPLICATION_ID = 0x5354494D  # "STIM"
BUSY_TIMEOUT_S = 10.0  # how long to wait for another process that appends [choice]

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
)
VERSION = len(STEPS)

# What a person can do about an SQLite error, by its primary code.
_ADVICE = {
    sqlite3.SQLITE_FULL: "the disk is full; make room and start again",
    sqlite3.SQLITE_READONLY: "it cannot be written; check the owner and the mode of the file and its folder",
    sqlite3.SQLITE_PERM: "it may not be opened; check the owner and the mode of the file",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened; check that its folder exists and may be written",
    sqlite3.SQLITE_CORRUPT: "the file is damaged; keep it, and start a new one in another folder",
    sqlite3.SQLITE_NOTADB: "the file is no ledger, or its beginning is damaged; keep it and use another folder",
    sqlite3.SQLITE_IOERR: "the disk reports an error; do not trust it",
}


class LedgerBusy(LogFault):
    """Another process held the ledger for longer than the busy timeout. Trying again may work."""


def log_fault(path: Path, error: Exception) -> LogFault:
    """The `LogFault` that says what happened to the ledger at `path`, and what to do."""
    code = getattr(error, "sqlite_errorcode", None)
    if code is not None and code & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL):
        return LedgerBusy(f"the ledger {path}: another program keeps it locked")
    advice = _ADVICE.get(code & 0xFF) if code is not None else None
    return LogFault(f"the ledger {path}: {f'{advice} ({error})' if advice else error}")


# Damaged text makes sqlite3 raise UnicodeDecodeError, and a damaged length MemoryError or OverflowError.
FAULTS = (sqlite3.Error, OSError, UnicodeError, MemoryError, OverflowError)


@contextmanager
def faults(path: Path) -> Iterator[None]:
    """Turn what SQLite and the file system raise into a `LogFault` about `path`."""
    try:
        yield
    except FAULTS as error:
        raise log_fault(path, error) from error


def connect(path: Path, busy_timeout_s: float) -> sqlite3.Connection:
    """Open the ledger for appending; make it (0600, folder 0700) or bring it to this version where needed.

    Others who append are waited for as long as `busy_timeout_s`, then `LedgerBusy` is raised. The caller
    opens and commits transactions itself. Raises `LogFault`.
    """
    with faults(path):
        _create(path)
        connection = _open(f"{path.absolute().as_uri()}?mode=rw", busy_timeout_s)
        try:
            migrate(connection, path)
            _switch_to_wal(connection)
        except BaseException:
            connection.close()
            raise
        return connection


def connect_read_only(path: Path) -> sqlite3.Connection:
    """Open the ledger without the means to write it; any version up to this one. Raises `LogFault`."""
    if not path.exists():
        raise LogFault(f"there is no ledger at {path} yet; the first session makes it")
    with faults(path):
        # Beside a file of WAL mode SQLite wants to make two more; where it cannot, the file lies still.
        still = not os.access(path.parent, os.W_OK) and not Path(f"{path}-wal").exists()
        connection = _open(f"{path.absolute().as_uri()}?{'immutable=1' if still else 'mode=ro'}", BUSY_TIMEOUT_S)
        try:
            _check_version(connection, path, allow_empty=False)
        except BaseException:
            connection.close()
            raise
        return connection


def _create(path: Path) -> None:
    private_folder(path.parent)
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    if os.name == "posix" and path.stat().st_mode & 0o077:
        path.chmod(0o600)


def _open(uri: str, busy_timeout_s: float) -> sqlite3.Connection:
    connection = sqlite3.connect(uri, uri=True, timeout=busy_timeout_s, isolation_level=None, check_same_thread=False)
    connection.text_factory = _text
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA fullfsync=1")  # macOS: an fsync that reaches the disk, not only its cache
    connection.execute("PRAGMA trusted_schema=OFF")
    connection.execute("PRAGMA cell_size_check=ON")
    return connection


def _text(raw: bytes) -> str:
    # Damaged text comes through as it is, and then fails its hash, instead of failing the whole read.
    return raw.decode("utf-8", "surrogateescape")


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


def _expected_schema(version: int) -> list[tuple[str, ...]]:
    with sqlite3.connect(":memory:", isolation_level=None) as plain:
        for step in STEPS[:version]:
            for statement in step:
                plain.execute(statement)
        expected = _schema_of(plain)
    plain.close()
    return expected
