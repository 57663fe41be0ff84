"""The files of the endpoints that `stimctl stop` finds: where they are, whose they are, and which of them live.

Beside its socket an endpoint has a file with the key to it, and one that its process keeps locked while it lives
(`stimctl.lock_file`): what a dead process left is known as such, and removed. The folders depend on nothing that
differs between two terminals of one user, so that a stop always finds what there is to stop.
"""

import json
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import suppress
from fnmatch import fnmatch
from pathlib import Path
from typing import NamedTuple

from stimctl.errors import Misuse
from stimctl.lock_file import is_alive, private_folder, remove
from stimctl.look import refuse_pipe
from stimctl.user_folder import user_folder


class EndpointFiles(NamedTuple):
    """Where one session's endpoint keeps its files."""

    folder: Path
    name: str

    @property
    def lock(self) -> Path:
        return self.folder / f"{self.name}.lock"

    @property
    def key_file(self) -> Path:
        return self.folder / f"{self.name}.json"

    @property
    def address(self) -> str:
        return rf"\\.\pipe\stimctl-{self.name}" if os.name == "nt" else str(self.folder / f"{self.name}.sock")

    @property
    def pid(self) -> int:
        return int(self.name.partition("-")[0])

    def clean(self) -> None:
        for path in (self.key_file, self.folder / f"{self.name}.sock", self.lock):
            remove(path)


def run_folders() -> list[Path]:
    """Where endpoints may be: what STIMCTL_RUN names, or `run` in this user's data folder, then /tmp/stimctl-UID.

    A session takes the first that it can use, and a stop looks into all of them; the last depends on the user alone,
    for one whose home folder is missing, read-only, or of too long a name. What is no whole path is not taken: a stop
    from another working folder would look elsewhere.
    """
    chosen = Path(os.environ.get("STIMCTL_RUN", ""))
    if chosen.is_absolute():
        return [chosen]
    folders = []
    with suppress(Misuse):
        folders.append(user_folder("data", "STIMCTL_RUN") / "run")
    if sys.platform != "win32":
        folders.append(Path(f"/tmp/stimctl-{os.getuid()}"))
    return folders


def living(folder: Path) -> Iterator[EndpointFiles]:
    """The endpoints whose process lives; the files of the others are removed on the way. Raises `OSError`.

    A folder that is not there has none.
    """
    try:
        names = sorted(os.listdir(folder))  # noqa: PTH208 - a glob would hide that it cannot be read
    except (FileNotFoundError, NotADirectoryError):
        return
    for key_file in (folder / name for name in names if fnmatch(name, "*-*.json")):
        endpoint = EndpointFiles(folder, key_file.stem)
        if not endpoint.name.partition("-")[0].isdigit() or not _of_this_user_and_machine(key_file):
            continue
        if is_alive(endpoint.lock):
            yield endpoint
        else:
            endpoint.clean()


def _of_this_user_and_machine(key_file: Path) -> bool:
    # A home folder may be shared by several machines; a session on another one cannot be reached from here.
    try:
        mine = sys.platform == "win32" or key_file.stat().st_uid == os.getuid()
        refuse_pipe(key_file)
        return mine and bool(json.loads(key_file.read_text()).get("host") == socket.gethostname())
    except FileNotFoundError:
        return False
    except (OSError, ValueError, AttributeError):
        return True  # damaged: if its process lives, it must be told of


def private(folder: Path) -> Path:
    """The folder, made where it is missing. Raises `Misuse` for one that is not this user's alone."""
    private_folder(private_folder(folder.parent) / folder.name)
    if sys.platform == "win32":
        return folder  # a Windows profile is its user's alone, and so is a named pipe's default
    status = folder.lstat()
    if folder.is_symlink() or status.st_uid != os.getuid() or status.st_mode & 0o077:
        raise Misuse(f"{folder} must be a folder of yours, closed to others: remove it, or chmod 700 it")
    return folder


def write_key(endpoint: EndpointFiles, key: bytes) -> None:
    record = {"host": socket.gethostname(), "pid": os.getpid(), "key": key.hex()}
    # Written aside and then put in place, so that nobody finds half a key.
    aside = endpoint.key_file.with_suffix(".new")
    with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(record, file)
    aside.replace(endpoint.key_file)
