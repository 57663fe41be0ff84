"""Frames on the line: COBS, a 0x00 delimiter, and a CRC-32 inside; at most 64 bytes each.

COBS takes every zero byte out of a frame, so that a zero always means "a frame ends here": whatever the
line did before, the next delimiter brings both sides back in step. The CRC (the one of Ethernet and zip)
is little-endian, over everything before it. 64 bytes on the line leave 58 for the message, small enough
for the buffer of the smallest microcontroller.

An empty frame, a delimiter alone, is no frame and no damage. A host sends one (`DELIMITER`) before the first frame of
a connection and before every Stop: what half a frame of somebody before left on the line ends there, and is dropped
for its CRC instead of taking the frame behind it along.

`FrameSplitter` owns no port: it is fed bytes as they come, whole or split, and gives back payloads.
Junk costs a count, never memory: no more than one frame's bytes are ever held.
"""

from collections.abc import Iterable
from operator import itemgetter
from zlib import crc32

from cobs.cobs import DecodeError
from cobs.cobs import decode as cobs_decode
from cobs.cobs import encode as cobs_encode

from stimctl.errors import WireError

DELIMITER = b"\x00"
MAX_FRAME = 64
CRC_SIZE = 4
# One byte of COBS overhead (frames are under 254 bytes) and one delimiter.
MAX_PAYLOAD = MAX_FRAME - CRC_SIZE - 2
_payload_of = itemgetter(slice(-CRC_SIZE))  # a body is a payload and its CRC
_SIZES = frozenset(range(CRC_SIZE + 1, MAX_PAYLOAD + CRC_SIZE + 1))  # of a body
# A CRC-32 over anything and its own little-endian CRC-32 is always this.
CRC_RESIDUE = 0x2144DF1C


def frame(payload: bytes) -> bytes:
    """Wrap `payload` (1 to 58 bytes) for the line. Raises `WireError` when it does not fit."""
    if not 0 < len(payload) <= MAX_PAYLOAD:
        raise WireError(f"a payload is 1 to {MAX_PAYLOAD} bytes, not {len(payload)}")
    return frame_sized(payload)


def frame_sized(payload: bytes) -> bytes:
    """`frame` for a payload whose size is known to fit: every message's is, from its shape."""
    encoded: bytes = cobs_encode(payload + crc32(payload).to_bytes(4, "little"))
    return encoded + b"\x00"


def unframe(chunk: bytes) -> bytes:
    """The payload of one frame given without its delimiter. Raises `WireError` when it is damaged."""
    if len(chunk) >= MAX_FRAME:
        raise WireError(f"a frame is at most {MAX_FRAME} bytes, not {len(chunk) + 1}")
    try:
        body: bytes = cobs_decode(chunk)
    except DecodeError as damage:
        raise WireError(f"not COBS: {damage}") from None
    if crc32(body) != CRC_RESIDUE or len(body) <= CRC_SIZE:
        raise WireError("CRC does not hold")
    return body[:-CRC_SIZE]


class FrameSplitter:
    """Cuts a stream of bytes into frames. `damaged` counts what was dropped because it was no frame."""

    def __init__(self) -> None:
        self._tail = b""
        self._overlong = False
        self.damaged = 0

    def feed(self, data: bytes) -> list[bytes]:
        """The payloads that `data` completes, in order; damaged frames are counted and left out."""
        chunks = (self._tail + data).split(DELIMITER)
        self._tail = tail = chunks.pop()
        if self._overlong and chunks:
            # What comes before this delimiter is the rest of what was too long.
            self._overlong = False
            del chunks[0]
        if len(tail) >= MAX_FRAME:
            # No frame is this long: count it once, then wait for a delimiter without holding bytes.
            self.damaged += not self._overlong
            self._overlong = True
            self._tail = b""
        # `unframe` for all of them at once: this is where every byte of a session passes.
        try:
            bodies = [*map(cobs_decode, chunks)]
        except DecodeError:
            return self._one_by_one(chunks)
        if not {CRC_RESIDUE}.issuperset(map(crc32, bodies)) or not _SIZES.issuperset(map(len, bodies)):
            return self._one_by_one(chunks)
        return [*map(_payload_of, bodies)]

    def _one_by_one(self, chunks: Iterable[bytes]) -> list[bytes]:
        payloads = []
        for chunk in filter(None, chunks):
            try:
                payloads.append(unframe(chunk))
            except WireError:
                self.damaged += 1
        return payloads
