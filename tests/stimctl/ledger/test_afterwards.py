"""What was said of a session later, and was then moved, renumbered, changed or taken away, is told with the session."""

from collections.abc import Callable
from pathlib import Path
from sqlite3 import Connection

import pytest

from stimctl.course.courses import courses
from stimctl.entries import AdverseEvent, NoteTaken
from stimctl.errors import LogFault
from stimctl.ledger import Ledger, afterwards, walk
from stimctl.ledger.anchor import anchor_path
from stimctl.ledger.chain import ChainWalker, EntryRow, link
from stimctl.ledger.subject import subject_document
from tests.stimctl.ledger.conftest import write_session
from tests.stimctl.ledger.test_among import alter, faults_of

COURSE = "course-20260131-142501-7k3fq"
BEGUN = {"pseudonym": "P-07", "profile": {"id": "low-back-pain"}, "plan": {}, "follow_up": [], "simulated": False}
NOTE = 18  # of session A, behind session B


@pytest.fixture
def written(path: Path) -> Path:
    """A course, session A (2 to 9), session B (10 to 17), what was said later of A and of the course, session Z."""
    with Ledger(path) as ledger:
        ledger.append(COURSE, "course", 0, BEGUN)
        for session_id in "AB":
            write_session(ledger, session_id=session_id)
        assert ledger.add("A", NoteTaken(text="bent", author="AO")) == NOTE
        ledger.add("A", AdverseEvent(text="fell"))
        ledger.add(COURSE, NoteTaken(text="travels far"))
        write_session(ledger, session_id="Z")
    assert faults_of(path, "A") == faults_of(path, "B") == faults_of_course(path) == ()
    return path


def faults_of_course(path: Path) -> tuple[str, ...]:
    with Ledger(path, read_only=True) as ledger:
        return next((course.faults for course in courses(ledger) if course.course_id == COURSE), ("gone",))


def rehashed(path: Path, change: Callable[[EntryRow], EntryRow], first: int, last: int) -> None:
    """Change one entry, and have each up to `last` follow it again."""
    with Ledger(path, read_only=True) as ledger:
        rows = ledger.rows_between(first - 1, last, 100)
    previous, statements = rows[0].previous, []
    for row in (change(rows[0]), *rows[1:]):
        digest = link(previous, row.number, row[1:6])  # type: ignore[arg-type]  # as it stands in the file
        values = f"session_id = '{row.session_id}', body = '{row.body}'"
        hashes = f"previous = x'{previous.hex()}', hash = x'{digest.hex()}'"
        statements.append(f"UPDATE entries SET {values}, {hashes} WHERE number = {row.number}")
        previous = digest
    alter(path, *statements)


MOVED = {
    "to another session": f"UPDATE entries SET session_id = 'B' WHERE number = {NOTE}",
    "to no session": f"UPDATE entries SET session_id = 'nobody' WHERE number = {NOTE}",
    "behind the newest": f"UPDATE entries SET number = 900 WHERE number = {NOTE}",
    "before the first": f"UPDATE entries SET number = -1 WHERE number = {NOTE}",
    "taken away": f"DELETE FROM entries WHERE number = {NOTE}",
    "as a sample": f"UPDATE entries SET session_id = 'B', kind = 'sample', body = '{{}}' WHERE number = {NOTE}",
    "the end, to another session": "UPDATE entries SET session_id = 'Z' WHERE number = 9",
    "the end, to no session": "UPDATE entries SET session_id = 'nobody' WHERE number = 9",
}


@pytest.mark.parametrize("statement", MOVED.values(), ids=MOVED)
def test_what_was_moved_or_taken_away_is_missed(written: Path, statement: str) -> None:
    alter(written, statement)
    assert any("may have been of this session" in fault for fault in faults_of(written, "A"))


def test_an_end_that_was_written_anew_does_not_fit_what_follows(written: Path) -> None:
    rehashed(written, lambda row: row._replace(body=row.body.replace('"timer"', '"operator"')), 9, 9)
    told = "entry 10 does not follow from the one before it: that was changed, and may have been of this session"
    assert told in faults_of(written, "A")


def test_the_same_with_some_of_what_follows(written: Path) -> None:
    rehashed(written, lambda row: row._replace(body=row.body.replace('"timer"', '"operator"')), 9, 13)
    assert any(fault.startswith("entry 14 does not follow") for fault in faults_of(written, "A"))
    assert faults_of(written, "Z") == (), "what began later follows to the anchor"


