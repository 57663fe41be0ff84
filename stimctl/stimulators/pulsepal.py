"""PulsePal by leases: four voltage outputs, firmware 21 or 22, each with a declared isolator behind it.

Nothing is measured and nothing is reported: a lease is over when its time is, and its pulses are counted by the
host from a program that the device confirmed. Each lease is one whole program and one trigger; a stop also
programs every channel to rest, so that whatever might still play plays zero volts. Commands are never split.
"""

import struct
from collections import deque
from collections.abc import Callable
from decimal import Decimal
from typing import Any, NamedTuple

from stimctl.errors import Misuse, Problem, TimedOut, Unsafe, WrongDevice
from stimctl.errors import Refused as RefusedError
from stimctl.stimulators import dialect as d
from stimctl.stimulators.base import Identity
from stimctl.stimulators.leases import Lease
from stimctl.stimulators.pulsepal_gate import (
    CHANNELS,
    CYCLE_US,
    FULL_MV,
    HANDSHAKE,
    READ_BACK,
    REST,
    REST_ALL,
    START,
    ZERO_CODE,
    Output,
    PulsePalGate,
    cycles,
    program_frame,
    read_back_of,
)
from stimctl.units import whole
from stimctl.waveform import Program, Segment
from stimctl.wire.codes import Capability

FIRMWARES = (21, 22)
ANSWER_US = 500_000
GUARD_US = 1_000  # after a lease's time, before the next program: the trigger's way to the device [choice]
# Below this 2 mA needs more than 10 V; above it a code is a step of more than 3 uA [choice].
ISOLATOR_UA_PER_V = range(201, 10_001)
_ZERO_ALL = b"".join(struct.pack("<BBBH", START, 79, channel, ZERO_CODE) for channel in CHANNELS)
_LOOPS_OFF = b"".join(bytes((START, 82, channel, 0)) for channel in CHANNELS)
_TRIGGERS_NORMAL = b"".join(bytes((START, 74, 128, line, 0)) for line in (1, 2))


class _Ask(NamedTuple):
    """A command, how many bytes come back, and what they mean."""

    frame: bytes
    size: int
    then: Callable[[bytes, int], list[Any]]


def isolator_ua_per_v(declared: str | Decimal) -> int:
    """A declared isolator in mA per volt, as uA per volt. Raises `Misuse` outside 0.201 to 10 mA/V."""
    ua_per_v = whole(declared, 1_000, name="isolator", unit="uA per volt")
    if ua_per_v not in ISOLATOR_UA_PER_V:
        raise Misuse(f"isolator: {declared} mA per volt is not between 0.201 and 10; read it from the isolator's data")
    return ua_per_v


