"""Which device a URL or a command asks for, and that each runs in virtual and in real time."""

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import serial
from click.testing import CliRunner

from firmware_sim.analog.record_file import integrate
from firmware_sim.cli import sim
from firmware_sim.factory import NATIVE, DeviceSpec, UnknownDevice
from firmware_sim.native.device import Device
from firmware_sim.protocol_sim import Serial, options_of
from firmware_sim.pulsepal import FIRMWARES
from firmware_sim.stimjim import DIALECTS
from stimctl.wire import codec as wire
from stimctl.wire.codes import PROTOCOL_VERSION
from tests.firmware_sim.test_serve import Client

RUN = [sys.executable, "-c", "from firmware_sim.cli import sim; sim(prog_name='stimctl sim')"]
S = 1_000_000


def test_what_is_asked_for_is_made() -> None:
    assert type(NATIVE.make(seed=1, load="r1k")) is Device
    for name, dialect in DIALECTS.items():
        assert type(DeviceSpec("stimjim", name).make(seed=1, load="r1k")) is dialect
    for name, firmware in FIRMWARES.items():
        assert type(DeviceSpec("pulsepal", firmware=name).make(seed=1, load="r1k")) is firmware
    assert type(DeviceSpec("stimjim").make(seed=1, load="r1k")) is DIALECTS["a"]
    assert type(DeviceSpec("pulsepal").make(seed=1, load="r1k")) is FIRMWARES["22"]
    assert DeviceSpec("pulsepal", isolator="0.1").milliampere_per_volt == 0.1


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("device=toaster", "option 'device' is 'toaster': it must be one of native, stimjim, pulsepal"),
        ("device=stimjim&dialect=d", "option 'dialect' is 'd': it must be one of a, b, c"),
        ("device=pulsepal&firmware=20", "option 'firmware' is '20': it must be one of 21, 22"),
        ("device=pulsepal&isolator=0", "option 'isolator' is '0': it must be mA per volt"),
        ("device=pulsepal&isolator=much", "option 'isolator' is 'much'"),
        ("device=pulsepal&isolator=nan", "option 'isolator' is 'nan'"),
        ("dialect=a", "option 'dialect' belongs to device=stimjim, not to native"),
        ("device=stimjim&isolator=1", "option 'isolator' belongs to device=pulsepal, not to stimjim"),
        ("faults=lost_stop", "option 'faults' belongs to device=stimjim or pulsepal, not to native"),
        ("device=stimjim&faults=gremlins", "option 'faults': StimJim dialect a has no fault 'gremlins'"),
        ("device=pulsepal&firmware=21&faults=rejects", "PulsePal firmware 21 has no fault 'rejects'"),
        ("device=stimjim&flash=x", "option 'flash' belongs to device=native"),
    ],
)
def test_what_cannot_be_is_said(query: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        options_of(f"sim://?{query}")


def test_the_command_says_the_same() -> None:
    for arguments, says in (
        (["--dialect", "a"], "belongs to device=stimjim"),
        (["--device", "stimjim", "--faults", "x"], "has no fault 'x'"),
        (["--device", "stimjim", "--flash", "x"], "--flash belongs to the native device"),
        (["--device", "pulsepal", "--isolator", "-1"], "mA per volt"),
    ):
        result = CliRunner().invoke(sim, ["--tcp", "0", *arguments])
        assert result.exit_code == 2
        assert says in " ".join(result.output.split())
    with pytest.raises(UnknownDevice):
        DeviceSpec("pulsepal", "a")


@pytest.mark.parametrize("dialect", "abc")
def test_a_stimjim_behind_a_virtual_port(dialect: str, tmp_path: Path) -> None:
    with Serial(f"sim://?device=stimjim&dialect={dialect}&load=r1k&record={tmp_path}/flow") as port:
        port.write(b"S1,1,3,10000,3000000;1000,0,200;-1000,0,200\nT1\n")
        said = b""
        while b"300" not in said.rpartition(b"Started")[2]:
            said += port.read_until(port.now_us() + S)
        assert 3 * S < port.now_us() < 3_002_000
        assert port.read_until(100 * S) == b""
        assert port.now_us() == 100 * S
    assert integrate(tmp_path / "flow").pulses == 300


def test_a_pulsepal_behind_a_virtual_port() -> None:
    with Serial("sim://?device=pulsepal&firmware=21&isolator=0.5", timeout=1) as port:
        port.write(b"\xd5\x48")
        assert port.read(5) == b"K\x15\0\0\0"
        assert port.now_us() < 10_000
        assert port.read(1) == b""


@pytest.mark.realtime
@pytest.mark.parametrize(
    ("arguments", "ask", "answer"),
    [
        (["--device", "stimjim", "--dialect", "b"], b"IDN\n", b"IDN,stimjimAWG,"),
        (["--device", "stimjim", "--dialect", "c"], b"IDN\n", b"Unknown command: 'I'"),
        (["--device", "pulsepal", "--firmware", "22", "--isolator", "1.0"], b"\xd5\x48", b"K\x16\0\0\0"),
    ],
)
@pytest.mark.parametrize("line", [["--pty"], ["--tcp", "0"]])
def test_it_runs_in_real_time(arguments: list[str], ask: bytes, answer: bytes, line: list[str], tmp_path: Path) -> None:
    journal = tmp_path / "journal.jsonl"
    process = subprocess.Popen([*RUN, *line, *arguments, "--journal", str(journal)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    url = process.stdout.readline().strip()
    assert process.stdout.readline().startswith(f"SIMULATOR ({arguments[1]}, load nominal, seed 1)")
    with serial.serial_for_url(url, timeout=2) as port:
        port.write(ask)
        assert port.read(len(answer)) == answer
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=10)
    assert process.returncode == 0
    assert json.loads(journal.read_text().splitlines()[0])["event"] == "boot"


@pytest.mark.realtime
def test_a_lease_ends_by_itself_when_its_host_is_gone(tmp_path: Path) -> None:
    """What is left of a host that dies: one train, over by its own time, with its end in the device's record."""
    journal = tmp_path / "journal.jsonl"
    command = [*RUN, "--pty", "--device", "stimjim", "--journal", str(journal)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    with serial.serial_for_url(process.stdout.readline().strip(), timeout=2) as port:
        port.write(b"S1,1,3,10000,500000;1000,0,200;-1000,0,200\nT1\n")
        assert port.read_until(b"Started T train")
    entries: list[dict[str, object]] = []
    while not entries or entries[-1]["event"] != "complete":
        threading.Event().wait(0.02)
        assert process.poll() is None
        entries = [json.loads(text) for text in journal.read_text().splitlines()]
    process.terminate()
    process.communicate(timeout=10)
    started, complete = entries[-2:]
    assert (started["event"], complete["pulses"]) == ("started", 50)
    assert int(str(complete["device_time_us"])) - int(str(started["device_time_us"])) == 500_000


@pytest.mark.realtime
def test_a_simulator_that_is_killed_has_lost_nothing_that_it_told(tmp_path: Path) -> None:
    command = [*RUN, "--tcp", "0", "--flash", str(tmp_path / "flash")]
    told_us, told = with_simulator(command, a_second_of_pulses, signal.SIGKILL)
    kept_us, kept = with_simulator(command, what_it_kept, signal.SIGTERM)
    assert told.pulses_0 > 50
    # It may have lived a little longer than its last answer that was read.
    assert 0 <= kept.pulses_0 - told.pulses_0 <= 50
    assert 0 <= kept_us - told_us <= 500_000


def with_simulator(command: list[str], talk: Callable[[Client], Any], end: signal.Signals) -> Any:
    """Start a simulator, talk to it, and end it in that very moment."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    client = Client(process.stdout.readline().strip())
    found = talk(client)
    process.send_signal(end)
    process.communicate(timeout=10)
    client.port.close()
    return found


def a_second_of_pulses(client: Client) -> Any:
    """Stimulate, and ask for the counts at the end."""
    client.start()
    client.listen(0.9)
    return what_it_kept(client)


def what_it_kept(client: Client) -> Any:
    """Stimulation time and counters of the session, as the device tells them: the last thing that it says."""
    if not client.heard:
        client.ask(wire.Hello(PROTOCOL_VERSION))
    time_us = client.ask(wire.ReadSession()).stimulation_us
    return time_us, client.ask(wire.ReadCounters(1))
