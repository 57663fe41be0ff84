"""Messages: pinned to golden bytes in both directions, round trips over every field's width, strict parsing."""

import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stimctl.errors import WireError
from stimctl.wire import codec
from stimctl.wire.codec import SHAPES, MessageSchema, decode, digest_bytes, encode, parse
from stimctl.wire.codes import PROTOCOL_VERSION, ChannelFlag, DeviceState, EndReason, Purpose, Refusal
from stimctl.wire.framing import MAX_FRAME, MAX_PAYLOAD, FrameSplitter
from tests.golden import by_hand

GOLDEN = by_hand.vectors()
IDS = [f"{number}-{vector.message}" for number, vector in enumerate(GOLDEN)]
INTEGERS = {"B": (0, 2**8), "H": (0, 2**16), "I": (0, 2**32), "Q": (0, 2**64), "q": (-(2**63), 2**63)}
CODES = {
    "state": [*DeviceState],
    "end_reason": [*EndReason],
    "purpose": [*Purpose],
    "flags": range(0x20),
    "failures": range(0x20),
    "capabilities": range(0x80),
    "simulator": range(2),
    "zero": range(2),
}


def field_values(shape: MessageSchema, name: str, code: str) -> st.SearchStrategy[Any]:
    if name == "reason":
        return st.sampled_from([*Refusal] if shape.cls is codec.Refused else [*EndReason])
    if name in CODES:
        return st.sampled_from(CODES[name])
    if code.endswith("s"):
        return st.binary(min_size=int(code[:-1]), max_size=int(code[:-1]))
    low, above = INTEGERS[code]
    return st.one_of(st.sampled_from([low, above - 1]), st.integers(low, above - 1))


def any_message(shape: MessageSchema) -> st.SearchStrategy[Any]:
    fields = {name: field_values(shape, name, wire.code) for name, wire in shape.fields.items()}
    return st.builds(shape.cls, **fields)


shapes = st.sampled_from([*SHAPES.values()])
sequences = st.integers(0, 0xFFFF)


@pytest.mark.parametrize("vector", GOLDEN, ids=IDS)
def test_encode_gives_the_golden_bytes(vector: by_hand.Vector) -> None:
    message = getattr(codec, vector.message)(*(field.value for field in vector.layout[2:]))
    assert encode(vector.sequence, message) == vector.frame


@pytest.mark.parametrize("vector", GOLDEN, ids=IDS)
def test_decode_reads_the_golden_bytes(vector: by_hand.Vector) -> None:
    sequence, message = decode(vector.frame)
    assert (sequence, type(message).__name__) == (vector.sequence, vector.message)
    assert tuple(message) == vector.values
    assert message._fields == tuple(field.name for field in vector.layout[2:])


def test_every_message_has_a_golden_frame() -> None:
    assert {shape.cls.__name__ for shape in SHAPES.values()} == {vector.message for vector in GOLDEN}


def test_the_stop_frame_is_the_constant_one() -> None:
    """Written out here too, so that it cannot change with the file: 02 1F 01 05 5F 3D 3B E8 00."""
    assert encode(0, codec.Stop()) == bytes.fromhex("02 1F 01 05 5F 3D 3B E8 00")


def test_kinds_lie_in_the_range_of_their_direction() -> None:
    for kind, shape in SHAPES.items():
        assert shape.to_device == (kind < 0x40)
        assert 0x01 <= kind <= 0x62
        assert shape.packer.size <= MAX_PAYLOAD


@given(shapes.flatmap(any_message), sequences)
def test_every_message_comes_back(message: Any, sequence: int) -> None:
    line = encode(sequence, message)
    assert len(line) <= MAX_FRAME
    assert decode(line) == (sequence, message)
    assert decode(line.removesuffix(b"\x00")) == (sequence, message)


@given(st.binary(max_size=80))
def test_any_payload_parses_or_is_a_wire_error(payload: bytes) -> None:
    check_parse(payload)


@given(shapes, st.binary(max_size=64))
def test_any_payload_of_a_known_kind_parses_or_is_a_wire_error(shape: MessageSchema, rest: bytes) -> None:
    check_parse(bytes([shape.kind]) + rest)
    check_parse((bytes([shape.kind]) + rest + bytes(64))[: shape.packer.size])


def check_parse(payload: bytes) -> None:
    try:
        sequence, message = parse(payload)
    except WireError:
        return
    kind = next(kind for kind, shape in SHAPES.items() if shape.cls is type(message))
    assert struct.Struct("<BH").pack(kind, sequence) == payload[:3]
    assert decode(encode(sequence, message)) == (sequence, message)


