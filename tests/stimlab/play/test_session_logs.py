"""A ledger in virtual time: it has all entries in order when the session waits for them, or each at once."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from stimctl.errors import LogFault
from stimctl.ledger import Ledger
from stimctl.ledger.writer import LedgerWriter
from stimlab.play.session_logs import LedgerLog, SettledLog

SESSION = "of-the-lab"


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger(tmp_path / "ledger.sqlite") as opened:
        yield opened


@pytest.fixture
def writer(ledger: Ledger) -> LedgerWriter:
    return ledger.writer(SESSION)


def written(ledger: Ledger) -> list[int]:
    return [entry.at_us for entry in ledger.entries(SESSION)]


def test_each_entry_is_waited_for(ledger: Ledger, writer: LedgerWriter) -> None:
    log = SettledLog(writer)
    for at_us in range(3):
        log.put("sample", at_us, {})
        assert written(ledger) == list(range(at_us + 1))
    log.close()


def test_what_the_session_waits_for_is_written_once_and_in_order(ledger: Ledger) -> None:
    log = LedgerLog(ledger, SESSION)
    log.put("opened", 0, {})
    log.put("sample", 1, {})
    assert written(ledger) == []
    log.drain(10)
    assert written(ledger) == [0, 1]
    log.put("sample", 2, {})
    log.close()
    assert written(ledger) == [0, 1, 2]


def test_what_could_not_be_written_is_told_and_kept(ledger: Ledger) -> None:
    log = LedgerLog(ledger, SESSION)
    log.put("opened", 0, {})
    ledger._connection.execute("PRAGMA query_only=1")
    assert log.problem() is None
    with pytest.raises(LogFault) as fault:
        log.drain(10)
    assert log.problem() == str(fault.value)
    ledger._connection.execute("PRAGMA query_only=0")
    log.close()
    assert log.problem() == str(fault.value)
    assert written(ledger) == [0]


def test_a_disk_that_fails_is_noticed_with_the_entry_and_told_at_the_end(ledger: Ledger, writer: LedgerWriter) -> None:
    log = SettledLog(writer)
    log.put("opened", 0, {})
    writer.connection.execute("PRAGMA query_only=1")
    assert log.problem() is None
    log.put("sample", 1, {})
    assert log.problem() is not None
    with pytest.raises(LogFault):
        log.close()
    assert written(ledger) == [0]
