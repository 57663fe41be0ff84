"""Frames, damaged frames, and bytes that are not in the protocol: sections 1 to 3."""

from zlib import crc32

from cobs.cobs import encode as cobs_encode

from stimctl.wire import codec as m
from stimctl.wire.codes import Refusal
from stimctl.wire.framing import DELIMITER, MAX_FRAME, MAX_PAYLOAD, frame_sized
from stimlab.conformance.check import check
from stimlab.conformance.dut import Dut
from stimlab.conformance.link import STOP_FRAME, ReceivedFrame
from stimlab.conformance.programs import PLAIN
from stimlab.conformance.verdict import Nonconforming

_SILENCE_US = 100_000
_STOP_KIND = STOP_FRAME[1]


def _command(dut: Dut) -> bytes:
    """A command that changes nothing, as a payload."""
    return bytes([0x02]) + dut.next_sequence().to_bytes(2, "little") + b"\x00"


def _require_reason(dut: Dut, requirement: str, answer: ReceivedFrame | None, reason: Refusal, what: str) -> None:
    if answer is None:
        raise Nonconforming(requirement, f"{what} was not answered")
    message = answer.message
    kept = isinstance(message, m.Refused) and message.reason == reason
    dut.require(requirement, kept, f"{what} was answered with {message}, not refused with {reason.name}")


def _require_dropped(dut: Dut, data: bytes, what: str) -> None:
    """`data` gets no answer, and a good command behind it is understood."""
    first = len(dut.received)
    dut.send_raw(data)
    dut.listen(dut.busy_us + _SILENCE_US)
    answers = [each.message for each in dut.received[first:] if each.is_answer]
    dut.require("R-06", not answers, f"{what} was answered, with {answers}")
    dut.get(m.ReadIdentity(0), m.Maker, by="R-06")


@check("R-02", "R-19", title="after power-on it says nothing until it is spoken to", fixture=("power",))
def silent_after_power_on(dut: Dut) -> None:
    dut.power_cycle()
    received = dut.listen(1_500_000)
    dut.require("R-02", not received, f"it sent {len(received)} frames by itself after power-on")


@check("R-03", "R-04", "R-05", "R-07", title="what it sends is whole, short enough, and of a device's kinds")
def it_sends_whole_frames(dut: Dut) -> None:
    dut.identify()
    dut.running(PLAIN.on(0b111))
    received = dut.listen(1_000_000)
    dut.stop()
    dut.require_whole()
    longest = max(len(each.payload) for each in received) + MAX_FRAME - MAX_PAYLOAD
    dut.measure("longest frame heard", longest, MAX_FRAME, "bytes", by="R-03")
    for each in dut.received:
        kind = each.payload[0]
        dut.require("R-07", kind in m.SHAPES and kind >= 0x40, f"it sent a frame of kind {kind:#04x}")
        size = m.SHAPES[kind].packer.size
        dut.require("R-03", len(each.payload) == size, f"a {m.SHAPES[kind].cls.__name__} of {len(each.payload)} bytes")


@check("R-03", title="it takes frames up to the longest")
def it_takes_long_frames(dut: Dut) -> None:
    for size in (24, 40, MAX_PAYLOAD):
        sequence = dut.next_sequence().to_bytes(2, "little")
        answer = dut.ask_payload(bytes([0x3E]) + sequence + b"\x55" * (size - m.HEADER_SIZE))
        _require_reason(dut, "R-03", answer, Refusal.UNKNOWN_KIND, f"a payload of {size} bytes")


@check("R-04", "R-06", title="a frame whose CRC does not hold is dropped without an answer")
def wrong_crc_is_dropped(dut: Dut) -> None:
    payload = _command(dut)
    crc = crc32(payload)
    for wrong in (crc ^ 1, crc ^ 0x8000_0000, crc ^ 0xFFFF_FFFF, 0):
        _require_dropped(dut, cobs_encode(payload + wrong.to_bytes(4, "little")) + DELIMITER, "a frame with a bad CRC")
    _require_dropped(dut, cobs_encode(payload + crc.to_bytes(4, "big")) + DELIMITER, "a CRC that is big-endian")


@check("R-05", title="zero bytes anywhere in a command come through")
def zeros_come_through(dut: Dut) -> None:
    dut.hello()
    for sequence in (0x0101, 0x0200, 0x0300, 0x01FF + 0x0300, 0x0500):
        answer = dut.ask(m.ReadIdentity(0), sequence=sequence, by="R-05")
        dut.require("R-05", isinstance(answer.message, m.Maker), f"ReadIdentity was answered with {answer.message}")
    dut.sequence = 0x0500


