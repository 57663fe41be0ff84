"""The host's side of a scenario, on any port: the real engine and runner, the operator's actions, the host's faults."""

import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any, NamedTuple

from stimctl.errors import LogFault, Misuse, Unsafe
from stimctl.ledger import Ledger, new_session_id
from stimctl.ledger.recovery import close_unfinished, log_recovered
from stimctl.ledger.writer import LedgerWriter
from stimctl.prescription import Prescription
from stimctl.session.commands import AddNote, AskHold, AskStop, AskTarget, Command, Lower, Proceed, Raise
from stimctl.session.engine import UNATTENDED, Engine
from stimctl.session.log import SessionLog
from stimctl.session.runner import Runner
from stimctl.session.states import ENDED, STOPPING, State
from stimctl.session.view import SessionReport, StateChanged
from stimctl.stimulators.base import Identity, SessionCounts
from stimctl.stimulators.native import NativeAdapter
from stimlab.play.host_faults import OF_THE_LOG, HostFaults
from stimlab.play.port import ScenarioPort, TimedAction
from stimlab.play.result import HostResult
from stimlab.play.session_logs import DRAIN_S, LedgerLog, MemoryLog, SettledLog
from stimlab.scenario.model import OperatorAction, Scenario

_LogOf = Callable[[Ledger, str], LedgerWriter | SettledLog | LedgerLog]
NOTE = {"text": "a note of the scenario " * 180}  # longer than a page of the ledger's file


class _SessionLedger(NamedTuple):
    """A session's log, how a dose found in the device is written, and how the entries are read afterwards."""

    session_id: str
    log: SessionLog
    recover: Callable[[Identity, SessionCounts], str]
    entries: Callable[[], list[Any]]


def run_host(
    scenario: Scenario,
    prescription: Prescription,
    port: ScenarioPort,
    entered_us: Callable[[str], int | None],
    ledger: Ledger | Path | None,
) -> HostResult:
    """Run the driver's side on a port. `entered_us` says when the device first came into a state."""
    try:
        with _logging(ledger, _kept_by(scenario) if port.virtual else Ledger.writer) as logging:
            return _HostSession(scenario, prescription, port, entered_us, logging).run()
    except (Unsafe, Misuse, LogFault) as refusal:
        return HostResult(refused=str(refusal), traffic=port.traffic)


def _kept_by(scenario: Scenario) -> _LogOf:
    fails = any(fault.kind in OF_THE_LOG for fault in scenario.faults)
    return (lambda ledger, session_id: SettledLog(ledger.writer(session_id))) if fails else LedgerLog


@contextmanager
def _logging(given: Ledger | Path | None, log_of: _LogOf) -> Iterator[_SessionLedger]:
    """`log_of` makes the log of a session in a ledger."""
    if given is None:
        memory = MemoryLog()
        yield _SessionLedger("lab", memory, lambda _identity, _records: "the lab's list", lambda: memory.entries)
        return
    with nullcontext(given) if isinstance(given, Ledger) else Ledger(given) as ledger:
        close_unfinished(ledger)
        session_id = new_session_id()
        log = log_of(ledger, session_id)
        try:
            yield _SessionLedger(
                session_id,
                log,
                lambda identity, records: log_recovered(ledger, identity, records),
                lambda: _entries(ledger, session_id, log),
            )
        finally:
            with suppress(LogFault):  # what could not be written ended the session and stands in its report
                log.close()


def _entries(ledger: Ledger, session_id: str, log: SessionLog) -> list[Any]:
    with suppress(LogFault):
        log.drain(DRAIN_S)
    return list(ledger.entries(session_id))


class _HostSession:
    """One session of the driver, with what its operator does and what befalls its host."""

    def __init__(
        self,
        scenario: Scenario,
        prescription: Prescription,
        port: ScenarioPort,
        entered_us: Callable[[str], int | None],
        logging: _SessionLedger,
    ) -> None:
        self._port = port
        self._logging = logging
        self._engine = Engine(
            NativeAdapter(0),
            prescription,
            logging.log,
            session_id=logging.session_id,
            url=port.url,
            clock="virtual",
            auto=UNATTENDED,
        )
        self._runner = Runner(port, self._engine, logging.log, logging.recover, attended=False)
        self._script = [(action.at_us, command_of(action)) for action in scenario.actions if action.after is None]
        self._stopping_us: int | None = None
        self._states_us: dict[State, int] = {}
        self._faults = HostFaults(scenario.faults, port, logging.log)
        port.before_write = self._watch_stop
        port.moments += [self._moment(action) for action in scenario.actions if action.after is not None]
        port.moments += self._faults.moments(entered_us)

    def run(self) -> HostResult:
        """Run to the end, whatever it is."""
        report: SessionReport | None = None
        error: str | None = None
        try:
            report = self._runner.run(self._script)
        except (Unsafe, Misuse):
            raise
        except Exception:  # noqa: BLE001 - what nobody foresaw is what a lab looks for
            error = traceback.format_exc()
        events = self._runner.take_events()
        return HostResult(
            report=report,
            error=error,
            stopping_us=self._began_to_stop_us(events),
            traffic=self._port.traffic,
            entries=self._logging.entries(),
            events=events,
            fired=self._faults.fired,
            fired_us=self._faults.fired_us,
        )

    def _moment(self, action: OperatorAction) -> TimedAction:
        state, command = State[action.after or ""], command_of(action)

        def entered() -> int | None:
            if state not in self._states_us and self._engine.state is state:
                self._states_us[state] = self._port.world_us()
            return self._states_us.get(state)

        return TimedAction(action.at_us, entered, lambda _now_us: self._runner.post(command))

    def _watch_stop(self) -> None:
        if self._stopping_us is None and self._engine.state in (STOPPING, ENDED):
            self._stopping_us = self._port.world_us()

    def _began_to_stop_us(self, events: list[Any]) -> int | None:
        """By the stop that went out; on a line that is gone none does, and it is when the session turned."""
        told = [each.at_us for each in events if isinstance(each, StateChanged) and each.state is STOPPING]
        return self._stopping_us if self._stopping_us is not None or not told else self._port.as_world_us(told[0])


def command_of(action: OperatorAction) -> Command:
    """What the operator's hand asks of the session."""
    channel, amplitude_ua = action.channel or 0, action.amplitude_ua or 0
    commands: dict[str, Callable[[], Command]] = {
        "proceed": Proceed,
        "raise": lambda: Raise(channel),
        "lower": lambda: Lower(channel),
        "set": lambda: AskTarget(channel, amplitude_ua),
        "hold": AskHold,
        "stop": AskStop,
        "note": lambda: AddNote("note", NOTE),
    }
    return commands[action.do]()
