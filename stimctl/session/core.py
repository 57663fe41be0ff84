"""What the phases of a session share: its state, what it knows of the device, and what it tells."""

from collections.abc import Callable
from typing import Any

from stimctl.prescription import Prescription
from stimctl.session.account import Account
from stimctl.session.journal import Journal
from stimctl.session.log import SessionLog
from stimctl.session.states import ON_HOLD, End, Happening, State, after
from stimctl.session.targets import Targets
from stimctl.stimulators.targets import Targets as Record
from stimctl.session.view import Alarm, Priority, StateChanged, Told
from stimctl.stimulators.base import Identity, Stimulator
from stimctl.wire.messages import Channel, Impedance, Status


class Core:
    """One session's facts. `busy` names the order that has not been answered yet, or is empty.

    `go_on` takes the next step where none needs an operator.
    """

    def __init__(
        self, stimulator: Stimulator, prescription: Prescription, log: SessionLog, go_on: Callable[[int], None]
    ) -> None:
        self.stimulator = stimulator
        self.prescription = prescription
        self.log = log
        self.journal = Journal(log)
        self.account = Account(prescription)
        first_ua = {plan.channel: plan.amplitude_ua for plan in prescription.channels}
        self.targets = Targets(first_ua, prescription.ceiling_ua)
        stimulator.targets = Record(first_ua)
        self.state = State.IDLE
        self.end: End | None = None
        self.end_text = ""
        self.busy = ""
        self.wants_durable = False
        # Something was written, told or asked of who runs the session, since it last looked.
        self.stirred = False
        self.entered_us = 0
        self.identity: Identity | None = None
        self.status: Status | None = None
        self.channels: dict[int, Channel] = {}
        self.impedances: dict[int, Impedance] = {}
        self.alarms: list[Alarm] = []
        self.events: list[Any] = []
        self.session_number = 0
        self.checked_in_us = 0
        # From the first arm on; the 45 minutes of a session count from here.
        self.armed_us: int | None = None
        self.alive_due_us: int | None = None
        self._go_on = go_on
        # How a phase ends the session; the engine sets it when the closing phase is there.
        self.stop: Callable[[int, End, str], None]

    def enter(self, happening: Happening, now_us: int) -> None:
        """Move to the next state of the table, write it down and tell it. Raises `IllegalEvent`."""
        was = self.state
        self.state = after(was, happening)
        self.stirred = True
        self.entered_us = now_us
        self.events.append(StateChanged(self.state, now_us))
        if self.state is not State.ENDED:
            end = None if self.end is None else str(self.end)
            self.put("state", now_us, was=str(was), now=str(self.state), end=end)
        if self.state in ON_HOLD or was in ON_HOLD:
            self.account.moved(self.state, now_us)

    def done(self, happening: Happening, now_us: int) -> None:
        """The order under way is complete: move on, and further where no operator is needed."""
        self.busy = ""
        self.enter(happening, now_us)
        if happening is not Happening.CHECK_FAILED:
            self._go_on(now_us)

    def put(self, kind: str, now_us: int, /, **body: Any) -> None:
        """Write an entry, once there is a session to write of: before the identity there is none."""
        if self.identity is not None:
            self.stirred = True
            self.journal.put(kind, now_us, **body)

    def alarm(self, priority: Priority, text: str, action: str, now_us: int) -> None:
        """Tell the operator what is wrong and what to do."""
        alarm = Alarm(priority, text, action, now_us)
        self.alarms.append(alarm)
        self.stirred = True
        self.events.append(alarm)
        self.put("alarm", now_us, source="host", priority=priority.name, text=text, action=action)

    def want_durable(self, why: str) -> None:
        """Nothing goes on before the log is on disk."""
        self.busy = why
        self.wants_durable = self.stirred = True

    def tell(self, text: str, now_us: int) -> None:
        """Tell the operator something that is no alarm."""
        self.stirred = True
        self.events.append(Told(text, now_us))
