"""The file that says that its process lives."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from stimctl.errors import Misuse
from stimctl.lock_file import ProcessLock, is_alive, private_folder

HOLD = """
import sys
from pathlib import Path
from stimctl.lock_file import ProcessLock
held = ProcessLock(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.readline()
"""


def test_held_until_released(tmp_path: Path) -> None:
    path = tmp_path / "one.lock"
    assert not is_alive(path)
    held = ProcessLock(path)
    assert is_alive(path)
    assert is_alive(path), "asking changes nothing"
    with pytest.raises(Misuse, match="still running"):
        ProcessLock(path)
    assert is_alive(path), "nor does trying to take it"
    held.release()
    held.release()
    assert not is_alive(path)
    assert not path.exists()


def test_file_without_a_holder_is_not_alive(tmp_path: Path) -> None:
    (tmp_path / "left.lock").write_text("")
    assert not is_alive(tmp_path / "left.lock")


@pytest.mark.realtime
def test_death_of_the_holder_is_seen_and_the_file_may_be_held_again(tmp_path: Path) -> None:
    path = tmp_path / "one.lock"
    command = [sys.executable, "-c", HOLD, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout
        assert child.stdout.readline() == b"held\n"
        assert is_alive(path)
        child.kill()
        child.wait()
    assert not is_alive(path)
    ProcessLock(path).release()


@pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX")
def test_private_folder_is_made_once_and_left_alone_after(tmp_path: Path) -> None:
    made = private_folder(tmp_path / "a" / "b")
    assert stat.S_IMODE(made.stat().st_mode) == 0o700
    made.chmod(0o750)
    assert private_folder(made) == made
    assert stat.S_IMODE(made.stat().st_mode) == 0o750


@pytest.mark.skipif(os.name != "posix", reason="only POSIX lets a file be removed while it is held")
def test_a_lock_that_was_taken_away_is_seen_and_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "live" / "one.lock"
    private_folder(path.parent)
    held = ProcessLock(path)
    assert held.in_place()
    path.unlink()
    assert not held.in_place()
    path.write_text("")
    assert not held.in_place(), "another file of that name is not the one"
    path.unlink()
    path.parent.rmdir()
    held.make_anew()
    assert held.in_place()
    assert is_alive(path)
    held.release()
    assert not held.in_place()
    assert not is_alive(path)
