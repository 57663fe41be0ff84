"""Runs an engine on a port: the one loop, and the one place where a session waits.

The same loop serves hardware and virtual time: `port.wait` sleeps or moves the simulated world, and nobody
here can tell. Other threads hand in commands with `post`, which wakes the wait. What the engine refuses is told,
not raised: the loop must not die of a key press.
"""

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from stimctl import limits
from stimctl.errors import LineLost, LogFault, Suspended
from stimctl.port import SLICE_S, Port
from stimctl.session import commands as c
from stimctl.session.context import AwaitDurable, EngineStep, LogEarlierDose, SessionOver
from stimctl.session.engine import Engine
from stimctl.session.log import SessionLog
from stimctl.session.monotonic_port import MonotonicPort
from stimctl.session.replay_metadata import BEGUN, ENDED, LOST, ORDER
from stimctl.session.states import End
from stimctl.session.view import SessionReport, SessionView
from stimctl.stimulators.base import Identity, SessionCounts, Stimulator, ZeroConfirmed, ZeroOverdue
from stimctl.stimulators.command_writer import CommandWriter

Recover = Callable[[Identity, SessionCounts], str]
TakeNote = Callable[[int, str, Mapping[str, Any]], None]

DURABLE_US = 10_000_000
POLL_US = 10_000
# So late behind a wait without bytes, the line is read again before the time is judged: later than a port that waits in
# slices comes back anyway, which would wait for another slice [choice].
LOOK_AGAIN_US = round(2e6 * SLICE_S)
CLOSE_US = 10_000_000  # for zero once more, and the counts, and the log [choice]


