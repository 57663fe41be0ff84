"""The messages of the native protocol, and their bytes.

A payload is a kind (u8), a sequence number (u16) and the message's fixed-width little-endian fields. Each
message is a NamedTuple whose annotations carry the wire type and the meaning of every field: the codec,
the tables in `docs/protocol.md` and the decoder for people are all made from them.

Kinds below 0x40 go from host to device; 0x40 to 0x5F answer a command under that command's sequence
number; 0x60 to 0x6F are sent by the device on its own, under a count of its own.
"""

import struct
from collections.abc import Callable, Iterator
from enum import IntEnum, IntFlag
from operator import itemgetter
from typing import Any

from stimctl.errors import WireError
from stimctl.wire.codes import (
    PROTOCOL_VERSION,
    Capability,
    ChannelFlag,
    DeviceState,
    EndReason,
    Purpose,
    Refusal,
    SelfTestFailure,
)
from stimctl.wire.commands import *  # noqa: F403  the messages by name, for whoever encodes or reads them
from stimctl.wire.commands import LoadProgram, LoadSegment
from stimctl.wire.framing import frame_sized, unframe
from stimctl.wire.replies import *  # noqa: F403
from stimctl.wire.replies import Refused
from stimctl.wire.schema import *  # noqa: F403
from stimctl.wire.schema import HEADER_SIZE, SHAPE_OF, SHAPES, MessageSchema


def _numbers(codes: type[IntEnum]) -> frozenset[int]:
    return frozenset(int(code) for code in codes)


def _bit_sets(flags: type[IntFlag]) -> frozenset[int]:
    return frozenset(range(2 * max(flags)))


# Fields that hold a code or bits: a number outside the list is refused when it is decoded.
_CODES: dict[str, tuple[frozenset[int], str]] = {
    "state": (_numbers(DeviceState), "device state"),
    "end_reason": (_numbers(EndReason), "end reason"),
    "purpose": (_numbers(Purpose), "purpose"),
    "flags": (_bit_sets(ChannelFlag), "channel flags"),
    "failures": (_bit_sets(SelfTestFailure), "self-test bits"),
    "capabilities": (_bit_sets(Capability), "capability bits"),
    "simulator": (frozenset((0, 1)), "simulator flag"),
    "zero": (frozenset((0, 1)), "zero flag"),
}


class _Codes:
    """Whether the codes and bits of one kind of message are known.

    A device sends the same few over and over, so the combinations seen good are kept: there are at most as
    many as the codes allow.
    """

    def __init__(self, cls: type[Any]) -> None:
        self._checks = list(_code_checks(cls))
        self.of = itemgetter(*(index for index, _, _ in self._checks)) if self._checks else None
        self.good: set[Any] = set()

    def check(self, message: Any) -> None:
        """Raise `UnknownCode` for one that is not known."""
        for index, known, word in self._checks:
            if message[index] not in known:
                raise UnknownCode(f"{word} {message[index]} is not in protocol version {PROTOCOL_VERSION}")
        if self.of is not None:
            self.good.add(self.of(message))


def _code_checks(cls: type[Any]) -> Iterator[tuple[int, frozenset[int], str]]:
    for index, name in enumerate(cls._fields):
        if name == "reason":
            codes, word = (Refusal, "refusal") if cls is Refused else (EndReason, "end reason")
            yield index, _numbers(codes), word
        elif name in _CODES:
            yield index, *_CODES[name]


def _exact_text(shape: MessageSchema) -> Callable[..., bytes]:
    """`pack` for a message with text: struct would cut a text that is too long without a word."""
    room = {name: int(field.code[:-1]) for name, field in shape.fields.items() if field.code.endswith("s")}
    if not room:
        return shape.packer.pack

    def pack(kind: int, sequence: int, *values: Any) -> bytes:
        for name, value in zip(shape.fields, values, strict=True):
            if name in room and len(value) > room[name]:
                raise struct.error(f"{name} takes {room[name]} bytes, not {len(value)}")
        return shape.packer.pack(kind, sequence, *values)

    return pack


_DECODERS = {
    kind: (shape.cls, shape.reader.unpack, codes.of, codes.good, codes.check)
    for kind, shape in SHAPES.items()
    for codes in [_Codes(shape.cls)]
}
_new = tuple.__new__
_ENCODERS = {shape.cls: (kind, _exact_text(shape)) for kind, shape in SHAPES.items()}


class UnknownKind(WireError):
    """A kind that this protocol version does not have."""


class WrongLength(WireError):
    """A payload that is longer or shorter than its message."""


class UnknownCode(WireError):
    """A state, reason, purpose or bit that this protocol version does not have."""


def encode(sequence: int, message: Any) -> bytes:
    """One frame for the line, delimiter included. Raises `WireError` when a field does not fit its width."""
    kind, pack = _ENCODERS[type(message)]
    try:
        return frame_sized(pack(kind, sequence, *message))
    except struct.error as misfit:
        raise WireError(f"{type(message).__name__} does not fit the wire: {misfit}") from None


def parse(payload: bytes) -> tuple[int, Any]:
    """Sequence number and message of a payload. Raises as `message_in` does."""
    return sequence_in(payload), message_in(payload)


def sequence_in(payload: bytes) -> int:
    """The sequence number of a payload, which may be cut short or of an unknown kind."""
    return int.from_bytes(payload[1:HEADER_SIZE], "little")


def message_in(payload: bytes) -> Any:
    """The message of a payload.

    Raises `UnknownKind`, `WrongLength` or `UnknownCode`, all of them `WireError`.
    """
    try:
        cls, unpack, codes_of, good, check = _DECODERS[payload[0]]
        message = _new(cls, unpack(payload))
    except struct.error:
        shape = SHAPES[payload[0]]
        raise WrongLength(f"{shape.cls.__name__} takes {shape.packer.size} bytes, not {len(payload)}") from None
    except (KeyError, IndexError):
        raise UnknownKind(f"kind {payload[:1].hex() or 'none'} is not in protocol version {PROTOCOL_VERSION}") from None
    if codes_of is not None and codes_of(message) not in good:
        check(message)
    return message


def decode(frame_bytes: bytes) -> tuple[int, Any]:
    """Sequence number and message of one whole frame, with or without its delimiter."""
    return parse(unframe(frame_bytes.removesuffix(b"\x00")))


def digest_bytes(program: LoadProgram, segments: list[LoadSegment]) -> bytes:
    """The bytes whose SHA-256 is a program's digest: each message's fields as on the wire, headers left out."""
    parts = [SHAPE_OF[type(item)].packer.pack(0, 0, *item)[HEADER_SIZE:] for item in (program, *segments)]
    return b"".join(parts)
