"""Refusals: their order, and that a refused command changes nothing: section 18."""

from typing import Any, NamedTuple

from stimctl.wire import codec as m
from stimctl.wire.codes import PROTOCOL_VERSION, DeviceState, Refusal
from stimctl.wire.framing import frame
from stimlab.conformance.check import check
from stimlab.conformance.dut import CEILING_UA, Dut
from stimlab.conformance.link import shown
from stimlab.conformance.programs import PLAIN

_WRONG_NONCE = 0x1234_5678_9ABC_DEF0
_KINDS = {shape.kind: cls.__name__ for cls, shape in m.SHAPE_OF.items()}


class WrongCommand(NamedTuple):
    """A command that breaks more than one rule, and the refusal that goes first."""

    text: str
    order: Any
    reason: Refusal


@check("R-72", title="a refusal names command, reason, value and limit")
def refusals_name_things(dut: Dut) -> None:
    dut.tested()
    least_ms = dut.refused(dut.arm_order(time_to_live_ms=99), Refusal.BELOW_LIMIT, by="R-72")
    _require_values(dut, "a time to live of 99 ms", least_ms, (99, 100))
    over = dut.refused(dut.arm_order(ceiling_ua=2_001), Refusal.ABOVE_LIMIT, by="R-72")
    _require_values(dut, "a ceiling of 2 001 uA", over, (2_001, 2_000))
    many = dut.refused(PLAIN.on(0b1111).header, Refusal.TOO_MANY_CHANNELS, by="R-72")
    _require_values(dut, "four channels", many, (4, 3))
    page = dut.refused(m.ReadIdentity(3), Refusal.UNKNOWN_VALUE, by="R-72")
    dut.require("R-72", page.detail == 3, f"page 3 does not exist, and it names {page.detail}")
    state = dut.refused(m.Hold(), Refusal.WRONG_STATE, by="R-72")
    text = f"Hold in TESTED: it names state {state.detail}"
    dut.require("R-72", state.detail == DeviceState.TESTED, text)
    nonce = dut.refused(dut.arm_order(digest_head=1), Refusal.WRONG_DIGEST, by="R-72")
    dut.require("R-72", nonce.command == m.SHAPE_OF[m.Arm].kind, f"Arm was refused as command {nonce.command:#x}")


@check("R-72", title="a refused command changes nothing")
def refusals_change_nothing(dut: Dut) -> None:
    dut.tested()
    digest = dut.get(m.ReadDigest(), m.ProgramDigest, by="R-29")
    header, segment = PLAIN.header, PLAIN.segments[0]
    _no_change(dut, header._replace(ramp_slope_ua_per_s=381), header._replace(channel_mask=0), segment)
    _no_change(dut, dut.arm_order(ceiling_ua=2_001), dut.arm_order(time_to_live_ms=10_001))
    after = dut.get(m.ReadDigest(), m.ProgramDigest, by="R-72")
    dut.require("R-72", after.sha256 == digest.sha256, "commands that were refused changed the program")
    number = dut.arm().session
    text = f"the session after some refused arms is {number}"
    dut.require("R-72", dut.get(m.ReadSession(), m.SessionRecord, by="R-28").session == number, text)
    _no_change(dut, dut.start_order(CEILING_UA + 1), dut.start_order(0, 50))
    dut.start()
    dut.reach(DeviceState.RUNNING, 5_000_000, by="R-72")
    nonce = dut.start_order().nonce
    _no_change(dut, m.SetTarget(nonce, 1, 0xFFFF), m.SetTarget(nonce, 5, 10), m.SetTarget(nonce, 2, 10))
    _no_change(dut, m.SetTarget(nonce ^ 1, 1, 10), header, dut.arm_order(), m.SelfTest())


@check("R-73", title="a handshake, a number, a session that waits: in this order")
def the_order_without_a_session(dut: Dut) -> None:
    dut.ended()
    _first(
        dut,
        WrongCommand("LoadProgram in ENDED, wrong in its fields", PLAIN.on(0b1111).header, Refusal.UNREAD_COUNTERS),
        WrongCommand("LoadSegment in ENDED", PLAIN.segments[0]._replace(period_us=1), Refusal.UNREAD_COUNTERS),
        WrongCommand("SelfTest in ENDED", m.SelfTest(), Refusal.UNREAD_COUNTERS),
        WrongCommand("Arm in ENDED with another digest", dut.arm_order(digest_head=1), Refusal.UNREAD_COUNTERS),
        WrongCommand("Start in ENDED with another nonce", m.Start(_WRONG_NONCE, 9_999, 0, 0, 0), Refusal.WRONG_STATE),
    )
    stale = dut.ask(m.Hold(), sequence=(dut.sequence - 100) % 65_536).message
    _is(dut, "Hold in ENDED behind the newest number", stale, Refusal.STALE_SEQUENCE)
    stale = dut.ask(PLAIN.header, sequence=(dut.sequence - 101) % 65_536).message
    _is(dut, "LoadProgram in ENDED behind the newest number", stale, Refusal.STALE_SEQUENCE)


