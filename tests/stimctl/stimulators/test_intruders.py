"""Somebody else writes to the device, or an input starts it: the session ends at zero, and no count is called exact."""

import json
import os
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from firmware_sim.analog.recorder import Recorder
from firmware_sim.factory import DeviceSpec
from stimctl import limits
from stimctl.session.engine import Engine
from stimctl.session.states import End
from stimctl.session.view import Priority, SessionReport
from stimctl.stimulators.discovery import DeviceChoice
from tests.stimctl.session.world import prescription
from tests.stimctl.stimulators.bench import Bench, S
from tests.stimctl.stimulators.contract import PULSE_US, stop
from tests.stimctl.stimulators.test_faults import checked
from tests.stimctl.stimulators.test_killed_host import PRESCRIPTION, STIMCTL, Starts, served

MS = 1_000
STIMJIM = [(DeviceSpec("stimjim", dialect=dialect), DeviceChoice("stimjim", dialect=dialect)) for dialect in "abc"]
PULSEPAL = [
    (DeviceSpec("pulsepal", firmware=firmware), DeviceChoice("pulsepal", isolator="1")) for firmware in ("21", "22")
]
NAMES = [which.dialect for which, _choice in STIMJIM]
SAYINGS = {
    "start": b"T1\n",
    "another slot": b"T2\n",
    "the other engine": b"U1\n",
    "a definition": b"S3,1,3,10000,3000000;2000,0,200;-2000,0,200\n",
    "the slot that plays": b"S1,1,3,10000,3000000;2000,0,200;-2000,0,200\n",
    "an input": b"R0,1\n",
    "a level": b"M0,1\nA0,9000\n",
    "a stop": b"X\nT-1\n",
}


def says(bench: Bench, data: bytes) -> Any:
    """Bytes of another program."""
    return lambda _engine, now_us: bench.device.receive(data, now_us)


def told_apart(bench: Bench, report: SessionReport, at_s: float) -> None:
    """Ended, by a HIGH alarm, within a pulse and what the line takes; nothing exact, nothing too low."""
    assert report.end not in (End.TIMER, End.OPERATOR), report.end
    assert any(alarm.priority is Priority.HIGH for alarm in report.alarms)
    assert bench.last_us() <= at_s * S + PULSE_US + 20 * MS
    assert report.delivered is not None
    told, flowed = sum(report.delivered["1"]["pulses"]), bench.pulses() - checked(bench)
    assert told >= flowed
    # Dialect B drops a second start, says so, and counts what it cut.
    assert report.agreement["exact"] is not True or (report.end is End.REFUSED and told == flowed)


@pytest.mark.parametrize(("saying", "at_s"), [*((saying, 16.7) for saying in SAYINGS), ("start", 4.1003)])
@pytest.mark.parametrize(("which", "choice"), STIMJIM, ids=NAMES)
def test_another_programs_order_ends_the_session(
    which: DeviceSpec, choice: DeviceChoice, saying: str, at_s: float
) -> None:
    bench = Bench(which, choice, prescription(seconds=60, amplitudes_ma={1: 1.0}))
    told_apart(bench, bench.run((at_s, says(bench, SAYINGS[saying]))), at_s)


@pytest.mark.parametrize("line", [0, 1])
@pytest.mark.parametrize("dialect", "ab")
def test_an_input_that_another_program_gave_a_slot_ends_the_session(dialect: str, line: int) -> None:
    """Given the slot and used at once: the giving tells, and the edge begins the lease anew or is dropped."""

    def deed(_engine: Engine, now_us: int) -> None:
        bench.device.receive(b"R%d,1\n" % line, now_us)
        bench.device.ttl(line, True, now_us)  # type: ignore[attr-defined]

    bench = Bench(
        DeviceSpec("stimjim", dialect=dialect), DeviceChoice("stimjim", dialect=dialect), prescription(seconds=60)
    )
    told_apart(bench, bench.run((16.7, deed)), 16.7)


@pytest.mark.parametrize("after_us", [0, 1_000, 3_000, 8_000, 40_000])
@pytest.mark.parametrize(("which", "choice"), STIMJIM, ids=NAMES)
def test_a_start_while_the_session_stops_is_stopped_too(which: DeviceSpec, choice: DeviceChoice, after_us: int) -> None:
    bench = Bench(which, choice, prescription(seconds=60))
    starts = [(16.7 + (after_us + n * 700) / S, says(bench, b"T1\nT2\nT3\n")) for n in range(5)]
    report = bench.run((16.7, stop), *starts)
    assert report.end is End.OPERATOR
    if which.dialect == "c" and report.zero_confirmed_us is None:
        # A reading that meets a train leaves this firmware deaf: the train runs its lease, and that is an alarm.
        assert any("PULL THE LEADS" in alarm.action for alarm in report.alarms)
        assert bench.last_us() <= 16.7 * S + limits.LEASE_US
    else:
        assert bench.last_us() <= 16.7 * S + after_us + 5 * 700 + 20 * MS


@pytest.mark.parametrize(("which", "choice"), PULSEPAL, ids=["21", "22"])
def test_an_answer_to_what_was_not_asked_ends_the_session(which: DeviceSpec, choice: DeviceChoice) -> None:
    """A program that another one sends is confirmed; so is a fixed voltage."""
    bench = Bench(which, choice, prescription(seconds=60, amplitudes_ma={1: 1.0}))
    told_apart(bench, bench.run((16.7, says(bench, bytes((213, 79, 2, 0, 128))))), 16.7)


