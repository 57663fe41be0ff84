"""What stands at a path: seen, not seen because nothing is there, or not to be seen."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from stimctl.look import is_file, is_folder, is_there

ROOT = Path(__file__).parents[2]
LOOKS = (is_there, is_file, is_folder)


def seen(path: Path) -> list[bool]:
    return [look(path) for look in LOOKS]


def test_what_stands_there(tmp_path: Path) -> None:
    file, link, nowhere, ring = (tmp_path / name for name in ("file", "link", "nowhere", "ring"))
    file.write_text("")
    link.symlink_to(file)
    nowhere.symlink_to(tmp_path / "none")
    ring.symlink_to(ring)
    assert seen(file) == seen(link) == [True, True, False]
    assert seen(tmp_path) == [True, False, True]
    for none in (tmp_path / "none", file / "below", nowhere, ring, Path("a\0b")):
        assert seen(none) == [False, False, False]


@pytest.mark.skipif(sys.platform != "linux", reason="needs setpriv")
@pytest.mark.parametrize("look", LOOKS)
def test_where_nobody_may_look_is_not_where_nothing_is(tmp_path: Path, look: object) -> None:
    closed = tmp_path / "closed"
    (closed / "below").mkdir(parents=True)
    closed.chmod(0)
    name = look.__name__  # type: ignore[attr-defined]
    program = f"from pathlib import Path; from stimctl.look import {name}; {name}(Path({str(closed / 'below')!r}))"
    # Root may look anywhere, unless it is without the right to.
    command = [
        shutil.which("setpriv") or pytest.skip("setpriv (util-linux) is not there"),
        "--bounding-set=-dac_override,-dac_read_search",
        sys.executable,
        "-c",
        program,
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    closed.chmod(0o700)
    assert "PermissionError" in done.stderr


PIPED = """
import os, sys
from datetime import date
from pathlib import Path
from stimctl.calibration import _home, standing_of
from stimctl.cli.ask.draft import Draft
from stimctl.lock_file import is_alive
from stimctl.profile import load_profiles
from stimctl.stop_files import living
folder = Path(sys.argv[1])
os.environ["STIMCTL_STATE"] = str(folder)
draft = Draft("low-back-pain")
record = _home(folder, "model", "serial") / "record.json"
record.parent.mkdir(parents=True)
profile, lock, key = (folder / name for name in ("x.toml", "s.lock", f"{os.getpid()}-1.json"))
for pipe in (profile, lock, key, record, draft.path):
    os.mkfifo(pipe)
print(load_profiles(folder).faults[0])
print(standing_of(folder, "model", "serial", date(2026, 1, 31), "1").overdue)
print(draft.load(), is_alive(lock), list(living(folder)))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no pipes with a name there")
def test_a_pipe_that_stands_where_a_file_is_looked_for_is_not_waited_for(tmp_path: Path) -> None:
    command = [sys.executable, "-c", PIPED, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=20)
    assert "x.toml:\n  file: it is a pipe, and no file" in done.stdout
    assert "record.json:\n  file: cannot be read: it is a pipe, and no file" in done.stdout
    assert done.stdout.endswith("\nNone False []\n")
    assert "it is a pipe, and no file" in done.stderr


def test_nobody_looks_in_another_way() -> None:
    other_ways = re.compile(r"\.(exists|is_file|is_dir)\(\)")
    found = [
        str(path.relative_to(ROOT))
        for path in sorted((ROOT / "stimctl").rglob("*.py"))
        if other_ways.search(path.read_text("utf-8"))
    ]
    assert found == []
