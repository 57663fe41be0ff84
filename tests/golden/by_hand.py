"""A second encoder for the wire, written from `docs/protocol.md` alone: it shares no code with `stimctl.wire`.

`wire.toml` holds every message laid out field by field, and the frame that the rules make of it. The
frames were made with this module; a test checks that they still are, another that the project agrees.
CRC-32 is computed bit by bit from its polynomial, COBS from its definition.
"""

import ast
import tomllib
from pathlib import Path
from typing import NamedTuple

VECTORS = Path(__file__).with_name("wire.toml")
WIDTHS = {"u8": 1, "u16": 2, "u32": 4, "u64": 8, "i64": 8}


class Field(NamedTuple):
    """One line of a layout: a name, a type of the protocol's tables, a value."""

    name: str
    wire_type: str
    value: int | bytes

    def to_bytes(self) -> bytes:
        """Integers little-endian in their width; text and hashes padded with zero bytes at the end."""
        if isinstance(self.value, bytes):
            width = int(self.wire_type.removeprefix("bytes"))
            assert len(self.value) <= width
            return self.value + bytes(width - len(self.value))
        return self.value.to_bytes(WIDTHS[self.wire_type], "little", signed=self.wire_type == "i64")


class Vector(NamedTuple):
    """One golden frame: the message, why it is in the list, its layout, and the bytes on the line."""

    message: str
    note: str
    layout: tuple[Field, ...]
    frame: bytes

    @property
    def payload(self) -> bytes:
        return b"".join(field.to_bytes() for field in self.layout)

    @property
    def sequence(self) -> int:
        value = self.layout[1].value
        assert isinstance(value, int)
        return value

    @property
    def values(self) -> tuple[int | bytes, ...]:
        """The message's own fields as they are read back: text comes with its padding."""
        return tuple(f.to_bytes() if isinstance(f.value, bytes) else f.value for f in self.layout[2:])


def crc32(data: bytes) -> int:
    """CRC-32/ISO-HDLC: polynomial 0x04C11DB7 reflected, first and last inverted."""
    register = 0xFFFFFFFF
    for byte in data:
        register ^= byte
        for _ in range(8):
            register = register >> 1 ^ (0xEDB88320 if register & 1 else 0)
    return register ^ 0xFFFFFFFF


def cobs(data: bytes) -> bytes:
    """Each run up to a zero goes behind its length plus one; runs here are always under 254 bytes."""
    assert len(data) < 254
    return b"".join(bytes([len(run) + 1]) + run for run in data.split(b"\x00"))


def frame_of(payload: bytes) -> bytes:
    """Payload, its CRC little-endian, COBS, and the delimiter."""
    return cobs(payload + crc32(payload).to_bytes(4, "little")) + b"\x00"


def field_of(text: str) -> Field:
    """`"sequence u16 7"` as a field; a value in quotes is text, one after `hex:` is raw bytes."""
    name, wire_type, written = text.split(maxsplit=2)
    if written.startswith("hex:"):
        return Field(name, wire_type, bytes.fromhex(written.removeprefix("hex:")))
    if written.startswith("'"):
        return Field(name, wire_type, str(ast.literal_eval(written)).encode("ascii"))
    return Field(name, wire_type, int(written, 0))


def vectors() -> list[Vector]:
    """Every golden vector, in the order of the file."""
    entries = tomllib.loads(VECTORS.read_text("utf-8"))["vector"]
    return [
        Vector(
            entry["message"],
            entry["note"],
            tuple(field_of(line) for line in entry["layout"].strip().splitlines()),
            bytes.fromhex(entry["frame"]),
        )
        for entry in entries
    ]
