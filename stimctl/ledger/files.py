"""The ledger's files: what may stand under their names, how they are made, and what went wrong with them in words.

    ledger.sqlite        the entries
    ledger.sqlite-wal    SQLite's write-ahead log: the newest entries, until they are in the file above
    ledger.sqlite-shm    SQLite's index of it; it can be made anew
    ledger.anchor        number and hash of the last durable entry
    ledger.live/         a lock for each session that runs
    ledger.sealed/       copies of what was found damaged, untouched

Nothing but these is ever changed: a name that stands for something else (a link, a device, a pipe) is refused.
"""

import errno
import os
import sqlite3
import stat
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from stimctl.errors import LogFault
from stimctl.lock_file import NO_LOCKS, has_record_locks, private_folder, sync_folder
from stimctl.look import is_folder, is_there

_KINDS = {
    stat.S_IFIFO: "a pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFDIR: "a folder",
    stat.S_IFSOCK: "a socket",
    stat.S_IFLNK: "a symbolic link",
}

# A session of 30 minutes on two channels fitted on a disk of 1 MiB that held nothing else, and not on one of 512 KiB.
ROOM_BYTES = 2 << 20  # [choice] twice that

_FULL = "the disk is full; make room and start again"
_READONLY = "it cannot be written; check the owner and the mode of the file and its folder"
_BROKEN = "the disk reports an error; do not trust it"
# What a person can do about an SQLite error, by its code, or else by its primary code.
_ADVICE = {
    sqlite3.SQLITE_IOERR_SHMSIZE: _FULL,  # the index of the write-ahead log finds no room
    sqlite3.SQLITE_FULL: _FULL,
    sqlite3.SQLITE_READONLY: _READONLY,
    sqlite3.SQLITE_PERM: "it may not be opened; check the owner and the mode of the file",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened; check that its folder exists and may be written",
    sqlite3.SQLITE_CORRUPT: "the file is damaged; `stimctl log recover` keeps what can be read of it",
    sqlite3.SQLITE_NOTADB: "the file is no ledger, or its beginning is damaged; `stimctl log recover` keeps what can "
    "be read of it",
    sqlite3.SQLITE_IOERR: _BROKEN,
}
# What SQLite says where another has the lock, or the system gave it no better reason; and where locking failed.
_LOCKED = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL)
_OF_LOCKS = (
    sqlite3.SQLITE_IOERR_LOCK,
    sqlite3.SQLITE_IOERR_RDLOCK,
    sqlite3.SQLITE_IOERR_UNLOCK,
    sqlite3.SQLITE_IOERR_CHECKRESERVEDLOCK,
    sqlite3.SQLITE_IOERR_SHMLOCK,
)
# The same of a file that SQLite does not know, such as the anchor. Windows has no quota.
_ADVICE_OF_SYSTEM = {
    errno.ENOSPC: _FULL,
    errno.EFBIG: _FULL,
    getattr(errno, "EDQUOT", errno.ENOSPC): _FULL,
    errno.EROFS: _READONLY,
    errno.EIO: _BROKEN,
}


class LedgerBusy(LogFault):
    """Another process held the ledger for longer than the busy timeout. Trying again may work."""


def log_fault(path: Path, error: Exception) -> LogFault:
    """The `LogFault` that says what happened to the ledger at `path`, and what to do."""
    if isinstance(error, PermissionError):
        whose = "belongs to another user" if _is_of_another(path) else "is out of your reach"
        return LogFault(
            f"the ledger {path} {whose}: {error}; read a copy that is yours, or name another folder (STIMCTL_DATA)"
        )
    if isinstance(error, NotADirectoryError):
        in_the_way = next((each for each in path.parents if os.path.lexists(each) and not is_folder(each)), path.parent)
        return LogFault(
            f"the ledger {path}: {in_the_way} is no folder; move it away, or name another folder (STIMCTL_DATA)"
        )
    code = getattr(error, "sqlite_errorcode", None)
    if code in _OF_LOCKS or (code or 0) & 0xFF in _LOCKED:
        locks = has_record_locks(path.parent)
        if locks is False:
            return LogFault(f"the ledger {path} cannot be locked: {NO_LOCKS}")
        if code not in _OF_LOCKS:
            unsure = "" if locks else ", or its disk has no file locks"
            return LedgerBusy(f"the ledger {path}: another program keeps it locked{unsure}")
    advice = (
        _ADVICE_OF_SYSTEM.get(getattr(error, "errno", None))
        if code is None
        else _ADVICE.get(code, _ADVICE.get(code & 0xFF))
    )
    return LogFault(f"the ledger {path}: {f'{advice} ({error})' if advice else error}")


