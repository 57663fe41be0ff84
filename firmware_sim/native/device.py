"""The simulated stimulator, sans-I/O: bytes and the time in, bytes and the next deadline out.

It owns no port, thread or clock. Before a handshake it says nothing on its own; whatever it does not know it
refuses, by name; a Stop it executes always. Times that callers give are of the caller's clock; the device's
own time begins at zero when it boots, which is when the object is made.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from firmware_sim.analog.load import Load, load_named
from firmware_sim.analog.load_changes import NEVER_US
from firmware_sim.native.command_handlers import ANSWERS, read_identity, stop
from firmware_sim.native.flash import Flash
from firmware_sim.native.identity import NEVER_CALIBRATED
from firmware_sim.native.loading import is_intact
from firmware_sim.native.machine import Machine
from firmware_sim.native.nonces import Draw, by_seed
from firmware_sim.native.output_stage import OutputStage, Trip
from firmware_sim.native.program import OutputProgram
from firmware_sim.native.refusal import CommandDenied
from firmware_sim.native.reply_cache import REPEATED, STALE, ReplyCache
from firmware_sim.native.run_state import StateChange
from firmware_sim.native.states import IllegalCause
from firmware_sim.native.telemetry import PERIOD_US, TelemetrySender
from stimctl.errors import WireError
from stimctl.wire import codec as m
from stimctl.wire.codes import PROTOCOL_VERSION, EndReason, Refusal
from stimctl.wire.framing import FrameSplitter

if TYPE_CHECKING:
    from firmware_sim.analog.recorder import Recorder  # brings numpy with it

_STOP = m.SHAPE_OF[m.Stop].kind
_FIRST_ANSWER = 0x40  # kinds from here on are a device's own


class Device:
    """One stimulator from power-on. Hand its `flash` to another `Device`, and it has been reset.

    `load` is what its outputs drive, an object or a preset's name; `seed` makes its noise, and the chance in its
    nonces unless `draw` does; `journal` is told
    each change of state, each keepalive that counted and each zero that became sure, as a mapping with
    `device_time_us`.
    """

    # What it is made of. A device that is wrong on purpose is made of other parts.
    stage_class = OutputStage
    machine_class = Machine
    telemetry_class = TelemetrySender

    def __init__(
        self,
        *,
        seed: int = 1,
        load: Load | str = "nominal",
        flash: Flash | None = None,
        recorder: "Recorder | None" = None,
        journal: Callable[[Mapping[str, int | str]], None] | None = None,
        boot_us: int = 0,
        calibrated_on: int = NEVER_CALIBRATED,
        draw: Draw | None = None,
    ) -> None:
        chosen = load_named(load, seed) if isinstance(load, str) else load
        self._seed = seed
        self._calibrated_on = calibrated_on
        self._boot_us = boot_us
        self._journal = journal
        self._out: list[bytes] = []
        self._splitter = FrameSplitter()
        self._replies = ReplyCache()
        self._greeted = False
        self._tick_us = NEVER_US
        stage = self.stage_class(chosen, seed=seed, recorder=recorder)
        self.machine = self.machine_class(stage, flash if flash is not None else Flash(), self._tell)
        self.machine.draw = draw or by_seed(seed)
        self._telemetry = self.telemetry_class(self.machine)
        self._timers = self.machine.timers
        self._saves_to_file = self.machine.flash.saves_to_file
        self._proven: OutputProgram | None = None
        if journal is not None:
            self.machine.zero.became_sure = self._note_zero
        self._note(event="boot", device_time_us=0, boot_id=self.machine.boot_id)

    # --- the four ways in and out ---------------------------------------------------------------

    def receive(self, data: bytes, now_us: int) -> None:
        """Take bytes that arrive at `now_us`, in any pieces. Never raises for what they say."""
        self.advance(now_us)
        for payload in self._splitter.feed(data):
            self._take(payload)

    def advance(self, now_us: int) -> None:
        """Let time pass up to `now_us`. An earlier time than the last one changes nothing."""
        machine = self.machine
        until_us = now_us - self._boot_us
        while (tick_us := self._tick_us) <= until_us:
            machine.advance(tick_us)
            if machine.run is not None and machine.program is not self._proven:
                self._prove(tick_us)
            self._out.append(self._telemetry.tick(tick_us))
            self._tick_us = tick_us + PERIOD_US
        if until_us > machine.now_us or self._timers.next_us <= until_us:
            machine.advance(until_us)

    def next_event_us(self) -> int:
        """When, on the caller's clock, the device next does something by itself. It always does, sooner or later."""
        machine, tick_us, next_us = self.machine, self._tick_us, self._timers.next_us
        next_us = tick_us if tick_us < next_us else next_us
        if (run := machine.run) is not None:
            # A pulse that is due at a time, and may trip, has begun just after it.
            due_us = machine.stage.due_us + run.offset_us + 1
            next_us = due_us if due_us < next_us else next_us
        return next_us + self._boot_us

    def take_output(self) -> bytes:
        """The bytes to send since the last call."""
        out = self._out
        if not out:
            return b""
        if self._saves_to_file:
            self.machine.flash.note()  # what is told is not lost, whatever becomes of this process
        taken = out[0] if len(out) == 1 else b"".join(out)
        out.clear()
        return taken

    def connect(self, load: Load) -> None:
        """Let the outputs drive another load from now on, under power."""
        self.machine.stage.connect(load)

    def close(self) -> None:
        """Take the power away. What lasts is in the flash."""
        self.machine.flash.save()

    # --- faults ---------------------------------------------------------------------------------

    def halt(self, now_us: int, *, timers: bool = True) -> None:
        """The firmware is gone in the middle of its work: output ends, and nobody is told.

        Without `timers` nothing that fell due is done any more.
        """
        if timers:
            self.advance(now_us)
        self.machine._quiet(now_us - self._boot_us)
        self.machine.flash.save()

    def resume(self, now_us: int, trip: Trip | None) -> None:
        """Nothing was looked at until `now_us`, not even a `trip` that cut output meanwhile: it all is now."""
        at_us = now_us - self._boot_us
        self._timers.put_off(at_us)
        self._tick_us = max(self._tick_us, at_us)
        if trip is not None:
            self.machine._tripped(trip, at_us)
        self.advance(now_us)

    def _prove(self, now_us: int) -> None:
        """The program that runs is still the one that was sealed, or the session ends."""
        if is_intact(self.machine.program, self.machine.digest):
            self._proven = self.machine.program
        else:
            self.machine.end(EndReason.GATE, now_us)

    # --- commands -------------------------------------------------------------------------------

    def _take(self, payload: bytes) -> None:
        if payload[0] == _STOP:
            stopped = stop(self.machine, self.machine.now_us)
            self._out.insert(0, m.encode(m.sequence_in(payload), stopped))  # ahead of everything that waits to be sent
            return
        if payload[0] >= _FIRST_ANSWER:
            self._refuse(payload, CommandDenied(Refusal.UNKNOWN_KIND))
            return
        try:
            order = m.message_in(payload)
        except WireError as problem:
            self._refuse(payload, _refusal_of(problem))
            return
        sequence = m.sequence_in(payload)
        if type(order) is m.Hello:
            self._hello(sequence, order)
        elif not self._greeted:
            self._refuse(payload, CommandDenied(Refusal.NO_HANDSHAKE))
        else:
            self._in_turn(sequence, order, payload)

    def _in_turn(self, sequence: int, order: object, payload: bytes) -> None:
        disposition = self._replies.disposition(sequence, payload)
        if disposition is REPEATED:
            self._out.append(self._replies.answer)
        elif disposition is STALE:
            self._refuse(payload, CommandDenied(Refusal.STALE_SEQUENCE, sequence))
        else:
            answer = m.encode(sequence, self._execute(order, payload[0]))
            self._replies.keep(sequence, payload, answer)
            self._out.append(answer)

    def _execute(self, order: object, kind: int) -> object:
        try:
            if type(order) is m.ReadIdentity:
                return read_identity(order.page, self._seed, self._calibrated_on)
            answer = ANSWERS[type(order)](self.machine, order, self.machine.now_us)
        except CommandDenied as denied:
            return m.Refused(kind, denied.reason, denied.detail, denied.limit)
        except IllegalCause as illegal:
            return m.Refused(kind, Refusal.WRONG_STATE, illegal.state, 0)
        if self._journal is not None and type(order) is m.KeepAlive:
            self._note(event="alive", device_time_us=self.machine.now_us)
        return answer

    def _hello(self, sequence: int, order: m.Hello) -> None:
        machine = self.machine
        if machine.session is not None:
            machine.end(EndReason.HANDSHAKE, self.machine.now_us)
        if order.version != PROTOCOL_VERSION:
            refused = m.Refused(m.SHAPE_OF[m.Hello].kind, Refusal.UNSUPPORTED_VERSION, order.version, PROTOCOL_VERSION)
            self._reply(sequence, refused)
            return
        self._replies.open(sequence)
        if not self._greeted:
            self._greeted = True
            self._tick_us = self.machine.now_us + PERIOD_US
        waiting = machine.waiting
        number = waiting.number if waiting is not None else 0
        self._reply(sequence, m.Welcome(PROTOCOL_VERSION, machine.boot_id, 1, machine.state, number))

    def _reply(self, sequence: int, answer: object) -> None:
        self._out.append(m.encode(sequence, answer))

    def _refuse(self, payload: bytes, denied: CommandDenied) -> None:
        self._reply(m.sequence_in(payload), m.Refused(payload[0], denied.reason, denied.detail, denied.limit))

    # --- what it tells --------------------------------------------------------------------------

    def _tell(self, change: StateChange) -> None:
        if self._greeted:
            self._out.append(self._telemetry.event(change))
        self._note(
            event="state",
            device_time_us=change.at_us,
            before=change.before.name,
            state=change.state.name,
            reason=EndReason(change.reason).name,
            channel=change.channel,
            value=change.value,
            keepalive_age_us=change.at_us - self.machine.alive_us,
        )

    def _note_zero(self, sure_us: int, since_us: int) -> None:
        self._note(event="zero", device_time_us=sure_us, since_us=since_us)

    def _note(self, **entry: int | str) -> None:
        if self._journal is not None:
            self._journal(entry)


def _refusal_of(problem: WireError) -> CommandDenied:
    if isinstance(problem, m.UnknownKind):
        return CommandDenied(Refusal.UNKNOWN_KIND)
    return CommandDenied(Refusal.WRONG_LENGTH if isinstance(problem, m.WrongLength) else Refusal.UNKNOWN_VALUE)