@check("R-73", title="the state, then nonce or digest, then the fields in their order")
def the_order_of_fields(dut: Dut) -> None:
    dut.tested()
    wrong = dut.arm_order(channel_mask=0b1111, ceiling_ua=1, stimulation_limit_us=0, time_to_live_ms=0)
    least = dut.arm_order(ceiling_ua=1, stimulation_limit_us=0, time_to_live_ms=0)
    header = PLAIN.header._replace(channel_mask=0b1111, ramp_slope_ua_per_s=0)
    _first(
        dut,
        WrongCommand("Start in TESTED with another nonce", m.Start(_WRONG_NONCE, 9_999, 0, 0, 0), Refusal.WRONG_STATE),
        WrongCommand("SetTarget in TESTED on channel 9", m.SetTarget(_WRONG_NONCE, 9, 9_999), Refusal.WRONG_STATE),
        WrongCommand("KeepAlive in TESTED with another nonce", m.KeepAlive(_WRONG_NONCE), Refusal.WRONG_STATE),
        WrongCommand("Acknowledge in TESTED of another session", m.Acknowledge(0xFFFF_FFFF), Refusal.WRONG_STATE),
        WrongCommand("Arm, all wrong", wrong._replace(digest_head=1), Refusal.WRONG_DIGEST),
        WrongCommand("Arm with four channels and more", wrong, Refusal.TOO_MANY_CHANNELS),
        WrongCommand("LoadProgram of four channels and no slope", header, Refusal.TOO_MANY_CHANNELS),
        WrongCommand("LoadProgram of no segments and more", header._replace(segment_count=0), Refusal.BELOW_LIMIT),
    )
    ceiling = dut.refused(least, Refusal.BELOW_LIMIT, by="R-73")
    text = f"Arm too low in its last three fields: it names {ceiling.detail} and {ceiling.limit}, not the ceiling's"
    dut.require("R-73", (ceiling.detail, ceiling.limit) == (1, CEILING_UA), text)
    dut.arm()
    _first(
        dut,
        WrongCommand("Start with another nonce, too high", m.Start(_WRONG_NONCE, 9_999, 0, 0, 0), Refusal.WRONG_NONCE),
        WrongCommand("Start too high and on other channels", dut.start_order(9_999, 50), Refusal.ABOVE_LIMIT),
    )
    dut.start()
    nonce = dut.start_order().nonce
    _first(
        dut,
        WrongCommand(
            "SetTarget with another nonce on channel 9", m.SetTarget(_WRONG_NONCE, 9, 9_999), Refusal.WRONG_NONCE
        ),
        WrongCommand("SetTarget on channel 9, too high", m.SetTarget(nonce, 9, 9_999), Refusal.UNKNOWN_VALUE),
        WrongCommand(
            "SetTarget on a channel not armed, too high", m.SetTarget(nonce, 2, 9_999), Refusal.NOT_IN_PROGRAM
        ),
        WrongCommand("Arm while it stimulates, all wrong", wrong._replace(digest_head=1), Refusal.WRONG_STATE),
        WrongCommand("LoadProgram while it stimulates, all wrong", header, Refusal.WRONG_STATE),
    )


@check("R-73", title="kind, length and codes, then version, then handshake, then number")
def the_order_of_frames(dut: Dut) -> None:
    stale = (dut.sequence - 50) % 65_536
    header = stale.to_bytes(2, "little")
    frames = (
        ("a kind that does not exist, at an old number", bytes([0x3E]) + header, Refusal.UNKNOWN_KIND),
        ("a Hold too long, at an old number", bytes([0x0B]) + header + b"\x01", Refusal.WRONG_LENGTH),
        ("a purpose that does not exist, at an old number", _purpose(header, dut), Refusal.UNKNOWN_VALUE),
        ("a Hello too long, of another version", bytes([0x01]) + header + b"\x07\x00\x00", Refusal.WRONG_LENGTH),
    )
    for text, payload, reason in frames:
        first = len(dut.received)
        dut.send_raw(frame(payload))
        found = dut.answer_to(stale, first)
        dut.require("R-73", found is not None, f"{text} was not answered")
        assert found is not None
        _is(dut, text, found.message, reason)
    # Another version opens nothing, at whatever number: what was open stays so.
    refused = dut.ask(m.Hello(PROTOCOL_VERSION + 1), sequence=stale).message
    _is(dut, "Hello of another version at an old number", refused, Refusal.UNSUPPORTED_VERSION)
    dut.get(m.ReadCounters(1), m.Counters, by="R-73")


