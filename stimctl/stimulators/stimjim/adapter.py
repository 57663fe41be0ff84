"""The StimJim adapter: one text protocol in three dialects, two isolated channels of constant current.

A lease is one slot and one start; the echo of the slot is compared with what was sent before it may be started. The
slot that plays is never written; slot 0 stays grounded, because a garbled stop starts it.
"""

from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from stimctl.errors import CommandRefused, EchoMismatch, Problem, Unsafe, WrongDevice
from stimctl.stimulators.base import DeviceIdentified, Identity, StimulatorFailed, earliest
from stimctl.stimulators.lease import device as d
from stimctl.stimulators.lease.plan import Lease
from stimctl.stimulators.stimjim import parser as text
from stimctl.stimulators.stimjim.gate import CURRENT, GROUND, HARMLESS, READ_CURRENTS, STOP, HeldSlot, StimJimGate
from stimctl.waveform import Program
from stimctl.wire.codes import Capability

CHANNELS = (1, 2)
ANSWER_US = 500_000
READ_WAIT_US = 40_000  # a reading that is later is not waited for: the stop is then acknowledged only
SUMS_WAIT_US = 50_000  # dialect B may tell its means after the count; whether it does, its first lease shows
_SLOTS = (1, 2, 3)  # one plays, one stands ready, one is free
_HARMLESS_SLOT = HeldSlot((GROUND, GROUND), 10_000, 10_000, ((0, 0, 1_000),))


class DialogState(Enum):
    """The state of the conversation with the device."""

    UNKNOWN = "not connected"
    CLEARING = "stopped before anything is known"
    GROUNDING = "slot 0 was sent"
    OPEN = "leases may be prepared and begun"
    STOPPING = "a stop was sent"
    READING = "grounded, and the currents are asked for"


@dataclass(slots=True)
class _StartedSlot:
    """A slot that was started, and what was told of it. `replaced`: a garbled stop put slot 0 into its place."""

    index: int
    slot: HeldSlot
    pulses: int | None = None
    means: dict[tuple[int, int], int] = field(default_factory=dict)
    replaced: bool = False
    done_due_us: int | None = None


@dataclass(slots=True)
class _Stopping:
    """A stop, and how far it is. `stale` lines are to come that answer the one before, which was sent more than once.

    Grounding is undone by the next pulse: while a train `may_play`, the stop of the train itself must be answered.
    """

    may_play: bool
    measure: bool = False
    stale: int = 0
    forced: set[str] = field(default_factory=set)
    grounded: set[int] = field(default_factory=set)
    currents_ua: list[int] = field(default_factory=list)


