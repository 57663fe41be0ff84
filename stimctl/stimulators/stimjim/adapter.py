"""StimJim by leases: one text protocol in three dialects, two isolated channels of constant current.

A lease is one slot and one start; the echo of the slot is compared with what was sent before it may be started. The
slot that plays is never written; slot 0 stays grounded, because a garbled stop starts it. Whatever the device tells
that was not ordered here is somebody else's doing, or an input's.
"""

from collections import deque
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from stimctl.errors import EchoMismatch, Problem, Refused, TimedOut, Unsafe, WrongDevice
from stimctl.stimulators.base import Failed, Identified, Identity, earliest
from stimctl.stimulators.lease import device as d
from stimctl.stimulators.lease.plan import Lease
from stimctl.stimulators.stimjim import parser as text
from stimctl.stimulators.stimjim.gate import CURRENT, OUR_SLOTS, READ_CURRENTS, STOP, Slot, StimJimGate
from stimctl.stimulators.stimjim.rest import Step, steps_of
from stimctl.stimulators.stimjim.train import Train, phases_of, rests_of, slot_of
from stimctl.waveform import Program
from stimctl.wire.codes import Capability

CHANNELS = (1, 2)
ANSWER_US = 500_000
READ_WAIT_US = 40_000  # a reading that is later is not waited for: the stop is then acknowledged only
SUMS_WAIT_US = 50_000  # dialect B may tell its means after the count; whether it does, its first lease shows
_SLOTS = OUR_SLOTS[1:]  # one plays, one stands ready, one is free


class State(Enum):
    """Where the conversation stands."""

    UNKNOWN = "not connected"
    CLEARING = "stopped before anything is known"
    RESTING = "slots are grounded and inputs detached"
    OPEN = "leases may be prepared and begun"
    STOPPING = "a stop was sent"
    READING = "grounded, and the currents are asked for"


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


