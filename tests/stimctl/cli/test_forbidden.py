"""Folders that this user may not enter: a sentence that names the file, an exit code, and no traceback."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from stimctl.cli import codes
from stimctl.ledger import Ledger

pytestmark = pytest.mark.skipif(os.name != "posix", reason="permissions of folders are POSIX")

STIMCTL = str(Path(sys.executable).with_name("stimctl"))
BENCH = ("--port", "sim://", "--ohm", "1000", "--seconds", "20")


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder that its owner may not enter."""
    folder = tmp_path_factory.mktemp("closed")
    folder.chmod(0)
    yield folder
    folder.chmod(0o700)


def run(home: Path, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """stimctl without the privileges that open every folder to root."""
    command = [STIMCTL, *arguments]
    if os.geteuid() == 0:
        setpriv = shutil.which("setpriv")
        if setpriv is None:
            pytest.skip("root may enter every folder, and setpriv (util-linux) is not there to take that away")
        command = [setpriv, "--bounding-set=-dac_override,-dac_read_search", *command]
    of_user = {name: text for name, text in os.environ.items() if not name.startswith(("STIMCTL_", "XDG_"))}
    return subprocess.run(
        command, env={**of_user, "HOME": str(home), **environment}, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ("log", "list"),
        ("log", "show", "latest"),
        ("log", "note", "latest", "a text"),
        ("log", "recover"),
        ("prescription", "from-log", "latest"),
        ("run", "low-back-pain", "--again", "--port", "sim://"),
        ("bench", "run", *BENCH),
    ],
    ids=" ".join,
)
def test_a_log_in_a_home_that_is_closed(closed: Path, arguments: tuple[str, ...]) -> None:
    done = run(closed, *arguments)
    assert done.returncode == codes.LOG, done.stderr
    assert f"{closed}/.local/share/stimctl/ledger.sqlite" in done.stderr


@pytest.mark.parametrize("command", ["log list", "log verify", "course due"])
@pytest.mark.parametrize("by", ["option", "variable"])
def test_a_data_folder_that_is_closed(closed: Path, tmp_path: Path, command: str, by: str) -> None:
    group, what = command.split()
    named = ("--data", str(closed)) if by == "option" else ()
    done = run(tmp_path, group, *named, what, **({} if named else {"STIMCTL_DATA": str(closed)}))
    assert done.returncode == codes.LOG, done.stderr
    assert f"the ledger {closed}/ledger.sqlite" in done.stderr
    assert "Permission denied" in done.stderr
    assert "Permission denied" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "command",
    [
        "bench run --port sim:// --ohm 1000 --telemetry FOLDER/file.csv",
        "scenario run FOLDER/file.toml",
        "prescription check FOLDER/file.toml",
        "preview bench-2hz -o FOLDER/file.png",
    ],
)
def test_a_file_in_a_folder_that_is_closed(closed: Path, tmp_path: Path, command: str) -> None:
    done = run(tmp_path, *command.replace("FOLDER", str(closed)).split())
    assert done.returncode == codes.INVALID, done.stderr
    assert f"{closed}/file." in done.stderr
    assert "Permission denied" in done.stderr or f"nothing may be written in the folder {closed}" in done.stderr
    assert "Traceback" not in done.stderr


def test_completion_offers_nothing_and_says_nothing(closed: Path) -> None:
    asked = {"_STIMCTL_COMPLETE": "bash_complete", "COMP_WORDS": "stimctl log show ", "COMP_CWORD": "3"}
    done = run(closed, **asked)
    assert (done.stdout.strip(), done.stderr) == ("", "")


@pytest.mark.parametrize("with_wal", [False, True])
def test_a_log_in_a_folder_that_may_only_be_read(tmp_path: Path, with_wal: bool) -> None:
    """Without a write-ahead log it is read as it lies; with one SQLite would have to write beside it."""
    folder = tmp_path / "data"
    with Ledger(folder / "ledger.sqlite") as ledger:
        ledger.append("20261126-120000-aaaaa", "opened", 0, {"pseudonym": "P-17"})
        aside = {each.name: each.read_bytes() for each in folder.iterdir() if with_wal and each.suffix != ".sqlite-shm"}
    for name, content in aside.items():
        (folder / name).write_bytes(content)
    for each in folder.iterdir():
        each.chmod(0o400)
    folder.chmod(0o500)
    try:
        done = run(tmp_path, "log", "list", STIMCTL_DATA=str(folder))
    finally:
        folder.chmod(0o700)
    assert "Traceback" not in done.stderr
    assert done.returncode == (codes.LOG if with_wal else codes.DONE), done.stderr
    assert ("copy both, and its anchor, into a folder of your own" in done.stderr) is with_wal
    assert ("P-17" in done.stdout) is not with_wal


@pytest.mark.parametrize(
    "words", ["log list", "log verify", "course due", "run --again --port sim://", "bench run --port sim:// --ohm 1k"]
)
def test_a_log_that_may_not_be_read_is_said_to_be_so_by_every_command(tmp_path: Path, words: str) -> None:
    folder = tmp_path / "data"
    with Ledger(folder / "ledger.sqlite") as ledger:
        ledger.append("20261126-120000-aaaaa", "note", 0, {})
    (folder / "ledger.sqlite").chmod(0)
    done = run(tmp_path, *words.split(), STIMCTL_DATA=str(folder))
    assert done.returncode == codes.LOG, done.stderr
    assert "ledger.sqlite is out of your reach" in done.stderr


@pytest.fixture
def read_only(tmp_path: Path) -> Iterator[Path]:
    """A data folder with a ledger, neither of which may be written."""
    folder = tmp_path / "data"
    Ledger(folder / "ledger.sqlite").close()
    (folder / "ledger.sqlite").chmod(0o400)
    folder.chmod(0o500)
    yield folder
    folder.chmod(0o700)


def test_a_log_that_cannot_be_written_is_told_before_a_session(read_only: Path, tmp_path: Path) -> None:
    file = "profiles/examples/low-back-pain.toml"
    done = run(
        tmp_path, "run", "low-back-pain", "--port", "sim://", "--prescription", file, STIMCTL_DATA=str(read_only)
    )
    assert done.returncode == codes.LOG, done.stderr
    assert f"the ledger {read_only}/ledger.sqlite: it cannot be written; check the owner and the mode" in done.stderr
    assert done.stdout == "", "no device is asked for anything"
