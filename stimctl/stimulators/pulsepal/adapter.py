"""The PulsePal adapter: four voltage outputs, firmware 21 or 22, each with a declared isolator behind it.

Nothing is measured or reported: a lease is over when its time is, and the host counts its pulses from a program that
the device confirmed. Each lease is one whole program and one trigger; a stop also programs every channel to rest, so
that whatever might still play plays zero volts. Commands are never split. Whether the train that was triggered played
to its end, no firmware tells: 22 says only what it holds, and is asked that before and after each lease.
"""

import struct
from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple

from stimctl.errors import CommandRefused, Problem, TimedOut, Unsafe, WrongDevice
from stimctl.stimulators.base import DeviceIdentified, Identity, StimulatorFailed, earliest, failed
from stimctl.stimulators.lease import device as d
from stimctl.stimulators.lease.plan import Lease
from stimctl.stimulators.pulsepal import gate
from stimctl.stimulators.pulsepal.isolator import Isolator
from stimctl.waveform import Program, Segment
from stimctl.wire.codes import Capability

FIRMWARES = (21, 22)
GUARD_US = 1_000  # after a lease's time, before the next program: the trigger's way to the device [choice]
_IN_CYCLES = ("period_us", "width_us", "interphase_gap_us", "second_width_us")
_ZERO_ALL = b"".join(struct.pack("<BBBH", gate.START, 79, channel, gate.ZERO_CODE) for channel in gate.CHANNELS)
_LOOPS_OFF = b"".join(bytes((gate.START, 82, channel, 0)) for channel in gate.CHANNELS)
_PROOFS = tuple(struct.pack("<BI", 75, firmware) for firmware in FIRMWARES)  # no other answer looks like one
_TRIGGERS_NORMAL = b"".join(bytes((gate.START, 74, 128, line, 0)) for line in (1, 2))
_Then = Callable[[bytes, int], list[Any]]


class _Request(NamedTuple):
    """A command, how many bytes come back, which they have to be where that is known, and what they mean."""

    frame: bytes
    size: int
    expected: bytes | None
    then: _Then


_UNNOTICED = (
    "a click on its joystick ends what plays, and the next lease begins at its full amplitude: the dose is at most",
    "a trigger that another program sends starts the lease anew: nothing tells",
    "a line that is lost in the middle of a command may leave its outputs driven, for ever: pull the leads",
)
DEAF = "After a command that was cut short it answers nothing, and its outputs may stay driven: PULL THE LEADS"
_NOBODY = f"no PulsePal answered the handshake; look at the port and the device's screen. {DEAF}"
_STUCK = "the PulsePal confirms nothing any more; it may be waiting for a click of its joystick"


