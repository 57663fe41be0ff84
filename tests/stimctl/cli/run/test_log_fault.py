"""A log that cannot be written to its end, on every kind of device: the summary comes, and what it says is true."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from stimctl.cli import codes, main
from stimctl.ledger import Ledger
from tests.stimctl.cli.run.test_command import short
from tests.stimctl.ledger.test_damage import tmpfs

pytestmark = [
    pytest.mark.realtime,
    pytest.mark.skipif(os.name != "posix", reason="a limit on the size of files is POSIX"),
]

# Once the session has begun, the log's files grow by MORE bytes at most: to SQLite that is a full disk.
PROGRAM = """
import resource, sys
from stimctl.api import Session
from stimctl.cli import main
from stimctl.ledger.place import ledger_path
start = Session.start
def limited(session):
    start(session)
    begun = max(file.stat().st_size for file in ledger_path().parent.glob(ledger_path().name + "*"))
    limit = begun + MORE
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
Session.start = limited
main(sys.argv[1:])
"""
DEVICES = {
    "native": ("sim://", ()),
    "stimjim": ("sim://?device=stimjim&dialect=a", ("--device", "stimjim", "--dialect", "a")),
    "pulsepal": ("sim://?device=pulsepal", ("--device", "pulsepal", "--isolator", "1")),
}


def run(device: str, file: str, *more: str, further: int) -> "subprocess.CompletedProcess[str]":
    url, named = DEVICES[device]
    return stimctl("run", "bench-2-100hz", "--port", url, "--prescription", file, *named, *more, further=further)


def stimctl(*arguments: str, further: int) -> "subprocess.CompletedProcess[str]":
    program = PROGRAM.replace("MORE", str(further))
    return subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=False, timeout=60
    )


@pytest.mark.parametrize("further", [0, 9_000], ids=["at once", "in the middle"])
@pytest.mark.parametrize("device", DEVICES)
def test_the_summary_comes_with_end_zero_and_dose_and_the_exit_code_is_the_logs(
    device: str, further: int, tmp_path: Path
) -> None:
    done = run(device, short(tmp_path), further=further)
    assert done.returncode == codes.LOG, done.stderr
    assert "Traceback" not in done.stderr
    assert "HIGH alarm" in done.stdout
    assert "ended        " in done.stdout
    assert "zero output  " in done.stdout
    assert "all charge" in done.stdout
    assert "NOT WHOLE" in done.stdout
    armed = "never armed" not in done.stdout
    assert ("nothing was armed, so no dose is lost" in done.stdout) is not armed
    assert ("the dose is still in the device, which at sim:// ends" in done.stdout) is (armed and device == "native")
    assert ("the device keeps no dose" in done.stdout) is (armed and device != "native")


@pytest.mark.parametrize("device", DEVICES)
def test_the_document_says_so_too(device: str, tmp_path: Path) -> None:
    document = json.loads(run(device, short(tmp_path), "--json", further=0).stdout)
    assert document["run"]["log_fault"]
    assert document["session"]["head"]["end_reason"]
    assert document["session"]["zero_confirmed_us"] is not None
    assert [alarm["priority"] for alarm in document["run"]["alarms"]].count("HIGH") >= 1


def test_a_bench_run_tells_of_itself_too() -> None:
    done = stimctl("bench", "run", "--port", "sim://", "--ohm", "1000", "--seconds", "20", further=9_000)
    assert done.returncode == codes.LOG, done.stderr
    assert "NOT WHOLE" in done.stdout
    assert "ended        " in done.stdout
    assert "At the highest amplitude that was read" in done.stdout


def test_a_sweep_ends_with_the_step_that_is_not_logged() -> None:
    steps = ("--from", "0.5mA", "--to", "1mA", "--steps", "3")
    done = stimctl("bench", "sweep", "amplitude", "--port", "sim://", "--ohm", "1000", *steps, further=9_000)
    assert done.returncode == codes.LOG, done.stderr
    assert done.stdout.splitlines()[-1].split()[0] == "1"


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk takes root")
@pytest.mark.parametrize("command", [("run",), ("sweep", "amplitude", "--at", "1mA")], ids=["run", "sweep"])
def test_a_disk_that_has_no_room_for_a_session_is_told_before_one(command: tuple[str, ...], tmp_path: Path) -> None:
    load = ("--port", "sim://", "--ohm", "1000", "--seconds", "20")
    with tmpfs(tmp_path / "disk", "512k") as disk:
        result = CliRunner(env={"STIMCTL_DATA": str(disk)}).invoke(main, ["bench", *command, *load])
        with Ledger(disk / "ledger.sqlite", read_only=True) as ledger:
            assert not ledger.session_ids()
    assert result.exit_code == codes.LOG
    assert "the disk is full; make room and start again" in result.stderr
