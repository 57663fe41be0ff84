"""The public way to run a session: a port's URL, a prescription, a ledger.

    with Ledger() as ledger, Session("sim://?seed=1", prescription, ledger) as session:
        report = session.run()

`run` runs it in the caller's thread. A front end calls `start` instead, and from then on `view`, the
orders and `check_in` from any thread; `wait` gives the report. Either way `stimctl stop` can end it.
"""

import os
import secrets
import signal
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import asdict
from datetime import UTC, datetime
from types import FrameType, TracebackType
from typing import Any, Self

from stimctl.calibration import CalibrationStanding, standing_of
from stimctl.errors import Misuse, WrongDevice
from stimctl.ledger import Ledger, new_session_id
from stimctl.ledger.chain import canonical_body
from stimctl.ledger.recovery import close_unfinished, log_recovered
from stimctl.port import Port, RecordedPort, TrafficSink, open_port
from stimctl.prescription import Prescription
from stimctl.prescription.plan import LIVING
from stimctl.remote_stop import ControlEndpoint, StopOutcome
from stimctl.session.commands import (
    AddNote,
    AskHold,
    AskStop,
    AskTarget,
    CheckIn,
    Command,
    Lower,
    Proceed,
    Raise,
    checked_actions,
)
from stimctl.session.engine import UNATTENDED, Engine
from stimctl.session.log import SessionLog
from stimctl.session.runner import Runner
from stimctl.session.states import End, State
from stimctl.session.view import SessionReport, SessionView
from stimctl.signal_handlers import install, present
from stimctl.stimulators.base import Identity, SessionCounts
from stimctl.stimulators.discovery import DeviceChoice, choice_for, stimulator
from stimctl.traffic.session_notes import SESSION, session_note
from stimctl.version import __version__
from stimctl.wire.codec import Channel

_ZERO_WAIT_S = 1.5  # how long a stop from elsewhere waits here for the zero; who asks gives up after 2 s


