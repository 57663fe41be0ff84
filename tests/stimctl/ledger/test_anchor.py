"""The anchor: what it shows of a database that lost its tail, was changed, or was replaced."""

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from stimctl.errors import LogFault
from stimctl.ledger import ChainFault, Ledger, Verification
from stimctl.ledger.anchor import RECORD_SIZE, Anchor, Mark, anchor_path, parse, read_anchor
from stimctl.ledger.chain import GENESIS, DraftEntry, canonical, link
from stimctl.ledger.files import wal_path

HUNDRED_AND_DIE = """
import os, sys
from pathlib import Path
from stimctl.ledger import Ledger
ledger = Ledger(Path(sys.argv[1]))
for number in range(100):
    ledger.append(f"s-{number // 10}", "opened" if number % 10 == 0 else "note", number, {"text": "x" * 50})
os._exit(0)
"""


def verdict_of(path: Path) -> Verification | None:
    """What reading says; None where the file is refused."""
    try:
        with Ledger(path, read_only=True) as ledger:
            return ledger.verify()
    except LogFault:
        return None


def told(path: Path) -> bool:
    found = verdict_of(path)
    return found is None or not found.ok


@pytest.fixture
def killed(path: Path) -> Path:
    """A ledger of a hundred entries, all of them in the -wal, whose writer died."""
    subprocess.run([sys.executable, "-c", HUNDRED_AND_DIE, str(path)], check=True)
    assert wal_path(path).stat().st_size > 100 * 4096
    return path


def copied(path: Path, to: Path) -> Path:
    shutil.rmtree(to, ignore_errors=True)
    shutil.copytree(path.parent, to)
    return to / path.name


def test_each_append_is_anchored(ledger: Ledger, path: Path) -> None:
    for number in range(1, 5):
        ledger.append("s-1", "note", 0, {})
        found = read_anchor(anchor_path(path))
        assert found
        assert (found.mark, found.damaged) == (Mark(number, ledger.head().hash), 0)


def test_a_database_ahead_of_its_anchor_is_sound_and_the_anchor_follows(path: Path) -> None:
    with Ledger(path) as ledger:
        ledger.append("s-1", "note", 0, {})
    before = anchor_path(path).read_bytes()
    with Ledger(path) as ledger:
        ledger.append("s-1", "note", 0, {})
        ledger.append("s-1", "note", 0, {})
    anchor_path(path).write_bytes(before)
    assert not told(path)
    with Ledger(path) as ledger:
        assert ledger.sealed is None
        assert ledger.append("s-1", "note", 0, {}) == 4
        assert ledger.verify().ok


def test_an_anchor_never_goes_backwards(path: Path, ledger: Ledger) -> None:
    ledger.append("s-1", "note", 0, {})
    anchor = Anchor(anchor_path(path))
    with anchor.locked(1):
        assert anchor.found().mark == ledger.head()
        with pytest.raises(LogFault, match="cannot go back to 0"):
            anchor.advance(Mark(0, GENESIS))
    anchor.close()


@pytest.mark.parametrize("cut", range(0, RECORD_SIZE + 1, 64))
def test_a_write_that_the_power_cuts_leaves_the_other_record(path: Path, cut: int) -> None:
    with Ledger(path) as ledger:
        for _ in range(3):
            ledger.append("s-1", "note", 0, {})
        older = anchor_path(path).read_bytes()
        ledger.append("s-1", "note", 0, {})
    newer = anchor_path(path).read_bytes()
    at = 0 if older[:RECORD_SIZE] != newer[:RECORD_SIZE] else RECORD_SIZE
    found = parse(older[:at] + newer[at : at + cut] + older[at + cut :])
    assert found.mark
    assert found.mark.number in (3, 4)


def test_every_flipped_byte_of_the_anchor_is_told_and_mended(path: Path) -> None:
    with Ledger(path) as ledger:
        for _ in range(3):
            ledger.append("s-1", "note", 0, {})
    whole = anchor_path(path).read_bytes()
    for at in [*range(0, 240, 7), *range(240, RECORD_SIZE, 60), *range(RECORD_SIZE, 2 * RECORD_SIZE, 31), 1023]:
        anchor_path(path).write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        assert told(path), at
    for size in (0, 1, RECORD_SIZE, 2 * RECORD_SIZE - 1, 2 * RECORD_SIZE + 1):
        anchor_path(path).write_bytes((whole + b" ")[:size])
        assert told(path), size
    with Ledger(path) as ledger:
        assert "could not be read" in (ledger.sealed or "")
        assert ledger.verify().broken is None
        assert len(ledger.losses()) == 1


def test_a_missing_anchor_is_told_and_sealed(path: Path, session: Callable[..., str]) -> None:
    with Ledger(path) as ledger:
        session(ledger)
    anchor_path(path).unlink()
    verdict = verdict_of(path)
    assert verdict
    assert verdict.broken
    assert (verdict.broken.why, verdict.entries) == (ChainFault.ANCHOR, 8)
    with Ledger(path) as ledger:
        assert "the anchor was missing" in (ledger.sealed or "")


def test_a_missing_database_is_told_with_what_was_lost(path: Path, session: Callable[..., str]) -> None:
    with Ledger(path) as ledger:
        session(ledger)
    path.unlink()
    with pytest.raises(LogFault, match="is gone: its anchor tells of 8 entries"):
        Ledger(path, read_only=True)
    with Ledger(path) as ledger:
        assert "8 entries lost (number 1 to 8)" in (ledger.sealed or "")
        assert ledger.append("s-2", "note", 0, {}) == 10


