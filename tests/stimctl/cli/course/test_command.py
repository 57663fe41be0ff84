"""`stimctl course`, through the command as a person calls it."""

import json
import os
import sqlite3
import stat
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from pydantic import TypeAdapter

from stimctl.cli import codes, main
from stimctl.ledger import Ledger
from stimctl.ledger.document import SessionDocument
from tests.stimctl.cli.terminal import Terminal

EXAMPLE = Path("profiles/examples/low-back-pain.toml").resolve()


def call(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments, catch_exceptions=False)


def good(*arguments: str) -> str:
    result = call(*arguments)
    assert result.exit_code == 0, result.output
    return " ".join(result.output.split())


def bad(code: int, *arguments: str) -> str:
    result = call(*arguments)
    assert result.exit_code == code, result.output
    return " ".join(result.output.split())


@pytest.fixture
def visited(home: Path, tmp_path: Path) -> str:
    """A simulated course of S-1 with one session; the session's id."""
    good("course", "new", "S-1", "low-back-pain", "--simulated", "--author", "AO")
    file = tmp_path / "s-1.toml"
    file.write_text(EXAMPLE.read_text("utf-8").replace("example-001", "S-1"), "utf-8")
    good("run", "--port", "sim://", "--prescription", str(file))
    with Ledger(home / "ledger.sqlite", read_only=True) as ledger:
        return ledger.resolve("latest")


def test_a_new_course_shows_its_plan_with_who_says_so(home: Path) -> None:
    text = good("course", "new", "P-17", "low-back-pain", "--spacing", "3-4", "--clinician", "Dr. O.")
    assert 'how often 2 sessions a week [source] "2x/week for 4-6 weeks initially (10-12 sessions)"' in text
    assert "spacing 3 to 4 days between sessions [clinician] by Dr. O." in text
    assert "follows low-back-pain already" in bad(codes.INVALID, "course", "new", "P-17", "low-back-pain")


def test_what_a_profile_leaves_open_is_told_and_a_person_supplies_it(home: Path) -> None:
    assert "how often unspecified [unspecified] the source gives no schedule" in good(
        "course", "new", "P-18", "knee-osteoarthritis"
    )
    assert "is not known: supply one of them" in good("course", "due", "P-18")
    assert "--clinician" in bad(codes.USAGE, "course", "correct", "P-18", "--per-week", "2", "--why", "x")
    good("course", "correct", "P-18", "--per-week", "2", "--why", "as for the back", "--clinician", "Dr. O.")
    shown = good("course", "show", "P-18")
    assert "how often 2 sessions a week [clinician] by Dr. O." in shown
    assert "corrected: as for the back; how often: 2 [clinician] by Dr. O." in shown


@pytest.mark.parametrize("amount", ["4-2", "two", "-1", "1--2", ""])
def test_an_amount_that_is_none_is_refused(home: Path, amount: str) -> None:
    bad(codes.USAGE, "course", "new", "P-17", "low-back-pain", "--spacing", amount, "--clinician", "AO")
    assert not home.exists()


def test_what_looks_like_a_name_is_not_taken_without_asking(home: Path) -> None:
    assert "looks like a person's name" in bad(codes.INVALID, "course", "new", "Anna Schmidt", "low-back-pain")
    assert not home.exists()
    good("course", "new", "maple", "low-back-pain", "--pseudonym")


@pytest.mark.realtime
def test_at_a_terminal_a_name_is_asked_about(home: Path) -> None:
    with Terminal("course", "new", "Anna", "low-back-pain") as terminal:
        terminal.wait_for(r"looks like a person's name.* Is it a pseudonym\?")
        terminal.press("n\n")
        assert terminal.ended() == codes.INVALID
    assert not home.exists()


def test_a_course_from_its_first_session_to_its_end(visited: str) -> None:
    shown = good("course", "show", "S-1")
    assert shown.startswith("SIMULATED: course of S-1")
    assert "done 1 of 10 to 12" in shown
    assert f"{visited} - > - 1.50 mA" in shown
    assert "18.982 mC counted timer" in shown
    good("course", "note", "S-1", "sleeps better", "--author", "AO")
    good("course", "adverse", "S-1", "bruise", "--severity", "mild")
    number = good("log", "adverse", visited, "fainted").rpartition(" ")[2].removesuffix(".")
    good("log", "correct", number, "felt faint, no more", "--author", "AO")
    assert f"correction of entry {number}: felt faint, no more (AO) [entry " in good("log", "show", visited)
    assert "nothing to add" in bad(codes.USAGE, "log", "score", visited, "--when", "before")
    for pain in ("9", "6"):
        good("log", "score", visited, "--when", "before", "--pain", pain, "--author", "AO")
    assert "6 > -" in good("course", "show", "S-1"), "the last one counts"
    good("log", "score", visited, "--when", "before", "--sensation", "2")
    assert "pain 6.0 - sensation at the needles 2.0 -" in good("log", "show", visited)
    good("course", "correct", "S-1", "--without", visited, "--why", "a trial")
    good("course", "end", "S-1", "moved away")
    shown = good("course", "show", "S-1")
    for expected in (
        "done 0 of",
        "mild: bruise",
        "sleeps better (AO)",
        "ended: moved away",
        f"session {visited} does not",
    ):
        assert expected in shown
    assert "holds no course that goes on" in good("course", "due")
    assert "has ended" in bad(codes.INVALID, "course", "end", "S-1", "again")
    assert len(json.loads(call("log", "subject", "S-1").stdout)["courses"][0]["entries"]) == 5


