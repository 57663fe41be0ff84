"""Runs an engine on a port: the one loop.

The same loop serves hardware and virtual time: a wait sleeps or moves the simulated world, and nobody here can tell.
Other threads hand in commands with `post`, which wakes the wait. What the engine refuses is told, not raised: the loop
must not die of a key press.
"""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from stimctl import limits
from stimctl.errors import LogFault
from stimctl.port import Port
from stimctl.session import commands as c
from stimctl.session.context import AwaitDurable, EngineStep, LogEarlierDose, Want
from stimctl.session.engine import Engine
from stimctl.session.log import DURABLE_US, SessionLog, durable
from stimctl.session.port import SessionPort, TakeNote
from stimctl.session.view import SessionReport, SessionView
from stimctl.session.way_out import end_at_zero
from stimctl.stimulators.base import Identity, SessionCounts
from stimctl.traffic.session_notes import BEGUN, ENDED, ORDER

POLL_US = 10_000


class Runner:
    """Runs one engine to its end.

    `recover(identity, records)` writes the dose that the device still held of an earlier session, durably, and returns
    where. `attended` says that a front end checks in by itself; without one the loop does, so that a script or a
    virtual clock counts as the front end. `take_note` is told of the beginning, of each command and of the end, for a
    record of the session.
    """

    def __init__(
        self,
        port: Port,
        engine: Engine,
        log: SessionLog,
        recover: Callable[[Identity, SessionCounts], str],
        *,
        attended: bool,
        take_note: TakeNote | None = None,
    ) -> None:
        self._engine = engine
        self._log = log
        self._recover = recover
        self._attended = attended
        self._take_note = take_note or (lambda _at_us, _kind, _body: None)
        self._port = SessionPort(port, engine.stimulator, self._take_note)
        self._facts = self._port.facts
        self._posted: deque[c.Command] = deque()
        self._script: deque[tuple[int, c.Command]] = deque()
        self._told: deque[Any] = deque()
        self._durable_by_us: int | None = None  # while the log is waited for: not counting `port.stood_us`
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
        now_us = self._port.now_us()
        script = [(now_us + at_us, command) for at_us, command in actions]
        self._script.extend(sorted(script, key=lambda action: action[0]))
        self._take_note(now_us, BEGUN, {})
        self._engine.begin(now_us)
        try:
            while not self._over:
                now_us = self._step(now_us)
        except BaseException:
            end_at_zero(self._engine, self._port, self._step, self._told.extend)
            raise
        report = self._engine.report
        assert report is not None
        self._take_note(now_us, ENDED, {"end": report.end.name})
        return report

    def _step(self, now_us: int) -> int:
        """Give the engine what there is, do what it wants, and wait for what comes next. Returns the time."""
        port, facts, script = self._port, self._facts, self._script
        command: Sequence[c.Command | c.Fact] = ()
        if now_us >= self._last.deadline_us or facts or self._posted or (script and script[0][0] <= now_us):
            command = self._next_command(now_us)
        step, port.data = self._engine.step(now_us, port.data, command), b""
        if (step.output or port.writer.owed) and port.send(step.output) and self._engine.stimulator.hears_writes:
            facts.append(c.BytesWritten(port.now_us()))
        if step is not self._last:
            self._last = step
            self._told.extend(step.events)
            if step.wants is not None:
                self._fulfil(step.wants)
        wait_until_us = step.deadline_us
        if port.writer.owed:
            wait_until_us = min(wait_until_us, now_us + limits.STOP_RESEND_US)
        if self._durable_by_us is not None:
            is_late = now_us - port.stood_us >= self._durable_by_us
            said = durable(self._log, waits=port.virtual or port.writer.line_gone, is_late=is_late)
            if said is not None:
                facts.append(said)
                self._durable_by_us = None
            wait_until_us = max(now_us, min(wait_until_us, now_us + POLL_US))
        if facts or self._over:
            # Where each write takes as long as a stop waits to be sent again, nothing would ever be read.
            took_long = not port.virtual and port.now_us() - now_us >= limits.STOP_RESEND_US
            if self._over or not took_long:
                return port.now_us()
            wait_until_us = now_us
        elif script:
            wait_until_us = min(wait_until_us, script[0][0])
        return port.listen(wait_until_us)

    def _next_command(self, now_us: int) -> list[c.Command | c.Fact]:
        """What there is for the engine: what the loop itself has to say, then what was asked for."""
        told: list[c.Fact] = [*self._facts]
        asked: list[c.Command] = []
        self._facts.clear()
        if now_us >= self._last.deadline_us:
            if self._port.virtual:
                self._log.wait_room()
            if not self._attended:
                asked.append(c.CheckIn())
        for _ in range(len(self._posted)):  # what comes meanwhile is for the next step, or none would ever be taken
            asked.append(self._posted.popleft())
        while self._script and self._script[0][0] <= now_us:
            asked.append(self._script.popleft()[1])
        for each in asked:
            if (said := c.note_of(each)) is not None:
                self._take_note(now_us, ORDER, said)
        return [*told, *asked]

    def _fulfil(self, wants: Want) -> None:
        if isinstance(wants, AwaitDurable):
            self._durable_by_us = self._port.now_us() - self._port.stood_us + DURABLE_US
        elif isinstance(wants, LogEarlierDose):
            try:
                self._facts.append(c.EarlierDoseLogged(self._recover(*wants)))
            except LogFault as fault:
                self._facts.append(c.LogFailed(fault))
        else:
            self._over = True