class Runner:
    """Runs one engine to its end.

    `recover(identity, records)` writes the dose that the device still held of an earlier session, durably,
    and returns where. `attended` says that a front end checks in by itself; without one the loop does, so
    that a script or a virtual clock counts as the front end. `take_note` is told of the beginning, of each command
    and of the end, for a record of the session.
    """

    def __init__(
        self,
        port: Port,
        engine: Engine,
        log: SessionLog,
        recover: Recover,
        *,
        attended: bool,
        take_note: TakeNote | None = None,
    ) -> None:
        self._port = MonotonicPort(port)
        self._engine = engine
        self._log = log
        self._recover = recover
        self._take_note = take_note or (lambda _at_us, _kind, _body: None)
        self._attended = attended
        self._posted: deque[c.Command] = deque()
        self._script: deque[tuple[int, c.Command]] = deque()
        self._told: deque[Any] = deque()
        # What the loop itself has to say at the next step, and until when it waits for the log.
        self._facts: list[c.Fact] = []
        self._durable_by_us: int | None = None
        self._writer = CommandWriter(self._port.write, engine.stimulator.follow_cut)
        self._data = b""
        self._over = False
        # The newest; the engine gives the same one again as long as telemetry is all that comes.
        self._last = EngineStep(b"", (), 0, None)

    @property
    def view(self) -> SessionView:
        """A snapshot, from any thread."""
        return self._engine.view(self._port.look_us())

    def post(self, command: c.Command) -> None:
        """From any thread: have the command carried out on the loop, now."""
        self._posted.append(command)
        self._port.wake()

    def take_events(self) -> list[Any]:
        """What happened since the last call, from any thread."""
        events = []
        while self._told:
            events.append(self._told.popleft())
        return events

    def run(self, actions: Iterable[tuple[int, c.Command]] = ()) -> SessionReport:
        """Run to the end. `actions` are commands at times relative to the start, by the port's clock."""
        now_us, take_note = self._port.now_us(), self._take_note
        script = [(now_us + at_us, command) for at_us, command in actions]
        self._script = deque(sorted(script, key=lambda action: action[0]))
        take_note(now_us, BEGUN, {})
        self._engine.begin(now_us)
        try:
            while not self._over:
                now_us = self._step(now_us)
        except BaseException:
            self._zero_on_the_way_out()
            raise
        assert self._engine.report is not None
        take_note(now_us, ENDED, {"end": self._engine.report.end.name})
        return self._engine.report

    def _step(self, now_us: int) -> int:
        """Give the engine what there is, do what it wants, and wait for what comes next. Returns the time."""
        command: Sequence[c.Command | c.Fact] = ()
        script = self._script
        if now_us >= self._last.deadline_us or self._facts or self._posted or (script and script[0][0] <= now_us):
            command = self._next_command(now_us)
        step, self._data = self._engine.step(now_us, self._data, command), b""
        if step is not self._last:
            self._last = step
            self._told.extend(step.events)
            if step.output:
                self._send(step.output)
            if step.wants is not None:
                self._fulfil(step.wants)
        wait_until_us, port, came_us = step.deadline_us, self._port, None
        if self._writer.owed:
            if not step.output:
                self._send(b"")
            wait_until_us = min(wait_until_us, now_us + limits.STOP_RESEND_US)
        if self._durable_by_us is not None:
            self._ask_durable(now_us >= self._durable_by_us)
            wait_until_us = max(now_us, min(wait_until_us, now_us + POLL_US))
        # Where each write takes as long as a stop waits to be sent again, nothing would ever be read.
        took_long = bool(self._facts) and not port.virtual and port.now_us() - now_us >= limits.STOP_RESEND_US
        if (took_long or not self._facts) and not self._over:
            if took_long:
                wait_until_us = now_us
            elif self._script:
                wait_until_us = min(wait_until_us, self._script[0][0])
            try:
                came_us = self._wait(wait_until_us)
            except (Suspended, LineLost) as unheard:
                self._not_heard(unheard)
            if port.went_back:
                port.went_back = False
                # At most all of the wait has passed: no dose is told too low, and none too high for the least.
                self._engine.stimulator.stood_still(port.skip_to(wait_until_us))
                came_us = None
                self._facts.append(c.HostTrouble(End.CLOCK, "the host's clock went back"))
        return port.now_us() if came_us is None else came_us

    def _wait(self, until_us: int) -> int:
        """Wait for bytes; the time, up to which all that had come was read.

        This program may stand still behind a wait in which nothing came: what comes meanwhile is no silence.
        """
        port = self._port
        self._data = port.wait(until_us)
        now_us = port.now_us()
        if not port.virtual and now_us - until_us > LOOK_AGAIN_US:
            if self._durable_by_us is not None:
                self._durable_by_us += now_us - until_us
            if not self._data:
                self._data = port.wait(now_us)
        return now_us

    def _next_command(self, now_us: int) -> list[c.Command | c.Fact]:
        """What there is for the engine: what the loop itself has to say, then what was asked for."""
        command: list[c.Command | c.Fact] = []
        if self._facts:
            command += self._facts
            self._facts = []
        if now_us >= self._last.deadline_us:
            if self._port.virtual:
                self._log.wait_room()
            if not self._attended:
                command.append(_HERE)
        for _ in range(len(self._posted)):  # what comes meanwhile is for the next step, or none would ever be taken
            command.append(self._noted(self._posted.popleft(), now_us))
        while self._script and self._script[0][0] <= now_us:
            command.append(self._noted(self._script.popleft()[1], now_us))
        return command

    def _noted(self, command: c.Command, now_us: int) -> c.Command:
        said = c.note_of(command)
        if said is not None:
            self._take_note(now_us, ORDER, said)
        return command

    def _send(self, output: bytes) -> None:
        written = (output or self._writer.owed) and self._writer.send(output)
        if written and self._engine.stimulator.hears_writes:
            self._facts.append(c.BytesWritten(self._port.now_us()))

    def _not_heard(self, why: Suspended | LineLost) -> None:
        if isinstance(why, Suspended):
            self._facts.append(c.HostTrouble(End.SUSPENDED, str(why)))
        else:
            self._writer.line_gone = True
            self._take_note(self._port.now_us(), LOST, {})
            self._facts.append(c.LineGone(why))

    def _fulfil(self, wants: AwaitDurable | LogEarlierDose | SessionOver) -> None:
        if isinstance(wants, SessionOver):
            self._over = True
        elif isinstance(wants, AwaitDurable):
            self._durable_by_us = self._port.now_us() + DURABLE_US
        else:
            try:
                self._facts.append(c.EarlierDoseLogged(self._recover(*wants)))
            except LogFault as fault:
                self._facts.append(c.LogFailed(fault))

    def _ask_durable(self, is_late: bool) -> None:
        """See whether the log is on disk, without waiting for it: keepalives and stops go on meanwhile.

        On a virtual clock, and where the line is gone, waiting delays nobody.
        """
        waits = self._port.virtual or self._writer.line_gone
        try:
            self._log.drain(DURABLE_US / 1e6 if waits else 0)
        except LogFault as not_yet:
            if waits or is_late or self._log.problem() is not None:
                self._durable_by_us = None
                self._facts.append(c.LogFailed(not_yet))
        else:
            self._durable_by_us = None
            self._facts.append(c.LogDurable())

    def _zero_on_the_way_out(self) -> None:
        """Something unforeseen is leaving the loop: first zero, seen to be zero, then a proper end if there can be one.

        Whatever else is broken by now, the next of these steps is still tried.
        """
        now_us, at_zero = self._port.now_us, False
        began_us = now_us()
        self._facts = [c.HostTrouble(End.INTERRUPTED, "")]
        try:
            with suppress(Exception):
                try:
                    at_zero = self._stop_apart(self._engine.stimulator.apart())
                except LineLost as gone:
                    self._not_heard(gone)
            self._engine.on_the_way_out(now_us(), 0 if at_zero else now_us() - began_us)
            with suppress(Exception):
                by_us = now_us() + CLOSE_US
                while not self._over and now_us() < by_us:
                    self._step(now_us())
        finally:  # also where somebody does not wait for that
            self._told.extend(self._engine.abandon(now_us(), at_zero=at_zero))

    def _stop_apart(self, stimulator: Stimulator) -> bool:
        """Stop by an adapter that nothing has happened to yet, until zero is confirmed, nobody is there, or 60 s pass.

        Returns whether zero was confirmed.
        """
        port = self._port
        began_us = now_us = port.now_us()
        stimulator.stop(now_us)
        while now_us - began_us < limits.STOP_TRY_US:
            self._send(stimulator.take_output())
            data = port.wait(stimulator.next_deadline_us())
            now_us = port.now_us()
            for event in [*stimulator.receive(data, now_us), *stimulator.advance(now_us)]:
                if isinstance(event, ZeroConfirmed):
                    return True
                if isinstance(event, ZeroOverdue):
                    self._told.extend(self._engine.tell_doubt(event.text, now_us))
        return False


_HERE = c.CheckIn()
