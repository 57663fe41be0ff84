"""The C core's frames are those of the golden vectors, made and taken, and so under the sanitizers."""

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from firmware_sim.chip.host_build import Library
from stimctl.wire.framing import FrameSplitter, frame_sized

VECTORS = tomllib.loads(Path("tests/golden/wire.toml").read_text("utf-8"))["vector"]
MORE = """
uint8_t frame_make(uint8_t *frame, const uint8_t *payload, uint8_t size);
void frame_reset(void);
void frame_take(uint8_t byte);
struct inbox { uint8_t payload[62]; uint8_t size; _Bool stop; uint16_t stop_sequence; };
extern struct inbox inbox;
"""


@pytest.fixture(scope="module")
def core(host_library: Path) -> Any:
    library = Library(host_library)
    library.ffi.cdef(MORE)
    return library


def made(core: Any, payload: bytes) -> bytes:
    frame = core.ffi.new("uint8_t[64]")
    return bytes(core.ffi.buffer(frame, core.call.frame_make(frame, payload, len(payload))))


def taken(core: Any, data: bytes) -> tuple[bytes, int | None]:
    """The payload that waits, and the number of a Stop that came."""
    core.call.frame_reset()
    for byte in data:
        core.call.frame_take(byte)
    inbox = core.call.inbox
    return bytes(inbox.payload[0 : inbox.size]), inbox.stop_sequence if inbox.stop else None


@pytest.mark.parametrize("vector", VECTORS, ids=[f"{each['message']}: {each['note']}" for each in VECTORS])
def test_golden_frames(core: Any, vector: dict[str, str]) -> None:
    frame = bytes.fromhex(vector["frame"])
    (payload,) = FrameSplitter().feed(frame)
    assert made(core, payload) == frame
    stop = int.from_bytes(payload[1:3], "little") if payload[0] == 0x1F else None
    assert taken(core, frame) == ((b"", stop) if stop is not None else (payload, None))


class TestWhatComesIn:
    """A line brings anything."""

    @given(st.binary(min_size=1, max_size=58))
    def test_every_payload_comes_through(self, core: Any, payload: bytes) -> None:
        got, stop = taken(core, frame_sized(payload))
        assert made(core, payload) == frame_sized(payload)
        assert stop is not None if payload[0] == 0x1F else got == payload

    @given(st.binary(min_size=1, max_size=58), st.integers(0, 511), st.integers(1, 255))
    def test_a_frame_with_a_changed_byte_is_none(self, core: Any, payload: bytes, place: int, change: int) -> None:
        frame = bytearray(frame_sized(payload))
        frame[place % (len(frame) - 1)] ^= change
        assert taken(core, bytes(frame))[0] != payload

    @example([bytes([255, *[1] * 89])])  # longer than any frame
    @given(st.lists(st.binary(max_size=90), max_size=12))
    def test_a_stop_comes_through_anything(self, core: Any, pieces: list[bytes]) -> None:
        noise = b"\0".join(pieces)
        stop = bytes.fromhex("02 1F 01 05 5F 3D 3B E8 00")
        assert taken(core, noise + b"\0" + stop)[1] == 0

    def test_a_second_command_is_dropped_while_the_first_waits_and_a_stop_is_not(self, core: Any) -> None:
        first, second = bytes([2, 1, 0, 0]), bytes([2, 2, 0, 1])
        data = frame_sized(first) + frame_sized(second) + bytes.fromhex("02 1F 01 05 5F 3D 3B E8 00")
        assert taken(core, data) == (first, 0)
