"""The ledger's file: making it, its modes, and its way from version to version."""

import os
import shutil
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from stimctl.errors import LogFault
from stimctl.ledger import Ledger
from stimctl.ledger.lines import LINES_OF_ENTRIES
from stimctl.ledger.schema import STEPS, VERSION, connect

VERSION_1 = Path(__file__).parent / "data" / "version_1.sqlite"
HEAD_OF_VERSION_1 = "5a5e75b70b24a96bc524a2edfa74b2d64ff65585fa4e6197383935970e65e76a"


def set_pragma(path: Path, pragma: str) -> None:
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA {pragma}")
    connection.commit()
    connection.close()


def execute(path: Path, *statements: str) -> None:
    connection = sqlite3.connect(path)
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()


def test_settings_are_those_of_a_durable_file(ledger: Ledger, path: Path) -> None:
    connection = connect(path, 1)
    found = {name: connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")}
    connection.close()
    assert found == {"journal_mode": "wal", "synchronous": 2}


@pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX")
def test_file_is_this_users_alone(ledger: Ledger, path: Path) -> None:
    ledger.append("s-1", "note", 0, {})
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert {one.name: stat.S_IMODE(one.stat().st_mode) for one in path.parent.iterdir()} == {
        "ledger.anchor": 0o600,
        "ledger.sqlite": 0o600,
        "ledger.sqlite-wal": 0o600,
        "ledger.sqlite-shm": 0o600,
    }


@pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX")
def test_open_mode_is_tightened(ledger: Ledger, path: Path) -> None:
    ledger.close()
    path.chmod(0o644)
    Ledger(path).close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE entries SET body = '{}' WHERE number = 1",
        "UPDATE entries SET number = 9 WHERE number = 1",
        "DELETE FROM entries",
        "INSERT OR REPLACE INTO entries SELECT number, session_id, kind, at_us, utc, '{}', previous, hash FROM entries",
        "INSERT INTO entries SELECT number + 9, session_id, kind, at_us, utc, body, previous, hash FROM entries",
    ],
)
def test_file_refuses_anything_but_the_next_entry(ledger: Ledger, path: Path, statement: str) -> None:
    ledger.append("s-1", "note", 0, {"n": 1})
    ledger.close()
    connection = sqlite3.connect(path)
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        connection.execute(statement)
    connection.close()


def test_version_1_is_migrated_and_its_chain_holds(path: Path) -> None:
    path.parent.mkdir()
    shutil.copy(VERSION_1, path)
    with Ledger(path) as ledger:
        verdict = ledger.verify()
        assert (verdict.ok, verdict.entries, verdict.head) == (True, 3, HEAD_OF_VERSION_1)
        assert [entry.body.get("text") for entry in ledger.entries()] == [None, "v1 äöü", None]
        assert [head.end_reason for head in ledger.sessions()] == ["timer"]
        assert ledger.append("s-2", "opened", 0, {}) == 4
        assert ledger.verify(expected_head=HEAD_OF_VERSION_1).ok
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA user_version").fetchone() == (VERSION,)
    connection.close()


def test_version_1_can_be_read_without_being_changed(path: Path) -> None:
    path.parent.mkdir()
    shutil.copy(VERSION_1, path)
    with Ledger(path, read_only=True) as ledger:
        assert ledger.verify().head == HEAD_OF_VERSION_1
        assert len(ledger.sessions()) == 1
    assert path.read_bytes() == VERSION_1.read_bytes()


def test_every_step_is_needed_for_this_version() -> None:
    assert len(STEPS) == VERSION >= 2


@pytest.mark.parametrize("version", [VERSION + 1, 1 << 20, -1])
@pytest.mark.parametrize("read_only", [False, True])
def test_newer_version_is_refused(ledger: Ledger, path: Path, version: int, read_only: bool) -> None:
    ledger.close()
    set_pragma(path, f"user_version={version}")
    with pytest.raises(LogFault, match=f"has version {version}, and this program knows versions 1 to {VERSION}"):
        Ledger(path, read_only=read_only)


@pytest.mark.parametrize("damage", ["user_version=0", "application_id=7"])
def test_file_of_something_else_is_refused(ledger: Ledger, path: Path, damage: str) -> None:
    ledger.close()
    set_pragma(path, damage)
    with pytest.raises(LogFault, match="no ledger of this program"):
        Ledger(path)


@pytest.mark.parametrize(
    "alteration",
    [
        "DROP TRIGGER entries_never_change",
        "DROP INDEX entries_of_session",
        "CREATE TRIGGER extra AFTER INSERT ON entries BEGIN SELECT 1; END",
        "CREATE TABLE extra (a)",
    ],
)
def test_altered_schema_is_refused(ledger: Ledger, path: Path, alteration: str) -> None:
    ledger.close()
    execute(path, alteration)
    with pytest.raises(LogFault, match="was altered"):
        Ledger(path)


def test_text_file_is_refused(path: Path) -> None:
    path.parent.mkdir()
    path.write_text("not a database, but long enough to be looked at\n" * 200)
    with pytest.raises(LogFault, match="is no ledger"):
        Ledger(path)


def test_missing_ledger_is_said_when_only_read(path: Path) -> None:
    with pytest.raises(LogFault, match="there is no ledger at"):
        Ledger(path, read_only=True)
    assert not path.exists()


def test_folder_that_is_a_file_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    with pytest.raises(LogFault, match="ledger"):
        Ledger(tmp_path / "data" / "ledger.sqlite")


OPEN_TOGETHER = """
import sys
from pathlib import Path
from stimctl.ledger import Ledger
sys.stdin.readline()
with Ledger(Path(sys.argv[1])) as ledger:
    ledger.append(sys.argv[2], "opened", 0, {})
"""


@pytest.mark.realtime
def test_processes_that_make_the_file_at_the_same_moment(path: Path) -> None:
    command = [sys.executable, "-c", OPEN_TOGETHER, str(path)]
    children = [subprocess.Popen([*command, f"s-{n}"], stdin=subprocess.PIPE, stderr=subprocess.PIPE) for n in range(6)]
    for child in children:
        assert child.stdin
        child.stdin.write(b"\n")
        child.stdin.flush()
    assert [child.communicate(timeout=30)[1] for child in children] == [b""] * 6
    with Ledger(path) as ledger:
        assert sorted(ledger.session_ids()) == [f"s-{n}" for n in range(6)]
        assert ledger.verify().ok


def test_sessions_are_found_without_reading_every_entry(path: Path) -> None:
    """By their lines; in an older file by their ends, for which SQLite uses the partial index."""
    with Ledger(path) as ledger:
        asked: list[str] = []
        ledger._connection.set_trace_callback(asked.append)
        ledger.sessions()
        ledger.unfinished()
        ledger.session_ids()
        list(ledger.opened_newest_first())
        ledger._connection.set_trace_callback(None)
        older = f"EXPLAIN QUERY PLAN {LINES_OF_ENTRIES}"
        plans = [row[3] for query in asked for row in ledger._connection.execute(f"EXPLAIN QUERY PLAN {query}")]
        plans += [row[3] for row in ledger._connection.execute(older)]
    assert len(asked) == 4
    assert {plan for plan in plans if plan.startswith("SCAN")} <= {"SCAN line"}, plans
