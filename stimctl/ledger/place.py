"""Where the ledger is. Apart from the ledger itself, so that asking for it loads nothing."""

from contextlib import suppress
from pathlib import Path

from stimctl.errors import LogFault
from stimctl.look import is_file, is_there
from stimctl.user_folder import named_folder, user_folder

FILE_NAME = "ledger.sqlite"


def data_folder() -> Path:
    """Where the ledger lives: STIMCTL_DATA, or this user's data folder. Raises `Misuse` where there is none."""
    return named_folder("STIMCTL_DATA") or user_folder("data", "STIMCTL_DATA")


def ledger_path(folder: Path | None = None) -> Path:
    """The ledger's file in `folder`, or in `data_folder()`."""
    return (folder or data_folder()) / FILE_NAME


def is_begun(path: Path) -> bool:
    """Whether the file holds anything. An empty one is no ledger: so a program leaves it that died while it began one,
    and it is begun again. What is no file is left to whoever opens it."""
    return is_there(path) and not (is_file(path) and path.stat().st_size == 0)


def ledger_is_there(path: Path) -> bool:
    """Whether anything of a ledger is at `path`. Raises `LogFault` where it can be none, or this user may not look."""
    try:
        with suppress(FileNotFoundError):
            path.lstat()  # `exists` would take a file in the place of a folder for nothing there yet
        # A link that leads nowhere is there too: whoever opens it is told.
        return is_begun(path) or path.is_symlink() or is_there(path.with_suffix(".anchor"))
    except PermissionError as refused:
        raise LogFault(f"the ledger {path}: this user may not look there ({refused.strerror})") from None
    except NotADirectoryError as in_the_way:
        from stimctl.ledger.files import log_fault

        raise log_fault(path, in_the_way) from None
