"""The adapter for the native protocol: commands out for what a session asks, events in for what the device says.

Commands go through an `Exchange`. Stop is apart: its frame is one constant, it clears whatever waits, and it is
sent again every 20 ms until the device says that it measured zero.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import count
from operator import itemgetter
from typing import Any

from stimctl import limits
from stimctl.errors import EchoMismatch, Misuse, TimedOut, WireError
from stimctl.stimulators.base import (
    ContactChecked,
    LateReply,
    OrderedDose,
    ProgramLoaded,
    SelfTested,
    SessionCounts,
    Stimulator,
    StimulatorFailed,
    failed,
)
from stimctl.stimulators.exchange import BOOT_US, GIVE_UP_US, Exchange, PendingCommand, Urgency
from stimctl.stimulators.identity_pages import identified
from stimctl.stimulators.stop import StopSequence
from stimctl.stimulators.targets import Targets
from stimctl.waveform import CHECK_US, Program
from stimctl.wire import codec as m
from stimctl.wire.codec import Channel, Event, Status, Stopped, message_in, sequence_in
from stimctl.wire.codes import CHANNELS, GIVES_OUTPUT, PROTOCOL_VERSION, DeviceState, Purpose
from stimctl.wire.framing import DELIMITER, FrameSplitter

TIME_TO_LIVE_MS = 5_000
_TOLD = frozenset(m.SHAPE_OF[each].kind for each in (Status, Channel, Event))
_TAKEN = (m.TargetSet, m.Started)  # answers to what the dose rests on
_kind = itemgetter(0)  # of a payload
# An empty frame goes ahead: what half a frame, or noise, left on the line ends there and cannot eat the Stop.
STOP_FRAME = DELIMITER + m.encode(0, m.Stop())
# Line ends, which make a StimJim do what stands before them, and the byte that begins a PulsePal's command.
COMMAND_BYTES = frozenset(b"\n\r\xd5")


def hello_number(first: int) -> int:
    """The first sequence number from `first` on whose Hello no other device could take for a command.

    Until it has answered, nobody knows that the device is a native one.
    """
    hello = m.Hello(PROTOCOL_VERSION)
    return next(n for n in (each & 0xFFFF for each in count(first)) if COMMAND_BYTES.isdisjoint(m.encode(n, hello)))


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


def _impedance_of(channel: int) -> tuple[Any, type[Any], int]:
    return m.ReadImpedance(channel), m.Impedance, 1


def channel_mask(channels: Iterable[int]) -> int:
    """Channel numbers as wire bits."""
    return sum(1 << (channel - 1) for channel in channels)


def channels_in(mask: int) -> tuple[int, ...]:
    """Wire bits as channel numbers."""
    return tuple(channel for channel in range(1, 9) if mask >> (channel - 1) & 1)


class NativeAdapter:
    """Speaks the native protocol for one connection.

    `first_sequence` should differ from connection to connection on a real line, so that an answer left
    over from an earlier one is not taken for an answer to this one.
    """

    hears_writes = False
    may_stay_driven = False

    def __init__(self, first_sequence: int = 0) -> None:
        self._splitter = FrameSplitter()
        # The Hello is the first command, and has the number after this one.
        self._exchange = Exchange(hello_number(first_sequence + 1) - 1, self._set_target)
        self.take_output = self._exchange.take_output
        self._nonce = 0
        self._keep_alive: PendingCommand | None = None
        self._digest = b""
        # Channels whose impedance check is under way, and the device's time from which on a status can say that it is.
        self._checking: tuple[int, ...] = ()
        self._check_began_us = 0
        # Channels of a check whose results have not come: at first of any, whoever ordered it.
        self._unread: tuple[int, ...] = tuple(range(1, CHANNELS + 1))
        self._stop: StopSequence | None = None
        # By number: what was in flight as a stop came, and has no answer.
        self._before_stop: dict[int, PendingCommand] = {}
        self._unknown = ""
        # The device's time of the newest that it said since the handshake, and the host's when that came.
        self._newest = 0, 0
        self.heard_us = 0
        self.frames = 0

    @property
    def targets(self) -> Targets:
        return self._exchange.targets

    @targets.setter
    def targets(self, targets: Targets) -> None:
        self._exchange.targets = targets

    @property
    def damaged_frames(self) -> int:
        return self._splitter.damaged

    @property
    def unanswered(self) -> bool:
        return any(command.answer in _TAKEN for command in self._before_stop.values())

    def follow_cut(self, data: bytes, sent: int, output: bytes) -> bytes:
        self._exchange.not_taken = bool(data) and not sent
        return data[:sent] + output  # a frame has a mark at its end, and what is not answered is sent again

    def connect(self, now_us: int) -> None:
        self._exchange.put_first(DELIMITER)  # what was on the line before ends here
        pages: list[Any] = [m.Maker, m.Firmware, m.Ranges]
        commands = [(m.ReadIdentity(number), page, 0) for number, page in enumerate(pages)]
        hello = (m.Hello(PROTOCOL_VERSION), m.Welcome, 1)
        self._ask([hello, *commands], lambda answers: [identified(*answers)], now_us)

    def load(self, program: Program, now_us: int) -> None:
        head, segments = program_messages(program)
        expected = program_digest(program)

        def done(answers: list[Any]) -> list[Any]:
            if answers[-1].sha256 != expected:
                return failed(EchoMismatch("the device's digest is not the digest of the program that was sent"))
            self._digest = expected
            return [ProgramLoaded(expected)]

        commands = [(segment, m.SegmentLoaded, len(segment)) for segment in segments]
        self._ask([(head, m.ProgramOpen, len(head)), *commands, (m.ReadDigest(), m.ProgramDigest, 0)], done, now_us)

    def self_test(self, now_us: int) -> None:
        self._ask([(m.SelfTest(), m.SelfTestDone, 0)], lambda answers: [SelfTested(*answers[0][:2])], now_us)

    def arm(self, purpose: Purpose, channels: Iterable[int], ceiling_ua: int, limit_us: int, now_us: int) -> None:
        def done(answers: list[Any]) -> list[Any]:
            self._nonce = answers[0].nonce
            # The arm was as good as a keepalive, and one for the arm before it would be refused.
            self._exchange.withdraw(Urgency.KEEPALIVE)
            self._keep_alive = PendingCommand(m.KeepAlive(self._nonce), m.Alive, 0, lambda *_: [], Urgency.KEEPALIVE)
            return answers

        head = int.from_bytes(self._digest[:8], "little")
        arm = m.Arm(int(purpose), channel_mask(channels), ceiling_ua, limit_us, TIME_TO_LIVE_MS, head)
        self._ask([(arm, m.Armed, 5)], done, now_us)

    def start(self, targets: Mapping[int, int], now_us: int) -> None:
        wanted = tuple(targets.get(channel, 0) for channel in range(1, 5))

        def done(answers: list[Any]) -> list[Any]:
            applied, device_time_us = answers[0][:4], answers[0].device_time_us
            if applied != wanted:
                return failed(EchoMismatch(f"start: asked for {wanted} uA, the device applied {applied}"))
            if not targets:
                self._checking, self._check_began_us = self.targets.channels, device_time_us
            return answers

        if not targets:
            self._unread, self._check_began_us = self.targets.channels, 0
        self._ask([(m.Start(self._nonce, *wanted), m.Started, 0)], done, now_us)

    def keep_alive(self, now_us: int) -> None:
        if self._keep_alive is not None:
            self._exchange.urge(self._keep_alive, now_us)

    def retarget(self, now_us: int) -> None:
        self._exchange.send_next(now_us)

    def hold(self, now_us: int) -> None:
        hold = PendingCommand(m.Hold(), m.Holding, 0, lambda answer, _now: [answer], Urgency.HOLD)
        self._exchange.urge(hold, now_us)

    def read_records(self, channels: Iterable[int], now_us: int) -> None:
        wanted = tuple(channels)
        unread = [channel for channel in self._unread if channel in wanted]

        def done(answers: list[Any]) -> list[Any]:
            checked = tuple(each for each in answers[: len(unread)] if each.pulses)
            *told, record = answers[len(unread) :]
            return [SessionCounts(record, tuple(told[::2]), tuple(told[1::2]), checked=checked)]

        commands: list[tuple[Any, type[Any], int]] = [_impedance_of(channel) for channel in unread]
        for channel in wanted:
            commands += (m.ReadCounters(channel), m.Counters, 1), (m.ReadMeasured(channel), m.Measured, 1)
        self._ask([*commands, (m.ReadSession(), m.SessionRecord, 0)], done, now_us)

    def acknowledge(self, session: int, now_us: int) -> None:
        self._ask([(m.Acknowledge(session), m.Acknowledged, 1)], list, now_us)

    def commanded(self) -> Mapping[int, OrderedDose] | None:
        return None

    def kept_records(self, channels: Iterable[int]) -> SessionCounts | None:  # noqa: ARG002
        return None

    def stop(self, now_us: int) -> None:
        self._before_stop |= self._exchange.abandon()
        self._checking = ()
        self._stop = StopSequence(lambda _now_us: self._exchange.put_first(STOP_FRAME), now_us)

    def apart(self) -> Stimulator:
        other = NativeAdapter()
        other._newest = self._newest
        return other

    def receive(self, data: bytes, now_us: int) -> Iterable[Any]:
        payloads = self._splitter.feed(data)
        self.frames += len(payloads)
        if not payloads or self._checking or not _TOLD.issuperset(map(_kind, payloads)):
            return self._one_by_one(payloads, now_us)
        # What the device tells by itself means the same whatever came with it.
        try:
            messages = [*map(message_in, payloads)]
        except WireError:
            return self._one_by_one(payloads, now_us)
        self.heard_us = now_us
        self._note_times(messages, now_us)
        return messages

    def _one_by_one(self, payloads: Iterable[bytes], now_us: int) -> Iterator[Any]:
        """An event that makes the session stop is acted on before the next frame is judged."""
        for payload in payloads:
            try:
                message = message_in(payload)
            except WireError as unknown:
                self._exchange.unexpected += 1
                self._unknown = f" (it said what this version does not know: {unknown})"
                continue
            self.heard_us = now_us
            kind = type(message)
            if kind is Status or kind is Channel or kind is Event:
                self._note_times((message,), now_us)
                if kind is Status and self._checking:
                    self._follow_check(message, now_us)
                yield message
            elif kind is Stopped:
                yield from self._stop_answer(message, now_us)
            else:
                yield from self._answer(sequence_in(payload), message, now_us)

    def advance(self, now_us: int) -> list[Any]:
        if self._stop is not None:
            not_taken = self._exchange.not_taken
            return [overdue._replace(not_taken=not_taken) for overdue in self._stop.advance(now_us)]
        events = self._exchange.advance(now_us)
        if (
            self._unknown
            and events
            and isinstance(events[0], StimulatorFailed)
            and isinstance(events[0].error, TimedOut)
        ):
            return failed(TimedOut(f"{events[0].error}{self._unknown}"))
        return events

    def next_deadline_us(self) -> int | None:
        return self._exchange.next_deadline_us() if self._stop is None else self._stop.next_deadline_us()

    def wrote(self, now_us: int) -> None:
        """Nothing here is timed by the host."""

    def stood_still(self, late_us: int) -> None:
        self.heard_us += late_us
        self._exchange.stood_still(late_us)

    def _ask(
        self, commands: Iterable[tuple[Any, type[Any], int]], then: Callable[[list[Any]], list[Any]], now_us: int
    ) -> None:
        """Ask one message after the other, each with its answer's type and how many leading fields come back alike.

        `then` makes events of all their answers. Raises `Misuse` when a stop is under way: nothing may follow it.
        """
        left, answers = list(commands), []

        def keep(answer: Any, _now_us: int) -> list[Any]:
            answers.append(answer)
            return then(answers) if len(answers) == len(left) else []

        for message, answer, echoed in left:
            if self._stop is not None:
                raise Misuse(f"{type(message).__name__}: a stop is under way and nothing may follow it")
            patience_us = BOOT_US if answer is m.Welcome else GIVE_UP_US
            self._exchange.ask(PendingCommand(message, answer, echoed, keep, patience_us=patience_us), now_us)

    def _set_target(self, channel: int, target_ua: int) -> PendingCommand:
        def done(answer: m.TargetSet, _now_us: int) -> list[Any]:
            if answer[:2] != (channel, target_ua):
                commands, applied = (channel, target_ua), answer[:2]
                return failed(EchoMismatch(f"set target: asked for {commands}, the device applied {applied}"))
            return [answer]

        urgency = Urgency.RAISE if self.targets[channel].raises else Urgency.LOWER
        return PendingCommand(m.SetTarget(self._nonce, channel, target_ua), m.TargetSet, 0, done, urgency)

    def _answer(self, sequence: int, message: Any, now_us: int) -> list[Any]:
        if type(message) is m.Welcome:
            self._newest = 0, 0  # what was told before may be of an earlier boot
        if hasattr(message, "device_time_us"):
            self._note_times((message,), now_us)
        if sequence in self._before_stop:
            return self._late_answer(self._before_stop.pop(sequence), message, now_us)
        return self._exchange.answered(sequence, message, now_us)

    def _late_answer(self, command: PendingCommand, message: Any, now_us: int) -> list[Any]:
        """The answer to what a stop overtook, as far as it can be believed."""
        if type(message) is command.answer in _TAKEN:
            events = command.then(message, now_us)
            self._checking = ()
            if not any(isinstance(event, StimulatorFailed) for event in events):
                return [LateReply(message)]
        self._exchange.unexpected += 1
        return []

    def _follow_check(self, status: m.Status, now_us: int) -> None:
        """Once the device has left its impedance check, ask what it found."""
        if status.state in (DeviceState.CHECKING, DeviceState.ARMED) or status.device_time_us <= self._check_began_us:
            return
        channels, self._checking = self._checking, ()
        if status.state == DeviceState.ENDED:
            return

        def done(answers: list[Any]) -> list[Any]:
            self._unread = ()
            return [ContactChecked(tuple(answers))]

        self._ask(map(_impedance_of, channels), done, now_us)

    def _stop_answer(self, answer: m.Stopped, now_us: int) -> list[Any]:
        if self._stop is None or self._is_old(answer, now_us):
            return []
        self._stop.answered(now_us)
        if self._check_began_us:
            # Of a channel whose turn did not come, the device still has what an earlier check found.
            turns = -((self._check_began_us - answer.device_time_us) // CHECK_US)
            self._unread = self._unread[: max(0, turns)]
        # What the device calls zero has to be one by the driver's own limit too, and none may flow in its state.
        if not answer.zero or answer.measured_ua >= limits.ZERO_UA or answer.state in GIVES_OUTPUT:
            return []
        stop, self._stop = self._stop, None
        return [stop.confirmed(now_us, answer.measured_ua, device_time_us=answer.device_time_us)]

    def _note_times(self, messages: Iterable[Any], now_us: int) -> None:
        for message in messages:
            if message.device_time_us > self._newest[0]:
                self._newest = message.device_time_us, now_us

    def _is_old(self, answer: m.Stopped, now_us: int) -> bool:
        """Whether it is of an earlier stop: from before what was heard since.

        A device that has booted since is in IDLE, and its clock is no older than that silence, as far as a line delays.
        """
        newest_us, heard_us = self._newest
        booted = answer.state == DeviceState.IDLE and answer.device_time_us <= now_us - heard_us + limits.SILENCE_US
        return answer.device_time_us < newest_us and not booted
