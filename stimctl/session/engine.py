"""The session engine, sans-I/O: commands and bytes in, bytes and events out, time as an argument.

Whoever runs it (see `runner`) gives `Engine.step` what came from the line and what was asked for, sends the bytes that
it returns, and comes back at its deadline. Any surprise ends at zero. The work is done in phases that share a
`Context`: `preparation`, `stimulation`, `closing`; `telemetry` listens.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from stimctl import limits
from stimctl.calibration import CalibrationStanding
from stimctl.errors import IllegalEvent, LogFault, Misuse, TimedOut, Unsafe
from stimctl.prescription import Prescription, Subject
from stimctl.session import commands as c
from stimctl.session.closing import Closing
from stimctl.session.context import Context, EngineStep
from stimctl.session.failures import START_AGAIN, Failures
from stimctl.session.log import SessionLog
from stimctl.session.preparation import Preparation
from stimctl.session.states import AT_REST, ENDED, QUIET, STOPPING, End, State, Task, Trigger
from stimctl.session.stimulation import Stimulation
from stimctl.session.telemetry import Telemetry
from stimctl.session.view import NOT_CONFIRMED, Priority, SessionReport, SessionView
from stimctl.stimulators import base, interlocks
from stimctl.stimulators.base import Identity, Stimulator
from stimctl.wire import codec as m

# Steps that a session takes by itself. After a hold it is always a person who goes on.
UNATTENDED = frozenset({State.IDLE, State.IDENTIFIED, State.LOADED, State.TESTED, State.CHECKED})
ATTENDED = frozenset({State.IDLE, State.IDENTIFIED, State.LOADED})
# Later than its deadline by so much, this program did not run: silences begin anew, and it is told [choice]. Less is
# seen where less would be blamed on others: a try of a stop that was left out (`limits.STOP_RESEND_US`), bytes that
# wait unread behind a wait (`port.LOOK_AGAIN_US`), a tick of a lease's own time (`lease.device.TICK_US`).
STOOD_STILL_US = 200_000
_Handler = Callable[[Any, int], None]


class Engine:
    """Drives one prescription on one stimulator, once.

    `clock` (real or virtual), `software` (name and version of the program), `course` and what `calibration_of` says of
    the device go into the log. `auto` is the set of states that it leaves by itself; in the others it waits for
    `Proceed`. Raises `Unsafe` for a person or an animal without a `front_end`.
    """

    def __init__(
        self,
        stimulator: Stimulator,
        prescription: Prescription,
        log: SessionLog,
        *,
        session_id: str,
        url: str = "",
        clock: str = "real",
        software: str | None = None,
        course: str | None = None,
        auto: frozenset[State] = UNATTENDED,
        front_end: bool = False,
        on_reading: Callable[[m.Channel, int], None] | None = None,
        calibration_of: Callable[[Identity], CalibrationStanding] | None = None,
    ) -> None:
        if prescription.subject in (Subject.PERSON, Subject.ANIMAL) and not front_end:
            raise Unsafe([interlocks.no_front_end(prescription.subject)])
        self._context = context = Context(stimulator, prescription, log, self._go_on)
        self.stimulator = stimulator
        self._auto = auto
        self._turned_us = self._deadline_us = 0
        self._quiet = EngineStep(b"", (), 0, None)
        # Bytes from the line, and what was asked for beside a stop, until the stop is sent.
        self._put_off: tuple[bytes, Sequence[c.Command | c.Fact]] | None = None
        circumstances = {"url": url, "clock": clock, "software": software, "course": course}
        self._prepare = Preparation(context, circumstances, calibration_of)
        self._stimulate = Stimulation(context)
        self._close = Closing(context, session_id)
        context.stop = self._close.stop
        self._failures = Failures(context, self._close)
        self._telemetry = Telemetry(context, self._prepare, self._stimulate, self._close, auto, on_reading)
        self._steps: dict[State, Callable[[int], None]] = {
            State.IDLE: partial(context.order, Task.HANDSHAKE, stimulator.connect),
            State.IDENTIFIED: partial(context.order, Task.LOADING, stimulator.load, prescription.program),
            State.LOADED: partial(context.order, Task.SELF_TEST, stimulator.self_test),
            **dict.fromkeys(QUIET, context.await_durable),
        }
        self._obey = self._commands()
        self._on = self._device_events()

    def _commands(self) -> dict[type[Any], _Handler]:
        """Who carries out what is asked for, and what the loop itself has to say."""
        context, stimulator = self._context, self.stimulator
        return {
            c.Proceed: lambda _command, now_us: self._proceed(now_us),
            **dict.fromkeys((c.Raise, c.Lower, c.AskTarget), self._stimulate.retarget),
            c.AskHold: lambda command, now_us: self._stimulate.hold(now_us, command.why),
            c.AskStop: lambda command, now_us: self._close.stop(now_us, command.end, command.text),
            c.AddNote: lambda command, now_us: context.put_body(command.kind, command.body, now_us),
            c.CheckIn: self._on_check_in,
            c.LogDurable: self._on_durable,
            c.LogFailed: lambda fact, now_us: self._failures.log_failed(fact.error, now_us),
            c.EarlierDoseLogged: self._prepare.on_earlier_dose_logged,
            c.LineGone: lambda fact, now_us: self._failures.line_lost(fact.error, now_us),
            c.HostTrouble: lambda fact, now_us: self._close.stop(now_us, fact.end, fact.text),
            c.BytesWritten: lambda fact, _now_us: stimulator.wrote(fact.at_us),
        }

    def _device_events(self) -> dict[type[Any], _Handler]:
        """Who hears what the device says."""
        context = self._context
        on_acknowledged = partial(self._by_phase, self._close.on_acknowledged, self._prepare.on_acknowledged)
        return {
            base.DeviceIdentified: self._prepare.on_identified,
            base.ProgramLoaded: lambda _event, now_us: context.done(Trigger.LOADED, now_us),
            base.SelfTested: self._prepare.on_self_tested,
            base.ContactChecked: self._on_checked,
            base.SessionCounts: partial(self._by_phase, self._close.on_records, self._prepare.on_recovered),
            base.ZeroConfirmed: partial(self._by_phase, self._close.on_zero, self._prepare.on_stop_tried),
            base.ZeroOverdue: self._failures.on_zero_overdue,
            base.OrderDeclined: self._stimulate.on_declined,
            base.LateReply: self._stimulate.on_late,
            base.StimulatorFailed: self._failures.on_failed,
            base.Intruded: self._failures.on_intruded,
            base.Unrested: self._failures.on_unrested,
            base.OutputPaused: lambda event, now_us: context.tell(event.text, now_us),
            base.EntryNoted: lambda event, now_us: context.put(event.entry, now_us),
            m.Status: self._telemetry.on_status,
            m.Channel: self._telemetry.on_channel,
            m.Event: self._telemetry.on_event,
            m.Armed: partial(self._changed, self._prepare.on_armed),
            m.Started: partial(self._changed, self._on_started),
            m.TargetSet: partial(self._changed, self._stimulate.on_target_set),
            m.Holding: partial(self._changed, self._stimulate.on_holding),
            m.Acknowledged: partial(self._changed, on_acknowledged),
        }

    def begin(self, now_us: int) -> None:
        """Start the clock; connect when that needs no operator. A person's screening is used up here: raises `Unsafe`
        when it is stale or was used before."""
        self._context.prescription.begin(now_us)
        times = self._context.times
        times.checked_in_us = times.status_us = now_us
        self.stimulator.heard_us = self._turned_us = self._deadline_us = now_us
        self._go_on(now_us)

    def step(self, now_us: int, data: bytes = b"", command: Sequence[c.Command | c.Fact] = ()) -> EngineStep:
        """Take in the time, bytes from the line, and what was asked for; say what is to be done. A stop that is asked
        for gives its bytes at once; all else, also the rest of the stop, follows at the next step."""
        if command or self._put_off is not None:
            if c.AskStop in map(type, command) and self._close.may_cut:
                return self._cut(now_us, data, command)
            if self._put_off is not None:
                (before, put_off), self._put_off = self._put_off, None
                data, command = before + data, [*put_off, *command]
        context, late_us = self._context, now_us - self._deadline_us
        if late_us > STOOD_STILL_US:
            self._stood_still(now_us)
        self._turned_us = now_us
        for each in command:
            try:
                self._obey[type(each)](each, now_us)
            except (Misuse, Unsafe) as refusal:
                context.tell(str(refusal), now_us)
        try:
            if data:
                handlers = self._on
                for event in self.stimulator.receive(data, now_us):
                    handlers[type(event)](event, now_us)
            if late_us >= 0:
                self._advance(now_us)
        except IllegalEvent as surprise:
            text = f"the device said something out of place: {surprise}"
            context.fail(End.IMPLAUSIBLE, text, START_AGAIN, now_us)
        output = self.stimulator.take_output()
        if (
            late_us < 0
            and self._deadline_us == context.times.alive_due_us
            and not (output or command or context.events)
        ):
            # Nothing but telemetry, as nearly always: the next keepalive is due when it was.
            if self._quiet.deadline_us != self._deadline_us:
                self._quiet = EngineStep(b"", (), self._deadline_us, None)
            return self._quiet
        events, context.events = context.events, []
        want, context.want = context.want, None
        self._deadline_us = self._next_deadline_us()
        return EngineStep(output, events, self._deadline_us, want)

    def _cut(self, now_us: int, data: bytes, command: Sequence[c.Command | c.Fact]) -> EngineStep:
        self._close.cut(now_us)
        self._stood_still(now_us)
        # Whatever this program sleeps through from here on, it was told to stop before.
        self._turned_us = self._deadline_us = now_us
        self._context.times.alive_due_us = None
        # The stop first here too: what was asked for ahead of it must send nothing after it.
        self._put_off = data, sorted(command, key=lambda each: type(each) is not c.AskStop)
        return EngineStep(self.stimulator.take_output(), (), now_us, None)

    @property
    def state(self) -> State:
        """Where the session stands; stopping, once a stop's bytes were given."""
        return self._context.state if self._put_off is None else STOPPING

    @property
    def report(self) -> SessionReport | None:
        return self._close.report

    def view(self, now_us: int) -> SessionView:
        """A snapshot for a screen, from any thread."""
        context, device, state, zero = self._context, self._context.device, self._context.state, self._close.sure_zero
        return SessionView(
            state=state,
            end=None if context.ending is None else context.ending.end,
            identity=device.identity,
            now_us=now_us,
            ceiling_ua=context.prescription.ceiling_ua,
            targets_ua=context.targets.by_channel("resume_ua" if state in AT_REST else "applied_ua"),
            status=device.status,
            channels=dict(device.channels),
            impedances=dict(device.impedances),
            alarms=tuple(context.alarms),
            waits_for_operator=context.pending is None and state not in self._auto and state in self._steps,
            stop_after_us=None if zero is None else zero.after_us,
            stop_measured=zero is None or zero.measured,
            will_reach_ua={} if context.by_lease else context.dose_tracker.will_reach_ua,
        )

    def on_the_way_out(self, now_us: int, tried_us: int) -> None:
        """The loop is broken, and the session is to be ended: no sleep was what went by, and nobody is shown readings
        any more, since that may be what broke. `tried_us`: for so long zero was tried in vain."""
        self._close.tried_us = tried_us
        self._turned_us = self._deadline_us = now_us
        self._telemetry.on_reading = None

    def abandon(self, now_us: int, *, at_zero: bool) -> Sequence[Any]:
        """Nothing can be done any more: whoever looks is to see that it is over. Returns what is still to be told."""
        in_doubt = self.report is None and self._close.zero_in_doubt and not at_zero
        self._context.state = ENDED
        return self.tell_doubt(NOT_CONFIRMED, now_us) if in_doubt else self._context.events

    def tell_doubt(self, text: str, now_us: int) -> Sequence[Any]:
        """Whoever runs the session sees no zero: an alarm, unless there was one. Returns what is to be told now."""
        with suppress(Exception):  # the log may be what broke
            self._close.tell_doubt(text, now_us)
        events, self._context.events = self._context.events, []
        return events

    def _advance(self, now_us: int) -> None:
        context = self._context
        for event in self.stimulator.advance(now_us):
            self._on[type(event)](event, now_us)
        due_us = context.times.alive_due_us
        if due_us is not None and now_us >= due_us:
            self._keep_alive(now_us)
        if context.state is STOPPING:
            self._close.watch_time(now_us)
        elif now_us - self.stimulator.heard_us >= limits.SILENCE_US and context.state is not ENDED:
            self._fell_silent(now_us)
        elif context.state in QUIET and now_us >= self._stimulate.rest_deadline_us():
            self._stimulate.fell_silent(now_us)

    def _next_deadline_us(self) -> int:
        context = self._context
        deadline_us = self.stimulator.heard_us + limits.SILENCE_US
        if context.state is STOPPING:
            deadline_us = self._close.deadline_us()
        elif context.state in QUIET:
            deadline_us = min(deadline_us, self._stimulate.rest_deadline_us())
        theirs_us = None if self._close.line_gone else self.stimulator.next_deadline_us()
        if theirs_us is not None and theirs_us < deadline_us:
            deadline_us = theirs_us
        alive_due_us = context.times.alive_due_us
        return alive_due_us if alive_due_us is not None and alive_due_us < deadline_us else deadline_us

    def _fell_silent(self, now_us: int) -> None:
        if self._context.device.identity is None:
            # A device is silent until the handshake; its answer, or none, is the adapter's to judge.
            self.stimulator.heard_us = now_us
        else:
            self._failures.line_lost(TimedOut("no valid frame from the device for 500 ms; check the cable"), now_us)

    def _stood_still(self, now_us: int) -> None:
        """Where this program did not run for long, neither the device nor the operator was silent."""
        # What was due at the last turn already and was left then, was not slept through since.
        late_us = now_us - max(self._deadline_us, self._turned_us)
        if late_us <= STOOD_STILL_US:
            return
        times = self._context.times
        text = f"this program stood still for {(now_us - self._turned_us) / 1e6:.1f} s"
        self.stimulator.stood_still(late_us)
        times.checked_in_us += late_us
        times.status_us += late_us
        times.quiet_us = {channel: at_us + late_us for channel, at_us in times.quiet_us.items()}
        times.entered_us += late_us
        if (pending := self._context.pending) is not None:
            self._context.pending = pending._replace(since_us=pending.since_us + late_us)
        if self._stimulate.plausibility is not None:
            self._stimulate.plausibility.stood_still(late_us)
        self._close.stood_still(late_us, now_us)
        due_us = times.alive_due_us
        if due_us is not None and now_us - (due_us - limits.KEEPALIVE_US) > limits.WATCHDOG_US:
            action = f"{self._context.output_ends}: look after the subject first, then start again"
            self._context.fail(End.STOOD_STILL, text, action, now_us)
        elif due_us is not None or self._context.state is STOPPING:
            self._context.alarm(Priority.LOW, text, "close what else this computer is busy with", now_us)

    def _keep_alive(self, now_us: int) -> None:
        context = self._context
        problem = context.log.problem()
        if problem is not None:
            self._failures.log_failed(LogFault(problem), now_us)
            return
        if now_us - context.times.checked_in_us > limits.CHECK_IN_US:
            text = "the operator's front end was silent for 1 s"
            context.alarm(Priority.HIGH, text, "look, then start again", now_us)
            context.stop(now_us, End.FRONT_END, "")
            return
        context.times.alive_due_us = now_us + limits.KEEPALIVE_US
        self.stimulator.keep_alive(now_us)
        if context.pending is not None:
            self._prepare.watch_check(now_us)
        self._stimulate.watch_time(now_us)
        self._telemetry.watch_line(now_us)

    def _go_on(self, now_us: int) -> None:
        if self._context.state in self._auto and self._context.pending is None:
            self._proceed(now_us)

    def _proceed(self, now_us: int) -> None:
        context = self._context
        if context.pending is not None:
            raise Misuse(f"wait: {context.pending.task.words} is under way")
        if context.state not in self._steps:
            raise Misuse(f"there is no next step while the session is {context.state.value!r}")
        self._steps[context.state](now_us)

    def _on_check_in(self, _command: c.CheckIn, now_us: int) -> None:
        self._context.times.checked_in_us = now_us

    def _on_durable(self, _fact: c.LogDurable, now_us: int) -> None:
        # Waiting for the disk was silence on our side, not on the line.
        self.stimulator.heard_us = now_us
        if self.state is STOPPING:
            self._close.durable(now_us)
        elif self._context.is_pending(Task.WRITING_LOG):
            self._prepare.arm_next(now_us)

    def _changed(self, handle: _Handler, event: Any, now_us: int) -> None:
        """Take an answer by which the device changed something: what it told before that is old news."""
        self._context.answered(event.device_time_us)
        handle(event, now_us)

    def _by_phase(self, stopping: _Handler, before: _Handler, event: Any, now_us: int) -> None:
        """Take what means one thing while the session stops, and another before."""
        (stopping if self.state is STOPPING else before)(event, now_us)

    def _on_started(self, event: m.Started, now_us: int) -> None:
        if self._prepare.in_check():
            self._context.begin(Task.CHECK, now_us)
        else:
            self._stimulate.on_started(event, now_us)

    def _on_checked(self, event: base.ContactChecked, now_us: int) -> None:
        self._prepare.on_checked(event, now_us)
        if self.state is State.TESTED and State.TESTED in self._auto:
            # The check failed and nobody is there to mend the contact.
            self._close.stop(now_us, End.CONTACT, "; ".join(alarm.text for alarm in self._context.alarms))
