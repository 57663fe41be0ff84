"""The anchor: number and hash of the last durable entry, in a small file beside the ledger.

A hash chain alone cannot show that its end is missing. So each append commits to the database, writes the new head here
and has it on the disk, and only then reports the entry as durable, all under one lock. The database may be ahead of
its anchor (the program died in between), never behind it.

The file has two records of one sector each, written in turns: a write that the power cut in two leaves the other.
Whoever rewrites database and anchor together is not found by either; a head noted elsewhere finds that.
"""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from stimctl.errors import LogFault, Misuse
from stimctl.forking import tell_of_forks
from stimctl.ledger.chain import GENESIS
from stimctl.ledger.files import LedgerBusy
from stimctl.lock_file import remove, sync_folder, try_lock, unlock

RECORD_SIZE = 512  # what a disk writes at once
_PAUSE_S = 0.0005  # how long to wait before asking for the lock again; doubled up to 16 times that [choice]
_READ_LOCK_S = 2.0  # a reader that cannot get the lock reads all the same [choice]

if sys.platform == "darwin":
    import fcntl

    def _sync(descriptor: int) -> None:
        fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
elif sys.platform == "win32":
    _sync = os.fsync
else:
    _sync = os.fdatasync

if sys.platform == "win32":

    def _read(descriptor: int, size: int, at: int) -> bytes:
        os.lseek(descriptor, at, os.SEEK_SET)
        return os.read(descriptor, size)

    def _write(descriptor: int, data: bytes, at: int) -> int:
        os.lseek(descriptor, at, os.SEEK_SET)
        return os.write(descriptor, data)
else:
    _read, _write = os.pread, os.pwrite


class Mark(NamedTuple):
    """Number and hash of an entry."""

    number: int
    hash: bytes


BEGINNING = Mark(0, GENESIS)


class Found(NamedTuple):
    """What an anchor's file holds. `damaged` counts its records that cannot be read; `mark` is the newest that can."""

    mark: Mark | None
    damaged: int
    newest: int  # which of the two records holds `mark`


def anchor_path(ledger: Path) -> Path:
    """Where the anchor of the ledger in this file is."""
    return ledger.with_suffix(".anchor")


def read_anchor(path: Path) -> Found | None:
    """What the anchor at `path` says, or None where there is no such file. Raises `OSError`."""
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0))
    except FileNotFoundError:
        return None
    try:
        _take(descriptor, path, _READ_LOCK_S, shared=True)
        return parse(os.read(descriptor, 2 * RECORD_SIZE + 1))
    finally:
        os.close(descriptor)


def parse(raw: bytes) -> Found:
    """The two records of an anchor's file."""
    records = [raw[:RECORD_SIZE], raw[RECORD_SIZE:]]
    marks = [_mark_of(record) for record in records]
    newest = max((0, 1), key=lambda index: -1 if (mark := marks[index]) is None else mark.number)
    return Found(marks[newest], marks.count(None), newest)


def _record(mark: Mark) -> bytes:
    text = f"stimctl ledger anchor 1\nentry {mark.number}\nhash {mark.hash.hex()}\n"
    whole = f"{text}check {sha256(text.encode()).hexdigest()}\n"
    return whole.encode().ljust(RECORD_SIZE - 1) + b"\n"


def _mark_of(record: bytes) -> Mark | None:
    """The mark of a record, of which every byte is as it was written; None of any other."""
    try:
        _title, entry, digest, *_ = record.decode("ascii").split("\n")
        mark = Mark(int(entry.removeprefix("entry ")), bytes.fromhex(digest.removeprefix("hash ")))
    except ValueError:
        return None
    return mark if _record(mark) == record else None


class Anchor:
    """The anchor of one ledger, to write. Use it from one thread at a time. Raises `LogFault` and `OSError`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
        self._descriptor = os.open(path, flags, 0o600)
        self._raw = b""
        self._found = Found(None, 2, 1)
        tell_of_forks(self)

    @contextmanager
    def locked(self, timeout_s: float) -> Iterator[None]:
        """Hold the ledger's one lock. Raises `LedgerBusy` when another keeps it for longer than `timeout_s`."""
        self.acquire(timeout_s)
        try:
            yield
        finally:
            self.release()

    def acquire(self, timeout_s: float) -> None:
        """As `locked`."""
        if self._descriptor < 0:
            raise Misuse(f"the ledger of {self.path} was closed here, or opened before a fork: open another `Ledger`")
        if not _take(self._descriptor, self.path, timeout_s, shared=False):
            raise LedgerBusy(f"the ledger's lock {self.path}: another program keeps it")

    def release(self) -> None:
        """Give up the lock."""
        unlock(self._descriptor)

    def found(self) -> Found:
        """What the file says now. Under the lock only."""
        raw = _read(self._descriptor, 2 * RECORD_SIZE + 1, 0)
        if raw != self._raw:
            self._raw, self._found = raw, parse(raw)
        return self._found

    def begin(self, mark: Mark) -> None:
        """Write both records: of a new anchor, or of one that was damaged. Under the lock only."""
        self._write(0, _record(mark) * 2)
        os.ftruncate(self._descriptor, 2 * RECORD_SIZE)
        os.fsync(self._descriptor)
        sync_folder(self.path.parent)

    def advance(self, mark: Mark) -> None:
        """Write a later mark over the older record; it is on the disk then. Never backwards.

        Under the lock only, and after `found`, which tells which record is the older one.
        """
        found = self._found
        if found.mark is not None and mark.number < found.mark.number:
            raise LogFault(
                f"the anchor {self.path} is at entry {found.mark.number}, and cannot go back to {mark.number}"
            )
        older, record = 1 - found.newest, _record(mark)
        self._write(older * RECORD_SIZE, record)
        _sync(self._descriptor)
        raw = self._raw
        self._raw = record + raw[RECORD_SIZE:] if older == 0 else raw[:RECORD_SIZE] + record
        self._found = Found(mark, found.damaged, older)

    def renew(self, mark: Mark) -> None:
        """Write a later mark over both records, one after the other, and cut off what is no record."""
        if self.found().mark is None:
            self.begin(mark)
            return
        self.advance(mark)
        self._write((1 - self._found.newest) * RECORD_SIZE, _record(mark))
        os.ftruncate(self._descriptor, 2 * RECORD_SIZE)
        os.fsync(self._descriptor)

    def close(self) -> None:
        """Close the file. Harmless when done twice."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    let_go_in_fork = close

    def in_place(self) -> bool:
        """Whether the open file is the one of that name."""
        try:
            return os.path.samestat(self.path.lstat(), os.fstat(self._descriptor))
        except FileNotFoundError:
            return False

    def discard_unused(self) -> None:
        """Take the file away again if nothing was ever written to it. Under the lock only."""
        if not os.fstat(self._descriptor).st_size:
            remove(self.path)

    def _write(self, at: int, data: bytes) -> None:
        if _write(self._descriptor, data, at) != len(data):
            raise LogFault(f"the anchor {self.path} could not be written; is the disk full?")


def _take(descriptor: int, path: Path, timeout_s: float, *, shared: bool) -> bool:
    if try_lock(descriptor, path, shared=shared):
        return True
    pause_s, until_s = _PAUSE_S, time.monotonic() + timeout_s
    while not try_lock(descriptor, path, shared=shared):
        if time.monotonic() >= until_s:
            return False
        time.sleep(pause_s)
        pause_s = min(2 * pause_s, 16 * _PAUSE_S)
    return True
