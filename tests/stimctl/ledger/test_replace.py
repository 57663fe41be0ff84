"""Backup while in use, restore, and what is kept of a damaged file."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from stimctl.errors import LogFault, Misuse
from stimctl.ledger import Ledger
from stimctl.ledger.files import wal_path
from stimctl.ledger.replace import back_up, recover, restore
from stimctl.ledger.salvage import entries_in


def test_a_backup_while_others_append_is_whole(path: Path, tmp_path: Path, session: Callable[..., str]) -> None:
    with Ledger(path) as ledger, Ledger(path) as other:
        session(ledger)
        mark = back_up(ledger, tmp_path / "copy.sqlite")
        other.append("s-9", "note", 0, {})
    with Ledger(tmp_path / "copy.sqlite", read_only=True) as copy:
        verdict = copy.verify()
        assert (verdict.ok, verdict.entries, mark.number) == (True, 8, 8)
    with Ledger(path) as ledger, pytest.raises(Misuse, match="replaces nothing"):
        back_up(ledger, tmp_path / "copy.sqlite")


def test_a_copy_of_what_does_not_hold_stays_and_the_ledger_is_named(
    path: Path, tmp_path: Path, session: Callable[..., str]
) -> None:
    with Ledger(path) as ledger:
        session(ledger)
    with closing(sqlite3.connect(path)) as file, file:
        (trigger,) = file.execute("SELECT sql FROM sqlite_schema WHERE name = 'entries_never_change'").fetchone()
        file.execute("DROP TRIGGER entries_never_change")
        file.execute("UPDATE entries SET utc = utc || 'x' WHERE number = 3")
        file.execute(trigger)
    copy = tmp_path / "copy.sqlite"
    with Ledger(path, read_only=True) as ledger, pytest.raises(LogFault) as told:
        back_up(ledger, copy)
    assert f"{copy} does not hold: entry 3" in str(told.value)
    assert f"look whether {path} holds" in str(told.value)
    assert copy.exists()


def test_a_restore_is_an_entry_and_tells_what_it_lost(path: Path, tmp_path: Path, session: Callable[..., str]) -> None:
    with Ledger(path) as ledger:
        one = session(ledger)
        back_up(ledger, tmp_path / "copy.sqlite")
        session(ledger)
        last = ledger.head()
    assert "restored from a backup; 8 entries lost (number 9 to 16)" in restore(path, tmp_path / "copy.sqlite")
    with Ledger(path) as ledger:
        assert ledger.session_ids() == [one]
        (seal,) = ledger.entries("ledger")
        assert (seal.number, seal.previous, seal.body["replaced_hash"]) == (17, last.hash.hex(), last.hash.hex())
        assert (ledger.verify().broken, ledger.verify().lost) == (None, 8)
    with Ledger(Path(seal.body["aside"]) / path.name) as before:
        assert before.verify().entries == 16


def test_a_restore_of_a_newer_ledger_loses_nothing(path: Path, tmp_path: Path, session: Callable[..., str]) -> None:
    with Ledger(tmp_path / "else" / "ledger.sqlite") as elsewhere:
        session(elsewhere)
        back_up(elsewhere, tmp_path / "copy.sqlite")
    assert "no entry missing" in restore(path, tmp_path / "copy.sqlite")
    with Ledger(path) as ledger:
        assert ledger.verify().lost == 0


def test_nothing_is_replaced_under_a_session_that_runs(path: Path, tmp_path: Path, session: Callable[..., str]) -> None:
    with Ledger(path) as ledger:
        session(ledger)
        back_up(ledger, tmp_path / "copy.sqlite")
        with ledger.writer("s-1"):
            with pytest.raises(Misuse, match="s-1 is still running"):
                restore(path, tmp_path / "copy.sqlite")
            with pytest.raises(Misuse, match="s-1 is still running"):
                recover(path)


def test_a_damaged_backup_is_refused(path: Path, tmp_path: Path, session: Callable[..., str]) -> None:
    copy = tmp_path / "copy.sqlite"
    with Ledger(path) as ledger:
        session(ledger)
        back_up(ledger, copy)
    raw = copy.read_bytes()
    copy.write_bytes(raw.replace(b"contact is poor", b"contact is good"))
    with pytest.raises(LogFault, match="entry 5 is not what was hashed"):
        restore(path, copy)
    with Ledger(path) as ledger:
        assert ledger.verify().ok


def test_who_has_the_replaced_file_open_writes_no_more(path: Path, tmp_path: Path, session: Callable[..., str]) -> None:
    with Ledger(path) as ledger:
        session(ledger)
        back_up(ledger, tmp_path / "copy.sqlite")
        restore(path, tmp_path / "copy.sqlite")
        with pytest.raises(LogFault, match="replaced while it was in use"):
            ledger.append("s-1", "note", 0, {})


@pytest.fixture
def big(path: Path, session: Callable[..., str]) -> Path:
    """A ledger of a few hundred entries, some over many pages."""
    with Ledger(path) as ledger:
        for number in range(20):
            one = session(ledger)
            for _ in range(20):
                ledger.append(one, "note", 0, {"text": "x" * 200})
            ledger.append(one, "note", 0, {"text": "y" * (9000 if number % 5 else 70_000)})
    return path


def test_every_entry_of_a_whole_file_is_found_page_by_page(big: Path) -> None:
    with Ledger(big, read_only=True) as ledger:
        wanted = [(entry.number, entry.hash) for entry in ledger.entries()]
    assert [(row.number, row.hash.hex()) for row in entries_in(big)] == wanted


@pytest.mark.parametrize("page", [0, 1, 2, 3, 7, 20])
def test_one_page_lost_costs_its_entries_alone(big: Path, page: int) -> None:
    """The first pages hold the schema and the root, without which SQLite itself reads nothing at all."""
    with Ledger(big, read_only=True) as ledger:
        whole = {entry.number: entry.hash for entry in ledger.entries()}
    raw = bytearray(big.read_bytes())
    raw[page * 4096 : (page + 1) * 4096] = bytes(4096)
    big.write_bytes(raw)
    told = recover(big)
    with Ledger(big) as ledger:
        verdict = ledger.verify()
        kept = {entry.number: entry.hash for entry in ledger.entries() if entry.kind != "sealed"}
    assert verdict.broken is None
    assert kept.items() <= whole.items()
    assert verdict.lost == len(whole) - len(kept) < 40
    assert "recovered from a damaged file" in told


def test_entries_behind_a_damaged_frame_of_the_wal_are_kept(path: Path, tmp_path: Path) -> None:
    ledger = Ledger(path)
    for _ in range(50):
        ledger.append("s-1", "note", 0, {"text": "x" * 300})
    raw = wal_path(path).read_bytes()
    copy = tmp_path / "copy" / path.name
    copy.parent.mkdir()
    copy.write_bytes(path.read_bytes())
    copy.with_suffix(".anchor").write_bytes(path.with_suffix(".anchor").read_bytes())
    wal_path(copy).write_bytes(raw[: len(raw) // 3] + b"\xff" + raw[len(raw) // 3 + 1 :])
    ledger.close()
    with Ledger(copy, read_only=True) as damaged:
        assert damaged.verify().lost > 10
    assert "no entry missing" in recover(copy)
    with Ledger(copy) as mended:
        assert (mended.verify().entries, mended.verify().lost) == (51, 0)


def test_a_sound_ledger_is_left_as_it_is(path: Path, session: Callable[..., str]) -> None:
    """Else it would be said for ever to have been damaged."""
    with Ledger(path) as ledger:
        session(ledger)
    before = path.read_bytes()
    with pytest.raises(Misuse, match=r"nothing is wrong with the ledger .*: it was left as it is"):
        recover(path)
    assert path.read_bytes() == before
    with Ledger(path, read_only=True) as ledger:
        assert (ledger.verify().ok, ledger.losses()) == (True, [])


def test_a_changed_entry_is_dropped_and_told(path: Path, session: Callable[..., str]) -> None:
    with Ledger(path) as ledger:
        session(ledger)
    path.write_bytes(path.read_bytes().replace(b"contact is poor", b"contact is good"))
    assert "1 entry lost (number 5)" in recover(path)
    with Ledger(path) as ledger:
        assert [entry.number for entry in ledger.entries()] == [1, 2, 3, 4, 6, 7, 8, 9]
