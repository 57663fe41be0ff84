"""Frames, damaged ones, and what is not in the protocol: sections 1 to 3."""

from zlib import crc32

from cobs.cobs import encode as cobs_encode

from stimctl.wire.codec import (
    HEADER_SIZE,
    SHAPES,
    Channel,
    Counters,
    Maker,
    Ranges,
    ReadCounters,
    ReadIdentity,
    ReadImpedance,
    ReadMeasured,
    Refused,
    encode,
)
from stimctl.wire.codes import Refusal
from stimctl.wire.framing import DELIMITER, MAX_FRAME, MAX_PAYLOAD, frame_sized
from stimlab.conformance.check import Nonconforming, check
from stimlab.conformance.dut import Dut
from stimlab.conformance.link import STOP_FRAME, ReceivedFrame
from stimlab.conformance.programs import PLAIN

_SILENCE_US = 100_000
_STOP_KIND = STOP_FRAME[1]


def _command(bench: Dut) -> bytes:
    """A command that changes nothing, as a payload."""
    return bytes([0x02]) + bench.next_sequence().to_bytes(2, "little") + b"\x00"


def _require_reason(bench: Dut, requirement: str, answer: ReceivedFrame | None, reason: Refusal, what: str) -> None:
    if answer is None:
        raise Nonconforming(requirement, f"{what} was not answered")
    message = answer.message
    kept = isinstance(message, Refused) and message.reason == reason
    bench.require(requirement, kept, f"{what} was answered with {message}, not refused with {reason.name}")


def _require_dropped(bench: Dut, data: bytes, what: str) -> None:
    """`data` gets no answer, and a good command behind it is understood."""
    first = len(bench.heard)
    bench.send_raw(data)
    bench.listen(bench.busy_us + _SILENCE_US)
    answers = [each.message for each in bench.heard[first:] if each.is_answer]
    bench.require("R-06", not answers, f"{what} was answered, with {answers}")
    bench.get(ReadIdentity(0), Maker, by="R-06")


@check("R-02", "R-19", title="after power-on it says nothing until it is spoken to", hands=("power",))
def silent_after_power_on(bench: Dut) -> None:
    bench.power_cycle()
    heard = bench.listen(1_500_000)
    bench.require("R-02", not heard, f"it sent {len(heard)} frames by itself after power-on")


@check("R-03", "R-04", "R-05", "R-07", title="what it sends is whole, short enough, and of a device's kinds")
def it_sends_whole_frames(bench: Dut) -> None:
    bench.identify()
    bench.running(PLAIN.on(0b111))
    heard = bench.listen(1_000_000)
    bench.stop()
    bench.require_whole()
    longest = max(len(each.payload) for each in heard) + MAX_FRAME - MAX_PAYLOAD
    bench.measure("longest frame heard", longest, MAX_FRAME, "bytes", by="R-03")
    for each in bench.heard:
        kind = each.payload[0]
        bench.require("R-07", kind in SHAPES and kind >= 0x40, f"it sent a frame of kind {kind:#04x}")
        size = SHAPES[kind].packer.size
        bench.require("R-03", len(each.payload) == size, f"a {SHAPES[kind].cls.__name__} of {len(each.payload)} bytes")


@check("R-03", title="it takes frames up to the longest")
def it_takes_long_frames(bench: Dut) -> None:
    for size in (24, 40, MAX_PAYLOAD):
        sequence = bench.next_sequence().to_bytes(2, "little")
        answer = bench.ask_payload(bytes([0x3E]) + sequence + b"\x55" * (size - HEADER_SIZE))
        _require_reason(bench, "R-03", answer, Refusal.UNKNOWN_KIND, f"a payload of {size} bytes")


@check("R-04", "R-06", title="a frame whose CRC does not hold is dropped without an answer")
def wrong_crc_is_dropped(bench: Dut) -> None:
    payload = _command(bench)
    crc = crc32(payload)
    for wrong in (crc ^ 1, crc ^ 0x8000_0000, crc ^ 0xFFFF_FFFF, 0):
        _require_dropped(
            bench, cobs_encode(payload + wrong.to_bytes(4, "little")) + DELIMITER, "a frame with a bad CRC"
        )
    _require_dropped(bench, cobs_encode(payload + crc.to_bytes(4, "big")) + DELIMITER, "a CRC that is big-endian")


@check("R-05", title="zero bytes anywhere in a command come through")
def zeros_come_through(bench: Dut) -> None:
    bench.hello()
    for sequence in (0x0101, 0x0200, 0x0300, 0x01FF + 0x0300, 0x0500):
        answer = bench.ask(ReadIdentity(0), sequence=sequence, by="R-05")
        bench.require("R-05", isinstance(answer.message, Maker), f"ReadIdentity was answered with {answer.message}")
    bench.sequence = 0x0500


