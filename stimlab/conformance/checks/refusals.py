"""What is refused, in which order it is looked at, and that nothing comes of it: section 18."""

from typing import Any, NamedTuple

from stimctl.wire.codec import (
    HEADER_SIZE,
    SHAPE_OF,
    Acknowledge,
    Arm,
    Counters,
    Hello,
    Hold,
    KeepAlive,
    ProgramDigest,
    ReadCounters,
    ReadDigest,
    ReadIdentity,
    ReadSession,
    Refused,
    SelfTest,
    SessionRecord,
    SetTarget,
    Start,
    Welcome,
)
from stimctl.wire.codes import PROTOCOL_VERSION, DeviceState, Refusal
from stimctl.wire.framing import frame
from stimlab.conformance.check import check
from stimlab.conformance.dut import CEILING_UA, Dut
from stimlab.conformance.link import shown
from stimlab.conformance.programs import PLAIN

_WRONG_NONCE = 0x1234_5678_9ABC_DEF0
_KINDS = {shape.kind: cls.__name__ for cls, shape in SHAPE_OF.items()}


class WrongCommand(NamedTuple):
    """A command that breaks more than one rule, and the refusal that goes first."""

    text: str
    order: Any
    reason: Refusal


@check("R-72", title="a refusal names command, reason, value and limit")
def refusals_name_things(bench: Dut) -> None:
    bench.tested()
    least_ms = bench.refused(bench.arm_order(time_to_live_ms=99), Refusal.BELOW_LIMIT, by="R-72")
    _said(bench, "a time to live of 99 ms", least_ms, (99, 100))
    over = bench.refused(bench.arm_order(ceiling_ua=2_001), Refusal.ABOVE_LIMIT, by="R-72")
    _said(bench, "a ceiling of 2 001 uA", over, (2_001, 2_000))
    many = bench.refused(PLAIN.on(0b1111).header, Refusal.TOO_MANY_CHANNELS, by="R-72")
    _said(bench, "four channels", many, (4, 3))
    page = bench.refused(ReadIdentity(3), Refusal.UNKNOWN_VALUE, by="R-72")
    bench.require("R-72", page.detail == 3, f"page 3 does not exist, and it names {page.detail}")
    state = bench.refused(Hold(), Refusal.WRONG_STATE, by="R-72")
    text = f"Hold in TESTED: it names state {state.detail}"
    bench.require("R-72", state.detail == DeviceState.TESTED, text)
    nonce = bench.refused(bench.arm_order(digest_head=1), Refusal.WRONG_DIGEST, by="R-72")
    bench.require("R-72", nonce.command == SHAPE_OF[Arm].kind, f"Arm was refused as command {nonce.command:#x}")


@check("R-72", title="a refused command changes nothing")
def refusals_change_nothing(bench: Dut) -> None:
    bench.tested()
    digest = bench.get(ReadDigest(), ProgramDigest, by="R-29")
    header, segment = PLAIN.header, PLAIN.segments[0]
    _no_change(bench, header._replace(ramp_slope_ua_per_s=381), header._replace(channel_mask=0), segment)
    _no_change(bench, bench.arm_order(ceiling_ua=2_001), bench.arm_order(time_to_live_ms=10_001))
    after = bench.get(ReadDigest(), ProgramDigest, by="R-72")
    bench.require("R-72", after.sha256 == digest.sha256, "commands that were refused changed the program")
    number = bench.arm().session
    text = f"the session after some refused arms is {number}"
    bench.require("R-72", bench.get(ReadSession(), SessionRecord, by="R-28").session == number, text)
    _no_change(bench, bench.start_order(CEILING_UA + 1), bench.start_order(0, 50))
    bench.start()
    bench.reach(DeviceState.RUNNING, 5_000_000, by="R-72")
    nonce = bench.start_order().nonce
    _no_change(bench, SetTarget(nonce, 1, 0xFFFF), SetTarget(nonce, 5, 10), SetTarget(nonce, 2, 10))
    _no_change(bench, SetTarget(nonce ^ 1, 1, 10), header, bench.arm_order(), SelfTest())


