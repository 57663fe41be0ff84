"""Conducts a session from the first pulse on: the device's reports, the operator's targets, holds, the host's timers.

What the device reports is compared with what was asked of it (see `plausibility`); what the operator asks is held to
the rules (see `targets`). Lowering never waits; a surprise ends at zero.
"""

from stimctl import entries, limits
from stimctl.errors import IllegalEvent, Misuse
from stimctl.session.commands import AskTarget, Lower, Raise
from stimctl.session.context import NEVER_US, Context
from stimctl.session.plausibility import TIMER_SLACK_US, Implausible, Plausibility
from stimctl.session.states import AT_REST, QUIET, STIMULATING, STOPPING, TABLE, End, State, Task, Trigger
from stimctl.session.view import EXAMINE, LOOK_AFTER, Priority
from stimctl.stimulators import base
from stimctl.stimulators.exchange import GIVE_UP_US, NO_ANSWER
from stimctl.stimulators.native import channel_mask
from stimctl.wire import codec as m
from stimctl.wire.codes import DeviceState, EndReason

SAMPLE_US = 10_000_000
HOLD_COMES_US = 4 * GIVE_UP_US  # an unanswered one is given up sooner [choice]
_MAY_FOLLOW = (DeviceState.RAMPING, DeviceState.RUNNING, DeviceState.RAMPING_DOWN, DeviceState.HELD)
NO_HANDSHAKE = "no handshake"  # a refusal's reason, in words
EXPIRES = {limits.SessionTimer.SESSION: End.SESSION_EXPIRED, limits.SessionTimer.HOLD: End.HOLD_EXPIRED}


