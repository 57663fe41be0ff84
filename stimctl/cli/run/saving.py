"""Writes a prescription into a new file."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stimctl.new_file import check_new, write_new
from stimctl.prescription import toml_text

HEADING = "Written by stimctl. A screening is never in it: it is asked for each session."


def save_prescription(values: Mapping[str, Any], file: Path) -> None:
    """Write it, for its owner to read. Raises `Misuse` where there is a file already."""
    check_new(file, "a prescription")
    write_new(file, [toml_text(values, HEADING)], force=False)
