"""A disk that fails in the middle of an append: a sentence, nothing that was reported is lost, a session ends at zero.

The failing calls are those of a library that is loaded before the C library's own (`failing_disk.c`).
"""

import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from stimctl.cli import codes
from stimctl.ledger import Ledger
from tests.stimctl.cli.run.test_command import short

pytestmark = [
    pytest.mark.realtime,
    pytest.mark.skipif(sys.platform != "linux", reason="the failing calls are made by preloading a library into Linux"),
]
SOURCE = Path(__file__).parent / "failing_disk.c"
BREAK = """
import os, sys
def break_disk():
    os.environ.update(zip(("DISK_NAME", "DISK_CALL", "DISK_AFTER", "DISK_ERRNO"), sys.argv[1].split(",")))
"""
APPENDS = f"""{BREAK}
from pathlib import Path
from stimctl.errors import LogFault
from stimctl.ledger import Ledger
ledger = Ledger(Path(sys.argv[2]))
for _ in range(5):
    print(ledger.append("s-1", "note", 0, {{"text": "x" * 300}}))
break_disk()
try:
    while True:
        print(ledger.append("s-1", "note", 0, {{"text": "x" * 300}}))
except LogFault as fault:
    print("fault", fault)
try:
    print(ledger.append("s-1", "note", 0, {{"text": "once more"}}))
except LogFault as fault:
    print("fault", fault)
"""
SESSION = f"""{BREAK}
from stimctl.api import Session
from stimctl.cli import main
start = Session.start
def started(session):
    start(session)
    break_disk()
Session.start = started
main(sys.argv[2:])
"""
FULL, BROKEN = "the disk is full; make room and start again", "the disk reports an error; do not trust it"
# Which file, which call, after how many of them, with which error, and what is said.
FAILURES = {
    "log write EIO": ("-wal", "write", 9, errno.EIO, BROKEN),
    "log write ENOSPC": ("-wal", "write", 10, errno.ENOSPC, FULL),
    "log sync EIO": ("-wal", "sync", 3, errno.EIO, BROKEN),
    "anchor write EIO": (".anchor", "write", 3, errno.EIO, BROKEN),
    "anchor write ENOSPC": (".anchor", "write", 2, errno.ENOSPC, FULL),
    "anchor write EDQUOT": (".anchor", "write", 2, errno.EDQUOT, FULL),
    "anchor sync EIO": (".anchor", "sync", 2, errno.EIO, BROKEN),
    "anchor read EIO": (".anchor", "read", 4, errno.EIO, BROKEN),
}
each_failure = pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        pytest.skip("there is no C compiler here (Debian: apt-get install gcc)")
    made = tmp_path_factory.mktemp("disk") / "failing_disk.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-o", made, SOURCE, "-ldl"], check=True)
    return made


def program(
    library: Path, text: str, failure: tuple[object, ...], *arguments: str
) -> "subprocess.CompletedProcess[str]":
    how = ",".join(map(str, failure[:4]))
    environment = {**os.environ, "LD_PRELOAD": str(library)}
    return subprocess.run(
        [sys.executable, "-c", text, how, *arguments],
        env=environment, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip


@each_failure
def test_what_was_reported_is_there_and_the_failure_is_told(
    library: Path, path: Path, failure: tuple[str, str, int, int, str]
) -> None:
    done = program(library, APPENDS, failure, str(path))
    assert done.returncode == 0, done.stderr
    said = done.stdout.splitlines()
    reported = [int(line) for line in said if line.isdecimal()]
    first, again = (line for line in said if line.startswith("fault"))
    assert failure[4] in first
    assert str(path) in first
    assert again
    with Ledger(path) as ledger:
        assert ledger.sealed is None, "the disk is whole again, and so is the ledger"
        assert ledger.verify().ok
        assert reported == list(range(1, len(reported) + 1))
        assert {entry.number for entry in ledger.entries("s-1")} >= set(reported)
        assert ledger.append("s-1", "note", 0, {}) > reported[-1]


@pytest.mark.parametrize("name", ["log write EIO", "log sync EIO", "anchor sync EIO", "anchor write ENOSPC"])
def test_a_session_ends_at_zero_and_says_what_its_log_lacks(
    library: Path, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    where, call, _after, number, said = FAILURES[name]
    failure = (where, call, 0, number)
    options = ("--port", "sim://", "--prescription", short(tmp_path))
    monkeypatch.setenv("STIMCTL_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("STIMCTL_RUN", str(tmp_path / "run"))
    done = program(library, SESSION, failure, "run", "bench-2-100hz", *options)
    assert done.returncode == codes.LOG, done.stderr
    assert "Traceback" not in done.stderr
    assert "zero output  measured and confirmed" in done.stdout
    assert "NOT WHOLE" in done.stdout
    assert said in done.stdout
    with Ledger(tmp_path / "data" / "ledger.sqlite") as ledger:
        assert ledger.sealed is None
        assert ledger.verify().ok


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL])
def test_a_disk_without_locks_is_said_to_have_none(library: Path, path: Path, number: int) -> None:
    with Ledger(path) as ledger:
        ledger.append("s-1", "note", 0, {})
    done = program(library, APPENDS.replace("ledger = ", "break_disk()\nledger = "), ("", "lock", 0, number), str(path))
    assert f"LogFault: the ledger {path} cannot be locked: its disk has no file locks" in done.stderr
