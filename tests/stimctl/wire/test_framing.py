"""Frames: pinned to golden bytes, and whatever comes down a line, payloads or damage counts come out."""

import sys
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stimctl.errors import WireError
from stimctl.wire.framing import MAX_FRAME, MAX_PAYLOAD, FrameSplitter, frame, unframe
from tests.golden import by_hand

GOLDEN = by_hand.vectors()
IDS = [f"{number}-{vector.message}" for number, vector in enumerate(GOLDEN)]

payloads = st.binary(min_size=1, max_size=MAX_PAYLOAD)
# Streams with the bytes that matter over-represented: delimiters, the smallest codes, and real frames.
noise = st.lists(
    st.one_of(
        st.binary(max_size=90),
        st.sampled_from([b"\x00", b"\x01", b"\xff", b"\x00\x00", b"\x02" * 63, b"\x02" * 64, b"\x02" * 65]),
        st.sampled_from([by_hand.frame_of(b""), *(vector.frame for vector in GOLDEN)]),
        payloads.map(frame),
    ),
    max_size=12,
).map(b"".join)


def cut(stream: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(stream) + 1) for place in places), len(stream)]
    return [stream[start:stop] for start, stop in pairwise(edges)]


def test_the_second_encoder_has_the_check_value_of_its_crc() -> None:
    assert by_hand.crc32(b"123456789") == 0xCBF43926


@pytest.mark.parametrize("vector", GOLDEN, ids=IDS)
def test_golden_frames_follow_from_their_layouts(vector: by_hand.Vector) -> None:
    assert by_hand.frame_of(vector.payload) == vector.frame


@pytest.mark.parametrize("vector", GOLDEN, ids=IDS)
def test_frames_are_the_golden_bytes(vector: by_hand.Vector) -> None:
    assert frame(vector.payload) == vector.frame
    assert unframe(vector.frame[:-1]) == vector.payload
    assert len(vector.frame) <= MAX_FRAME


@given(payloads)
def test_both_encoders_agree_on_any_payload(payload: bytes) -> None:
    assert frame(payload) == by_hand.frame_of(payload)


@given(payloads)
def test_a_frame_comes_back_and_holds_one_delimiter(payload: bytes) -> None:
    line = frame(payload)
    assert unframe(line[:-1]) == payload
    assert line.index(0) == len(line) - 1
    assert len(line) == len(payload) + 6 <= MAX_FRAME


@pytest.mark.parametrize("size", [0, MAX_PAYLOAD + 1])
def test_a_payload_that_does_not_fit_is_refused(size: int) -> None:
    with pytest.raises(WireError, match="1 to 58 bytes"):
        frame(bytes(size))


@pytest.mark.parametrize(
    "chunk",
    [b"", b"\x01", b"\x05", b"\x03\x01\x00", b"\x01\x01\x01\x01", b"\x02" * 63, bytes(64), bytes(1000)],
)
def test_what_is_no_frame_is_a_wire_error(chunk: bytes) -> None:
    with pytest.raises(WireError):
        unframe(chunk)


def test_a_frame_without_a_payload_is_no_frame() -> None:
    with pytest.raises(WireError, match="CRC"):
        unframe(by_hand.frame_of(b"")[:-1])


def test_the_longest_frame_passes_and_one_byte_more_does_not() -> None:
    splitter = FrameSplitter()
    longest = frame(b"\xa5" * MAX_PAYLOAD)
    assert len(longest) == MAX_FRAME
    assert splitter.feed(longest) == [b"\xa5" * MAX_PAYLOAD]
    assert splitter.feed(by_hand.frame_of(b"\xa5" * (MAX_PAYLOAD + 1))) == []
    assert splitter.damaged == 1


@given(noise)
def test_of_any_stream_each_chunk_is_a_payload_or_a_damage_but_an_empty_one(stream: bytes) -> None:
    splitter = FrameSplitter()
    found, damaged = [], 0
    for chunk in filter(None, stream.split(b"\x00")[:-1]):
        try:
            found.append(unframe(chunk))
        except WireError:
            damaged += 1
    assert splitter.feed(stream[: stream.rfind(b"\x00") + 1]) == found
    assert splitter.damaged == damaged


@given(noise, st.lists(st.integers(0, 2000), max_size=8))
def test_any_stream_cut_anywhere_gives_the_same(stream: bytes, places: list[int]) -> None:
    whole, in_parts, by_byte = FrameSplitter(), FrameSplitter(), FrameSplitter()
    expected = whole.feed(stream)
    assert [payload for part in cut(stream, places) for payload in in_parts.feed(part)] == expected
    assert [payload for byte in stream for payload in by_byte.feed(bytes([byte]))] == expected
    assert whole.damaged == in_parts.damaged == by_byte.damaged


@given(noise)
def test_a_frame_after_any_junk_gets_through_at_the_next_delimiter(junk: bytes) -> None:
    splitter = FrameSplitter()
    splitter.feed(junk)
    splitter.feed(b"\x00")
    before = splitter.damaged
    assert splitter.feed(GOLDEN[0].frame) == [GOLDEN[0].payload]
    assert splitter.damaged == before


@given(st.lists(st.binary(min_size=1, max_size=300), min_size=1, max_size=20))
def test_memory_is_bounded_by_one_frame(parts: list[bytes]) -> None:
    splitter = FrameSplitter()
    for part in parts:
        splitter.feed(part)
        assert held_bytes(splitter) < MAX_FRAME


def test_a_megabyte_without_a_delimiter_is_one_damage_and_holds_nothing() -> None:
    splitter = FrameSplitter()
    for _ in range(1000):
        splitter.feed(b"\x55" * 1000)
        assert held_bytes(splitter) < MAX_FRAME
    assert splitter.damaged == 1
    assert splitter.feed(b"\x55\x00" + GOLDEN[0].frame) == [GOLDEN[0].payload]
    assert splitter.damaged == 1


def held_bytes(splitter: FrameSplitter) -> int:
    """Bytes in whatever the splitter keeps, found without knowing its attributes."""
    kept = [value for value in vars(splitter).values() if isinstance(value, bytes | bytearray | list)]
    assert all(sys.getsizeof(value) < 4 * MAX_FRAME for value in kept)
    return sum(len(value) for value in kept)


@pytest.mark.parametrize("vector", GOLDEN, ids=IDS)
def test_no_single_bit_flip_gets_through(vector: by_hand.Vector) -> None:
    """Every bit of every golden frame: the frame is dropped, or nothing of its meaning has changed.

    The next frame follows, because a flipped delimiter runs the two into one.
    """
    after = GOLDEN[0]
    for bit in range(8 * len(vector.frame)):
        flipped = bytearray(vector.frame)
        flipped[bit // 8] ^= 1 << bit % 8
        splitter = FrameSplitter()
        got = splitter.feed(bytes(flipped) + after.frame)
        assert got in ([after.payload], []), f"bit {bit} of {vector.message}"
        assert splitter.damaged >= 1


@given(payloads, st.integers(min_value=0), st.integers(1, 32), st.integers(min_value=1))
def test_bursts_of_damage_never_change_a_payload(payload: bytes, place: int, length: int, pattern: int) -> None:
    line = int.from_bytes(frame(payload)[:-1], "big")
    burst = (pattern % (1 << length) or 1) << place % (8 * len(payload))
    damaged = (line ^ burst).to_bytes(80, "big").lstrip(b"\x00")
    got = FrameSplitter().feed(damaged + b"\x00")
    assert got in ([], [payload])
