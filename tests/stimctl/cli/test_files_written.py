"""Files that commands write: of this user alone, whole or not there, and never in place of another unasked."""

import json
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from stimctl.cli import codes, main
from stimctl.profile import examples_folder
from tests.stimctl.cli.terminal import STIMCTL
from tests.stimctl.ledger.test_damage import tmpfs
from tests.stimctl.session.processes import simulator

BENCH = str(examples_folder() / "bench-2hz.toml")
RUN = f"run bench-2hz --port sim:// --prescription {BENCH}"
TRAFFIC = f"{RUN} --record-traffic FILE"
BENCH_RUN = "bench run --port sim:// --ohm 1000 --seconds 20 --telemetry FILE"
CAPTURE = "capture.npz"
ACCEPT = f"bench accept --profile bench-2hz --load 500 --capture {CAPTURE}"
WRITING = [
    "log backup FILE",
    "log export latest --format csv -o FILE",
    "log export latest --format parquet -o FILE",
    "log subject P-17 -o FILE",
    "log report latest --html FILE",
    "log keygen FILE",
    "course due --ics FILE",
    "profile new -o FILE",
    "preview bench-2hz -o FILE.svg",
    "prescription from-log latest -o FILE",
    f"{RUN} --save FILE",
    TRAFFIC,
    f"{BENCH_RUN}.csv",
    f"{BENCH_RUN}.parquet",
    "bench sweep width --port sim:// --ohm 1000 --at 100us --seconds 1 --csv FILE",
]
REPORTS = [  # made anew each time
    "conformance --port sim:// --only R-05 --html FILE",
    "conformance --port sim:// --only R-05 --junit FILE",
    f"{ACCEPT} --html FILE",
    f"{ACCEPT} --junit FILE",
]
OF_URLS = ["info --port sim://?record=FILE"]  # which are no command's own
RUN_ALL = """
import json, sys
from click.testing import CliRunner
from stimctl.cli import main
for words in json.loads(sys.argv[1]):
    result = CliRunner().invoke(main, words)
    odd = None if isinstance(result.exception, SystemExit) else repr(result.exception)
    print(json.dumps([result.exit_code, result.output, odd]))
"""


def stimctl(words: str) -> tuple[int, str]:
    result = CliRunner().invoke(main, words.split(), catch_exceptions=False)
    return result.exit_code, result.output


@pytest.fixture
def filled(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with a session and a course, and a capture in the folder where one works."""
    monkeypatch.chdir(tmp_path)
    np.savez(CAPTURE, ch1=np.zeros(1_000, np.float32), rate_hz=100_000)
    assert stimctl(RUN)[0] == codes.DONE
    assert stimctl("course new P-17 low-back-pain --simulated")[0] == codes.DONE
    return home


@pytest.mark.parametrize("words", [*WRITING, *REPORTS, *OF_URLS])
def test_a_file_is_its_users_alone_and_replaces_nothing(words: str, filled: Path, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    before = words.replace("FILE", str(folder / "file"))
    code, told = stimctl(before)
    assert code in (codes.DONE, codes.NOT_EXAMINED, codes.UNMET), told
    written = min(folder.iterdir(), key=lambda each: (each.suffix in (".anchor", ".pub"), each))
    if os.name == "posix":
        assert stat.S_IMODE(written.stat().st_mode) == 0o600
    written.write_bytes(b"another's")
    code, told = stimctl(before)
    if words not in WRITING:
        assert written.read_bytes() != b"another's"
        return
    assert code == codes.INVALID, told
    assert written.name in told
    assert written.read_bytes() == b"another's"


@pytest.mark.realtime
@pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX")
def test_a_simulators_files_are_its_users_alone_and_its_journal_takes_no_other_file(tmp_path: Path) -> None:
    with simulator(tmp_path, "--tcp", "0") as device:
        device.process.terminate()
        device.process.wait(20)
    spied = tmp_path / "spied"
    info = [*STIMCTL, "info", "--port", f"spy://{os.ttyname(os.openpty()[1])}?file={spied}"]
    subprocess.run(info, capture_output=True, check=False)
    for file in (tmp_path / "journal", tmp_path / "record", tmp_path / "flash", spied):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file
    other = tmp_path / "other"
    other.write_text("another's")
    code, told = stimctl(f"sim --tcp 0 --journal {other}")
    assert (code, other.read_text()) == (codes.INVALID, "another's")
    assert "is no journal, and nothing is added to it" in told


def refused(folder: Path, *before: str) -> None:
    """No command can write in that folder: each says so of its file, and leaves nothing under its name."""
    there = sorted(folder.iterdir())
    commands = [
        words.replace("FILE", str(folder / f"file{number}")) for number, words in enumerate([*WRITING, *REPORTS])
    ]
    listed = json.dumps([words.split() for words in commands])
    command = [*before, sys.executable, "-c", RUN_ALL, listed]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200, check=True)
    for number, (words, line) in enumerate(zip(commands, done.stdout.splitlines(), strict=True)):
        code, told, odd = json.loads(line)
        assert odd is None, (words, odd)
        assert code in (codes.INVALID, codes.LOG), (words, code, told)
        assert f"file{number}" in told.splitlines()[-1] or "NOT WHOLE" in told, (words, told)
    assert sorted(folder.iterdir()) == there


@pytest.mark.realtime
@pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX")
def test_a_folder_that_may_not_be_written_is_said(filled: Path, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir(mode=0o555)
    if os.geteuid() == 0 and not shutil.which("setpriv"):
        pytest.skip("the modes stop everybody but root")
    without = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if os.geteuid() == 0 else []
    refused(folder, *without)


@pytest.mark.realtime
@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="mounting a small disk takes root")
def test_a_full_disk_is_said(filled: Path, tmp_path: Path) -> None:
    with tmpfs(tmp_path / "disk", "8k") as disk:
        with pytest.raises(OSError, match="No space"):
            (disk / "much").write_bytes(bytes(100_000))
        refused(disk)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="mounting a small disk takes root")
def test_a_record_for_which_the_disk_is_too_small_is_not_whole(home: Path, tmp_path: Path) -> None:
    with tmpfs(tmp_path / "disk", "16k") as disk:
        code, told = stimctl(TRAFFIC.replace("FILE", str(disk / "file")))
        assert code == codes.INVALID, told
        assert "NOT WHOLE: the recording of traffic stopped: [Errno 28] No space left on device: of " in told
        code, told = stimctl(f"traffic show {disk / 'file'}")
        assert "may be cut short" in told
        assert "Identity" in told


def test_a_device_a_pipe_or_a_folder_is_not_replaced_though_asked(filled: Path, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    if not hasattr(os, "mkfifo"):
        pytest.skip("no pipes with a name here")
    os.mkfifo(pipe)
    for target in (pipe, tmp_path, Path(os.devnull)):
        code, told = stimctl(f"log subject P-17 --force -o {target}")
        assert code in (codes.INVALID, codes.USAGE), told
        assert target.exists()
        assert not target.is_file()
