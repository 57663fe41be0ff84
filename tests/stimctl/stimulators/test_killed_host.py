"""When the host dies, output ends within one lease: a real process on a real pty, killed without warning."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from firmware_sim.analog.recorder import Recorder
from firmware_sim.factory import DeviceSpec
from firmware_sim.serve import PtyLine, clock_us, serve
from stimctl import limits

pytestmark = [
    pytest.mark.realtime,
    pytest.mark.skipif(sys.platform == "win32", reason="a pty exists on POSIX only"),
]
TRIES = 3
LATE_ENDS = (
    "no zero output confirmed",
    "no answer from the device in time",
    "no valid frame",
    "stood still",
    "was silent",
)
STIMCTL = [sys.executable, "-c", "from stimctl.cli import main; main()"]
PRESCRIPTION = """
format = 1
profile = "bench-100hz"
subject = "dummy_load"
operator = "test"
pseudonym = "load-1"
seconds = 60
ceiling_ma = 0.5
declared_ohm = 1000
[[channels]]
channel = 1
first = { point = "terminal 1" }
second = { point = "terminal 2" }
amplitude_ma = 0.5
needle = { diameter_mm = 0.30, inserted_mm = 30, coating = "none" }
"""


class Starts:
    """Counts what a device notes of its own starts, and wakes who waits for one."""

    def __init__(self) -> None:
        self.count = 0
        self._changed = threading.Condition()

    def __call__(self, entry: Any) -> None:
        with self._changed:
            self.count += entry["event"] == "started"
            self._changed.notify_all()

    def wait_for(self, count: int, host: "subprocess.Popen[bytes]") -> bool:
        """Whether there were as many before the host ended."""
        until_us = clock_us() + 40_000_000
        while self.count < count and host.poll() is None and clock_us() < until_us:
            with self._changed:
                self._changed.wait(0.1)
        return self.count >= count and host.poll() is None

    def none_more(self, than: int, for_s: float) -> bool:
        with self._changed:
            return not self._changed.wait_for(lambda: self.count > than, for_s)


@contextmanager
def served(which: DeviceSpec, recorder: Recorder, starts: Starts) -> Iterator[str]:
    """The device behind a pty, in real time; gives the pty's name."""
    line = PtyLine()
    device = which.make(seed=1, load="r1k", recorder=recorder, journal=starts, boot_us=clock_us())
    near, far = socket.socketpair()
    thread = threading.Thread(target=serve, args=(device, line, near))
    thread.start()
    try:
        yield line.url
    finally:
        far.send(b"x")
        thread.join(5)
        for each in (line, near, far):
            each.close()


def started(folder: Path, url: str, options: list[str]) -> "subprocess.Popen[bytes]":
    """A session in a process of its own; what it says goes into a file of this folder."""
    file = folder / "load.toml"
    file.write_text(PRESCRIPTION, "utf-8")
    with (folder / "said").open("wb") as said:
        return subprocess.Popen(
            [*STIMCTL, "run", "bench-100hz", "--port", url, *options, "--prescription", str(file), "--unattended"],
            env={**os.environ, "STIMCTL_DATA": f"{folder}/data", "STIMCTL_RUN": f"{folder}/run"},
            stdout=said,
            stderr=subprocess.STDOUT,
        )


def why_it_ended(folder: Path, host: "subprocess.Popen[bytes]") -> None:
    """A machine on which the board's process or the host's does not run for a time ends a session, and rightly so.

    Such an end shows nothing of a kill, and is told whatever the test's outcome; any other one fails the test.
    """
    host.kill()
    host.wait(10)
    said = (folder / "said").read_text("utf-8")
    assert any(each in said for each in LATE_ENDS), f"exit code {host.returncode}: {said}"
    print(f"BUSY MACHINE: a session ended before its host was killed: {said}", file=sys.__stderr__)


@pytest.mark.parametrize(
    ("which", "options", "leases"),
    [
        # Leases up to 0.5 mA: one of the check, ten of the ramp, then steady ones of 3 s.
        (DeviceSpec("stimjim", dialect="a"), ["--device", "stimjim", "--dialect", "a"], 14),
        (DeviceSpec("pulsepal", firmware="22"), ["--device", "pulsepal", "--isolator", "1"], 13),
    ],
    ids=["stimjim", "pulsepal"],
)
def test_output_ends_within_one_lease(which: DeviceSpec, options: list[str], leases: int) -> None:
    for _ in range(TRIES):
        recorder, starts = Recorder(), Starts()
        with tempfile.TemporaryDirectory(prefix="sc") as folder, served(which, recorder, starts) as url:
            began_us = clock_us()
            host = started(Path(folder), url, options)
            if not starts.wait_for(leases, host):
                why_it_ended(Path(folder), host)
                continue
            host.send_signal(signal.SIGKILL)
            host.wait(10)
            killed_us = clock_us() - began_us
            at_kill = starts.count
            assert starts.none_more(at_kill, limits.LEASE_US / 1e6 + 1.5)
        break
    else:
        pytest.fail(f"{TRIES} sessions ended before their host could be killed")
    assert recorder.pulses(1) > 0
    # The device booted just before `began_us`, so its own times are a little later than these.
    assert recorder.end_us() <= killed_us + limits.LEASE_US + 1_000_000
    assert recorder.end_us() > killed_us - 500_000, "it was giving output when the host died"
