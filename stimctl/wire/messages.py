"""The messages of the native protocol, and their bytes.

A payload is a kind (u8), a sequence number (u16) and the message's fixed-width little-endian fields. Each
message is a NamedTuple whose annotations carry the wire type and the meaning of every field: the codec,
the tables in `docs/protocol.md` and the decoder for people are all made from them.

Kinds below 0x40 go from host to device; 0x40 to 0x5F answer a command under that command's sequence
number; 0x60 to 0x6F are sent by the device on its own, under a count of its own.
"""

import struct
from collections.abc import Callable
from enum import IntEnum, IntFlag
from functools import partial
from typing import Annotated, Any, NamedTuple, TypeVar, get_type_hints

from stimctl.errors import WireError
from stimctl.wire.codes import Capability, ChannelFlag, DeviceState, EndReason, Purpose, Refusal, SelfTestFailure
from stimctl.wire.framing import MAX_PAYLOAD, frame, unframe


class Wire(NamedTuple):
    """How one field stands on the wire: its struct code and what it means."""

    code: str
    meaning: str


class Shape(NamedTuple):
    """One message's place in the protocol."""

    kind: int
    to_device: bool
    packer: struct.Struct
    fields: dict[str, Wire]
    cls: type[Any]


HEADER = struct.Struct("<BH")
HEADER_SIZE = HEADER.size
SHAPES: dict[int, Shape] = {}
SHAPE_OF: dict[type[Any], Shape] = {}

M = TypeVar("M", bound=type[Any])


def _message(kind: int) -> Callable[[M], M]:
    def register(cls: M) -> M:
        hints = get_type_hints(cls, include_extras=True)
        fields = {name: hint.__metadata__[0] for name, hint in hints.items()}
        packer = struct.Struct("<BH" + "".join(field.code for field in fields.values()))
        assert packer.size <= MAX_PAYLOAD, f"{cls.__name__} takes {packer.size} of {MAX_PAYLOAD} bytes"
        assert kind not in SHAPES, f"kind {kind:#04x} is taken"
        SHAPES[kind] = SHAPE_OF[cls] = Shape(kind, kind < 0x40, packer, fields, cls)
        return cls

    return register


# --- host to device ---------------------------------------------------------------------------------


@_message(0x01)
class Hello(NamedTuple):
    """Open a handshake. While a session is open it is also a stop: a new host does not know what runs."""

    version: Annotated[int, Wire("H", "protocol version the host speaks; another one is refused")]


@_message(0x02)
class ReadIdentity(NamedTuple):
    """Ask for one page of the identity: 0 maker, 1 firmware, 2 ranges."""

    page: Annotated[int, Wire("B", "0 to 2")]


@_message(0x03)
class LoadProgram(NamedTuple):
    """Begin a new program; whatever was loaded before is gone."""

    segment_count: Annotated[int, Wire("B", "1 or 2")]
    channel_mask: Annotated[int, Wire("B", "bit n-1 for channel n; at most 3 bits")]
    ramp_slope_ua_per_s: Annotated[int, Wire("H", "how fast a channel may rise, 100 to 380 uA/s")]
    ramp_down_us: Annotated[int, Wire("I", "how long the fall to zero at the timer's end takes")]


@_message(0x04)
class LoadSegment(NamedTuple):
    """Give one segment (band) of the program, in order of its index."""

    index: Annotated[int, Wire("B", "0 or 1")]  # type: ignore[assignment]  # hides tuple.index
    period_us: Annotated[int, Wire("I", "from one pulse's start to the next, 10 000 to 1 000 000 us")]
    width_us: Annotated[int, Wire("H", "first phase, 100 to 600 us")]
    interphase_gap_us: Annotated[int, Wire("H", "between the phases, 0 to 100 us")]
    second_width_us: Annotated[int, Wire("H", "second phase, from the first's width to 1 200 us")]
    dwell_us: Annotated[int, Wire("I", "length of the band, 500 000 to 60 000 000 us; 0 in a program of one segment")]


@_message(0x05)
class ReadDigest(NamedTuple):
    """Close the program and ask for its digest."""


@_message(0x06)
class SelfTest(NamedTuple):
    """Test DAC, readback and rails with the outputs disconnected."""