class StimJim(d.Dialect):
    """What the three dialects share. `simulator` is what the port says: the protocol has no word for it."""

    outgoing: StimJimGate
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
        self._reader = text.Reader()
        self._state = State.UNKNOWN
        # The slot that waits for its echo, the one that may be started, the one that was.
        self._asked: tuple[int, Slot] | None = None
        self._ready: int | None = None
        self._train: Train | None = None
        self._stopping = _Stopping(may_play=True)
        self._steps: deque[Step] = deque()
        self._known = False
        # Until when answers to a stop, or what a train that it cut had to tell, may still come.
        self._late_until_us = 0
        # Lines that will say that an output is grounded, and until when they are expected.
        self._groundings = 0
        self._groundings_until_us = 0
        self._stop_left = False

    def connect(self, now_us: int) -> None:
        """Stop whatever another program left running, then take away what it left to run."""
        self._stop_anew(State.CLEARING, now_us, may_play=False)
        self._answer.expect(ANSWER_US, now_us)
        self.outgoing.send(STOP, now_us)

    def check_program(self, program: Program) -> None:
        foreign = [channel for channel in program.channels if channel not in CHANNELS]
        if foreign:
            raise Unsafe([Problem("channels", foreign, f"{self.name} has channels 1 and 2")])

    def prepare(self, lease: Lease, now_us: int) -> None:
        slot = slot_of(lease)
        taken = (None if self._train is None else self._train.index, self._ready)
        index = next(each for each in _SLOTS if each not in taken)
        self.outgoing.send(slot.line(index), now_us)
        self._asked = (index, slot)
        self._ready = None

    def begin(self, now_us: int) -> None:
        assert self._ready is not None
        index, self._ready = self._ready, None
        self.outgoing.send(b"T%d\n" % index, now_us)
        self._train = Train(index, self.outgoing.slots[index])

    def rest(self, now_us: int) -> None:
        self._state = State.RESTING
        self._steps = deque(steps_of(self.letter))
        self._next_step(now_us)

    def _next_step(self, now_us: int) -> None:
        self.outgoing.send(self._steps[0].line, now_us)
        self._answer.expect(ANSWER_US, now_us)

    def stop(self, now_us: int, *, measure: bool) -> None:
        if self._state not in (State.STOPPING, State.READING):
            self._stop_anew(State.STOPPING, now_us, may_play=self._train is not None or self._state is State.UNKNOWN)
        self._stopping.measure |= measure
        self.outgoing.send(STOP, now_us)
        if self._state is State.READING:
            # The stop overtook the reading, if that was not sent yet.
            self.outgoing.send(READ_CURRENTS, now_us)

    def _stop_anew(self, state: State, now_us: int, *, may_play: bool) -> None:
        self._state = state
        self._answer.forget()
        self._asked = self._ready = None
        self._groundings = self._groundings if now_us < self._groundings_until_us else 0
        self._stopping = _Stopping(may_play, stale=self._groundings)

    def apart(self) -> "StimJim":
        return type(self)()

    def receive(self, data: bytes, now_us: int) -> list[Any]:
        events: list[Any] = []
        for said in self._reader.feed(data):
            if isinstance(said, text.Grounded):
                self._groundings = max(0, self._groundings - 1)
            take = _TABLE.get((self._state, type(said)), "_unasked")
            events += getattr(self, take)(said, now_us)
        return events

    def advance(self, now_us: int) -> list[Any]:
        late, train = self._answer.is_late(now_us), self._train
        if late and self._state is State.READING:
            return self._at_zero(None, now_us)
        if late and self._known:
            return [Failed(TimedOut("no answer from the device in time, while it was put at rest"))]
        if late:
            said = f"no {self.name} answered in its dialect {self.letter.upper()}"
            return [Failed(WrongDevice(f"{said}; look at the port, or name another dialect"))]
        if train is not None and train.done_due_us is not None and now_us >= train.done_due_us:
            return self._done(train, now_us)
        return []

    def next_deadline_us(self) -> int | None:
        return earliest(self._answer.due_us, None if self._train is None else self._train.done_due_us)

    def take_output(self) -> bytes:
        data = super().take_output()
        self._groundings += len(CHANNELS) * data.count(STOP)
        self._stop_left |= STOP in data
        return data

    def wrote(self, now_us: int) -> None:
        super().wrote(now_us)
        if self._groundings:
            self._groundings_until_us = now_us + ANSWER_US
        if self._stop_left:
            self._stop_left = False
            self._late_until_us = now_us + ANSWER_US

    def _rested(self, said: Any, now_us: int) -> list[Any]:
        """What the device says of the line that was sent last, while it is put at rest."""
        step = self._steps[0]
        if isinstance(said, text.Echo) and said.dialect != self.letter:
            found, asked = said.dialect.upper(), self.letter.upper()
            return [Failed(WrongDevice(f"this {self.name} speaks dialect {found}, not {asked}; name that one"))]
        if step.told is not None and said != step.told:
            told = said.text if isinstance(said, text.Rejected | text.Setting) else f"{said}"
            asked = step.line.decode("ascii").strip()
            return [Failed(EchoMismatch(f"the device is not put at rest: {asked} was answered with {told}"))]
        if isinstance(said, text.Echo):
            self.outgoing.echoed(said.index)
        self._steps.popleft()
        if self._steps:
            self._next_step(now_us)
            return []
        self._state = State.OPEN
        self._answer.forget()
        known, self._known = self._known, True
        return [d.AtRest()] if known else [Identified(self._identity(), 0)]

    def _unasked(self, said: Any, now_us: int) -> list[Any]:
        """Something that means nothing here and now: a late answer, or the doing of somebody else."""
        if self._state in (State.UNKNOWN, State.CLEARING) or isinstance(said, text.Named):
            return []
        late = now_us < self._late_until_us or self._state in (State.STOPPING, State.READING)
        stray = isinstance(said, text.Started) and said.index == 0
        if late and (stray or isinstance(said, _MAY_BE_LATE)):
            return []
        what = said.text if isinstance(said, text.ByHand | text.Setting) else str(said)
        starts = isinstance(said, text.Started)
        if starts and self._state in (State.STOPPING, State.READING):
            # It may have been after the stop.
            measure = self._stopping.measure
            self._stop_anew(State.STOPPING, now_us, may_play=True)
            self.stop(now_us, measure=measure)
        return [d.Foreign(f"the device told of what was not ordered here: {what}", starts)]

    def _echo(self, said: text.Echo, now_us: int) -> list[Any]:
        if self._asked is None:
            return self._unasked(said, now_us)
        (index, slot), self._asked = self._asked, None
        if said[:2] != (index, slot):
            return [Failed(EchoMismatch(f"slot {index}: sent {slot}, the device holds {said.slot} in {said.index}"))]
        self.outgoing.echoed(index)
        self._ready = index
        return [d.Prepared()]

    def _started(self, said: text.Started, now_us: int) -> list[Any]:
        train, stops = self._train, self._state is not State.OPEN
        if stops and said.index == 0:
            # A stop of which only the letter arrived: slot 0 took the train's place, and it is grounded.
            self._stopping.forced.add(said.engine)
            if train is not None:
                train.replaced = True
            return []
        if train is None or train.started or (said.index, said.engine or "T") != (train.index, "T"):
            return self._unasked(said, now_us)
        train.started = True
        return [] if stops else [d.Begun()]

    def _complete(self, said: text.Complete, now_us: int) -> list[Any]:
        train = self._train
        if train is None or not train.started:
            return self._unasked(said, now_us)
        if not train.replaced:
            train.pulses = said.pulses
            train.done_due_us = now_us + SUMS_WAIT_US
        return []

    def _mean(self, said: text.Mean, now_us: int) -> list[Any]:
        train = self._train
        if train is None or not train.started:
            return self._unasked(said, now_us)
        if train.replaced:
            return []
        if said.pulses is not None and said.stage == 0:
            train.pulses = said.pulses
        train.means[said.channel, said.stage] = said.mean_ua
        return self._done(train, now_us) if self._is_whole(train, said) else []

    @staticmethod
    def _rejected(said: text.Rejected, _now_us: int) -> list[Any]:
        return [Failed(Refused("a line", said.text))]

    def _stop_answer(self, said: text.Forced | text.Grounded, now_us: int) -> list[Any]:
        stop = self._stopping
        if stop.stale:
            stop.stale -= isinstance(said, text.Grounded)
        elif isinstance(said, text.Forced):
            stop.forced.add(said.engine)
        else:
            stop.grounded.add(said.channel)
        return self._look_at_stop(now_us)

    def _current(self, said: text.Current, now_us: int) -> list[Any]:
        currents_ua = self._stopping.currents_ua
        currents_ua.append(abs(said.current_ua))
        return self._at_zero(max(currents_ua), now_us) if len(currents_ua) == len(CHANNELS) else []

    def _is_whole(self, train: Train, said: text.Mean) -> bool:
        return train.pulses is not None and said.stage == len(train.slot.stages) - 1 and said.channel == 1

    def _done(self, train: Train, now_us: int) -> list[Any]:
        self._train = None
        self.outgoing.over()
        self._stopping.may_play = False
        done = d.Done(train.pulses, tuple(phases_of(train)), tuple(rests_of(train)))
        return [done, *(self._look_at_stop(now_us) if self._state is State.STOPPING else ())]

    def _look_at_stop(self, now_us: int) -> list[Any]:
        stop = self._stopping
        if len(stop.grounded) < len(CHANNELS) or (stop.may_play and not stop.forced >= self.engines):
            return []
        if not stop.measure:
            return self._at_zero(None, now_us)
        self._train = None
        self.outgoing.over()
        self.outgoing.send(READ_CURRENTS, now_us)
        self._state = State.READING
        self._answer.expect(READ_WAIT_US, now_us)
        return []

    def _at_zero(self, measured_ua: int | None, now_us: int) -> list[Any]:
        self._train = None
        self.outgoing.over()
        if self._state is State.CLEARING:
            self.rest(now_us)
            return []
        self._state = State.OPEN
        self._answer.forget()
        return [d.AtZero(measured_ua)]

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
            stops_mid_pulse=self.stops_mid_pulse,
        )


