"""`stimctl log list` of ten thousand sessions, the whole program, beside 0.3 s; its memory is in the note."""

import os
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


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_list_of_ten_thousand_sessions(folder: Path, options: tuple[str, ...]) -> None:
    peaks: list[int] = []

    def list_ns() -> int:
        begun = perf_counter_ns()
        child = subprocess.Popen([STIMCTL, "log", "--data", folder, "list", *options], stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        assert child.returncode == 0
        peaks.append(usage.ru_maxrss // 1024)
        return perf_counter_ns() - begun

    measured, _ = ratio_of_times(list_ns, lambda: LIMIT_NS, blocks=7, per_block=1)
    name = " ".join(("stimctl log list", *options))
    report(
        f"{name}, {SESSIONS:,} sessions / 0.3 s", measured, target="at most 1", note=f"{max(peaks)} of {LIMIT_MB} MB"
    )
