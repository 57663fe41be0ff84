"""Faults behind each kind of port: a scenario's file in a URL and on the command line, and being unplugged."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import serial
from click.testing import CliRunner

from firmware_sim.cli import sim
from firmware_sim.factory import DeviceSpec
from firmware_sim.faults import Fault, FaultyDevice
from firmware_sim.protocol_sim import Serial, SimOptions, options_of
from firmware_sim.serve import JournalWriter, PtyLine, ServedLine, TcpLine, clock_us
from stimctl.errors import InputInvalid, LineLost, Misuse, NotSent
from stimctl.port import Port, VirtualPort, open_port
from stimctl.wire import codec as wire
from stimctl.wire.codes import PROTOCOL_VERSION
from tests.firmware_sim.conftest import serving

SECOND_US = 1_000_000
HELLO = wire.encode(1, wire.Hello(PROTOCOL_VERSION))
FILE = """
seed = 5
load = "dry"
[[fault]]
kind = "line.unplug"
at_s = 0.45
for_s = 2
"""
posix_only = pytest.mark.skipif(sys.platform == "win32", reason="a pty exists on POSIX only")


@pytest.fixture
def scenario(tmp_path: Path) -> Path:
    """A file with one fault."""
    path = tmp_path / "faults.toml"
    path.write_text(FILE)
    return path


# --- sim:// -----------------------------------------------------------------------------------------


def test_a_url_takes_faults_load_and_seed_of_a_scenario(scenario: Path) -> None:
    fault = Fault("line.unplug", at_us=450_000, for_us=2 * SECOND_US)
    assert options_of(f"sim://?scenario={scenario}") == SimOptions(load="dry", seed=5, faults=(fault,))
    chosen = options_of(f"sim://?seed=7&scenario={scenario}&load=r1k")
    assert (chosen.load, chosen.seed, chosen.faults) == ("r1k", 7, (fault,))


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("sim://?scenario=", "option 'scenario' is empty: it must name a file"),
        ("sim://?scenario=/none.toml", "option 'scenario': /none.toml:\n  the file: cannot be read: No such file"),
        ("sim://?scenario={}&device=stimjim", "option 'scenario' belongs to device=native or firmware, not to stimjim"),
    ],
)
def test_a_wrong_scenario_is_said(url: str, says: str, scenario: Path) -> None:
    with pytest.raises(Misuse, match=says):
        open_port(url.format(scenario))


def test_an_unplugged_sim_port_is_dead(scenario: Path) -> None:
    port = open_port(f"sim://?scenario={scenario}")
    port.write(HELLO)
    with pytest.raises(LineLost, match=r"the port is gone \(.*unplugged\); check the cable"):
        wait_until_lost(port)
    assert port.now_us() == 450_000 + 1_000
    with pytest.raises(NotSent, match="takes no bytes"):
        port.write(HELLO)
    while port.now_us() < 3 * SECOND_US:
        with pytest.raises(LineLost):
            port.wait(None)


def test_plain_pyserial_sees_what_it_would_of_a_cable(scenario: Path) -> None:
    line = Serial.powering(SimOptions(faults=options_of(f"sim://?scenario={scenario}").faults).make)
    line.timeout = 1
    line.write(HELLO)
    with pytest.raises(serial.SerialException, match="the device was unplugged"):
        line.read(4_096)
    with pytest.raises(serial.SerialException):
        line.write(HELLO)
    line.close()
    line.open()
    line.write(HELLO)
    assert line.read(1), "opened again it is another device, on the same flash"
    assert line.device.device.machine.boot_id == 2
    line.close()


def test_a_port_around_a_made_device() -> None:
    def make(**given: object) -> FaultyDevice:
        return FaultyDevice([Fault("device.wrong_version")], **given)  # type: ignore[arg-type]

    port: Port = VirtualPort("sim://", Serial.powering(make))
    port.write(HELLO)
    assert wire.decode(port.wait(0))[1].version == 3
    port.close()


# --- in real time -----------------------------------------------------------------------------------


@contextmanager
def served(line: ServedLine, *faults: Fault) -> Iterator[FaultyDevice]:
    """A hostile device that is served until the block ends."""
    device = FaultyDevice(faults, seed=1, load="nominal", boot_us=clock_us())
    with serving(device, line):
        yield device


def wait_until_lost(port: Port) -> None:
    """Listen until the line is lost; give up after two seconds."""
    end_us = port.now_us() + 2 * SECOND_US
    while port.now_us() < end_us:
        port.wait(end_us)


@pytest.mark.realtime
@posix_only
@pytest.mark.parametrize("kind", ["pty", "tcp"])
def test_unplugged_it_hangs_up_and_comes_back_under_the_same_name(kind: str, tmp_path: Path) -> None:
    link = tmp_path / "stimulator"
    line: ServedLine = PtyLine(link) if kind == "pty" else TcpLine(0)
    with served(line, Fault("line.unplug", at_us=200_000, for_us=4_000_000)) as device:
        port = open_port(line.url)
        port.write(HELLO)
        with pytest.raises(LineLost, match="the other end closed the line"):
            wait_until_lost(port)
        assert device.gone
        with pytest.raises(LineLost, match="cannot open the port"):
            open_port(line.url)
        if kind == "pty":
            assert not os.path.lexists(link)
            with pytest.raises(NotSent, match="takes no bytes"):
                port.write(HELLO)
        port.close()
        while device.gone:
            threading.Event().wait(0.02)
        threading.Event().wait(0.05)
        again = open_port(line.url)
        again.write(HELLO)
        assert wire.decode(again.wait(again.now_us() + SECOND_US))[1].boot_id == 1
        again.close()
    assert not os.path.lexists(link)


@posix_only
def test_a_terminal_that_hangs_up_gives_everything_back(tmp_path: Path) -> None:
    before = len(os.listdir("/dev/fd"))  # noqa: PTH208
    line = PtyLine(tmp_path / "a")
    for _ in range(3):
        line.hang_up()
        line.hang_up()
        assert len(os.listdir("/dev/fd")) == before  # noqa: PTH208
        line.come_back()
    line.close()
    assert len(os.listdir("/dev/fd")) == before  # noqa: PTH208


@pytest.mark.realtime
@posix_only
def test_nobody_is_there_as_it_is_unplugged_and_ended(tmp_path: Path) -> None:
    with served(PtyLine(tmp_path / "a"), Fault("line.unplug", at_us=100_000)) as device:
        threading.Event().wait(0.3)
        assert device.gone


def test_the_journal_of_a_device_that_was_reset_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    with path.open("a") as file:
        fault = Fault("device.reset", at_us=SECOND_US, options={"down_us": 0})
        device = FaultyDevice([fault], seed=1, load="nominal", boot_us=777, journal=JournalWriter(file, 777))
        device.advance(777 + 2 * SECOND_US)
    boots = [entry for entry in map(json.loads, path.read_text().splitlines()) if entry["event"] == "boot"]
    assert [entry["monotonic_us"] for entry in boots] == [777, 777 + SECOND_US]


# --- stimctl sim --scenario ---------------------------------------------------------------------------


@pytest.mark.realtime
@posix_only
def test_the_command_takes_a_scenario(scenario: Path) -> None:
    run = [sys.executable, "-c", "from firmware_sim.cli import sim; sim(prog_name='stimctl sim')"]
    process = subprocess.Popen(
        [*run, "--tcp", "0", "--scenario", str(scenario), "--seed", "9"], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    url = process.stdout.readline().strip()
    assert process.stdout.readline().startswith("SIMULATOR (load dry, seed 9, 1 fault): no current")
    port = open_port(url)
    with pytest.raises(LineLost):
        wait_until_lost(port)
    port.close()
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=10)[0] == ""
    assert process.returncode == 0


def test_what_the_command_refuses(scenario: Path) -> None:
    wrong = CliRunner().invoke(sim, ["--pty", "--scenario", str(scenario), "--device", "stimjim"])
    assert wrong.exit_code == 2
    assert "--scenario belongs to the devices native and firmware: stimjim has faults of its own" in wrong.output
    scenario.write_text('[[fault]]\nkind = "line.lost"\n')
    with pytest.raises(InputInvalid, match=r"fault\[0\]\.kind is 'line.lost': must be one of line.loss"):
        CliRunner().invoke(sim, ["--tcp", "0", "--scenario", str(scenario)], catch_exceptions=False)


def test_only_a_native_device_has_these_faults() -> None:
    assert isinstance(SimOptions(faults=()).make(seed=1, load="nominal"), FaultyDevice)
    assert not isinstance(SimOptions(spec=DeviceSpec()).make(seed=1, load="nominal"), FaultyDevice)