class Session:
    """One session on one device. Use it in a `with`; on leaving, a session that still runs is stopped.

    Entering opens the port, the log, and the endpoint that `stimctl stop` finds: raises `PortBusy`, `LineLost`,
    `LogFault` or `Misuse`, and `Unsafe` for a person or an animal without a `front_end`. `auto` says which steps
    it takes by itself (see `stimctl.session.engine`: `UNATTENDED`, `ATTENDED`). `choice` names the stimulator where
    it is not a native one and its URL does not say so; `opener` opens the port, for a bench that has one of its own.
    `on_reading` is told, on the session's loop, of each channel's readings and their host time. `course` is the id of
    the course that the session belongs to (`stimctl.course`). Leaving raises what
    broke the loop, where no `wait` has told of it.
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
        choice: DeviceChoice | None = None,
        opener: Callable[..., Port] = open_port,
        on_reading: Callable[[Channel, int], None] | None = None,
        course: str | None = None,
    ) -> None:
        self.url = url
        self.session_id = new_session_id()
        self.interrupted: list[str] = []
        self.recording_fault: str | None = None  # why the record of its traffic is not whole, once that is closed
        self.stopped_elsewhere = False  # also where it ended otherwise before that stop came
        self._prescription = prescription
        self._ledger = ledger
        self._front_end = front_end
        self._auto = auto
        self._traffic = traffic
        self._choice = choice_for(url) if choice is None else choice
        self._opener = opener
        self._on_reading = on_reading
        self._course = course
        self._entered = ExitStack()
        self._runner: Runner | None = None
        self._owner: int | None = None  # the process that entered it
        # Stops from before there is a runner, and whether everything is closed again.
        self._early: list[Command] = []
        # Held while either changes hands. A signal's handler may stop the session while its own thread is in here.
        self._opening = threading.RLock()
        self._left = False
        self._begun = threading.Lock()  # taken once, for good
        self._threaded = False
        # Not `Thread.join`: in Python 3.11 one that a signal breaks off takes the thread for ended.
        self._loop_ended = threading.Event()
        self._loop_ended.set()
        self._report: SessionReport | None = None
        self._fault: BaseException | None = None
        self._fault_told = False

    def __enter__(self) -> Self:
        self._owner = os.getpid()
        self.interrupted = close_unfinished(self._ledger)
        with ExitStack() as stack:
            port = self._opener(self.url, traffic=self._traffic)
            stack.callback(self._give_back, port)
            log = self._ledger.writer(self.session_id)
            stack.callback(log.close)
            runner = self._make_runner(port, log)
            with self._opening:
                self._runner = runner
                for command in self._early:
                    runner.post(command)
            stack.enter_context(ControlEndpoint(self._stop_from_elsewhere, self._describe))
            self._entered = stack.pop_all()
        return self

    def _give_back(self, port: Port) -> None:
        port.close()
        if isinstance(port, RecordedPort):
            self.recording_fault = port.fault

    def _make_runner(self, port: Port, log: SessionLog) -> Runner:
        # On a real line an answer left over from an earlier connection must not fit this one's numbers.
        first = 0 if port.virtual else secrets.randbelow(1 << 16)
        opened_us = port.now_us()
        engine = Engine(
            stimulator(self._choice, port, first),
            self._prescription,
            log,
            session_id=self.session_id,
            url=self.url,
            clock="real" if port.realtime else "virtual",
            software=f"stimctl {__version__}",
            course=self._course,
            auto=self._auto,
            front_end=self._front_end,
            on_reading=self._on_reading,
            calibration_of=self._calibration_of,
        )
        rx = self._prescription
        if port.virtual and rx.subject in LIVING and not rx.rehearsal:
            raise WrongDevice(f"{self.url} is a simulation: no {rx.subject} can be connected to it")
        take_note = port.note if isinstance(port, RecordedPort) else None
        if take_note is not None:
            auto = (state.name for state in self._auto)
            take_note(opened_us, SESSION, session_note(rx, asdict(self._choice), auto, first, virtual=port.virtual))
        # No front end could check in once a second of a clock that races.
        attended = self._front_end and port.realtime
        return Runner(port, engine, log, self._recover, attended=attended, take_note=take_note)

    def _calibration_of(self, identity: Identity) -> CalibrationStanding:
        """Of the records beside the ledger, as of today."""
        today = datetime.now(UTC).date()
        return standing_of(self._ledger.path.parent, identity.model, identity.serial, today, identity.firmware)

    def _recover(self, identity: Identity, records: SessionCounts) -> str:
        with Ledger(self._ledger.path) as ledger:
            return log_recovered(ledger, identity, records)

    def __exit__(self, _type: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if self._is_forked:
            return  # its loop, its port and its log go on in the process that entered it
        signals = _Signals(self.stop)
        with signals:  # however often Ctrl-C comes: no port is closed under a loop that runs
            if not self._loop_ended.is_set():
                self.stop(End.INTERRUPTED)
                self._loop_ended.wait()
            self._left = True
            self._entered.close()
        if self._fault is not None and not self._fault_told:
            if error is None:
                raise self._fault
            error.add_note(f"the session's loop had broken before: {self._fault!r}")
        signals.deliver()

    # --- running ------------------------------------------------------------------------------------

    def run(self, actions: Iterable[tuple[int, Command]] = ()) -> SessionReport:
        """Run to the end in this thread. `actions` are (time in us since the start, command) pairs.

        Commands are those of `stimctl.session.commands`, such as `AskHold()` or `AskTarget(1, 700)`.
        Raises `Misuse` for any other, and for a time that is no whole number.
        In the main thread Ctrl-C, SIGTERM and SIGHUP stop the session, and the log is closed properly.
        """
        script = checked_actions(actions)
        runner = self._begin_once()
        with _Signals(self.stop):
            return runner.run(script)

    def start(self) -> None:
        """Run in a thread of its own, for a front end that calls `check_in` at least twice a second."""
        runner = self._begin_once()
        thread = threading.Thread(target=self._run_in_thread, args=(runner,), name="stimctl session", daemon=True)
        self._threaded = True
        self._loop_ended.clear()
        try:
            thread.start()
        except RuntimeError:
            self._loop_ended.set()
            raise

    def _begin_once(self) -> Runner:
        runner = self._opened()
        if not self._begun.acquire(blocking=False):
            raise Misuse("a session runs once, and this one has begun already: make another one")
        return runner

    def _run_in_thread(self, runner: Runner) -> None:
        try:
            self._report = runner.run()
        except BaseException as fault:  # noqa: BLE001 - handed to the thread that waits
            self._fault = fault
        finally:
            self._loop_ended.set()

    def wait(self, timeout_s: float | None = None) -> SessionReport | None:
        """The report, or None when it still runs after `timeout_s`. Raises what broke the loop, if anything."""
        self._refuse_fork()
        if not self._threaded:
            raise Misuse("wait: the session was not started")
        self._loop_ended.wait(timeout_s)
        if self._fault is not None:
            self._fault_told = True
            raise self._fault
        return self._report

    # --- commands, from any thread ------------------------------------------------------------------

    def check_in(self) -> None:
        """The front end is alive."""
        self._post(CheckIn())

    def proceed(self) -> None:
        """Take the next step where the session waits for its operator."""
        self._post(Proceed())

    def raise_target(self, channel: int) -> None:
        """One step of 0.1 mA up; a refusal comes back as a `OperatorMessage`. Raises `Misuse` for what is no number."""
        self._post(Raise(channel))

    def lower_target(self, channel: int) -> None:
        """One step down. Raises `Misuse` for what is no number."""
        self._post(Lower(channel))

    def set_target(self, channel: int, target_ua: int) -> None:
        """A new target within the rules; a refusal comes back as a `OperatorMessage`. Raises `Misuse` for no number."""
        self._post(AskTarget(channel, target_ua))

    def hold(self) -> None:
        """All channels to zero, the session kept."""
        self._post(AskHold())

    def stop(self, end: End = End.OPERATOR, text: str = "") -> None:
        """Zero, now, ahead of everything. Before the port is open it is kept, after the end it does nothing.

        `text` says more of the reason, for the log.
        """
        command = AskStop(end, text)
        self._refuse_fork()
        with self._opening:
            if self._runner is None:
                self._early.append(command)
                return
        self._post(command)

    def note(self, kind: str, body: Mapping[str, Any]) -> None:
        """Write an operator's own entry into the log: "note", or "outcome" for scores. Raises `Misuse` for another."""
        command = AddNote(kind, body)
        canonical_body(command.body)  # what the log cannot hold is refused here, where it came from
        self._post(command)

    def _post(self, command: Command) -> None:
        runner = self._opened()
        if not self._left:
            runner.post(command)

    def _opened(self) -> Runner:
        self._refuse_fork()
        if self._runner is None:
            raise Misuse("the session is not open: use it in a `with`")
        return self._runner

    @property
    def _is_forked(self) -> bool:
        return self._owner not in (None, os.getpid())

    def _refuse_fork(self) -> None:
        """A stop that reaches nobody must not pass for one."""
        if self._is_forked:
            raise Misuse(f"the session belongs to process {self._owner}: a forked child can neither see nor stop it")

    # --- looking ------------------------------------------------------------------------------------

    def view(self) -> SessionView:
        return self._opened().view

    def take_events(self) -> list[Any]:
        """What happened since the last call."""
        return self._opened().take_events()

    # --- from another terminal ----------------------------------------------------------------------

    def _stop_from_elsewhere(self, _reason: str) -> StopOutcome:
        """For `stimctl stop`: stop, and say when the device measured zero."""
        self.stopped_elsewhere = True
        self.stop(End.ELSEWHERE)
        pause, until_s = threading.Event(), time.monotonic() + _ZERO_WAIT_S
        while time.monotonic() < until_s:
            view = self.view()
            if view.stop_after_us is not None and view.stop_measured:
                return StopOutcome(zero_confirmed=True, after_us=view.stop_after_us)
            if view.stop_after_us is not None:
                detail = f"the device acknowledged the stop after {view.stop_after_us} us, but measures no zero"
                return StopOutcome(zero_confirmed=False, detail=detail)
            if view.state is State.ENDED:
                break
            pause.wait(0.01)
        return StopOutcome(zero_confirmed=False, detail="the device has not confirmed zero")

    def _describe(self) -> dict[str, Any]:
        view = self.view()
        return {
            "session_id": self.session_id,
            "url": self.url,
            "profile": self._prescription.profile.id,
            "subject": self._prescription.subject.value,
            "rehearsal": self._prescription.rehearsal,
            "state": view.state.value,
            "simulator": view.identity.simulator if view.identity else None,
        }


