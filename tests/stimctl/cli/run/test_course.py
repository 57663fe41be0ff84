"""`stimctl run` joins the course of its subject: what is told, which settings stand again, what the log says."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from stimctl.cli import codes, main
from stimctl.ledger import Ledger
from tests.stimctl.cli.run.test_questions import FAST, PERSON, answered, opened, through
from tests.stimctl.cli.run.test_terminal import SIM
from tests.stimctl.cli.terminal import Terminal

EXAMPLE = Path("profiles/examples/low-back-pain.toml").resolve()


def invoke(*arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(main, [*arguments], catch_exceptions=False)
    assert result.exit_code == code, result.output
    return result.output


def visit(pseudonym: str = "S-1") -> str:
    """A session on the simulator, from a file, to its end."""
    text = EXAMPLE.read_text("utf-8").replace("example-001", pseudonym).replace("minutes = 20", "minutes = 1")
    text = text.replace('operator = "', 'clinician = { name = "Dr. O.", lowers = ["minutes"] }\noperator = "')
    file = Path("visit.toml")
    file.write_text(text, "utf-8")
    return invoke("run", "low-back-pain", "--port", "sim://", "--prescription", str(file))


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_session_names_its_course_and_is_told_where_it_stands(home: Path) -> None:
    invoke("course", "new", "S-1", "low-back-pain", "--simulated")
    first, second, third = (visit() for _ in range(3))
    assert "SIMULATED course of S-1, low-back-pain: session 1 of 10 to 12; it is the first.\n" in first
    assert "session 2 of 10 to 12; the last was on " in second
    assert "Attention" not in second
    assert "Attention: a session today would be one too many: after " in third
    with Ledger(home / "ledger.sqlite", read_only=True) as ledger:
        (course,) = {entry.session_id for entry in ledger.of_courses()}
    assert [body["course"] for body in opened(home)] == [course] * 3
    assert "3 of 10 to 12" in invoke("course", "show", "S-1")


def test_a_session_of_nobodys_course_names_none(home: Path) -> None:
    invoke("course", "new", "S-1", "low-back-pain")
    invoke("course", "new", "S-2", "low-back-pain", "--simulated")
    assert "course" not in visit("S-1"), "no simulation joins a real course"
    invoke("course", "end", "S-2", "moved away")
    assert "course" not in visit("S-2")
    assert ["course" in body for body in opened(home)] == [False, False]


@pytest.mark.realtime
def test_a_second_visit_takes_its_settings_from_the_first(home: Path) -> None:
    invoke("course", "new", "S-1", "low-back-pain", "--simulated")
    visit()
    with Terminal("run", "low-back-pain", "--port", SIM) as terminal:
        answered(terminal, [("Subject", "sim"), ("Pseudonym", "S-1")])
        terminal.wait_for("session 2 of 10 to 12; the last was on .* 0 days ago")
        terminal.wait_for("Its settings are those of the last session")
        terminal.wait_for("Amplitude, channel 1 +1.5 mA")
        answered(terminal, [("Enter goes on", "")])
        through(terminal)
        assert terminal.ended() == codes.STOPPED
    first, second = opened(home)
    assert second["prescription"] == first["prescription"]
    assert second["course"] == first["course"]


@pytest.mark.realtime
def test_a_person_is_asked_only_what_is_true_of_the_day(home: Path) -> None:
    invoke("course", "new", "P-17", "low-back-pain", "--simulated")
    for steps in (PERSON, [*PERSON[:2], ("pacemaker(?s:.*?)Is any of this so", "none"), *PERSON[-5:]]):
        with Terminal("run", "low-back-pain", "--rehearse", "--port", FAST) as terminal:
            answered(terminal, steps)
            through(terminal)
            answered(terminal, [("Pain", "3"), ("Sensation", "2")])
            assert terminal.ended() == codes.STOPPED
    first, second = opened(home)
    assert second["prescription"]["channels"] == first["prescription"]["channels"]
    assert second["course"] == first["course"]
    assert "4 > 3" in invoke("course", "show", "P-17")


@pytest.mark.realtime
def test_settings_of_one_subject_never_stand_for_another(home: Path) -> None:
    invoke("course", "new", "S-1", "low-back-pain", "--simulated")
    visit()
    with Terminal("run", "low-back-pain", "--port", SIM) as terminal:
        answered(terminal, [("Subject", "sim"), ("Pseudonym", "S-1")])
        terminal.wait_for("Its settings are those of the last session")
        answered(terminal, [("Enter goes on", "2"), ("Pseudonym .*S-1", "S-2"), (r"Operator", "AO")])
        terminal.wait_for(r"Minutes \([^[]*\): ")  # and nothing is offered in brackets
        terminal.press("\x03\n")
        terminal.ended()


@pytest.mark.realtime
def test_a_repeated_prescription_of_one_subject_never_stands_for_another(home: Path) -> None:
    visit()
    with Terminal("run", "--again", "S-1", "--port", SIM) as terminal:
        terminal.wait_for("Amplitude, channel 1 +1.5 mA")
        answered(terminal, [("Enter goes on", "2"), ("Pseudonym .*S-1", "S-2"), ("Operator", "AO")])
        terminal.wait_for(r"Minutes \([^[]*\): ")  # and nothing is offered in brackets
        terminal.press("\x03\n")
        terminal.ended()


@pytest.mark.realtime
def test_a_screening_of_one_subject_never_stands_for_another(home: Path) -> None:
    again = [*PERSON[1:3], *PERSON[-5:-1]]
    with Terminal("run", "low-back-pain", "--rehearse", "--port", FAST) as terminal:
        answered(terminal, [*PERSON[:-1], ("Enter goes on", "1"), ("Pseudonym .*P-17", "P-18"), *again])
        terminal.wait_for(r"Pseudonym +P-18(?s:.*?)Enter goes on")
        terminal.press("\x03\n")
        terminal.ended()


def test_a_profile_that_has_changed_since_the_plan_is_told_at_the_first_session_already(home: Path) -> None:
    invoke("course", "new", "S-1", "low-back-pain", "--simulated")
    with Ledger(home / "ledger.sqlite") as ledger:
        (begun,) = ledger.of_courses()
        invoke("course", "end", "S-1", "another begins")
        profile = {**begun.body["profile"], "version": "0.9", "sha256": "0" * 64}
        ledger.append("course-20260101-000000-aaaaa", "course", 0, {**begun.body, "profile": profile})
    assert "Attention: the profile low-back-pain has changed since the plan was made: it was 0.9 and is " in visit()
