"""Writes and reads traffic files: text files that anybody can keep, send and read.

One JSON object a line. The first names the format, the port's URL and whether a simulator was there; each other
one is a piece of traffic as it was read or written: when, by whom, which bytes. Nothing is interpreted when it is
recorded, so a damaged line is recorded as it was, and a decoder of tomorrow can read a record of today.

Between them stand notes of what the session was and what it was ordered, so that it can be replayed
(`stimctl.replay`). Who only wants the bytes reads with `read_traffic`, which leaves them out.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal, NamedTuple, Protocol

from stimctl.errors import InputInvalid, Problem

FORMAT = 1
Direction = Literal["host", "device"]
DIRECTIONS: tuple[Direction, Direction] = ("host", "device")


class TrafficHeader(NamedTuple):
    """The first line. `simulator` is None when the record was begun before the device had said what it is."""

    url: str
    simulator: bool | None
    rehearsal: bool = False


class TrafficChunk(NamedTuple):
    """Bytes that `sender` put on the line, seen at `at_us` on the port's clock."""

    at_us: int
    sender: Direction
    data: bytes


class TrafficNote(NamedTuple):
    """A note on something that is not on the line and yet made the host send what it sent, at `at_us` on the port's
    clock."""

    at_us: int
    kind: str
    body: Mapping[str, Any]


class TextSink(Protocol):
    """Where the text goes: an open file, or anything else with `write`."""

    def write(self, text: str, /) -> object:
        """Take some text."""


class TrafficWriter:
    """Writes a record of traffic, line by line, to an open text file that belongs to the caller."""

    def __init__(self, out: TextSink, url: str, *, simulator: bool | None = None, rehearsal: bool = False) -> None:
        self._out = out
        header = {"stimctl_traffic": FORMAT, "url": url, "simulator": simulator}
        if rehearsal:
            header["rehearsal"] = True
        out.write(json.dumps(header) + "\n")

    def record(self, at_us: int, direction: str, data: bytes) -> None:
        """Add bytes that `direction`, "host" or "device", put on the line. No bytes, no line."""
        if data:
            self._out.write(f'{{"at_us": {at_us}, "from": "{direction}", "bytes": "{data.hex()}"}}\n')

    def note(self, at_us: int, kind: str, body: Mapping[str, Any]) -> None:
        """Add what happened on the host's side besides bytes; `body` is JSON-able."""
        self._out.write(json.dumps({"at_us": at_us, "note": kind, **body}) + "\n")


def read_traffic(source: str, lines: Iterable[str]) -> tuple[TrafficHeader, Iterator[TrafficChunk]]:
    """The header, and the records one by one as they are asked for.

    Raises `InputInvalid`, naming `source` and the line: at once for the header, on its turn for a record, so that
    a record cut short by a crash gives all that comes before the cut.
    """
    header, pieces = read_pieces(source, lines)
    return header, (piece for piece in pieces if isinstance(piece, TrafficChunk))


def read_pieces(source: str, lines: Iterable[str]) -> tuple[TrafficHeader, Iterator[TrafficChunk | TrafficNote]]:
    """The same with the notes, each in its place. Raises as `read_traffic` does."""
    numbered = enumerate(lines, start=1)
    _, first = next(numbered, (1, ""))
    return _header(source, first), (_piece(source, number, line) for number, line in numbered if line.strip())


def _invalid(source: str, number: int, field: str, value: object, allowed: str) -> InputInvalid:
    return InputInvalid(source, [Problem(field, value, allowed, number)])


def _object(source: str, number: int, line: str) -> dict[str, Any]:
    try:
        entry = json.loads(line)
    except ValueError:
        entry = None
    if not isinstance(entry, dict):
        raise _invalid(source, number, "line", line.strip()[:60], "must be one whole JSON object; it may be cut short")
    return entry


def _header(source: str, line: str) -> TrafficHeader:
    entry = _object(source, 1, line)
    version, url, simulator = entry.get("stimctl_traffic"), entry.get("url"), entry.get("simulator")
    if version != FORMAT:
        raise _invalid(source, 1, "stimctl_traffic", version, f"must be {FORMAT}: is this a record of traffic?")
    if not isinstance(url, str):
        raise _invalid(source, 1, "url", url, "must be the port's URL as text")
    if simulator not in (True, False, None):
        raise _invalid(source, 1, "simulator", simulator, "must be true, false or null")
    if entry.get("rehearsal", False) not in (True, False):
        raise _invalid(source, 1, "rehearsal", entry["rehearsal"], "must be true or false")
    return TrafficHeader(url, simulator, entry.get("rehearsal", False))


def _piece(source: str, number: int, line: str) -> TrafficChunk | TrafficNote:
    entry = _object(source, number, line)
    at_us, sender, written = entry.get("at_us"), entry.get("from"), entry.get("bytes")
    if type(at_us) is not int or not 0 <= at_us < 1 << 63:
        raise _invalid(source, number, "at_us", at_us, "must be a whole number of us, 0 or more and of 63 bits")
    if "note" in entry:
        kind = entry["note"]
        if not isinstance(kind, str):
            raise _invalid(source, number, "note", kind, "must be text")
        return TrafficNote(at_us, kind, {name: value for name, value in entry.items() if name not in ("at_us", "note")})
    if sender not in DIRECTIONS:
        raise _invalid(source, number, "from", sender, "must be 'host' or 'device'")
    try:
        data = bytes.fromhex(written) if isinstance(written, str) else b""
    except ValueError:
        data = b""
    if not data:
        raise _invalid(source, number, "bytes", written, "must be at least one byte in hex digits")
    return TrafficChunk(at_us, sender, data)
