"""`stimctl sim`: what it prints, what it refuses, and how it ends."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import serial
from click.testing import CliRunner

from firmware_sim import serve as serving
from firmware_sim.cli import sim
from firmware_sim.native.device import Device
from firmware_sim.native.identity import firmware_sha256
from firmware_sim.native.nonces import by_seed, by_system
from firmware_sim.slot_file import newest
from stimctl.wire import codec as wire
from stimctl.wire.codes import PROTOCOL_VERSION
from stimctl.wire.framing import FrameSplitter

RUN = [sys.executable, "-c", "from firmware_sim.cli import sim; sim(prog_name='stimctl sim')"]


def started(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen([*RUN, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def first_lines(process: subprocess.Popen[str]) -> tuple[str, str]:
    assert process.stdout is not None
    return process.stdout.readline().strip(), process.stdout.readline().strip()


@pytest.mark.realtime
@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_it_prints_where_it_is_and_ends_cleanly(ending: signal.Signals, tmp_path: Path) -> None:
    link, journal, flash = tmp_path / "stimulator", tmp_path / "journal.jsonl", tmp_path / "flash.json"
    process = started("--pty", "--link", str(link), "--journal", str(journal), "--flash", str(flash), "--load", "dry")
    url, banner = first_lines(process)
    assert url == str(link)
    assert banner.startswith("SIMULATOR (load dry, seed 1)")
    with serial.serial_for_url(url, timeout=2) as port:
        port.write(wire.encode(1, wire.Hello(PROTOCOL_VERSION)))
        [payload] = FrameSplitter().feed(port.read_until(b"\0"))
        assert wire.parse(payload)[1].simulator == 1
    process.send_signal(ending)
    out, err = process.communicate(timeout=10)
    assert (process.returncode, out, err) == (0, "", "")
    assert not os.path.lexists(link)
    assert json.loads(journal.read_text().splitlines()[0])["event"] == "boot"
    assert json.loads(newest(flash) or "")["boots"] == 1


@pytest.mark.realtime
def test_tcp(tmp_path: Path) -> None:
    process = started("--tcp", "0", "--record", str(tmp_path / "current"))
    url, _ = first_lines(process)
    assert url.startswith("socket://127.0.0.1:")
    with serial.serial_for_url(url, timeout=2) as port:
        port.write(wire.encode(1, wire.Hello(PROTOCOL_VERSION)))
        assert port.read(10)
    process.terminate()
    assert process.communicate(timeout=10) == ("", "")
    assert process.returncode == 0


def test_its_nonces_are_by_the_system_unless_a_seed_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    """A simulator behind a port of this machine is somebody's device: its twin must not take its traffic."""
    served: list[Device] = []
    monkeypatch.setattr(serving, "serve", lambda device, *_: served.append(device))
    for given in ([], ["--seed", "1"], ["--seed", "5"]):
        assert CliRunner().invoke(sim, ["--tcp", "0", *given]).exit_code == 0
    by_chance, first, fifth = (device.machine.draw for device in served)
    assert by_chance is by_system
    assert (first(7), fifth(7)) == (by_seed(1)(7), by_seed(5)(7))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "either --pty or --tcp PORT"),
        (["--pty", "--tcp", "0"], "either --pty or --tcp PORT"),
        (["--tcp", "0", "--link", "x"], "--link names a pseudo-terminal"),
        (["--tcp", "70000"], "70000"),
        (["--pty", "--load", "wet"], "no load is called 'wet'; the loads are nominal"),
        (["--pty", "--seed", "-1"], "--seed"),
    ],
)
def test_wrong_use_is_said(arguments: list[str], says: str) -> None:
    result = CliRunner().invoke(sim, arguments)
    assert result.exit_code == 2
    assert says in " ".join(result.output.split())


def test_files_that_cannot_be_are_said(tmp_path: Path) -> None:
    for option in ("--flash", "--journal", "--record"):
        result = CliRunner().invoke(sim, ["--tcp", "0", option, str(tmp_path / "none" / "file")])
        assert result.exit_code == 3, option
        assert result.output.startswith("Error: ")
        assert "none" in result.output


def test_help_shows_an_example() -> None:
    result = CliRunner().invoke(sim, ["--help"])
    assert result.exit_code == 0
    assert "stimctl sim --tcp 7000 --load dry" in result.output


def test_what_takes_time_is_known_before_a_host_can_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    firmware_sha256.cache_clear()
    known: list[int] = []
    monkeypatch.setattr(serving, "serve", lambda *_: known.append(firmware_sha256.cache_info().currsize))
    assert CliRunner().invoke(sim, ["--tcp", "0"]).exit_code == 0
    assert known == [1]
