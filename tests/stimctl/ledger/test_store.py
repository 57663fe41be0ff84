"""The ledger: appending, reading, finding what was cut short."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from stimctl.errors import LogFault, Misuse
from stimctl.ledger import ChainFault, Ledger, data_folder, ledger_path, new_session_id
from stimctl.ledger.append import Appender

NOON = datetime(2026, 1, 31, 14, 25, 1, tzinfo=UTC)


def test_append_gives_numbers_and_keeps_what_was_said(path: Path) -> None:
    with Ledger(path, now=lambda: NOON.astimezone(timezone(timedelta(hours=9)))) as ledger:
        assert [ledger.append("s-1", "note", at_us, {"z": [1, 2.5], "a": "ä\udc80"}) for at_us in (5, -7)] == [1, 2]
        first, second = ledger.entries("s-1")
    assert (first.at_us, first.body, first.utc) == (5, {"z": [1, 2.5], "a": "ä\udc80"}, "2026-01-31T14:25:01.000000Z")
    assert second.previous == first.hash


def test_several_entries_are_appended_in_order_or_none_of_them(ledger: Ledger) -> None:
    ledger.append_all("s-1", [("opened", 0, {}), ("note", 1, {"text": "one"})])
    with pytest.raises(Misuse, match="opened once"):
        ledger.append_all("s-1", [("note", 2, {}), ("opened", 3, {})])
    assert [(entry.kind, entry.at_us) for entry in ledger.entries("s-1")] == [("opened", 0), ("note", 1)]
    assert ledger.verify().ok


def test_another_process_reads_it_at_once(ledger: Ledger, path: Path) -> None:
    ledger.append("s-1", "note", 0, {})
    with Ledger(path, read_only=True) as other:
        assert len(list(other.entries())) == 1


def test_two_ledgers_append_to_one_chain(path: Path) -> None:
    with Ledger(path) as a, Ledger(path) as b:
        assert [one.append("s-1", "note", 0, {}) for one in (a, b, a, a, b)] == [1, 2, 3, 4, 5]
        assert a.verify().ok


@pytest.mark.parametrize(
    ("session_id", "kind", "at_us", "body"),
    [
        ("", "note", 0, {}),
        ("../escape", "note", 0, {}),
        ("s-1", "two words", 0, {}),
        ("s-1", "note", 1.5, {}),
        ("s-1", "note", True, {}),
        ("s-1", "note", 1 << 63, {}),
        ("s-1", "note", 0, {"x": float("inf")}),
    ],
)
def test_misuse_writes_nothing(ledger: Ledger, session_id: str, kind: str, at_us: int, body: dict[str, float]) -> None:
    with pytest.raises(Misuse):
        ledger.append(session_id, kind, at_us, body)
    assert not list(ledger.entries())


def test_read_only_does_not_append(ledger: Ledger, path: Path) -> None:
    with Ledger(path, read_only=True) as reader, pytest.raises(Misuse, match="read-only"):
        reader.append("s-1", "note", 0, {})


def test_sessions_in_a_line(ledger: Ledger, session: Callable[..., str]) -> None:
    closed, cut = session(ledger), session(ledger, simulator=False, close=False)
    first, second = ledger.sessions()
    assert (first.session_id, first.watermark, first.state, first.end_reason) == (
        closed,
        "SIMULATOR",
        "closed",
        "timer",
    )
    assert (second.session_id, second.watermark, second.state) == (cut, "HARDWARE", "unfinished")
    assert (first.operator, first.profile_id, first.device_serial) == ("A. O.", "low-back-pain", "S1")


def test_ids_are_short_sortable_and_unique() -> None:
    early, late = new_session_id(NOON), new_session_id(NOON + timedelta(seconds=1))
    assert early.startswith("20260131-142501-")
    assert len(early) == 21
    assert early < late
    assert len({new_session_id(NOON) for _ in range(200)}) == 200


def test_ids_may_be_abbreviated(ledger: Ledger) -> None:
    with pytest.raises(Misuse, match="no session yet"):
        ledger.resolve("latest")
    for one in ("20260131-100000-aaaaa", "20260131-110000-bbbbb", "20260131-11"):
        ledger.append(one, "opened", 0, {})
    assert ledger.resolve("latest") == "20260131-11"
    assert ledger.resolve("20260131-10") == "20260131-100000-aaaaa"
    assert ledger.resolve("bbbbb") == "20260131-110000-bbbbb"
    assert ledger.resolve("20260131-11") == "20260131-11", "an id in full is never ambiguous"
    with pytest.raises(Misuse, match="means 3 sessions"):
        ledger.resolve("2026")
    with pytest.raises(Misuse, match="no session is called 'zzz'"):
        ledger.resolve("zzz")
    with pytest.raises(Misuse):
        ledger.resolve("")


def test_session_of_a_living_writer_is_running_not_unfinished(ledger: Ledger, path: Path) -> None:
    with ledger.writer("s-1") as log:
        log.put("opened", 0, {})
        log.drain(5)
        assert ledger.unfinished() == []
        with Ledger(path) as other:
            assert other.unfinished() == []
            assert [head.state for head in other.sessions()] == ["running"]
            with pytest.raises(Misuse, match="still running"):
                other.mark_interrupted("s-1", "no", {})
    assert ledger.unfinished() == ["s-1"]


def test_one_session_has_one_writer(ledger: Ledger) -> None:
    with ledger.writer("s-1"), pytest.raises(Misuse, match="still running"):
        ledger.writer("s-1")


WRITE_AND_DIE = """
import os, signal, sys
from pathlib import Path
from stimctl.ledger import Ledger
log = Ledger(Path(sys.argv[1])).writer("s-1")
log.put("opened", 0, {"simulator": True})
log.put("sample", 3_000_000, {})
log.drain(10)
print("drained", flush=True)
sys.stdin.readline()
"""


@pytest.mark.realtime
def test_killed_process_leaves_an_unfinished_session_that_is_closed_once(ledger: Ledger, path: Path) -> None:
    command = [sys.executable, "-c", WRITE_AND_DIE, str(path)]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdout
    assert child.stdout.readline() == b"drained\n"
    assert ledger.unfinished() == []
    child.kill()
    child.communicate()
    assert ledger.unfinished() == ["s-1"]
    ledger.append("s-1", "recovered", 3_000_000, {"session": 5})
    ledger.mark_interrupted("s-1", "the program ended without closing the session", {"delivered": {}})
    assert ledger.unfinished() == []
    (head,) = ledger.sessions()
    assert (head.state, head.end_reason) == ("closed", "interrupted")
    *_, closed = ledger.entries("s-1")
    assert closed.at_us == 3_000_000
    assert closed.body["reason"] == "the program ended without closing the session"
    with pytest.raises(Misuse, match="closed already"):
        ledger.mark_interrupted("s-1", "again", {})
    with pytest.raises(Misuse, match="not in the ledger"):
        ledger.mark_interrupted("s-9", "never was", {})
    assert ledger.verify().ok


def test_verify_of_an_empty_and_a_full_ledger(ledger: Ledger, session: Callable[..., str]) -> None:
    assert (ledger.verify().ok, ledger.verify().head) == (True, "00" * 32)
    session(ledger)
    *_, last = ledger.entries()
    verdict = ledger.verify(expected_head=last.hash.upper())
    assert (verdict.ok, verdict.entries, verdict.head) == (True, 8, last.hash)
    assert "is in the chain" in verdict.note
    missing = ledger.verify(expected_head="ab" * 32).broken
    assert missing
    assert missing.why is ChainFault.HEAD
    with pytest.raises(Misuse, match="64 hexadecimal"):
        ledger.verify(expected_head="abc")


def tamper(path: Path, *statements: str) -> None:
    """What a person with the file and a copy of SQLite can do: the triggers aside, and back."""
    connection = sqlite3.connect(path)
    triggers = connection.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").fetchall()
    for name, _ in triggers:
        connection.execute(f"DROP TRIGGER {name}")
    for statement in statements:
        connection.execute(statement)
    for _, sql in triggers:
        connection.execute(sql)
    connection.commit()
    connection.close()


@pytest.mark.parametrize(
    ("statement", "number", "why"),
    [
        ("UPDATE entries SET body = replace(body, '612', '512') WHERE number = 2", 2, ChainFault.HASH),
        ("UPDATE entries SET body = 'x' WHERE number = 3", 3, ChainFault.UNREADABLE),
        ("UPDATE entries SET at_us = at_us + 1 WHERE number = 8", 8, ChainFault.HASH),
        ("UPDATE entries SET hash = zeroblob(32) WHERE number = 4", 4, ChainFault.HASH),
        ("UPDATE entries SET previous = zeroblob(32) WHERE number = 5", 5, ChainFault.LINK),
        ("DELETE FROM entries WHERE number = 6", 6, ChainFault.GAP),
        ("DELETE FROM entries WHERE number = 1", 1, ChainFault.GAP),
    ],
)
def test_verify_names_what_was_tampered_with(
    path: Path, session: Callable[..., str], statement: str, number: int, why: ChainFault
) -> None:
    with Ledger(path) as ledger:
        session(ledger)
    tamper(path, statement)
    with Ledger(path, read_only=True) as ledger:
        broken = ledger.verify().broken
    assert broken
    assert (broken.number, broken.why) == (number, why)


def test_cut_tail_is_told_with_its_length_and_then_sealed(path: Path, session: Callable[..., str]) -> None:
    with Ledger(path) as ledger:
        session(ledger)
        noted = ledger.verify().head
    tamper(path, "DELETE FROM entries WHERE number > 5")
    with Ledger(path, read_only=True) as ledger:
        verdict = ledger.verify()
        assert verdict.broken
        assert (verdict.ok, verdict.lost, verdict.broken.why) == (False, 3, ChainFault.ANCHOR)
    with Ledger(path) as ledger:
        assert "3 entries lost (number 6 to 8)" in (ledger.sealed or "")
        verdict = ledger.verify()
        assert (verdict.ok, verdict.broken, verdict.lost, verdict.entries) == (False, None, 3, 6)
        (_, seal) = [entry for entry in ledger.entries() if entry.number > 4]
        assert (seal.number, seal.kind, seal.previous) == (9, "sealed", noted)
        assert ledger.append("s-9", "note", 0, {}) == 10
        assert ledger.verify().broken is None
        assert not ledger.verify(expected_head="ab" * 32).ok
    aside = Path(seal.body["aside"])
    assert {one.name for one in aside.iterdir()} >= {"ledger.sqlite", "ledger.anchor"}


def test_removed_file_is_noticed_by_who_writes_to_it(ledger: Ledger, path: Path) -> None:
    ledger.append("s-1", "note", 0, {})
    path.unlink()
    with pytest.raises(LogFault, match="moved, removed or replaced"):
        ledger.append("s-1", "note", 0, {})


def test_full_disk_is_a_log_fault_and_the_chain_holds(path: Path) -> None:
    appender = Appender(path)
    pages = appender.connection.execute("PRAGMA page_count").fetchone()[0]
    appender.connection.execute(f"PRAGMA max_page_count={pages + 2}")
    appender.close()
    with Ledger(path) as ledger:
        assert ledger._appender
        ledger._appender.connection.execute(f"PRAGMA max_page_count={pages + 2}")
        with pytest.raises(LogFault, match="disk is full"):  # noqa: PT012
            for number in range(100):
                assert ledger.append("s-1", "note", 0, {"text": "x" * 1000}) == number + 1
        kept = len(list(ledger.entries()))
        assert 0 < kept < 100
        assert ledger.verify().entries == kept
        ledger._appender.connection.execute("PRAGMA max_page_count=100000")
        assert ledger.append("s-1", "note", 0, {}) == kept + 1, "room again: it goes on"


def test_locked_by_another_program_is_said(path: Path) -> None:
    with Ledger(path) as ledger:
        assert ledger._appender
        ledger._appender.connection.execute("PRAGMA busy_timeout=50")
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(LogFault, match=r"another program keeps it locked$"):
            ledger.append("s-1", "note", 0, {})
        other.close()
        assert ledger.append("s-1", "note", 0, {}) == 1


def test_where_the_ledger_lives(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("STIMCTL_DATA", str(tmp_path))
    assert data_folder() == tmp_path
    assert ledger_path() == tmp_path / "ledger.sqlite"
    assert ledger_path(tmp_path / "else") == tmp_path / "else" / "ledger.sqlite"
    monkeypatch.delenv("STIMCTL_DATA")
    assert data_folder().name == "stimctl"


# What is imported later must be here: nobody may not read the interpreter's library everywhere.
AS_NOBODY = """
import concurrent.futures.thread, os, sys
from pathlib import Path
from stimctl.errors import LogFault
from stimctl.ledger import Ledger
os.setgid(65534); os.setuid(65534)
path = Path(sys.argv[1])
with Ledger(path, read_only=True) as ledger:
    print(ledger.verify().entries)
