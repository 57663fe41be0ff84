"""The StimJim adapter: one text protocol in three dialects, two isolated channels of constant current.

A lease is one slot and one start; the echo of the slot is compared with what was sent before it may be started. The
slot that plays is never written; slot 0 stays grounded, because a garbled stop starts it. Whatever the device tells
that was not ordered here is somebody else's doing, or an input's.
"""

from collections import deque
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from stimctl.errors import CommandRefused, EchoMismatch, Problem, TimedOut, Unsafe, WrongDevice
from stimctl.stimulators.base import DeviceIdentified, Identity, earliest, failed
from stimctl.stimulators.exchange import BOOT_US
from stimctl.stimulators.lease import device as d
from stimctl.stimulators.lease.plan import Lease
from stimctl.stimulators.stimjim import parser as text
from stimctl.stimulators.stimjim.gate import OUR_SLOTS, READ_CURRENTS, STOP, StimJimGate
from stimctl.stimulators.stimjim.rest import Step, steps_of
from stimctl.stimulators.stimjim.train import StartedSlot, phases_of, rests_of, slot_of
from stimctl.waveform import Program
from stimctl.wire.codes import Capability

CHANNELS = (1, 2)
READ_WAIT_US = 40_000  # a reading that is later is not waited for: the stop is then acknowledged only
SUMS_WAIT_US = 50_000  # dialect B may tell its means after the count; whether it does, its first lease shows
_SLOTS = OUR_SLOTS[1:]  # one plays, one stands ready, one is free


class DialogState(Enum):
    """The state of the conversation with the device."""

    UNKNOWN = "not connected"
    CLEARING = "stopped before anything is known"
    RESTING = "slots are grounded and inputs detached"
    OPEN = "leases may be prepared and begun"
    STOPPING = "a stop was sent"
    READING = "grounded, and the currents are asked for"


@dataclass(slots=True)
class _Stopping:
    """A stop, and how far it is.

    Grounding is undone by the next pulse: while a train `may_play`, the stop of the train itself must be answered.
    """

    may_play: bool
    measure: bool = False
    forced: set[str] = field(default_factory=set)
    grounded: set[int] = field(default_factory=set)
    currents_ua: list[int] = field(default_factory=list)


