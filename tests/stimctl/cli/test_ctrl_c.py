"""SIGTERM and a closed terminal, in commands that have no handlers of their own."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from stimctl.cli import codes

WRITES = """
import sys
from pathlib import Path
from stimctl.cli.ctrl_c import like_ctrl_c
from stimctl.new_file import write_new

def parts():
    yield "half of it"
    print("begun", flush=True)
    sys.stdin.read()

try:
    with like_ctrl_c():
        write_new(Path(sys.argv[1]), parts(), force=False)
except BaseException as end:
    sys.exit(end.exit_code)
"""


@pytest.mark.realtime
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_leaves_no_half_of_a_file(number: signal.Signals, tmp_path: Path) -> None:
    command = [sys.executable, "-c", WRITES, str(tmp_path / "out")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        process.send_signal(number)
        assert process.wait(30) == codes.SIGNAL_BASE + number
    assert list(tmp_path.iterdir()) == []
