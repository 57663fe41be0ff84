"""Where endpoints are, for every kind of home: a session is found, or it is said where nobody could look."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from stimctl.errors import Misuse
from stimctl.remote_stop import ControlEndpoint, StopOutcome, StopStatus, stop_all
from stimctl.stop_files import run_folders

posix_only = pytest.mark.skipif(os.name != "posix", reason="users and file modes are POSIX")
root_only = pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() != 0, reason="only root becomes another user")


@pytest.fixture
def folder() -> Iterator[Path]:
    """Open to every user, and of a short name."""
    with tempfile.TemporaryDirectory(prefix="stimctl-") as made:
        Path(made).chmod(0o755)
        yield Path(made)


def endpoint() -> ControlEndpoint:
    return ControlEndpoint(lambda _reason: StopOutcome(zero_confirmed=True, after_us=5), dict)


def last() -> Path:
    return Path(f"/tmp/stimctl-{os.getuid()}")


def test_the_folder_that_is_named_is_the_only_one(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STIMCTL_RUN", str(folder))
    assert run_folders() == [folder]


@posix_only
def test_a_folder_that_is_no_whole_path_is_not_taken(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(folder))
    monkeypatch.setenv("STIMCTL_RUN", "run")
    with endpoint():
        monkeypatch.chdir(tmp_path)  # as another terminal has another working folder
        mine = [report for report in stop_all() if report.pid == os.getpid()]
    assert [report.outcome for report in mine] == [StopStatus.ZERO]


@posix_only
def test_it_does_not_depend_on_where_one_terminal_keeps_its_ledger(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STIMCTL_RUN", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", "/somewhere")
    monkeypatch.setenv("STIMCTL_DATA", "/elsewhere")
    first = Path("/somewhere/stimctl/run")
    assert run_folders() == ([first, last()] if sys.platform == "linux" else [run_folders()[0], last()])


@posix_only
@pytest.mark.parametrize("home", ["/dev/null", "/proc/1/nowhere", "/" + "x" * 120])
def test_a_home_that_cannot_hold_a_socket_is_gone_round(home: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STIMCTL_RUN", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", home)
    with endpoint():
        assert list(last().glob(f"{os.getpid()}-*.sock"))
        monkeypatch.setenv("XDG_DATA_HOME", "/nonexistent")  # as another terminal may have it
        mine = [report for report in stop_all() if report.pid == os.getpid()]
    assert [report.outcome for report in mine] == [StopStatus.ZERO]


@posix_only
def test_without_any_folder_the_sentence_says_what_was_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STIMCTL_RUN", "/dev/null/run")
    with pytest.raises(Misuse, match=r"/dev/null.*set STIMCTL_RUN to a folder of yours"):
        endpoint()


@posix_only
def test_a_folder_that_others_can_write_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STIMCTL_RUN", str(folder))
    with pytest.raises(Misuse, match="must be a folder of yours, closed to others"):
        endpoint()


def test_a_folder_that_is_not_there_holds_nothing_and_is_not_made(folder: Path) -> None:
    assert stop_all(folder=folder / "none") == []
    assert list(folder.iterdir()) == []


# As another user, who cannot read the Python that runs here: all is loaded before.
STOP = """
import os, platformdirs, platformdirs.unix, pwd
import stimctl.cli.errors, stimctl.cli.stop
os.setgroups([])
os.setgid(54321)
os.setuid(54321)
stimctl.cli.main(["stop"])
"""


@pytest.mark.realtime
@posix_only
@root_only
@pytest.mark.parametrize(
    ("environment", "code", "said"),
    [
        ({}, 3, "No session of yours runs on this machine"),  # no HOME, and no entry in the password file
        ({"HOME": "/nonexistent"}, 3, "No session of yours runs on this machine"),
        ({"HOME": "FOLDER/closed"}, 5, "FOLDER/closed/.local/share/stimctl/run cannot be looked into"),
    ],
)
def test_stop_always_works_or_says_why_not(environment: dict[str, str], code: int, said: str, folder: Path) -> None:
    (folder / "closed").mkdir(mode=0o700)
    there = {name: value.replace("FOLDER", str(folder)) for name, value in environment.items()}
    done = subprocess.run([sys.executable, "-c", STOP], env=there, capture_output=True, text=True, check=False)
    assert said.replace("FOLDER", str(folder)) in done.stdout + done.stderr
    assert done.returncode == code
    assert "Traceback" not in done.stderr