@check("R-06", title="junk costs nothing: delimiters, bad COBS, frames cut short, overlong or split")
def junk_is_dropped(bench: Dut) -> None:
    good = encode(bench.next_sequence(), ReadIdentity(0))
    _require_dropped(bench, DELIMITER * 5, "a row of delimiters")
    _require_dropped(bench, b"\xff\x01\x02" + DELIMITER, "what is no COBS")
    _require_dropped(bench, good[:5] + DELIMITER, "a frame cut short")
    _require_dropped(bench, DELIMITER + good[3:], "the end of a frame")
    _require_dropped(bench, frame_sized(b"\x3e" + b"\x55" * MAX_FRAME), "an overlong frame")
    _require_dropped(bench, b"\x55" * 5_000 + DELIMITER, "5 000 bytes without a delimiter")


@check("R-06", title="frames are found however the bytes are split")
def split_and_merged_frames(bench: Dut) -> None:
    for size in (1, 4):
        sequence, first = bench.next_sequence(), len(bench.heard)
        frame = encode(sequence, ReadIdentity(0))
        for begin in range(0, len(frame), size):
            bench.send_raw(frame[begin : begin + size])
            bench.listen(1_000)
        found = bench.answer_to(sequence, first)
        bench.require("R-06", found is not None, f"a frame that came in pieces of {size} bytes was not answered")
    # Of what comes while an answer waits, only a Stop need be taken: more than that is not asked for.
    sequence, first = bench.next_sequence(), len(bench.heard)
    junk, frame = b"\xff\x01\x02" + DELIMITER, encode(sequence, ReadIdentity(0))
    bench.send_raw(junk + DELIMITER + frame + DELIMITER + STOP_FRAME)
    bench.listen(_SILENCE_US)
    answered = {each.sequence for each in bench.heard[first:] if each.is_answer}
    text = f"of noise, command {sequence} and Stop (number 0) in one piece it answered {sorted(answered)}"
    bench.require("R-06", answered == {sequence, 0}, text)


@check("R-07", "R-08", title="every kind that is not a command is refused by name")
def unknown_kinds_are_refused(bench: Dut) -> None:
    commands = {kind for kind, shape in SHAPES.items() if shape.to_device}
    for kind in sorted(set(range(256)) - commands - {_STOP_KIND}):
        for size in {0, SHAPES[kind].packer.size - HEADER_SIZE if kind in SHAPES else 0}:
            payload = bytes([kind]) + bench.next_sequence().to_bytes(2, "little") + b"\xee" * size
            requirement = "R-07" if kind >= 0x40 else "R-08"
            answer = bench.ask_payload(payload)
            _require_reason(bench, requirement, answer, Refusal.UNKNOWN_KIND, f"kind {kind:#04x}")


@check("R-08", title="a command of another length is refused by name")
def wrong_lengths_are_refused(bench: Dut) -> None:
    for kind, shape in sorted(SHAPES.items()):
        if not shape.to_device or kind == _STOP_KIND:
            continue
        fields = shape.packer.size - HEADER_SIZE
        for size in {fields + 1, max(0, fields - 1)} - {fields}:
            payload = bytes([kind]) + bench.next_sequence().to_bytes(2, "little") + b"\x01" * size
            what = f"{shape.cls.__name__} with {size} bytes of fields instead of {fields}"
            _require_reason(bench, "R-08", bench.ask_payload(payload), Refusal.WRONG_LENGTH, what)


@check("R-08", title="codes, pages and channels that do not exist are refused by name")
def unknown_values_are_refused(bench: Dut) -> None:
    for page in (3, 255):
        bench.refused(ReadIdentity(page), Refusal.UNKNOWN_VALUE, by="R-08")
    for question in (ReadImpedance, ReadCounters, ReadMeasured):
        for channel in (0, 5, 255):
            bench.refused(question(channel), Refusal.UNKNOWN_VALUE, by="R-08")
    bench.refused(PLAIN.header._replace(channel_mask=0b1_0000), Refusal.UNKNOWN_VALUE, by="R-08")
    bench.tested()
    for purpose in (2, 255):
        bench.refused(bench.arm_order()._replace(purpose=purpose), Refusal.UNKNOWN_VALUE, by="R-08")
    bench.refused(bench.arm_order(channel_mask=0b1000_0001), Refusal.UNKNOWN_VALUE, by="R-08")


@check("R-09", title="channel n is bit n-1, in masks, telemetry and counters alike")
def channels_are_numbered(bench: Dut) -> None:
    there = bench.get(ReadIdentity(2), Ranges, by="R-28").channels
    for channel in range(1, there + 1):
        program = PLAIN.on(1 << channel - 1)
        bench.running(program)
        heard = bench.listen(300_000)
        told = {each.message.channel for each in heard if isinstance(each.message, Channel)}
        bench.stop()
        bench.require("R-09", told == {channel}, f"armed with mask {1 << channel - 1:#06b} it tells of channels {told}")
        driven = [n for n in range(1, 5) if bench.get(ReadCounters(n), Counters, by="R-28").pulses_0]
        bench.require("R-09", driven == [channel], f"armed with mask {1 << channel - 1:#06b} it counts on {driven}")
        bench.acknowledge()
