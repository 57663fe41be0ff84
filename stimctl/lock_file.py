"""Locks on files, and a lock file that shows whether its process is alive.

A process number alone cannot say it, because numbers are used again. The operating system drops the lock
when its holder dies, however it dies, so that nothing stays behind that looks alive.
"""

import errno
import os
import sys
from contextlib import suppress
from pathlib import Path

from stimctl.errors import LogFault, Misuse
from stimctl.forking import tell_of_forks
from stimctl.look import is_there

if sys.platform == "win32":
    import msvcrt

    _FAR = 1 << 30  # Windows forbids reading locked bytes: lock one that is never written

    def _lock(descriptor: int, *, shared: bool) -> None:  # noqa: ARG001 (no shared locks here)
        os.lseek(descriptor, _FAR, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

    def unlock(descriptor: int) -> None:
        """Give up the lock of `descriptor`."""
        os.lseek(descriptor, _FAR, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)

    def has_record_locks(folder: Path) -> bool | None:  # noqa: ARG001
        """It cannot be tried here."""
        return None
else:
    import fcntl
    import tempfile

    def _lock(descriptor: int, *, shared: bool) -> None:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)

    def unlock(descriptor: int) -> None:
        """Give up the lock of `descriptor`."""
        fcntl.flock(descriptor, fcntl.LOCK_UN)

    def has_record_locks(folder: Path) -> bool | None:
        """Whether files of this folder can be locked as SQLite does it; None where that cannot be tried.

        On a file of its own: closing one that is SQLite's would give up SQLite's locks.
        """
        try:
            with tempfile.TemporaryFile(dir=folder) as trial:
                try:
                    fcntl.lockf(trial, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except OSError:
                    return False
                return True
        except OSError:
            return None


# What a person can do where a disk has no locks.
NO_LOCKS = (
    "its disk has no file locks, as some network disks; choose a folder on a local disk (STIMCTL_DATA, STIMCTL_RUN)"
)


# What a system says of a lock that another holds; anything else is no answer to that question.
HELD = frozenset({errno.EAGAIN, errno.EACCES, errno.EDEADLK})


def try_lock(descriptor: int, path: Path, *, shared: bool = False) -> bool:
    """Whether the lock of `path`, open as `descriptor`, is ours now. False: another holds it.

    Raises `LogFault` where the file system has no locks, as some network disks: then nobody can know who holds what.
    """
    try:
        _lock(descriptor, shared=shared)
    except OSError as fault:
        if fault.errno in HELD:
            return False
        raise LogFault(f"{path} cannot be locked ({fault.strerror}): {NO_LOCKS}") from fault
    return True


class ProcessLock:
    """Holds the lock of `path`, which it makes (mode 0600). Raises `Misuse` when another holds it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = _locked(path)
        tell_of_forks(self)

    def in_place(self) -> bool:
        """Whether the file of that name is the one that is held: POSIX lets anybody remove it meanwhile."""
        try:
            return self._descriptor is not None and os.path.samestat(self.path.lstat(), os.fstat(self._descriptor))
        except FileNotFoundError:
            return False

    def make_anew(self) -> None:
        """Hold a new file of that name, where the old one was taken away. Raises `Misuse` when another holds it."""
        private_folder(self.path.parent)
        descriptor = _locked(self.path)
        self.let_go_in_fork()
        self._descriptor = descriptor

    def let_go_in_fork(self) -> None:
        """In a forked child: the lock is the parent's alone, and so is the file."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def release(self) -> None:
        """Drop the lock and remove the file. Harmless when done twice."""
        if self._descriptor is not None:
            remove(self.path)
            os.close(self._descriptor)
            self._descriptor = None
            remove(self.path)  # Windows removes no open file: once more, closed


def _locked(path: Path) -> int:
    """A descriptor that holds the lock of `path`, made where it is missing."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        if not try_lock(descriptor, path):
            raise Misuse(f"{path} is held by another session that is still running")
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def is_alive(path: Path) -> bool:
    """Whether a living process holds `path`. A file that nobody made is held by nobody.

    One that this user may not open may be held: it counts as held.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))  # a pipe is not waited for
    except (FileNotFoundError, NotADirectoryError):
        return False
    except PermissionError:
        return True
    try:
        return not try_lock(descriptor, path, shared=True)
    finally:
        os.close(descriptor)


def remove(path: Path) -> None:
    """Remove a file that may be gone or, on Windows, still open somewhere."""
    with suppress(FileNotFoundError, PermissionError):
        path.unlink()


def private_folder(path: Path) -> Path:
    """Make `path` as a folder of this user alone (0700) where it is missing. Returns it.

    Each folder that had to be made is on the disk by then, with its name in the folder above.
    """
    missing = [path] if not is_there(path) else []
    while missing and not is_there(missing[-1].parent):
        missing.append(missing[-1].parent)
    for folder in reversed(missing):
        with suppress(FileExistsError):
            folder.mkdir(mode=0o700 if folder == path else 0o777)
            sync_folder(folder.parent)
    return path


def sync_folder(path: Path) -> None:
    """Have the names in a folder on the disk. Where folders cannot be opened (Windows) that is left to the system."""
    if sys.platform != "win32":
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
