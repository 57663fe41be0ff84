"""StimJim by leases: one text protocol in three dialects, two isolated channels of constant current.

A is the deployed "Pulser" of the Teensy, B is stimjimAWG, C the firmware of the RP2354B. A lease is one slot and
one start; the echo of the slot is compared with what was sent before it may be started. Slots take turns, so
that the one that plays is never written; slot 0 stays grounded, because a garbled stop starts it.
"""

from typing import Any

from stimctl.errors import EchoMismatch, Problem, TimedOut, Unsafe, WrongDevice
from stimctl.errors import Refused as RefusedError
from stimctl.stimulators import dialect as d
from stimctl.stimulators import stimjim_text as text
from stimctl.stimulators.base import Identity
from stimctl.stimulators.leases import Lease
from stimctl.stimulators.stimjim_gate import (
    CURRENT,
    GROUND,
    HARMLESS,
    IDENTIFY,
    READ_CURRENTS,
    STOP,
    Slot,
    StimJimGate,
)
from stimctl.waveform import Program
from stimctl.wire.codes import Capability

CHANNELS = (1, 2)
NAME_WAIT_US = 300_000  # dialect A does not answer `IDN`: silence for so long names it
ANSWER_US = 500_000
READ_WAIT_US = 40_000  # a reading that is later is not waited for: the stop is then acknowledged only
SUMS_WAIT_US = 50_000  # dialect B may tell its means after the count; whether it does, its first lease shows
_SLOTS = (1, 2, 3)  # in turn: one plays, one stands ready
_HARMLESS_SLOT = Slot((GROUND, GROUND), 10_000, 10_000, ((0, 0, 1_000),))


