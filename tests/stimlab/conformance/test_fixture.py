"""What a person is asked: there is time to do it, it can be said again, and it can be skipped."""

import re
import time
from pathlib import Path

from stimctl.wire.codes import DeviceState
from stimlab.conformance import checks
from stimlab.conformance.check import Check
from stimlab.conformance.dut import Dut
from stimlab.conformance.fixture import LOADS, PersonFixture, Reply
from stimlab.conformance.runner import SuiteRunner
from tests.stimlab.conformance.bench_world import bench_on

A_WHILE_US = 20_000_000


def test_a_session_goes_on_while_somebody_takes_20_s_to_do_what_was_asked() -> None:
    dut = bench_on()
    dut.identify()

    def ask(text: str) -> Reply:
        assert text == "While it stimulates, take a lead of channel 1 off"
        began_us = dut.now_us
        while dut.now_us < began_us + A_WHILE_US:
            time.sleep(0.001)
        return "done"

    dut.fixture = PersonFixture(ask)
    dut.running(stimulation_limit_us=1_800_000_000)
    asked_us = dut.now_us
    dut.swap(1, "open")
    assert dut.now_us >= asked_us + A_WHILE_US
    assert dut.state() is DeviceState.RUNNING


def test_what_was_asked_is_said_again_until_it_is_done() -> None:
    replies: list[Reply] = ["again", "again", "done"]
    asked: list[str] = []

    def ask(text: str) -> Reply:
        asked.append(text)
        return replies[len(asked) - 1]

    PersonFixture(ask).connect("open")
    assert asked == [f"Connect {LOADS['open']}"] * 3


def test_what_is_skipped_was_not_examined() -> None:
    dut = bench_on()
    dut.fixture = PersonFixture(lambda _: "skip")
    check = Check("switched", ("R-02",), "somebody has to", "made", Dut.power_cycle, fixture=("power",))
    run = SuiteRunner(dut).run([check])
    assert run.outcomes[0].verdict == "skipped"
    assert run.outcomes[0].reason == "you skipped what it asked you to do"
    assert run.verdict.startswith("CONFORMS in what was examined; 1 not examined")


def test_each_load_that_a_check_connects_can_be_said_to_a_person() -> None:
    asked: list[str] = []

    def ask(text: str) -> Reply:
        asked.append(text)
        return "done"

    PersonFixture(ask).connect("r1k,2=open")
    assert asked == [f"Connect {LOADS['r1k']}; on channel 2 instead nothing: take its leads off"]
    source = "".join(path.read_text("utf-8") for path in Path(checks.__path__[0]).glob("*.py"))
    named = {
        name for names in re.findall(r"(?:_with_load\(dut, |dut\.connect\(|for load in \()(\"[^)]+)", source)
        for name in re.findall(r'"([^"]+)"', names)
    }  # fmt: skip
    assert {"open", "short", "bridged", "r1k,2=open"} <= named
    for load in named:
        PersonFixture(ask).connect(load)