class StimJimAdapter(d.LeaseDevice):
    """The part that the three dialects share. `simulator` is what the port says: the protocol has no word for it."""

    command_gate: StimJimGate
    name = "StimJim"
    letter = ""
    measures = True
    tells_ends = True
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
        # The slot that waits for its echo, the one that may be started, the one that was; and whether the first was
        # rejected and sent once more.
        self._asked: int | None = None
        self._ready: int | None = None
        self._train: StartedSlot | None = None
        self._asked_again = False
        self._stopping = _Stopping(may_play=True)
        self._steps: deque[Step] = deque()
        # Until when a board that boots now is asked once more; None once it is known.
        self._boots_until_us: int | None = 0

    def connect(self, now_us: int) -> None:
        """Stop whatever another program left running, then take away what it left to run."""
        self._stop_anew(DialogState.CLEARING, now_us, may_play=False)
        self._boots_until_us = now_us + BOOT_US
        self._clear(now_us)

    def _clear(self, now_us: int) -> None:
        self._answer.expect(d.ANSWER_US, now_us)
        self._send_stop(now_us)

    def _send_stop(self, now_us: int) -> None:
        self.command_gate.send(STOP, now_us)
        self._stop_owed = True

    def check_program(self, program: Program) -> None:
        foreign = [channel for channel in program.channels if channel not in CHANNELS]
        if foreign:
            raise Unsafe([Problem("channels", foreign, f"{self.name} has channels 1 and 2")])

    def prepare(self, lease: Lease, now_us: int) -> None:
        taken = (None if self._train is None else self._train.index, self._ready)
        index = next(each for each in _SLOTS if each not in taken)
        self.command_gate.send(slot_of(lease).line(index), now_us)
        self._asked, self._asked_again, self._ready = index, False, None

    def begin(self, now_us: int) -> None:
        assert self._ready is not None
        index, self._ready = self._ready, None
        self.command_gate.send(b"T%d\n" % index, now_us)
        self._train = StartedSlot(index, self.command_gate.slots[index])

    def rest(self, now_us: int) -> None:
        self._state = DialogState.RESTING
        self._steps = deque(steps_of(self.letter))
        self._next_step(now_us)

    def _next_step(self, now_us: int) -> None:
        self.command_gate.send(self._steps[0].line, now_us)
        self._answer.expect(d.ANSWER_US, now_us)

    def stop(self, now_us: int, *, measure: bool) -> None:
        if self._state not in _STOPS:
            may_play = self._train is not None or self._state is DialogState.UNKNOWN
            self._stop_anew(DialogState.STOPPING, now_us, may_play=may_play)
        self._stopping.measure |= measure
        overtakes = self._state is DialogState.READING and self.command_gate.is_unsent(READ_CURRENTS)
        self._send_stop(now_us)
        if overtakes:
            # Never asked twice: an answer does not say of which output it is.
            self.command_gate.send(READ_CURRENTS, now_us)

    def _stop_anew(self, state: DialogState, now_us: int, *, may_play: bool) -> None:
        self._state = state
        self._answer.forget()
        self._asked = self._ready = None
        gate = self.command_gate
        gate.groundings = gate.stale = gate.groundings if self._may_answer_stop(now_us) else 0
        self._stopping = _Stopping(may_play)

    def apart(self) -> "StimJimAdapter":
        return type(self)()

    def receive(self, data: bytes, now_us: int) -> list[Any]:
        events: list[Any] = []
        for message in self._reader.feed(data):
            take = _TABLE.get((self._state, type(message)), "_unasked")
            events += getattr(self, take)(message, now_us)
            if isinstance(message, text.OutputGrounded):
                self.command_gate.grounded()
        return events

    def advance(self, now_us: int) -> list[Any]:
        if self._answer.is_late(now_us):
            return self._no_answer(now_us)
        train = self._train
        if train is not None and train.done_due_us is not None and now_us >= train.done_due_us:
            return self._done(train, now_us)
        return []

    def _no_answer(self, now_us: int) -> list[Any]:
        if self._state is DialogState.READING:
            return self._at_zero(None, now_us)
        if self._boots_until_us is None:
            return failed(self._answer.missed(TimedOut("no answer from the device in time, while it was put at rest")))
        if self._state is DialogState.CLEARING and now_us < self._boots_until_us:
            self._clear(now_us)
            return []
        message = f"no {self.name} answered in its dialect {self.letter.upper()}"
        return failed(self._answer.missed(WrongDevice(f"{message}; look at the port, or name another dialect")))

    def next_deadline_us(self) -> int | None:
        return earliest(self._answer.due_us, None if self._train is None else self._train.done_due_us)

    def _rested(self, message: Any, now_us: int) -> list[Any]:
        """What the device says of the line that was sent last, while it is put at rest."""
        step = self._steps[0]
        if isinstance(message, text.SlotEcho) and message.dialect != self.letter:
            found, asked = message.dialect.upper(), self.letter.upper()
            return failed(WrongDevice(f"this {self.name} speaks dialect {found}, not {asked}; name that one"))
        if step.told is not None and message != step.told:
            asked = step.line.decode("ascii").strip()
            return failed(
                EchoMismatch(f"the device is not put at rest: {asked} was answered with {text.in_words(message)}")
            )
        if isinstance(message, text.SlotEcho):
            self.command_gate.echoed(message.index)
        self._steps.popleft()
        if self._steps:
            self._next_step(now_us)
            return []
        self._state = DialogState.OPEN
        self._answer.forget()
        known, self._boots_until_us = self._boots_until_us is None, None
        return [d.AtRest()] if known else [DeviceIdentified(self._identity(), 0)]

    def _unasked(self, message: Any, now_us: int) -> list[Any]:
        """Something that means nothing here and now: a late answer, or the doing of somebody else."""
        if self._state in (DialogState.UNKNOWN, DialogState.CLEARING) or isinstance(message, text.IdnReply):
            return []
        stops, starts = self._state in _STOPS, isinstance(message, text.SlotStarted)
        late = self._may_answer_stop(now_us) or stops
        if late and ((starts and message.index == 0) or isinstance(message, _MAY_BE_LATE)):
            return []
        if self._train is not None and isinstance(message, text.TrainComplete | text.StageReport):
            return failed(TimedOut("a train is over whose start was not told: a line was lost; check the cable"))
        if starts and stops:
            # It may have been after the stop.
            measure = self._stopping.measure
            self._stop_anew(DialogState.STOPPING, now_us, may_play=True)
            self.stop(now_us, measure=measure)
        return [d.Foreign(f"the device told of what was not ordered here: {text.in_words(message)}", starts)]

    def _echo(self, message: text.SlotEcho, now_us: int) -> list[Any]:
        index, self._asked = self._asked, None
        if index is None:
            return self._unasked(message, now_us)
        slot = self.command_gate.slots[index]
        if message[:2] != (index, slot):
            sent, held = text.in_words(text.SlotEcho(index, slot, "")), text.in_words(message)
            return failed(EchoMismatch(f"{sent} was sent, and the device holds {held}"))
        self.command_gate.echoed(index)
        self._ready = index
        return [d.LeasePrepared()]

    def _started(self, message: text.SlotStarted, now_us: int) -> list[Any]:
        train, stops = self._train, self._state is not DialogState.OPEN
        if stops and message.index == 0:
            # A stop of which only the letter arrived: slot 0 took the train's place, and it is grounded.
            self._stopping.forced.add(message.engine)
            if train is not None:
                train.replaced = True
            return []
        if train is None or train.started or (message.index, message.engine or "T") != (train.index, "T"):
            return self._unasked(message, now_us)
        train.started = True
        return [] if stops else [d.LeaseBegun()]

    def _complete(self, message: text.TrainComplete, now_us: int) -> list[Any]:
        train = self._train
        if train is None or not train.started:
            return self._unasked(message, now_us)
        if not train.replaced:
            train.pulses = message.pulses
            train.done_due_us = now_us + SUMS_WAIT_US
        return []

    def _mean(self, message: text.StageReport, now_us: int) -> list[Any]:
        train = self._train
        if train is None or not train.started:
            return self._unasked(message, now_us)
        if train.replaced:
            return []
        if message.pulses is not None and message.stage == 0:
            train.pulses = message.pulses
        train.means[message.channel, message.stage] = message.mean_ua
        return self._done(train, now_us) if self._is_whole(train, message) else []

    def _rejected(self, message: text.CommandRejected, now_us: int) -> list[Any]:
        """A definition that was cut on its way is rejected too: it drives nothing, and is sent once more."""
        if self._asked is not None and not self._asked_again:
            self._asked_again = True
            self.command_gate.send(self.command_gate.slots[self._asked].line(self._asked), now_us)
            return []
        if self.command_gate.took_back:
            self.command_gate.took_back = False
            return []
        return failed(CommandRefused("a line", message.text))

    def _stop_answer(self, message: text.StopForced | text.OutputGrounded, now_us: int) -> list[Any]:
        stop = self._stopping
        if self.command_gate.stale:
            return []  # an answer to the stop before, which was sent more than once
        if isinstance(message, text.StopForced):
            stop.forced.add(message.engine)
        else:
            stop.grounded.add(message.channel)
        return self._look_at_stop(now_us)

    def _current(self, message: text.CurrentReading, now_us: int) -> list[Any]:
        currents_ua = self._stopping.currents_ua
        currents_ua.append(abs(message.current_ua))
        return self._at_zero(max(currents_ua), now_us) if len(currents_ua) == len(CHANNELS) else []

    def _is_whole(self, train: StartedSlot, message: text.StageReport) -> bool:
        return train.pulses is not None and message.stage == len(train.slot.stages) - 1 and message.channel == 1

    def _done(self, train: StartedSlot, now_us: int) -> list[Any]:
        self._train = None
        self.command_gate.over()
        self._stopping.may_play = False
        done = d.LeaseDone(train.pulses, tuple(phases_of(train)), tuple(rests_of(train)))
        return [done, *(self._look_at_stop(now_us) if self._state is DialogState.STOPPING else ())]

    def _look_at_stop(self, now_us: int) -> list[Any]:
        stop = self._stopping
        if len(stop.grounded) < len(CHANNELS) or (stop.may_play and not stop.forced >= self.engines):
            return []
        self._train = None
        self.command_gate.over()
        self.command_gate.at_zero(now_us)
        if not stop.measure:
            return self._at_zero(None, now_us)
        self.command_gate.send(READ_CURRENTS, now_us)
        self._state = DialogState.READING
        self._answer.expect(READ_WAIT_US, now_us)
        return []

    def _at_zero(self, measured_ua: int | None, now_us: int) -> list[Any]:
        if self._state is DialogState.CLEARING:
            self.rest(now_us)
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
            capabilities=Capability.ISOLATED_OUTPUTS
            | (Capability.MEASURES_CURRENT if self.measures else Capability(0)),
            dac_step_na=102,
            # Not from a document: a converter of 0.85 uA a count, with room for offset and gain [choice].
            readback_accuracy_ua=10,
            readback_accuracy_permille=10,
            compliance_mv=13_700,
            stops_mid_pulse=self.stops_mid_pulse,
        )