class PulsePal:
    """A `Dialect`. `ua_per_v` is the isolator's transfer, which the user declares: there is no default."""

    measures = False
    stops_mid_pulse = True
    # A program that arrives while a train plays changes the train.
    prepares_ahead = False
    pulse_source = "the host's count of leases that ran their time; the device reports nothing"
    self_test_note = "no self-test and no measurement on this device: every channel was programmed to rest"

    def __init__(self, ua_per_v: int, *, simulator: bool = False) -> None:
        self._gate = PulsePalGate(ua_per_v)
        self._simulator = simulator
        self._firmware = 0
        self._asks: deque[_Ask] = deque()
        self._flying: _Ask | None = None
        self._flying_sent = False
        self._stops_sent = 0
        self._stale = 0
        self._heard = b""
        self._answer = d.Answer()
        self._lease: Lease | None = None
        self._lasts_us: int | None = None  # of a trigger that is not written yet
        self._over_us: int | None = None
        self._begun_us: int | None = None  # when a trigger was written that is not told of yet

    # --- orders -------------------------------------------------------------------------------------

    def connect(self, now_us: int) -> None:
        self._ask(HANDSHAKE, 5, self._welcome, now_us)

    def check_program(self, program: Program) -> None:
        problems = [problem for segment in program.segments for problem in _unfit(segment)]
        if problems:
            raise Unsafe(problems)

    def arm(self, ceiling_ua: int) -> None:
        self._gate.arm(ceiling_ua)

    def disarm(self) -> None:
        self._gate.disarm()

    def prepare(self, lease: Lease, now_us: int) -> None:
        outputs = outputs_of(lease, self._gate.ua_per_v)
        self._lease = lease

        def confirmed(_answer: bytes, _now_us: int) -> list[Any]:
            self._gate.confirmed()
            return [d.Prepared()]

        self._program(outputs, confirmed, now_us)

    def begin(self, now_us: int) -> None:
        lease = self._lease
        assert lease is not None
        mask = sum(1 << (level.channel - 1) for level in lease.levels)
        self._gate.send(bytes((START, 77, mask)), now_us)
        delay_us = max(level.delay_us for level in lease.levels)
        self._lasts_us = lease.pulses * lease.shape.period_us + delay_us + GUARD_US

    def stop(self, now_us: int, *, measure: bool) -> None:  # noqa: ARG002
        # An answer that is still on its way is waited out; one to a command that never left will not come.
        again = self._stops_sent > 0
        owed = self._flying if self._flying_sent and not again else None
        self._asks.clear()
        self._over_us = self._lasts_us = self._begun_us = None
        self._lease = None
        self._gate.forget_unsent()
        first = bytes((START, 80)) + (bytes((START, 98, 0x0F)) if self._firmware == 22 else b"")
        rest = program_frame(self._program_op, REST_ALL)
        self._gate.send(first + _ZERO_ALL + rest, now_us)
        self._answer.forget()
        if again and self._flying is not None and self._flying_sent:
            return
        ask = _Ask(b"", len(CHANNELS) + 1, _accepted(self._rested))
        self._flying_sent = owed is not None
        if owed is None:
            self._flying = ask
        else:
            self._flying = owed._replace(then=_nothing)
            self._asks.append(ask)

    def apart(self) -> "PulsePal":
        other = PulsePal(self._gate.ua_per_v)
        other._firmware = self._firmware
        return other

    # --- bytes and time -----------------------------------------------------------------------------

    def receive(self, data: bytes, now_us: int) -> list[Any]:
        swallowed = min(self._stale, len(data))
        self._stale -= swallowed
        self._heard += data[swallowed:]
        events: list[Any] = []
        while self._flying is not None and len(self._heard) >= self._flying.size:
            ask, self._flying = self._flying, None
            answer, self._heard = self._heard[: ask.size], self._heard[ask.size :]
            self._answer.forget()
            self._send_next(now_us)
            events += ask.then(answer, now_us)
        if self._flying is None:
            self._heard = b""
        return events

    def advance(self, now_us: int) -> list[Any]:
        events: list[Any] = []
        if self._begun_us is not None:
            self._begun_us = None
            # A trigger has no answer: that it was taken is only a claim.
            events.append(d.Begun())
        if self._over_us is not None and now_us >= self._over_us:
            self._over_us = None
            self._gate.over()
            events.append(d.Done(None))
        if self._answer.is_late(now_us):
            events.append(d.Broken(self._silence()))
        return events

    def next_deadline_us(self) -> int | None:
        due = (self._begun_us, self._over_us, self._answer.due_us)
        return min((each for each in due if each is not None), default=None)

    def take_output(self) -> bytes:
        data = self._gate.take()
        if data:
            self._flying_sent = self._flying is not None
            self._stops_sent += self._gate.is_stop(data)
        return data

    def wrote(self, now_us: int) -> None:
        self._gate.wrote(now_us)
        self._answer.wrote(now_us)
        if self._lasts_us is not None:
            self._over_us, self._lasts_us = now_us + self._lasts_us, None
            self._begun_us = now_us

    # --- inside -------------------------------------------------------------------------------------

    @property
    def _program_op(self) -> int:
        return 92 if self._firmware == 22 else 73

    def _silence(self) -> TimedOut | WrongDevice:
        if not self._firmware:
            return WrongDevice("no PulsePal answered the handshake; look at the port and the device's screen")
        return TimedOut("the PulsePal confirms nothing any more; it may be waiting for a click of its joystick")

    def _ask(self, frame: bytes, size: int, then: Callable[[bytes, int], list[Any]], now_us: int) -> None:
        self._asks.append(_Ask(frame, size, then))
        if self._flying is None:
            self._send_next(now_us)

    def _send_next(self, now_us: int) -> None:
        if self._asks:
            self._flying = self._asks.popleft()
            self._flying_sent = not self._flying.frame
            if self._flying.frame:
                self._gate.send(self._flying.frame, now_us)
                self._answer.expect(ANSWER_US, now_us)

    def _program(self, outputs: tuple[Output, ...], then: Callable[[bytes, int], list[Any]], now_us: int) -> None:
        """Program all channels at once; where the firmware can read them back, they are compared."""
        frame = program_frame(self._program_op, outputs)
        if self._firmware != 22:
            self._ask(frame, 1, _accepted(then), now_us)
            return
        expected = read_back_of(outputs)
        self._ask(frame, 1, _accepted(_nothing), now_us)
        self._ask(READ_BACK, len(expected), _same(expected, then), now_us)

    def _welcome(self, answer: bytes, now_us: int) -> list[Any]:
        letter, firmware = struct.unpack("<BI", answer)
        if letter != 75 or firmware not in FIRMWARES:
            said = f"firmware {firmware}" if letter == 75 else f"byte {letter}"
            return [d.Broken(WrongDevice(f"the handshake said {said}; firmware 21 and 22 of PulsePal are known"))]
        self._firmware = firmware
        modes = _LOOPS_OFF + _TRIGGERS_NORMAL
        self.stop(now_us, measure=False)
        assert self._flying is not None
        self._flying = self._flying._replace(then=_accepted(lambda answer, at_us: self._unlink(answer, modes, at_us)))
        self._answer.expect(ANSWER_US, now_us)
        return []

    def _unlink(self, answer: bytes, modes: bytes, now_us: int) -> list[Any]:
        self._rested(answer, now_us)
        self._ask(modes, len(CHANNELS) + 2, _accepted(_nothing), now_us)
        self._program(REST_ALL, lambda _answer, _now: [d.Found(self._identity())], now_us)
        return []

    def _rested(self, _answer: bytes, _now_us: int) -> list[Any]:
        # A stop that was sent again is answered again.
        self._stale = max(0, self._stops_sent - 1) * (len(CHANNELS) + 1)
        self._stops_sent = 0
        self._gate.over()
        return [d.AtZero(None)]

    def _identity(self) -> Identity:
        ua_per_v = self._gate.ua_per_v
        return Identity(
            model=f"PulsePal with an isolator of {ua_per_v / 1_000:g} mA/V",
            serial="none",
            firmware=str(self._firmware),
            firmware_sha256="",
            boot_id=1,
            simulator=self._simulator,
            calibrated_on=None,
            channels=len(CHANNELS),
            capabilities=Capability(0),
            max_amplitude_ua=2_000,
            dac_step_na=-(-FULL_MV * ua_per_v // ZERO_CODE),
            readback_accuracy_ua=0,
            readback_accuracy_permille=0,
            net_charge_floor_pc=0,
            compliance_mv=0,
            watchdog_ms=0,
            by_lease=True,
        )


def outputs_of(lease: Lease, ua_per_v: int) -> tuple[Output, ...]:
    """A lease as all four channels of the device; those that give nothing rest. Never above the amplitude."""
    levels = {level.channel: level for level in lease.levels}
    found = []
    for channel in CHANNELS:
        level = levels.get(channel)
        found.append(REST if level is None else _output(lease, level.amplitude_ua, level.delay_us, ua_per_v))
    return tuple(found)


def _output(lease: Lease, amplitude_ua: int, delay_us: int, ua_per_v: int) -> Output:
    shape = lease.shape
    code = amplitude_ua * ZERO_CODE * 1_000 // (FULL_MV * ua_per_v)
    code -= code % shape.quantum_ua
    interpulse = cycles("period_us", shape.period_us - shape.span_us)
    # The train ends halfway between its last pulse and the one that must not come.
    train = cycles("period_us", lease.pulses * shape.period_us) - interpulse // 2
    return Output(
        cycles("width_us", shape.width_us),
        cycles("interphase_gap_us", shape.interphase_gap_us),
        cycles("second_width_us", shape.second_width_us),
        interpulse,
        train,
        cycles("delay_us", delay_us),
        code,
        -shape.second_amplitude_ua(code),
    )


def _unfit(segment: Segment) -> list[Problem]:
    problems: list[Problem] = []
    for name in ("period_us", "width_us", "interphase_gap_us", "second_width_us"):
        try:
            cycles(name, getattr(segment, name))
        except Unsafe as unfit:
            problems += unfit.problems
    return problems


def _accepted(then: Callable[[bytes, int], list[Any]]) -> Callable[[bytes, int], list[Any]]:
    """Every byte a 1: executed."""

    def check(answer: bytes, now_us: int) -> list[Any]:
        if set(answer) != {1}:
            return [d.Broken(RefusedError("a command", f"answered {answer.hex()}, where 01 is 'executed'"))]
        return then(answer, now_us)

    return check


def _same(expected: bytes, then: Callable[[bytes, int], list[Any]]) -> Callable[[bytes, int], list[Any]]:
    def check(answer: bytes, now_us: int) -> list[Any]:
        if answer != expected:
            return [d.Broken(RefusedError("a program", "the device reads back another one than was sent"))]
        return then(answer, now_us)

    return check


def _nothing(_answer: bytes, _now_us: int) -> list[Any]:
    return []


__all__ = ["CYCLE_US", "FIRMWARES", "PulsePal", "isolator_ua_per_v", "outputs_of"]
