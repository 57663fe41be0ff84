"""Writes a file that only its owner may read: what is in it is of a person."""

import os
from collections.abc import Iterable
from pathlib import Path

from stimctl.cli.errors import writing
from stimctl.errors import Misuse


def write_private(output: Path, text: Iterable[str], *, force: bool) -> None:
    """Into a new file of this user alone, which takes its name only when it is whole."""
    if output.exists() and not force:
        raise Misuse(f"{output} is there already; name another file, or replace it with --force")
    partly = output.with_name(f".{output.name}.{os.getpid()}")
    with writing(output):
        try:
            with os.fdopen(os.open(partly, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8",
                           newline="") as file:  # fmt: skip
                file.writelines(text)
            partly.replace(output)
        finally:
            partly.unlink(missing_ok=True)
