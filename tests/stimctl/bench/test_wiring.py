"""The wiring check: its table is the document's, and a person's answers are kept step by step."""

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from stimctl.bench.dummy_load import prescription_for
from stimctl.bench.wiring import WiringRecord, wiring_table
from stimctl.cli import codes, main
from stimctl.cli.bench.driving import LoadDriver
from stimctl.cli.bench.wiring import _step
from stimctl.cli.run import keys
from stimctl.prescription import Subject
from stimctl.session.view import SessionReport

DOCUMENT = Path(__file__).parents[3] / "docs" / "hardware.md"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("STIMCTL_DATA", str(tmp_path))
    return tmp_path


def wiring(answers: str) -> Result:
    return CliRunner().invoke(main, ["bench", "wiring", "--port", "sim://"], input=answers)


def kept(home: Path) -> list[dict[str, object]]:
    (path,) = (home / "wiring").iterdir()
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_the_document_has_this_table() -> None:
    table = wiring_table()
    assert [step.number for step in table.steps] == list(range(1, 16))
    assert table.document() in DOCUMENT.read_text("utf-8")


def test_what_is_driven_is_within_every_limit() -> None:
    table = wiring_table()
    runs = {run for step in table.steps if (run := table.run_of(step)) is not None}
    assert {prescription_for(run).ceiling_ua for run in runs} == {500, 1_000}


def test_all_steps_are_gone_through_and_kept(home: Path) -> None:
    steps = [step for step in wiring_table().steps if not step.only]
    answers = "".join("n\n" * (step.drive is not None and step.number != 3) + "y\n" * (step.number == 3) + "y\nfine\n"
                      for step in steps)  # fmt: skip
    result = wiring(answers)
    assert result.exit_code == codes.DONE, result.output
    assert "All 14 are as expected." in result.output
    head, *given = kept(home)
    assert head["url"] == "sim://?load=r1000"
    assert [each["step"] for each in given] == [step.number for step in steps]
    assert {each["answer"] for each in given} == {"as expected"}
    assert [each["step"] for each in given if each["session_id"]] == [3]


@pytest.mark.realtime
def test_what_was_typed_before_a_question_answers_none(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    master, slave = os.openpty()
    forget, answers = keys.forget_typed, iter(["n\n", "y\nas it should be\n"])

    def then_answered() -> None:
        forget()
        person.write(next(answers).encode())

    step = next(step for step in wiring_table().steps if step.drive is not None)
    with os.fdopen(master, "wb", 0) as person, os.fdopen(slave) as terminal, WiringRecord(home, {}, "one") as record:
        monkeypatch.setattr(sys, "stdin", terminal)
        monkeypatch.setattr(keys, "forget_typed", then_answered)
        person.write(b"y\ny\n\n")
        driver: Any = None  # that drives nothing
        assert _step(wiring_table(), step, driver, Subject.SIMULATOR, record) == "as expected"
    assert kept(home)[1]["seen"] == "as it should be"


def test_a_session_that_is_not_logged_to_its_end_ends_it(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = LoadDriver.drive

    def unlogged(driver: LoadDriver, *given: Any) -> SessionReport:
        report = whole(driver, *given)
        driver.log_fault = "the disk is full"
        return report

    monkeypatch.setattr(LoadDriver, "drive", unlogged)
    result = wiring("y\n\ny\n\ny\n" + "y\n\nl\n\n" * 12)
    assert result.exit_code == codes.LOG, result.output
    assert "the disk is full" in result.output
    assert [each["step"] for each in kept(home)[1:]] == [1, 2]


def test_the_first_that_is_not_as_expected_ends_it(home: Path) -> None:
    result = wiring("y\n\nl\n\nn\nn\n0.3 V at once\n")
    assert result.exit_code == codes.UNMET, result.output
    assert "STOP at step 3: switch off" in result.output
    assert [(each["step"], each["answer"], each["seen"]) for each in kept(home)[1:]] == [
        (1, "as expected", ""), (2, "left out", ""), (3, "not as expected", "0.3 V at once")
    ]  # fmt: skip
