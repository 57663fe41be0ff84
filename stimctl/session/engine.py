"""The session's machine: orders and bytes in, bytes and events out, time as an argument.

It owns no port, thread, file or clock. Whoever runs it (see `runner`) gives it what came from the line and
what the operator wants, sends what `take_output` returns, and calls `advance` at `next_deadline_us`. Any
surprise ends at zero: with us, zero is the safe state.

The work is done in three phases that share a `Core`: `preparation`, `stimulation`, `closing`.
"""

from collections.abc import Callable, Mapping
from typing import Any

from stimctl import limits
from stimctl.errors import EchoMismatch, LineFault, LogFault, Misuse, Refused, StimctlError, TimedOut, Unsafe
from stimctl.prescription import Prescription, Subject
from stimctl.session import subject
from stimctl.session.closing import Closing
from stimctl.session.core import Core
from stimctl.session.log import OPERATORS_KINDS, SessionLog
from stimctl.session.preparation import Preparation
from stimctl.session.states import ENDED, STOPPING, End, State
from stimctl.session.stimulation import Stimulation
from stimctl.session.telling import Telling
from stimctl.session.view import Priority, SessionReport, SessionView
from stimctl.stimulators import base
from stimctl.stimulators.base import Identity, Stimulator
from stimctl.wire import messages as m

# Steps that a session takes by itself. After a hold it is always a person who goes on.
UNATTENDED = frozenset({State.IDLE, State.IDENTIFIED, State.LOADED, State.TESTED, State.CHECKED})
ATTENDED = frozenset({State.IDLE, State.IDENTIFIED, State.LOADED})