class DialectA(StimJim):
    """The Teensy's "Pulser": no identification, blocks for people, no count after a stop."""

    letter = "a"


class DialectB(StimJim):
    """stimjimAWG: answers `IDN` and `ERR`, echoes one line; its measurement is not there in every version."""

    letter = "b"
    measures = False
    stops_mid_pulse = True

    _tells_sums: bool | None = None  # not known before its first lease

    def _complete(self, said: text.Complete, now_us: int) -> list[Any]:
        foreign, train = super()._complete(said, now_us), self._train
        whole = train is not None and train.done_due_us is not None and self._tells_sums is False
        return self._done(train, now_us) if train is not None and whole else foreign

    def _mean(self, said: text.Mean, now_us: int) -> list[Any]:
        self._tells_sums = self.measures = True
        return super()._mean(said, now_us)

    def _done(self, train: Train, now_us: int) -> list[Any]:
        self._tells_sums = bool(self._tells_sums)
        return super()._done(train, now_us)


class DialectC(StimJim):
    """The RP2354B: `X` stops in mid-stage, `T-1` means nothing, each channel tells its own end."""

    letter = "c"
    stops_mid_pulse = True
    # One early version ends a train on any byte that it hears.
    prepares_ahead = False
    engines = frozenset({""})

    def _is_whole(self, train: Train, said: text.Mean) -> bool:
        return said.stage is None and said.channel == max(
            channel for channel, mode in enumerate(train.slot.modes) if mode == CURRENT
        )


DIALECTS: dict[str, type[StimJim]] = {"a": DialectA, "b": DialectB, "c": DialectC}


# What a stop that was sent more than once, or a train that it cut, may have to tell afterwards.
_MAY_BE_LATE = (
    *(text.Forced, text.Grounded, text.Current, text.Complete, text.Mean, text.Rejected),
    *(text.Echo, text.Setting, text.Detached),
)


# What takes which of what is heard, in which states. Anything else means nothing then.
_TABLE: dict[tuple[State, type[Any]], str] = {
    (state, said): take
    for take, said, states in (
        ("_stop_answer", text.Forced, (State.CLEARING, State.STOPPING)),
        ("_stop_answer", text.Grounded, (State.CLEARING, State.STOPPING)),
        ("_rested", text.Echo, (State.RESTING,)),
        ("_rested", text.Setting, (State.RESTING,)),
        ("_rested", text.Detached, (State.RESTING,)),
        ("_rested", text.Rejected, (State.RESTING,)),
        ("_echo", text.Echo, (State.OPEN,)),
        ("_started", text.Started, (State.OPEN, State.STOPPING, State.READING)),
        ("_complete", text.Complete, (State.OPEN, State.STOPPING)),
        ("_mean", text.Mean, (State.OPEN, State.STOPPING)),
        ("_rejected", text.Rejected, (State.OPEN, State.STOPPING, State.READING)),
        ("_current", text.Current, (State.READING,)),
    )
    for state in states
}