class StimJimAdapter(d.LeaseDevice):
    """The part that the three dialects share. `simulator` is what the port says: the protocol has no word for it."""

    command_gate: StimJimGate
    name = "StimJim"
    letter = ""
    measures = True
    stops_mid_pulse = False
    prepares_ahead = True
    engines = frozenset({"T", "U"})  # each of these answers a stop before a train is known to be over
    pulse_source = "the device's report at the end of each lease"
    self_test_note = "no self-test on this device: both outputs were grounded and their current read"

    def __init__(self, *, simulator: bool = False) -> None:
        super().__init__(StimJimGate())
        self._simulator = simulator
        self._reader = text.StimJimParser()
        self._state = DialogState.UNKNOWN
        # The slot that waits for its echo, the one that may be started, the one that was.
        self._asked: tuple[int, HeldSlot] | None = None
        self._ready: int | None = None
        self._train: _StartedSlot | None = None
        self._stopping = _Stopping(may_play=True)
        # Lines that will say that an output is grounded, and until when they are expected.
        self._groundings = 0
        self._groundings_until_us = 0

    def connect(self, now_us: int) -> None:
        """Stop whatever another program left running, then ground slot 0."""
        self._stop_anew(DialogState.CLEARING, now_us, may_play=False)
        self._answer.expect(ANSWER_US, now_us)
        self.command_gate.send(STOP, now_us)

    def check_program(self, program: Program) -> None:
        foreign = [channel for channel in program.channels if channel not in CHANNELS]
        if foreign:
            raise Unsafe([Problem("channels", foreign, f"{self.name} has channels 1 and 2")])

    def prepare(self, lease: Lease, now_us: int) -> None:
        slot = slot_of(lease)
        taken = (None if self._train is None else self._train.index, self._ready)
        index = next(each for each in _SLOTS if each not in taken)
        self.command_gate.send(slot.line(index), now_us)
        self._asked = (index, slot)
        self._ready = None

    def begin(self, now_us: int) -> None:
        assert self._ready is not None
        index, self._ready = self._ready, None
        self.command_gate.send(b"T%d\n" % index, now_us)
        self._train = _StartedSlot(index, self.command_gate.slots[index])

    def stop(self, now_us: int, *, measure: bool) -> None:
        if self._state not in (DialogState.STOPPING, DialogState.READING):
            self._stop_anew(
                DialogState.STOPPING, now_us, may_play=self._train is not None or self._state is DialogState.UNKNOWN
            )
        self._stopping.measure |= measure
        self.command_gate.send(STOP, now_us)
        if self._state is DialogState.READING:
            # The stop overtook the reading, if that was not sent yet.
            self.command_gate.send(READ_CURRENTS, now_us)

    def _stop_anew(self, state: DialogState, now_us: int, *, may_play: bool) -> None:
        self._state = state
        self._answer.forget()
        self._asked = self._ready = None
        self._groundings = self._groundings if now_us < self._groundings_until_us else 0
        self._stopping = _Stopping(may_play, stale=self._groundings)

    def apart(self) -> "StimJimAdapter":
        return type(self)()

    def receive(self, data: bytes, now_us: int) -> list[Any]:
        events: list[Any] = []
        for message in self._reader.feed(data):
            if isinstance(message, text.OutputGrounded):
                self._groundings = max(0, self._groundings - 1)
            if take := _TABLE.get((self._state, type(message))):
                events += getattr(self, take)(message, now_us)
        return events

    def advance(self, now_us: int) -> list[Any]:
        late, train = self._answer.is_late(now_us), self._train
        if late and self._state is DialogState.READING:
            return self._at_zero(None, now_us)
        if late:
            message = f"no {self.name} answered in its dialect {self.letter.upper()}"
            return [StimulatorFailed(WrongDevice(f"{message}; look at the port, or name another dialect"))]
        if train is not None and train.done_due_us is not None and now_us >= train.done_due_us:
            return self._done(train, now_us)
        return []

    def next_deadline_us(self) -> int | None:
        return earliest(self._answer.due_us, None if self._train is None else self._train.done_due_us)

    def take_output(self) -> bytes:
        data = super().take_output()
        self._groundings += len(CHANNELS) * data.count(STOP)
        return data

    def wrote(self, now_us: int) -> None:
        super().wrote(now_us)
        if self._groundings:
            self._groundings_until_us = now_us + ANSWER_US

    def _slot_0(self, message: text.SlotEcho, _now_us: int) -> list[Any]:
        if message.dialect != self.letter:
            found, asked = message.dialect.upper(), self.letter.upper()
            return [
                StimulatorFailed(WrongDevice(f"this {self.name} speaks dialect {found}, not {asked}; name that one"))
            ]
        if message.index != 0:
            return []
        if message.slot != _HARMLESS_SLOT:
            return [StimulatorFailed(EchoMismatch(f"slot 0 stands as {message.slot}, not grounded"))]
        self._state = DialogState.OPEN
        self._answer.forget()
        self.command_gate.echoed(0)
        return [DeviceIdentified(self._identity(), 0)]

    def _echo(self, message: text.SlotEcho, _now_us: int) -> list[Any]:
        if self._asked is None:
            return []
        (index, slot), self._asked = self._asked, None
        if message[:2] != (index, slot):
            return [
                StimulatorFailed(
                    EchoMismatch(f"slot {index}: sent {slot}, the device holds {message.slot} in {message.index}")
                )
            ]
        self.command_gate.echoed(index)
        self._ready = index
        return [d.LeasePrepared()]

    def _started(self, message: text.SlotStarted, _now_us: int) -> list[Any]:
        train, stops = self._train, self._state is not DialogState.OPEN
        if stops and message.index == 0:
            # A stop of which only the letter arrived: slot 0 took the train's place, and it is grounded.
            self._stopping.forced.add(message.engine)
            if train is not None:
                train.replaced = True
        elif train is None or message.index != train.index:
            return [StimulatorFailed(EchoMismatch(f"the device started slot {message.index}, which was not ordered"))]
        return [] if stops else [d.LeaseBegun()]

    def _complete(self, message: text.TrainComplete, now_us: int) -> list[Any]:
        train = self._train
        if train is not None and not train.replaced:
            train.pulses = message.pulses
            train.done_due_us = now_us + SUMS_WAIT_US
        return []

    def _mean(self, message: text.StageReport, now_us: int) -> list[Any]:
        train = self._train
        if train is None or train.replaced:
            return []
        if message.pulses is not None and message.stage == 0:
            train.pulses = message.pulses
        if message.stage is not None:
            train.means[message.channel, message.stage] = message.mean_ua
        return self._done(train, now_us) if self._is_whole(train, message) else []

    @staticmethod
    def _rejected(message: text.CommandRejected, _now_us: int) -> list[Any]:
        return [StimulatorFailed(CommandRefused("a line", message.text))]

    def _stop_answer(self, message: text.StopForced | text.OutputGrounded, now_us: int) -> list[Any]:
        stop = self._stopping
        if stop.stale:
            stop.stale -= isinstance(message, text.OutputGrounded)
        elif isinstance(message, text.StopForced):
            stop.forced.add(message.engine)
        else:
            stop.grounded.add(message.channel)
        return self._look_at_stop(now_us)

    def _current(self, message: text.CurrentReading, now_us: int) -> list[Any]:
        currents_ua = self._stopping.currents_ua
        currents_ua.append(abs(message.current_ua))
        return self._at_zero(max(currents_ua), now_us) if len(currents_ua) == len(CHANNELS) else []

    def _is_whole(self, train: _StartedSlot, message: text.StageReport) -> bool:
        return train.pulses is not None and message.stage == len(train.slot.stages) - 1 and message.channel == 1

    def _done(self, train: _StartedSlot, now_us: int) -> list[Any]:
        self._train = None
        self.command_gate.over()
        self._stopping.may_play = False
        done = d.LeaseDone(train.pulses, tuple(_phases(train.slot, train.means)))
        return [done, *(self._look_at_stop(now_us) if self._state is DialogState.STOPPING else ())]

    def _look_at_stop(self, now_us: int) -> list[Any]:
        stop = self._stopping
        if len(stop.grounded) < len(CHANNELS) or (stop.may_play and not stop.forced >= self.engines):
            return []
        if not stop.measure:
            return self._at_zero(None, now_us)
        self._train = None
        self.command_gate.over()
        self.command_gate.send(READ_CURRENTS, now_us)
        self._state = DialogState.READING
        self._answer.expect(READ_WAIT_US, now_us)
        return []

    def _at_zero(self, measured_ua: int | None, now_us: int) -> list[Any]:
        self._train = None
        self.command_gate.over()
        if self._state is DialogState.CLEARING:
            self._state = DialogState.GROUNDING
            self.command_gate.send(HARMLESS, now_us)
            return []
        self._state = DialogState.OPEN
        self._answer.forget()
        return [d.ZeroReported(measured_ua)]

    def _identity(self) -> Identity:
        return d.identity_by_lease(
            model=f"{self.name} dialect {self.letter.upper()}",
            firmware="not said",
            simulator=self._simulator,
            channels=len(CHANNELS),
            capabilities=Capability.MEASURES_CURRENT if self.measures else Capability(0),
            dac_step_na=102,
            # Not from a document: a converter of 0.85 uA a count, with room for offset and gain [choice].
            readback_accuracy_ua=10,
            readback_accuracy_permille=10,
            compliance_mv=13_700,
        )


