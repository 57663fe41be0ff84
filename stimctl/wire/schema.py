"""The layout of each message on the wire, and the list of all messages by kind."""

import struct
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar, get_type_hints

from stimctl.wire.framing import MAX_PAYLOAD


class FieldSchema(NamedTuple):
    """How one field stands on the wire: its struct code and what it means."""

    code: str
    meaning: str


class MessageSchema(NamedTuple):
    """One message's place in the protocol."""

    kind: int
    to_device: bool
    packer: struct.Struct
    reader: struct.Struct  # the fields alone
    fields: dict[str, FieldSchema]
    cls: type[Any]


HEADER = struct.Struct("<BH")
HEADER_SIZE = HEADER.size
SHAPES: dict[int, MessageSchema] = {}
SHAPE_OF: dict[type[Any], MessageSchema] = {}

M = TypeVar("M", bound=type[Any])


def message(kind: int) -> Callable[[M], M]:
    """Give a NamedTuple its kind, and its bytes from its annotations."""

    def register(cls: M) -> M:
        hints = get_type_hints(cls, include_extras=True)
        fields = {name: hint.__metadata__[0] for name, hint in hints.items()}
        codes = "".join(field.code for field in fields.values())
        packer, reader = struct.Struct("<BH" + codes), struct.Struct(f"<{HEADER_SIZE}x" + codes)
        assert packer.size <= MAX_PAYLOAD, f"{cls.__name__} takes {packer.size} of {MAX_PAYLOAD} bytes"
        assert kind not in SHAPES, f"kind {kind:#04x} is taken"
        SHAPES[kind] = SHAPE_OF[cls] = MessageSchema(kind, kind < 0x40, packer, reader, fields, cls)
        return cls

    return register
