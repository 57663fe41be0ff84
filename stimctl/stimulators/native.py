"""The adapter for our own protocol: one order at a time, resent until answered, each echo checked.

A sequence number is never used for two different commands within a handshake, and only one command is
ever in flight, so a resent frame can be told from a new one and nothing overtakes. Stop is apart: its
frame is one constant, it clears whatever waits, and it is resent every 20 ms until the device says that
it measured zero.
"""

import hashlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from stimctl import limits
from stimctl.errors import EchoMismatch, Misuse, TimedOut, WireError, WrongDevice
from stimctl.errors import Refused as RefusedError
from stimctl.stimulators.base import (
    Checked,
    Declined,
    Failed,
    Late,
    Loaded,
    Ordered,
    Records,
    SelfTested,
    ZeroConfirmed,
    ZeroOverdue,
)
from stimctl.stimulators.pages import identified
from stimctl.waveform import Program
from stimctl.wire import messages as m
from stimctl.wire.codes import PROTOCOL_VERSION, DeviceState, Purpose, Refusal
from stimctl.wire.framing import DELIMITER, FrameSplitter
from stimctl.wire.messages import Channel, Event, Status, parse

RESEND_US = 50_000
TRIES = 8
TIME_TO_LIVE_MS = 5_000
# An empty frame goes ahead: what half a frame, or noise, left on the line ends there and cannot eat the Stop.
STOP_FRAME = DELIMITER + m.encode(0, m.Stop())
# What follows from a refusal of these is the session's to judge; a refusal of any other order ends it.
_MAY_DECLINE = (m.SetTarget, m.KeepAlive, m.Hold)

Then = Callable[[Any, int], list[Any]]


class _Order(NamedTuple):
    """A command, the answer it wants, how many leading fields must come back alike, and what follows."""

    message: Any
    answer: type[Any]
    echoed: int
    then: Then


def program_messages(program: Program) -> tuple[m.LoadProgram, list[m.LoadSegment]]:
    """A program as the wire carries it."""
    mask = channel_mask(program.channels)
    head = m.LoadProgram(len(program.segments), mask, program.ramp_slope_ua_per_s, program.ramp_down_us)
    segments = [
        m.LoadSegment(index, s.period_us, s.width_us, s.interphase_gap_us, s.second_width_us, s.dwell_us)
        for index, s in enumerate(program.segments)
    ]
    return head, segments


def program_digest(program: Program) -> bytes:
    """The SHA-256 that the device must give for `program`."""
    head, segments = program_messages(program)
    return hashlib.sha256(m.digest_bytes(head, segments)).digest()


def channel_mask(channels: Iterable[int]) -> int:
    """Channel numbers as wire bits."""
    return sum(1 << (channel - 1) for channel in channels)


def channels_in(mask: int) -> tuple[int, ...]:
    """Wire bits as channel numbers."""
    return tuple(channel for channel in range(1, 9) if mask >> (channel - 1) & 1)


