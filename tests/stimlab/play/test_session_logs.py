"""A ledger in virtual time: its writer gets entries in batches, in order, and all of them in the end."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from stimctl.errors import LogFault
from stimctl.ledger import Ledger
from stimctl.ledger.writer import LedgerWriter
from stimlab.play.session_logs import BATCH, SettledLog

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


def test_a_whole_batch_is_waited_for(ledger: Ledger, writer: LedgerWriter) -> None:
    log = SettledLog(writer, 3)
    for at_us in range(5):
        log.put("sample", at_us, {})
        assert written(ledger) == list(range((at_us + 1) // 3 * 3))
    log.close()
    assert written(ledger) == [0, 1, 2, 3, 4]


def test_what_has_to_be_durable_is_written_at_once(ledger: Ledger, writer: LedgerWriter) -> None:
    log = SettledLog(writer, BATCH)
    log.put("opened", 0, {})
    log.drain(10)
    assert written(ledger) == [0]
    log.close()


def test_a_disk_that_fails_is_noticed_with_the_entry_and_told_at_the_end(ledger: Ledger, writer: LedgerWriter) -> None:
    log = SettledLog(writer, 1)
    log.put("opened", 0, {})
    writer.connection.execute("PRAGMA query_only=1")
    assert log.problem() is None
    log.put("sample", 1, {})
    assert log.problem() is not None
    with pytest.raises(LogFault):
        log.close()
    assert written(ledger) == [0]
