"""A simulator's time waits for the person who attends."""

import re

import pytest

from stimctl.cli import codes
from stimctl.cli.run.attending import attended_url
from tests.stimctl.cli.run.test_questions import through
from tests.stimctl.cli.run.test_terminal import BACK
from tests.stimctl.cli.terminal import Terminal


@pytest.mark.parametrize(
    ("named", "kept"),
    [
        ("sim://", "sim://?pace=real"),
        ("SIM://", "SIM://?pace=real"),
        ("sim://?seed=2", "sim://?seed=2&pace=real"),
        ("sim://?pace=60", "sim://?pace=60"),
        ("/dev/ttyUSB0", "/dev/ttyUSB0"),
        ("socket://localhost:7000", "socket://localhost:7000"),
    ],
)
def test_where_no_pace_is_named_it_is_real_time(named: str, kept: str) -> None:
    assert attended_url(named) == kept


@pytest.mark.realtime
def test_a_session_goes_no_further_while_a_person_reads() -> None:
    with Terminal("run", "low-back-pain", "--port", "sim://", "--prescription", BACK) as terminal:
        terminal.wait_for(r"sim:// keeps real time while somebody attends")
        through(terminal)
        assert terminal.ended() == codes.STOPPED
    assert re.search(r"stimulation +0:0\d of 20:00", terminal.text)


@pytest.mark.realtime
def test_as_fast_as_it_can_is_refused_to_who_attends_and_not_otherwise() -> None:
    command = ("run", "low-back-pain", "--port", "sim://?pace=max", "--prescription", BACK)
    with Terminal(*command) as terminal:
        assert terminal.ended() == codes.INVALID
    assert "nobody can attend at pace=max" in terminal.text
    with Terminal(*command, "--unattended") as terminal:
        assert terminal.ended() == codes.DONE