@check("R-73", title="a handshake, a number, a session that waits: in this order")
def the_order_without_a_session(bench: Dut) -> None:
    bench.ended()
    _first(
        bench,
        WrongCommand("LoadProgram in ENDED, wrong in its fields", PLAIN.on(0b1111).header, Refusal.UNREAD_COUNTERS),
        WrongCommand("LoadSegment in ENDED", PLAIN.segments[0]._replace(period_us=1), Refusal.UNREAD_COUNTERS),
        WrongCommand("SelfTest in ENDED", SelfTest(), Refusal.UNREAD_COUNTERS),
        WrongCommand("Arm in ENDED with another digest", bench.arm_order(digest_head=1), Refusal.UNREAD_COUNTERS),
        WrongCommand("Start in ENDED with another nonce", Start(_WRONG_NONCE, 9_999, 0, 0, 0), Refusal.WRONG_STATE),
    )
    stale = bench.ask(Hold(), sequence=(bench.sequence - 100) % 65_536).message
    _is(bench, "Hold in ENDED behind the newest number", stale, Refusal.STALE_SEQUENCE)
    stale = bench.ask(PLAIN.header, sequence=(bench.sequence - 101) % 65_536).message
    _is(bench, "LoadProgram in ENDED behind the newest number", stale, Refusal.STALE_SEQUENCE)


@check("R-73", title="the state, then nonce or digest, then the fields in their order")
def the_order_of_fields(bench: Dut) -> None:
    bench.tested()
    wrong = bench.arm_order(channel_mask=0b1111, ceiling_ua=1, stimulation_limit_us=0, time_to_live_ms=0)
    least = bench.arm_order(ceiling_ua=1, stimulation_limit_us=0, time_to_live_ms=0)
    header = PLAIN.header._replace(channel_mask=0b1111, ramp_slope_ua_per_s=0)
    _first(
        bench,
        WrongCommand("Start in TESTED with another nonce", Start(_WRONG_NONCE, 9_999, 0, 0, 0), Refusal.WRONG_STATE),
        WrongCommand("SetTarget in TESTED on channel 9", SetTarget(_WRONG_NONCE, 9, 9_999), Refusal.WRONG_STATE),
        WrongCommand("KeepAlive in TESTED with another nonce", KeepAlive(_WRONG_NONCE), Refusal.WRONG_STATE),
        WrongCommand("Acknowledge in TESTED of another session", Acknowledge(0xFFFF_FFFF), Refusal.WRONG_STATE),
        WrongCommand("Arm, all wrong", wrong._replace(digest_head=1), Refusal.WRONG_DIGEST),
        WrongCommand("Arm with four channels and more", wrong, Refusal.TOO_MANY_CHANNELS),
        WrongCommand("LoadProgram of four channels and no slope", header, Refusal.TOO_MANY_CHANNELS),
        WrongCommand("LoadProgram of no segments and more", header._replace(segment_count=0), Refusal.BELOW_LIMIT),
    )
    ceiling = bench.refused(least, Refusal.BELOW_LIMIT, by="R-73")
    text = f"Arm too low in its last three fields: it names {ceiling.detail} and {ceiling.limit}, not the ceiling's"
    bench.require("R-73", (ceiling.detail, ceiling.limit) == (1, CEILING_UA), text)
    bench.arm()
    _first(
        bench,
        WrongCommand("Start with another nonce, too high", Start(_WRONG_NONCE, 9_999, 0, 0, 0), Refusal.WRONG_NONCE),
        WrongCommand("Start too high and on other channels", bench.start_order(9_999, 50), Refusal.ABOVE_LIMIT),
    )
    bench.start()
    nonce = bench.start_order().nonce
    _first(
        bench,
        WrongCommand(
            "SetTarget with another nonce on channel 9", SetTarget(_WRONG_NONCE, 9, 9_999), Refusal.WRONG_NONCE
        ),
        WrongCommand("SetTarget on channel 9, too high", SetTarget(nonce, 9, 9_999), Refusal.UNKNOWN_VALUE),
        WrongCommand("SetTarget on a channel not armed, too high", SetTarget(nonce, 2, 9_999), Refusal.NOT_IN_PROGRAM),
        WrongCommand("Arm while it stimulates, all wrong", wrong._replace(digest_head=1), Refusal.WRONG_STATE),
        WrongCommand("LoadProgram while it stimulates, all wrong", header, Refusal.WRONG_STATE),
    )


