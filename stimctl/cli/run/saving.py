"""Writes a prescription into a new file."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stimctl.cli.errors import writing
from stimctl.cli.private_file import check_new
from stimctl.prescription import toml_text

HEADING = "Written by stimctl. A screening is never in it: it is asked for each session."


def save_prescription(values: Mapping[str, Any], file: Path) -> None:
    """Write it, for its owner to read. Raises `Misuse` where there is a file already."""
    check_new(file, "a prescription")
    with writing(file):
        file.touch(0o600, exist_ok=False)
        file.write_text(toml_text(values, HEADING), "utf-8")
