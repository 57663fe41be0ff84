"""Decodes recorded traffic: a line of text for each frame, with times, names and units.

The decoder is for people who look for what went wrong, so it hides nothing: bytes that are no frame are shown
as they are, in hex, with the reason why they are none. It drops exactly what the link would have dropped.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

from stimctl.errors import WireError
from stimctl.traffic.transcript import DIRECTIONS, Direction, TrafficChunk
from stimctl.wire.codec import SHAPES, Refused, Welcome, parse
from stimctl.wire.codes import Capability, ChannelFlag, DeviceState, EndReason, Purpose, Refusal, SelfTestFailure
from stimctl.wire.framing import DELIMITER, MAX_FRAME, unframe


class DecodedLine(NamedTuple):
    """One frame, or one piece of damage, in words. `at_us` is when its last byte was seen.

    `fields` holds what a person reads, by field name with the unit taken off; `message` is what it was read
    from, None for damage.
    """

    at_us: int
    sender: Direction
    kind: str
    sequence: int | None
    fields: dict[str, str]
    message: Any = None

    def text(self) -> str:
        """The line as it is printed."""
        sequence = "" if self.sequence is None else f"#{self.sequence}"
        said = " ".join(f"{name}={value}" for name, value in self.fields.items())
        return f"{self.at_us / 1e6:13.6f} s  {self.sender:<6}  {sequence:>6}  {self.kind:<14} {said}".rstrip()


class _OpenFrame:
    """The open frame of one direction: the bytes of a frame that has not ended."""

    def __init__(self) -> None:
        self.tail = b""
        self.overlong = False
        self.seen_us = 0


class Decoder:
    """Puts recorded bytes back into frames, for each direction, and says what they mean."""

    def __init__(self) -> None:
        self._sides = {sender: _OpenFrame() for sender in DIRECTIONS}
        self.damaged = 0
        self.simulator: bool | None = None

    def feed(self, record: TrafficChunk) -> Iterator[DecodedLine]:
        """The lines that `record` completes. Memory stays bounded: an endless frame is shown in pieces."""
        side = self._sides[record.sender]
        side.seen_us = record.at_us
        *chunks, side.tail = (side.tail + record.data).split(DELIMITER)
        for chunk in chunks:
            if side.overlong:
                yield self._damage(record.at_us, record.sender, chunk, "end of an overlong frame")
                side.overlong = False
            elif chunk:
                yield self._line(record.at_us, record.sender, chunk)
        while len(side.tail) >= MAX_FRAME:
            piece, side.tail = side.tail[:MAX_FRAME], side.tail[MAX_FRAME:]
            yield self._damage(record.at_us, record.sender, piece, "overlong frame")
            side.overlong = True

    def finish(self) -> Iterator[DecodedLine]:
        """What is left when the record ends: frames that were cut short."""
        for sender, side in self._sides.items():
            if side.tail:
                yield self._damage(side.seen_us, sender, side.tail, "cut short at the end")
                side.tail = b""

    def _line(self, at_us: int, sender: Direction, chunk: bytes) -> DecodedLine:
        try:
            sequence, message = parse(unframe(chunk))
        except WireError as damage:
            return self._damage(at_us, sender, chunk, str(damage))
        if isinstance(message, Welcome):
            self.simulator = bool(message.simulator)
        return DecodedLine(at_us, sender, type(message).__name__, sequence, described(message), message)

    def _damage(self, at_us: int, sender: Direction, chunk: bytes, why: str) -> DecodedLine:
        self.damaged += 1
        return DecodedLine(at_us, sender, "damaged", None, {"why": f'"{why}"', "bytes": chunk.hex(" ")})


def described(message: Any) -> dict[str, str]:
    """A message's fields as people read them: codes by name, masks as channels, numbers with their unit."""
    return dict(_described(type(message), name, value) for name, value in zip(message._fields, message, strict=True))


_CODES = {
    "state": DeviceState,
    "end_reason": EndReason,
    "purpose": Purpose,
    "flags": ChannelFlag,
    "failures": SelfTestFailure,
    "capabilities": Capability,
}
_UNITS = {
    "us": "us",
    "ms": "ms",
    "ua": "uA",
    "na": "nA",
    "pc": "pC",
    "nj": "nJ",
    "mv": "mV",
    "ohm": "ohm",
}


def _described(cls: type[Any], name: str, value: Any) -> tuple[str, str]:
    if isinstance(value, bytes):
        return name, value.hex() if name == "sha256" else repr(value.rstrip(b"\x00").decode("ascii", "replace"))
    if name.endswith("_mask"):
        return f"{name.removesuffix('_mask')}s", ",".join(str(n + 1) for n in range(8) if value >> n & 1) or "none"
    if name.endswith("_ua_per_s"):
        return name.removesuffix("_ua_per_s"), f"{value} uA/s"
    stem, _, unit = name.rpartition("_")
    if unit in _UNITS:
        return stem or name, f"{value} {_UNITS[unit]}"
    return name, _number(cls, name, value)


def _number(cls: type[Any], name: str, value: int) -> str:
    """A number without a unit: a code by its name, a number that nobody counts with in hex."""
    if name in ("nonce", "digest_head"):
        return f"{value:#018x}"
    if name == "command":
        return SHAPES[value].cls.__name__ if value in SHAPES else f"{value:#04x}"
    if name == "reason":
        return (Refusal if cls is Refused else EndReason)(value).name
    if name in _CODES:
        return _CODES[name](value).name or "none"
    return str(value)
