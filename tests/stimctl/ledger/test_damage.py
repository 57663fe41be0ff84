"""Flipped bytes and bits, and files taken away: found, or refused, or without effect on what the ledger says."""

import os
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stimctl.errors import LogFault
from stimctl.ledger import ChainFault, Ledger
from stimctl.ledger.files import require_room, wal_path

WRITE_AND_DIE = """
import os, sqlite3, sys
from pathlib import Path
from stimctl.ledger import Ledger
path = Path(sys.argv[1])
ledger = Ledger(path)
ledger.append("s-1", "opened", 0, {"subject": "simulator"})
for number in range(3):
    ledger.append("s-1", "note", number, {"text": "x" * 50})
ledger.close()
connection = sqlite3.connect(path)
for pragma in ("journal_mode=DELETE", "page_size=512"):
    connection.execute(f"PRAGMA {pragma}")
connection.execute("VACUUM")
connection.execute("PRAGMA journal_mode=WAL")
connection.close()
ledger = Ledger(path)
for number in range(6):
    ledger.append("s-1", "note", number, {"text": "y" * 50})
os._exit(0)
"""


def said(ledger: Ledger, session_id: str) -> tuple[object, ...]:
    """All that people get from it."""
    return list(ledger.entries()), list(ledger.entries(session_id)), ledger.sessions(), ledger.unfinished()


@pytest.fixture
def small(path: Path, session: Callable[..., str]) -> tuple[Path, str]:
    """A ledger in pages of 512 bytes, so that its few thousand bytes have every kind of page in them."""
    with Ledger(path) as ledger:
        one = session(ledger)
        session(ledger, close=False)
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode=DELETE")
    connection.execute("PRAGMA page_size=512")
    connection.execute("VACUUM")
    connection.execute("PRAGMA journal_mode=WAL")
    connection.close()
    return path, one


def outcome_of(path: Path, session_id: str, before: tuple[object, ...]) -> str:
    """What became of a damaged file: refused, found, or harmless. Anything else fails the test."""
    try:
        with Ledger(path, read_only=True) as ledger:
            if not ledger.verify().ok:
                return "found"
            assert said(ledger, session_id) == before, "changed content passed as whole"
            return "harmless"
    except LogFault:
        return "refused"


@pytest.mark.slow
@pytest.mark.parametrize("flip", [0x01, 0x80, 0xFF], ids=hex)
def test_flipped_byte_never_passes_with_changed_content(small: tuple[Path, str], flip: int) -> None:
    path, session_id = small
    whole = path.read_bytes()
    with Ledger(path, read_only=True) as ledger:
        before = said(ledger, session_id)
    outcomes: dict[str, int] = {"found": 0, "refused": 0, "harmless": 0}
    # All of the header and the schema; of the rest every third byte, another third for each flip.
    for offset in [*range(512), *range(512 + flip % 3, len(whole), 3)]:
        damaged = bytearray(whole)
        damaged[offset] ^= flip
        path.write_bytes(damaged)
        for name in ("-wal", "-shm"):
            Path(f"{path}{name}").unlink(missing_ok=True)
        outcomes[outcome_of(path, session_id, before)] += 1
    assert outcomes["found"] > 1000, outcomes
    assert outcomes["refused"] > 100, outcomes


@pytest.fixture
def killed(path: Path) -> Path:
    """A ledger whose writer died: a part of its entries in the database, and a part in the -wal alone."""
    subprocess.run([sys.executable, "-c", WRITE_AND_DIE, str(path)], check=True)
    assert wal_path(path).stat().st_size > 5 * 512
    return path


def test_one_flipped_bit_anywhere_in_any_file_is_told_or_without_effect(killed: Path, tmp_path: Path) -> None:
    files = {path.name: path.read_bytes() for path in sorted(killed.parent.iterdir()) if path.is_file()}
    whole = [(name, at) for name, raw in files.items() if not name.endswith("-shm") for at in range(len(raw))]
    copy = tmp_path / "copy" / killed.name
    copy.parent.mkdir()

    def put(name: str, raw: bytes) -> None:
        (copy.parent / name).write_bytes(raw)

    for name, raw in files.items():
        put(name, raw)
    with Ledger(copy, read_only=True) as ledger:
        before = said(ledger, "s-1")
    outcomes: Counter[str] = Counter()

    @settings(max_examples=80, deadline=None, database=None)
    @given(st.sampled_from(whole), st.integers(0, 7))
    def flipped(place: tuple[str, int], bit: int) -> None:
        name, at = place
        for each, raw in files.items():
            put(each, raw if each != name else raw[:at] + bytes([raw[at] ^ 1 << bit]) + raw[at + 1 :])
        outcomes[outcome_of(copy, "s-1", before)] += 1

    flipped()
    assert outcomes["found"] + outcomes["refused"] > outcomes.total() // 2, outcomes


# What is taken away, what is told of it, and how many of the ten entries are known to be lost.
REMOVED = {
    "database": (("",), "is gone: its anchor tells of 10 entries", None),
    "wal": (("-wal",), "its tail was lost: 6 entries lost", 6),
    "database and wal": (("", "-wal", "-shm"), "is gone: its anchor tells of 10 entries", None),
    "anchor": ((".anchor",), "the anchor was missing or could not be read", 0),
    "wal and anchor": (("-wal", ".anchor"), "the anchor was missing or could not be read", 0),
}


