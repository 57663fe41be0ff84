"""One session's conversation, each frame laid out by hand from docs/protocol.md: both machines speak it to the byte.

Driver and simulator share the code that makes frames, so talking to each other proves little. Here neither
meets the other: the driver is given hand-made answers and the device hand-made commands, and what each says
is compared with frames of the second encoder.
"""

from collections.abc import Callable
from typing import Any

import pytest

from firmware_sim.native.device import Device
from stimctl.stimulators.native import NativeAdapter
from stimctl.stimulators.targets import Targets
from stimctl.waveform import Mode, Program, segments_for
from stimctl.wire.codes import Purpose
from tests.golden import by_hand

DIGEST = "E102A5FDC502E85846254719F2AFE9EDBD2BB936BC6AB88477FCDBD3F39C7482"
NONCE = "u64 0x0000000100000001"
STOP = bytes.fromhex("02 1F 01 05 5F 3D 3B E8 00")
EMPTY = b"\x00"
PROGRAM = Program(segments_for(Mode.DENSE_DISPERSE), (1, 2, 3), stimulation_us=1_200_000_000)

# (what the host says, what the device answers): fields as "type value", kind and sequence number first.
LOAD = [
    (("u8 0x03", "u16 5", "u8 2", "u8 7", "u16 200", "u32 5000000"),
     ("u8 0x45", "u16 5", "u8 2", "u8 7", "u16 200", "u32 5000000", "u64 0")),
    (("u8 0x04", "u16 6", "u8 0", "u32 500000", "u16 600", "u16 0", "u16 600", "u32 3000000"),
     ("u8 0x46", "u16 6", "u8 0", "u32 500000", "u16 600", "u16 0", "u16 600", "u32 3000000", "u64 0")),
    (("u8 0x04", "u16 7", "u8 1", "u32 10000", "u16 200", "u16 0", "u16 200", "u32 3000000"),
     ("u8 0x46", "u16 7", "u8 1", "u32 10000", "u16 200", "u16 0", "u16 200", "u32 3000000", "u64 0")),
    (("u8 0x05", "u16 8"), ("u8 0x47", "u16 8", f"bytes32 hex:{DIGEST}", "u64 0")),
]  # fmt: skip
ARM = (
    ("u8 0x07", "u16 10", "u8 0", "u8 7", "u16 1500", "u32 1200000000", "u16 5000", "u64 0x58E802C5FDA502E1"),
    ("u8 0x49", "u16 10", "u8 0", "u8 7", "u16 1500", "u32 1200000000", "u16 5000", "u32 1", NONCE, "u64 0"),
)
START = ("u8 0x08", "u16 11", NONCE, "u16 1500", "u16 500", "u16 0", "u16 0")
KEEP_ALIVE = ("u8 0x09", "u16 12", NONCE)
SET_TARGET = ("u8 0x0A", "u16 13", NONCE, "u8 2", "u16 600")
HOLD = ("u8 0x0B", "u16 14")
ACKNOWLEDGE = (("u8 0x10", "u16 15", "u32 1"), ("u8 0x52", "u16 15", "u32 1", "u8 0", "u64 90001"))


def line(fields: tuple[str, ...]) -> bytes:
    """A frame of fields written as "type value"."""
    return by_hand.frame_of(b"".join(by_hand.field_of(f"- {field}").to_bytes() for field in fields))


def retarget(native: NativeAdapter, channel: int, target_ua: int) -> None:
    """As a session does that wants another target in a run."""
    native.targets = Targets({channel: 500})
    native.targets.started({channel: 500}, 0)
    native.targets.want(channel, target_ua)
    native.retarget(0)


