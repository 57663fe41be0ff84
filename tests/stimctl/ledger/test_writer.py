"""The writer thread: order, bounds, and what it says when the disk or another program lets it down."""

import os
import shutil
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from stimctl.errors import LogFault, Misuse
from stimctl.ledger import Ledger, LedgerWriter
from stimctl.ledger.writer import BOUND_ENTRIES, HARD_BOUND
from stimctl.session.log import SessionLog


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Another program holds the write lock: nothing becomes durable meanwhile."""
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.close()


@pytest.fixture
def log(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> Iterator[LedgerWriter]:
    monkeypatch.setattr("stimctl.ledger.writer.BUSY_TIMEOUT_S", 0.02)
    opened = ledger.writer("s-1")
    yield opened
    try:
        opened.close(1)
    except LogFault:
        assert opened.problem()


def test_keeps_the_sessions_promise(log: LedgerWriter) -> None:
    promised: SessionLog = log
    promised.put("note", 0, {})
    promised.wait_room()
    promised.drain(5)
    assert promised.problem() is None


def test_entries_are_durable_in_order_after_drain(ledger: Ledger, log: LedgerWriter) -> None:
    for number in range(1000):
        log.put("sample", number, {"n": number})
        log.wait_room()
    log.drain(10)
    assert [entry.at_us for entry in ledger.entries("s-1")] == list(range(1000))
    assert ledger.verify().ok
    assert log.problem() is None


def test_what_waits_goes_in_one_commit(ledger: Ledger, log: LedgerWriter, path: Path) -> None:
    with locked(path):
        for number in range(200):
            log.put("sample", number, {})
        before = wal_commits(path)
    log.drain(10)
    assert len(list(ledger.entries())) == 200
    # The first put may have been picked up alone; the others waited together.
    assert wal_commits(path) - before <= 2


def wal_commits(path: Path) -> int:
    """How many frames of the write-ahead log are commits: those that state the size of the database."""
    raw = Path(f"{path}-wal").read_bytes()
    page = int.from_bytes(raw[8:12], "big") if raw else 4096
    return sum(raw[at + 4 : at + 8] != bytes(4) for at in range(32, len(raw), page + 24))


def test_body_is_taken_as_it_was_at_put(ledger: Ledger, log: LedgerWriter) -> None:
    body = {"n": [1]}
    log.put("note", 0, body)
    body["n"].append(2)
    log.drain(5)
    assert next(ledger.entries()).body == {"n": [1]}


def test_not_durable_before_the_commit(log: LedgerWriter, path: Path) -> None:
    with locked(path):
        log.put("note", 0, {})
        with pytest.raises(LogFault, match=r"1 log entry is not durable: not written within 0\.1 s"):
            log.drain(0.1)
        with pytest.raises(LogFault, match=r"1 log entry is not durable: not written yet$"):
            log.drain(0)
    log.drain(5)


def test_behind_by_number(log: LedgerWriter, path: Path) -> None:
    with locked(path):
        for number in range(BOUND_ENTRIES):
            log.put("sample", number, {})
        assert log.problem() is None
        log.put("sample", 0, {})
        assert log.problem() == "the log is behind: more than 256 entries wait to be written"
    log.drain(5)
    assert log.problem() is not None, "a session that was told keeps being told"


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The writer's clock, in seconds, which a test puts forward."""
    monkeypatch.setattr("stimctl.ledger.writer.BUSY_TIMEOUT_S", 0.02)
    seconds = [1000.0]
    monkeypatch.setattr("stimctl.ledger.writer.time.monotonic", lambda: seconds[0])
    return seconds


@pytest.mark.parametrize("stood_still", [0, 1, 2])
def test_behind_by_age(ledger: Ledger, path: Path, clock: list[float], stood_still: int) -> None:
    with ledger.writer("s-1") as log:
        with locked(path):
            log.put("note", 0, {})
            for _ in range(stood_still):
                # Nobody looked: this program stood still, and with it the thread that writes.
                assert log.problem() is None
                clock[0] += 20.0
                assert log.problem() is None
            for _ in range(10):
                clock[0] += 0.5
                assert log.problem() is None
            clock[0] += 0.001
            assert log.problem() == "the log is behind: an entry has waited over 5 s to be written"
        log.drain(5)


def test_behind_by_age_for_who_looks_rarely(ledger: Ledger, path: Path, clock: list[float]) -> None:
    with ledger.writer("s-1") as log:
        with locked(path):
            log.put("note", 0, {})
            told = []
            for _ in range(6):
                clock[0] += 1.05
                told.append(log.problem() is not None)
        assert told == [False] * 5 + [True]
        log.drain(5)


