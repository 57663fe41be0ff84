"""Commands that write, killed at any moment: what was said to be added is there, and whatever comes next goes on."""

import json
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from stimctl.cli import main
from stimctl.ledger import Ledger
from tests.stimctl.ledger.conftest import write_session

pytestmark = pytest.mark.realtime

# The commands in turns, in one process: to start one takes longer than to write, and what writes is to be hit.
PROGRAM = """
import sys
from itertools import count
from stimctl.cli import main
def stimctl(*arguments):
    main(arguments, standalone_mode=False)
    sys.stdout.flush()
for turn in count():
    text = f"{sys.argv[1]} {turn}"
    stimctl("log", "note", "latest", text, "--author", "AO")
    stimctl("log", "adverse", "latest", text, "--severity", "mild")
    stimctl("log", "score", "latest", "--when", "after", "--pain", "3")
    stimctl("log", "correct", "2", text)
    stimctl("course", "note", "P-17", text)
    stimctl("course", "adverse", "P-17", text)
    stimctl("course", "correct", "P-17", "--per-week", "2", "--clinician", "Dr. O.", "--why", text)
    stimctl("log", "subject", "P-17", "-o", sys.argv[2], "--force")
    stimctl("log", "backup", f"{sys.argv[2]}.{sys.argv[1]}.{turn}")
"""


def killed(name: str, output: Path, chance: random.Random, *, lines: int) -> list[str]:
    """What a child said that was killed a little after it had said so many lines."""
    command = [sys.executable, "-c", PROGRAM, name, str(output)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout
        said = [child.stdout.readline() for _ in range(lines)]
        time.sleep(chance.uniform(0, 0.03))
        child.kill()
        said += child.stdout.readlines()
    return [line for line in said if line.endswith("\n")]


@pytest.mark.slow
def test_what_was_said_to_be_added_is_there(home: Path, tmp_path: Path) -> None:
    chance, path, output = random.Random(20260131), home / "ledger.sqlite", tmp_path / "P-17.json"
    with Ledger(path) as ledger:
        write_session(ledger, session_id="s-1", simulator=False)
    assert CliRunner().invoke(main, ("course", "new", "P-17", "low-back-pain")).exit_code == 0
    added = 0
    for attempt in range(12):
        said = killed(f"child-{attempt}", output, chance, lines=chance.randrange(1, 25))
        numbers = [int(line.rstrip(".\n").rpartition(" ")[2]) for line in said if "entry" in line]
        added += len(numbers)
        with Ledger(path) as ledger:
            assert ledger.sealed is None
            verdict = ledger.verify()
            assert verdict.ok, verdict.broken
            assert {entry.number for entry in ledger.entries()} >= set(numbers)
            assert ledger.summary("s-1").faults == ()
        # A file is there whole, or as it was before; what was said to be copied verifies.
        if output.exists():
            assert json.loads(output.read_text())["verifies"]
        for line in said:
            if "copied to" in line:
                with Ledger(Path(line.partition("copied to ")[2].rpartition(", and")[0]), read_only=True) as copy:
                    assert copy.verify().ok
    assert added > 50, "the children wrote enough for this to mean something"