def test_a_wal_that_was_cut_is_told_with_the_number_of_entries_lost(killed: Path, tmp_path: Path) -> None:
    for part in (0, 1, 3, 5, 7):
        copy = copied(killed, tmp_path / "copy")
        raw = wal_path(copy).read_bytes()
        wal_path(copy).write_bytes(raw[: len(raw) * part // 8])
        verdict = verdict_of(copy)
        assert verdict
        assert verdict.broken
        assert not verdict.ok
        assert verdict.lost == 100 - verdict.entries > 0
    wal_path(copied(killed, tmp_path / "copy")).unlink()
    verdict = verdict_of(tmp_path / "copy" / killed.name)
    assert verdict
    assert verdict.lost == 100


def test_flipped_bits_of_the_wal_are_told(killed: Path, tmp_path: Path) -> None:
    assert not told(copied(killed, tmp_path / "copy"))
    whole = wal_path(killed).read_bytes()
    for at in range(8, len(whole), len(whole) // 60):
        copy = copied(killed, tmp_path / "copy")
        wal_path(copy).write_bytes(whole[:at] + bytes([whole[at] ^ 4]) + whole[at + 1 :])
        verdict = verdict_of(copy)
        assert verdict is None or not verdict.ok, at


def test_a_torn_tail_is_kept_aside_and_never_appended_to(killed: Path) -> None:
    raw = wal_path(killed).read_bytes()
    wal_path(killed).write_bytes(raw[: len(raw) // 2])
    with Ledger(killed) as ledger:
        (loss,) = ledger.losses()
        ((first, last),) = loss.missing
        assert last == 100
        assert ledger.append("s-new", "note", 0, {}) == 102
        numbers = [entry.number for entry in ledger.entries()]
        assert numbers == [*range(1, first), 101, 102]
        seal = next(ledger.entries("ledger"))
    aside = Path(seal.body["aside"])
    assert wal_path(aside / killed.name).read_bytes() == raw[: len(raw) // 2]


def rewrite(path: Path, change: Callable[[str], str]) -> None:
    """What a person who can write the file and knows how the chain is made can do to it."""
    connection = sqlite3.connect(path, isolation_level=None)
    triggers = connection.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").fetchall()
    for name, _ in triggers:
        connection.execute(f"DROP TRIGGER {name}")
    previous = GENESIS
    query = "SELECT number, session_id, kind, at_us, utc, body FROM entries ORDER BY number"
    for number, *fields, body in connection.execute(query).fetchall():
        draft = DraftEntry._make([*fields, change(body)])
        digest = link(previous, number, draft)
        values = (draft.body, previous, digest, number)
        connection.execute("UPDATE entries SET body = ?, previous = ?, hash = ? WHERE number = ?", values)
        previous = digest
    for _, sql in triggers:
        connection.execute(sql)
    connection.close()


def test_a_chain_that_was_written_anew_is_told_and_refused(path: Path, session: Callable[..., str]) -> None:
    with Ledger(path) as ledger:
        session(ledger)
    rewrite(path, lambda body: body.replace("612", "512"))
    verdict = verdict_of(path)
    assert verdict
    assert verdict.broken
    assert (verdict.broken.why, verdict.broken.number) == (ChainFault.ANCHOR, 8)
    before = path.read_bytes()
    with pytest.raises(LogFault, match="written anew or replaced"):
        Ledger(path)
    assert path.read_bytes() == before


def test_what_follows_the_anchored_entry_is_looked_at_too(path: Path, session: Callable[..., str]) -> None:
    with Ledger(path) as ledger:
        session(ledger)
    connection = sqlite3.connect(path)
    body = canonical({"text": "put in by hand"})
    row = (9, "s-1", "note", 0, "2026-01-31T14:25:01.000000Z", body, bytes(32), bytes(32))
    connection.execute("INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
    connection.commit()
    connection.close()
    with pytest.raises(LogFault, match="entry 9 does not follow"):
        Ledger(path)


@pytest.mark.parametrize("name", ["-wal", ".anchor"])
def test_a_file_that_is_taken_away_while_it_is_in_use_ends_the_log(ledger: Ledger, path: Path, name: str) -> None:
    ledger.append("s-1", "note", 0, {})
    (anchor_path(path) if name == ".anchor" else wal_path(path)).unlink()
    with pytest.raises(LogFault, match="while it was in use"):
        ledger.append("s-1", "note", 0, {})


def test_a_session_whose_entry_was_changed_is_not_shown_as_sound(path: Path, session: Callable[..., str]) -> None:
    with Ledger(path) as ledger:
        one, other = session(ledger), session(ledger)
    connection = sqlite3.connect(path)
    (sql,) = connection.execute("SELECT sql FROM sqlite_schema WHERE name = 'entries_never_change'").fetchone()
    connection.execute("DROP TRIGGER entries_never_change")
    connection.execute("UPDATE entries SET body = replace(body, '1000', '1001') WHERE number = 8")
    connection.execute(sql)
    connection.commit()
    connection.close()
    with Ledger(path, read_only=True) as ledger:
        with pytest.raises(LogFault, match="entry 8 is not what was hashed"):
            list(ledger.entries(one))
        assert ledger.summary(one).faults == ("entry 8 is not what was hashed: it was changed",)
        assert ledger.summary(other).faults == ()
        with pytest.raises(LogFault, match="entry 8 is not what was hashed"):
            ledger.require_whole()


@pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX")
def test_an_anchor_that_may_not_be_read_is_told(path: Path, session: Callable[..., str]) -> None:
    with Ledger(path) as ledger:
        session(ledger)
    anchor_path(path).unlink()
    anchor_path(path).mkdir()
    assert told(path)
    with pytest.raises(LogFault, match="is a folder"):
        Ledger(path)
