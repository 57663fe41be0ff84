"""Plays a scenario in real time: the simulator is a process, and so is the host where it has to die or stand still.

The world's clock is this machine's monotonic clock, which all processes share. A fault of the simulator's counts
as having acted when its time came: what it did is known inside that process only.
"""

import json
import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event
from typing import Any

from firmware_sim.analog.record_file import LoadRecordFile
from firmware_sim.faults import Fault
from stimctl.errors import LineFault, Misuse
from stimctl.port import open_port
from stimctl.prescription import Prescription
from stimlab.interrupt import Interrupt
from stimlab.play.host import run_host
from stimlab.play.port import ScenarioPort
from stimlab.play.result import HostResult, PlayedSession, concluded
from stimlab.scenario.model import OF_PROCESSES, Scenario
from stimlab.scenario.writer import dump

POLL_S = 0.005
REST_US = 5_000_000  # as long as an aftermath in virtual time
END_S = 30.0  # a process that was asked to end has so long; then it is killed
_AT_REST = ("IDLE", "ENDED", "LOADED", "TESTED")
_HOW = {"pty": ("--pty",), "tcp": ("--tcp", "0")}


def world_us() -> int:
    """The clock of all processes of this machine."""
    return time.monotonic_ns() // 1_000


class JournalReader:
    """Reads the journal of a simulator in another process as it grows, in this machine's time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read = 0
        self._entries: list[Mapping[str, Any]] = []

    def entries(self) -> list[Mapping[str, Any]]:
        with self._path.open("rb") as file:
            file.seek(self._read)
            whole = file.read().rpartition(b"\n")[0]
        if whole:
            self._read += len(whole) + 1
            self._entries += [json.loads(line) for line in whole.splitlines()]
        return self._entries

    def entered_us(self, state: str) -> int | None:
        """When the device first came into a state, or None."""
        found = (each for each in self.entries() if each.get("state") == state)
        return next((int(each["monotonic_us"]) for each in found), None)


class SampledRecord:
    """The current in the load, from the samples that a simulator wrote as it ended."""

    def __init__(self, path: Path, boot_us: int) -> None:
        with LoadRecordFile(path) as record:
            ends_us = {channel: record.end_us(channel) for channel in record.channels}
        self._ends_us = {channel: boot_us + end_us for channel, end_us in ends_us.items() if end_us}

    @cached_property
    def channels(self) -> tuple[int, ...]:
        """Channels in which anything flowed."""
        return tuple(self._ends_us)

    def end_us(self, channel: int | None = None) -> int:
        """When the last current ended, by the world's clock; 0 when nothing flowed."""
        ends = self._ends_us.values() if channel is None else [self._ends_us.get(channel, 0)]
        return max(ends, default=0)


class SimulatorProcess:
    """A simulator that runs as a process of its own."""

    def __init__(self, process: subprocess.Popen[str], url: str, folder: Path) -> None:
        self.url = url
        self.folder = folder
        self.journal = JournalReader(folder / "journal")
        self._process = process

    @property
    def boot_us(self) -> int:
        return int(self.journal.entries()[0]["monotonic_us"])

    def come_to_rest(self) -> None:
        """Wait until the device has ended what it did and measured zero, at most as long as an aftermath."""
        until_us = world_us() + REST_US
        with Interrupt() as interrupt:
            while world_us() < until_us and not self._rests():
                interrupt.look()
                Event().wait(POLL_S)

    def _rests(self) -> bool:
        """Whether zero was measured since it was last in a state that gives output or may."""
        for entry in reversed(self.journal.entries()):
            if entry["event"] == "zero" or entry.get("state", _AT_REST[0]) not in _AT_REST:
                return bool(entry["event"] == "zero")
        return True

    def record(self) -> SampledRecord:
        """Ask it to end, so that it writes its samples, and read them."""
        with Interrupt():
            self._process.terminate()
            self._process.wait(END_S)
        return SampledRecord(self.folder / "record", self.boot_us)


@contextmanager
def simulator(scenario: Scenario, over: str, folder: Path, device: str = "native") -> Iterator[SimulatorProcess]:
    """A simulator with the scenario's faults, load and seed; it is gone when this is left."""
    file = folder / "scenario.toml"
    file.write_text(dump(scenario), "utf-8")
    kept = [f"--device={device}", *(f"--{name}={folder / name}" for name in ("journal", "record"))]
    if over == "pty":
        kept.append(f"--link={folder / 'stimulator'}")
    with python("-c", "from stimctl.cli import main; main()", "sim", *_HOW[over], f"--scenario={file}", *kept) as it:
        assert it.stdout is not None
        url = it.stdout.readline().strip()
        if not url:
            raise Misuse(f"the simulator did not start: {it.communicate()[1].strip()}")
        yield SimulatorProcess(it, url, folder)


