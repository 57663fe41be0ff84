"""Ends a session that something went wrong with: the device, its line, the log, or somebody else at the outputs.

While the session stops already, zero comes first: what failed may then only be told.
"""

from stimctl.errors import CommandRefused, EchoMismatch, LineFault, LogFault, StimctlError, Suspended, TimedOut, Unsafe
from stimctl.session.closing import Closing
from stimctl.session.context import Context
from stimctl.session.states import ENDED, STOPPING, End
from stimctl.session.view import PULL_THE_LEADS, UNRESTED, Priority
from stimctl.stimulators import base

START_AGAIN = "start again; if it happens twice, examine the device"
_INTRUDED = "look after the subject first; end other programs, take leads off the trigger inputs, then start again"
_ENDS: dict[type[StimctlError], End] = {CommandRefused: End.REFUSED, EchoMismatch: End.ECHO, Unsafe: End.GATE}


class Failures:
    """What is done about each failure of one session."""

    def __init__(self, context: Context, close: Closing) -> None:
        self._context = context
        self._close = close

    def on_failed(self, event: base.StimulatorFailed, now_us: int) -> None:
        error = event.error
        if self._context.state is STOPPING:
            # Zero comes first: what failed was asked for before the stop.
            if self._close.zero is not None:
                self._close.close(now_us)
        elif isinstance(error, Suspended):
            self._context.fail(End.STOOD_STILL, str(error), "look after the subject first, then start again", now_us)
        elif isinstance(error, LineFault):
            self.line_lost(error, now_us)
        else:
            self._context.fail(_ENDS.get(type(error), End.WRONG_DEVICE), str(error), START_AGAIN, now_us)

    def line_lost(self, error: StimctlError, now_us: int) -> None:
        """The line is gone, or said nothing in time: the device's watchdog ends what it does."""
        context = self._context
        if not isinstance(error, TimedOut) and self._close.lose_line(now_us):
            return
        stays = context.stimulator.may_stay_driven
        if context.times.armed_us is not None or stays:
            ends = "its output may stay driven" if stays else context.output_ends
            sure = stays and not isinstance(error, TimedOut)  # else it may still answer the stop
            action = f"{PULL_THE_LEADS}: {ends}" if sure else f"{ends}; if in doubt {PULL_THE_LEADS}"
            context.alarm(Priority.HIGH, str(error), action, now_us)
        context.stop(now_us, End.LINE_LOST, str(error))

    def log_failed(self, error: LogFault, now_us: int) -> None:
        """No log, no stimulation."""
        if self._context.state is STOPPING:
            self._close.log_failed(str(error), now_us)
        else:
            self._context.fail(End.LOG, str(error), "mend the log, then start a new session", now_us)

    def on_zero_overdue(self, event: base.ZeroOverdue, now_us: int) -> None:
        self._close.tell_doubt(event.text, now_us)
        if self._context.state is not STOPPING:
            self._close.stop(now_us, End.SELF_TEST, event.text)

    def on_intruded(self, event: base.Intruded, now_us: int) -> None:
        """Somebody else's output is stopped as ours is, and no count is believed any more."""
        self._close.doubt_counts(event.text)
        if self._context.state is STOPPING:
            self._close.stop_anew(event.text, now_us)
        elif self._context.state is not ENDED:
            self._context.fail(End.IMPLAUSIBLE, event.text, _INTRUDED, now_us)

    def on_unrested(self, event: base.Unrested, now_us: int) -> None:
        """After the stop: the session is over, and only the operator can do something about it."""
        if self._context.stimulator.may_stay_driven:
            self._close.stop_anew(event.text, now_us)
        else:
            self._context.alarm(Priority.HIGH, event.text, UNRESTED, now_us)