class StimJim:
    """What the three dialects share. `simulator` is what the port says: the protocol has no word for it."""

    name = "StimJim"
    letter = ""
    measures = True
    stops_mid_pulse = False
    prepares_ahead = True
    pulse_source = "the device's report at the end of each lease"
    self_test_note = "no self-test on this device: both outputs were grounded and their current read"

    def __init__(self, *, simulator: bool = False, firmware: str = "not said") -> None:
        self._simulator = simulator
        self._firmware = firmware
        self._gate = StimJimGate()
        self._reader = text.Reader()
        self._turn = 0
        self._asked: tuple[int, Slot] | None = None
        self._ready: int | None = None
        self._playing: tuple[int, Slot] | None = None
        self.measures = type(self).measures
        self._pulses: int | None = None
        self._means: dict[tuple[int, int], int] = {}
        self._done_due_us: int | None = None
        self._connecting = False
        self._answer_due_us: int | None = None
        self._stopping = False
        self._measure = False
        self._forced: set[str] = set()
        self._grounded: set[int] = set()
        self._replaced = False
        self._currents: list[int] | None = None
        self._read_due_us: int | None = None

    # --- orders -------------------------------------------------------------------------------------

    def connect(self, now_us: int) -> None:
        """Stop whatever another program left running, then ground slot 0."""
        self._connecting = True
        self._answer_due_us = now_us + ANSWER_US
        self.stop(now_us, measure=False)

    def check_program(self, program: Program) -> None:
        foreign = [channel for channel in program.channels if channel not in CHANNELS]
        if foreign:
            raise Unsafe([Problem("channels", foreign, f"{self.name} has channels 1 and 2")])

    def arm(self, ceiling_ua: int) -> None:
        self._gate.arm(ceiling_ua)

    def disarm(self) -> None:
        self._gate.disarm()

    def prepare(self, lease: Lease, now_us: int) -> None:  # noqa: ARG002
        slot = slot_of(lease)
        taken = (None if self._playing is None else self._playing[0], self._ready)
        index = next(each for each in (*_SLOTS[self._turn :], *_SLOTS) if each not in taken)
        self._turn = index % len(_SLOTS)
        self._gate.send(slot.line(index))
        self._asked = (index, slot)
        self._ready = None

    def begin(self, now_us: int) -> None:  # noqa: ARG002
        assert self._ready is not None
        index, self._ready = self._ready, None
        self._gate.send(b"T%d\n" % index)
        self._playing = (index, self._gate.slots[index])
        self._pulses = None
        self._means = {}

    def stop(self, now_us: int, *, measure: bool) -> None:  # noqa: ARG002
        self._gate.send(STOP)
        self._stopping, self._measure = True, measure
        self._asked = None
        self._ready = None
        self._currents = None
        self._read_due_us = None
        self._forced.clear()
        self._grounded.clear()

    # --- bytes and time -----------------------------------------------------------------------------

    def receive(self, data: bytes, now_us: int) -> list[Any]:
        events: list[Any] = []
        for said in self._reader.feed(data):
            events += self._hear(said, now_us)
        return events

    def advance(self, now_us: int) -> list[Any]:
        if self._answer_due_us is not None and now_us >= self._answer_due_us:
            self._answer_due_us = None
            return [d.Broken(self._silence())]
        if self._read_due_us is not None and now_us >= self._read_due_us:
            return self._at_zero(None)
        if self._done_due_us is not None and now_us >= self._done_due_us:
            return self._done()
        return []

    def next_deadline_us(self) -> int | None:
        due = (self._answer_due_us, self._read_due_us, self._done_due_us)
        return min((each for each in due if each is not None), default=None)

    def take_output(self) -> bytes:
        return self._gate.take()

    # --- inside -------------------------------------------------------------------------------------

    def _silence(self) -> TimedOut | WrongDevice:
        return WrongDevice(
            f"no {self.name} answered in its dialect {self.letter.upper()}; look at the port, or name another dialect"
        )

    def _hear(self, said: Any, now_us: int) -> list[Any]:
        match said:
            case text.Echo():
                events = self._echo(said)
            case text.Started():
                events = self._started(said)
            case text.Complete():
                events = self._complete(said, now_us)
            case text.Mean():
                events = self._mean(said)
            case text.Rejected() if not self._connecting:
                events = [d.Broken(RefusedError("a line", said.text))]
            case _:
                events = self._stop_answer(said, now_us) if self._stopping else []
        return events

    def _echo(self, said: text.Echo) -> list[Any]:
        if self._connecting and said.dialect != self.letter:
            found, asked = said.dialect.upper(), self.letter.upper()
            return [d.Broken(WrongDevice(f"this {self.name} speaks dialect {found}, not {asked}; name that one"))]
        if self._connecting and said.index == 0:
            if said.slot != _HARMLESS_SLOT:
                return [d.Broken(EchoMismatch(f"slot 0 stands as {said.slot}, not grounded"))]
            self._connecting = False
            self._answer_due_us = None
            self._gate.echoed(0)
            return [d.Found(self._identity())]
        if self._asked is None or self._stopping:
            return []
        (index, slot), self._asked = self._asked, None
        if said[:2] != (index, slot):
            return [d.Broken(EchoMismatch(f"slot {index}: sent {slot}, the device holds {said.slot} in {said.index}"))]
        self._gate.echoed(index)
        self._ready = index
        return [d.Prepared()]

    def _started(self, said: text.Started) -> list[Any]:
        if said.index == 0 and self._stopping:
            # A stop of which only the letter arrived: slot 0 took the train's place, and it is grounded.
            self._forced.add(said.engine)
            self._replaced = True
            return []
        if self._playing is None or said.index != self._playing[0]:
            return [d.Broken(EchoMismatch(f"the device started slot {said.index}, which was not ordered"))]
        return [] if self._stopping else [d.Begun()]

    def _complete(self, said: text.Complete, now_us: int) -> list[Any]:
        if self._playing is None or self._replaced:
            return []
        self._pulses = said.pulses
        self._done_due_us = now_us + SUMS_WAIT_US
        return []

    def _mean(self, said: text.Mean) -> list[Any]:
        if self._playing is None or self._replaced:
            return []
        if said.pulses is not None and said.stage == 0:
            self._pulses = said.pulses
        if said.stage is not None:
            self._means[said.channel, said.stage] = said.mean_ua
        return self._done() if self._is_whole(self._playing[1], said) else []

    def _is_whole(self, slot: Slot, said: text.Mean) -> bool:
        return self._pulses is not None and said.stage == len(slot.stages) - 1 and said.channel == 1

    def _done(self) -> list[Any]:
        assert self._playing is not None
        (_index, slot), self._playing = self._playing, None
        self._done_due_us = None
        self._gate.over()
        done = d.Done(self._pulses, tuple(_phases(slot, self._means)))
        if not self._stopping:
            return [done]
        return [done, *self._look_at_stop()]

    def _stop_answer(self, said: Any, now_us: int) -> list[Any]:
        if isinstance(said, text.Forced):
            self._forced.add(said.engine)
        elif isinstance(said, text.Grounded):
            self._grounded.add(said.channel)
        elif isinstance(said, text.Current) and self._currents is not None:
            self._currents.append(abs(said.current_ua))
            return self._at_zero(max(self._currents)) if len(self._currents) == len(CHANNELS) else []
        return self._look_at_stop(now_us)

    def _stopped(self) -> bool:
        """Whether the train is known to be over: grounding alone is undone by the next pulse."""
        return self._playing is None or self._forced >= {"T", "U"}

    def _look_at_stop(self, now_us: int | None = None) -> list[Any]:
        if not self._stopping or self._currents is not None or len(self._grounded) < len(CHANNELS):
            return []
        if not self._stopped():
            return []
        if not self._measure or now_us is None:
            return [] if now_us is None and self._measure else self._at_zero(None)
        self._playing = None
        self._gate.over()
        self._gate.send(READ_CURRENTS)
        self._currents = []
        self._read_due_us = now_us + READ_WAIT_US
        return []

    def _at_zero(self, measured_ua: int | None) -> list[Any]:
        self._stopping = self._replaced = False
        self._currents = self._read_due_us = self._done_due_us = None
        self._playing = None
        self._gate.over()
        if self._connecting:
            self._gate.send(HARMLESS)
            return []
        return [d.AtZero(measured_ua)]

    def _identity(self) -> Identity:
        return Identity(
            model=f"{self.name} dialect {self.letter.upper()}",
            serial="none",
            firmware=self._firmware,
            firmware_sha256="",
            boot_id=1,
            simulator=self._simulator,
            calibrated_on=None,
            channels=len(CHANNELS),
            capabilities=capabilities(measures=self.measures),
            max_amplitude_ua=2_000,
            dac_step_na=102,
            # Not from a document: a converter of 0.85 uA a count, with room for offset and gain [choice].
            readback_accuracy_ua=10,
            readback_accuracy_permille=10,
            net_charge_floor_pc=0,
            compliance_mv=13_700,
            watchdog_ms=0,
            by_lease=True,
        )


