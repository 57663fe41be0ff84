"""Leads a session from the handshake to the first pulse: identity, program, self-test, tried stop, contact, arm, start.

Nothing is armed before the log is durable, and no lead need be on before outputs read zero and a stop was seen to work.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from stimctl import entries, limits
from stimctl.calibration import CalibrationStanding
from stimctl.errors import Unsafe, WrongDevice
from stimctl.session.commands import EarlierDoseLogged
from stimctl.session.context import Context, LogEarlierDose
from stimctl.session.states import CHECKED, ON_HOLD, End, State, Task, Trigger
from stimctl.session.view import EARLIER_DOSE, EXAMINE, Priority
from stimctl.stimulators import base, interlocks
from stimctl.stimulators.capabilities import lacking
from stimctl.waveform import CHECK_US
from stimctl.wire import codec as m
from stimctl.wire.codes import DeviceState, Purpose

CHECK_SLACK_US = 1_000_000
_CHECK_GOES_ON = (DeviceState.ARMED, DeviceState.CHECKING)
_CHECKING = (State.CHECKING, State.RECHECKING)


class Preparation:
    """The steps that lead to output. `circumstances`: fields of the first entry that the caller knows."""

    def __init__(
        self,
        context: Context,
        circumstances: Mapping[str, Any],
        calibration_of: Callable[[base.Identity], CalibrationStanding] | None,
    ) -> None:
        self._context = context
        self._circumstances = circumstances
        self._calibration_of = calibration_of
        self._earlier_session = 0

    def arm_next(self, now_us: int) -> None:
        """Arm for an impedance check, or after one for stimulation; the start follows the answer."""
        context = self._context
        try:
            # A session that began goes on after a hold; one that has not may have waited long at its gate.
            if context.state not in ON_HOLD:
                context.prescription.still_screened(now_us)
        except Unsafe as stale:
            context.fail(End.SCREENING, str(stale), "screen the person anew, then start a new session", now_us)
            return
        rx, arm, channels = context.prescription, context.stimulator.arm, context.targets.channels
        purpose = Purpose.STIMULATE if context.state in CHECKED else Purpose.CHECK_IMPEDANCE
        context.order(Task.ARMING, arm, purpose, channels, rx.ceiling_ua, rx.stimulation_us, now_us)

    def on_identified(self, event: base.DeviceIdentified, now_us: int) -> None:
        """Write the session's first entry, refuse a device that may not be used, fetch what it still holds."""
        context = self._context
        if context.state is State.STOPPING:
            return  # some devices answer the handshake after the stop that overtook it
        context.device.identity = event.identity
        self._open(event.identity, now_us)
        for sentence in lacking(event.identity):
            context.tell(f"{event.identity.model}: {sentence}", now_us)
        try:
            interlocks.check_device(context.prescription, event.identity)
        except WrongDevice as wrong:
            context.fail(End.WRONG_DEVICE, str(wrong), "connect the device that the prescription is for", now_us)
            return
        if event.waiting:
            channels = range(1, event.identity.channels + 1)
            context.order(Task.FETCHING, context.stimulator.read_records, channels, now_us)
        else:
            context.done(Trigger.IDENTIFIED, now_us)

    def _open(self, identity: base.Identity, now_us: int) -> None:
        context = self._context
        rx = context.prescription
        calibration = None if self._calibration_of is None else self._calibration_of(identity)
        opened = entries.Opened(
            subject=str(rx.subject),
            operator=rx.operator,
            pseudonym=rx.pseudonym,
            profile=asdict(rx.profile),
            prescription=rx.record(),
            device={**identity.record(), "lacks": list(lacking(identity))},
            simulator=identity.simulator,
            plan=context.dose_tracker.plan_record(),
            planned=context.dose_tracker.planned_record(),
            calibration=None if calibration is None else calibration.record,
            **self._circumstances,
        )
        context.put(opened, now_us)
        if calibration is not None and calibration.overdue:
            context.tell(calibration.overdue, now_us)
        if rx.screening is not None:
            context.put(entries.Screened(**rx.screening.record()), now_us)

    def on_recovered(self, records: base.SessionCounts, _now_us: int) -> None:
        """The dose of an earlier session came; it is acknowledged once it is logged."""
        identity = self._context.device.identity
        assert identity is not None
        self._earlier_session = records.record.session
        self._context.want = LogEarlierDose(identity, records)

    def on_earlier_dose_logged(self, fact: EarlierDoseLogged, now_us: int) -> None:
        """The earlier session's dose is durable: the device may forget it; not while stopping, as nothing may follow a
        stop."""
        if self._context.is_pending(Task.FETCHING):
            self._context.stimulator.heard_us = now_us
            self._context.tell(f"{EARLIER_DOSE}: {fact.where}", now_us)
            self._context.stimulator.acknowledge(self._earlier_session, now_us)

    def on_acknowledged(self, _event: m.Acknowledged, now_us: int) -> None:
        self._context.tell("the dose of an earlier session was fetched from the device and logged", now_us)
        self._context.done(Trigger.IDENTIFIED, now_us)

    def on_self_tested(self, event: base.SelfTested, now_us: int) -> None:
        """A stop that was never seen to work does not exist: it is tried before any lead goes on."""
        run = entries.SelfTestRun(failures=event.failures, zero_ua=event.zero_ua, note=event.note or None)
        self._context.put(run, now_us)
        if event.failures or event.zero_ua >= limits.ZERO_UA:
            text = f"self-test failed (bits {event.failures:#x}, {event.zero_ua} uA at zero)"
            self._context.fail(End.SELF_TEST, text, EXAMINE, now_us)
            return
        self._context.begin(Task.TRYING_STOP, now_us)
        self._context.stimulator.stop(now_us)

    def on_stop_tried(self, event: base.ZeroConfirmed, now_us: int) -> None:
        self._context.put(entries.OutputStopped(tried=True, **event.record()), now_us)
        self._context.done(Trigger.TESTED, now_us)

    def on_armed(self, event: m.Armed, now_us: int) -> None:
        """The device gave its nonce: keepalives begin, and what was armed is started at once."""
        context = self._context
        context.put(entries.DeviceArmed(**event._asdict()), now_us)
        context.device.session_number = event.session
        context.times.armed_us = now_us if context.times.armed_us is None else context.times.armed_us
        context.times.alive_due_us = now_us + limits.KEEPALIVE_US
        stimulate = event.purpose == Purpose.STIMULATE
        context.enter(Trigger.ARMED if stimulate else Trigger.CHECK, now_us)
        context.stimulator.start(context.targets.by_channel("resume_ua") if stimulate else {}, now_us)
        context.begin(Task.STARTING, now_us)

    def on_lapsed(self, status: m.Status, now_us: int) -> bool:
        """Whether the arm lapsed: nothing was started by it."""
        if status.state not in (DeviceState.TESTED, DeviceState.HELD):
            return False
        self._context.pending = None
        self._context.times.alive_due_us = None
        self._context.enter(Trigger.LAPSED, now_us)
        return True

    def on_checked(self, event: base.ContactChecked, now_us: int) -> None:
        """The impedance check is over: good enough, or tell what is wrong."""
        context = self._context
        context.device.impedances = {result.channel: result for result in event.results}
        problems: list[str] = []
        for result in event.results:
            context.put(entries.ImpedanceChecked(**result._asdict()), now_us)
            problems += interlocks.contact_problems(result, context.prescription, context.device.identity)
        if context.state is State.CHECKING:
            # Back in its tested state the device wants no keepalive.
            context.times.alive_due_us = None
        for text in problems:
            context.alarm(Priority.MEDIUM, text, "check the needle and its clip, then check again", now_us)
        context.done(Trigger.CHECK_FAILED if problems else Trigger.CHECK_PASSED, now_us)

    def watch_check(self, now_us: int) -> None:
        """A check that does not end, ends the session: ten pulses a channel take a tenth of a second. Asking for what
        it found is not part of it: on a slow line that takes longer."""
        context = self._context
        status, within_us = context.device.status, CHECK_US * len(context.targets.channels) + CHECK_SLACK_US
        goes_on = self.in_check() and (status is None or status.state in _CHECK_GOES_ON)
        if goes_on and now_us - context.times.entered_us > within_us:
            context.fail(End.IMPLAUSIBLE, "the impedance check does not end", EXAMINE, now_us)

    def in_check(self) -> bool:
        return self._context.state in _CHECKING
