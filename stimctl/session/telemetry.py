"""Handles a device's telemetry, ten times a second, in each state of the session.

What was told before the newest answer, or at the same microsecond, changes no state, target or count: it is old news.
What it measured is judged all the same, by the time at which it was measured.
"""

from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

from stimctl import entries, limits
from stimctl.session.closing import Closing
from stimctl.session.context import Context
from stimctl.session.preparation import Preparation
from stimctl.session.states import OUTPUT, QUIET, STARTING, STIMULATING, STOPPING, End, State, Task
from stimctl.session.stimulation import Stimulation
from stimctl.session.view import EXAMINE, PULL_THE_LEADS, Priority
from stimctl.stimulators.base import Identity
from stimctl.wire import codec as m
from stimctl.wire.codes import GIVES_OUTPUT, DeviceState, EndReason

# Both sides name an end alike, but for a stop.
_DEVICE_ENDS = {reason: End[reason.name] for reason in EndReason if reason.name in End.__members__}
_DEVICE_ENDS[EndReason.STOP] = End.OPERATOR
_ORDERLY = frozenset({EndReason.STOP, EndReason.TIMER, EndReason.HELD_BY_HOST})
QUIET_US = limits.STOP_CONFIRM_US + 100_000  # and one telemetry period
NOISE_US = 60_000_000  # over so long damaged frames are counted [choice]
NOISY_PERMILLE = 10  # damaged frames among those heard, from which on the operator is told [choice]
_NOISY_AT_LEAST = 5  # a single hit at the beginning is no noisy line [choice]
_LOUD_READINGS = 2  # of a channel that is off, in one state: the first may be of the moment at which it went off
_ENDED_ON_DEVICE = DeviceState.ENDED


class _LineMinute(NamedTuple):
    """Since when damaged frames are counted, what had been heard and damaged by then, and how many were told of."""

    since_us: int
    heard: int
    damaged: int
    told: int