# What a stop that was sent more than once, or a train that it cut, may have to tell afterwards.
_MAY_BE_LATE = (
    text.StopForced, text.OutputGrounded, text.CurrentReading, text.TrainComplete, text.StageReport,
    text.CommandRejected, text.SlotEcho, text.Setting, text.Detached,
)  # fmt: skip
_STOPS = (DialogState.STOPPING, DialogState.READING)

# What takes which of what is heard, in which states. Anything else means nothing then.
_TABLE: dict[tuple[DialogState, type[Any]], str] = {
    (state, message): take
    for take, messages, states in (
        ("_stop_answer", (text.StopForced, text.OutputGrounded), (DialogState.CLEARING, DialogState.STOPPING)),
        ("_rested", (text.SlotEcho, text.Setting, text.Detached, text.CommandRejected), (DialogState.RESTING,)),
        ("_echo", (text.SlotEcho,), (DialogState.OPEN,)),
        ("_started", (text.SlotStarted,), (DialogState.OPEN, *_STOPS)),
        ("_complete", (text.TrainComplete,), (DialogState.OPEN, DialogState.STOPPING)),
        ("_mean", (text.StageReport,), (DialogState.OPEN, DialogState.STOPPING)),
        ("_rejected", (text.CommandRejected,), (DialogState.OPEN, *_STOPS)),
        ("_current", (text.CurrentReading,), (DialogState.READING,)),
    )
    for message in messages
    for state in states
}