class DialectA(StimJim):
    """The Teensy's "Pulser": no identification, blocks for people, no count after a stop."""

    letter = "a"


class DialectB(StimJim):
    """stimjimAWG: answers `IDN` and `ERR`, echoes one line; its measurement is not there in every version."""

    letter = "b"
    measures = False

    _tells_sums: bool | None = None  # not known before its first lease

    def _complete(self, said: text.Complete, now_us: int) -> list[Any]:
        super()._complete(said, now_us)
        return self._done() if self._done_due_us is not None and self._tells_sums is False else []

    def _mean(self, said: text.Mean) -> list[Any]:
        self._tells_sums = self.measures = True
        return super()._mean(said)

    def _done(self) -> list[Any]:
        self._tells_sums = bool(self._tells_sums)
        return super()._done()


class DialectC(StimJim):
    """The RP2354B: `X` stops in mid-stage, `T-1` means nothing, each channel tells its own end."""

    letter = "c"
    stops_mid_pulse = True
    # One early version ends a train on any byte that it hears.
    prepares_ahead = False

    def _stopped(self) -> bool:
        return self._playing is None or "" in self._forced

    def _is_whole(self, slot: Slot, said: text.Mean) -> bool:
        return said.stage is None and said.channel == max(
            channel for channel, mode in enumerate(slot.modes) if mode == CURRENT
        )


DIALECTS: dict[str, type[StimJim]] = {"a": DialectA, "b": DialectB, "c": DialectC}


def capabilities(*, measures: bool) -> Capability:
    """What a StimJim can do by itself."""
    return Capability.MEASURES_CURRENT if measures else Capability(0)


def slot_of(lease: Lease) -> Slot:
    """A lease as a slot: both channels' pulses one behind the other in one list of stages."""
    shape = lease.shape
    stages: list[tuple[int, int, int]] = []
    at_us = 0
    for channel, amplitude_ua, delay_us in sorted(lease.levels, key=lambda level: level.delay_us):
        if delay_us > at_us:
            stages.append((0, 0, delay_us - at_us))
        for level_ua, width_us in (
            (amplitude_ua, shape.width_us),
            (0, shape.interphase_gap_us),
            (-shape.second_amplitude_ua(amplitude_ua), shape.second_width_us),
        ):
            if width_us:
                stages.append((level_ua, 0, width_us) if channel == 1 else (0, level_ua, width_us))
        at_us = delay_us + shape.span_us
    driven = {level.channel for level in lease.levels}
    modes = (CURRENT if 1 in driven else GROUND, CURRENT if 2 in driven else GROUND)
    return Slot(modes, shape.period_us, lease.pulses * shape.period_us, tuple(stages))


def _phases(slot: Slot, means: dict[tuple[int, int], int]) -> list[d.StageMean]:
    """Means by stage as means by phase."""
    found = []
    for number, stage in enumerate(slot.stages):
        for channel in (0, 1):
            if stage[channel] and (channel, number) in means:
                found.append(d.StageMean(channel + 1, 0 if stage[channel] > 0 else 1, means[channel, number]))
    return found


__all__ = ["DIALECTS", "IDENTIFY", "DialectA", "DialectB", "DialectC", "StimJim", "capabilities", "slot_of"]