def test_due_names_the_most_urgent_first_and_the_calendar_is_its_owners(visited: str, tmp_path: Path) -> None:
    good("course", "new", "S-2", "low-back-pain", "--simulated")
    after = (date.today() + timedelta(days=9)).isoformat()  # noqa: DTZ011 - as the command does, by the wall clock
    first, second = call("course", "due", "--on", after).output.splitlines()[1:]
    assert first.split()[0] == "S-1"
    assert "overdue by 5 days" in first
    assert "any day" in second
    calendar = tmp_path / "due.ics"
    good("course", "due", "--ics", str(calendar))
    assert "session 2 of 10 to 12" in calendar.read_text("utf-8")
    assert os.name != "posix" or stat.S_IMODE(calendar.stat().st_mode) == 0o600
    assert "is there already" in bad(codes.INVALID, "course", "due", "--ics", str(calendar))
    good("course", "due", "S-1", "--ics", str(calendar), "--force")


def test_trends_in_the_terminal_and_as_a_picture(visited: str, tmp_path: Path) -> None:
    assert "counted: 18.98" in good("course", "trend", "S-1")
    good("course", "trend", "S-1", "-o", str(tmp_path / "t.png"))
    assert (tmp_path / "t.png").read_bytes().startswith(b"\x89PNG")
    assert os.name != "posix" or stat.S_IMODE((tmp_path / "t.png").stat().st_mode) == 0o600
    (tmp_path / "t.svg").write_text("precious")
    assert "is there already" in bad(codes.INVALID, "course", "trend", "S-1", "-o", str(tmp_path / "t.svg"))
    assert (tmp_path / "t.svg").read_text() == "precious"
    good("course", "trend", "S-1", "-o", str(tmp_path / "t.svg"), "--force")
    assert os.name != "posix" or stat.S_IMODE((tmp_path / "t.svg").stat().st_mode) == 0o600
    assert "S-1" in (tmp_path / "t.svg").read_text("utf-8")


def test_a_session_is_shown_with_its_place_in_the_course(visited: str) -> None:
    good("course", "correct", "S-1", "--sessions", "1", "--clinician", "Dr. O.", "--why", "once")
    shown = good("log", "show", "latest")
    assert "of S-1, low-back-pain: session 1 of 1 " in shown
    assert "attention" not in shown
    good("course", "correct", "S-1", "--without", visited, "--why", "stopped in the ramp")
    assert "of S-1, low-back-pain: does not count in it" in good("log", "show", "latest")


def test_a_session_as_a_document_has_its_course_plan_and_what_is_due(visited: str, home: Path) -> None:
    def course_of_session() -> dict[str, Any]:
        shown = json.loads(call("log", "show", visited, "--json").stdout)
        assert TypeAdapter(SessionDocument).validate_python(shown)
        found: dict[str, Any] = shown["course"]
        return found

    good("course", "correct", "S-1", "--sessions", "4-6", "--clinician", "Dr. O.", "--why", "as agreed")
    found, course = course_of_session(), json.loads(call("course", "show", "S-1", "--json").stdout)
    assert (found["course_id"], found["pseudonym"], found["simulated"]) == (course["course_id"], "S-1", True)
    assert (found["number"], found["plan"], found["faults"]) == (1, course["plan"], [])
    assert found["plan"]["course_sessions"] == {"low": 4, "high": 6, "from": "clinician", "note": "by Dr. O."}
    asked_on = found["due"].pop("asked_on")
    assert found["due"] == course["due"]
    assert date.fromisoformat(found["due"]["earliest"]) > date.fromisoformat(asked_on)
    good("course", "correct", "S-1", "--without", visited, "--why", "stopped in the ramp")
    assert course_of_session()["number"] is None


def test_a_run_as_a_document_has_its_course(visited: str, tmp_path: Path) -> None:
    ran = json.loads(call("run", "--port", "sim://", "--prescription", str(tmp_path / "s-1.toml"), "--json").stdout)
    assert (ran["course"]["pseudonym"], ran["course"]["number"]) == ("S-1", 2)


def alter(folder: Path, statement: str) -> None:
    with closing(sqlite3.connect(folder / "ledger.sqlite", isolation_level=None)) as file:
        (trigger,) = file.execute("SELECT sql FROM sqlite_schema WHERE name = 'entries_never_change'").fetchone()
        for each in ("DROP TRIGGER entries_never_change", statement, trigger):
            file.execute(each)


