"""The folders that are this user's by custom: for data, for configuration, and for what is under way."""

import os
from pathlib import Path
from typing import Literal

from stimctl.errors import Misuse


def user_folder(kind: Literal["data", "config", "state"], variable: str) -> Path:
    """This user's folder for `kind`, which need not exist yet.

    Raises `Misuse` for a user without a home folder, naming the environment variable that says another.
    """
    import platformdirs  # what is needed by few commands is loaded by those

    named = {
        "data": platformdirs.user_data_dir,
        "config": platformdirs.user_config_dir,
        "state": platformdirs.user_state_dir,
    }[kind]
    try:
        path = Path(named("stimctl", appauthor=False))
    except RuntimeError:  # as newer versions say it; older ones leave the ~ as it is
        path = Path("~")
    if not path.is_absolute():
        raise Misuse(f"this user has no home folder (HOME is not set, or to no whole path): name one with {variable}")
    return path


def named_folder(variable: str) -> Path | None:
    """The folder that an environment variable names, None where it names none.

    Raises `Misuse` for one that is no whole path, as a ~ that no shell has put a folder for: what is kept there would
    not be found from another working folder.
    """
    named = os.environ.get(variable)
    if not named:
        return None
    if not Path(named).is_absolute():
        raise Misuse(f"{variable} is {named!r}, which is another folder in each working folder: name a whole path")
    return Path(named)