class Telemetry:
    """Listens to one device. `close` is told what comes once the session stops. In the states of `auto` nobody is there
    to mend a lapsed arm. `on_reading` is told of each channel's readings, and of the host's time of them."""

    def __init__(
        self,
        context: Context,
        prepare: Preparation,
        stimulate: Stimulation,
        close: Closing,
        auto: frozenset[State],
        on_reading: Callable[[m.Channel, int], None] | None = None,
    ) -> None:
        self._context = context
        self._prepare = prepare
        self._stimulate = stimulate
        self._close = close
        self._auto = auto
        self.on_reading = on_reading
        self._loud_us: int | None = None  # the device's time of the first status in a state that told of no zero
        # How many readings of each channel told of a current in this state.
        self._loud_readings: Counter[int] = Counter()
        self._loud_in = State.IDLE
        self._found_stopping: set[int] = set()  # channels of which something was found while the session stops: once
        self._line: _LineMinute | None = None
        self._newest_us = -1  # of all statuses, by the device's time: one that tells no later time tells nothing new

    def on_status(self, status: m.Status, now_us: int) -> None:
        """The device as a whole: has it ended, moved on, or given output that nobody asked for?"""
        context, stimulate = self._context, self._stimulate
        device, identity = context.device, context.device.identity
        device_us, boot_id, device_state = status[0], status[1], status[2]
        is_old = device_us <= device.answered_us
        if device_us > self._newest_us:
            self._newest_us, context.times.status_us = device_us, now_us
        if not is_old:
            device.status = status
        if context.state is STOPPING:
            self._close.on_status(status, now_us)
            if self._zero_was_told and not is_old and self._loud(status):
                self._close.on_zero_taken_back(0, now_us)
        elif identity is None:
            return
        elif boot_id != identity.boot_id:
            stimulate.ended_by_device(End.RESET, now_us)
        elif device_state == _ENDED_ON_DEVICE and context.times.armed_us is not None:
            stimulate.ended_by_device(_DEVICE_ENDS.get(EndReason(status.end_reason), End.IMPLAUSIBLE), now_us)
        elif context.state in STIMULATING:
            # While targets are set one after the other, nearly all that is told is older than some answer.
            if not is_old and device_state != stimulate.device_state:
                stimulate.follow(status, now_us)
                if context.state not in STIMULATING:
                    return
            assert stimulate.plausibility is not None, "stimulating without a start"
            finding = stimulate.plausibility.status(status, now_us)
            if finding is not None:
                stimulate.found(finding, now_us)
        elif not is_old:
            self._watch_rest(status, identity, now_us)

    def _watch_rest(self, status: m.Status, identity: Identity, now_us: int) -> None:
        """While nothing is stimulated: nothing may be given that was not asked for, and an arm may lapse."""
        context = self._context
        if status.state in GIVES_OUTPUT and context.state not in OUTPUT and not context.is_pending(Task.STARTING):
            context.fail(End.IMPLAUSIBLE, "the device gives output that was not ordered", EXAMINE, now_us)
        elif context.state in STARTING:
            if self._prepare.on_lapsed(status, now_us):
                self._stimulate.hold_next = None
            if context.state in self._auto:
                context.stop(now_us, End.NO_ANSWER, "the arm lapsed before its start was answered")
        elif identity.by_lease:
            # It says nothing by itself: its zero was read, or acknowledged, when its last lease was over.
            return
        elif context.state in QUIET and self._loud(status) and now_us - context.times.entered_us > QUIET_US:
            text = "the device does not measure zero although its outputs are off"
            context.fail(End.IMPLAUSIBLE, text, PULL_THE_LEADS, now_us)

    def _loud(self, status: m.Status) -> bool:
        """Whether it is the second in this state to tell of no zero: a host that was late reads an old one first."""
        before_us = self._loud_us
        if status.zero:
            self._loud_us = None
        elif before_us is None or before_us <= self._context.device.answered_us:  # an answer came since: another state
            self._loud_us = status.device_time_us
        return self._loud_us is not None and status.device_time_us > self._loud_us

    def on_channel(self, reading: m.Channel, now_us: int) -> None:
        """One channel: as asked for, or carrying what was not."""
        context, plausibility, channel = self._context, self._stimulate.plausibility, reading[0]
        if self.on_reading is not None:
            self.on_reading(reading, now_us)
        stimulating = context.state in STIMULATING
        is_old = not stimulating and reading[11] <= context.device.answered_us
        if is_old and context.state is STOPPING and self._close.long_at_zero(now_us):
            self._watch_quiet(channel, max(reading[3:5]), now_us, of_now=False)
            return
        if not is_old:
            before, context.device.channels[channel] = context.device.channels.get(channel), reading
        if is_old or (stimulating and channel in context.targets.channels):
            if stimulating:
                context.dose_tracker.sample(reading)
            finding = None if plausibility is None else plausibility.channel(reading, now_us)
            if finding is not None and channel not in self._found_stopping:
                if context.state is STOPPING:
                    self._found_stopping.add(channel)
                self._stimulate.found(finding, now_us)
        elif context.device.identity is not None:
            if self._loud_in is not context.state:
                self._loud_in, self._loud_readings = context.state, Counter()
            if before is None or reading[11] > before[11]:  # one whose time stands still tells nothing new
                context.times.quiet_us[channel] = now_us
                self._watch_quiet(channel, max(reading[3:5]), now_us)

    @property
    def _zero_was_told(self) -> bool:
        """Whether a device that measures has said so since the stop."""
        return self._close.zero is not None and not self._context.by_lease

    def _watch_quiet(self, channel: int, flows_ua: int, now_us: int, *, of_now: bool = True) -> None:
        """A channel that is not being stimulated carries the impedance check's pulses, or nothing. `of_now`: also by
        the device's clock."""
        context = self._context
        if context.state in OUTPUT:
            checked = self._prepare.in_check() and channel in context.targets
            if flows_ua > (limits.over_current_ua(limits.RAISE_STEP_UA) if checked else limits.ZERO_UA):
                text = f"channel {channel} carries {flows_ua} uA that was not ordered"
                context.fail(End.IMPLAUSIBLE, text, EXAMINE, now_us)
            return
        at_zero = flows_ua <= limits.ZERO_UA
        if context.state is STOPPING:
            if not self._zero_was_told:
                return
            if of_now or not at_zero:
                self._close.on_told(channel, now_us, at_zero=at_zero)
        if at_zero or context.is_pending(Task.STARTING):
            return
        self._loud_readings[channel] += 1
        if self._loud_readings[channel] % _LOUD_READINGS:
            return
        if context.state is STOPPING:
            self._close.on_zero_taken_back(channel, now_us)
        else:
            text = f"channel {channel} carries {flows_ua} uA although its output is off"
            context.fail(End.IMPLAUSIBLE, text, PULL_THE_LEADS, now_us)

    def on_event(self, event: m.Event, now_us: int) -> None:
        """Written down; what is done about it is decided by the next status."""
        if event.reason:
            kind = entries.StateEntered if event.reason in _ORDERLY else entries.AlarmRaised
            reason = EndReason(event.reason).name.lower()
            told = kind(source="device", reason=reason, channel=event.channel, value=event.value)
            self._context.put(told, now_us)

    def watch_line(self, now_us: int) -> None:
        """Tell of a line that damages frames, from one in a hundred of a minute on, and again once twice as many were.

        Each minute is judged by itself, or would noise that begins late vanish in a session's whole; the time before
        the first keepalive, or at a gate without one, with the minute after it.
        """
        stimulator = self._context.stimulator
        all_damaged, all_heard = stimulator.damaged_frames, stimulator.frames + stimulator.damaged_frames
        line = self._line or _LineMinute(now_us, 0, 0, 0)
        damaged, heard = all_damaged - line.damaged, all_heard - line.heard
        noisy = damaged >= _NOISY_AT_LEAST and damaged * 1_000 >= heard * NOISY_PERMILLE
        if noisy and damaged >= 2 * line.told:
            line = line._replace(told=damaged)
            text = f"{damaged} of {heard} frames from the device came damaged"
            self._context.alarm(Priority.LOW, text, "check the cable and what runs beside it", now_us)
        if now_us - line.since_us >= NOISE_US:
            line = _LineMinute(now_us, all_heard, all_damaged, line.told if noisy else 0)
        self._line = line
