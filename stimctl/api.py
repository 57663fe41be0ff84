"""The public way to run a session: a port's URL, a prescription, a ledger.

    with Ledger() as ledger, Session("sim://?seed=1", prescription, ledger) as session:
        report = session.run()

`run` runs it in the caller's thread. A front end calls `start` instead, and from then on `view`, the
orders and `check_in` from any thread; `wait` gives the report.
"""

import secrets
import signal
import threading
from collections.abc import Callable, Iterable, Mapping
from types import FrameType, TracebackType
from typing import Any, Self

from stimctl.errors import Misuse, WrongDevice
from stimctl.ledger import Ledger, new_session_id
from stimctl.ledger.recovery import close_unfinished, log_recovered
from stimctl.port import Port, TrafficSink, open_port
from stimctl.prescription import Prescription, Subject
from stimctl.session.choice import NATIVE, Choice, stimulator
from stimctl.session.engine import UNATTENDED, Engine
from stimctl.session.runner import Order, Runner
from stimctl.session.states import End, State
from stimctl.session.view import SessionReport, SessionView
from stimctl.stimulators.base import Identity, Records


class Session:
    """One session on one device. Use it in a `with`; on leaving, a session that still runs is stopped.

    Entering opens the port and the log: raises `PortBusy`, `LineLost`, `LogFault` or `Misuse`, and `Unsafe`
    for a person or an animal without a `front_end`. `auto` says which steps it takes by itself (see
    `stimctl.session.engine`: `UNATTENDED`, `ATTENDED`). `choice` names the stimulator where it is not a native one.
    """

    def __init__(
        self,
        url: str,
        prescription: Prescription,
        ledger: Ledger,
        *,
        front_end: bool = False,
        auto: frozenset[State] = UNATTENDED,
        traffic: TrafficSink | None = None,
        choice: Choice = NATIVE,
    ) -> None:
        self.url = url
        self.session_id = new_session_id()
        self.interrupted: list[str] = []
        self._prescription = prescription
        self._ledger = ledger
        self._front_end = front_end
        self._auto = auto
        self._traffic = traffic
        self._choice = choice
        self._thread: threading.Thread | None = None
        self._report: SessionReport | None = None
        self._fault: BaseException | None = None

    def __enter__(self) -> Self:
        self.interrupted = close_unfinished(self._ledger)
        self._port: Port = open_port(self.url, traffic=self._traffic)
        try:
            self._log = self._ledger.writer(self.session_id)
            try:
                self._runner = self._make_runner()
            except BaseException:
                self._log.close()
                raise
        except BaseException:
            self._port.close()
            raise
        return self

    def _make_runner(self) -> Runner:
        # On a real line an answer left over from an earlier connection must not fit this one's numbers.
        first = 0 if self._port.virtual else secrets.randbelow(1 << 16)
        engine = Engine(
            stimulator(self._choice, self._port, first),
            self._prescription,
            self._log,
            session_id=self.session_id,
            url=self.url,
            auto=self._auto,
            front_end=self._front_end,
        )
        if self._port.virtual and self._prescription.subject in (Subject.PERSON, Subject.ANIMAL):
            raise WrongDevice(f"{self.url} is a simulation: no {self._prescription.subject} can be connected to it")
        attended = self._front_end and not self._port.virtual
        return Runner(self._port, engine, self._log, self._recover, attended=attended)

    def _recover(self, identity: Identity, records: Records) -> str:
        with Ledger(self._ledger.path) as ledger:
            return log_recovered(ledger, identity, records)

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _: TracebackType | None
    ) -> None:
        try:
            if self._thread is not None and self._thread.is_alive():
                self.stop(End.INTERRUPTED)
                self._thread.join()
        finally:
            self._port.close()
            self._log.close()

    # --- running ------------------------------------------------------------------------------------

    def run(self, actions: Iterable[tuple[int, Order]] = ()) -> SessionReport:
        """Run to the end in this thread. `actions` are (time in us since the start, order) pairs.

        An order is a function of the engine and the time, such as `lambda engine, now: engine.hold(now)`.
        In the main thread Ctrl-C, SIGTERM and SIGHUP stop the session, and the log is closed properly.
        """
        with _Signals(self.stop):
            return self._runner.run(actions)

    def start(self) -> None:
        """Run in a thread of its own, for a front end that calls `check_in` at least twice a second."""
        self._thread = threading.Thread(target=self._run_in_thread, name="stimctl session", daemon=True)
        self._thread.start()

    def _run_in_thread(self) -> None:
        try:
            self._report = self._runner.run()
        except BaseException as fault:  # noqa: BLE001 - handed to the thread that waits
            self._fault = fault

    def wait(self, timeout_s: float | None = None) -> SessionReport | None:
        """The report, or None when it still runs after `timeout_s`. Raises what broke the loop, if anything."""
        if self._thread is None:
            raise Misuse("wait: the session was not started")
        self._thread.join(timeout_s)
        if self._fault is not None:
            raise self._fault
        return self._report

    # --- orders, from any thread --------------------------------------------------------------------

    def check_in(self) -> None:
        """The front end is alive."""
        self._runner.post(Engine.check_in)

    def proceed(self) -> None:
        """Take the next step where the session waits for its operator."""
        self._runner.post(Engine.proceed)

    def raise_target(self, channel: int) -> None:
        """One step of 0.1 mA up; a refusal comes back as a `Told` event."""
        self._runner.post(lambda engine, now_us: engine.raise_target(channel, now_us))

    def lower_target(self, channel: int) -> None:
        """One step down."""
        self._runner.post(lambda engine, now_us: engine.lower_target(channel, now_us))

    def set_target(self, channel: int, target_ua: int) -> None:
        """A new target within the rules; a refusal comes back as a `Told` event."""
        self._runner.post(lambda engine, now_us: engine.set_target(channel, target_ua, now_us))

    def hold(self) -> None:
        """All channels to zero, the session kept."""
        self._runner.post(lambda engine, now_us: engine.hold(now_us))

    def stop(self, end: End = End.OPERATOR) -> None:
        """Zero, now, ahead of everything."""
        self._runner.post(lambda engine, now_us: engine.stop(now_us, end))

    def note(self, kind: str, body: Mapping[str, Any]) -> None:
        """Write an operator's own entry into the log."""
        self._runner.post(lambda engine, now_us: engine.note(kind, body, now_us))

    # --- looking ------------------------------------------------------------------------------------

    def view(self) -> SessionView:
        """A recent snapshot."""
        return self._runner.view

    def take_events(self) -> list[Any]:
        """What happened since the last call."""
        return self._runner.take_events()


class _Signals:
    """While open in the main thread, the signals that end a program stop the session instead."""

    def __init__(self, stop: Callable[[End], None]) -> None:
        self._stop = stop
        self._before: dict[int, Any] = {}

    def __enter__(self) -> None:
        if threading.current_thread() is threading.main_thread():
            for name in ("SIGINT", "SIGTERM", "SIGHUP"):
                number = getattr(signal, name, None)
                if number is not None:
                    self._before[number] = signal.signal(number, self._caught)

    def _caught(self, _number: int, _frame: FrameType | None) -> None:
        self._stop(End.SIGNAL)

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)


def run(url: str, prescription: Prescription, ledger: Ledger, **options: Any) -> SessionReport:
    """Run one session to its end: `Session(url, prescription, ledger, **options).run()` in a `with`."""
    with Session(url, prescription, ledger, **options) as session:
        return session.run()
