"""`stimctl traffic show` of boards: every session of each dialect and firmware in words, nothing damaged."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from firmware_sim.factory import DeviceSpec
from stimctl.cli import main
from stimctl.stimulators.discovery import DeviceChoice
from stimctl.traffic.transcript import TrafficWriter
from tests.stimctl.session.world import prescription
from tests.stimctl.stimulators.bench import Bench
from tests.stimctl.stimulators.contract import stop

BOARDS = {
    **{
        dialect: (DeviceSpec("stimjim", dialect=dialect), DeviceChoice("stimjim", dialect=dialect)) for dialect in "abc"
    },
    **{pal: (DeviceSpec("pulsepal", firmware=pal), DeviceChoice("pulsepal", isolator="1")) for pal in ("21", "22")},
}
WANTED = {
    "a": {
        *("Cancel", "Stop", "SetMode", "Define", "Start", "ReadCurrent"),
        *("SlotEcho", "SlotStarted", "StageReport", "Detached"),
    },
    "b": {
        *("SetEnvelope", "ReadMeasurement", "SetRoute", "Setting", "Define", "Start"),
        *("SlotStarted", "TrainComplete", "StageReport"),
    },
    "c": {"Define", "Start", "SlotStarted", "StageReport", "DetachInput", "Detached", "SlotEcho"},
    "21": {"Handshake", "Welcome", "AbortAll", "SetVoltage", "Program", "Trigger", "Done"},
    "22": {"Handshake", "Welcome", "Stop", "Program", "ReadProgram", "Holds", "Trigger", "Done"},
}  # fmt: skip


def recorded(name: str, folder: Path, *spoilt: bytes) -> Path:
    """The traffic of a session of 6 s, with records of the host's behind it."""
    bench = Bench(*BOARDS[name], prescription(seconds=20))
    bench.run((6.0, stop))
    file = folder / "board.traffic"
    with file.open("w", encoding="utf-8") as out:
        writer = TrafficWriter(out, "test")
        for at_us, sender, data in bench.tape.pieces:
            writer.record(at_us, sender, data)
        for data in spoilt:
            writer.record(99_000_000, "host", data)
    return file


def shown(file: Path, *options: str) -> str:
    result = CliRunner().invoke(main, ["traffic", "show", str(file), *options])
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.parametrize("name", BOARDS)
def test_each_board_is_decoded_in_words(name: str, tmp_path: Path) -> None:
    file = recorded(name, tmp_path)
    document = json.loads(shown(file, "--json"))
    kinds = {frame["kind"] for frame in document["frames"]}
    assert document["damaged"] == 0
    assert WANTED[name] <= kinds, WANTED[name] - kinds
    assert "Unknown" not in kinds
    assert shown(file).splitlines()[-1].endswith("0 damaged")
    assert shown(file, "--device", BOARDS[name][0].device) == shown(file)


def test_what_a_lease_was_is_said_with_its_units(tmp_path: Path) -> None:
    said = shown(recorded("a", tmp_path))
    assert "modes=current,grounded period=500000 us duration=500000 us stages=(100 uA,0 uA,600 us)" in said
    said = shown(recorded("22", tmp_path))
    assert "channel_1=(0.0998 V for 600 us, 0 us, -0.0998 V for 600 us" in said or "channel_1=(0.1" in said


def test_what_is_no_line_or_no_command_is_shown_as_it_is(tmp_path: Path) -> None:
    said = shown(recorded("a", tmp_path, b"\x01\x02\n", b"half a li"))
    assert 'damaged        why="not a line of text" bytes=01 02' in said
    assert 'why="cut short at the end"' in said
    assert said.splitlines()[-1].endswith("2 damaged")
    said = shown(recorded("21", tmp_path, b"\x01\x02", b"\xd5\x4a\x80\x01"))
    assert 'does not begin with 213, so it is passed over" bytes=01 02' in said
    assert said.splitlines()[-1].endswith("1 damaged")