class Engine:
    """Drives one prescription on one stimulator, once.

    `auto` is the set of states that it leaves by itself; in the others it waits for `proceed`. Raises
    `Unsafe` for a person or an animal without a `front_end`.
    """

    def __init__(
        self,
        stimulator: Stimulator,
        prescription: Prescription,
        log: SessionLog,
        *,
        session_id: str,
        url: str = "",
        auto: frozenset[State] = UNATTENDED,
        front_end: bool = False,
    ) -> None:
        if prescription.subject in (Subject.PERSON, Subject.ANIMAL) and not front_end:
            raise Unsafe([subject.no_front_end(prescription.subject)])
        self._core = core = Core(stimulator, prescription, log, self._go_on)
        self._stimulator = stimulator
        # The bytes to send now.
        self.take_output = stimulator.take_output
        self.wrote = getattr(stimulator, "wrote", lambda _now_us: None)
        self._auto = auto
        self._prepare = Preparation(core, session_id, url)
        self._stimulate = Stimulation(core)
        self._close = Closing(core, session_id)
        core.stop = self._close.stop
        telling = Telling(core, self._prepare, self._stimulate, auto)
        self._steps: dict[State, Callable[[int], None]] = {
            State.IDLE: self._prepare.connect,
            State.IDENTIFIED: self._prepare.load,
            State.LOADED: self._prepare.self_test,
            State.TESTED: self._prepare.ready,
            State.CHECKED: self._prepare.ready,
            State.HELD: self._prepare.ready,
            State.RECHECKED: self._prepare.ready,
        }
        self._on: dict[type[Any], Callable[[Any, int], None]] = {
            base.Identified: self._prepare.on_identified,
            base.Loaded: self._prepare.on_loaded,
            base.SelfTested: self._prepare.on_self_tested,
            base.Checked: self._on_checked,
            base.Records: self._on_records,
            base.ZeroConfirmed: self._on_zero,
            base.ZeroOverdue: self._on_zero_overdue,
            base.Declined: self._stimulate.on_declined,
            base.Late: self._stimulate.on_late,
            base.Failed: self._on_failed,
            base.Noted: self._on_noted,
            m.Status: telling.on_status,
            m.Channel: telling.on_channel,
            m.Event: telling.on_event,
            m.Armed: self._prepare.on_armed,
            m.Started: self._on_started,
            m.TargetSet: self._stimulate.on_target_set,
            m.Holding: self._stimulate.on_holding,
            m.Acknowledged: self._on_acknowledged,
        }

    # --- what a front end calls ---------------------------------------------------------------------

    @property
    def state(self) -> State:
        """Where the session stands."""
        return self._core.state

    @property
    def finished(self) -> bool:
        """Whether the session has ended and its report is there."""
        return self._core.state is ENDED

    @property
    def report(self) -> SessionReport | None:
        """How it ended, once it has."""
        return self._close.report

    @property
    def identity(self) -> Identity | None:
        """Who answered the handshake, once it has."""
        return self._core.identity

    def check_in(self, now_us: int) -> None:
        """The operator's front end is alive. Without this for a second the session ends."""
        self._core.checked_in_us = now_us

    def proceed(self, now_us: int) -> None:
        """Take the next step from here. Raises `Misuse` when there is none or one is under way."""
        if self._core.busy:
            raise Misuse(f"wait: {self._core.busy} is under way")
        step = self._steps.get(self.state)
        if step is None:
            raise Misuse(f"there is no next step while the session is {self.state.value!r}")
        step(now_us)

    def raise_target(self, channel: int, now_us: int) -> None:
        """One step up. Raises `Unsafe` naming the limit when it may not be, `Misuse` when not stimulating."""
        self._stimulate.set(channel, lambda target: target.up(now_us), now_us)

    def lower_target(self, channel: int, now_us: int) -> None:
        """One step down, at the next pulse. Raises `Misuse` when not stimulating."""
        self._stimulate.set(channel, lambda target: target.down(), now_us)

    def set_target(self, channel: int, target_ua: int, now_us: int) -> None:
        """A new target: any lower one, or a higher one within the rules. Raises `Unsafe` or `Misuse`."""
        self._stimulate.set(channel, lambda target: target.to(target_ua, now_us), now_us)

    def hold(self, now_us: int, why: str = "operator") -> None:
        """All channels to zero, the session kept for ten minutes. Raises `IllegalEvent` when not stimulating."""
        self._stimulate.hold(now_us, why)

    def stop(self, now_us: int, end: End = End.OPERATOR, text: str = "") -> None:
        """Zero, now, from any state."""
        self._close.stop(now_us, end, text)

    def note(self, kind: str, body: Mapping[str, Any], now_us: int) -> None:
        """Write an operator's own entry: `note`, or `outcome` for scores before and after."""
        if kind not in OPERATORS_KINDS:
            raise Misuse(f"an operator's entry is one of {', '.join(OPERATORS_KINDS)}, not {kind!r}")
        self._core.put(kind, now_us, **body)

    def view(self, now_us: int) -> SessionView:
        """A snapshot for a screen."""
        core = self._core
        waits = not core.busy and core.state not in self._auto and core.state in self._steps
        return SessionView(
            state=core.state,
            end=core.end,
            identity=core.identity,
            now_us=now_us,
            ceiling_ua=core.prescription.ceiling_ua,
            targets_ua=core.targets.confirmed_ua(),
            status=core.status,
            channels=dict(core.channels),
            impedances=dict(core.impedances),
            alarms=tuple(core.alarms),
            waits_for_operator=waits,
            stop_after_us=self._close.zero_after_us,
            stop_measured=self._close.zero_measured,
        )

    def take_events(self) -> list[Any]:
        """What happened since the last call: `StateChanged`, `Alarm`, `Told`."""
        core = self._core
        events, core.events, core.stirred = core.events, [], False
        return events

    # --- what the runner calls ----------------------------------------------------------------------

    @property
    def stirred(self) -> bool:
        """Whether something was written, told or asked for since the last `take_events`."""
        return self._core.stirred

    @property
    def wants_durable(self) -> bool:
        """Whether the log must be durable before the session goes on: drain it, then call `durable`."""
        return self._core.wants_durable

    @property
    def recovered(self) -> base.Records | None:
        """The dose of an earlier session, to be logged; then call `recovery_logged`."""
        # While stopping it stays in the device: nothing may follow a stop.
        return None if self._core.state is STOPPING else self._prepare.recovered

    def begin(self, now_us: int) -> None:
        """Start the clock; connect when that needs no operator.

        A person's screening is used up here: raises `Unsafe` when it is stale or was used before.
        """
        self._core.prescription.begin(now_us)
        self._core.checked_in_us = now_us
        self._stimulator.heard_us = now_us
        self._go_on(now_us)

    def receive(self, data: bytes, now_us: int) -> None:
        """Bytes from the line."""
        handlers = self._on
        for event in self._stimulator.receive(data, now_us):
            handlers[type(event)](event, now_us)

    def advance(self, now_us: int) -> None:
        """Let time pass: keepalives, resends, and every timer that the host holds."""
        core = self._core
        for event in self._stimulator.advance(now_us):
            self._on[type(event)](event, now_us)
        due_us = core.alive_due_us
        if due_us is not None and now_us >= due_us:
            self._keep_alive(now_us)
        if core.state is STOPPING:
            self._close.watch_time(now_us)
        elif now_us - self._stimulator.heard_us < limits.SILENCE_US:
            return
        elif not self._listens():
            self._stimulator.heard_us = now_us
        else:
            self.line_lost(TimedOut("no valid frame from the device for 500 ms; check the cable"), now_us)

    def next_deadline_us(self) -> int:
        """When `advance` must be called at the latest."""
        core = self._core
        deadline_us = self._stimulator.heard_us + limits.SILENCE_US
        if core.state is STOPPING:
            deadline_us = self._close.deadline_us()
        theirs_us = self._stimulator.next_deadline_us()
        if theirs_us is not None and theirs_us < deadline_us:
            deadline_us = theirs_us
        if core.alive_due_us is not None and core.alive_due_us < deadline_us:
            deadline_us = core.alive_due_us
        return deadline_us

    def cut(self, now_us: int) -> bytes:
        """The bytes of a stop, and nothing else touched: for when something unforeseen has happened above it."""
        self._stimulator.stop(now_us)
        return self._stimulator.take_output()

    def is_cut(self, data: bytes, now_us: int) -> bool:
        """After `cut`: whether these bytes confirm zero. Nothing else is acted on."""
        told = [*self._stimulator.receive(data, now_us), *self._stimulator.advance(now_us)]
        return any(isinstance(event, base.ZeroConfirmed) for event in told)

    def line_lost(self, error: StimctlError, now_us: int) -> None:
        """The line is gone, or said nothing in time: the device's watchdog ends what it does."""
        core = self._core
        if not isinstance(error, TimedOut) and self._close.lose_line(now_us):
            return
        if core.armed_us is not None:
            ends = "3 s" if core.identity is not None and core.identity.by_lease else "1 s"
            action = f"output ends within {ends} by itself; if in doubt PULL THE LEADS"
            core.alarm(Priority.HIGH, str(error), action, now_us)
        core.stop(now_us, End.LINE_LOST, str(error))

    def durable(self, now_us: int) -> None:
        """The log is on disk up to here (asked for by `wants_durable`)."""
        self._core.wants_durable = False
        # Waiting for the disk was silence on our side, not on the line.
        self._stimulator.heard_us = now_us
        if self.state is STOPPING:
            self._close.durable(now_us)
        else:
            self._prepare.arm_next(now_us)

    def log_failed(self, error: LogFault, now_us: int) -> None:
        """No log, no stimulation."""
        self._core.wants_durable = False
        if self.state is STOPPING:
            self._close.log_failed(str(error), now_us)
            return
        self._prepare.recovered = None
        self._core.alarm(Priority.HIGH, str(error), "mend the log, then start a new session", now_us)
        self.stop(now_us, End.LOG, str(error))

    def recovery_logged(self, now_us: int) -> None:
        """The dose of an earlier session is durable."""
        self._stimulator.heard_us = now_us
        self._prepare.recovery_logged(now_us)

    # --- time ---------------------------------------------------------------------------------------

    def _go_on(self, now_us: int) -> None:
        if self._core.state in self._auto and not self._core.busy:
            self.proceed(now_us)

    def _listens(self) -> bool:
        # A device is silent until the handshake; its answer, or none, is the adapter's to judge.
        return self._core.identity is not None

    def _keep_alive(self, now_us: int) -> None:
        core = self._core
        problem = core.log.problem()
        if problem is not None:
            self.log_failed(LogFault(problem), now_us)
            return
        if now_us - core.checked_in_us > limits.CHECK_IN_US:
            core.alarm(Priority.HIGH, "the operator's front end was silent for 1 s", "look, then start again", now_us)
            self.stop(now_us, End.FRONT_END)
            return
        core.alive_due_us = now_us + limits.KEEPALIVE_US
        self._stimulator.keep_alive(now_us)
        if core.busy:
            self._prepare.watch_check(now_us)
        self._stimulate.watch_time(now_us)

    # --- what the device says -----------------------------------------------------------------------

    def _on_started(self, event: m.Started, now_us: int) -> None:
        if self._prepare.in_check():
            self._core.busy = "impedance check"
        else:
            self._stimulate.on_started(event, now_us)

    def _on_checked(self, event: base.Checked, now_us: int) -> None:
        self._prepare.on_checked(event, now_us)
        if self.state is State.TESTED and State.TESTED in self._auto:
            # The check failed and nobody is there to mend the contact.
            self.stop(now_us, End.CONTACT, "; ".join(alarm.text for alarm in self._core.alarms))

    def _on_zero(self, event: base.ZeroConfirmed, now_us: int) -> None:
        if self.state is STOPPING:
            self._close.on_zero(event, now_us)
        else:
            self._prepare.on_stop_tried(event, now_us)

    def _on_zero_overdue(self, event: base.ZeroOverdue, now_us: int) -> None:
        text = f"no zero output confirmed {event.after_us // 1_000} ms after the stop"
        self._core.alarm(Priority.HIGH, text, "PULL THE LEADS", now_us)
        if self.state is not STOPPING:
            self.stop(now_us, End.SELF_TEST, text)

    def _on_records(self, event: base.Records, now_us: int) -> None:
        if self.state is STOPPING:
            self._close.on_records(event, now_us)
        else:
            self._prepare.on_recovered(event)

    def _on_acknowledged(self, _event: m.Acknowledged, now_us: int) -> None:
        if self.state is STOPPING:
            self._close.on_acknowledged(now_us)
        else:
            self._prepare.on_acknowledged(now_us)

    def _on_noted(self, event: base.Noted, now_us: int) -> None:
        self._core.put(event.kind, now_us, **event.body)

    def _on_failed(self, event: base.Failed, now_us: int) -> None:
        error = event.error
        if self.state is STOPPING:
            # Zero comes first: what failed was asked for before the stop.
            if self._close.zero_after_us is not None:
                self._close.close(now_us)
        elif isinstance(error, LineFault):
            self.line_lost(error, now_us)
        else:
            ends = {Refused: End.REFUSED, EchoMismatch: End.ECHO, Unsafe: End.GATE}
            self._core.alarm(Priority.HIGH, str(error), "start again; if it happens twice, examine the device", now_us)
            self.stop(now_us, ends.get(type(error), End.WRONG_DEVICE), str(error))
