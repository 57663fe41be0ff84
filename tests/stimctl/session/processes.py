"""The simulated stimulator as a process of its own, and hosts as processes, for what is real only between processes."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from firmware_sim.slot_file import newest
from stimctl.wire.codes import EndReason

ROOT = Path(__file__).parents[3]
POLL_S = 0.01

HOST = """
import sys
from pathlib import Path
from stimctl.api import Session
from stimctl.ledger import Ledger
from tests.stimctl.session.world import prescription

url, path, seconds = sys.argv[1:]
with Ledger(Path(path)) as ledger, Session(url, prescription(seconds=float(seconds)), ledger) as session:
    print(session.session_id, flush=True)
    print(session.run().end.name, flush=True)
"""


def started(*command: str) -> subprocess.Popen[str]:
    """A Python process in the checkout, whose output is read."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    return subprocess.Popen(
        [sys.executable, *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT, env=environment
    )


def next_line(process: subprocess.Popen[str]) -> str:
    """The next line that a process prints."""
    assert process.stdout is not None
    line = process.stdout.readline().strip()
    if not line:
        raise AssertionError(process.communicate()[1])
    return line


def wait_until(happens: Callable[[], Any], what: str, timeout_s: float = 15) -> Any:
    """Look again and again until `happens` gives something."""
    until_s = time.monotonic() + timeout_s
    while not (found := happens()):
        assert time.monotonic() < until_s, f"waited {timeout_s:g} s for {what}"
        time.sleep(POLL_S)
    return found


def monotonic_us() -> int:
    """The clock of the simulator's journal."""
    return time.monotonic_ns() // 1_000


@dataclass(frozen=True)
class Simulator:
    """A simulator that runs: where it is reached, and what it writes down of itself."""

    url: str
    process: subprocess.Popen[str]
    folder: Path

    def journal(self, **wanted: Any) -> list[dict[str, Any]]:
        """Its own record so far; of entries with these values where some are named."""
        lines = (self.folder / "journal").read_text("utf-8").splitlines()
        entries = [json.loads(line) for line in lines if line.endswith("}")]
        return [entry for entry in entries if all(entry.get(name) == value for name, value in wanted.items())]

    def waits_for(self, **wanted: Any) -> dict[str, Any]:
        """The first entry with these values, waited for."""
        found: list[dict[str, Any]] = wait_until(lambda: self.journal(**wanted), f"{wanted} in the journal")
        return found[0]

    def flash(self) -> dict[str, Any]:
        """What it keeps without power, once its session has ended: saved at each change of state."""

        def ended() -> Any:
            session = json.loads(newest(self.folder / "flash") or "{}")["session"]
            return session if session and session["end_reason"] != EndReason.NONE else None

        session: dict[str, Any] = wait_until(ended, "an ended session in the flash")
        return session

    def end(self) -> None:
        """Ask it to end, so that it writes its samples."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)


@contextmanager
def simulator(folder: Path, *options: str) -> Iterator[Simulator]:
    """A simulator with journal, flash and record in `folder`; `options` say how to reach it."""
    folder.mkdir(parents=True, exist_ok=True)
    kept = [f"--{name}={folder / name}" for name in ("journal", "flash", "record")]
    process = started("-c", "from stimctl.cli import main; main()", "sim", *options, *kept)
    try:
        yield Simulator(next_line(process), process, folder)
    finally:
        process.kill()
        process.communicate()


@contextmanager
def host(url: str, ledger: Path, seconds: float = 60) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A process that runs a session, and the session's id."""
    process = started("-c", HOST, url, str(ledger), str(seconds))
    try:
        yield process, next_line(process)
    finally:
        process.kill()
        process.communicate()