def test_a_program_that_22_does_not_hold_any_more_ends_the_session() -> None:
    """Changed in mid-lease by somebody whose confirmation was lost: it is asked before the next lease."""

    def deed(_engine: Engine, now_us: int) -> None:
        device: Any = bench.device
        device.params.channels[0].volt1 += 100

    bench = Bench(*PULSEPAL[1], prescription(seconds=60, amplitudes_ma={1: 1.0}))
    report = bench.run((16.7, deed))
    assert report.end is End.REFUSED
    assert "reads back another program than was sent" in report.end_text


@pytest.mark.parametrize(("which", "choice"), PULSEPAL, ids=["21", "22"])
def test_a_click_on_the_joystick_is_not_noticed_and_the_dose_is_at_most(
    which: DeviceSpec, choice: DeviceChoice
) -> None:
    def deed(_engine: Engine, now_us: int) -> None:
        device: Any = bench.device
        device.advance(now_us)
        device.click()

    bench = Bench(which, choice, prescription(seconds=30, amplitudes_ma={1: 1.0}))
    report = bench.run((16.7, deed))
    assert report.end is End.TIMER
    assert report.kept is not None
    assert report.delivered is not None
    assert report.kept["evidence"] == "at most"
    assert report.agreement["exact"] is None
    assert sum(report.delivered["1"]["pulses"]) > bench.pulses()
    basis = report.kept["channels"]["1"]
    assert sum(basis["counted"]) + sum(basis["least"]) <= bench.pulses(), "no pulse is sure"
    for lease in bench.log.of("lease"):
        assert (lease["least"], lease["evidence"]) == (0, "estimated")
    (opened,) = bench.log.of("opened")
    assert any("joystick" in lack for lack in opened["device"]["lacks"])


WRITER = """
import os, sys, time
line = os.open(sys.argv[1], os.O_WRONLY | os.O_NOCTTY)
while True:
    time.sleep(float(sys.argv[3]))
    os.write(line, bytes.fromhex(sys.argv[2]))
"""


HOSTS: dict[str, tuple[DeviceSpec, list[str], bytes]] = {
    **{
        dialect: (DeviceSpec("stimjim", dialect=dialect), ["--device", "stimjim", "--dialect", dialect], b"T1\n")
        for dialect in "abc"
    },
    **{
        firmware: (
            DeviceSpec("pulsepal", firmware=firmware),
            ["--device", "pulsepal", "--isolator", "1"],
            bytes((213, 79, 1, 0, 128)),
        )
        for firmware in ("21", "22")
    },
}


class Host:
    """A session in a process of its own, on a device behind a real pty."""

    def __init__(self, name: str, stack: ExitStack) -> None:
        which, options, self.data = HOSTS[name]
        self.starts, self.recorder = Starts(), Recorder()
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="sc"))
        self.url = stack.enter_context(served(which, self.recorder, self.starts))
        self._env = {**os.environ, "STIMCTL_DATA": f"{folder}/data", "STIMCTL_RUN": f"{folder}/run"}
        file = Path(folder) / "load.toml"
        file.write_text(PRESCRIPTION, "utf-8")
        self._run = subprocess.Popen(
            [*STIMCTL, "run", "bench-100hz", "--port", self.url, *options, "--prescription", str(file), "--unattended"],
            env=self._env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        stack.callback(self._run.kill)

    def intrude(self, stack: ExitStack) -> None:
        """Another process writes its bytes on the same pty, from now on."""
        assert self.starts.wait_for(3, self._run), f"only {self.starts.count} leases"
        writer = subprocess.Popen([sys.executable, "-c", WRITER, self.url, self.data.hex(), "0.3"])
        stack.callback(writer.wait, 10)
        stack.callback(writer.kill)

    def ended(self) -> tuple[int, dict[str, Any]]:
        """Its exit code, and the summary of its log."""
        said, _ = self._run.communicate(timeout=30)
        shown = subprocess.run(
            [*STIMCTL, "log", "show", "latest", "--json"], env=self._env, capture_output=True, check=False
        )
        assert shown.returncode == 0, said.decode()
        return self._run.returncode, json.loads(shown.stdout)


@pytest.mark.realtime
@pytest.mark.skipif(sys.platform == "win32", reason="a pty exists on POSIX only")
def test_a_second_process_on_the_pty() -> None:
    """One for each dialect and firmware, all at the same time."""
    with ExitStack() as stack:
        hosts = {name: Host(name, stack) for name in HOSTS}
        for host in hosts.values():
            host.intrude(stack)
        for name, host in hosts.items():
            code, summary = host.ended()
            assert code != 0, name
            # Dialect B drops the start, says so, and counts what was cut.
            assert summary["session"]["agreement"]["exact"] is not True or name == "b"
        flowed_us = {name: host.recorder.end_us() for name, host in hosts.items()}
        # The intruders go on: what they start is grounded.
        hosts["c"].starts.none_more(1_000_000, 0.7)
        assert {name: host.recorder.end_us() for name, host in hosts.items()} == flowed_us