@_message(0x07)
class Arm(NamedTuple):
    """Ask for permission to start. The device answers with a nonce that only this arm has."""

    purpose: Annotated[int, Wire("B", "0 stimulate, 1 check impedance")]
    channel_mask: Annotated[int, Wire("B", "channels of the program that may be driven")]
    ceiling_ua: Annotated[int, Wire("H", "no pulse of this session goes above it, 500 to 2 000 uA")]
    stimulation_limit_us: Annotated[int, Wire("I", "stimulation in all, ramps counted, at most 1 800 000 000 us")]
    time_to_live_ms: Annotated[int, Wire("H", "the arm lapses unless started within, 100 to 10 000 ms")]
    digest_head: Annotated[int, Wire("Q", "first 8 bytes of the digest, as a little-endian number")]


@_message(0x08)
class Start(NamedTuple):
    """Start what was armed, from zero, ramping to the targets."""

    nonce: Annotated[int, Wire("Q", "from Armed")]
    target_1_ua: Annotated[int, Wire("H", "channel 1")]
    target_2_ua: Annotated[int, Wire("H", "channel 2")]
    target_3_ua: Annotated[int, Wire("H", "channel 3")]
    target_4_ua: Annotated[int, Wire("H", "channel 4")]


@_message(0x09)
class KeepAlive(NamedTuple):
    """Say that the host and its operator are there. Every 250 ms from the arm on."""

    nonce: Annotated[int, Wire("Q", "from the newest Armed")]


@_message(0x0A)
class SetTarget(NamedTuple):
    """Give a channel a new target: down at the next pulse, up by at most 100 uA and by the ramp."""

    nonce: Annotated[int, Wire("Q", "from the newest Armed")]
    channel: Annotated[int, Wire("B", "1 to 4")]
    target_ua: Annotated[int, Wire("H", "0 up to the ceiling")]


@_message(0x0B)
class Hold(NamedTuple):
    """Take all channels to zero and keep the session open for ten minutes at most."""


@_message(0x0C)
class ReadImpedance(NamedTuple):
    """Ask for a channel's last impedance check."""

    channel: Annotated[int, Wire("B", "1 to 4")]


@_message(0x0D)
class ReadSession(NamedTuple):
    """Ask for the record of the session that is open or ended last."""


@_message(0x0E)
class ReadCounters(NamedTuple):
    """Ask what a channel counted in that session."""

    channel: Annotated[int, Wire("B", "1 to 4")]


@_message(0x0F)
class ReadMeasured(NamedTuple):
    """Ask what a channel measured in that session."""

    channel: Annotated[int, Wire("B", "1 to 4")]


@_message(0x10)
class Acknowledge(NamedTuple):
    """Say that the counters of an ended session are safely logged: the device may forget them."""

    session: Annotated[int, Wire("I", "from SessionRecord")]


@_message(0x1F)
class Stop(NamedTuple):
    """Zero output, now. Executed in any state, at any sequence number, before any handshake, in every
    version of this protocol; this frame never changes."""


# --- device to host, answers ------------------------------------------------------------------------


@_message(0x40)
class Refused(NamedTuple):
    """The command was not executed and nothing has changed."""

    command: Annotated[int, Wire("B", "its kind")]
    reason: Annotated[int, Wire("B", "a refusal code")]
    detail: Annotated[int, Wire("I", "the value that was refused, where there is one")]
    limit: Annotated[int, Wire("I", "the limit that it broke, where there is one")]


@_message(0x41)
class Welcome(NamedTuple):
    """The handshake is open."""

    version: Annotated[int, Wire("H", "protocol version")]
    boot_id: Annotated[int, Wire("I", "count of boots, never repeated")]
    simulator: Annotated[int, Wire("B", "1 when no current can flow into anything real")]
    state: Annotated[int, Wire("B", "device state")]
    session: Annotated[int, Wire("I", "a session whose counters wait to be acknowledged; 0 for none")]


@_message(0x42)
class Maker(NamedTuple):
    """Identity, page 0. Text is ASCII, padded with zero bytes."""

    model: Annotated[bytes, Wire("24s", "model")]
    serial: Annotated[bytes, Wire("24s", "serial number")]


@_message(0x43)
class Firmware(NamedTuple):
    """Identity, page 1."""

    major: Annotated[int, Wire("B", "version")]
    minor: Annotated[int, Wire("B", "version")]
    patch: Annotated[int, Wire("B", "version")]
    sha256: Annotated[bytes, Wire("32s", "SHA-256 of the firmware image")]


