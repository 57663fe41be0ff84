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

    def wait_for(self, count: int) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: self.count >= count, 40)

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
    recorder, starts = Recorder(), Starts()
    with tempfile.TemporaryDirectory(prefix="sc") as folder, served(which, recorder, starts) as url:
        file = Path(folder) / "load.toml"
        file.write_text(PRESCRIPTION, "utf-8")
        began_us = clock_us()
        host = subprocess.Popen(
            [*STIMCTL, "run", "bench-100hz", "--port", url, *options, "--prescription", str(file), "--unattended"],
            env={**os.environ, "STIMCTL_DATA": f"{folder}/data", "STIMCTL_RUN": f"{folder}/run"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        assert starts.wait_for(leases), f"only {starts.count} leases; the host's exit code is {host.poll()}"
        host.send_signal(signal.SIGKILL)
        host.wait(10)
        killed_us = clock_us() - began_us
        at_kill = starts.count
        assert starts.none_more(at_kill, limits.LEASE_US / 1e6 + 1.5)
    assert recorder.pulses(1) > 0
    # The device booted just before `began_us`, so its own times are a little later than these.
    assert recorder.end_us() <= killed_us + limits.LEASE_US + 1_000_000
    assert recorder.end_us() > killed_us - 500_000, "it was giving output when the host died"
