"""A simulator's time waits for the person who attends."""

import re

import pytest

from stimctl.cli import codes
from stimctl.cli.run.attending import attended_url
from stimctl.errors import Misuse
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


@pytest.mark.parametrize(("pace", "left"), [("max", "0 s"), ("1e9", "2.7e-06 s"), ("61", "44 s"), ("inf", "0 s")])
def test_a_pace_that_no_person_can_follow_is_refused(pace: str, left: str) -> None:
    """At 60 the 45 minutes from arm to end last 45 s."""
    with pytest.raises(Misuse, match=rf"nobody can attend at pace={pace}, at which .* take {left}: .* up to 60"):
        attended_url(f"sim://?seed=2&pace={pace}")
    assert attended_url("sim://?pace=soon") == "sim://?pace=soon"  # the simulator says what is wrong with it


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