@contextmanager
def python(*command: str) -> Iterator[subprocess.Popen[str]]:
    """A Python with these arguments, which is gone when this is left."""
    pipe = subprocess.PIPE
    with Interrupt() as interrupt:
        process = subprocess.Popen([sys.executable, *command], stdout=pipe, stderr=pipe, text=True)
        try:
            with interrupt.let_through():
                yield process
        finally:
            process.kill()
            process.communicate()


def play_in_real_time(
    scenario: Scenario, prescription: Prescription, over: str, ledger: Path | None, kind: str
) -> PlayedSession:
    """Play it over a pseudo-terminal or TCP with a `kind` of device. Raises `Misuse` when a process does not start."""
    with TemporaryDirectory(prefix="stimctl-lab-") as name:
        folder = Path(name)
        with simulator(scenario, over, folder, kind) as device:
            if any(fault.kind in OF_PROCESSES for fault in scenario.faults):
                host = _HostProcess(scenario, device, ledger).run()
            else:
                host = host_in_real_time(scenario, prescription, device.url, device.journal, ledger)
            device.come_to_rest()
            recorder = device.record()
            fired_us = dict(_came_us(scenario.faults, device, world_us()))
            journal = device.journal.entries()
    fired = dict.fromkeys(fired_us, 1)
    return concluded(scenario, prescription, host, recorder, journal, fired=fired, fired_us=fired_us)


def host_in_real_time(
    scenario: Scenario, prescription: Prescription, url: str, journal: JournalReader, ledger: Path | None
) -> HostResult:
    """The driver's side, in this process."""
    try:
        port = open_port(url)
    except LineFault as fault:
        return HostResult(refused=str(fault))
    with closing(ScenarioPort(port)) as lab:
        return run_host(scenario, prescription, lab, journal.entered_us, ledger)


def _came_us(faults: Sequence[Fault], device: SimulatorProcess, over_us: int) -> Iterator[tuple[int, int]]:
    """When each of the simulator's faults began, of those whose time came."""
    for index, fault in enumerate(faults):
        if fault.kind.startswith("host."):
            continue
        entered_us = device.boot_us if fault.after is None else device.journal.entered_us(fault.after)
        if entered_us is not None and entered_us + fault.at_us <= over_us:
            yield index, entered_us + fault.at_us


# --- a host that is a process ------------------------------------------------------------------------


class _HostProcess:
    """The driver's side as a child, which is killed, or stopped and let go on, at the scenario's moments."""

    def __init__(self, scenario: Scenario, device: SimulatorProcess, ledger: Path | None) -> None:
        self._device = device
        self._result = device.folder / "host.pickle"
        self._command = [device.url, str(device.folder / "scenario.toml"), str(device.folder / "journal")]
        self._command += [str(self._result), *([] if ledger is None else [str(ledger)])]
        own = [(index, fault) for index, fault in enumerate(scenario.faults) if fault.kind in OF_PROCESSES]
        self._waiting: list[tuple[int, Fault]] = own
        self._fired_us: dict[int, int] = {}
        self._handlers: dict[str, Callable[[subprocess.Popen[str], Fault], None]] = {
            "host.killed": _kill,
            "host.stopped": _stop_for_a_while,
        }

    def run(self) -> HostResult:
        """Run it until it has ended, by itself or not."""
        with Interrupt() as interrupt, python("-m", "stimlab.play.host_process", *self._command) as process:
            while process.poll() is None:
                interrupt.look()
                self._befall(process)
                Event().wait(POLL_S)
            said = process.communicate()[1]
        return self._side(said, killed=process.returncode == -signal.SIGKILL)

    def _befall(self, process: subprocess.Popen[str]) -> None:
        for index, fault in list(self._waiting):
            state = fault.after
            entered_us = self._device.boot_us if state is None else self._device.journal.entered_us(state)
            if entered_us is not None and world_us() >= entered_us + fault.at_us:
                self._waiting.remove((index, fault))
                self._fired_us[index] = world_us()
                self._handlers[fault.kind](process, fault)

    def _side(self, output: str, *, killed: bool) -> HostResult:
        fired = dict.fromkeys(self._fired_us, 1)
        if killed:
            return HostResult(fired=fired, fired_us=self._fired_us)
        if not self._result.exists():
            return HostResult(error=output or "the host's process ended without a word")
        # Written by our own child into a folder of this user alone.
        side: HostResult = pickle.loads(self._result.read_bytes())
        return replace(side, fired={**side.fired, **fired}, fired_us={**side.fired_us, **self._fired_us})


def _kill(process: subprocess.Popen[str], _fault: Fault) -> None:
    process.kill()
    process.wait(END_S)


def _stop_for_a_while(process: subprocess.Popen[str], fault: Fault) -> None:
    os.kill(process.pid, signal.SIGSTOP)
    Event().wait((fault.for_us or 0) / 1e6)
    os.kill(process.pid, signal.SIGCONT)