@given(st.lists(st.one_of(st.binary(max_size=100), shapes.flatmap(any_message)), max_size=8))
def test_any_line_gives_messages_or_wire_errors(parts: list[Any]) -> None:
    splitter = FrameSplitter()
    line = b"".join(part if isinstance(part, bytes) else encode(1, part) for part in parts)
    for payload in splitter.feed(line):
        check_parse(payload)


@given(shapes.flatmap(any_message), sequences, st.integers(min_value=0))
def test_a_flipped_bit_is_never_another_message(message: Any, sequence: int, bit: int) -> None:
    line = bytearray(encode(sequence, message))
    bit %= 8 * len(line)
    line[bit // 8] ^= 1 << bit % 8
    for payload in FrameSplitter().feed(bytes(line) + b"\x00"):
        assert parse(payload) == (sequence, message)


@pytest.mark.parametrize("shape", SHAPES.values(), ids=lambda shape: shape.cls.__name__)
def test_a_payload_one_byte_off_is_refused(shape: MessageSchema) -> None:
    for size in (shape.packer.size - 1, shape.packer.size + 1):
        with pytest.raises(codec.WrongLength, match=shape.cls.__name__):
            parse(bytes([shape.kind]) + bytes(size - 1))


def test_kinds_outside_the_list_are_refused() -> None:
    for kind in set(range(256)) - set(SHAPES):
        with pytest.raises(codec.UnknownKind, match=f"{kind:02x}"):
            parse(bytes([kind, 0, 0]))
    with pytest.raises(codec.UnknownKind, match="none"):
        parse(b"")


@pytest.mark.parametrize(
    ("message", "word"),
    [
        (codec.Alive(11, 0), "device state 11"),
        (codec.Holding(200, 0, 0), "device state 200"),
        (codec.Refused(1, 0, 0, 0), "refusal 0"),
        (codec.Refused(1, 20, 0, 0), "refusal 20"),
        (codec.Event(0, 0, 15, 0, 0), "end reason 15"),
        (codec.Arm(2, 1, 500, 1, 1, 1), "purpose 2"),
        (codec.Welcome(PROTOCOL_VERSION, 1, 2, 0, 0), "simulator flag 2"),
        (codec.Stopped(0, 2, 0, 0), "zero flag 2"),
        (codec.SelfTestDone(0x20, 0, 0), "self-test bits 32"),
        (codec.Channel(1, max(ChannelFlag) * 2, *[0] * 10), "channel flags 32"),
        (codec.Ranges(0, 4, 0x100, *[0] * 7), "capability bits 256"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_codes_outside_their_list_are_refused_by_name(message: Any, word: str) -> None:
    with pytest.raises(codec.UnknownCode, match=f"^{word} is not in protocol version 2$"):
        decode(encode(1, message))


@pytest.mark.parametrize("shape", SHAPES.values(), ids=lambda shape: shape.cls.__name__)
def test_a_value_that_does_not_fit_is_refused(shape: MessageSchema) -> None:
    fits = [bytes(int(wire.code[:-1])) if wire.code.endswith("s") else 0 for wire in shape.fields.values()]
    for index, wire in enumerate(shape.fields.values()):
        if wire.code.endswith("s"):
            too_much: list[Any] = [bytes(int(wire.code[:-1]) + 1), "text"]
        else:
            low, above = INTEGERS[wire.code]
            too_much = [low - 1, above, 0.5, None]
        for value in too_much:
            with pytest.raises(WireError, match=shape.cls.__name__):
                encode(1, shape.cls(*fits[:index], value, *fits[index + 1 :]))


@pytest.mark.parametrize("sequence", [-1, 0x10000])
def test_a_sequence_number_is_two_bytes(sequence: int) -> None:
    with pytest.raises(WireError):
        encode(sequence, codec.Stop())


def test_a_digest_covers_the_fields_as_on_the_wire() -> None:
    """The worked example of docs/protocol.md: 2/100 Hz, 3 s / 3 s, channels 1 to 3, byte by byte."""
    program = codec.LoadProgram(2, 0b0111, 200, 5_000_000)
    low = codec.LoadSegment(0, 500_000, 600, 0, 600, 3_000_000)
    high = codec.LoadSegment(1, 10_000, 200, 0, 200, 3_000_000)
    assert digest_bytes(program, [low, high]) == bytes.fromhex(
        "02 07 C800 404B4C00"
        "00 20A10700 5802 0000 5802 C0C62D00"
        "01 10270000 C800 0000 C800 C0C62D00"
    )  # fmt: skip