class _Signals:
    """While open in the main thread, the signals that end a program stop the session instead."""

    def __init__(self, stop: Callable[[End], None]) -> None:
        self._stop = stop
        self._before: dict[int, Any] = {}
        self._caught_last: int | None = None
        self._process = os.getpid()

    def __enter__(self) -> None:
        self._before = present(("SIGINT", "SIGTERM", "SIGHUP"))
        try:
            install(dict.fromkeys(self._before, self._caught))
        except BaseException:
            self.__exit__()
            raise

    def _caught(self, number: int, _frame: FrameType | None) -> None:
        if os.getpid() != self._process:  # a child of this one: the session is not its own, and it ends as it would
            signal.signal(number, self._before[number])
            signal.raise_signal(number)
            return
        self._caught_last = number
        self._stop(End.SIGNAL)

    def deliver(self) -> None:
        """Once closed: what was caught takes its usual way after all."""
        if self._caught_last is not None:
            signal.raise_signal(self._caught_last)

    def __exit__(self, *_: object) -> None:
        install(self._before)


def run(url: str, prescription: Prescription, ledger: Ledger, **options: Any) -> SessionReport:
    """Run one session to its end: `Session(url, prescription, ledger, **options).run()` in a `with`."""
    with Session(url, prescription, ledger, **options) as session:
        return session.run()