@check("R-73", title="kind, length and codes, then version, then handshake, then number")
def the_order_of_frames(bench: Dut) -> None:
    stale = (bench.sequence - 50) % 65_536
    header = stale.to_bytes(2, "little")
    frames = (
        ("a kind that does not exist, at an old number", bytes([0x3E]) + header, Refusal.UNKNOWN_KIND),
        ("a Hold too long, at an old number", bytes([0x0B]) + header + b"\x01", Refusal.WRONG_LENGTH),
        ("a purpose that does not exist, at an old number", _purpose(header, bench), Refusal.UNKNOWN_VALUE),
        ("a Hello too long, of another version", bytes([0x01]) + header + b"\x07\x00\x00", Refusal.WRONG_LENGTH),
    )
    for text, payload, reason in frames:
        first = len(bench.heard)
        bench.send_raw(frame(payload))
        found = bench.answer_to(stale, first)
        bench.require("R-73", found is not None, f"{text} was not answered")
        assert found is not None
        _is(bench, text, found.message, reason)
    # Another version opens nothing, at whatever number: what was open stays so.
    refused = bench.ask(Hello(PROTOCOL_VERSION + 1), sequence=stale).message
    _is(bench, "Hello of another version at an old number", refused, Refusal.UNSUPPORTED_VERSION)
    bench.get(ReadCounters(1), Counters, by="R-73")


@check("R-73", title="before a handshake, kind, length and codes come first too", hands=("power",))
def the_order_before_a_handshake(bench: Dut) -> None:
    bench.power_cycle()
    frames = (
        ("a kind that does not exist", bytes([0x3E, 5, 0]), Refusal.UNKNOWN_KIND),
        ("a Hold too long", bytes([0x0B, 5, 0, 1]), Refusal.WRONG_LENGTH),
        ("a Hold", bytes([0x0B, 5, 0]), Refusal.NO_HANDSHAKE),
    )
    for text, payload, reason in frames:
        first = len(bench.heard)
        bench.send_raw(frame(payload))
        found = bench.answer_to(5, first)
        bench.require("R-73", found is not None, f"before a handshake {text} was not answered")
        assert found is not None
        _is(bench, f"before a handshake {text}", found.message, reason)
    refused = bench.ask(Hello(PROTOCOL_VERSION + 1)).message
    _is(bench, "Hello of another version", refused, Refusal.UNSUPPORTED_VERSION)
    _is(bench, "a question after it", bench.ask(ReadSession()).message, Refusal.NO_HANDSHAKE)
    bench.get(Hello(PROTOCOL_VERSION), Welcome, by="R-16")


@check("R-74", title="a command cut short is refused under the number bytes that it has")
def short_commands(bench: Dut) -> None:
    for payload, sequence in ((b"\x0b", 0), (b"\x0b\x37", 0x37), (b"\x09\xff", 0xFF), (b"\x01\x05", 0x05)):
        first = len(bench.heard)
        bench.send_raw(frame(payload))
        found = bench.wait_for(lambda each: each.is_answer, 300_000)
        text = f"{_KINDS[payload[0]]} cut to {len(payload)} bytes"
        bench.require("R-74", found is not None and len(bench.heard) > first, f"{text} was not answered")
        assert found is not None
        message = found.message
        kept = isinstance(message, Refused) and message.reason == Refusal.WRONG_LENGTH and message.command == payload[0]
        bench.require("R-74", kept, f"{text} was answered with {shown(message)}")
        where = f"{text} was refused under number {found.sequence}, not {sequence}"
        bench.require("R-74", found.sequence == sequence, where)


def _said(bench: Dut, text: str, refused: Refused, wanted: tuple[int, int]) -> None:
    said = refused.detail, refused.limit
    bench.require("R-72", said == wanted, f"{text}: it names {said}, not {wanted}")


def _no_change(bench: Dut, *orders: Any) -> None:
    """Each must be refused, and state, targets and session stay what they are."""
    before = _stand(bench)
    for order in orders:
        message = bench.ask(order).message
        bench.require("R-72", isinstance(message, Refused), f"{order} was answered with {shown(message)}")
    after = _stand(bench)
    bench.require("R-72", after == before, f"after commands that were refused it stands at {after}, not {before}")


def _stand(bench: Dut) -> tuple[Any, ...]:
    status = bench.status()
    bench.listen(30_000)
    targets = sorted({(channel.channel, channel.target_ua) for channel in bench.channels(bench.heard[-3:])})
    return DeviceState(status.state).name, status.session, status.active_mask, targets


def _first(bench: Dut, *wrongs: WrongCommand) -> None:
    for text, order, reason in wrongs:
        _is(bench, text, bench.ask(order).message, reason)


def _is(bench: Dut, text: str, message: Any, reason: Refusal) -> None:
    kept = isinstance(message, Refused) and message.reason == reason
    bench.require("R-73", kept, f"{text} was answered with {shown(message)}, not refused with {reason.name}")


def _purpose(header: bytes, bench: Dut) -> bytes:
    """An Arm with a purpose that does not exist."""
    shape = SHAPE_OF[Arm]
    fields = shape.packer.pack(shape.kind, 0, *bench.arm_order(7))[HEADER_SIZE:]
    return bytes([shape.kind]) + header + fields
