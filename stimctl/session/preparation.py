"""From the handshake to the first pulse: identity, program, self-test, tried stop, contact, arm, start.

Each step is an order to the stimulator and the handler of its answer. Nothing is armed before the log is
durable, and no lead need be on before outputs read zero and a stop was seen to work.
"""

from dataclasses import asdict

from stimctl import limits
from stimctl.errors import Unsafe, WrongDevice
from stimctl.session import subject
from stimctl.session.core import Core
from stimctl.session.states import ON_HOLD, End, Happening, State
from stimctl.session.view import Priority
from stimctl.stimulators import base
from stimctl.stimulators.capabilities import lacking
from stimctl.wire import messages as m
from stimctl.wire.codes import DeviceState, Purpose

CHECK_US = 100_000
CHECK_SLACK_US = 1_000_000
_CHECKING = (State.CHECKING, State.RECHECKING)


class Preparation:
    """The steps that lead to output. `started` is called when a run has begun."""

    def __init__(self, core: Core, session_id: str, url: str) -> None:
        self._core = core
        self._session_id = session_id
        self._url = url
        self.trying_stop = False
        self.recovered: base.Records | None = None

    # --- steps --------------------------------------------------------------------------------------

    def connect(self, now_us: int) -> None:
        """Handshake and identity."""
        self._core.busy = "handshake"
        self._core.stimulator.connect(now_us)

    def load(self, now_us: int) -> None:
        """Load the program and compare its digest."""
        self._core.busy = "loading"
        self._core.stimulator.load(self._core.prescription.program, now_us)

    def self_test(self, now_us: int) -> None:
        """Self-test, then try the stop, with the outputs disconnected."""
        self._core.busy = "self-test"
        self._core.stimulator.self_test(now_us)

    def ready(self, _now_us: int) -> None:
        """Ask for the log to be durable; `arm_next` follows when it is."""
        self._core.want_durable("writing the log")

    def arm_next(self, now_us: int) -> None:
        """Arm for an impedance check, or after one for stimulation."""
        core = self._core
        try:
            # A session that began goes on after a hold; one that has not may have waited long at its gate.
            if core.state not in ON_HOLD:
                core.prescription.still_screened(now_us)
        except Unsafe as stale:
            core.alarm(Priority.HIGH, str(stale), "screen the person anew, then start a new session", now_us)
            core.stop(now_us, End.SCREENING, str(stale))
            return
        checked = core.state in (State.CHECKED, State.RECHECKED)
        self.arm(Purpose.STIMULATE if checked else Purpose.CHECK_IMPEDANCE, now_us)

    def arm(self, purpose: Purpose, now_us: int) -> None:
        """Arm for `purpose`; the start follows the answer."""
        core = self._core
        core.busy = "arming"
        rx = core.prescription
        core.stimulator.arm(purpose, core.targets.channels, rx.ceiling_ua, rx.stimulation_us, now_us)

    # --- answers ------------------------------------------------------------------------------------

    def on_identified(self, event: base.Identified, now_us: int) -> None:
        """Write the session's first entry, refuse a device that may not be used, fetch what it still holds."""
        core = self._core
        if core.state is State.STOPPING:
            return  # some devices answer the handshake after the stop that overtook it
        core.identity = event.identity
        self._open(event.identity, now_us)
        for sentence in lacking(event.identity):
            core.tell(f"{event.identity.model}: {sentence}", now_us)
        try:
            subject.check_device(core.prescription, event.identity)
        except WrongDevice as wrong:
            core.alarm(Priority.HIGH, str(wrong), "connect the device that the prescription is for", now_us)
            core.stop(now_us, End.WRONG_DEVICE, str(wrong))
            return
        if event.waiting:
            core.busy = "fetching the dose of an earlier session"
            core.stimulator.read_records(range(1, event.identity.channels + 1), now_us)
            return
        core.done(Happening.IDENTIFIED, now_us)

    def _open(self, identity: base.Identity, now_us: int) -> None:
        core = self._core
        rx = core.prescription
        core.put(
            "opened",
            now_us,
            subject=str(rx.subject),
            operator=rx.operator,
            pseudonym=rx.pseudonym,
            profile=asdict(rx.profile),
            prescription=rx.record(),
            device={**identity.record(), "lacks": list(lacking(identity))},
            simulator=identity.simulator,
            url=self._url,
            plan=core.account.plan_record(),
            planned=core.account.planned_record(),
        )
        if rx.screening is not None:
            core.put("screening", now_us, **rx.screening.record())

    def on_recovered(self, records: base.Records) -> None:
        """The dose of an earlier session came; it is acknowledged once it is logged (`recovery_logged`)."""
        self.recovered = records
        self._core.stirred = True

    def recovery_logged(self, now_us: int) -> None:
        """The earlier session's dose is durable: the device may forget it."""
        assert self.recovered is not None
        number, self.recovered = self.recovered.record.session, None
        self._core.stimulator.acknowledge(number, now_us)

    def on_acknowledged(self, now_us: int) -> None:
        """The device has forgotten an earlier session."""
        self._core.tell("the dose of an earlier session was fetched from the device and logged", now_us)
        self._core.done(Happening.IDENTIFIED, now_us)

    def on_loaded(self, _event: base.Loaded, now_us: int) -> None:
        """The program stands in the device."""
        self._core.done(Happening.LOADED, now_us)

    def on_self_tested(self, event: base.SelfTested, now_us: int) -> None:
        """A stop that was never seen to work does not exist: it is tried before any lead goes on."""
        core = self._core
        note = {"note": event.note} if event.note else {}
        core.put("self_test", now_us, failures=event.failures, zero_ua=event.zero_ua, **note)
        if event.failures or event.zero_ua >= limits.ZERO_UA:
            text = f"self-test failed (bits {event.failures:#x}, {event.zero_ua} uA at zero)"
            core.alarm(Priority.HIGH, text, "do not use this device until it has been examined", now_us)
            core.stop(now_us, End.SELF_TEST, text)
            return
        core.busy = "trying the stop"
        self.trying_stop = True
        core.stimulator.stop(now_us)

    def on_stop_tried(self, event: base.ZeroConfirmed, now_us: int) -> None:
        """The tried stop ended in measured zero."""
        self.trying_stop = False
        self._core.put("stop", now_us, tried=True, **event._asdict())
        self._core.done(Happening.TESTED, now_us)

    def on_armed(self, event: m.Armed, now_us: int) -> None:
        """The device gave its nonce: keepalives begin, and what was armed is started at once."""
        core = self._core
        core.put("armed", now_us, **event._asdict())
        core.session_number = event.session
        core.armed_us = now_us if core.armed_us is None else core.armed_us
        core.alive_due_us = now_us + limits.KEEPALIVE_US
        if event.purpose == Purpose.STIMULATE:
            core.enter(Happening.ARMED, now_us)
            core.stimulator.start(core.stimulator.targets.by_channel("resume_ua"), now_us)
        else:
            core.enter(Happening.CHECK, now_us)
            core.stimulator.start({}, now_us)
        core.busy = "starting"

    def on_lapsed(self, status: m.Status, now_us: int) -> None:
        """An arm was not started in time."""
        if status.state in (DeviceState.TESTED, DeviceState.HELD):
            self._core.busy = ""
            self._core.alive_due_us = None
            self._core.enter(Happening.LAPSED, now_us)

    def on_checked(self, event: base.Checked, now_us: int) -> None:
        """The impedance check is over: good enough, or tell what is wrong."""
        core = self._core
        core.impedances = {result.channel: result for result in event.results}
        problems: list[str] = []
        for result in event.results:
            core.put("impedance", now_us, **result._asdict())
            problems += subject.contact_problems(result, core.prescription, core.identity)
        if core.state is State.CHECKING:
            # Back in its tested state the device wants no keepalive.
            core.alive_due_us = None
        for text in problems:
            core.alarm(Priority.MEDIUM, text, "check the needle and its clip, then check again", now_us)
        core.done(Happening.CHECK_FAILED if problems else Happening.CHECK_PASSED, now_us)

    def watch_check(self, now_us: int) -> None:
        """A check that does not end, ends the session: ten pulses a channel take a tenth of a second."""
        core = self._core
        if self.in_check() and now_us - core.entered_us > CHECK_US * len(core.targets.channels) + CHECK_SLACK_US:
            text = "the impedance check does not end"
            core.alarm(Priority.HIGH, text, "do not use this device until it has been examined", now_us)
            core.stop(now_us, End.IMPLAUSIBLE, text)

    def in_check(self) -> bool:
        """Whether an impedance check is under way."""
        return self._core.state in _CHECKING
