"""From the stop to the last entry: measured zero, the device's counts, the report, and only then its memory.

The order matters. Zero comes before everything; the counts are read after it; the log is durable before
the device is told that it may forget.
"""

from dataclasses import replace

from stimctl.session.core import Core
from stimctl.session.states import End, Happening, State
from stimctl.session.view import Priority, SessionReport
from stimctl.stimulators import base

GIVE_UP_STOP_US = 5_000_000
GIVE_UP_RECORDS_US = 2_000_000
NEVER_US = 1 << 62
KEEP_STOPPING_US = 60_000_000  # without a confirmed zero, stop frames go on for so long [choice]


class Closing:
    """How one session ends."""

    def __init__(self, core: Core, session_id: str) -> None:
        self._core = core
        self._session_id = session_id
        self._records: base.Records | None = None
        self._stop_us = 0
        # An arm whose answer did not come before the stop: the device may have taken it.
        self._arming = False
        self.line_gone = False
        self.zero_after_us: int | None = None
        self.zero_measured = True
        self.report: SessionReport | None = None

    def stop(self, now_us: int, end: End, text: str) -> None:
        """Zero, now. Allowed in every state; once stopping, stop frames go on by themselves."""
        core = self._core
        if core.state in (State.STOPPING, State.ENDED):
            return
        core.end, core.end_text = end, text or end.value
        core.account.unanswered = core.targets.waits or core.busy == "starting"
        self._arming = core.busy == "arming"
        core.busy = ""
        core.wants_durable = False
        core.alive_due_us = None
        self._stop_us = now_us
        if not self.line_gone:
            core.stimulator.stop(now_us)
        core.enter(Happening.STOP, now_us)
        if self.line_gone:
            self.close(now_us)

    def on_zero(self, event: base.ZeroConfirmed, now_us: int) -> None:
        """Zero was measured: ask what was counted, if anything was armed."""
        core = self._core
        core.put("stop", now_us, tried=False, **event._asdict())
        self.zero_after_us, self.zero_measured = event.after_us, event.measured
        if self.report is not None:
            # It came after the last entry: the counts are fetched at the next connection.
            self._end(now_us)
        elif core.session_number:
            core.stimulator.read_records(core.targets.channels, now_us)
        else:
            self.close(now_us)

    def on_records(self, records: base.Records, now_us: int) -> None:
        """The device said what it counted. Another session's counts are neither used nor acknowledged."""
        core = self._core
        numbers = {records.record.session}
        numbers |= {counted.session for counted in records.counters}
        numbers |= {measured.session for measured in records.measured}
        if numbers == {core.session_number}:
            self._records = records
        else:
            core.account.contradiction = f"asked for session {core.session_number}, the device told of {numbers}"
        self.close(now_us)

    def watch_time(self, now_us: int) -> None:
        """Give up on a device that does not answer: what it counted stays in it until the next connection."""
        core = self._core
        if self.zero_after_us is None:
            if self.report is None and now_us - self._stop_us >= GIVE_UP_STOP_US:
                # What is known is written down, however late it is; the stop frames and the alarm go on.
                self.close(now_us)
            elif now_us - self._stop_us >= KEEP_STOPPING_US:
                self._end(now_us)
        elif not core.wants_durable and now_us - self._stop_us - self.zero_after_us >= GIVE_UP_RECORDS_US:
            self._end(now_us) if self.report else self.close(now_us)

    def lose_line(self, now_us: int) -> bool:
        """Nothing more can be sent or heard. Whether the session was stopping already, and now is at its end."""
        self.line_gone = True
        if self._core.state is not State.STOPPING:
            return False
        if self.report is None:
            self.close(now_us)
        elif not self._core.wants_durable:
            self._end(now_us)
        return True

    def deadline_us(self) -> int:
        """When `watch_time` has something to do: not while the log is waited for, which has a limit of its own."""
        if self._core.wants_durable:
            return NEVER_US
        if self.zero_after_us is None:
            return self._stop_us + (GIVE_UP_STOP_US if self.report is None else KEEP_STOPPING_US)
        return self._stop_us + self.zero_after_us + GIVE_UP_RECORDS_US

    def close(self, now_us: int) -> None:
        """Draw up the report and write the last entry; ask for it to be durable before the device may forget."""
        core = self._core
        if self.report is not None:
            return
        assert core.end is not None
        if self._records is None and core.session_number:
            self._records = core.stimulator.kept_records(core.targets.channels)
        self.report = core.account.report(
            self._session_id,
            core.end,
            core.end_text,
            core.identity,
            self._records,
            core.status.stimulation_us if core.status else 0,
            self.zero_after_us,
            core.alarms,
            ordered=core.stimulator.commanded(),
            zero_measured=self.zero_measured,
            armed=core.armed_us is not None or self._arming,
        )
        if self.report.agreement["exact"] is False:
            text = "the device's count is not what was commanded"
            core.alarm(Priority.HIGH, text, "do not use this device until it has been examined", now_us)
        core.put("closed", now_us, **core.account.closed_record(self.report, core.journal))
        if core.identity is None:
            self._end(now_us)
        else:
            core.want_durable("writing the log")

    def durable(self, now_us: int) -> None:
        """The last entry is on disk: the device may forget what it counted."""
        if self.zero_after_us is None and not self.line_gone:
            return
        if self._records is None or self.line_gone:
            self._end(now_us)
            return
        self._core.busy = "acknowledging"
        self._stop_us = now_us
        self._core.stimulator.acknowledge(self._core.session_number, now_us)

    def log_failed(self, text: str, now_us: int) -> None:
        """The last entry could not be written: the device keeps its counts, and the operator is told."""
        action = "the dose is still in the device: mend the log, then connect again"
        self._core.alarm(Priority.HIGH, text, action, now_us)
        self._end(now_us)

    def on_acknowledged(self, now_us: int) -> None:
        """The device has forgotten; all is done."""
        self._end(now_us)

    def _end(self, now_us: int) -> None:
        self._core.busy = ""
        if self.report is not None:
            # What was told since it was drawn up belongs to it: a count that is wrong, a log without its last entry.
            self.report = replace(self.report, alarms=tuple(self._core.alarms))
        if self._core.state is State.STOPPING:
            self._core.enter(Happening.CLOSED, now_us)