class StimJimAdapterA(StimJimAdapter):
    """The Teensy's "Pulser": no identification, blocks for people, no count after a stop."""

    letter = "a"


class StimJimAdapterB(StimJimAdapter):
    """stimjimAWG: answers `IDN` and `ERR`, echoes one line; its measurement is not there in every version."""

    letter = "b"
    measures = False

    _tells_sums: bool | None = None  # not known before its first lease

    def _complete(self, message: text.TrainComplete, now_us: int) -> list[Any]:
        super()._complete(message, now_us)
        train = self._train
        whole = train is not None and train.done_due_us is not None and self._tells_sums is False
        return self._done(train, now_us) if train is not None and whole else []

    def _mean(self, message: text.StageReport, now_us: int) -> list[Any]:
        self._tells_sums = self.measures = True
        return super()._mean(message, now_us)

    def _done(self, train: _StartedSlot, now_us: int) -> list[Any]:
        self._tells_sums = bool(self._tells_sums)
        return super()._done(train, now_us)


class StimJimAdapterC(StimJimAdapter):
    """The RP2354B: `X` stops in mid-stage, `T-1` means nothing, each channel tells its own end."""

    letter = "c"
    stops_mid_pulse = True
    # One early version ends a train on any byte that it hears.
    prepares_ahead = False
    engines = frozenset({""})

    def _is_whole(self, train: _StartedSlot, message: text.StageReport) -> bool:
        return message.stage is None and message.channel == max(
            channel for channel, mode in enumerate(train.slot.modes) if mode == CURRENT
        )


