"""`stimctl traffic show`: a recorded handshake, in words and as JSON."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from stimctl.cli.traffic import traffic
from stimctl.errors import InputInvalid
from stimctl.traffic.transcript import TrafficWriter
from stimctl.wire.codec import Hello, Maker, Welcome, encode
from stimctl.wire.codes import PROTOCOL_VERSION


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    path = tmp_path / "session.traffic"
    with path.open("w", encoding="utf-8") as out:
        writer = TrafficWriter(out, "sim://?seed=1")
        writer.record(0, "host", encode(1, Hello(PROTOCOL_VERSION)))
        writer.record(1_700, "device", encode(1, Welcome(PROTOCOL_VERSION, 7, 1, 0, 0)) + b"\x05junk\x00")
        writer.record(5_000, "device", encode(2, Maker(b"stimctl", b"7")))
    return path


def test_show_prints_a_line_a_frame_and_says_it_is_a_simulator(recorded: Path) -> None:
    result = CliRunner().invoke(traffic, ["show", str(recorded)], catch_exceptions=False)
    assert result.exit_code == 0
    lines = result.output.splitlines()
    assert lines[0] == "# traffic on sim://?seed=1; SIMULATOR"
    assert lines[1] == "     0.000000 s  host        #1  Hello          version=2"
    assert "Welcome        version=2 boot_id=7 simulator=1 state=IDLE session=0" in lines[2]
    assert lines[3] == ('     0.001700 s  device          damaged        why="CRC does not hold" bytes=05 6a 75 6e 6b')
    assert lines[-1] == "# SIMULATOR; 1 damaged"


def test_show_json_gives_numbers(recorded: Path) -> None:
    result = CliRunner().invoke(traffic, ["show", "--json", str(recorded)], catch_exceptions=False)
    document = json.loads(result.output)
    assert (document["url"], document["simulator"], document["damaged"]) == ("sim://?seed=1", True, 1)
    assert [frame["kind"] for frame in document["frames"]] == ["Hello", "Welcome", "damaged", "Maker"]
    assert document["frames"][0] == {
        "at_us": 0, "from": "host", "kind": "Hello", "sequence": 1, "fields": {"version": 2},
    }  # fmt: skip
    assert document["frames"][2]["fields"] == {"why": "CRC does not hold", "bytes": "05 6a 75 6e 6b"}
    assert document["frames"][3]["fields"]["model"] == b"stimctl".ljust(24, b"\x00").hex()


def test_a_record_cut_short_is_printed_up_to_the_cut(recorded: Path) -> None:
    text = recorded.read_text("utf-8")
    recorded.write_text(text[:-20], "utf-8")
    result = CliRunner().invoke(traffic, ["show", str(recorded)])
    assert "Welcome" in result.output
    assert isinstance(result.exception, InputInvalid)
    assert "line 4" in str(result.exception)


def test_help_shows_an_example() -> None:
    result = CliRunner().invoke(traffic, ["show", "--help"])
    assert "Example: stimctl traffic show session.traffic" in result.output