@check("R-73", title="before a handshake, kind, length and codes come first too", fixture=("power",))
def the_order_before_a_handshake(dut: Dut) -> None:
    dut.power_cycle()
    frames = (
        ("a kind that does not exist", bytes([0x3E, 5, 0]), Refusal.UNKNOWN_KIND),
        ("a Hold too long", bytes([0x0B, 5, 0, 1]), Refusal.WRONG_LENGTH),
        ("a Hold", bytes([0x0B, 5, 0]), Refusal.NO_HANDSHAKE),
    )
    for text, payload, reason in frames:
        first = len(dut.received)
        dut.send_raw(frame(payload))
        found = dut.answer_to(5, first)
        dut.require("R-73", found is not None, f"before a handshake {text} was not answered")
        assert found is not None
        _is(dut, f"before a handshake {text}", found.message, reason)
    refused = dut.ask(m.Hello(PROTOCOL_VERSION + 1)).message
    _is(dut, "Hello of another version", refused, Refusal.UNSUPPORTED_VERSION)
    _is(dut, "a question after it", dut.ask(m.ReadSession()).message, Refusal.NO_HANDSHAKE)
    dut.get(m.Hello(PROTOCOL_VERSION), m.Welcome, by="R-16")


@check("R-74", title="a command cut short is refused under the number bytes that it has")
def short_commands(dut: Dut) -> None:
    for payload, sequence in ((b"\x0b", 0), (b"\x0b\x37", 0x37), (b"\x09\xff", 0xFF), (b"\x01\x05", 0x05)):
        first = len(dut.received)
        dut.send_raw(frame(payload))
        found = dut.wait_for(lambda each: each.is_answer, 300_000)
        text = f"{_KINDS[payload[0]]} cut to {len(payload)} bytes"
        dut.require("R-74", found is not None and len(dut.received) > first, f"{text} was not answered")
        assert found is not None
        message = found.message
        kept = (
            isinstance(message, m.Refused) and message.reason == Refusal.WRONG_LENGTH and message.command == payload[0]
        )
        dut.require("R-74", kept, f"{text} was answered with {shown(message)}")
        where = f"{text} was refused under number {found.sequence}, not {sequence}"
        dut.require("R-74", found.sequence == sequence, where)


def _require_values(dut: Dut, text: str, refused: m.Refused, wanted: tuple[int, int]) -> None:
    said = refused.detail, refused.limit
    dut.require("R-72", said == wanted, f"{text}: it names {said}, not {wanted}")


def _no_change(dut: Dut, *orders: Any) -> None:
    """Each must be refused, and state, targets and session stay what they are."""
    before = _stand(dut)
    for order in orders:
        message = dut.ask(order).message
        dut.require("R-72", isinstance(message, m.Refused), f"{order} was answered with {shown(message)}")
    after = _stand(dut)
    dut.require("R-72", after == before, f"after commands that were refused it stands at {after}, not {before}")


def _stand(dut: Dut) -> tuple[Any, ...]:
    status = dut.status()
    dut.listen(30_000)
    targets = sorted({(channel.channel, channel.target_ua) for channel in dut.channels(dut.received[-3:])})
    return DeviceState(status.state).name, status.session, status.active_mask, targets


def _first(dut: Dut, *wrongs: WrongCommand) -> None:
    for text, order, reason in wrongs:
        _is(dut, text, dut.ask(order).message, reason)


def _is(dut: Dut, text: str, message: Any, reason: Refusal) -> None:
    kept = isinstance(message, m.Refused) and message.reason == reason
    dut.require("R-73", kept, f"{text} was answered with {shown(message)}, not refused with {reason.name}")


def _purpose(header: bytes, dut: Dut) -> bytes:
    """An Arm with a purpose that does not exist."""
    shape = m.SHAPE_OF[m.Arm]
    fields = shape.packer.pack(shape.kind, 0, *dut.arm_order(7))[m.HEADER_SIZE :]
    return bytes([shape.kind]) + header + fields