DIALECTS: dict[str, type[StimJimAdapter]] = {"a": StimJimAdapterA, "b": StimJimAdapterB, "c": StimJimAdapterC}


def slot_of(lease: Lease) -> HeldSlot:
    """A lease as a slot: both channels' pulses one behind the other in one list of stages."""
    shape = lease.shape
    stages: list[tuple[int, int, int]] = []
    at_us = 0
    for channel, amplitude_ua, delay_us in sorted(lease.levels, key=lambda level: level.delay_us):
        parts = (
            (0, delay_us - at_us),
            (amplitude_ua, shape.width_us),
            (0, shape.interphase_gap_us),
            (-shape.second_amplitude_ua(amplitude_ua), shape.second_width_us),
        )
        stages += [(ua, 0, us) if channel == 1 else (0, ua, us) for ua, us in parts if us > 0]
        at_us = delay_us + shape.span_us
    driven = {level.channel for level in lease.levels}
    modes = (CURRENT if 1 in driven else GROUND, CURRENT if 2 in driven else GROUND)
    return HeldSlot(modes, shape.period_us, lease.pulses * shape.period_us, tuple(stages))


def _phases(slot: HeldSlot, means: dict[tuple[int, int], int]) -> list[d.StageMean]:
    """Means by stage as means by phase."""
    return [
        d.StageMean(channel + 1, 0 if stage[channel] > 0 else 1, means[channel, number])
        for number, stage in enumerate(slot.stages)
        for channel in (0, 1)
        if stage[channel] and (channel, number) in means
    ]


# What takes which of what is heard, in which states. Anything else means nothing then.
_TABLE: dict[tuple[DialogState, type[Any]], str] = {
    (state, message): take
    for take, message, states in (
        ("_stop_answer", text.StopForced, (DialogState.CLEARING, DialogState.STOPPING)),
        ("_stop_answer", text.OutputGrounded, (DialogState.CLEARING, DialogState.STOPPING)),
        ("_slot_0", text.SlotEcho, (DialogState.GROUNDING,)),
        ("_echo", text.SlotEcho, (DialogState.OPEN,)),
        ("_started", text.SlotStarted, (DialogState.OPEN, DialogState.STOPPING, DialogState.READING)),
        ("_complete", text.TrainComplete, (DialogState.OPEN, DialogState.STOPPING)),
        ("_mean", text.StageReport, (DialogState.OPEN, DialogState.STOPPING)),
        ("_rejected", text.CommandRejected, (DialogState.OPEN, DialogState.STOPPING, DialogState.READING)),
        ("_current", text.CurrentReading, (DialogState.READING,)),
    )
    for state in states
}