for attempt in (lambda: Ledger(path), lambda: Ledger(path.with_name("new.sqlite"))):
    try:
        attempt()
    except LogFault as fault:
        print(fault)
"""


@pytest.mark.realtime
@pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX")
def test_read_only_folder_can_be_read_and_not_written(tmp_path: Path, session: Callable[..., str]) -> None:
    """The modes stop everybody but root, so root asks as nobody."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ledger.sqlite"
        with Ledger(path) as ledger:
            session(ledger)
        path.chmod(0o444)
        Path(folder).chmod(0o555)
        code = AS_NOBODY if os.getuid() == 0 else AS_NOBODY.replace("os.setgid(65534); os.setuid(65534)", "")
        command = [sys.executable, "-c", code, str(path)]
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=30)
        Path(folder).chmod(0o755)
    assert done.stderr == ""
    entries, *faults = done.stdout.splitlines()
    assert entries == "8"
    assert len(faults) == 2
    assert all(fault.startswith("the ledger /") for fault in faults), faults


def test_what_every_start_asks_is_read_from_an_index(ledger: Ledger) -> None:
    """A ledger of years holds millions of samples; none of them is looked at to find the sessions."""
    asked: list[str] = []
    ledger._connection.set_trace_callback(asked.append)
    ledger.unfinished()
    ledger.sessions()
    ledger.session_ids()
    list(ledger.opened_newest_first())
    ledger.armed("s-1")
    ledger._connection.set_trace_callback(None)
    assert len(asked) == 6
    for query in asked:
        plans = [row[3] for row in ledger._connection.execute(f"EXPLAIN QUERY PLAN {query}")]
        assert not any(plan.startswith("SCAN") and plan != "SCAN line" for plan in plans), (query, plans)


