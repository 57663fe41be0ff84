"""The ledger beside bare SQLite with the same settings: one durable entry at a time, and through the writer; verifying
beside bare SHA-256.

The limit is a plain table of the same columns, without hash chain, triggers or indexes, each insert its own
commit in WAL mode with synchronous=FULL, a quarter of it more for all that, and one bare fsync of a small file for the
anchor. All files lie on the same disk. Run with
`python -m pytest benchmarks/test_ledger.py -s`; run under a folder on a disk, not on tmpfs, where an fsync is free.
"""

import json
import os
import sqlite3
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from benchmarks.interleave import Ratio, ratio
from benchmarks.results import report
from stimctl.ledger import Ledger
from stimctl.ledger.append import draft, utc_now, utc_text
from stimctl.ledger.chain import canonical_body

BODY: dict[str, Any] = {
    "stimulation_us": 61_000_000,
    "channels": {"1": {"applied_ua": 2000, "measured_ua": 1993, "ohm": 612, "pulses_0": 6, "pulses_1": 300}},
}
BATCH = 128
MEMORY = Path("/dev/shm")
# One entry so large that both write-ahead logs have their full length before anything is timed: a commit into a
# log that still grows costs the file system more, and the two would not stop growing at the same time.
WIDE = "x" * 5_000_000
COLUMNS = "number INTEGER PRIMARY KEY, session_id, kind, at_us, utc, body, previous, hash"


class Bare:
    """SQLite as it comes, with the settings of the ledger."""

    def __init__(self, path: Path) -> None:
        self.connection = sqlite3.connect(path, isolation_level=None)
        self.connection.execute("PRAGMA journal_mode=WAL")
        self.connection.execute("PRAGMA synchronous=FULL")
        self.connection.execute(f"CREATE TABLE entries ({COLUMNS})")

    def widen(self) -> None:
        self.connection.execute("INSERT INTO entries (session_id, body) VALUES ('s-0', ?)", (WIDE,))

    def row(self) -> tuple[object, ...]:
        return (None, "s-1", "sample", 61_000_000, utc_text(utc_now()), json.dumps(BODY), bytes(32), bytes(32))

    def append(self) -> None:
        self.connection.execute("INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?, ?)", self.row())

    def append_batch(self) -> None:
        rows = [self.row() for _ in range(BATCH)]
        self.connection.execute("BEGIN")
        self.connection.executemany("INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)
        self.connection.execute("COMMIT")


class BareWithAnchor(Bare):
    """A bare commit and a quarter, and one bare fsync of 512 bytes: what one durable entry may cost."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.file = os.open(path.with_suffix(".file"), os.O_RDWR | os.O_CREAT)
        os.write(self.file, bytes(1024))
        self._quarter = 0

    def allowed(self) -> None:
        self.append()
        self._quarter += 1
        if self._quarter % 4 == 0:
            self.append()
        os.lseek(self.file, 512 * (self._quarter % 2), os.SEEK_SET)
        os.write(self.file, bytes(512))
        os.fsync(self.file)


def count(path: Path) -> int:
    connection = sqlite3.connect(path)
    (found,) = connection.execute("SELECT count(*) FROM entries").fetchone()
    connection.close()
    return int(found)


def _entry_beside_its_limit(folder: Path) -> Ratio:
    bare = BareWithAnchor(folder / "bare.sqlite")
    with Ledger(folder / "ledger.sqlite") as ledger:
        ledger.append("s-0", "note", 0, {"text": WIDE})
        bare.widen()
        measured = ratio(
            lambda: ledger.append("s-1", "sample", 61_000_000, BODY), bare.allowed, blocks=41, per_block=50
        )
        assert ledger.verify().entries == 42 * 50 + 1
    bare.connection.close()
    return measured


def test_durable_entry_beside_a_bare_commit_and_a_quarter_and_an_fsync(tmp_path: Path) -> None:
    name = "one durable, anchored log entry / 1.25 bare SQLite commits and a bare fsync"
    report(name, _entry_beside_its_limit(tmp_path), target="at most 1")


@pytest.mark.skipif(not MEMORY.is_dir(), reason="no file system in memory here")
def test_durable_entry_where_a_sync_is_free() -> None:
    """What of it is the processor's: from this and the row above, any disk between them can be reckoned."""
    with TemporaryDirectory(dir=MEMORY) as folder:
        measured = _entry_beside_its_limit(Path(folder))
    report("the same in memory, where a sync is free", measured, target="none", note="the processor's part alone")


def test_verify_beside_bare_sha_256(tmp_path: Path) -> None:
    """The time for an entry stays the same, up to a log of years."""
    for size, blocks in ((20_000, 9), (240_000, 5), (1_400_000, 3)):
        with Ledger(tmp_path / f"{size}.sqlite") as ledger:
            body = canonical_body(BODY)
            one = draft("s-1", "sample", 61_000_000, utc_text(utc_now()), body)
            appender = ledger._appender
            assert appender
            for _ in range(size // 5_000):
                appender.append([one] * 5_000)
            texts = [
                bytes(32) + b'[%d,"s-1","sample",61000000,"%b",%b]' % (number, one.utc.encode(), body.encode())
                for number in range(size)
            ]

            def hashed(texts: list[bytes] = texts) -> None:
                for text in texts:
                    sha256(text).digest()

            followed = ratio(ledger.require_whole, hashed, blocks=blocks, per_block=1)
            measured = ratio(ledger.verify, hashed, blocks=blocks, per_block=1)
            assert ledger.verify().ok
        of = f"{size:,} entries / bare SHA-256 of the same bytes"
        report(f"the chain followed, as each run does, {of}", followed, target="at most 3.3")
        report(f"verify, which looks at each body too, {of}", measured, target="at most 3.3")


def test_entries_through_the_writer_beside_a_bare_batch(tmp_path: Path) -> None:
    bare = Bare(tmp_path / "bare.sqlite")
    with Ledger(tmp_path / "ledger.sqlite") as ledger, ledger.writer("s-1") as log:

        def write() -> None:
            for _ in range(BATCH):
                log.put("sample", 61_000_000, BODY)
            log.drain(10)

        ledger.append("s-0", "note", 0, {"text": WIDE})
        bare.widen()
        measured = ratio(write, bare.append_batch, blocks=31, per_block=5)
        assert log.problem() is None
        assert ledger.verify().entries == 32 * 5 * BATCH + 1 == count(tmp_path / "bare.sqlite")
    note = "the writer commits as entries come: several fsyncs where the batch has one"
    report(f"{BATCH} log entries through the writer / one bare batch of {BATCH}", measured, target="none", note=note)
    bare.connection.close()


def test_put_beside_a_bare_commit(tmp_path: Path) -> None:
    """What the session itself pays for an entry."""
    bare = Bare(tmp_path / "bare.sqlite")
    with Ledger(tmp_path / "ledger.sqlite") as ledger, ledger.writer("s-1") as log:

        def put() -> None:
            log.put("sample", 61_000_000, BODY)

        measured = ratio(put, bare.append, blocks=41, per_block=20)
        log.drain(10)
        assert log.problem() is None
    report("one put into the writer's queue / one bare SQLite commit", measured, target="none: it never waits")
    bare.connection.close()
