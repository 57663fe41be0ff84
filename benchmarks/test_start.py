"""`stimctl --help` beside the least that Python can do."""

import subprocess
import sys
from pathlib import Path

from benchmarks.interleave import ratio
from benchmarks.results import report

STIMCTL = Path(sys.executable).with_name("stimctl")


def test_help_beside_bare_python() -> None:
    def help_text() -> None:
        done = subprocess.run([STIMCTL, "--help"], check=True, capture_output=True)
        assert b"Commands:" in done.stdout

    def bare() -> None:
        subprocess.run([sys.executable, "-c", "pass"], check=True, capture_output=True)

    def empty_list() -> None:
        subprocess.run([STIMCTL, "log", "--data", "no-such-folder", "list"], check=True, capture_output=True)

    report(
        "stimctl log list on an empty log / python -c pass",
        ratio(empty_list, bare, blocks=15, per_block=3),
        target="at most 8",
    )
    report("stimctl --help / python -c pass", ratio(help_text, bare, blocks=15, per_block=3), target="at most 4")