class Native:
    """Speaks the native protocol for one connection.

    `first_sequence` should differ from connection to connection on a real line, so that an answer left
    over from an earlier one is not taken for an answer to this one.
    """

    def __init__(self, first_sequence: int = 0) -> None:
        self._splitter = FrameSplitter()
        self._out: list[bytes] = []
        self._waiting: deque[_Order] = deque()
        self._flying: _Order | None = None
        self._frame = b""
        self._resend_us = 0
        self._tries = 0
        self._sequence = first_sequence & 0xFFFF
        self._late: tuple[int, _Order] | None = None
        self._nonce = 0
        self._alive: _Order | None = None
        self._digest = b""
        self._to_check: tuple[int, ...] = ()
        self._checking: tuple[int, ...] = ()
        self._stop_began_us: int | None = None
        self._stop_answered_us: int | None = None
        self._stop_due_us = 0
        self._stop_overdue = False
        self.heard_us = 0
        self.unexpected = 0
        self._unknown = ""

    @property
    def damaged(self) -> int:
        """Frames dropped because they were damaged."""
        return self._splitter.damaged

    # --- orders -------------------------------------------------------------------------------------

    def connect(self, now_us: int) -> None:
        pages: list[Any] = []

        def keep(page: Any, _now_us: int) -> list[Any]:
            pages.append(page)
            return []

        def done(page: Any, _now_us: int) -> list[Any]:
            welcome, maker, firmware = pages
            return [identified(welcome, maker, firmware, page)]

        self._out.append(DELIMITER)  # what was on the line before ends here
        self._enqueue(m.Hello(PROTOCOL_VERSION), m.Welcome, 1, keep, now_us)
        self._enqueue(m.ReadIdentity(0), m.Maker, 0, keep, now_us)
        self._enqueue(m.ReadIdentity(1), m.Firmware, 0, keep, now_us)
        self._enqueue(m.ReadIdentity(2), m.Ranges, 0, done, now_us)

    def load(self, program: Program, now_us: int) -> None:
        head, segments = program_messages(program)
        expected = program_digest(program)

        def done(answer: m.ProgramDigest, _now_us: int) -> list[Any]:
            if answer.sha256 != expected:
                return [Failed(EchoMismatch("the device's digest is not the digest of the program that was sent"))]
            self._digest = expected
            return [Loaded(expected)]

        self._enqueue(head, m.ProgramOpen, len(head), _nothing, now_us)
        for segment in segments:
            self._enqueue(segment, m.SegmentLoaded, len(segment), _nothing, now_us)
        self._enqueue(m.ReadDigest(), m.ProgramDigest, 0, done, now_us)

    def self_test(self, now_us: int) -> None:
        self._enqueue(m.SelfTest(), m.SelfTestDone, 0, lambda answer, _now: [SelfTested(*answer[:2])], now_us)

    def arm(self, purpose: Purpose, channels: Iterable[int], ceiling_ua: int, limit_us: int, now_us: int) -> None:
        def done(answer: m.Armed, _now_us: int) -> list[Any]:
            self._nonce = answer.nonce
            self._alive = _Order(m.KeepAlive(answer.nonce), m.Alive, 0, _nothing)
            return [answer]

        head = int.from_bytes(self._digest[:8], "little")
        order = m.Arm(int(purpose), channel_mask(channels), ceiling_ua, limit_us, TIME_TO_LIVE_MS, head)
        self._to_check = tuple(channels) if purpose == Purpose.CHECK_IMPEDANCE else ()
        self._enqueue(order, m.Armed, 5, done, now_us)

    def start(self, targets: Mapping[int, int], now_us: int) -> None:
        wanted = tuple(targets.get(channel, 0) for channel in range(1, 5))

        def done(answer: m.Started, _now_us: int) -> list[Any]:
            if answer[:4] != wanted:
                return [Failed(EchoMismatch(f"start: asked for {wanted} uA, the device applied {answer[:4]}"))]
            # Only from here on does a status say how the check goes: an older one may still have been on the line.
            self._checking, self._to_check = self._to_check, ()
            return [answer]

        self._enqueue(m.Start(self._nonce, *wanted), m.Started, 0, done, now_us)

    def keep_alive(self, now_us: int) -> None:
        # One that still waits for its answer is being resent already.
        if self._flying is not self._alive and self._alive is not None:
            self._order(self._alive, now_us)

    def set_target(self, channel: int, target_ua: int, now_us: int) -> None:
        def done(answer: m.TargetSet, _now_us: int) -> list[Any]:
            if answer[:2] != (channel, target_ua):
                asked, applied = (channel, target_ua), answer[:2]
                return [Failed(EchoMismatch(f"set target: asked for {asked}, the device applied {applied}"))]
            return [answer]

        self._enqueue(m.SetTarget(self._nonce, channel, target_ua), m.TargetSet, 0, done, now_us)

    def hold(self, now_us: int) -> None:
        # Targets that wait to be sent are of no use in a hold, and nothing is sent before it.
        self._waiting = deque(order for order in self._waiting if type(order.message) is not m.SetTarget)
        others = list(self._waiting)
        self._waiting.clear()
        self._enqueue(m.Hold(), m.Holding, 0, lambda answer, _now: [answer], now_us)
        self._waiting.extend(others)

    def read_records(self, channels: Iterable[int], now_us: int) -> None:
        counters: list[m.Counters] = []
        measured: list[m.Measured] = []
        records: list[m.SessionRecord] = []

        def keep_into(found: list[Any]) -> Then:
            return lambda answer, _now: found.append(answer) or []  # type: ignore[func-returns-value]

        def done(record: m.SessionRecord, _now_us: int) -> list[Any]:
            records.append(record)
            return [Records(record, tuple(counters), tuple(measured))]

        for channel in channels:
            self._enqueue(m.ReadCounters(channel), m.Counters, 1, keep_into(counters), now_us)
            self._enqueue(m.ReadMeasured(channel), m.Measured, 1, keep_into(measured), now_us)
        self._enqueue(m.ReadSession(), m.SessionRecord, 0, done, now_us)

    def acknowledge(self, session: int, now_us: int) -> None:
        self._enqueue(m.Acknowledge(session), m.Acknowledged, 1, lambda answer, _now: [answer], now_us)

    def commanded(self) -> Mapping[int, Ordered] | None:
        """None: the device plays by the same pulse rules as the driver."""
        return None

    def kept_records(self, channels: Iterable[int]) -> Records | None:  # noqa: ARG002
        """None: the device keeps its counts until they are acknowledged."""
        return None

    def stop(self, now_us: int) -> None:
        self._waiting.clear()
        # What was in flight may have been applied: its answer still counts for the dose.
        self._late = None if self._flying is None else (self._sequence, self._flying)
        self._flying = None
        self._to_check = self._checking = ()
        self._stop_began_us = now_us
        self._stop_answered_us = None
        self._stop_overdue = False
        self._stop_due_us = now_us + limits.STOP_RESEND_US
        # What was about to be sent is older than the stop: it must not follow it.
        self._out = [STOP_FRAME]

    # --- bytes and time -----------------------------------------------------------------------------

    def receive(self, data: bytes, now_us: int) -> Iterator[Any]:
        # One at a time: an event that makes the session stop is acted on before the next frame is judged.
        for payload in self._splitter.feed(data):
            try:
                sequence, message = parse(payload)
            except WireError as unknown:
                self.unexpected += 1
                self._unknown = f"; it said what this version does not know ({unknown})"
                continue
            self.heard_us = now_us
            kind = type(message)
            if kind is Status:
                if self._checking:
                    self._follow_check(message, now_us)
                yield message
            elif kind is Channel or kind is Event:
                yield message
            elif kind is m.Stopped:
                yield from self._stop_answer(message, now_us)
            else:
                yield from self._answer(sequence, message, now_us)

    def advance(self, now_us: int) -> list[Any]:
        if self._stop_began_us is not None:
            return self._advance_stop(now_us)
        if self._flying is not None and now_us >= self._resend_us:
            if self._tries >= TRIES:
                name = type(self._flying.message).__name__
                self._flying = None
                self._waiting.clear()
                why = f"no answer to {name} after {TRIES} tries{self._unknown}"
                return [Failed(TimedOut(f"{why}; check the cable and the device"))]
            self._send_flying(now_us)
        return []

    def next_deadline_us(self) -> int | None:
        if self._stop_began_us is not None:
            return self._stop_due_us
        return self._resend_us if self._flying is not None else None

    def take_output(self) -> bytes:
        if not self._out:
            return b""
        data = b"".join(self._out)
        self._out = []
        return data

    # --- inside -------------------------------------------------------------------------------------

    def _enqueue(self, message: Any, answer: type[Any], echoed: int, then: Then, now_us: int) -> None:
        self._order(_Order(message, answer, echoed, then), now_us)

    def _order(self, order: _Order, now_us: int) -> None:
        if self._stop_began_us is not None:
            raise Misuse(f"{_name(order)}: a stop is under way and nothing may follow it")
        self._waiting.append(order)
        if self._flying is None:
            self._send_next(now_us)

    def _send_next(self, now_us: int) -> None:
        if self._waiting:
            self._flying = self._waiting.popleft()
            self._sequence = self._sequence + 1 & 0xFFFF
            self._frame = m.encode(self._sequence, self._flying.message)
            self._tries = 0
            self._send_flying(now_us)

    def _send_flying(self, now_us: int) -> None:
        self._tries += 1
        self._resend_us = now_us + RESEND_US
        self._out.append(self._frame)

    def _answer(self, sequence: int, message: Any, now_us: int) -> list[Any]:
        order = self._flying
        if order is None or sequence != self._sequence:
            return self._late_answer(sequence, message, now_us)
        self._flying = None
        if type(message) is m.Refused:
            events = self._refused(order, message)
        elif type(message) is not order.answer:
            events = [Failed(EchoMismatch(f"{type(message).__name__} came as the answer to {_name(order)}"))]
        elif message[: order.echoed] != order.message[: order.echoed]:
            events = [Failed(EchoMismatch(f"{_name(order)}: sent {order.message}, the device applied {message}"))]
        else:
            events = order.then(message, now_us)
        if self._flying is None:
            self._send_next(now_us)
        return events

    def _late_answer(self, sequence: int, message: Any, now_us: int) -> list[Any]:
        """The answer to what a stop overtook, as far as it can be believed; any other one was answered before."""
        late, self._late = self._late, None
        if late is not None and late[0] == sequence and type(message) is late[1].answer in (m.TargetSet, m.Started):
            events = late[1].then(message, now_us)
            self._checking = ()
            if not any(isinstance(event, Failed) for event in events):
                return [Late(message)]
        self.unexpected += 1
        return []

    def _refused(self, order: _Order, refusal: m.Refused) -> list[Any]:
        reason = Refusal(refusal.reason).name.lower().replace("_", " ")
        if isinstance(order.message, _MAY_DECLINE):
            return [Declined(_name(order), reason, refusal.detail, refusal.limit)]
        self._waiting.clear()
        if refusal.reason == Refusal.UNSUPPORTED_VERSION:
            error: Exception = WrongDevice(
                f"the device speaks protocol version {refusal.limit}, stimctl version {PROTOCOL_VERSION}; "
                f"update {'its firmware' if refusal.limit < PROTOCOL_VERSION else 'stimctl'}"
            )
        else:
            detail = f"value {refusal.detail}, limit {refusal.limit}" if refusal.limit else ""
            error = RefusedError(_name(order), reason, detail)
        return [Failed(error)]  # type: ignore[arg-type]

    def _follow_check(self, status: m.Status, now_us: int) -> None:
        """Once the device has left its impedance check, ask what it found."""
        if status.state in (DeviceState.CHECKING, DeviceState.ARMED):
            return
        channels, self._checking = self._checking, ()
        if status.state == DeviceState.ENDED:
            return
        found: list[m.Impedance] = []

        def keep(result: m.Impedance, _now_us: int) -> list[Any]:
            found.append(result)
            return [Checked(tuple(found))] if len(found) == len(channels) else []

        for channel in channels:
            self._enqueue(m.ReadImpedance(channel), m.Impedance, 1, keep, now_us)

    def _stop_answer(self, answer: m.Stopped, now_us: int) -> list[Any]:
        if self._stop_began_us is None:
            return []
        if self._stop_answered_us is None:
            self._stop_answered_us = now_us
        # What the device calls zero has to be one by the driver's own limit too.
        if not answer.zero or answer.measured_ua >= limits.ZERO_UA:
            return []
        began_us, self._stop_began_us = self._stop_began_us, None
        return [ZeroConfirmed(now_us - began_us, self._stop_answered_us - began_us, answer.measured_ua)]

    def _advance_stop(self, now_us: int) -> list[Any]:
        assert self._stop_began_us is not None
        if now_us >= self._stop_due_us:
            self._out.append(STOP_FRAME)
            self._stop_due_us = now_us + limits.STOP_RESEND_US
        if not self._stop_overdue and now_us - self._stop_began_us >= limits.STOP_CONFIRM_US:
            self._stop_overdue = True
            return [ZeroOverdue(now_us - self._stop_began_us)]
        return []


def _nothing(_answer: Any, _now_us: int) -> list[Any]:
    return []


def _name(order: _Order) -> str:
    return type(order.message).__name__
