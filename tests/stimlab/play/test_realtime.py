"""The same in real time: a simulator that is a process, behind a pseudo-terminal and behind TCP."""

import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from firmware_sim.faults import Fault
from stimctl.errors import Misuse
from stimctl.ledger import Ledger
from stimctl.session.states import End
from stimlab.interrupt import Interrupt
from stimlab.play.play import play
from stimlab.play.realtime import python
from stimlab.scenario.reader import Expectation, OperatorAction, Scenario, shipped
from tests.signals import at_each_instant, handled_by, handlers

pytestmark = pytest.mark.realtime
S = 1_000_000


@pytest.mark.parametrize("over", ["pty", "tcp"])
def test_what_was_played_in_virtual_time_comes_out_alike(over: str) -> None:
    """A short circuit 1 s into the ramp, on a line that loses a frame now and then."""
    scenario = Scenario(
        "short",
        faults=(
            Fault("load.short", at_us=S, after="RAMPING", channel=1),
            Fault("line.loss", at_us=S, after="RAMPING", options={"permille": 50}),
        ),
        expect=Expectation(
            frozenset({End.SHORT}), True, alarms=("short circuit",), pulses="some", within_us={"stop_to_zero": 2_000}
        ),
    )
    assert play(scenario).unmet == ()
    played = play(scenario, over=over)
    assert played.unmet == ()
    assert played.fired == {0: 1, 1: 1}
    assert played.recorder.channels == (1,)
    assert played.recorder.end_us(1) == played.recorder.end_us() > played.fired_us[0]
    assert played.recorder.end_us(2) == 0
    assert 0 < played.control_us["fault_to_zero"] < 100_000
    assert any(entry.get("reason") == "SHORT" for entry in played.journal)


def test_a_cable_that_is_pulled_from_a_terminal() -> None:
    scenario = Scenario(
        "pulled",
        faults=(Fault("line.unplug", at_us=S // 2, after="RAMPING"),),
        expect=Expectation(frozenset({End.LINE_LOST}), False, pulses="some", within_us={"fault_to_zero": 1_010_000}),
    )
    assert play(scenario, over="pty").unmet == ()


def test_a_killed_host_leaves_its_session_open_in_its_ledger(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    played = play(shipped()["host-killed"], over="tcp", ledger=path)
    assert played.unmet == ()
    assert played.outcome == "no report"
    with Ledger(path) as ledger:
        assert len(ledger.unfinished()) == 1


def test_a_host_that_ends_before_it_is_killed_says_how() -> None:
    scenario = Scenario(
        "early", actions=(OperatorAction(S // 2, "stop"),), faults=(Fault("host.killed", at_us=600 * S),)
    )
    played = play(scenario, over="tcp")
    assert played.report is not None
    assert played.report.end is End.OPERATOR
    assert played.idle == ("fault 1 (host.killed) never did anything",)
    assert played.traffic


def test_a_simulator_that_does_not_start_is_said() -> None:
    """The load is unknown to the simulator: its own words are told."""
    with pytest.raises(Misuse, match=r"the simulator did not start: (.|\n)*wood"):
        play(replace(Scenario("a"), load="wood"), over="tcp")


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="reads which processes there are from /proc")
def test_a_signal_at_any_instant_leaves_no_process_and_is_not_lost() -> None:
    """Also in the midst of what `subprocess` does when one begins, is looked at and ends."""
    children = Path(f"/proc/self/task/{os.getpid()}/children")
    before = children.read_text().split()

    def work() -> object:
        with Interrupt() as interrupt, python("-c", "import time; time.sleep(60)") as process:
            process.poll()
            interrupt.look()
            return process

    instants = 0
    with handled_by(signal.default_int_handler):
        for sent, error in at_each_instant(work, [signal.SIGTERM], step=3):
            instants += 1
            assert isinstance(error, KeyboardInterrupt) is sent, instants
            assert children.read_text().split() == before, instants
            assert handlers() == {signal.default_int_handler}, instants
    assert instants > 100