@_message(0x44)
class Ranges(NamedTuple):
    """Identity, page 2."""

    calibrated_on: Annotated[int, Wire("I", "date as the decimal number yyyymmdd; 0 for never")]
    channels: Annotated[int, Wire("B", "number of outputs, at most 4")]
    capabilities: Annotated[int, Wire("H", "capability bits")]
    max_amplitude_ua: Annotated[int, Wire("H", "highest ceiling it accepts")]
    dac_step_na: Annotated[int, Wire("I", "one step of the output's converter, nA")]
    readback_accuracy_ua: Annotated[int, Wire("H", "stated: fixed part of the error of a measured amplitude")]
    readback_accuracy_permille: Annotated[int, Wire("H", "stated: proportional part of that error")]
    net_charge_floor_pc: Annotated[int, Wire("I", "stated: smallest net charge of a pulse that it can tell from none")]
    compliance_mv: Annotated[int, Wire("H", "highest output voltage")]
    watchdog_ms: Annotated[int, Wire("H", "output is zero so long after the last keepalive")]


@_message(0x45)
class ProgramOpen(NamedTuple):
    """LoadProgram was applied: its fields, as they stand in the device."""

    segment_count: Annotated[int, Wire("B", "as applied")]
    channel_mask: Annotated[int, Wire("B", "as applied")]
    ramp_slope_ua_per_s: Annotated[int, Wire("H", "as applied")]
    ramp_down_us: Annotated[int, Wire("I", "as applied")]


@_message(0x46)
class SegmentLoaded(NamedTuple):
    """LoadSegment was applied: its fields, as they stand in the device."""

    index: Annotated[int, Wire("B", "as applied")]  # type: ignore[assignment]  # hides tuple.index
    period_us: Annotated[int, Wire("I", "as applied")]
    width_us: Annotated[int, Wire("H", "as applied")]
    interphase_gap_us: Annotated[int, Wire("H", "as applied")]
    second_width_us: Annotated[int, Wire("H", "as applied")]
    dwell_us: Annotated[int, Wire("I", "as applied")]


@_message(0x47)
class ProgramDigest(NamedTuple):
    """The program is complete."""

    sha256: Annotated[bytes, Wire("32s", "SHA-256 of the fields of LoadProgram and each LoadSegment, in order")]


@_message(0x48)
class SelfTestDone(NamedTuple):
    """The outcome of a self-test."""

    failures: Annotated[int, Wire("H", "self-test bits; 0 is a pass")]
    zero_ua: Annotated[int, Wire("H", "largest current measured with the outputs disconnected")]


@_message(0x49)
class Armed(NamedTuple):
    """Arm was applied."""

    purpose: Annotated[int, Wire("B", "as applied")]
    channel_mask: Annotated[int, Wire("B", "as applied")]
    ceiling_ua: Annotated[int, Wire("H", "as applied")]
    stimulation_limit_us: Annotated[int, Wire("I", "as applied")]
    time_to_live_ms: Annotated[int, Wire("H", "as applied")]
    session: Annotated[int, Wire("I", "the session this arm belongs to")]
    nonce: Annotated[int, Wire("Q", "never given before, over all boots")]


@_message(0x4A)
class Started(NamedTuple):
    """Start was applied."""

    target_1_ua: Annotated[int, Wire("H", "as applied")]
    target_2_ua: Annotated[int, Wire("H", "as applied")]
    target_3_ua: Annotated[int, Wire("H", "as applied")]
    target_4_ua: Annotated[int, Wire("H", "as applied")]
    device_time_us: Annotated[int, Wire("Q", "since boot")]
    stimulation_us: Annotated[int, Wire("I", "stimulation of the session so far; pulses follow from here")]


@_message(0x4B)
class Alive(NamedTuple):
    """KeepAlive was accepted."""

    device_time_us: Annotated[int, Wire("Q", "since boot")]
    state: Annotated[int, Wire("B", "device state")]


@_message(0x4C)
class TargetSet(NamedTuple):
    """SetTarget was applied."""

    channel: Annotated[int, Wire("B", "as applied")]
    target_ua: Annotated[int, Wire("H", "as applied")]
    stimulation_us: Annotated[int, Wire("I", "pulses that start at or after this use it")]