class TestDriver:
    """The driver says what the document says, and understands what it says."""

    def answered(self, native: NativeAdapter, order: Callable[[], None], said: bytes, answer: bytes) -> list[Any]:
        order()
        assert native.take_output() == said
        return list(native.receive(answer, 0))

    @pytest.fixture
    def armed(self) -> NativeAdapter:
        native = NativeAdapter(4)
        for number, (host, device) in enumerate(LOAD):
            if number == 0:
                native.load(PROGRAM, 0)
            assert native.take_output() == line(host)
            events = list(native.receive(line(device), 0))
        assert events[0].digest == bytes.fromhex(DIGEST)
        self.answered(
            native,
            lambda: native.self_test(0),
            line(("u8 0x06", "u16 9")),
            line(("u8 0x48", "u16 9", "u16 0", "u16 3", "u64 0")),
        )
        (event,) = self.answered(
            native,
            lambda: native.arm(Purpose.STIMULATE, (1, 2, 3), 1_500, 1_200_000_000, 0),
            line(ARM[0]),
            line(ARM[1]),
        )
        assert (event.session, event.nonce) == (1, 0x0000000100000001)
        return native

    def test_it_says_hello(self) -> None:
        native = NativeAdapter(0)
        native.connect(0)
        assert native.take_output() == EMPTY + line(("u8 0x01", "u16 1", "u16 2"))

    @pytest.mark.parametrize(("spoken", "update"), [(1, "its firmware"), (3, "stimctl")])
    def test_it_refuses_a_device_of_another_version_by_name(self, spoken: int, update: str) -> None:
        native = NativeAdapter(0)
        native.connect(0)
        native.take_output()
        refused = line(("u8 0x40", "u16 1", "u8 0x01", "u8 4", "u32 2", f"u32 {spoken}"))
        (event,) = native.receive(refused, 0)
        assert str(event.error) == f"the device speaks protocol version {spoken}, stimctl version 2; update {update}"
        assert native.take_output() == b"", "nothing follows"

    def test_it_runs_a_session(self, armed: NativeAdapter) -> None:
        started = line(("u8 0x4A", "u16 11", "u16 1500", "u16 500", "u16 0", "u16 0", "u32 0", "u64 77"))
        (event,) = self.answered(armed, lambda: armed.start({1: 1_500, 2: 500}, 0), line(START), started)
        assert (event.device_time_us, event.stimulation_us) == (77, 0)
        alive = line(("u8 0x4B", "u16 12", "u8 6", "u64 78"))
        assert self.answered(armed, lambda: armed.keep_alive(0), line(KEEP_ALIVE), alive) == []
        set_to = line(("u8 0x4C", "u16 13", "u8 2", "u16 600", "u32 5", "u64 79"))
        (event,) = self.answered(armed, lambda: retarget(armed, 2, 600), line(SET_TARGET), set_to)
        assert (event.channel, event.target_ua, event.stimulation_us) == (2, 600, 5)
        held = line(("u8 0x4D", "u16 14", "u8 9", "u32 6", "u64 80"))
        (event,) = self.answered(armed, lambda: armed.hold(0), line(HOLD), held)
        assert event.stimulation_us == 6
        (event,) = self.answered(armed, lambda: armed.acknowledge(1, 0), line(ACKNOWLEDGE[0]), line(ACKNOWLEDGE[1]))
        assert event.session == 1

    def test_its_stop_is_the_constant_frame(self, armed: NativeAdapter) -> None:
        armed.stop(0)
        assert armed.take_output() == EMPTY + STOP


class TestDevice:
    """The device answers what the document says."""

    @pytest.fixture
    def armed(self) -> Device:
        device = Device(seed=1, draw=lambda arms: arms)
        assert self.said(device, ("u8 0x01", "u16 4", "u16 2")) == line(
            ("u8 0x41", "u16 4", "u16 2", "u32 1", "u8 1", "u8 0", "u32 0")
        )
        for host, expected in LOAD:
            assert answer_in(self.said(device, host)) == line(expected)
        tested = answer_in(self.said(device, ("u8 0x06", "u16 9")))
        assert tested[:7] == line(("u8 0x48", "u16 9", "u16 0", "u16 3", "u64 0"))[:7]
        assert answer_in(self.said(device, ARM[0])) == line(ARM[1])
        return device

    def said(self, device: Device, fields: tuple[str, ...], now_us: int = 0) -> bytes:
        device.receive(line(fields), now_us)
        return device.take_output()

    def test_it_runs_a_session(self, armed: Device) -> None:
        answer = answer_in(self.said(armed, START, 77))
        assert answer == line(("u8 0x4A", "u16 11", "u16 1500", "u16 500", "u16 0", "u16 0", "u32 0", "u64 77"))
        answer = answer_in(self.said(armed, KEEP_ALIVE, 90_077))
        assert answer == line(("u8 0x4B", "u16 12", "u8 6", "u64 90077"))
        answer = answer_in(self.said(armed, SET_TARGET, 90_078))
        assert answer == line(("u8 0x4C", "u16 13", "u8 2", "u16 600", "u32 90001", "u64 90078"))
        answer = answer_in(self.said(armed, HOLD, 90_079))
        assert answer == line(("u8 0x4D", "u16 14", "u8 9", "u32 90002", "u64 90079"))

    def test_it_refuses_a_host_of_version_1_by_name(self) -> None:
        device = Device(seed=1)
        refused = line(("u8 0x40", "u16 4", "u8 0x01", "u8 4", "u32 1", "u32 2"))
        assert self.said(device, ("u8 0x01", "u16 4", "u16 1")) == refused
        assert self.said(device, ("u8 0x0D", "u16 5")) == line(
            ("u8 0x40", "u16 5", "u8 0x0D", "u8 5", "u32 0", "u32 0")
        )

    def test_a_stop_is_heard_before_a_handshake_and_answered(self) -> None:
        device = Device(seed=1)
        device.receive(STOP, 0)
        answer = answer_in(device.take_output())
        assert answer[:4] == bytes.fromhex("02 5F 01 01")
        assert device.machine.state == 0

    def test_a_stop_ends_the_session_and_an_acknowledge_closes_it(self, armed: Device) -> None:
        self.said(armed, START, 77)
        armed.receive(STOP, 90_000)
        assert answer_in(armed.take_output())[:5] == bytes.fromhex("02 5F 01 02 0A")
        assert answer_in(self.said(armed, ACKNOWLEDGE[0], 90_001)) == line(ACKNOWLEDGE[1])


def answer_in(output: bytes) -> bytes:
    """The one frame among `output` that is an answer: its kind, the first byte behind COBS, is under 0x60."""
    (answer,) = (frame + b"\x00" for frame in output.split(b"\x00") if frame and frame[1] < 0x60)
    return answer
