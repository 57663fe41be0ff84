"""What a device tells by itself, ten times a second, and what follows from it in each state of the session."""

from stimctl import limits
from stimctl.session.core import Core
from stimctl.session.preparation import Preparation
from stimctl.session.states import OUTPUT, QUIET, STIMULATING, STOPPING, End, State
from stimctl.session.stimulation import Stimulation
from stimctl.session.view import Priority
from stimctl.session.watch import Finding
from stimctl.wire import messages as m
from stimctl.wire.codes import DeviceState, EndReason

_DEVICE_ENDS = {
    EndReason.STOP: End.OPERATOR,
    EndReason.TIMER: End.TIMER,
    EndReason.WATCHDOG: End.WATCHDOG,
    EndReason.OVER_CURRENT: End.OVER_CURRENT,
    EndReason.SHORT: End.SHORT,
    EndReason.NET_CHARGE: End.NET_CHARGE,
    EndReason.HOLD_EXPIRED: End.HOLD_EXPIRED,
    EndReason.SESSION_EXPIRED: End.SESSION_EXPIRED,
    EndReason.RESET: End.RESET,
    EndReason.HANDSHAKE: End.HANDSHAKE,
    EndReason.GATE: End.GATE,
}
_ORDERLY = frozenset({EndReason.STOP, EndReason.TIMER, EndReason.HELD_BY_HOST})
QUIET_US = limits.STOP_CONFIRM_US + 100_000  # and one telemetry period
_ENDED_ON_DEVICE = DeviceState.ENDED
_OUTPUT_ON_DEVICE = (DeviceState.CHECKING, DeviceState.RAMPING, DeviceState.RUNNING, DeviceState.RAMPING_DOWN)


class Telling:
    """Listens to one device. `auto` is what the session does by itself: nobody is there to mend a lapsed arm."""

    def __init__(self, core: Core, prepare: Preparation, stimulate: Stimulation, auto: frozenset[State]) -> None:
        self._core = core
        self._prepare = prepare
        self._stimulate = stimulate
        self._auto = auto
        # When the session came into the state in which a status told of no zero, and the device's time of it.
        self._loud_at: tuple[int, int] | None = None

    def on_status(self, status: m.Status, now_us: int) -> None:
        """The device as a whole: has it ended, moved on, or given output that nobody ordered?"""
        core = self._core
        core.status = status
        if core.state is STOPPING or core.identity is None:
            return
        if status.boot_id != core.identity.boot_id:
            self._device_ended(End.RESET, now_us)
        elif status.state == _ENDED_ON_DEVICE and core.armed_us is not None:
            self._device_ended(_DEVICE_ENDS.get(EndReason(status.end_reason), End.IMPLAUSIBLE), now_us)
        elif core.state in STIMULATING:
            self._stimulate.follow(status, now_us)
        elif status.state in _OUTPUT_ON_DEVICE and core.state not in OUTPUT and core.busy != "starting":
            self._stimulate.found(Finding(End.IMPLAUSIBLE, "the device gives output that was not ordered"), now_us)
        elif core.state in (State.ARMED, State.REARMED):
            self._prepare.on_lapsed(status, now_us)
            if core.state in self._auto:
                self._core.stop(now_us, End.NO_ANSWER, "the arm lapsed before its start was answered")
        elif core.identity.by_lease:
            # It says nothing by itself: its zero was read, or acknowledged, when its last lease was over.
            return
        elif core.state in QUIET and self._loud(status) and now_us - core.entered_us > QUIET_US:
            self._not_quiet(now_us)

    def _loud(self, status: m.Status) -> bool:
        """Whether it is the second in this state to tell of no zero: a host that was late reads an old one first."""
        before, entered_us = self._loud_at, self._core.entered_us
        if status.zero:
            self._loud_at = None
        elif before is None or before[0] != entered_us:
            self._loud_at = entered_us, status.device_time_us
        return self._loud_at is not None and status.device_time_us > self._loud_at[1]

    def _not_quiet(self, now_us: int) -> None:
        text = "the device does not measure zero although its outputs are off"
        self._core.alarm(Priority.HIGH, text, "PULL THE LEADS", now_us)
        self._core.stop(now_us, End.IMPLAUSIBLE, text)

    def on_channel(self, reading: m.Channel, now_us: int) -> None:
        """One channel: as ordered, or carrying what was not."""
        core = self._core
        core.channels[reading.channel] = reading
        if core.state in STIMULATING and reading.channel in core.targets.highest_ua:
            self._stimulate.on_channel(reading, now_us)
        elif core.state in OUTPUT and max(reading.applied_ua, reading.measured_ua) > self._most_ua(reading):
            text = f"channel {reading.channel} carries {max(reading[3:5])} uA that was not ordered"
            self._stimulate.found(Finding(End.IMPLAUSIBLE, text), now_us)

    def _most_ua(self, reading: m.Channel) -> int:
        """What a channel may carry that is not being stimulated: the impedance check's pulses, or zero."""
        checked = self._prepare.in_check() and reading.channel in self._core.targets.highest_ua
        return limits.over_current_ua(limits.RAISE_STEP_UA) if checked else limits.ZERO_UA

    def on_event(self, event: m.Event, now_us: int) -> None:
        """Written down; what is done about it is decided by the next status."""
        if event.reason:
            kind = "state" if event.reason in _ORDERLY else "alarm"
            reason = EndReason(event.reason).name.lower()
            self._core.put(kind, now_us, source="device", reason=reason, channel=event.channel, value=event.value)

    def _device_ended(self, end: End, now_us: int) -> None:
        if end is not End.TIMER:
            action = "look after the subject first, then read the log"
            self._core.alarm(Priority.HIGH, f"the device ended the session: {end.value}", action, now_us)
        self._core.stop(now_us, end, "")
