"""A session from which something was taken, or to which something was put, is not shown as sound."""

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from stimctl.errors import LogFault, Misuse
from stimctl.ledger import Ledger
from stimctl.ledger.append import draft, utc_now, utc_text


@pytest.fixture
def two(path: Path, session: Callable[..., str]) -> tuple[str, str]:
    """A ledger with two sessions, one behind the other, that is closed again."""
    with Ledger(path) as ledger:
        return session(ledger), session(ledger)


def alter(path: Path, *statements: str) -> None:
    """Change what cannot be changed, and leave the tables and triggers as they are."""
    with sqlite3.connect(path, isolation_level=None) as connection:
        triggers = connection.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").fetchall()
        for name, _ in triggers:
            connection.execute(f"DROP TRIGGER {name}")
        for statement in (*statements, *(sql for _, sql in triggers)):
            connection.execute(statement)
    connection.close()


def faults_of(path: Path, session_id: str) -> tuple[str, ...]:
    with Ledger(path, read_only=True) as ledger:
        return ledger.summary(session_id).faults


def test_an_entry_that_was_moved_to_another_session_is_missed_by_its_own(path: Path, two: tuple[str, str]) -> None:
    first, second = two
    assert faults_of(path, second) == ()
    alter(path, f"UPDATE entries SET session_id = '{first}' WHERE session_id = '{second}' AND kind = 'outcome'")
    (told,) = faults_of(path, second)
    assert told.startswith("among the entries of the session, entry ")
    assert told.endswith("is not what was hashed: it was changed")
    assert faults_of(path, first)


def test_entries_that_were_taken_from_among_others_are_missed(path: Path, two: tuple[str, str]) -> None:
    first, second = two
    with Ledger(path) as ledger:
        ledger.append("s-long", "opened", 0, {"subject": "simulator"})
        for number in range(4):
            ledger.append("s-other", "note", number, {})
        ledger.append("s-long", "closed", 1, {"end_reason": "timer"})
    assert faults_of(path, "s-long") == ()
    alter(path, "DELETE FROM entries WHERE session_id = 's-other' AND at_us IN (1, 2)")
    assert "2 entries among those of the session are not there any more" in faults_of(path, "s-long")
    (told,) = faults_of(path, first)
    assert told == faults_of(path, second)[0]
    assert told == "entries 19 to 20 are not there any more, and may have been of this session"


def test_what_was_lost_and_sealed_is_told_once_and_not_as_a_fault(path: Path) -> None:
    with Ledger(path) as ledger:
        ledger.append("s-long", "opened", 0, {"subject": "simulator"})
        ledger.append("s-other", "note", 0, {})
        ledger.append("s-other", "note", 1, {})
    alter(path, "DELETE FROM entries WHERE number > 1")
    with Ledger(path) as ledger:
        ledger.append("s-long", "closed", 1, {"end_reason": "timer"})
        found = ledger.summary("s-long")
    assert found.faults == ()
    assert "2 entries lost (number 2 to 3)" in found.losses[0]


@pytest.mark.parametrize("kind", ["opened", "closed"])
def test_a_session_that_begins_or_ends_twice_is_not_sound(path: Path, two: tuple[str, str], kind: str) -> None:
    """Its triggers refuse that; whoever writes a ledger has them out of the way."""
    with Ledger(path) as ledger:
        (once,) = (entry for entry in ledger.entries(two[0]) if entry.kind == kind)
        assert ledger._appender
        ledger._appender.connection.execute("DROP TRIGGER entries_end_once")
        body = json.dumps(once.body, sort_keys=True, separators=(",", ":"))
        ledger._appender._append_all([draft(two[0], "note", 9, utc_text(utc_now()), body)], None)
        number = ledger._appender._append_all([draft(two[0], kind, 9, utc_text(utc_now()), body)], None).number
        faults = ledger.summary(two[0]).faults
    assert f"entry {number} is a second {kind!r} of the session, which can be only one" in faults


def test_a_session_whose_first_entry_is_gone_is_told_and_not_called_unknown(path: Path, two: tuple[str, str]) -> None:
    alter(path, f"DELETE FROM entries WHERE session_id = '{two[0]}' AND kind = 'opened'")
    with (
        Ledger(path, read_only=True) as ledger,
        pytest.raises(LogFault, match=r"is in the list of the ledger .* and has no first entry any more"),
    ):
        ledger.summary(two[0])


@pytest.mark.usefixtures("two")
def test_an_entry_before_the_first_is_told_by_whoever_reads(path: Path) -> None:
    query = "INSERT INTO entries SELECT -5, session_id, kind, at_us, utc, body, previous, hash FROM entries LIMIT 1"
    alter(path, query)
    with Ledger(path, read_only=True) as ledger:
        assert not ledger.verify().ok
        assert ledger.doubt() == "entry -5 was put in: the first number of a ledger is 1"
    with pytest.raises(LogFault, match="entry -5 was put in"):
        Ledger(path)


def test_where_entries_are_gone_a_session_that_is_not_found_may_be_among_them(path: Path) -> None:
    with Ledger(path) as ledger:
        ledger.append("s-1", "note", 0, {})
        with pytest.raises(Misuse, match="the ledger holds no session yet"):
            ledger.resolve("s-2")
    alter(path, "DELETE FROM entries")
    with (
        Ledger(path, read_only=True) as ledger,
        pytest.raises(LogFault, match=r"no session yet; but the ledger does not hold: .*1 entry lost"),
    ):
        ledger.resolve("s-2")
    with (
        Ledger(path) as sealed,
        pytest.raises(LogFault, match=r"but it may be among what was lost earlier: .*1 entry lost \(number 1\)"),
    ):
        sealed.resolve("s-2")
