"""Files that are written for a user: readable by that user alone, whole or not there, and replaced only when asked to.

What is in them is of a person, or may be. A device, a pipe or a folder is never replaced.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from stimctl.errors import Misuse
from stimctl.look import is_file, is_folder, is_there


def check_new(path: Path | None, what: str) -> None:
    """Raise `Misuse` for a file that is there already, since `what` is never replaced, or that cannot be made."""
    if path is None:
        return
    if os.path.lexists(path):
        raise Misuse(f"{path} exists already; {what} is never replaced: name another file")
    check_folder(path)


def check_folder(path: Path) -> None:
    """Raise `Misuse` where no file of this name can be made: before anything that would be lost without it."""
    if not is_folder(path.parent):
        raise Misuse(f"{path}: there is no folder {path.parent}; make it, or name another file")
    if not os.access(path.parent, os.W_OK):
        raise Misuse(f"{path}: nothing may be written in the folder {path.parent}; name another file")


def check_free(path: Path, *, force: bool) -> None:
    """Raise `Misuse` where something of this name is there, and is not to be replaced, or is no plain file."""
    if os.path.lexists(path) and not force:
        raise Misuse(f"{path} is there already; name another file, or replace it with --force")
    if is_there(path) and not is_file(path):
        raise Misuse(f"{path} is no plain file, and is not replaced: name another file")


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn an operating system's no to writing `path` into a `Misuse` that says so."""
    try:
        yield
    except OSError as fault:
        raise Misuse(f"{path} cannot be written: {fault.strerror or fault}") from fault


@contextmanager
def new_file(path: Path, *, force: bool) -> Iterator[BinaryIO]:
    """A file to write, which takes its name only when the block ends well. Raises `Misuse`."""
    import tempfile

    check_free(path, force=force)
    with writing(path):
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".stimctl-")  # 0600
        partly = Path(name)
        try:
            with os.fdopen(descriptor, "wb") as file:
                yield file
            with partly.open("rb+") as whole:  # the block may have closed its own
                os.fsync(whole.fileno())
            _take_name(partly, path, force=force)
        finally:
            partly.unlink(missing_ok=True)


def _take_name(partly: Path, path: Path, *, force: bool) -> None:
    if not force:
        try:
            path.hardlink_to(partly)  # unlike a renaming it replaces nothing that came meanwhile
            return
        except FileExistsError:
            raise
        except OSError:
            pass  # a file system without links
    partly.replace(path)


def write_new(path: Path, parts: Iterable[str | bytes], *, force: bool) -> None:
    """All of a file. Raises `Misuse`."""
    with new_file(path, force=force) as file:
        file.writelines(part.encode() if isinstance(part, str) else part for part in parts)


def open_growing(path: Path) -> BinaryIO:
    """A new file that keeps what was written to it, however that ends. Raises `OSError`."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    return os.fdopen(os.open(path, flags, 0o600), "wb")