def test_two_that_append_in_turns_keep_one_chain(tmp_path: Path) -> None:
    """Each finds the number behind its own last entry taken, and goes on behind the other's."""
    path = tmp_path / "ledger.sqlite"
    with Ledger(path) as one, Ledger(path) as other:
        numbers = [ledger.append("s-1", "note", 0, {}) for ledger in (one, one, other, one, other, other, one, one)]
        assert numbers == [1, 2, 3, 4, 5, 6, 7, 8]
        assert one.verify().ok
        assert other.verify().entries == 8


def test_a_ledger_that_is_closed_says_so(ledger: Ledger) -> None:
    ledger.close()
    with pytest.raises(Misuse, match="open another `Ledger`"):
        ledger.append("s-1", "note", 0, {"text": "later"})


FORK = """
import os, sys
from pathlib import Path
from stimctl.errors import Misuse
from stimctl.ledger import Ledger

ledger = Ledger(Path(sys.argv[1]))
if os.fork() == 0:
    try:
        ledger.append("s-1", "note", 0, {"text": "of the child"})
    except Misuse as refused:
        print(refused, flush=True)
    os._exit(0)
os.wait()
ledger.append("s-1", "note", 0, {"text": "of the parent"})
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a fork is a POSIX thing")
def test_a_forked_child_is_told_that_the_ledger_is_the_parents(path: Path) -> None:
    ran = subprocess.run([sys.executable, "-c", FORK, str(path)], capture_output=True, text=True, check=True)
    assert "opened before a fork: open another `Ledger`" in ran.stdout
    with Ledger(path) as ledger:
        assert [entry.body["text"] for entry in ledger.entries("s-1")] == ["of the parent"]