def _is_of_another(path: Path) -> bool:
    try:
        return sys.platform != "win32" and path.stat().st_uid != os.geteuid()
    except OSError:
        return False


# Damaged text makes sqlite3 raise UnicodeDecodeError, and a damaged length MemoryError or OverflowError.
FAULTS = (sqlite3.Error, OSError, UnicodeError, MemoryError, OverflowError)


@contextmanager
def faults(path: Path) -> Iterator[None]:
    """Turn what SQLite and the file system raise into a `LogFault` about `path`."""
    try:
        yield
    except FAULTS as error:
        raise log_fault(path, error) from error


def wal_path(path: Path) -> Path:
    """SQLite's write-ahead log of the ledger at `path`."""
    return Path(f"{path}-wal")


def live_folder(path: Path) -> Path:
    """Where the locks of running sessions are."""
    return path.with_suffix(".live")


def sealed_folder(path: Path) -> Path:
    """Where copies of what was found damaged are."""
    return path.with_suffix(".sealed")


def check_names(path: Path) -> None:
    """See that each of the ledger's names stands for a plain file or for nothing. Raises `LogFault`, `OSError`."""
    for name in (path, wal_path(path), Path(f"{path}-shm"), path.with_suffix(".anchor")):
        with suppress(FileNotFoundError):
            mode = name.lstat().st_mode
            if not stat.S_ISREG(mode):
                what = _KINDS.get(stat.S_IFMT(mode), "no plain file")
                raise LogFault(f"{name} is {what}, and a ledger is a plain file; nothing was changed: move it away")
    for folder, what in ((live_folder(path), "the locks of running sessions"), (sealed_folder(path), "damaged copies")):
        if os.path.lexists(folder) and (folder.is_symlink() or not is_folder(folder)):
            raise LogFault(f"{folder} is no folder, where {what} belong; nothing was changed: move it away")


class FilesInPlace:
    """Whether the files of these names, all of one folder, are still the ones that they were at first.

    A name that comes, goes or changes its file gives its folder another time. Once that time is older than a tick of
    the file system's clock, within which it could change unseen, the folder is looked at alone. Raises `OSError`.
    """

    _TICK_NS = 50_000_000  # [choice] five times the longest tick of a Linux kernel

    def __init__(self, *names: Path) -> None:
        self._folder = str(names[0].parent)
        self._names = tuple(map(str, names))
        self._settled: tuple[int, ...] = ()
        self._identities = self._look()

    @property
    def settled(self) -> bool:
        """Whether the folder is looked at alone by now."""
        return bool(self._settled)

    def hold(self) -> bool:
        """Whether they are."""
        try:
            # By `os.stat`: pathlib would take a twentieth of what one entry costs.
            folder = os.stat(self._folder)  # noqa: PTH116
        except FileNotFoundError:
            return False
        now = (folder.st_dev, folder.st_ino, folder.st_ctime_ns)  # which is new whenever the time of a change is
        if now == self._settled:
            return True
        same = self._look() == self._identities
        old = time.time_ns() - folder.st_ctime_ns > self._TICK_NS
        self._settled = now if same and old and sys.platform != "win32" else ()
        return same

    def _look(self) -> list[int]:
        try:
            statuses = [os.stat(name) for name in self._names]  # noqa: PTH116
        except FileNotFoundError:
            return []
        return [number for status in statuses for number in (status.st_dev, status.st_ino)]


def require_room(path: Path) -> None:
    """See that the disk takes as much as a session's entries, by writing it. Raises `LogFault`.

    Where there is no ledger yet nothing is made: its folder's nearest ancestor tells.
    """
    try:
        folder = next(each for each in path.parents if is_there(each))
        with tempfile.TemporaryFile(dir=folder) as trial:  # without a name on Linux, so that nothing can stay behind
            trial.write(os.urandom(ROOM_BYTES))  # which no file system makes smaller
            trial.flush()
            os.fsync(trial.fileno())
    except OSError as fault:  # without the trial's name, which is none to look for
        raise log_fault(path, OSError(fault.errno, fault.strerror)) from fault


def create(path: Path) -> None:
    """Make the file (0600) and its folder (0700) where they are missing; take from others what they may do with it."""
    private_folder(path.parent)
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        sync_folder(path.parent)
    status = path.lstat()
    if sys.platform != "win32" and status.st_mode & 0o077 and status.st_uid == os.geteuid():
        path.chmod(0o600)