def test_a_session_whose_course_does_not_verify_is_told(visited: str, home: Path) -> None:
    alter(home, "UPDATE entries SET body = replace(body, 'AO', 'XY') WHERE kind = 'course'")
    for options in ((), ("--json",)):
        result = call("log", "show", visited, *options)
        assert result.exit_code == codes.LOG
        assert "The course of this session does not verify: entry 1 is not what was hashed" in result.stderr


def test_a_course_whose_first_entry_was_moved_is_said_to_be_perhaps_there(visited: str, home: Path) -> None:
    alter(home, "UPDATE entries SET session_id = 'nobody' WHERE kind = 'course'")
    for command in ("show", "due", "trend"):
        assert "nobody can say of whom it was" in bad(codes.LOG, "course", command, "S-1")
    assert "holds no course that goes on" in bad(codes.LOG, "course", "due")


def test_a_trend_of_a_course_from_which_its_sessions_were_moved_is_no_mistake_of_the_person(
    visited: str, home: Path
) -> None:
    alter(home, "UPDATE entries SET kind = 'state' WHERE kind = 'started'")
    assert "nothing to draw; but the course does not verify" in bad(codes.LOG, "course", "trend", "S-1")


def test_a_course_whose_profile_has_another_text_by_now_says_so_wherever_it_is_shown(visited: str, home: Path) -> None:
    with Ledger(home / "ledger.sqlite") as ledger:
        (begun,) = (entry for entry in ledger.of_courses() if entry.kind == "course")
        then = {**begun.body, "pseudonym": "S-9", "profile": {**begun.body["profile"], "sha256": "0" * 64}}
        ledger.append("course-20260101-000000-aaaaa", "course", 0, then)
        opened = next(entry for entry in ledger.entries(visited) if entry.kind == "opened").body
        ledger.append("s-9", "opened", 0, {**opened, "pseudonym": "S-9", "course": "course-20260101-000000-aaaaa"})
    said = "the profile low-back-pain has changed since the plan was made: it is still"
    assert said in good("course", "show", "S-9")
    assert said in good("course", "due", "S-9")
    assert f"S-9: {said}" in good("course", "due")
    assert said in good("log", "show", "s-9")
    (told,) = json.loads(call("course", "due", "S-9", "--json").stdout)
    assert said in told["due"]["profile_change"]
    assert said not in good("course", "show", "S-1")


def test_a_course_that_was_changed_says_so_first_and_exits_with_7(visited: str, home: Path) -> None:
    file = home / "ledger.sqlite"
    file.write_bytes(file.read_bytes().replace(b'"author":"AO"', b'"author":"OA"'))
    shown = bad(codes.LOG, "course", "show", "S-1")
    assert "THIS COURSE DOES NOT VERIFY" in shown
    assert json.loads(call("course", "show", "S-1", "--json").stdout)["verifies"] is False
    bad(codes.LOG, "course", "due", "S-1")
    bad(codes.LOG, "course", "trend", "S-1")
    bad(codes.LOG, "log", "subject", "S-1")


def test_what_is_there_is_told_of_a_wrong_name(visited: str) -> None:
    assert "there are courses of S-1" in bad(codes.INVALID, "course", "show", "S-9")
    good("course", "show", "\uff33\uff0d1")  # the full-width letters of another keyboard


def test_all_of_a_subject_goes_into_a_file_of_its_own(visited: str, tmp_path: Path) -> None:
    out = tmp_path / "s-1.json"
    assert "All of S-1 (sessions 1, courses 1)" in good("log", "subject", "S-1", "-o", str(out))
    document = json.loads(out.read_text("utf-8"))
    assert document["sessions"][0]["session"]["head"]["session_id"] == visited
    assert os.name != "posix" or stat.S_IMODE(out.stat().st_mode) == 0o600


def test_a_ledger_that_was_taken_away_is_told(visited: str, home: Path) -> None:
    (home / "ledger.sqlite").rename(home / "elsewhere")
    for arguments in (("course", "due"), ("course", "show", "S-1")):
        assert "is gone" in bad(codes.LOG, *arguments)
    assert "Entries were lost" in bad(codes.INVALID, "log", "correct", "1", "x")


def test_a_session_that_was_changed_gives_no_day_without_a_word(visited: str, home: Path) -> None:
    file = home / "ledger.sqlite"
    file.write_bytes(file.read_bytes().replace(b'"url":"sim:', b'"url":"sin:'))
    assert "is not what was hashed" in bad(codes.LOG, "course", "due")


def test_a_course_that_has_ended_has_nothing_due(visited: str, tmp_path: Path) -> None:
    good("course", "end", "S-1", "moved away")
    later = (date.today() + timedelta(days=90)).isoformat()  # noqa: DTZ011 - as the command does, by the wall clock
    assert "overdue" not in good("course", "show", "S-1", "--on", later)
    good("course", "due", "S-1", "--on", later, "--ics", str(tmp_path / "due.ics"))
    assert "VEVENT" not in (tmp_path / "due.ics").read_text("utf-8")


@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31", "tomorrow"])
def test_a_day_that_nothing_can_be_reckoned_from_is_none(home: Path, day: str) -> None:
    assert "is no day" in bad(codes.USAGE, "course", "due", "--on", day)
