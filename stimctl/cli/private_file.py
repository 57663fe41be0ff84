"""Writes a file that only its owner may read: what is in it is of a person."""

import os
from collections.abc import Iterable
from pathlib import Path

from stimctl.cli.errors import writing
from stimctl.errors import Misuse


def check_new(path: Path | None, what: str) -> None:
    """Raise `Misuse` where a file is wanted and there already: `what` is never replaced."""
    if path is not None and path.exists():
        raise Misuse(f"{path} exists already; {what} is never replaced: name another file")


def check_free(path: Path, *, force: bool) -> None:
    """Raise `Misuse` where a file of this name is there, and is not to be replaced."""
    if path.exists() and not force:
        raise Misuse(f"{path} is there already; name another file, or replace it with --force")


def write_private(path: Path, parts: Iterable[str | bytes], *, force: bool) -> None:
    """Into a new file of this user alone, which takes its name only when it is whole. Raises `Misuse`."""
    check_free(path, force=force)
    partly = path.with_name(f".{path.name}.{os.getpid()}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    with writing(path):
        try:
            with os.fdopen(os.open(partly, flags, 0o600), "wb") as file:
                file.writelines(part.encode() if isinstance(part, str) else part for part in parts)
            partly.replace(path)
        finally:
            partly.unlink(missing_ok=True)