class Stimulation:
    """One session's output, as told and as asked for."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self.plausibility: Plausibility | None = None
        self.device_state = int(DeviceState.IDLE)  # as followed
        self._sample_due_us = 0
        self.hold_next: str | None = None  # why to hold as soon as what is on its way has started
        # Stimulation by the host's own clock: of the runs before, and since when the present one goes on.
        self._ran_us = 0
        self._run_began_us: int | None = None
        # Stimulation of the session so far, as the device said at the last hold.
        self._expected_us = 0

    def retarget(self, command: Raise | Lower | AskTarget, now_us: int) -> None:
        """Want what the command makes of the channel's target. Raises `Misuse` or `Unsafe`."""
        context, targets, channel = self._context, self._context.targets, command.channel
        runs = context.state in STIMULATING
        wanted_ua = self._wanted_ua(command, now_us) if runs else self._lower_at_rest_ua(command)
        if context.is_pending(Task.HOLD) and wanted_ua > targets[channel].wanted_ua:
            raise Misuse(f"channel {channel}: a hold is under way; raise again once the session runs")
        leaves_nothing = (runs or context.starts) and targets.leaves_nothing(channel, wanted_ua)
        targets.want(channel, wanted_ua)
        if leaves_nothing:
            self.hold(now_us, "lowered below 0.5 mA")
        elif runs:
            context.stimulator.retarget(now_us)

    def _wanted_ua(self, command: Raise | Lower | AskTarget, now_us: int) -> int:
        targets, channel = self._context.targets, command.channel
        if isinstance(command, AskTarget):
            return targets.to(channel, command.target_ua, now_us)
        return targets.down(channel) if isinstance(command, Lower) else targets.up(channel, now_us)

    def _lower_at_rest_ua(self, command: Raise | Lower | AskTarget) -> int:
        """Before a run, also on hold, a target can be lowered: that run goes no higher."""
        context, channel = self._context, command.channel
        if isinstance(command, Raise) or context.state not in AT_REST:
            word = context.state.value
            raise Misuse(f"channel {channel}: a target is set while stimulating, not while {word!r}")
        if isinstance(command, Lower):
            return context.targets.down(channel)
        return context.targets.lower(channel, command.target_ua)

    def hold(self, now_us: int, why: str) -> None:
        """All channels to zero, the session kept. Raises `IllegalEvent` where nothing is stimulated."""
        context = self._context
        if context.starts:
            # The start is on its way: the hold follows it at once.
            self.hold_next = why
            return
        if (context.state, Trigger.HELD) not in TABLE:
            raise IllegalEvent(f"hold: nothing is stimulated while {context.state.value!r}")
        if context.is_pending(Task.HOLD):
            return
        context.put(entries.StateEntered(asked="hold", why=why), now_us)
        # Targets that were not sent yet are of no use in a hold.
        context.targets.stopped()
        context.begin(Task.HOLD, now_us)
        context.stimulator.hold(now_us)

    def on_started(self, event: m.Started, now_us: int) -> None:
        context = self._context
        identity = context.device.identity
        assert identity is not None
        applied_ua = {channel: event[channel - 1] for channel in context.targets.channels}
        context.targets.started(applied_ua, now_us)
        context.dose_tracker.started(applied_ua, event.stimulation_us)
        rx = context.prescription
        self.plausibility = self.plausibility or Plausibility(identity, rx.program, rx.ceiling_ua, context.targets)
        self.plausibility.begin(channel_mask(applied_ua), event.device_time_us, event.stimulation_us, now_us)
        targets_ua = {str(channel): target_ua for channel, target_ua in applied_ua.items()}
        context.put(entries.OutputStarted(targets_ua=targets_ua, stimulation_us=event.stimulation_us), now_us)
        self._run_began_us = now_us
        self.device_state = int(DeviceState.RAMPING)
        self._sample_due_us = now_us + SAMPLE_US
        context.done(Trigger.STARTED, now_us)
        if event.stimulation_us != self._expected_us:
            text = f"the device forgot its session timer: {event.stimulation_us} us instead of {self._expected_us} us"
            context.fail(End.CLOCK, text, EXAMINE, now_us)
        elif self.hold_next is not None:
            why, self.hold_next = self.hold_next, None
            self.hold(now_us, why)
        else:
            context.stimulator.retarget(now_us)

    def follow(self, status: m.Status, now_us: int) -> None:
        """The device moved on: so does the session."""
        self.device_state = status.state
        if status.state == DeviceState.HELD:
            if not self._context.is_pending(Task.HOLD):
                text = f"held by the device: {EndReason(status.end_reason).name.lower().replace('_', ' ')}"
                self._context.alarm(Priority.MEDIUM, text, "check the leads, then resume", now_us)
            self.on_holding(status, now_us)
        elif status.state == DeviceState.RUNNING and self._context.state is State.RAMPING:
            self._context.enter(Trigger.REACHED, now_us)
        elif status.state == DeviceState.RAMPING_DOWN and self._context.state is not State.RAMPING_DOWN:
            self._context.enter(Trigger.FALLING, now_us)
        elif status.state not in _MAY_FOLLOW:
            name = DeviceState(status.state).name
            text = f"the device says {name} in the middle of stimulation"
            self._context.fail(End.IMPLAUSIBLE, text, EXAMINE, now_us)

    def found(self, finding: Implausible, now_us: int) -> None:
        if not finding.hold:
            self._context.fail(finding.end, finding.text, EXAMINE, now_us)
        elif not self._context.is_pending(Task.HOLD):
            self._context.alarm(Priority.MEDIUM, finding.text, "check the leads, then resume", now_us)
            self.hold(now_us, finding.text)

    def ended_by_device(self, end: End, now_us: int) -> None:
        if end is not End.TIMER:
            self._context.alarm(Priority.HIGH, f"the device ended the session: {end.value}", LOOK_AFTER, now_us)
        self._context.stop(now_us, end, "")

    def on_target_set(self, event: m.TargetSet, now_us: int) -> None:
        context, channel = self._context, event.channel
        before_ua = context.targets[channel].highest_ua
        context.targets.applied(channel, event.target_ua, now_us)
        if self.plausibility is not None:
            self.plausibility.changed(channel, event.device_time_us)
            if context.targets[channel].highest_ua < before_ua:
                self.plausibility.no_longer(channel, before_ua, event.device_time_us)
        context.dose_tracker.target_set(event)
        context.put(entries.TargetChanged(**event._asdict()), now_us)

    def on_declined(self, event: base.OrderDeclined, now_us: int) -> None:
        """The device refused a target; of a refused keepalive the next status says why, unless there is none."""
        if event.reason == NO_HANDSHAKE:
            # It has forgotten us: it was reset, and is silent until the next handshake.
            self.ended_by_device(End.RESET, now_us)
        elif event.order == "Hold":
            # Held or ended by itself just before: the next status says so. Anything else is no hold.
            if event.detail not in (DeviceState.HELD, DeviceState.ENDED):
                self._context.stop(now_us, End.REFUSED, f"the device refused Hold: {event.reason}")
        elif event.order != "KeepAlive":
            self._target_declined(event, now_us)

    def _target_declined(self, event: base.OrderDeclined, now_us: int) -> None:
        context, target = self._context, self._context.targets[event.channel]
        lowers = event.target_ua < target.applied_ua
        context.put(entries.TargetChanged(refused=dict(zip(event._fields[:4], event[:4], strict=True))), now_us)
        if event.reason == NO_ANSWER:
            context.targets.never_answered(event.channel, event.target_ua)
            context.dose_tracker.unanswered = True
            change = f"the device did not answer the change to {event.target_ua} uA"
            context.tell(f"channel {event.channel}: {change}", now_us)
            context.stimulator.retarget(now_us)
            return
        context.targets.not_applied(event.channel, event.target_ua)
        over = event.detail in (DeviceState.HELD, DeviceState.ENDED)
        if over and event.target_ua in target.sent_ua:
            # Of this run, which the next status will tell of. Two lowerings, each sent again as soon as the other one
            # was refused, would go on until then.
            context.targets.stopped()
        if lowers and not over:
            text = f"the device refused to lower channel {event.channel} to {event.target_ua} uA: {event.reason}"
            context.fail(End.REFUSED, text, EXAMINE, now_us)
        else:
            context.tell(f"the device refused {event.order}: {event.reason}", now_us)

    def on_late(self, event: base.LateReply, now_us: int) -> None:
        """Something was applied just before the stop: it is part of what was commanded."""
        context, answer = self._context, event.answer
        if isinstance(answer, m.TargetSet):
            self.on_target_set(answer, now_us)
        elif any(answer[:4]):  # an impedance check starts with none
            applied_ua = {channel: answer[channel - 1] for channel in context.targets.channels}
            context.dose_tracker.started(applied_ua, answer.stimulation_us)

    def on_holding(self, message: m.Holding | m.Status, now_us: int) -> None:
        """A hold is there, that was asked for or not."""
        context, stimulation_us = self._context, message.stimulation_us
        if context.state not in STIMULATING:
            return
        # It is heard later than it began, by less than the device may be silent; each hold adds to that.
        ran_us = self._ran_by(now_us)
        self._ran_us = min(ran_us, max(stimulation_us, ran_us - limits.SILENCE_US))
        self._run_began_us = None
        self._expected_us = stimulation_us
        if self.plausibility is not None:
            for channel, highest_ua in context.targets.by_channel("highest_ua").items():
                self.plausibility.no_longer(channel, highest_ua, message.device_time_us)
        context.targets.on_hold()
        context.dose_tracker.on_hold(stimulation_us)
        context.put(entries.OutputHeld(stimulation_us=stimulation_us), now_us)
        context.done(Trigger.HELD, now_us)

    def watch_time(self, now_us: int) -> None:
        """Every timer the host holds, looked at with each keepalive."""
        context = self._context
        self._out_of_time(now_us)
        if context.state not in STIMULATING:
            if context.state is not STOPPING:
                self.fell_silent(now_us)
        elif context.dose_tracker.contradiction is not None:
            context.fail(End.IMPLAUSIBLE, context.dose_tracker.contradiction, EXAMINE, now_us)
        elif self._hold_overdue(now_us):
            text = "the device was told to hold and does not say that it does"
            context.fail(End.IMPLAUSIBLE, text, EXAMINE, now_us)
        elif not self.fell_silent(now_us):
            if context.targets.titrating:
                self._watch_titration(now_us)
            if now_us >= self._sample_due_us:
                self._sample_due_us = now_us + SAMPLE_US
                device = context.device
                stimulation_us = None if device.status is None else device.status.stimulation_us
                channels = {str(number): reading._asdict() for number, reading in device.channels.items()}
                context.put(entries.Sampled(stimulation_us=stimulation_us, channels=channels), now_us)

    def _hold_overdue(self, now_us: int) -> bool:
        """Whether neither an answer nor a status tells of a hold: while it is asked for nothing but a stop is sent."""
        pending = self._context.pending
        return pending is not None and pending.task is Task.HOLD and now_us - pending.since_us > HOLD_COMES_US

    def _out_of_time(self, now_us: int) -> None:
        """Whether something has lasted too long: the session, a hold, or stimulation."""
        context, armed_us = self._context, self._context.times.armed_us
        if armed_us is None:
            return
        # By lease the adapter holds the timer, and hand-overs take the host's time but no stimulation.
        slack_us = limits.SESSION_US if context.by_lease else TIMER_SLACK_US
        # The keepalive that this comes with is the newest there is.
        timer = limits.expired(now_us, armed_us, now_us, context.dose_tracker.held_since_us)
        if timer is not None:
            context.stop(now_us, EXPIRES[timer], "")
        elif self._ran_by(now_us) > context.prescription.stimulation_us + slack_us:
            text = "stimulation lasted longer than prescribed, by the host's clock"
            context.fail(End.CLOCK, text, EXAMINE, now_us)

    def _ran_by(self, now_us: int) -> int:
        return self._ran_us + (0 if self._run_began_us is None else now_us - self._run_began_us)

    def rest_deadline_us(self) -> int:
        """Until when a device whose outputs are off has to tell of itself, and of each channel it was armed for."""
        context, times = self._context, self._context.times
        if context.by_lease:  # it tells of nothing then
            return NEVER_US
        told_us = [times.status_us]
        if times.armed_us is not None:
            told_us += [times.quiet_us.get(channel, times.entered_us) for channel in context.targets.channels]
        return max(times.entered_us, min(told_us)) + limits.SILENCE_US

    def fell_silent(self, now_us: int) -> bool:
        """The device no longer says how it is, so that nothing watches its timer. If it answers, that is the end."""
        context = self._context
        untold = now_us - context.times.status_us >= limits.SILENCE_US
        if context.state in STIMULATING and self.plausibility is not None:
            untold |= self.plausibility.silent(now_us)
        elif context.state in QUIET:
            untold |= now_us >= self.rest_deadline_us()
        if not untold or now_us - context.stimulator.heard_us >= limits.SILENCE_US:
            # Where it does not answer either, the engine says so.
            return False
        text = "no newer status from the device, or reading of a channel, for 500 ms, although it answers"
        context.fail(End.LINE_LOST, text, "check the cable, then start again", now_us)
        return True

    def _watch_titration(self, now_us: int) -> None:
        channel = self._context.targets.titration_overdue(now_us)
        if channel is not None and not self._context.is_pending(Task.HOLD):
            text = f"channel {channel} stood below 0.5 mA for 60 s"
            self._context.alarm(Priority.MEDIUM, text, "held; resume and raise again, or stop", now_us)
            self.hold(now_us, text)