@_message(0x4D)
class Holding(NamedTuple):
    """Hold was applied."""

    state: Annotated[int, Wire("B", "device state")]
    stimulation_us: Annotated[int, Wire("I", "pulses that started before this were delivered")]


@_message(0x4E)
class Impedance(NamedTuple):
    """A channel's last impedance check. Its charge is not part of the session's counters."""

    channel: Annotated[int, Wire("B", "1 to 4")]
    ohm: Annotated[int, Wire("H", "0 not measured, 65 535 that or more")]
    pulses: Annotated[int, Wire("H", "delivered, at most 10")]
    amplitude_ua: Annotated[int, Wire("H", "commanded")]
    measured_ua: Annotated[int, Wire("H", "mean of what flowed")]
    charge_pc: Annotated[int, Wire("I", "one phase, all pulses")]


@_message(0x4F)
class SessionRecord(NamedTuple):
    """What the device knows of the session that is open or ended last. It survives a reset."""

    session: Annotated[int, Wire("I", "count of sessions, never repeated; 0 when none waits")]
    boot_id: Annotated[int, Wire("I", "boot in which it was armed")]
    end_reason: Annotated[int, Wire("B", "end reason; 0 while it is open")]
    ceiling_ua: Annotated[int, Wire("H", "as armed")]
    channel_mask: Annotated[int, Wire("B", "as armed")]
    stimulation_us: Annotated[int, Wire("I", "in all, ramps counted, holds not")]
    segment_0_us: Annotated[int, Wire("I", "of it in segment 0")]
    segment_1_us: Annotated[int, Wire("I", "of it in segment 1")]
    digest_head: Annotated[int, Wire("Q", "program, as armed")]
    nonce: Annotated[int, Wire("Q", "of its newest arm")]


@_message(0x50)
class Counters(NamedTuple):
    """What a channel delivered, as commanded: counted exactly."""

    channel: Annotated[int, Wire("B", "1 to 4")]
    session: Annotated[int, Wire("I", "session")]
    pulses_0: Annotated[int, Wire("Q", "in segment 0")]
    pulses_1: Annotated[int, Wire("Q", "in segment 1")]
    charge_0_pc: Annotated[int, Wire("Q", "first phases in segment 0")]
    charge_1_pc: Annotated[int, Wire("Q", "first phases in segment 1")]


@_message(0x51)
class Measured(NamedTuple):
    """What a channel measured: first phases, with the readback's stated error."""

    channel: Annotated[int, Wire("B", "1 to 4")]
    session: Annotated[int, Wire("I", "session")]
    charge_0_pc: Annotated[int, Wire("Q", "first phases in segment 0")]
    charge_1_pc: Annotated[int, Wire("Q", "first phases in segment 1")]
    net_charge_pc: Annotated[int, Wire("q", "both phases, all pulses")]
    max_amplitude_ua: Annotated[int, Wire("H", "highest")]
    compliance_hits: Annotated[int, Wire("I", "pulses that reached the rail")]
    energy_nj: Annotated[int, Wire("Q", "voltage times current, both phases, all pulses")]


@_message(0x52)
class Acknowledged(NamedTuple):
    """The counters are forgotten and a new session may be armed."""

    session: Annotated[int, Wire("I", "as applied")]
    state: Annotated[int, Wire("B", "device state")]


@_message(0x5F)
class Stopped(NamedTuple):
    """Outputs are disabled. `zero` comes later than the first answer: the host asks again until it is 1."""

    state: Annotated[int, Wire("B", "device state")]
    zero: Annotated[int, Wire("B", "1 once under 20 uA was measured for 20 ms without a break")]
    measured_ua: Annotated[int, Wire("H", "largest current on any channel now")]
    device_time_us: Annotated[int, Wire("Q", "since boot")]


# --- device to host, on its own ---------------------------------------------------------------------


@_message(0x60)
class Status(NamedTuple):
    """The device as a whole, ten times a second."""

    device_time_us: Annotated[int, Wire("Q", "since boot")]
    boot_id: Annotated[int, Wire("I", "another one than at the handshake means a reset")]
    state: Annotated[int, Wire("B", "device state")]
    segment: Annotated[int, Wire("B", "the segment (band) now")]
    end_reason: Annotated[int, Wire("B", "why it is ended or held; 0 otherwise")]
    zero: Annotated[int, Wire("B", "1 while outputs are disabled and zero is measured")]
    active_mask: Annotated[int, Wire("B", "channels of the newest arm")]
    session: Annotated[int, Wire("I", "session; 0 when none is open or waits")]
    stimulation_us: Annotated[int, Wire("I", "of the session so far")]
    time_left_us: Annotated[int, Wire("I", "to the end of stimulation, by the device's timer")]
    segment_left_us: Annotated[int, Wire("I", "to the next switch of band; 0 when there is none")]
    hold_left_ms: Annotated[int, Wire("I", "to the end of a hold; 0 when not held")]
    keepalive_age_ms: Annotated[int, Wire("H", "since the last keepalive, at most 65 535")]


