"""Flipped bytes anywhere in the file: found, or refused, or without effect on what the ledger says."""

import os
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from stimctl.errors import LogFault
from stimctl.ledger import ChainFault, Ledger


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
def test_disk_that_turns_read_only_stops_the_log(tmp_path: Path) -> None:
    with tmpfs(tmp_path / "disk", "2m") as disk, Ledger(disk / "data" / "ledger.sqlite") as ledger:
        ledger.append("s-1", "note", 0, {})
        ledger.close()
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        with pytest.raises(LogFault, match="ledger"):
            Ledger(disk / "data" / "ledger.sqlite")
        with Ledger(disk / "data" / "ledger.sqlite", read_only=True) as reader:
            assert reader.verify().entries == 1
