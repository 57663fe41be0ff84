"""Killed at any moment: whatever was reported as written is there afterwards, and the chain holds.

This shows the death of the process. That a commit survives the loss of power rests on SQLite's
synchronous=FULL and on the disk.
"""

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from stimctl.ledger import Ledger

BY_APPEND = """
import sys
from pathlib import Path
from stimctl.ledger import Ledger
ledger = Ledger(Path(sys.argv[1]))
while True:
    print(ledger.append("s-1", "sample", 0, {"text": "x" * 300}), flush=True)
"""

BY_WRITER = """
import sys
from pathlib import Path
from stimctl.ledger import Ledger
ledger = Ledger(Path(sys.argv[1]))
before = len(list(ledger.entries()))
log = ledger.writer(sys.argv[2])
count = 0
while True:
    for _ in range(7):
        log.put("sample", count, {"n": count})
        count += 1
    log.drain(10)
    print(before + count, flush=True)
"""


def spin(seconds: float) -> None:
    """Wait for less than a scheduler would let us sleep."""
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        pass


def reported(code: str, path: Path, session_id: str, lines: int, extra_s: float) -> int:
    """Run a child until it has reported `lines` times and a little more, kill it, and return its last report."""
    with subprocess.Popen([sys.executable, "-c", code, str(path), session_id], stdout=subprocess.PIPE) as child:
        assert child.stdout
        seen = [child.stdout.readline() for _ in range(lines)]
        spin(extra_s)
        child.kill()
        rest = child.communicate()[0].splitlines(keepends=True)
    whole = [line for line in (*seen, *rest) if line.endswith(b"\n")]
    return int(whole[-1]) if whole else 0


@pytest.mark.realtime
@pytest.mark.parametrize("code", [BY_APPEND, BY_WRITER], ids=["append", "writer"])
def test_nothing_reported_is_lost(path: Path, code: str) -> None:
    chance = random.Random(20260131)
    last = 0
    for attempt in range(15):
        # Every third child dies while it starts, or opens and recovers what the one before left.
        lines = 0 if attempt % 3 == 2 else chance.randrange(1, 40)
        extra_s = chance.uniform(0.02, 0.12) if lines == 0 else chance.uniform(0, 0.003)
        last = max(last, reported(code, path, f"s-{attempt}", lines, extra_s))
        with Ledger(path) as ledger:
            verdict = ledger.verify()
            assert verdict.ok, verdict.broken
            assert verdict.entries >= last
        last = verdict.entries
    assert last > 100, "the children wrote enough for this to mean something"


@pytest.mark.realtime
def test_killed_writer_loses_nothing_it_reported_while_another_process_appends(path: Path) -> None:
    with Ledger(path) as ledger:
        with subprocess.Popen([sys.executable, "-c", BY_APPEND, str(path)], stdout=subprocess.PIPE) as child:
            assert child.stdout
            numbers = [int(child.stdout.readline())]
            try:
                mine = [ledger.append("s-2", "note", 0, {}) for _ in range(20)]
            finally:
                child.kill()
            numbers += [int(line) for line in child.communicate()[0].splitlines(keepends=True) if line.endswith(b"\n")]
        theirs = {entry.number for entry in ledger.entries("s-1")}
        assert set(numbers) <= theirs
        assert {entry.number for entry in ledger.entries("s-2")} == set(mine)
        assert ledger.verify().ok