@_message(0x61)
class Channel(NamedTuple):
    """One active channel, ten times a second."""

    channel: Annotated[int, Wire("B", "1 to 4")]
    flags: Annotated[int, Wire("B", "channel flags")]
    target_ua: Annotated[int, Wire("H", "where the ramp goes")]
    applied_ua: Annotated[int, Wire("H", "commanded for the last pulse; 0 while there is none")]
    measured_ua: Annotated[int, Wire("H", "of the last pulse")]
    ohm: Annotated[int, Wire("H", "voltage over current of the last pulse; 0 not measured, 65 535 that or more")]
    pulses_0: Annotated[int, Wire("Q", "in segment 0")]
    pulses_1: Annotated[int, Wire("Q", "in segment 1")]
    charge_0_pc: Annotated[int, Wire("Q", "first phases in segment 0, as commanded")]
    charge_1_pc: Annotated[int, Wire("Q", "first phases in segment 1, as commanded")]
    net_charge_pc: Annotated[int, Wire("q", "measured, both phases, all pulses")]


@_message(0x62)
class Event(NamedTuple):
    """Something changed. Also told by the next Status: a lost event loses no safety."""

    device_time_us: Annotated[int, Wire("Q", "since boot")]
    state: Annotated[int, Wire("B", "device state after it")]
    reason: Annotated[int, Wire("B", "end reason; 0 for a plain change of state")]
    channel: Annotated[int, Wire("B", "1 to 4; 0 for the whole device")]
    value: Annotated[int, Wire("I", "what was measured or counted, where there is something")]


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


def _code_checks(cls: type[Any]) -> list[tuple[int, frozenset[int], str]]:
    checks = []
    for index, name in enumerate(cls._fields):
        if name == "reason":
            known, word = (_numbers(Refusal), "refusal") if cls is Refused else (_numbers(EndReason), "end reason")
        elif name in _CODES:
            known, word = _CODES[name]
        else:
            continue
        checks.append((index, known, word))
    return checks


def _exact_text(shape: Shape) -> Callable[..., bytes]:
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
    kind: (shape.packer.size, shape.packer.unpack, partial(tuple.__new__, shape.cls), _code_checks(shape.cls))
    for kind, shape in SHAPES.items()
}
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
        return frame(pack(kind, sequence, *message))
    except struct.error as misfit:
        raise WireError(f"{type(message).__name__} does not fit the wire: {misfit}") from None


def parse(payload: bytes) -> tuple[int, Any]:
    """Sequence number and message of a payload.

    Raises `UnknownKind`, `WrongLength` or `UnknownCode`, all of them `WireError`.
    """
    decoder = _DECODERS.get(payload[0]) if payload else None
    if decoder is None:
        raise UnknownKind(f"kind {payload[:1].hex() or 'none'} is not in protocol version 1")
    size, unpack, make, checks = decoder
    if len(payload) != size:
        raise WrongLength(f"{SHAPES[payload[0]].cls.__name__} takes {size} bytes, not {len(payload)}")
    values = unpack(payload)
    message = make(values[2:])
    for index, known, word in checks:
        if message[index] not in known:
            raise UnknownCode(f"{word} {message[index]} is not in protocol version 1")
    return values[1], message


def decode(frame_bytes: bytes) -> tuple[int, Any]:
    """Sequence number and message of one whole frame, with or without its delimiter."""
    return parse(unframe(frame_bytes.removesuffix(b"\x00")))


def digest_bytes(program: LoadProgram, segments: list[LoadSegment]) -> bytes:
    """The bytes whose SHA-256 is a program's digest: each message's fields as on the wire, headers left out."""
    parts = [SHAPE_OF[type(item)].packer.pack(0, 0, *item)[HEADER_SIZE:] for item in (program, *segments)]
    return b"".join(parts)
