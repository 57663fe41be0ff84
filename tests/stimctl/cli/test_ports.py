"""`stimctl ports`: what pyserial found, none, and as JSON."""

import json

import pytest
from click.testing import CliRunner
from serial.tools.list_ports_common import ListPortInfo

from stimctl.cli import main


def usb_port() -> ListPortInfo:
    port = ListPortInfo("/dev/ttyUSB3")
    port.description, port.vid, port.pid, port.serial_number = "CP2102", 0x10C4, 0xEA60, "0001"
    return port


def test_each_port_with_what_is_known_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serial.tools.list_ports.comports", lambda: [ListPortInfo("/dev/ttyS0"), usb_port()])
    lines = CliRunner().invoke(main, ["ports"]).output.splitlines()
    assert lines[0].split() == ["PORT", "WHAT", "USB", "ID", "SERIAL", "MAKER"]
    assert lines[1].split() == ["/dev/ttyS0", "-", "-", "-", "-"]
    assert lines[2].split() == ["/dev/ttyUSB3", "CP2102", "10c4:ea60", "0001", "-"]
    assert "sim://" in lines[-1]


def test_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serial.tools.list_ports.comports", lambda: [usb_port()])
    (port,) = json.loads(CliRunner().invoke(main, ["ports", "--json"]).output)
    assert (port["port"], port["usb_id"], port["manufacturer"]) == ("/dev/ttyUSB3", "10c4:ea60", None)


def test_none_is_said_and_the_simulator_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serial.tools.list_ports.comports", list)
    result = CliRunner().invoke(main, ["ports"])
    assert result.exit_code == 0
    assert result.output.startswith("No serial port was found.")
    assert "sim://" in result.output
    assert json.loads(CliRunner().invoke(main, ["ports", "--json"]).output) == []
