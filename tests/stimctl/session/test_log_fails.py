"""No log, no stimulation: a real ledger fails under a session, in the ways a ledger can."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from stimctl import limits
from stimctl.api import Session
from stimctl.errors import LogFault
from stimctl.ledger import Ledger
from stimctl.ledger.writer import LedgerWriter
from stimctl.lock_file import ProcessLock
from stimctl.port import Port
from stimctl.session.commands import AddNote, AskStop
from stimctl.session.engine import Engine
from stimctl.session.states import End, State
from stimctl.wire import codec as m
from tests.stimctl.session.world import Line, ListLog, Rewritten, Rig, S, Tape, high, prescription


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "ledger.sqlite"


@pytest.fixture
def writer(path: Path) -> Iterator[LedgerWriter]:
    """A real log, whose troubles at closing have been seen by the test."""
    with Ledger(path) as ledger:
        log = ledger.writer("failing")
        yield log
        try:
            log.close()
        except LogFault:
            return


def fill_the_disk(log: LedgerWriter) -> None:
    """SQLite may not take one page more, and says what a full disk says."""
    connection = log._appender.connection
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count={pages}")


def test_a_log_that_fails_in_mid_session_ends_it_at_zero(writer: LedgerWriter) -> None:
    rig = Rig(prescription(seconds=1_800), log=writer)

    def fill(_engine: Engine, now_us: int) -> None:
        writer.drain(5)
        fill_the_disk(writer)

    # Entries fill the last page first; what the operator writes does it at once.
    words = {"text": "x" * 3_000}
    notes = [(at_s * S, AddNote("note", words)) for at_s in range(21, 40)]
    report = rig.run((20 * S, fill), *notes)
    assert report.end is End.LOG, report.end_text
    assert "disk is full" in report.end_text
    assert report.zero_confirmed_us is not None
    assert rig.device.machine.run is None
    assert any("disk is full" in text for text in high(rig))
    assert rig.device.machine.waiting is not None, "the device keeps what was not logged"


def test_a_log_that_cannot_be_written_starts_nothing(writer: LedgerWriter) -> None:
    fill_the_disk(writer)
    rig = Rig(log=writer)
    writer.put("note", 0, {"text": "x" * 5_000})
    report = rig.run()
    assert report.end is End.LOG
    assert rig.recorder.pulses(1) == 0
    assert report.zero_confirmed_us is not None


def test_a_last_entry_that_is_not_written_is_told_in_the_report(writer: LedgerWriter) -> None:
    """The session is over by then, and its report drawn up: whoever reads that must not take it for a logged one."""
    rig = Rig(log=writer)

    def fill(_engine: Engine, _now_us: int) -> None:
        writer.drain(5)
        writer._appender.connection.execute("PRAGMA query_only=1")

    report = rig.when(State.STOPPING, fill).run()
    assert report.end is End.TIMER
    assert any("read-only" in alarm.text or "readonly" in alarm.text for alarm in report.alarms), report.alarms
    assert rig.device.machine.waiting is not None, "the device keeps what was not logged"


@pytest.mark.parametrize("at", [State.RUNNING, State.STOPPING])
def test_a_log_that_fails_ends_no_stop_that_has_not_come_to_zero(writer: LedgerWriter, at: State) -> None:
    """The output is stuck on: whether the log fails before or after, the stop goes on for its minute."""

    def never_zero(message: Any) -> Any:
        return message._replace(zero=0) if isinstance(message, m.Stopped) and message.device_time_us > S else message

    rig = Rig(prescription(seconds=1_800), log=writer, line=lambda port: Rewritten(port, never_zero))

    def fill(_engine: Engine, _now_us: int) -> None:
        writer.drain(5)
        writer._appender.connection.execute("PRAGMA query_only=1")

    report = rig.when(at, fill).run((15 * S, AskStop()))
    assert report.zero_confirmed_us is None
    assert any("no zero output confirmed" in text for text in high(rig))
    assert any("readonly" in text for text in high(rig))
    at_us = [told.at_us for told in rig.tape.messages(m.Stop) if told.at_us > 5 * S]
    assert at_us[-1] - at_us[0] >= limits.STOP_TRY_US - limits.STOP_RESEND_US


def test_a_log_that_falls_behind_ends_the_session(path: Path) -> None:
    """Another program holds the file's lock and does not let go."""
    Ledger(path).close()
    (path.parent / "live").mkdir()
    log = LedgerWriter(path, "behind", ProcessLock(path.parent / "live" / "behind.lock"), bound_age_s=0.2)
    other = sqlite3.connect(path, isolation_level=None)
    rig = Rig(prescription(seconds=1_800), log=log)

    def lock(_engine: Engine, _now_us: int) -> None:
        other.execute("BEGIN IMMEDIATE")

    def let_go(_engine: Engine, _now_us: int) -> None:
        other.execute("ROLLBACK")

    # It lets go when the stop is out, so that the last entries find their way and the test its end.
    report = rig.when(State.STOPPING, let_go).run((20 * S, lock))
    other.close()
    log.close()
    assert report.end is End.LOG
    assert "behind" in report.end_text
    assert report.zero_confirmed_us is not None
    with Ledger(path) as ledger:
        assert ledger.verify().ok
        (closed,) = [entry.body for entry in ledger.entries("behind") if entry.kind == "closed"]
    assert closed["delivered"] == report.delivered


