"""Where the ledger is. Apart from the ledger itself, so that asking for it loads nothing."""

import os
from pathlib import Path

FILE_NAME = "ledger.sqlite"


def data_folder() -> Path:
    """Where the ledger lives: STIMCTL_DATA, or this user's data folder."""
    if chosen := os.environ.get("STIMCTL_DATA"):
        return Path(chosen)
    from platformdirs import user_data_dir

    return Path(user_data_dir("stimctl", appauthor=False))


def ledger_path(folder: Path | None = None) -> Path:
    """The ledger's file in `folder`, or in `data_folder()`."""
    return (folder or data_folder()) / FILE_NAME
