"""Bytes from a line, into whatever reads them: the splitter, the messages, the text of other devices.

Each target takes any bytes and raises only when a promise is broken: an error that is not one of those written
down, memory that grows without bound, another reading of the same bytes because they came in other pieces.
"""

import sys
from collections.abc import Callable, Iterator
from typing import Any

from stimctl.errors import WireError
from stimctl.stimulators.stimjim import parser
from stimctl.traffic.decoder import Decoder
from stimctl.traffic.transcript import TrafficChunk
from stimctl.wire.codec import encode, parse
from stimctl.wire.framing import DELIMITER, MAX_FRAME, FrameSplitter, frame, unframe

BOUND = 10 * 1024  # what a reader may hold of a stream, however long
_FED = 6 * 1024


def pieces(data: bytes) -> Iterator[bytes]:
    """The bytes in pieces whose lengths they say themselves."""
    at = 0
    while at < len(data):
        size = 1 + data[at] % 23
        yield data[at : at + size]
        at += size


def framing(data: bytes) -> None:
    """`FrameSplitter` and `unframe`: the same payloads whatever the pieces, and never more than a frame held."""
    whole, cut = FrameSplitter(), FrameSplitter()
    expected = whole.feed(data) + whole.feed(DELIMITER)
    found = []
    for piece in [*pieces(data), DELIMITER]:
        found += cut.feed(piece)
        assert len(cut._tail) < MAX_FRAME
    assert (found, cut.damaged) == (expected, whole.damaged)
    for payload in found:
        assert unframe(frame(payload)[:-1]) == payload
    _only(WireError, unframe, data)
    if 0 < len(data) <= MAX_FRAME - 6:
        assert FrameSplitter().feed(data[::-1].replace(b"\0", b"\1") + b"\0" + frame(data))[-1:] == [data]


def messages(data: bytes) -> None:
    """`parse`: a payload is refused with `WireError`, or it is exactly what `encode` makes of its message."""
    parsed = _only(WireError, parse, data)
    if parsed is not None:
        sequence, message = parsed
        assert encode(sequence, message) == frame(data)


def wording(data: bytes) -> None:
    """The decoder for people: any bytes of either side become lines, and an endless frame is shown in pieces."""
    decoder = Decoder()
    for number, piece in enumerate(pieces(data)):
        sender: Any = "host" if piece[0] & 0x80 else "device"
        for line in decoder.feed(TrafficChunk(number, sender, piece)):
            assert line.text()
    for line in decoder.finish():
        assert line.text()


def framed_wording(data: bytes) -> None:
    """The same with a good frame around it, so that every field of every message is put into words."""
    if 0 < len(data) <= MAX_FRAME - 6:
        (line,) = Decoder().feed(TrafficChunk(0, "device", frame(data)))
        assert line.text()


def stimjim_lines(data: bytes) -> None:
    """A StimJim's text: the same messages whatever the pieces, and what never ends is not kept."""
    whole, cut = parser.StimJimParser(), parser.StimJimParser()
    expected = whole.feed(data) + whole.feed(b"\n")
    found: list[Any] = []
    for piece in pieces(data):
        found += cut.feed(piece)
    if not any(len(line) > parser.LONGEST for line in data.split(b"\n")):
        assert found + cut.feed(b"\n") == expected
    again = (data + b"\n") * (1 + _FED // (1 + len(data)))
    for fed in (again, again, b"x\n" * _FED, b"x" * _FED):
        whole.feed(fed[:_FED])
        assert held_bytes(vars(whole)) <= BOUND


def held_bytes(value: Any) -> int:
    """How much text, bytes and entries something holds, all the way down."""
    if isinstance(value, str | bytes):
        return len(value)
    if isinstance(value, dict):
        return sum(8 + held_bytes(each) for each in value.values())
    if isinstance(value, list | tuple):
        return sum(8 + held_bytes(each) for each in value)
    return sys.getsizeof(value) if isinstance(value, int) else 0


def _only(error: type[Exception], call: Callable[[bytes], Any], data: bytes) -> Any:
    try:
        return call(data)
    except error:
        return None
