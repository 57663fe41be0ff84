"""From the first pulse on: following the device, the operator's targets, hold, and every timer on the host.

What the device reports is compared with what was ordered (see `watch`); what the operator asks is held to
the rules (see `targets`). Lowering never waits; a surprise ends at zero.
"""

from collections.abc import Callable
from typing import Any

from stimctl import limits
from stimctl.errors import Misuse
from stimctl.session.core import Core
from stimctl.session.states import STIMULATING, End, Happening, State, after
from stimctl.session.targets import Target
from stimctl.session.view import Priority
from stimctl.session.watch import TIMER_SLACK_US, Finding, Watch
from stimctl.stimulators import base
from stimctl.stimulators.native import channel_mask
from stimctl.wire import messages as m
from stimctl.wire.codes import DeviceState, EndReason

SAMPLE_US = 10_000_000
_MAY_FOLLOW = (DeviceState.RAMPING, DeviceState.RUNNING, DeviceState.RAMPING_DOWN, DeviceState.HELD)
NO_HANDSHAKE = "no handshake"  # a refusal's reason, in words


class Stimulation:
    """One session's output, as told and as ordered."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._watch: Watch | None = None
        self._device_state = int(DeviceState.IDLE)
        self._held_us: int | None = None
        self._sample_due_us = 0
        self._hold_next = ""
        # Stimulation by the host's own clock: of the runs before, and since when the present one goes on.
        self._ran_us = 0
        self._run_began_us: int | None = None
        self._expected_us = 0
        # Nothing has lasted too long before this; 0 when it has to be worked out anew.
        self._latest_us = 0

    # --- orders -------------------------------------------------------------------------------------

    def set(self, channel: int, rule: Callable[[Target], int], now_us: int) -> None:
        """Ask for the target that `rule` makes of the channel's. Raises `Misuse` or `Unsafe`."""
        core = self._core
        if core.state not in STIMULATING:
            raise Misuse(f"channel {channel}: a target is set while stimulating, not while {core.state.value!r}")
        wanted_ua = core.targets.wish(channel, rule)
        if core.targets.leaves_nothing(channel, wanted_ua):
            self.hold(now_us, "lowered below 0.5 mA")
            return
        core.targets.ask(channel, wanted_ua)
        core.stimulator.targets.want(channel, wanted_ua)
        if hasattr(core.stimulator, "set_target"):
            core.stimulator.set_target(channel, wanted_ua, now_us)
        else:
            core.stimulator.retarget(now_us)

    def hold(self, now_us: int, why: str) -> None:
        """All channels to zero, the session kept. Raises `IllegalEvent` when not stimulating."""
        core = self._core
        if core.state in (State.ARMED, State.REARMED):
            # The start is on its way: the hold follows it at once.
            self._hold_next = why
            return
        after(core.state, Happening.HELD)
        if core.busy == "hold":
            return
        core.put("state", now_us, asked="hold", why=why)
        core.targets.keep_for_resume()
        core.busy = "hold"
        core.stimulator.hold(now_us)

    # --- what the device says -----------------------------------------------------------------------

    def on_started(self, event: m.Started, now_us: int) -> None:
        """A run began, from zero."""
        core = self._core
        assert core.identity is not None
        applied_ua = {channel: event[channel - 1] for channel in core.targets.channels}
        core.targets.begin(applied_ua, now_us)
        core.stimulator.targets.started(applied_ua, now_us)
        core.account.started(applied_ua, event.stimulation_us)
        if self._watch is None:
            self._watch = Watch(core.identity, core.prescription.program, core.prescription.ceiling_ua)
        self._watch.begin(channel_mask(applied_ua), event.stimulation_us, now_us)
        targets_ua = {str(channel): target_ua for channel, target_ua in applied_ua.items()}
        core.put("started", now_us, targets_ua=targets_ua, stimulation_us=event.stimulation_us)
        self._held_us = None
        self._run_began_us = now_us
        self._latest_us = 0
        self._device_state = int(DeviceState.RAMPING)
        self._sample_due_us = now_us + SAMPLE_US
        core.done(Happening.STARTED, now_us)
        if event.stimulation_us != self._expected_us:
            text = f"the device forgot its session timer: {event.stimulation_us} us instead of {self._expected_us} us"
            self.found(Finding(End.CLOCK, text), now_us)
        elif self._hold_next:
            why, self._hold_next = self._hold_next, ""
            self.hold(now_us, why)

    def follow(self, status: m.Status, now_us: int) -> None:
        """Keep step with a device that stimulates."""
        core = self._core
        state = status.state
        if state != self._device_state:
            self._device_state = state
            self._keep_step(status, now_us)
        if core.state not in STIMULATING:
            return
        assert self._watch is not None
        finding = self._watch.status(status, now_us)
        if finding is not None:
            self.found(finding, now_us)

    def _keep_step(self, status: m.Status, now_us: int) -> None:
        """The device moved on: so does the session."""
        core = self._core
        if status.state == DeviceState.HELD:
            self._held_by_device(status, now_us)
        elif status.state == DeviceState.RUNNING and core.state is State.RAMPING:
            core.enter(Happening.REACHED, now_us)
        elif status.state == DeviceState.RAMPING_DOWN and core.state is not State.RAMPING_DOWN:
            core.enter(Happening.FALLING, now_us)
        elif status.state not in _MAY_FOLLOW:
            name = DeviceState(status.state).name
            self.found(Finding(End.IMPLAUSIBLE, f"the device says {name} in the middle of stimulation"), now_us)

    def on_channel(self, reading: m.Channel, now_us: int) -> None:
        """Compare one channel's reading with what was ordered."""
        core = self._core
        core.journal.sample(reading)
        assert self._watch is not None
        target_ua = core.targets.highest_ua[reading.channel]
        if self._watch.as_before(reading, target_ua, now_us):
            return
        finding = self._watch.channel(reading, target_ua, now_us)
        if finding is not None:
            self.found(finding, now_us)

    def found(self, finding: Finding, now_us: int) -> None:
        """Something is wrong: hold, or the end."""
        core = self._core
        if not finding.hold:
            core.alarm(Priority.HIGH, finding.text, "do not use this device until it has been examined", now_us)
            core.stop(now_us, finding.end, finding.text)
        elif core.busy != "hold":
            core.alarm(Priority.MEDIUM, finding.text, "check the leads, then resume", now_us)
            self.hold(now_us, finding.text)

    def on_target_set(self, event: m.TargetSet, now_us: int) -> None:
        """The device applied a target."""
        core = self._core
        before_ua = core.targets.confirmed_ua()[event.channel]
        if event.target_ua < before_ua and self._watch is not None:
            self._watch.lowered(event.channel, before_ua, now_us)
        core.targets.confirm(event.channel, event.target_ua, now_us)
        core.stimulator.targets.applied(event.channel, event.target_ua, now_us)
        core.account.target_set(event)
        core.put("target", now_us, **event._asdict())

    def on_declined(self, event: base.Declined, now_us: int) -> None:
        """The device refused a target; of a refused keepalive the next status says why, unless there is none."""
        if event.reason == NO_HANDSHAKE:
            # It has forgotten us: it was reset, and is silent until the next handshake.
            action = "look after the subject first, then read the log"
            self._core.alarm(Priority.HIGH, f"the device ended the session: {End.RESET.value}", action, now_us)
            self._core.stop(now_us, End.RESET, "")
        elif event.order == "Hold":
            # Held or ended by itself just before: the next status says so. Anything else is no hold.
            if event.detail not in (DeviceState.HELD, DeviceState.ENDED):
                self._core.stop(now_us, End.REFUSED, f"the device refused Hold: {event.reason}")
        elif event.order != "KeepAlive":
            self._core.targets.forget_asked()
            self._core.put("target", now_us, refused=event._asdict())
            self._core.tell(f"the device refused {event.order}: {event.reason}", now_us)

    def on_late(self, event: base.Late, now_us: int) -> None:
        """Something was applied just before the stop: it is part of what was commanded."""
        core, answer = self._core, event.answer
        core.account.unanswered = False
        if isinstance(answer, m.TargetSet):
            core.targets.confirm(answer.channel, answer.target_ua, now_us)
            core.account.target_set(answer)
            core.put("target", now_us, **answer._asdict())
        elif any(answer[:4]):  # an impedance check starts with none
            applied_ua = {channel: answer[channel - 1] for channel in core.targets.channels}
            core.account.started(applied_ua, answer.stimulation_us)

    def on_holding(self, event: m.Holding, now_us: int) -> None:
        """A hold that was asked for is there."""
        if self._core.state in STIMULATING:
            self._enter_hold(event.stimulation_us, now_us)

    def _held_by_device(self, status: m.Status, now_us: int) -> None:
        core = self._core
        if core.busy != "hold":
            reason = EndReason(status.end_reason).name.lower().replace("_", " ")
            core.alarm(Priority.MEDIUM, f"held by the device: {reason}", "check the leads, then resume", now_us)
            core.targets.keep_for_resume()
        self._enter_hold(status.stimulation_us, now_us)

    def _enter_hold(self, stimulation_us: int, now_us: int) -> None:
        core = self._core
        self._held_us = now_us
        self._ran_us = self._ran_by(now_us)
        self._run_began_us = None
        self._latest_us = 0
        self._expected_us = stimulation_us
        core.targets.forget_asked()
        core.stimulator.targets.held()
        core.account.held(stimulation_us)
        core.put("held", now_us, stimulation_us=stimulation_us)
        core.done(Happening.HELD, now_us)

    # --- time ---------------------------------------------------------------------------------------

    def watch_time(self, now_us: int) -> None:
        """Every timer the host holds, looked at with each keepalive."""
        core = self._core
        if now_us > self._latest_us:
            self._out_of_time(now_us)
        if core.state not in STIMULATING:
            return
        if core.account.contradiction is not None:
            self.found(Finding(End.IMPLAUSIBLE, core.account.contradiction), now_us)
        elif not self._fell_silent(now_us):
            if core.targets.titrating:
                self._watch_titration(now_us)
            if now_us >= self._sample_due_us:
                self._sample_due_us = now_us + SAMPLE_US
                core.put("sample", now_us, **self._sample())

    def _out_of_time(self, now_us: int) -> None:
        """Something may have lasted too long: the session, a hold, or stimulation. If not, when it next could."""
        core = self._core
        if core.armed_us is None:
            return
        stimulated_us = core.prescription.stimulation_us + self._timer_slack_us()
        if now_us - core.armed_us > limits.SESSION_US:
            core.stop(now_us, End.SESSION_EXPIRED, "")
        elif self._held_us is not None and now_us - self._held_us > limits.HOLD_US:
            core.stop(now_us, End.HOLD_EXPIRED, "")
        elif self._ran_by(now_us) > stimulated_us:
            text = "stimulation lasted longer than prescribed, by the host's clock"
            self.found(Finding(End.CLOCK, text), now_us)
        else:
            self._latest_us = core.armed_us + limits.SESSION_US
            if self._held_us is not None:
                self._latest_us = min(self._latest_us, self._held_us + limits.HOLD_US)
            if self._run_began_us is not None:
                self._latest_us = min(self._latest_us, self._run_began_us + stimulated_us - self._ran_us)

    def _ran_by(self, now_us: int) -> int:
        return self._ran_us + (0 if self._run_began_us is None else now_us - self._run_began_us)

    def _timer_slack_us(self) -> int:
        identity = self._core.identity
        # By lease the adapter holds the timer, and hand-overs take the host's time but no stimulation.
        return limits.SESSION_US if identity is not None and identity.by_lease else TIMER_SLACK_US

    def _fell_silent(self, now_us: int) -> bool:
        """The device answers but no longer says how it is, so that nothing watches its timer: the end."""
        if self._watch is None or not self._watch.silent(now_us):
            return False
        if now_us - self._core.stimulator.heard_us >= limits.SILENCE_US:
            # It does not answer either: the engine says so.
            return False
        text = "no status from the device, or no reading of a channel, for 500 ms, although it answers"
        self._core.alarm(Priority.HIGH, text, "check the cable, then start again", now_us)
        self._core.stop(now_us, End.LINE_LOST, text)
        return True

    def _watch_titration(self, now_us: int) -> None:
        channel = self._core.targets.overdue(now_us)
        if channel is not None and self._core.busy != "hold":
            text = f"channel {channel} stood below 0.5 mA for 60 s"
            self._core.alarm(Priority.MEDIUM, text, "held; resume and raise again, or stop", now_us)
            self.hold(now_us, text)

    def _sample(self) -> dict[str, Any]:
        core = self._core
        return {
            "stimulation_us": None if core.status is None else core.status.stimulation_us,
            "channels": {str(number): reading._asdict() for number, reading in core.channels.items()},
        }