@pytest.mark.parametrize("what", REMOVED)
def test_every_file_that_is_removed_is_told(killed: Path, what: str) -> None:
    endings, sentence, lost = REMOVED[what]
    for ending in endings:
        (killed.with_suffix(ending) if ending == ".anchor" else Path(f"{killed}{ending}")).unlink()
    if lost is None:
        with pytest.raises(LogFault, match=sentence):
            Ledger(killed, read_only=True)
    else:
        with Ledger(killed, read_only=True) as ledger:
            verdict = ledger.verify()
        assert verdict.broken
        assert (verdict.ok, verdict.lost) == (False, lost)
        assert sentence in verdict.broken.sentence
    with Ledger(killed) as ledger:
        assert ledger.sealed, "and who writes next seals it"
        assert ledger.verify().lost == (10 if lost is None else lost)


def test_flipped_byte_in_an_entry_names_that_entry(path: Path, session: Callable[..., str]) -> None:
    with Ledger(path) as ledger:
        session(ledger)
    whole = path.read_bytes()
    at = whole.index(b"contact is poor")
    path.write_bytes(whole[:at] + b"C" + whole[at + 1 :])
    with Ledger(path) as ledger:
        broken = ledger.verify().broken
    assert broken
    assert (broken.number, broken.why) == (5, ChainFault.HASH)


def test_index_that_hides_an_entry_is_found(small: tuple[Path, str]) -> None:
    path, session_id = small
    whole = path.read_bytes()
    in_index = [at for at in range(len(whole)) if whole.startswith(session_id.encode(), at)]
    found = []
    for at in in_index:
        path.write_bytes(whole[:at] + b"9" + whole[at + 1 :])
        with Ledger(path, read_only=True) as ledger:
            verdict = ledger.verify()
            assert verdict.broken
            found.append(verdict.broken.number is None)
    assert any(found), "an index entry was hit: all entries hold, and still the file does not"
    assert not all(found)


def test_truncated_file_is_found_or_refused(small: tuple[Path, str]) -> None:
    path, session_id = small
    whole = path.read_bytes()
    for size in range(0, len(whole), 256):
        path.write_bytes(whole[:size])
        assert outcome_of(path, session_id, ()) != "harmless"


def test_swapped_pages_are_found(small: tuple[Path, str]) -> None:
    path, session_id = small
    whole = path.read_bytes()
    pages = [whole[at : at + 512] for at in range(0, len(whole), 512)]
    for one in range(1, len(pages) - 1):
        swapped = [*pages[:one], pages[one + 1], pages[one], *pages[one + 2 :]]
        path.write_bytes(b"".join(swapped))
        assert outcome_of(path, session_id, ()) != "harmless"


@contextmanager
def tmpfs(folder: Path, size: str) -> Iterator[Path]:
    folder.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], check=False, capture_output=True
    )
    if made.returncode:
        pytest.skip(f"no tmpfs may be mounted here: {made.stderr.decode().strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="mounting a small disk takes root")
def test_full_disk_stops_the_log_and_keeps_what_was_written(tmp_path: Path) -> None:
    with tmpfs(tmp_path / "disk", "512k") as disk, Ledger(disk / "data" / "ledger.sqlite") as ledger:
        number = 0
        with pytest.raises(LogFault, match=r"disk is full|reports an error"):  # noqa: PT012
            for _ in range(1000):
                number = ledger.append("s-1", "note", 0, {"text": "x" * 2000})
        assert 20 < number < 1000
        verdict = ledger.verify()
        assert verdict.ok
        assert verdict.entries == number


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="mounting a small disk takes root")
@pytest.mark.parametrize("read_only", [True, False])
def test_a_disk_that_is_full_before_the_ledger_is_opened_is_said_to_be_full(tmp_path: Path, read_only: bool) -> None:
    with tmpfs(tmp_path / "disk", "512k") as disk:
        path = disk / "data" / "ledger.sqlite"
        Ledger(path).close()
        with pytest.raises(OSError, match="No space"):
            (disk / "much").write_bytes(bytes(1_000_000))
        with pytest.raises(LogFault, match="the disk is full; make room"), Ledger(path, read_only=read_only) as ledger:
            ledger.append("s-1", "note", 0, {"text": "x" * 50_000})


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="mounting a small disk takes root")
def test_disk_that_turns_read_only_stops_the_log(tmp_path: Path) -> None:
    with tmpfs(tmp_path / "disk", "2m") as disk, Ledger(disk / "data" / "ledger.sqlite") as ledger:
        ledger.append("s-1", "note", 0, {})
        ledger.close()
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        with pytest.raises(LogFault, match="ledger"):
            Ledger(disk / "data" / "ledger.sqlite")
        with Ledger(disk / "data" / "ledger.sqlite", read_only=True) as reader:
            assert reader.verify().entries == 1
        for path in (disk / "data" / "ledger.sqlite", disk / "not made yet" / "ledger.sqlite"):
            with pytest.raises(LogFault, match=r"it cannot be written; .* \(\[Errno 30\] Read-only file system\)$"):
                require_room(path)
