"""The loop that runs an engine on a port: the one place where a session waits.

The same loop serves hardware and virtual time: `port.wait` sleeps or moves the simulated world, and nobody
here can tell. Other threads hand in orders with `post`, which wakes the wait. An order that the engine
refuses is told, not raised: the loop must not die of a key press.
"""

from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, cast

from stimctl import limits
from stimctl.errors import LineLost, LogFault, Misuse, Suspended, Unsafe
from stimctl.port import Port
from stimctl.session.engine import Engine
from stimctl.session.log import SessionLog
from stimctl.session.onward import Onward
from stimctl.session.overheard import Overheard, TakeNote
from stimctl.session.recorded import BEGUN, ENDED, LOST
from stimctl.session.states import End
from stimctl.session.view import EARLIER_DOSE, SessionReport, SessionView, Told
from stimctl.stimulators.base import Identity, Records

Order = Callable[[Engine, int], None]
Recover = Callable[[Identity, Records], str]

DURABLE_US = 10_000_000
POLL_US = 10_000
CUT_US = 2_000_000
CLOSE_US = 5_000_000
VIEW_US = 100_000


class Runner:
    """Runs one engine to its end.

    `recover(identity, records)` writes the dose that the device still held of an earlier session, durably,
    and returns where. `attended` says that a front end checks in by itself; without one the loop does, so
    that a script or a virtual clock counts as the front end. `take_note` is told of the beginning, of each order
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
        self._port = port = Onward(port)
        self._engine = engine
        self._log = log
        self._recover = recover
        self._take_note = take_note
        # Whoever gives orders cannot tell the one from the other.
        self._ordered = engine if take_note is None else cast(Engine, Overheard(engine, take_note))
        self._attended = attended
        self._orders: deque[Order] = deque()
        self._told: deque[Any] = deque()
        self._script: deque[tuple[int, Order]] = deque()
        self._view_due_us = 0
        self._due_us = 0
        self._over = False
        self._durable_by_us: int | None = None
        self._view_wanted = True
        self._view = engine.view(port.now_us())

    @property
    def view(self) -> SessionView:
        """A snapshot at most 100 ms older than the last time one was asked for; from any thread."""
        self._view_wanted = True
        return self._view

    def post(self, order: Order) -> None:
        """From any thread: have `order(engine, now_us)` run on the loop, now."""
        self._orders.append(order)
        self._port.wake()

    def take_events(self) -> list[Any]:
        """What happened since the last call, from any thread."""
        events = []
        while self._told:
            events.append(self._told.popleft())
        return events

    def run(self, actions: Iterable[tuple[int, Order]] = ()) -> SessionReport:
        """Run to the end. `actions` are orders at times relative to the start, by the port's clock."""
        port, engine = self._port, self._engine
        now_us = port.now_us()
        self._script = deque(sorted(((now_us + at_us, order) for at_us, order in actions), key=lambda step: step[0]))
        self._note(now_us, BEGUN)
        engine.begin(now_us)
        try:
            while not self._over:
                now_us = self._turn(now_us)
        except BaseException:
            self._zero_on_the_way_out()
            raise
        self._look(now_us)
        assert engine.report is not None
        self._note(now_us, ENDED, end=engine.report.end.name)
        return engine.report

    def _note(self, now_us: int, kind: str, **body: str) -> None:
        if self._take_note is not None:
            self._take_note(now_us, kind, body)

    def _turn(self, now_us: int) -> int:
        """Do all that is due now, send, and wait for bytes, the next deadline or an order. Returns the time."""
        port, engine = self._port, self._engine
        if port.went_back:
            port.went_back = False
            engine.stop(now_us, End.CLOCK, "the host's clock went back")
        if self._orders or self._script:
            self._obey_due(now_us)
        if now_us >= self._due_us:
            if not self._attended:
                engine.check_in(now_us)
            engine.advance(now_us)
        if self._durable_by_us is not None:
            self._ask_durable(self._durable_by_us)
        while engine.stirred or (self._view_wanted and now_us >= self._view_due_us):
            self._look(now_us)
        try:
            out = engine.take_output()
            if out:
                port.write(out)
                engine.wrote(port.now_us())
            if self._over:
                return now_us
            self._due_us = deadline_us = engine.next_deadline_us()
            if self._durable_by_us is not None and now_us + POLL_US < deadline_us:
                deadline_us = now_us + POLL_US
            if self._script and self._script[0][0] < deadline_us:
                deadline_us = self._script[0][0]
            return self._listen(deadline_us, asked=bool(out))
        except Suspended as slept:
            now_us = port.now_us()
            engine.stop(now_us, End.SUSPENDED, str(slept))
            return now_us
        except LineLost as lost:
            now_us = port.now_us()
            self._note(now_us, LOST)
            engine.line_lost(lost, now_us)
            return now_us

    def _listen(self, deadline_us: int, *, asked: bool) -> int:
        """Wait and take in what comes, until there is something to do. Returns the time.

        `asked`: something was sent just now, and its answer will move the deadline.
        An order that came meanwhile, a stop above all, goes before what would be sent next.
        """
        port, engine = self._port, self._engine
        while True:
            data = port.wait(deadline_us)
            now_us = port.now_us()
            if not data:
                return now_us
            engine.receive(data, now_us)
            if asked or self._orders or engine.stirred or now_us >= deadline_us or self._view_wanted or port.went_back:
                return now_us
            out = engine.take_output()
            if out:
                port.write(out)
                engine.wrote(port.now_us())
                return now_us

    def _look(self, now_us: int) -> None:
        """See what the engine told, and do what it wants done outside."""
        engine = self._engine
        self._told.extend(engine.take_events())
        self._over = engine.finished
        self._view_due_us = now_us + VIEW_US
        self._view_wanted = False
        self._view = engine.view(now_us)
        if self._port.virtual:
            self._log.wait_room()
        if engine.wants_durable and self._durable_by_us is None:
            self._durable_by_us = self._port.now_us() + DURABLE_US
            self._ask_durable(self._durable_by_us)
        if engine.recovered is not None:
            self._log_recovered(engine.recovered, now_us)

    def _obey_due(self, now_us: int) -> None:
        while self._orders:
            self._obey(self._orders.popleft(), now_us)
        while self._script and self._script[0][0] <= now_us:
            self._obey(self._script.popleft()[1], now_us)

    def _obey(self, order: Order, now_us: int) -> None:
        try:
            order(self._ordered, now_us)
        except (Misuse, Unsafe) as refusal:
            self._told.append(Told(str(refusal), now_us))

    def _ask_durable(self, by_us: int) -> None:
        """See whether the log is on disk, without waiting for it: keepalives and stops go on meanwhile.

        On a virtual clock waiting delays nobody, and makes every run the same.
        """
        engine, now_us = self._engine, self._port.now_us()
        if not engine.wants_durable:
            self._durable_by_us = None
            return
        try:
            self._log.drain(DURABLE_US / 1e6 if self._port.virtual else 0)
        except LogFault as not_yet:
            if self._port.virtual or now_us >= by_us or self._log.problem() is not None:
                self._durable_by_us = None
                engine.log_failed(not_yet, now_us)
        else:
            self._durable_by_us = None
            engine.durable(now_us)

    def _log_recovered(self, records: Records, now_us: int) -> None:
        assert self._engine.identity is not None
        try:
            where = self._recover(self._engine.identity, records)
        except LogFault as fault:
            self._engine.log_failed(fault, now_us)
            return
        self._told.append(Told(f"{EARLIER_DOSE}: {where}", now_us))
        self._engine.recovery_logged(self._port.now_us())

    def _zero_on_the_way_out(self) -> None:
        """Something unforeseen is leaving the loop: first zero, seen to be zero, then a proper end if there can be one.

        Whatever else is broken by now, the next of these steps is still tried.
        """
        with suppress(Exception):
            self._cut()
        with suppress(Exception):
            self._engine.stop(self._port.now_us(), End.INTERRUPTED)
            by_us = self._port.now_us() + CLOSE_US
            while not self._over and self._port.now_us() < by_us:
                self._turn(self._port.now_us())

    def _cut(self) -> None:
        port, engine = self._port, self._engine
        by_us = port.now_us() + CUT_US
        port.write(engine.cut(port.now_us()))
        while port.now_us() < by_us:
            data = port.wait(port.now_us() + limits.STOP_RESEND_US)
            if engine.is_cut(data, port.now_us()):
                return
            port.write(engine.take_output())
