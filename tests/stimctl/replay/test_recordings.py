"""Every record in tests/recordings is a test of the driver: put a file there, and it is one more."""

from pathlib import Path

import pytest

from stimctl.replay import TOLERANCE_US, read_recording, replay

FOLDER = Path(__file__).parents[2] / "recordings"
FILES = sorted(FOLDER.glob("*.traffic"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_driver_sends_what_it_sent_when_this_was_recorded(file: Path) -> None:
    replayed = replay(read_recording(file))
    assert replayed.difference is None
    assert replayed.report is not None
    assert replayed.sent > 10
    assert replayed.worst_us <= TOLERANCE_US


def test_what_was_recorded_in_virtual_time_comes_to_the_microsecond() -> None:
    assert replay(read_recording(FOLDER / "native-sim.traffic"), tolerance_us=0).same


def test_a_simulator_a_pty_and_tcp_are_among_them() -> None:
    assert {"native-sim", "native-pty", "native-tcp"} <= {file.stem for file in FILES}
    urls = {file.stem: read_recording(file).header.url for file in FILES}
    assert urls["native-sim"].startswith("sim://")
    assert urls["native-pty"].startswith("/dev/")
    assert urls["native-tcp"].startswith("socket://")


def test_they_stay_small() -> None:
    assert all(file.stat().st_size < 64 * 1024 for file in FILES)
