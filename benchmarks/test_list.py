"""`stimctl log list` of ten thousand sessions, the whole program, beside 0.3 s; its memory is in the note."""

import subprocess
import sys
from pathlib import Path
from time import perf_counter_ns

import pytest

from benchmarks.interleave import ratio_of_times
from benchmarks.results import report
from stimctl.ledger import Ledger
from stimctl.ledger.append import draft, utc_now, utc_text
from stimctl.ledger.chain import canonical_body
from tests.stimctl.cli.log.test_command import CLOSED, OPENED

STIMCTL = Path(sys.executable).with_name("stimctl")
SESSIONS, BATCH = 10_000, 500
LIMIT_NS, LIMIT_MB = 300_000_000, 80


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("list")
    utc, opened, closed = utc_text(utc_now()), canonical_body(OPENED), canonical_body(CLOSED)
    with Ledger(found / "ledger.sqlite") as ledger:
        for first in range(0, SESSIONS, BATCH):
            ids = [f"20260131-{index:06}-7k3fq" for index in range(first, first + BATCH)]
            ledger._writable().append(
                [
                    each
                    for one in ids
                    for each in (draft(one, "opened", 0, utc, opened), draft(one, "closed", 1, utc, closed))
                ]
            )
    return found


def peak_mb(command: list[str]) -> int:
    """The most memory that a command takes. A small program begins it: a child begins as large as its parent."""
    program = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, check=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024)
"""
    done = subprocess.run([sys.executable, "-c", program, *command], capture_output=True, text=True, check=True)
    return int(done.stdout)


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_list_of_ten_thousand_sessions(folder: Path, options: tuple[str, ...]) -> None:
    command = [str(STIMCTL), "log", "--data", str(folder), "list", *options]

    def list_ns() -> int:
        begun = perf_counter_ns()
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
        return perf_counter_ns() - begun

    measured, _ = ratio_of_times(list_ns, lambda: LIMIT_NS, blocks=7, per_block=1)
    name = " ".join(("stimctl log list", *options))
    report(
        f"{name}, {SESSIONS:,} sessions / 0.3 s",
        measured,
        target="at most 1",
        note=f"{peak_mb(command)} of {LIMIT_MB} MB",
    )
