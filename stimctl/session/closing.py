"""Ends a session: zero before everything, then the device's counts, then the report, durably.

Only then is the device told that it may forget.
"""

from dataclasses import replace

from stimctl import entries, limits
from stimctl.session.context import NEVER_US, Context, Ending, SessionOver
from stimctl.session.states import ENDED, STOPPING, End, Task, Trigger
from stimctl.session.view import EXAMINE, NOT_CONFIRMED, PULL_THE_LEADS, UNRESTED, Priority, SessionReport
from stimctl.stimulators import base
from stimctl.wire.codec import Acknowledged, Status
from stimctl.wire.codes import GIVES_OUTPUT

GIVE_UP_STOP_US = 5_000_000
GIVE_UP_RECORDS_US = 2_000_000
CAME_BACK_US = 1_000  # of the minute of stops, for output that comes back: a virtual clock may stand still [choice]


class Closing:
    """The end of one session."""

    _stopped_us: int  # when the stop was first sent

    def __init__(self, context: Context, session_id: str) -> None:
        self._context = context
        self._session_id = session_id
        self._records: base.SessionCounts | None = None
        # Whether an arm's answer had not come as the stop did, which the device may have taken.
        self._arming = False
        self._since_us: int | None = None  # of the wait for zero, then for counts, then for the acknowledgement
        self.line_gone = False
        self.zero: base.ZeroConfirmed | None = None
        # Whether its zero was seen in a measurement before counts were asked for; None until they are.
        self._zero_seen: bool | None = None
        # What was told last since the zero, of each channel and of the device as a whole (0): whether it is at zero.
        self._told_zero: dict[int, bool] = {}
        # Since when a native device's zero, once taken back, is in doubt; no telemetry has borne another one out.
        self._doubted_us: int | None = None
        self._waits_for_log = False
        self.tried_us = 0  # so much of the minute of stops is spent already
        self._doubt_told = False
        self.report: SessionReport | None = None

    @property
    def may_cut(self) -> bool:
        """Whether there is something to stop that is not being stopped."""
        return self._since_us is None and not self.line_gone and self._context.state not in (STOPPING, ENDED)

    @property
    def _armed(self) -> bool:
        return self._context.times.armed_us is not None or self._arming

    @property
    def zero_in_doubt(self) -> bool:
        """Whether output may be on for all that is known."""
        return self.zero is None and (self._armed or self._context.stimulator.may_stay_driven)

    @property
    def sure_zero(self) -> base.ZeroConfirmed | None:
        """The zero, unless it was taken back and nothing has borne another one out."""
        return self.zero if self._doubted_us is None else None

    def tell_doubt(self, text: str, now_us: int) -> None:
        """Output may be on: an alarm, once until zero is confirmed."""
        if not self._doubt_told:
            self._doubt_told = True
            self._context.alarm(Priority.HIGH, text, PULL_THE_LEADS, now_us)

    def cut(self, now_us: int) -> None:
        """The stop's bytes, ahead of everything; `stop` does the rest."""
        self._since_us = self._stopped_us = now_us
        self._context.stimulator.stop(now_us)

    def stop(self, now_us: int, end: End, text: str) -> None:
        """Zero, now. Allowed in every state; once stopping, stop frames go on by themselves."""
        context = self._context
        if context.state in (STOPPING, ENDED):
            return
        context.ending = Ending(end, text or end.value)
        context.targets.stopped()
        self._arming = context.is_pending(Task.ARMING)
        context.pending = context.want = context.times.alive_due_us = None
        if self.may_cut:
            self.cut(now_us)
        context.enter(Trigger.STOP, now_us)
        if self.line_gone:
            self.close(now_us)

    def on_zero(self, event: base.ZeroConfirmed, now_us: int) -> None:
        """Zero is told: ask what was counted, if anything was armed; of a native device once telemetry bears it out."""
        context = self._context
        if self._zero_seen is False:  # of a stop that began anew: what is told counts from the first one
            event = event._replace(after_us=now_us - self._stopped_us)
        self.zero, self._told_zero = event, {}
        if self._doubted_us is None:  # else it is one of many, perhaps
            self._log_zero(now_us)
        self._doubt_told = False
        self._since_us = now_us
        context.answered(event.device_time_us)
        if self.report is not None:
            # It came after the last entry: the counts are fetched at the next connection.
            if self._doubted_us is None or now_us >= self._last_us:
                self._close_or_end(now_us)
        elif not context.device.session_number:
            self.close(now_us)
        elif context.by_lease:
            self._ask_counts(now_us, zero_seen=event.measured and self._zero_seen is None)

    def _log_zero(self, now_us: int) -> None:
        assert self.zero is not None
        self._context.put(entries.OutputStopped(tried=False, **self.zero.record()), now_us)

    def _ask_counts(self, now_us: int, *, zero_seen: bool) -> None:
        self._zero_seen, self._since_us = zero_seen, now_us
        self._context.stimulator.read_records(self._context.targets.channels, now_us)

    def on_status(self, status: Status, now_us: int) -> None:
        """After its zero was confirmed a device gives no output: one that does is stopped anew."""
        context = self._context
        identity = context.device.identity
        if self.zero is None or identity is None:
            return
        of_now = status.boot_id == identity.boot_id and status.device_time_us > context.device.answered_us
        if not of_now and status.boot_id == identity.boot_id and not self.long_at_zero(now_us):
            return
        if status.state in GIVES_OUTPUT:
            self.on_output("the device gives output again after its zero was confirmed", now_us)
        elif (of_now or not status.zero) and not context.by_lease:
            self.on_told(0, now_us, at_zero=bool(status.zero))

    def long_at_zero(self, now_us: int) -> bool:
        """Whether its zero was told so long ago that what it tells now, whatever its clock says, is of after it."""
        # By when the state was entered: what this program slept through since is left out of it.
        zero = self.zero
        return zero is not None and now_us - self._context.times.entered_us - zero.after_us > limits.SILENCE_US

    def on_told(self, number: int, now_us: int, *, at_zero: bool) -> None:
        """Since its zero a native device told of a channel, or of itself (0). Nothing goes on while the newest word of
        any is of no zero; the second such word is the caller's to judge."""
        self._told_zero[number] = at_zero
        if not all(self._told_zero.get(each) for each in (0, number, *self._context.targets.channels)):
            return
        doubted, awaits = self._doubted_us is not None, self._awaits_telemetry
        if doubted:
            self._log_zero(now_us)
        self._doubted_us = None
        if awaits:
            self._ask_counts(now_us, zero_seen=not doubted)
        elif self.report is not None and not self._waits_for_log and self._context.pending is None:
            self._let_forget(now_us)

    @property
    def _taken_back(self) -> int | None:
        """Of what the newest word is of no zero, if of anything."""
        return next((number for number, at_zero in self._told_zero.items() if not at_zero), None)

    def on_zero_taken_back(self, number: int, now_us: int) -> None:
        """A channel, or the device as a whole (0), is not at zero any more."""
        what = f"channel {number} carries current after its zero was confirmed"
        self.on_output(what if number else "the device takes back that its output is at zero", now_us)

    def on_output(self, text: str, now_us: int) -> None:
        """What was at zero is not any more: stop it anew."""
        if self.report is not None:  # else the device is asked what it counted once it is stopped
            self.doubt_counts(text)
        self.stop_anew(text, now_us)

    def doubt_counts(self, text: str) -> None:
        """What was counted is not all that flowed, or not what was ordered: also where the report is drawn up."""
        dose_tracker = self._context.dose_tracker
        dose_tracker.contradiction = dose_tracker.contradiction or text
        if self.report is not None:
            exact = None if self.report.delivered is None else False
            found = {"exact": exact, "reason": None, "contradiction": dose_tracker.contradiction}
            self.report = replace(self.report, agreement={**self.report.agreement, **found})

    def stop_anew(self, text: str, now_us: int) -> None:
        """What was at zero may not be any more. Told once: whoever goes on starting it would fill the log."""
        context = self._context
        if all(alarm.text != text for alarm in context.alarms):
            context.alarm(Priority.HIGH, text, PULL_THE_LEADS, now_us)
        if self.zero is None or self.line_gone:
            return
        self.tried_us += CAME_BACK_US
        self.zero, self._told_zero = None, {}
        self._zero_seen, context.dose_tracker.came_back = False, True
        if not context.by_lease:
            self._doubted_us = now_us if self._doubted_us is None else self._doubted_us
            self._records = None  # more may have been counted since: the device keeps it for the next connection
        self._since_us = now_us
        context.pending = None
        context.stimulator.stop(now_us)

    def on_records(self, records: base.SessionCounts, now_us: int) -> None:
        """The device said what it counted. Another session's counts are neither used nor acknowledged."""
        told = {each.session for each in records.counters} | {each.session for each in records.measured}
        numbers = {records.record.session, *told}
        asked = self._context.device.session_number
        if numbers == {asked}:
            self._records = records
        else:
            self._context.dose_tracker.contradiction = f"asked for session {asked}, the device told of {numbers}"
        self.close(now_us)

    def watch_time(self, now_us: int) -> None:
        """Give up on a device that does not answer: what it counted stays in it until the next connection. What is
        known is written down, however late it is; without a zero the stop frames and the alarm go on."""
        if now_us < self.deadline_us():
            return
        if self._taken_back is not None and now_us < self._last_us:
            self.on_zero_taken_back(self._taken_back, now_us)
        elif self._awaits_telemetry and self._doubted_us is None:
            self._ask_counts(now_us, zero_seen=False)
        else:
            self._close_or_end(now_us)

    @property
    def _awaits_telemetry(self) -> bool:
        in_doubt = self._zero_seen is None or self._doubted_us is not None
        return self.zero is not None and self.report is None and in_doubt

    @property
    def _last_us(self) -> int:
        """Until when zero is tried for, however often output comes back; for the report, not as long."""
        last_us = self._context.times.entered_us + limits.STOP_TRY_US - self.tried_us
        if self._doubted_us is None or self.report is not None:
            return last_us
        return min(last_us, self._doubted_us + GIVE_UP_STOP_US)

    def stood_still(self, late_us: int, now_us: int) -> None:
        """This program itself stood still for so long: no answer was asked for meanwhile, and none was missed."""
        if self._since_us is not None:
            # One that was sent as it awoke was not slept through.
            self._since_us = min(self._since_us + late_us, now_us)

    def _close_or_end(self, now_us: int) -> None:
        if self.report is None:
            self.close(now_us)
        elif not self._waits_for_log:
            self._end(now_us)

    def lose_line(self, now_us: int) -> bool:
        """Nothing more can be sent or heard. Whether the session was stopping already, and now is at its end."""
        self.line_gone = True
        if self._context.state is not STOPPING:
            return False
        if self.zero is not None and self.report is None and self._context.by_lease:
            self._lost_at_rest(now_us)
        self._close_or_end(now_us)
        return True

    def _lost_at_rest(self, now_us: int) -> None:
        """The line went while the device was put at rest, after its zero: it has more to do than to tell counts."""
        if self._context.stimulator.may_stay_driven:
            self.zero = None
        else:
            self._context.alarm(Priority.HIGH, "the line was lost while the board was put at rest", UNRESTED, now_us)

    def deadline_us(self) -> int:
        """When `watch_time` has something to do: not while the log is waited for, which has a limit of its own."""
        if self._waits_for_log:
            return NEVER_US
        assert self._since_us is not None, "without a line nothing but the log is waited for"
        give_up_us = GIVE_UP_RECORDS_US
        if self.zero is None:
            give_up_us = GIVE_UP_STOP_US if self.report is None else limits.STOP_TRY_US
        return min(self._since_us + give_up_us, self._last_us)

    def close(self, now_us: int) -> None:
        """Draw up the report and write the last entry; ask for it to be durable before the device may forget."""
        context = self._context
        if self.report is not None:
            return
        assert context.ending is not None
        device = context.device
        if self._records is None and device.session_number:
            self._records = context.stimulator.kept_records(context.targets.channels)
        for result in () if self._records is None else self._records.checked:
            context.put(entries.ImpedanceChecked(**result._asdict()), now_us)
        if self.zero_in_doubt and not any(PULL_THE_LEADS in alarm.action for alarm in context.alarms):
            self.tell_doubt(NOT_CONFIRMED, now_us)
        last_us, zero = device.status.stimulation_us if device.status else 0, self.sure_zero
        ordered, stimulator = context.stimulator.commanded(), context.stimulator
        context.dose_tracker.unanswered |= stimulator.unanswered
        self.report = SessionReport(
            session_id=self._session_id,
            end=context.ending.end,
            end_text=context.ending.text,
            simulator=device.identity.simulator if device.identity else None,
            zero_confirmed_us=None if zero is None else zero.after_us,
            zero_measured=None if zero is None else zero.measured,
            alarms=tuple(context.alarms),
            armed=self._armed,
            frames=stimulator.frames,
            damaged_frames=stimulator.damaged_frames,
            **context.dose_tracker.doses(
                device.identity, self._records, last_us, ordered, zero_seen=bool(self._zero_seen)
            ),
        )
        if self.report.agreement["exact"] is False:
            context.alarm(Priority.HIGH, "the device's count is not what was commanded", EXAMINE, now_us)
        context.put(context.dose_tracker.closed_entry(self.report), now_us)
        if device.identity is None:
            self._end(now_us)
        else:
            self._waits_for_log = True
            context.await_durable(now_us)

    def durable(self, now_us: int) -> None:
        """The last entry is on disk: the device may forget what it counted."""
        if not self._waits_for_log:
            return  # of entries before the stop, which somebody waited for when it came
        self._waits_for_log = False
        self._context.pending = None
        if self.zero is None and not self.line_gone:
            return
        self._since_us = now_us
        self._let_forget(now_us)

    def _let_forget(self, now_us: int) -> None:
        """The device may forget what it counted, unless it told last of a current: then it has to say more first."""
        in_doubt = self._taken_back is not None or self._doubted_us is not None
        if in_doubt and not self.line_gone:
            return
        if self._records is None or self.line_gone:
            self._end(now_us)
            return
        self._context.begin(Task.ACKNOWLEDGING, now_us)
        self._since_us = now_us
        self._context.stimulator.acknowledge(self._context.device.session_number, now_us)

    def log_failed(self, text: str, now_us: int) -> None:
        """The last entry could not be written: the device keeps its counts, and the operator is told."""
        if not self._waits_for_log:
            return  # an entry before the stop: zero comes first, and the last entry will tell
        self._waits_for_log = False
        assert self.report is not None
        action = "the dose is still in the device: mend the log, then connect again"
        if not self.report.armed:
            action = "nothing was armed, so no dose is lost: mend the log, then start a new session"
        elif self._context.by_lease:
            action = "the device keeps no dose, and the log has not got it: write down what the summary says"
        elif (identity := self._context.device.identity) is not None and identity.simulator:
            action = action.replace(":", ", which at sim:// ends with this program:")
        self._context.alarm(Priority.HIGH, text, action, now_us)
        if self.zero is not None or self.line_gone:
            self._end(now_us)

    def on_acknowledged(self, _event: Acknowledged, now_us: int) -> None:
        self._end(now_us)

    def _end(self, now_us: int) -> None:
        context = self._context
        context.pending = None
        assert self.report is not None
        # What was told since it was drawn up belongs to it: a count that is wrong, a log without its last entry.
        self.report = replace(self.report, alarms=tuple(context.alarms))
        zero = self.sure_zero
        if zero is None:
            self.report = replace(self.report, zero_confirmed_us=None, zero_measured=None)
        elif context.by_lease and self.report.zero_confirmed_us is None:  # no status would bear it out
            self.report = replace(self.report, zero_confirmed_us=zero.after_us, zero_measured=zero.measured)
        context.enter(Trigger.CLOSED, now_us)
        context.want = SessionOver()
