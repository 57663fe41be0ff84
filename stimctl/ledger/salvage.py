"""Every entry of a damaged file that can still be read, whatever else of the file cannot.

SQLite reads a database from its root; where an inner page is damaged, or a frame of the write-ahead log, it reads no
further. Here every page of the file and of its log is looked at by itself, in whatever order they lie. Nothing is
believed for lying there: an entry counts only if its own hash says that it is what was written.

The layout of pages, cells and records is that of https://www.sqlite.org/fileformat2.html, sections 1.6 and 2.1.
"""

from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from stimctl.ledger.chain import SEALED, ChainWalker, EntryRow, fault_of
from stimctl.ledger.files import wal_path
from stimctl.look import is_there

_TABLE_LEAF = 0x0D
_FILE_HEADER, _WAL_HEADER, _FRAME_HEADER = 100, 32, 24
_USUAL_PAGE = 4096
_COLUMNS = 8
_Page = bytes


def entries_in(path: Path) -> list[EntryRow]:
    """The entries that can be read of the ledger at `path` and of its write-ahead log, by number."""
    found: defaultdict[int, dict[bytes, EntryRow]] = defaultdict(dict)
    pages = _pages(path)
    versions: defaultdict[int, list[_Page]] = defaultdict(list)
    for number, page in pages:
        versions[number].append(page)
    for number, page in pages:
        for row in _rows(page, number, versions):
            found[row.number][row.hash] = row
    return _one_chain(found)


def gaps_in(rows: list[EntryRow], last: int) -> tuple[tuple[int, int], ...]:
    """Which numbers are missing, from the first up to `last`, and have not been told of by an earlier seal."""
    told = ChainWalker()
    for row in rows:
        if row.kind == SEALED:
            told.take_seal(row.number, row.utc, row.body)
    known = {gap for loss in told.losses for gap in loss.missing}
    numbers = [0, *(row.number for row in rows), max(last, rows[-1].number if rows else 0) + 1]
    gaps = ((one + 1, other - 1) for one, other in pairwise(numbers) if other > one + 1)
    return tuple(gap for gap in gaps if gap not in known)


def _one_chain(found: dict[int, dict[bytes, EntryRow]]) -> list[EntryRow]:
    """Of several versions of one number the one that its neighbours name; none that the next entry does not know."""
    kept: list[EntryRow] = []
    after: EntryRow | None = None
    for number in sorted(found, reverse=True):
        rows = list(found[number].values())
        if after is not None and after.number == number + 1:
            rows = [row for row in rows if row.hash == after.previous]
        if rows:
            after = rows[-1]
            kept.append(after)
    return kept[::-1]


def _pages(path: Path) -> list[tuple[int, _Page]]:
    """Each page with its number, those of the write-ahead log last and newest last."""
    raw = path.read_bytes() if is_there(path) else b""
    size = int.from_bytes(raw[16:18], "big")
    size = {1: 65536}.get(size, size)
    wal = wal_path(path).read_bytes() if is_there(wal_path(path)) else b""
    if size not in {1 << bits for bits in range(9, 17)}:
        size = int.from_bytes(wal[8:12], "big") or _USUAL_PAGE
    pages = [(at // size + 1, raw[at : at + size]) for at in range(0, len(raw), size)]
    for at in range(_WAL_HEADER, len(wal), _FRAME_HEADER + size):
        frame = wal[at : at + _FRAME_HEADER + size]
        pages.append((int.from_bytes(frame[:4], "big"), frame[_FRAME_HEADER:]))
    return pages


def _rows(page: _Page, number: int, versions: dict[int, list[_Page]]) -> Iterator[EntryRow]:
    header = _FILE_HEADER if number == 1 else 0
    if len(page) < header + 8 or page[header] != _TABLE_LEAF:
        return
    count = int.from_bytes(page[header + 3 : header + 5], "big")
    for index in range(count):
        at = header + 8 + 2 * index
        try:
            row = _row(page, int.from_bytes(page[at : at + 2], "big"), versions)
        except (IndexError, ValueError, RecursionError):
            continue
        if row is not None and fault_of(row) is None:
            yield row


def _row(page: _Page, at: int, versions: dict[int, list[_Page]]) -> EntryRow | None:
    """The entry in the cell at `at`. Raises `IndexError` or `ValueError` for what is none."""
    size, at = _varint(page, at)
    number, at = _varint(page, at)
    usable = len(page)
    most, least = usable - 35, (usable - 12) * 32 // 255 - 23
    local = size
    if size > most:
        local = least + (size - least) % (usable - 4)
        local = local if local <= most else least
    payload = page[at : at + local]
    if size > local:
        payload += _overflow(int.from_bytes(page[at + local : at + local + 4], "big"), size - local, versions)
    return _record(payload, number) if len(payload) == size else None


def _overflow(number: int, size: int, versions: dict[int, list[_Page]]) -> bytes:
    parts: list[bytes] = []
    while size > 0:
        page = versions[number][-1]
        parts.append(page[4 : 4 + size])
        size -= len(parts[-1])
        if not parts[-1]:
            raise ValueError(number)
        number = int.from_bytes(page[:4], "big")
    return b"".join(parts)


def _record(payload: bytes, number: int) -> EntryRow | None:
    end, at = _varint(payload, 0)
    types, place, values = [], end, []
    while at < end:
        kind, at = _varint(payload, at)
        types.append(kind)
    if len(types) != _COLUMNS:
        return None
    for kind in types[1:]:  # the first is the number itself, which stands before the record
        value, place = _value(payload, place, kind)
        values.append(value)
    return EntryRow(number, *values)  # type: ignore[arg-type]  # of whatever types the file has; they are looked at


def _value(payload: bytes, at: int, kind: int) -> tuple[object, int]:
    if kind >= 12:
        length = (kind - 12) // 2
        raw = payload[at : at + length]
        return raw if kind % 2 == 0 else raw.decode("utf-8", "surrogateescape"), at + length
    if kind in (8, 9):
        return kind - 8, at
    length = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8}.get(kind, 0)
    return int.from_bytes(payload[at : at + length], "big", signed=True) if length else None, at + length


def _varint(raw: bytes, at: int) -> tuple[int, int]:
    value = 0
    for step in range(8):
        byte = raw[at + step]
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, at + step + 1
    return value << 8 | raw[at + 8], at + 9
