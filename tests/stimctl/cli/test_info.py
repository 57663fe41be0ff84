"""`stimctl info`: who is there, by a handshake and nothing else."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import platformdirs
import pytest
from click.testing import CliRunner

from stimctl.calibration import keep_record
from stimctl.cli import codes, main
from stimctl.port import open_port
from stimctl.stimulators import discovery as identify_module
from stimctl.stimulators.discovery import identify
from stimctl.wire.codec import Hello, ReadIdentity, decode
from tests.stimctl.test_calibration import record


def test_identity_ranges_and_that_it_is_a_simulator() -> None:
    result = CliRunner().invoke(main, ["info", "--port", "sim://?seed=7"])
    assert result.exit_code == 0
    facts = dict(line.split("  ", 1) for line in result.output.splitlines())
    assert facts["this is"].strip() == "SIMULATOR"
    assert facts["serial number"].strip() == "SIM-00000007"
    assert facts["amplitude"].strip().startswith("up to 2.00 mA")
    assert facts["dose waiting"].strip() == "none"
    assert {"calibrated on", "firmware", "compliance", "watchdog", "channels"} <= set(facts)


def test_json_has_numbers() -> None:
    found = json.loads(CliRunner().invoke(main, ["info", "--port", "sim://", "--json"]).output)
    assert found["simulator"] is True
    assert found["max_amplitude_ua"] == 2000
    assert found["waiting_session"] is None
    assert "watchdog" in found["capabilities"]


def test_nothing_but_the_handshake_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[bytes] = []

    class Sink:
        def record(self, _at_us: int, direction: str, data: bytes) -> None:
            if direction == "host":
                sent.extend(filter(None, data.split(b"\x00")))

    def recorded(url: str) -> Any:
        return open_port(url, traffic=Sink())

    monkeypatch.setattr(identify_module, "open_port", recorded)
    identify("sim://")
    assert [type(decode(frame)[1]) for frame in sent] == [Hello, ReadIdentity, ReadIdentity, ReadIdentity]


@pytest.mark.parametrize(
    ("url", "code", "said"),
    [
        ("/dev/no-such-port", codes.LINE, "`stimctl ports` lists what there is"),
        ("sim://?pace=often", codes.INVALID, "it must be max, real, or a factor"),
        ("nothing://", codes.INVALID, "nothing"),
    ],
)
def test_a_wrong_port_is_a_sentence(url: str, code: int, said: str) -> None:
    result = CliRunner().invoke(main, ["info", "--port", url])
    assert result.exit_code == code
    assert said in result.stderr


@pytest.mark.realtime
def test_silence_is_said() -> None:
    master, slave = os.openpty()
    result = CliRunner().invoke(main, ["info", "--port", os.ttyname(slave)])
    os.close(master)
    os.close(slave)
    assert result.exit_code == codes.LINE
    assert "no answer to Hello" in result.stderr


@pytest.mark.realtime
def test_a_device_of_another_kind_is_said() -> None:
    # pyserial's loop:// sends back what was sent, which no stimulator does.
    result = CliRunner().invoke(main, ["info", "--port", "loop://"])
    assert result.exit_code == codes.DEVICE
    assert "the line sends back what was sent (Hello)" in result.stderr


BOARD = """
import os, select, sys, tty, time
from firmware_sim.native.device import Device
far, near = os.openpty()
tty.setraw(near)
print(os.ttyname(near), flush=True)
select.select([far], [], [])  # opened, and asked
time.sleep(1.6)
os.read(far, 4096)  # what a boot loader swallows
device, began = Device(seed=1, load="r1k"), time.monotonic_ns() // 1000
while True:
    now = time.monotonic_ns() // 1000 - began
    ready, _, _ = select.select([far], [], [], 0.005)
    device.receive(os.read(far, 4096) if ready else b"", now)
    device.advance(now)
    if data := device.take_output():
        os.write(far, data)
"""


@pytest.mark.realtime
@pytest.mark.skipif(os.name != "posix", reason="a pty is a POSIX thing")
def test_a_board_that_boots_on_opening_is_waited_for_and_said() -> None:
    with subprocess.Popen([sys.executable, "-c", BOARD], stdout=subprocess.PIPE, text=True) as board:
        assert board.stdout is not None
        name = board.stdout.readline().strip()
        result = CliRunner().invoke(main, ["info", "--port", name])
        board.kill()
    assert result.exit_code == codes.DONE, result.output
    assert re.search(rf"answered .* 1\.[6-9] s after the port was opened: .*{name}\?dtr=off", result.output)


def test_one_that_runs_already_answers_at_once() -> None:
    assert re.search(
        r"answered +\d+ ms after the port was opened", CliRunner().invoke(main, ["info", "--port", "sim://"]).output
    )


def test_a_user_without_a_home_learns_who_is_there_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STIMCTL_DATA")
    monkeypatch.setattr(platformdirs, "user_data_dir", lambda *_, **__: "~/.local/share/stimctl")
    result = CliRunner().invoke(main, ["info", "--port", "sim://"])
    assert result.exit_code == codes.DONE, result.output
    assert "this is           SIMULATOR" in result.stdout
    assert "calibration       cannot be read: this user has no home folder" in result.stdout


@pytest.mark.parametrize("damaged", [True, False], ids=["a damaged record", "no home"])
def test_why_a_calibration_cannot_be_read_is_one_sentence_in_the_document(
    damaged: bool, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if damaged:
        keep_record(home, record()).write_text("no record")
    else:
        monkeypatch.delenv("STIMCTL_DATA")
        monkeypatch.setattr(platformdirs, "user_data_dir", lambda *_, **__: "~/.local/share/stimctl")
    told = CliRunner().invoke(main, ["info", "--port", "sim://"]).stdout
    why = json.loads(CliRunner().invoke(main, ["info", "--port", "sim://", "--json"]).stdout)["calibration"]
    assert " ".join(f"cannot be read: {why['unreadable']} channels ".split()) in " ".join(told.split())
