"""The context that the phases of a session share: its state, device, timers, events and log entries.

Times are host us by the port's clock unless a name says otherwise.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from stimctl import entries
from stimctl.errors import IllegalEvent
from stimctl.prescription import Prescription
from stimctl.session.dose_tracker import DoseTracker
from stimctl.session.log import SessionLog
from stimctl.session.states import CHECKED, STARTING, End, Pending, State, Task, Trigger, after
from stimctl.session.targets import TargetRules
from stimctl.session.view import Alarm, OperatorMessage, Priority, StateChanged
from stimctl.stimulators.base import Identity, SessionCounts, Stimulator
from stimctl.wire.codec import Channel, Impedance, Status

NEVER_US = 1 << 62


@dataclass(slots=True)
class DeviceFacts:
    """What the device has stated of itself; `answered_us`: its time of the newest answer that changed something."""

    identity: Identity | None = None
    status: Status | None = None
    channels: dict[int, Channel] = field(default_factory=dict)
    impedances: dict[int, Impedance] = field(default_factory=dict)
    answered_us: int = 0
    session_number: int = 0


@dataclass(slots=True)
class SessionTimes:
    """Host times in us: when the state was entered, the front end last checked in, the newest status came, each channel
    was last judged with its output off, the session was first armed (its 45 minutes count from there), and when the
    next keepalive is due."""

    entered_us: int = 0
    checked_in_us: int = 0
    status_us: int = 0
    quiet_us: dict[int, int] = field(default_factory=dict)
    armed_us: int | None = None
    alive_due_us: int | None = None


class Ending(NamedTuple):
    """The reason why the session ends, as a code and in words."""

    end: End
    text: str


class AwaitDurable(NamedTuple):
    """Nothing goes on before the log is on disk: say `LogDurable` or `LogFailed`."""


class LogEarlierDose(NamedTuple):
    """The device still held the dose of an earlier session: log it, then say `EarlierDoseLogged` or `LogFailed`."""

    identity: Identity
    records: SessionCounts


class SessionOver(NamedTuple):
    """The session has ended and its report is there."""


Want = AwaitDurable | LogEarlierDose | SessionOver


class EngineStep(NamedTuple):
    """The bytes to send now, what happened (`StateChanged`, `Alarm`, `OperatorMessage`), when to come back at the
    latest, and what is wanted of whoever runs the session, if anything."""

    output: bytes
    events: Sequence[Any]
    deadline_us: int
    wants: Want | None


class Context:
    """One session's facts. `go_on` takes the next step where none needs an operator; `stop` ends the session."""

    def __init__(
        self, stimulator: Stimulator, prescription: Prescription, log: SessionLog, go_on: Callable[[int], None]
    ) -> None:
        self.stimulator = stimulator
        self.prescription = prescription
        self.log = log
        self.dose_tracker = DoseTracker(prescription)
        first_ua = {plan.channel: plan.amplitude_ua for plan in prescription.channels}
        self.targets = stimulator.targets = TargetRules(first_ua, prescription.ceiling_ua)
        self.state = State.IDLE
        self.pending: Pending | None = None
        self.ending: Ending | None = None
        self.want: Want | None = None
        self.device = DeviceFacts()
        self.times = SessionTimes()
        self.alarms: list[Alarm] = []
        self.events: list[Any] = []
        self._go_on = go_on
        # The engine sets it when the closing phase is there.
        self.stop: Callable[[int, End, str], None]

    def enter(self, trigger: Trigger, now_us: int) -> None:
        """Move to the next state of the table, write it down and tell it. Raises `IllegalEvent`."""
        was = self.state
        self.state = after(was, trigger)
        self.times.entered_us = now_us
        self.events.append(StateChanged(self.state, now_us))
        if self.state is not State.ENDED:
            end = None if self.ending is None else str(self.ending.end)
            self.put(entries.StateEntered(was=str(was), now=str(self.state), end=end), now_us)
        self.dose_tracker.moved(self.state, now_us)

    @property
    def starts(self) -> bool:
        """Whether stimulation was asked for and has not begun: log written, device armed, start sent."""
        return self.state in STARTING or (self.state in CHECKED and self.pending is not None)

    @property
    def by_lease(self) -> bool:
        """Whether the device is known, and is given its output in leases."""
        return self.device.identity is not None and self.device.identity.by_lease

    @property
    def output_ends(self) -> str:
        """What becomes of output that nobody keeps alive, in words."""
        return f"output ends within {'3 s' if self.by_lease else '1 s'} by itself"

    def begin(self, task: Task, now_us: int) -> None:
        """Something is under way from now on. Raises `IllegalEvent` where it may not be."""
        if self.state not in task.states:
            raise IllegalEvent(f"{task.words} cannot be under way while the session is {self.state.value!r}")
        self.pending = Pending(task, now_us)

    def order(self, task: Task, give: Callable[..., None], *what: Any) -> None:
        """Give the stimulator an order, which is under way from now on; the last of `what` is the time."""
        self.begin(task, what[-1])
        give(*what)

    def is_pending(self, task: Task) -> bool:
        return self.pending is not None and self.pending.task is task

    def done(self, trigger: Trigger, now_us: int) -> None:
        """What was under way is complete: move on, and further where no operator is needed."""
        self.pending = None
        self.enter(trigger, now_us)
        if trigger is not Trigger.CHECK_FAILED:
            self._go_on(now_us)

    def await_durable(self, now_us: int) -> None:
        self.begin(Task.WRITING_LOG, now_us)
        self.want = AwaitDurable()

    def answered(self, device_time_us: int) -> None:
        """The device changed something at this time of its own: what it told before that is old news."""
        self.device.answered_us = max(self.device.answered_us, device_time_us)

    def put(self, entry: entries.LogEntry, now_us: int) -> None:
        """Write an entry, once there is a session to write of: before the identity there is none."""
        self.put_body(entry.kind, entry.body(), now_us)

    def put_body(self, kind: str, body: Mapping[str, Any], now_us: int) -> None:
        """The same for what an operator wrote, in whatever fields they chose."""
        if self.device.identity is not None:
            self.log.put(kind, now_us, body)

    def alarm(self, priority: Priority, text: str, action: str, now_us: int) -> None:
        """Tell the operator what is wrong and what to do."""
        alarm = Alarm(priority, text, action, now_us)
        self.alarms.append(alarm)
        self.events.append(alarm)
        self.put(entries.AlarmRaised(source="host", priority=priority.name, text=text, action=action), now_us)

    def fail(self, end: End, text: str, action: str, now_us: int) -> None:
        """A HIGH alarm, and the end of the session."""
        self.alarm(Priority.HIGH, text, action, now_us)
        self.stop(now_us, end, text)

    def tell(self, text: str, now_us: int) -> None:
        """Tell the operator something that is no alarm."""
        self.events.append(OperatorMessage(text, now_us))