def test_what_is_no_entry_of_its_own_is_told_where_it_was_put(written: Path) -> None:
    rehashed(written, lambda row: row._replace(session_id="B"), 7, 7)
    assert faults_of(written, "B")


def test_another_sessions_damage_is_that_sessions(written: Path) -> None:
    alter(written, "UPDATE entries SET at_us = at_us + 1 WHERE session_id = 'Z' AND kind = 'armed'")
    assert faults_of(written, "A") == faults_of(written, "B") == faults_of_course(written) == ()
    assert faults_of(written, "Z")


def test_a_session_that_has_no_end_may_have_lost_any_entry(path: Path) -> None:
    """Two run at once: what one wrote, put into the other, stands behind another of its entries."""
    with Ledger(path) as ledger:
        write_session(ledger, session_id="A", close=False)
        ledger.append("B", "opened", 0, {"subject": "simulator"})
        ledger.append("A", "closed", 9, {"end_reason": "timer"})
        ledger.append("B", "closed", 9, {"end_reason": "timer"})
    assert faults_of(path, "A") == ()
    alter(path, "UPDATE entries SET session_id = 'B', kind = 'sample' WHERE session_id = 'A' AND kind = 'closed'")
    assert faults_of(path, "A")


def test_what_was_said_of_a_course_is_missed_too(written: Path) -> None:
    alter(written, "UPDATE entries SET session_id = 'A' WHERE number = 20")
    assert any("may have been of this course" in fault for fault in faults_of_course(written))


def test_all_of_one_subject_cannot_be_said_where_anything_does_not_hold(written: Path) -> None:
    alter(written, "UPDATE entries SET session_id = 'nobody' WHERE number = 1")
    with Ledger(written, read_only=True) as ledger:
        assert not subject_document(ledger, "P-07")["verifies"]
        with pytest.raises(LogFault, match="nobody can say of whom it was"):
            ledger.resolve("C")


def test_what_cannot_be_read_is_told_and_keeps_no_session_from_being_shown(
    written: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreadable(*_: object) -> bool:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(walk, "follow", unreadable)
    (told,) = faults_of(written, "A")
    assert told.startswith("something behind it cannot be read (the ledger ")


def test_the_chain_is_followed_twice_at_most_for_all_sessions(written: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    followed: list[int] = []
    follow = walk.follow

    def counted(walker: ChainWalker, connection: Connection) -> bool:
        followed.append(walker.number)
        return follow(walker, connection)

    monkeypatch.setattr(walk, "follow", counted)
    with Ledger(written, read_only=True) as ledger:
        for session_id in "ZZBAB":
            assert ledger.summary(session_id).faults == ()
        assert followed == [21, 0]
        with Ledger(written) as other:
            other.add("Z", NoteTaken(text="and now"))
        assert ledger.summary("A").faults == ()
    assert followed == [21, 0, 2], "what was written meanwhile is followed"


def test_an_end_that_was_written_anew_does_not_fit_a_seal_behind_it(path: Path) -> None:
    with Ledger(path) as ledger:
        write_session(ledger, session_id="A")
    anchor_path(path).unlink()
    with Ledger(path) as ledger:
        assert ledger.sealed
    assert faults_of(path, "A") == ()
    rehashed(path, lambda row: row._replace(body=row.body.replace('"timer"', '"operator"')), 8, 8)
    assert any(fault.startswith("entry 9 does not follow") for fault in faults_of(path, "A"))


def test_where_the_chain_does_not_hold_something_is_told(written: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    alter(written, MOVED["taken away"])
    monkeypatch.setattr(afterwards, "_found_wrong", lambda *_: ())
    assert any(f"entry {NOTE} is missing" in fault for fault in faults_of(written, "A"))


def test_an_index_that_hides_an_entry_is_told_with_every_session_that_it_may_be_of(written: Path) -> None:
    """All entries are there, hold and follow; those of a session are found by an index that lacks one of them."""
    index = "CREATE INDEX entries_of_session ON entries (session_id)"
    alter(
        written,
        "DROP INDEX entries_of_session",
        f"{index} WHERE number != {NOTE}",
        "PRAGMA writable_schema = ON",
        f"UPDATE sqlite_schema SET sql = '{index}' WHERE name = 'entries_of_session'",
    )
    hides = f"the file's index of sessions is damaged and hides entry {NOTE}"
    assert f"{hides}, and may have been of this session" in faults_of(written, "A")
    assert f"{hides}, and may have been of this session" in faults_of(written, "B")
    assert faults_of(written, "Z") == ()
    with Ledger(written, read_only=True) as ledger:
        assert hides in str(ledger.doubt_of_all())
