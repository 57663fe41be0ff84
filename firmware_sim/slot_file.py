"""A small text in a file that outlives the process and the machine, and that one process has at a time.

The file has four slots of a page each, every one a numbered text with its CRC; the newest whole one counts. A text is
never written over the one before it: whoever dies in the middle of writing leaves that one. Two slots take turns for
texts that were brought to the disk (`sync`), two for those that a dying process cannot lose and a dying machine may.
"""

import os
import sys
from pathlib import Path
from typing import BinaryIO
from zlib import crc32

SLOT = 4_096
_SLOTS = 4
_BLANK = b" " * (SLOT - 1) + b"\n"


class SlotFileTaken(OSError):
    """Another process, or another part of this one, has the file."""


class SlotFile:
    """The file, locked until `close`. Raises `OSError` (`SlotFileTaken` is one), and `ValueError` for another file."""

    def __init__(self, path: Path) -> None:
        self._file = _opened(path)
        try:
            _lock(self._file)
            slots = _slots(self._file.read())
        except BaseException:
            self._file.close()
            raise
        self._number, self.text = _newest(slots)
        # Of each pair the slot that is older, or not whole, is written next.
        self._next = {sync: _older(slots, first) for sync, first in ((True, 0), (False, 2))}

    def write(self, text: str, *, sync: bool) -> None:
        """Keep `text`; with `sync` over a loss of power, too. What is kept already is not written again."""
        if text != self.text:
            self._number += 1
            data = text.encode()
            slot = b"%d %08x %b" % (self._number, crc32(data), data)
            if len(slot) >= SLOT:
                raise ValueError(f"{len(slot)} bytes do not fit into a slot of {SLOT}")
            self._file.seek(self._next[sync] * SLOT)
            self._next[sync] ^= 1
            self._file.write(slot.ljust(SLOT - 1) + b"\n")
            self.text = text
        if sync:
            os.fsync(self._file.fileno())

    def close(self) -> None:
        """Release the lock."""
        self._file.close()


def newest(path: Path) -> str | None:
    """What such a file says now, whoever has it; None when it says nothing yet. Raises as `SlotFile` does."""
    return _newest(_slots(path.read_bytes()))[1]


def _opened(path: Path) -> BinaryIO:
    try:
        return path.open("r+b", buffering=0)
    except FileNotFoundError:
        file = path.open("x+b", buffering=0)
        file.write(_BLANK * _SLOTS)
        file.seek(0)
        return file


def _slots(data: bytes) -> list[tuple[int, str] | None]:
    """Each slot's number and text, None where it has no whole one. Raises `ValueError` for another file."""
    if len(data) != SLOT * _SLOTS:
        raise ValueError("its size is wrong")
    slots = [_whole(data[begin : begin + SLOT]) for begin in range(0, len(data), SLOT)]
    if not any(slots) and data != _BLANK * _SLOTS:
        raise ValueError("no slot in it is intact")
    return slots


def _newest(slots: list[tuple[int, str] | None]) -> tuple[int, str | None]:
    return max((slot for slot in slots if slot is not None), default=(0, None))


def _older(slots: list[tuple[int, str] | None], first: int) -> int:
    """Which slot of the pair that begins with `first` has the older text."""
    return min((first, first + 1), key=lambda place: slots[place] or (0, ""))


def _whole(slot: bytes) -> tuple[int, str] | None:
    head = slot.rstrip().split(b" ", 2)
    try:
        number, sum_, data = int(head[0]), int(head[1], 16), head[2]
        return (number, data.decode()) if crc32(data) == sum_ else None
    except (ValueError, IndexError):
        return None


if sys.platform == "win32":
    import msvcrt

    def _lock(file: BinaryIO) -> None:
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            raise SlotFileTaken from None
else:
    import fcntl

    def _lock(file: BinaryIO) -> None:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SlotFileTaken from None
