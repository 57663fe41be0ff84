"""`stimctl replay`: what it says, its exit codes, and that there is no way from it to any port."""

import json
import os
from pathlib import Path
from typing import Any, NoReturn

import click
import pytest
import serial
from click.testing import CliRunner, Result

from stimctl import port
from stimctl.cli import codes, main
from stimctl.cli.replay import replay

FOLDER = Path(__file__).parents[2] / "recordings"
SIM = FOLDER / "native-sim.traffic"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["replay", *arguments], catch_exceptions=False)


@pytest.fixture
def spoiled(tmp_path: Path) -> Path:
    """A record whose third message from the host is another."""
    path = tmp_path / "spoiled.traffic"
    path.write_text(SIM.read_text("utf-8").replace('"host", "bytes": "030203', '"host", "bytes": "030204'), "utf-8")
    assert path.read_text("utf-8") != SIM.read_text("utf-8")
    return path


def test_records_that_are_the_same_are_told_so() -> None:
    result = run(str(SIM), "--tolerance-ms", "0")
    assert result.exit_code == codes.DONE
    assert result.output.startswith(f"{SIM}: the same 32 pieces sent, at most 0 ms off (0 ms are allowed); ended: ")


def test_a_difference_is_told_and_the_other_files_are_replayed(spoiled: Path) -> None:
    result = run(str(spoiled), str(SIM))
    assert result.exit_code == codes.UNMET
    first, second, third = result.output.splitlines()
    assert first == f"{spoiled}: DIFFERS after 2 pieces, 0.000 s from the beginning"
    assert "expected b'\\x03\\x02\\x04\\x06\\x01X\\x99\\x0c\\xfe' at 0.000000 s" in second
    assert second.endswith("got ReadIdentity #3 page=1")
    assert third.startswith(f"{SIM}: the same")


def test_json_has_the_same(spoiled: Path) -> None:
    result = run(str(spoiled), str(SIM), "--json")
    assert result.exit_code == codes.UNMET
    bad, good = json.loads(result.output)
    assert (bad["same"], bad["difference"]["got"]) == (False, "ReadIdentity #3 page=1")
    assert (good["same"], good["difference"], good["sent"], good["worst_us"]) == (True, None, 32, 0)


def test_a_file_that_is_no_record_of_a_session_is_invalid(tmp_path: Path) -> None:
    old = tmp_path / "old.traffic"
    old.write_text('{"stimctl_traffic": 1, "url": "x", "simulator": null}\n', "utf-8")
    result = run(str(old))
    assert result.exit_code == codes.INVALID
    assert "only what `stimctl run --record-traffic` of this version records can be replayed" in result.output


def test_it_has_no_option_that_names_a_port() -> None:
    names = {name for parameter in replay.params for name in parameter.opts}
    assert names == {"files", "--tolerance-ms", "--json"}
    assert run(str(SIM), "--port", "/dev/ttyUSB0").exit_code == codes.USAGE
    files = next(parameter for parameter in replay.params if parameter.name == "files")
    assert isinstance(files.type, click.Path)
    assert run("sim://").exit_code == codes.USAGE


def test_nothing_is_opened_but_the_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither pyserial, nor a device's file, nor a socket, nor anything for writing; whatever the record's URL is."""
    opened = os.open

    def no_port(*_: Any, **__: Any) -> NoReturn:
        raise AssertionError("a replay opens no port")

    def only_to_read(path: Any, flags: int, *rest: Any, **options: Any) -> int:
        assert not str(path).startswith("/dev/")
        assert not flags & (os.O_WRONLY | os.O_RDWR)
        return opened(path, flags, *rest, **options)

    monkeypatch.setattr(serial, "serial_for_url", no_port)
    monkeypatch.setattr(serial.Serial, "open", no_port)
    monkeypatch.setattr(port, "open_port", no_port)
    monkeypatch.setattr("socket.socket.connect", no_port)
    monkeypatch.setattr(os, "open", only_to_read)
    assert run(*(str(file) for file in sorted(FOLDER.glob("*.traffic")))).exit_code == codes.DONE


def test_the_modules_that_replay_know_no_way_to_a_port() -> None:
    """`stimctl.replay` imports neither `stimctl.port` nor pyserial: what it runs on is its own port in memory."""
    package = Path(port.__file__).parents[1]
    for module in [*(package / "replay").glob("*.py"), package / "cli" / "replay.py"]:
        text = module.read_text("utf-8")
        assert "open_port" not in text
        assert "import serial" not in text
        assert "from stimctl.port" not in text