@check("R-06", title="junk costs nothing: delimiters, bad COBS, frames cut short, overlong or split")
def junk_is_dropped(dut: Dut) -> None:
    good = m.encode(dut.next_sequence(), m.ReadIdentity(0))
    _require_dropped(dut, DELIMITER * 5, "a row of delimiters")
    _require_dropped(dut, b"\xff\x01\x02" + DELIMITER, "what is no COBS")
    _require_dropped(dut, good[:5] + DELIMITER, "a frame cut short")
    _require_dropped(dut, DELIMITER + good[3:], "the end of a frame")
    _require_dropped(dut, frame_sized(b"\x3e" + b"\x55" * MAX_FRAME), "an overlong frame")
    _require_dropped(dut, b"\x55" * 5_000 + DELIMITER, "5 000 bytes without a delimiter")


@check("R-06", title="frames are found however the bytes are split")
def split_and_merged_frames(dut: Dut) -> None:
    for size in (1, 4):
        sequence, first = dut.next_sequence(), len(dut.received)
        frame = m.encode(sequence, m.ReadIdentity(0))
        for begin in range(0, len(frame), size):
            dut.send_raw(frame[begin : begin + size])
            dut.listen(1_000)
        found = dut.answer_to(sequence, first)
        dut.require("R-06", found is not None, f"a frame that came in pieces of {size} bytes was not answered")
    # Of what comes while an answer waits, only a Stop need be taken: more than that is not asked for.
    sequence, first = dut.next_sequence(), len(dut.received)
    junk, frame = b"\xff\x01\x02" + DELIMITER, m.encode(sequence, m.ReadIdentity(0))
    dut.send_raw(junk + DELIMITER + frame + DELIMITER + STOP_FRAME)
    dut.listen(_SILENCE_US)
    answered = {each.sequence for each in dut.received[first:] if each.is_answer}
    text = f"of noise, command {sequence} and Stop (number 0) in one piece it answered {sorted(answered)}"
    dut.require("R-06", answered == {sequence, 0}, text)


@check("R-07", "R-08", title="every kind that is not a command is refused by name")
def unknown_kinds_are_refused(dut: Dut) -> None:
    commands = {kind for kind, shape in m.SHAPES.items() if shape.to_device}
    for kind in sorted(set(range(256)) - commands - {_STOP_KIND}):
        for size in {0, m.SHAPES[kind].packer.size - m.HEADER_SIZE if kind in m.SHAPES else 0}:
            payload = bytes([kind]) + dut.next_sequence().to_bytes(2, "little") + b"\xee" * size
            requirement = "R-07" if kind >= 0x40 else "R-08"
            answer = dut.ask_payload(payload)
            _require_reason(dut, requirement, answer, Refusal.UNKNOWN_KIND, f"kind {kind:#04x}")


@check("R-08", title="a command of another length is refused by name")
def wrong_lengths_are_refused(dut: Dut) -> None:
    for kind, shape in sorted(m.SHAPES.items()):
        if not shape.to_device or kind == _STOP_KIND:
            continue
        fields = shape.packer.size - m.HEADER_SIZE
        for size in {fields + 1, max(0, fields - 1)} - {fields}:
            payload = bytes([kind]) + dut.next_sequence().to_bytes(2, "little") + b"\x01" * size
            what = f"{shape.cls.__name__} with {size} bytes of fields instead of {fields}"
            _require_reason(dut, "R-08", dut.ask_payload(payload), Refusal.WRONG_LENGTH, what)


@check("R-08", title="codes, pages and channels that do not exist are refused by name")
def unknown_values_are_refused(dut: Dut) -> None:
    for page in (3, 255):
        dut.refused(m.ReadIdentity(page), Refusal.UNKNOWN_VALUE, by="R-08")
    for question in (m.ReadImpedance, m.ReadCounters, m.ReadMeasured):
        for channel in (0, 5, 255):
            dut.refused(question(channel), Refusal.UNKNOWN_VALUE, by="R-08")
    dut.refused(PLAIN.header._replace(channel_mask=0b1_0000), Refusal.UNKNOWN_VALUE, by="R-08")
    dut.tested()
    for purpose in (2, 255):
        dut.refused(dut.arm_order()._replace(purpose=purpose), Refusal.UNKNOWN_VALUE, by="R-08")
    dut.refused(dut.arm_order(channel_mask=0b1000_0001), Refusal.UNKNOWN_VALUE, by="R-08")


@check("R-09", title="channel n is bit n-1, in masks, telemetry and counters alike")
def channels_are_numbered(dut: Dut) -> None:
    there = dut.get(m.ReadIdentity(2), m.Ranges, by="R-28").channels
    for channel in range(1, there + 1):
        program = PLAIN.on(1 << channel - 1)
        dut.running(program)
        received = dut.listen(300_000)
        reported = {each.message.channel for each in received if isinstance(each.message, m.Channel)}
        dut.stop()
        dut.require(
            "R-09", reported == {channel}, f"armed with mask {1 << channel - 1:#06b} it tells of channels {reported}"
        )
        driven = [n for n in range(1, 5) if dut.get(m.ReadCounters(n), m.Counters, by="R-28").pulses_0]
        dut.require("R-09", driven == [channel], f"armed with mask {1 << channel - 1:#06b} it counts on {driven}")
        dut.acknowledge()
