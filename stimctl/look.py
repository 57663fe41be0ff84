"""What stands at a path. Where this user may not look, that is an error, and not "nothing is there".

`Path.exists` and its like say so up to Python 3.13 only; from 3.14 on they answer False, and a log out of reach would
be taken for one that was never begun.
"""

import errno
import stat
from pathlib import Path

# No such name, or none that there could be (Windows says EINVAL).
_NOTHING = (errno.ENOENT, errno.ENOTDIR, errno.EBADF, errno.ELOOP, errno.EINVAL)


def is_there(path: Path) -> bool:
    """Whether anything is there, behind links. Raises `OSError` where that cannot be seen."""
    return _mode(path) is not None


def is_file(path: Path) -> bool:
    """Whether a plain file is there, behind links. Raises `OSError` where that cannot be seen."""
    return stat.S_ISREG(_mode(path) or 0)


def is_folder(path: Path) -> bool:
    """Whether a folder is there, behind links. Raises `OSError` where that cannot be seen."""
    return stat.S_ISDIR(_mode(path) or 0)


def refuse_pipe(path: Path) -> None:
    """Raise `OSError` for a pipe that nobody named: who opens one to read waits for a writer, perhaps for ever."""
    if stat.S_ISFIFO(_mode(path) or 0):
        raise OSError(errno.ESPIPE, "it is a pipe, and no file", str(path))


def _mode(path: Path) -> int | None:
    try:
        return path.stat().st_mode
    except ValueError:  # a name with a zero in it
        return None
    except OSError as error:
        if error.errno in _NOTHING:
            return None
        raise