def test_memory_is_bounded_and_what_was_refused_is_told(ledger: Ledger, log: LedgerWriter, path: Path) -> None:
    with locked(path):
        for number in range(HARD_BOUND + 3):
            log.put("sample", number, {})
    with pytest.raises(LogFault, match="3 log entries are not durable"):
        log.drain(10)
    assert len(list(ledger.entries())) == HARD_BOUND


@pytest.mark.realtime
def test_put_never_waits_for_the_disk(log: LedgerWriter, path: Path) -> None:
    """A third of a second in which the disk takes nothing: no put may have waited for even half of that."""
    longest = 0.0
    with locked(path):
        until = time.perf_counter() + 0.3
        while time.perf_counter() < until and log.problem() is None:
            begin = time.perf_counter()
            log.put("sample", 0, {})
            longest = max(longest, time.perf_counter() - begin)
    assert longest < 0.15


def test_wait_room_waits_until_half_is_free(log: LedgerWriter, path: Path) -> None:
    waited = threading.Event()

    def wait() -> None:
        log.wait_room()
        waited.set()

    with locked(path):
        for number in range(BOUND_ENTRIES):
            log.put("sample", number, {})
        thread = threading.Thread(target=wait)
        thread.start()
        assert not waited.wait(0.1)
    assert waited.wait(5)
    thread.join()


def test_full_disk_is_a_problem_and_ends_the_log(ledger: Ledger, log: LedgerWriter) -> None:
    log._appender.connection.execute("PRAGMA max_page_count=12")
    with pytest.raises(LogFault, match="disk is full"):  # noqa: PT012
        for number in range(200):
            log.put("sample", number, {"text": "x" * 1000})
            log.drain(5)
    assert "disk is full" in (log.problem() or "")
    log.put("closed", 0, {})
    log.wait_room()
    with pytest.raises(LogFault, match="disk is full"):
        log.close()
    assert ledger.verify().ok
    assert not ledger.is_running("s-1")


def test_removed_file_is_a_problem(log: LedgerWriter, path: Path) -> None:
    path.unlink()
    log.put("note", 0, {})
    with pytest.raises(LogFault, match="moved, removed or replaced"):
        log.drain(5)
    assert "moved, removed or replaced" in (log.problem() or "")


def test_close_writes_what_waits_and_ends_the_thread(ledger: Ledger) -> None:
    log = ledger.writer("s-1")
    for number in range(100):
        log.put("sample", number, {})
    log.close()
    log.close()
    assert len(list(ledger.entries())) == 100
    assert "ledger s-1" not in {thread.name for thread in threading.enumerate()}
    with pytest.raises(Misuse, match="is closed"):
        log.put("note", 0, {})


def test_body_that_is_no_json_is_misuse_at_once(log: LedgerWriter) -> None:
    with pytest.raises(Misuse, match="plain JSON"):
        log.put("note", 0, {"x": float("nan")})
    assert log.problem() is None


def test_fault_at_close_is_not_lost_behind_an_error(ledger: Ledger, path: Path) -> None:
    with pytest.raises(ZeroDivisionError) as caught, ledger.writer("s-1") as log:  # noqa: PT012
        path.unlink()
        log.put("note", 0, {})
        raise ZeroDivisionError
    assert "not durable" in caught.value.__notes__[0]


def test_many_threads_put_into_one_log(ledger: Ledger, log: LedgerWriter) -> None:
    def put(at_us: int) -> None:
        for _ in range(50):
            log.put("sample", at_us, {})

    threads = [threading.Thread(target=put, args=(at_us,)) for at_us in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    log.drain(5)
    assert len(list(ledger.entries())) == 200
    assert ledger.verify().ok


@pytest.mark.skipif(os.name != "posix", reason="only POSIX lets a file be removed while it is held")
def test_a_lock_that_is_taken_away_is_told_and_the_end_is_written_all_the_same(
    ledger: Ledger, log: LedgerWriter, path: Path
) -> None:
    log.put("opened", 0, {})
    log.drain(5)
    shutil.rmtree(path.with_suffix(".live"))
    assert ledger.unfinished() == ["s-1"], "the next start would close it"
    log.put("sample", 1, {})
    log.drain(5)
    assert "s-1.lock, was removed while it was in use" in (log.problem() or "")
    assert ledger.unfinished() == []
    log.put("closed", 2, {"end_reason": "log"})
    log.close()
    assert [entry.kind for entry in ledger.entries("s-1")] == ["opened", "sample", "closed"]


def test_a_session_that_another_start_has_closed_is_told(ledger: Ledger, log: LedgerWriter, path: Path) -> None:
    log.put("opened", 0, {})
    log.drain(5)
    (path.with_suffix(".live") / "s-1.lock").unlink()
    ledger.mark_interrupted("s-1", "its lock was gone", {})
    log.put("closed", 2, {"end_reason": "timer"})
    with pytest.raises(LogFault, match="1 log entry is not durable: session s-1: a session is opened once"):
        log.drain(5)