def test_no_ledger_no_session(tmp_path: Path) -> None:
    """A ledger that is removed under the session's feet before it starts."""
    path = tmp_path / "data" / "ledger.sqlite"
    with Ledger(path) as ledger:
        session = Session("sim://?seed=1", prescription(), ledger).__enter__()
        path.unlink()
        report = session.run()
        with pytest.raises(LogFault, match="removed"):
            session.__exit__(None, None, None)
    assert report.end is End.LOG
    assert report.delivered in (None, report.commanded)
    assert all(sum(dose["pulses"]) == 0 for dose in report.commanded.values())


class Sleeping(ListLog):
    """A log that is not on disk while this program stands still, nor until its own thread had a turn."""

    turns = 0

    def drain(self, timeout_s: float) -> None:
        if self.turns < 2:
            raise LogFault("1 log entry is not durable after 0 s")


class StandsStillOnce(Line):
    """A host in real time that stands still for 12 s as the log is waited for first."""

    def __init__(self, port: Port, log: Sleeping) -> None:
        super().__init__(port)
        self.virtual = False
        self._log = log

    def wait(self, deadline_us: int | None) -> bytes:
        if not self._log.of("stop"):
            return self.inner.wait(deadline_us)
        self._log.turns += 1
        late, until_us = b"", self.now_us() + 12 * S
        while self._log.turns == 1 and self.now_us() < until_us:
            late += self.inner.wait(until_us)
        return late or self.inner.wait(deadline_us)


def test_a_program_that_stood_still_while_the_log_was_written_waits_for_it_anew() -> None:
    log = Sleeping(Tape())
    rig = Rig(prescription(seconds=5), log=log, line=lambda port: StandsStillOnce(port, log))
    assert rig.run().end is End.TIMER


def test_a_log_that_is_stuck_is_told_with_the_time_that_was_waited() -> None:
    class Earnest(Line):
        def __init__(self, port: Port) -> None:
            super().__init__(port)
            self.virtual = False

    class Stuck(ListLog):
        def drain(self, timeout_s: float) -> None:
            assert not timeout_s, "it is asked, not waited for: stops go on meanwhile"
            if rig.engine.report is not None:
                raise LogFault("1 log entry is not durable: not written yet")

    rig = Rig(prescription(seconds=20), line=Earnest, log=Stuck(Tape()))
    report = rig.run((8 * S, AskStop()))
    assert high(rig) == ["1 log entry is not durable: not written yet after 10 s"]
    assert 18 * S <= report.alarms[-1].at_us <= 18 * S + 500_000