class PulsePalAdapter(d.LeaseDevice):
    """A `LeaseDevice`. `ua_per_v` is the isolator's transfer, which the user declares: there is no default."""

    command_gate: gate.PulsePalGate
    measures = False
    tells_ends = False
    stops_mid_pulse = True
    may_stay_driven = True
    # A program that arrives while a train plays changes the train.
    prepares_ahead = False
    asks_to_prepare = 3  # each answer has a time of its own beside
    pulse_source = "the host's count of leases that ran their time; the device reports nothing"
    self_test_note = "no self-test and no measurement on this device: every channel was programmed to rest"

    def __init__(self, isolator: Isolator, *, simulator: bool = False) -> None:
        super().__init__(gate.PulsePalGate(isolator.ua_per_v))
        self._isolator = isolator
        self._simulator = simulator
        self._firmware = 0
        self._asks: deque[_Request] = deque()
        self._flying: _Request | None = None
        self._flying_sent = False
        self._stale = 0
        self._received = b""
        self._lease: Lease | None = None
        self._lasts_us: int | None = None  # of a trigger that is not written yet
        self._over_us: int | None = None
        self._begun_us: int | None = None  # when a trigger that has no answer has surely been heard

    def unsure_pc(self, charge_pc: int, width_us: int, pulses: int) -> int | None:
        return self._isolator.unsure_pc(charge_pc, width_us, pulses)

    def connect(self, now_us: int) -> None:
        self._ask(_Request(gate.HANDSHAKE, 5, None, self._welcome), now_us)

    def check_program(self, program: Program) -> None:
        problems = [problem for segment in program.segments for problem in _unfit(segment)]
        if problems:
            raise Unsafe(problems)

    def prepare(self, lease: Lease, now_us: int) -> None:
        self._lease = lease
        if self._firmware == 22 and self.command_gate.outputs:
            self._read_back(self.command_gate.outputs, _nothing, now_us)
        self._program(outputs_of(lease, self.command_gate.ua_per_v), self._confirmed, now_us)

    def rest(self, now_us: int) -> None:
        if self._firmware == 22:
            # The stop has sent all of this already, and what is cut on its way may drive.
            size = len(gate.read_back_of(gate.REST_ALL))
            self._ask(_Request(gate.READ_BACK, size, None, self._program_rest), now_us)
        else:
            self._program_rest(b"", now_us)

    def _program_rest(self, answer: bytes, now_us: int) -> list[Any]:
        """Where the device holds another program."""
        if answer == gate.read_back_of(gate.REST_ALL):
            return [d.AtRest()]
        self._ask(_executed(_ZERO_ALL, len(gate.CHANNELS), _nothing), now_us)
        self._program(gate.REST_ALL, lambda _answer, _now: [d.AtRest()], now_us)
        return []

    def _confirmed(self, _answer: bytes, _now_us: int) -> list[Any]:
        self.command_gate.confirmed()
        return [d.LeasePrepared()]

    def begin(self, now_us: int) -> None:
        lease = self._lease
        assert lease is not None
        mask = sum(1 << (level.channel - 1) for level in lease.levels)
        self.command_gate.send(bytes((gate.START, 77, mask)), now_us)
        self._lasts_us = lease.train_us + lease.delay_us + GUARD_US

    def stop(self, now_us: int, *, measure: bool) -> None:  # noqa: ARG002
        # An answer that is still on its way is waited out; one to a command that never left will not come. Where that
        # is in doubt, or a command was cut, only what comes before the answer to a handshake is surely over.
        self.command_gate.forget_unsent()
        ask, ends = _executed(b"", len(gate.CHANNELS) + 1, self._rested), b""
        if self.command_gate.was_cut:
            ask, ends = _Request(gate.HANDSHAKE, 5, None, self._rested), gate.HANDSHAKE
        self._over_us = self._lasts_us = self._begun_us = self._lease = None
        first = gate.ABORT + (bytes((gate.START, 98, 0x0F)) if self._firmware == 22 else b"")
        rest = gate.program_frame(self._program_op, gate.REST_ALL)
        self.command_gate.send(first + _ZERO_ALL + rest + ends, now_us)
        self._answer.forget()
        self._stop_owed = True
        if ask in (self._flying, *self._asks):
            return  # what waits, in flight or behind what is owed, is the answer to the first
        self.command_gate.stops_written = 0
        self._asks.clear()
        if self._flying is None or not self._flying_sent or self.command_gate.was_cut:
            self._flying, self._flying_sent = ask, False
        else:
            self._flying = self._flying._replace(expected=None, then=_nothing)
            self._asks.append(ask)

    def apart(self) -> "PulsePalAdapter":
        other = PulsePalAdapter(self._isolator)
        other._firmware = self._firmware
        other.command_gate.was_cut = True  # nobody knows what was under way
        return other

    def receive(self, data: bytes, now_us: int) -> list[Any]:
        if not self._may_answer_stop(now_us):
            self._stale = 0
        self._received += data
        self._swallow_stale()
        self._pass_over_cut()
        events: list[Any] = []
        while self._flying is not None and len(self._received) >= self._flying.size:
            ask, self._flying = self._flying, None
            answer, self._received = self._received[: ask.size], self._received[ask.size :]
            self._answer.came(now_us)
            self._send_next(now_us)
            events += ask.then(answer, now_us) if ask.expected in (None, answer) else [_wrong(ask, answer)]
            self._swallow_stale()
        if self._flying is None:
            heard, self._received = self._received, b""
            if heard and not self._may_answer_stop(now_us):
                events.append(d.Foreign(f"the PulsePal answered {heard.hex()} to what was not asked here"))
        self._answer.turned(now_us)
        return events

    def _swallow_stale(self) -> None:
        """Answers to a stop that was sent again may come in one piece with the answer to the first."""
        heard, self._received = self._received, self._received[self._stale :]
        self._stale -= len(heard) - len(self._received)

    def _pass_over_cut(self) -> None:
        """Whatever a device answered to commands that were cut, the handshake's answer comes after it."""
        if self._flying is None or self._flying.frame != gate.HANDSHAKE or self._flying.then == self._welcome:
            return
        found = [at for proof in _PROOFS if (at := self._received.find(proof)) >= 0]
        self._received = self._received[min(found, default=1 - self._flying.size) :]

    def advance(self, now_us: int) -> list[Any]:
        # A trigger has no answer: that it was taken is only a claim, made when a slow one would have come.
        events: list[Any] = []
        self._answer.turned(now_us)
        if self._begun_us is not None and now_us >= self._begun_us:
            self._begun_us = None
            events.append(d.LeaseBegun())
        if self._over_us is not None and now_us >= self._over_us:
            self._over_us = None
            self.command_gate.over()
            events.append(d.LeaseDone(None))
        if self._answer.is_late(now_us):
            events += failed(self._answer.missed(TimedOut(_STUCK) if self._firmware else WrongDevice(_NOBODY)))
        return events

    def next_deadline_us(self) -> int | None:
        return earliest(self._begun_us, self._over_us, self._answer.due_us)

    def take_output(self) -> bytes:
        data = super().take_output()
        if data:
            self._flying_sent = self._flying is not None
        return data

    def wrote(self, now_us: int) -> None:
        super().wrote(now_us)
        if self._lasts_us is not None:
            # What comes before the train is over changes it; it began when its trigger came, however late that was.
            self._begun_us = now_us + self._answer.slowest_us
            self._over_us, self._lasts_us = self._begun_us + self._lasts_us, None

    @property
    def _program_op(self) -> int:
        return 92 if self._firmware == 22 else 73

    def _ask(self, ask: _Request, now_us: int) -> None:
        self._asks.append(ask)
        if self._flying is None:
            self._send_next(now_us)

    def _send_next(self, now_us: int) -> None:
        if self._asks:
            self._flying = self._asks.popleft()
            self._flying_sent = not self._flying.frame
            if self._flying.frame:
                self.command_gate.send(self._flying.frame, now_us)
                self._answer.expect(d.ANSWER_US, now_us)

    def _program(self, outputs: tuple[gate.ChannelOutput, ...], then: _Then, now_us: int) -> None:
        """Program all channels at once; where the firmware can read them back, they are compared."""
        reads_back = self._firmware == 22
        frame = gate.program_frame(self._program_op, outputs)
        self._ask(_executed(frame, 1, _nothing if reads_back else then), now_us)
        if reads_back:
            self._read_back(outputs, then, now_us)

    def _read_back(self, outputs: tuple[gate.ChannelOutput, ...], then: _Then, now_us: int) -> None:
        expected = gate.read_back_of(outputs)
        self._ask(_Request(gate.READ_BACK, len(expected), expected, then), now_us)

    def _welcome(self, answer: bytes, now_us: int) -> list[Any]:
        letter, firmware = struct.unpack("<BI", answer)
        if letter != 75 or firmware not in FIRMWARES:
            said = f"firmware {firmware}" if letter == 75 else f"byte {letter}"
            return failed(WrongDevice(f"the handshake said {said}; firmware 21 and 22 of PulsePal are known"))
        self._firmware = firmware
        self.stop(now_us, measure=False)
        assert self._flying is not None
        self._flying = self._flying._replace(then=self._unlink)
        self._answer.expect(d.ANSWER_US, now_us)
        return []

    def _unlink(self, answer: bytes, now_us: int) -> list[Any]:
        self._rested(answer, now_us)
        self._ask(_executed(_LOOPS_OFF + _TRIGGERS_NORMAL, len(gate.CHANNELS) + 2, _nothing), now_us)
        self._program(gate.REST_ALL, lambda _answer, _now: [DeviceIdentified(self._identity(), 0)], now_us)
        return []

    def _rested(self, answer: bytes, now_us: int) -> list[Any]:
        proven = answer in _PROOFS
        # Of a stop that has not left as a whole, what did may leave the outputs driven.
        if self.command_gate.on_its_way or (self.command_gate.was_cut and not proven):
            return []  # the stop that is sent again asks for more
        # A stop that was sent again is answered again.
        self._stale = self.command_gate.stopped(now_us) * (len(gate.CHANNELS) + 1 + len(answer) * proven)
        return [d.ZeroReported(None)]

    def _identity(self) -> Identity:
        ua_per_v = self.command_gate.ua_per_v
        return d.identity_by_lease(
            model=f"PulsePal with an isolator of {ua_per_v / 1_000:g} mA/V",
            firmware=str(self._firmware),
            simulator=self._simulator,
            channels=len(gate.CHANNELS),
            capabilities=Capability(0),
            dac_step_na=-(-gate.FULL_MV * ua_per_v // gate.ZERO_CODE),
            readback_accuracy_ua=0,
            readback_accuracy_permille=0,
            compliance_mv=0,
            stops_mid_pulse=self.stops_mid_pulse,
            unnoticed=_UNNOTICED + self._isolator.sentences,
        )


def outputs_of(lease: Lease, ua_per_v: int) -> tuple[gate.ChannelOutput, ...]:
    """A lease as all four channels of the device; those that give nothing rest. Never above the amplitude."""
    given = {channel: _output(lease, ua, delay_us, ua_per_v) for channel, ua, delay_us in lease.levels}
    return tuple(given.get(channel, gate.REST) for channel in gate.CHANNELS)


def _output(lease: Lease, amplitude_ua: int, delay_us: int, ua_per_v: int) -> gate.ChannelOutput:
    shape = lease.shape
    code = amplitude_ua * gate.ZERO_CODE * 1_000 // (gate.FULL_MV * ua_per_v)
    code -= code % shape.quantum_ua
    interpulse = gate.cycles("period_us", shape.period_us - shape.span_us)
    # The train ends halfway between its last pulse and the one that must not come.
    train = gate.cycles("period_us", lease.train_us) - interpulse // 2
    first, gap, second = (gate.cycles(name, getattr(shape, name)) for name in _IN_CYCLES[1:])
    delay = gate.cycles("delay_us", delay_us)
    return gate.ChannelOutput(first, gap, second, interpulse, train, delay, code, -shape.second_amplitude_ua(code))


def _unfit(segment: Segment) -> list[Problem]:
    problems: list[Problem] = []
    for name in _IN_CYCLES:
        try:
            gate.cycles(name, getattr(segment, name))
        except Unsafe as unfit:
            problems += unfit.problems
    return problems


def _executed(frame: bytes, size: int, then: _Then) -> _Request:
    """A command whose answer has to be so many bytes of 1."""
    return _Request(frame, size, b"\1" * size, then)


def _wrong(ask: _Request, answer: bytes) -> StimulatorFailed:
    if ask.frame == gate.READ_BACK:
        return StimulatorFailed(CommandRefused("a program", "the device reads back another program than was sent"))
    return StimulatorFailed(CommandRefused("a command", f"answered {answer.hex()}, where 01 is 'executed'"))


def _nothing(_answer: bytes, _now_us: int) -> list[Any]:
    return []
