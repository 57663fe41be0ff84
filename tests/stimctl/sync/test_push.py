"""What the far end lacks is sent, once and in order; what contradicts it is told, and nothing is overwritten."""

import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from stimctl.errors import LogFault
from stimctl.ledger import Ledger
from stimctl.ledger.chain import DraftEntry
from stimctl.sync.push import AT_ONCE, ChainPush
from tests.stimctl.ledger.conftest import write_session
from tests.stimctl.sync.conftest import Rows

pytestmark = pytest.mark.realtime
Push = Callable[..., ChainPush]


def test_everything_is_there_once_and_as_it_is_here(ledger: Ledger, push: Push, far_rows: Rows) -> None:
    first = push(ledger).run()
    assert (first.sent, first.number, first.hash) == (15, 15, ledger.head().hash.hex())
    again = push(ledger).run()
    assert (again.sent, again.number, again.cuts, again.lost_here) == (0, 15, 0, 0)
    columns = "number, session_id, kind, at_us, utc, body, previous, hash"
    assert far_rows(f"SELECT {columns} FROM stimctl.entries ORDER BY number") == [
        tuple(row) for row in ledger.rows_between(0, 99, 99)
    ]
    assert far_rows("SELECT anchor_number, anchor_hash FROM stimctl.machines") == [(15, ledger.head().hash)]
    assert push(ledger).faults() == []


def test_what_comes_later_follows_in_batches(ledger: Ledger, push: Push, far_rows: Rows) -> None:
    push(ledger).run()
    with ledger.writer("s-3") as log:
        for at_us in range(2 * AT_ONCE):
            log.put("sample", at_us, {"stimulation_us": at_us, "channels": {}})
        log.drain(10)
    report = push(ledger).run()
    assert report.sent == 2 * AT_ONCE
    assert far_rows.numbers() == list(range(1, 16 + 2 * AT_ONCE))


def test_machines_do_not_mix(ledger: Ledger, push: Push, far_rows: Rows, tmp_path: Path) -> None:
    push(ledger).run()
    with Ledger(tmp_path / "other" / "ledger.sqlite") as other:
        write_session(other, session_id="s-9")
        assert push(other, "PC-2").run().sent == 8
    assert (len(far_rows.numbers("PC-1")), len(far_rows.numbers("PC-2"))) == (15, 8)


def test_another_chain_of_the_same_name_is_told(ledger: Ledger, push: Push, far_rows: Rows, tmp_path: Path) -> None:
    push(ledger).run()
    before = far_rows("SELECT * FROM stimctl.entries ORDER BY number")
    with Ledger(tmp_path / "forged" / "ledger.sqlite") as forged:
        # The first three entries are the same, to the byte.
        forged._writable().append([DraftEntry(*row[1:6]) for row in ledger.rows_between(0, 3, 99)])
        write_session(forged, session_id="s-4")
        write_session(forged, session_id="s-5")
        with pytest.raises(LogFault, match=r"holds another chain of 'PC-1': entry 4 differs there"):
            push(forged).run()
    assert far_rows("SELECT * FROM stimctl.entries ORDER BY number") == before


def test_a_ledger_that_is_behind_is_told(ledger: Ledger, push: Push, tmp_path: Path) -> None:
    older = tmp_path / "older"
    shutil.copytree(ledger.path.parent, older)
    ledger.append("s-1", "note", 0, {"text": "later"})
    push(ledger).run()
    with (
        Ledger(older / "ledger.sqlite") as behind,
        pytest.raises(LogFault, match=r"up to 16, and this ledger ends at 15: 1 entry were taken away"),
    ):
        push(behind).run()


def test_a_lost_tail_that_is_sealed_goes_on(ledger: Ledger, push: Push, far_rows: Rows, tmp_path: Path) -> None:
    """The far end still holds what was lost here, and the seal follows it."""
    older = tmp_path / "older.sqlite"
    shutil.copyfile(ledger.path, older)  # without its write-ahead log: what was checkpointed
    ledger._writable().checkpoint()
    shutil.copyfile(ledger.path, older)
    write_session(ledger, session_id="s-3")
    push(ledger).run()
    ledger.close()
    shutil.copyfile(older, ledger.path)
    for name in ("-wal", "-shm"):
        Path(f"{ledger.path}{name}").unlink(missing_ok=True)
    with Ledger(ledger.path) as torn:
        assert torn.sealed
        report = push(torn).run()
        assert (report.sent, report.lost_here) == (1, 8)
        assert push(torn).faults() == []
    assert far_rows.numbers() == list(range(1, 25))


def test_a_gap_that_both_have_is_sealed_at_the_far_end_too(
    ledger: Ledger, push: Push, far_rows: Rows, tmp_path: Path
) -> None:
    push(ledger).run()
    ledger._writable().checkpoint()
    older = tmp_path / "older.sqlite"
    shutil.copyfile(ledger.path, older)
    write_session(ledger, session_id="s-3")
    ledger.close()
    shutil.copyfile(older, ledger.path)
    for name in ("-wal", "-shm"):
        Path(f"{ledger.path}{name}").unlink(missing_ok=True)
    with Ledger(ledger.path) as torn:
        assert push(torn).run().sent == 1
        assert push(torn).faults() == []
    assert far_rows.numbers() == [*range(1, 16), 24]


def test_a_ledger_that_does_not_hold_is_not_sent(ledger: Ledger, push: Push, far_rows: Rows) -> None:
    connection = ledger._connection
    (trigger,) = connection.execute("SELECT sql FROM sqlite_schema WHERE name = 'entries_never_change'").fetchone()
    connection.execute("DROP TRIGGER entries_never_change")
    connection.execute("UPDATE entries SET body = '{}' WHERE number = 3")
    connection.execute(trigger)
    with pytest.raises(LogFault, match="entry 3 is not what was hashed"):
        push(ledger).run()
    assert far_rows("SELECT to_regclass('stimctl.entries')") == [(None,)]


def test_the_local_ledger_is_not_changed(ledger: Ledger, push: Push) -> None:
    ledger.close()
    files = {path: path.read_bytes() for path in ledger.path.parent.iterdir() if path.is_file()}
    with Ledger(ledger.path, read_only=True) as reading:
        assert push(reading).run().sent == 15
    assert {path: path.read_bytes() for path in files} == files


def test_two_syncs_of_one_machine_at_once_do_not_send_twice(
    ledger: Ledger, push: Push, far_rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stimctl.sync.push.AT_ONCE", 2)

    def run(_index: int) -> int:
        with Ledger(ledger.path, read_only=True) as reading:
            return push(reading).run().cuts

    with ThreadPoolExecutor(3) as threads:
        assert list(threads.map(run, range(3))) == [0, 0, 0]
    assert far_rows.numbers() == list(range(1, 16))
