"""`stimctl prescription`: what it checks, shows, asks, and takes out of the log."""

import os
import stat
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner

from stimctl.cli import codes, main
from stimctl.cli.ask.draft import Draft
from stimctl.prescription import from_file
from stimctl.profile import examples_folder
from tests.stimctl.cli.run.test_command import run, short
from tests.stimctl.cli.run.test_questions import ON_SIMULATOR, answered
from tests.stimctl.cli.run.test_terminal import person
from tests.stimctl.cli.terminal import Terminal


def invoke(*arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(main, ["prescription", *arguments], catch_exceptions=False)
    assert result.exit_code == code, result.output
    return result.output


def test_the_shipped_examples_can_be_run() -> None:
    files = sorted(map(str, examples_folder().glob("*.toml")))
    assert invoke("check", *files).count("can be run") == len(files)


def test_a_persons_prescription_is_checked_before_there_is_a_screening(tmp_path: Path) -> None:
    said = invoke("check", person(tmp_path))
    assert "for a person; its screening is asked at the session" in said
    assert "is fixed, and low-back-pain says to patient tolerance" in said
    file = Path(person(tmp_path))
    file.write_text(file.read_text().replace("ceiling_ma = 2.0", "ceiling_ma = 2.5"))
    assert "ceiling_ma is 2.5: must be 0.5 to 2.0 mA" in invoke("check", str(file), code=codes.UNSAFE)


def test_it_is_shown_with_what_will_be_reached(tmp_path: Path) -> None:
    file = short(tmp_path, seconds="seconds = 5", amplitude_ma="amplitude_ma = 2.0")
    shown = invoke("show", file)
    assert "0:05 min of 2/100 Hz, ceiling 2.00 mA" in shown
    assert "channel 1: 0.73 mA reached after 3.2 s" in shown
    assert "2.00 mA asked for" in shown


ON_A_SIMULATOR = sorted(each.name for each in examples_folder().glob("*.toml") if each.stem != "dummy-load")


@pytest.mark.parametrize("name", ON_A_SIMULATOR)
def test_one_taken_out_of_the_log_is_the_one_that_was_run(name: str, tmp_path: Path) -> None:
    original = from_file(examples_folder() / name)
    saved, taken = tmp_path / "saved.toml", tmp_path / "taken.toml"
    arguments = (original.protocol.id, "--port", "sim://", "--prescription", str(examples_folder() / name))
    run(*arguments, "--save", str(saved))
    invoke("from-log", "latest", "-o", str(taken))
    for file in (saved, taken):
        assert from_file(file).record() == original.record()
        if os.name == "posix":
            assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "exists already" in invoke("from-log", "latest", "-o", str(taken), code=codes.INVALID)
    assert "exists already" in run(*arguments, "--save", str(saved), code=codes.INVALID).output


def test_what_is_not_there_is_a_sentence(home: Path) -> None:
    assert "no ledger" in invoke("from-log", "latest", code=codes.LOG)
    assert "only at a terminal" in invoke("new", "low-back-pain", code=codes.INVALID)
    assert "No such file" in invoke("check", "no.toml", code=codes.INVALID)
    assert not home.exists()


@pytest.mark.realtime
def test_a_new_one_is_asked_without_a_device_and_written(home: Path, tmp_path: Path) -> None:
    file = tmp_path / "new.toml"
    with Terminal("prescription", "new", "low-back-pain", "-o", str(file)) as terminal:
        answered(terminal, [*ON_SIMULATOR[:11], ("Inserted", "30 mm"), ON_SIMULATOR[12], ("Enter goes on", "")])
        terminal.wait_for("The prescription is ")
        assert terminal.ended() == codes.DONE
    values = tomllib.loads(file.read_text())
    assert (values["minutes"], values["ceiling_ma"], values["channels"][0]["amplitude_ma"]) == (20, 2.0, 1.8)
    assert values["channels"][0]["first"] == {"point": "BL-23", "side": "left"}
    assert from_file(file).targets_ua == {1: 1_800}
    assert not home.exists()


@pytest.mark.realtime
def test_a_file_that_cannot_be_written_is_told_before_a_question(tmp_path: Path) -> None:
    there = tmp_path / "there.toml"
    there.write_text("another's")
    for file, why in ((there, "exists already"), (tmp_path / "no" / "new.toml", "there is no folder")):
        with Terminal("prescription", "new", "low-back-pain", "-o", str(file)) as terminal:
            terminal.wait_for(why)
            assert terminal.ended() == codes.INVALID
            assert "Subject" not in terminal.text


@pytest.mark.realtime
def test_answers_that_became_no_prescription_are_offered_again_and_stand_for_nobody_else(tmp_path: Path) -> None:
    file = tmp_path / "new.toml"
    command = ("prescription", "new", "low-back-pain", "-o", str(file))
    with Terminal(*command) as terminal:
        answered(terminal, ON_SIMULATOR[:6])
        terminal.wait_for("Channels.*: ")
        terminal.press("\x04")
        assert terminal.ended() == codes.INTERRUPTED
    assert Draft("low-back-pain").load() is None  # a session begins from its own
    rest = [ON_SIMULATOR[10], ("Inserted", "30 mm"), ON_SIMULATOR[12]]
    with Terminal(*command) as terminal:
        terminal.wait_for("6 answers were left on .*, for P-17")
        answered(terminal, [("Go on from there", "y"), *ON_SIMULATOR[6:10], *rest, ("Enter goes on", "2")])
        answered(terminal, [("Pseudonym", "P-18"), ("Operator", "Dr. Q."), ("Minutes", "25")])
        answered(terminal, [*ON_SIMULATOR[4:6], ("Enter goes on", "")])
        terminal.wait_for("The prescription is ")
        assert terminal.ended() == codes.DONE
    values = tomllib.loads(file.read_text())
    assert (values["pseudonym"], values["operator"], values["minutes"]) == ("P-18", "Dr. Q.", 25)
    assert Draft("low-back-pain", paper=True).load() is None
