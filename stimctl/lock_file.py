"""A lock file that shows whether its process is alive.

A process number alone cannot say it, because numbers are used again. The operating system drops the lock
when its holder dies, however it dies, so that nothing stays behind that looks alive.
"""

import os
import sys
from contextlib import suppress
from pathlib import Path

from stimctl.errors import Misuse
from stimctl.forking import tell_of_forks

if sys.platform == "win32":
    import msvcrt

    _FAR = 1 << 30  # Windows forbids reading locked bytes: lock one that is never written

    def _lock(descriptor: int, *, shared: bool) -> None:  # noqa: ARG001 (no shared locks here)
        os.lseek(descriptor, _FAR, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _lock(descriptor: int, *, shared: bool) -> None:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)


class ProcessLock:
    """Holds the lock of `path`, which it makes (mode 0600). Raises `Misuse` when another holds it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            _lock(self._descriptor, shared=False)
        except OSError:
            os.close(self._descriptor)
            raise Misuse(f"{path} is held by another session that is still running") from None
        tell_of_forks(self)

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


def is_alive(path: Path) -> bool:
    """Whether a living process holds `path`. A file that nobody made is held by nobody."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        _lock(descriptor, shared=True)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False


def remove(path: Path) -> None:
    """Remove a file that may be gone or, on Windows, still open somewhere."""
    with suppress(FileNotFoundError, PermissionError):
        path.unlink()


def private_folder(path: Path) -> Path:
    """Make `path` as a folder of this user alone (0700) where it is missing. Returns it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError):
        path.mkdir(mode=0o700)
    return path
