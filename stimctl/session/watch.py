"""What the host believes of a device's telemetry, and what it does not.

The device holds the limits itself; this is the driver's own check of the same limits, made from what the
device reports ten times a second: a device whose gate, timer, watchdog or readback has failed is stopped
by the host. Each method gives the first thing that is wrong, or None. It sends nothing and owns no clock.
"""

from dataclasses import dataclass
from typing import NamedTuple

from stimctl import limits
from stimctl.session.states import End
from stimctl.stimulators.base import Identity
from stimctl.waveform import Program
from stimctl.wire.codes import NOT_MEASURED_OHM, Capability, ChannelFlag, DeviceState
from stimctl.wire.messages import Channel, Status

IN_A_ROW = 3
PULSE_FLIGHT_US = 1_100_000  # the longest period and its pulse: an older target may still be the last pulse's
TIMER_SLACK_US = 1_000_000
WATCHDOG_SLACK_MS = 1_100
MEAN_US = 1_000_000  # the mean direct current is taken over so long [choice]
PAIR_US = 50_000  # a reading follows its status at once; half the time to the next one [choice]
_MARGIN_UA = limits.OVER_CURRENT_MARGIN_UA
_OVER_CURRENT_UA = limits.OVER_CURRENT_UA
_SHORT_OHM = limits.SHORT_OHM
_LEAD_OFF_OHM = limits.LEAD_OFF_OHM
_STIMULATING = frozenset(int(state) for state in (DeviceState.RAMPING, DeviceState.RUNNING, DeviceState.RAMPING_DOWN))


class Finding(NamedTuple):
    """Something wrong. `hold` asks for a hold rather than the end."""

    end: End
    text: str
    hold: bool = False


@dataclass(slots=True)
class _Seen:
    """A channel as last believed, and what has been odd in a row."""

    reading: Channel
    device_us: int
    allowed_ua: int
    # Where the second began over which the mean direct current is taken.
    net_from_us: int
    net_from_pc: int
    odd_low: int = 0
    odd_open: int = 0
    odd_short: int = 0
    odd: bool = False


class Watch:
    """Follows one session's telemetry against its program and ceiling."""

    def __init__(self, identity: Identity, program: Program, ceiling_ua: int) -> None:
        self._identity = identity
        self._program = program
        self._ceiling_ua = ceiling_ua
        # By lease, current is measured over whole leases, which the adapter judges; and the only timer is the host's.
        self._measures = Capability.MEASURES_CURRENT in identity.capabilities and not identity.by_lease
        self._timer_slack_us = TIMER_SLACK_US if not identity.by_lease else limits.SESSION_US
        self._widths = (*(segment.width_us for segment in program.segments), 0)
        self._periods = (*(segment.period_us for segment in program.segments), 1)
        self._mask = 0
        self._run_host_us = 0
        self._run_stimulation_us = 0
        self._limit_us = program.stimulation_us
        self._seen: dict[int, _Seen] = {}
        # By channel: targets that were lowered, and until when a pulse toward one may still be the last.
        self._left: dict[int, list[tuple[int, int]]] = {}
        self._status: Status | None = None
        self._status_us = 0
        self._read_us: dict[int, int] = {}

    def begin(self, mask: int, stimulation_us: int, now_us: int) -> None:
        """A run began from zero, at `stimulation_us` of the session."""
        self._mask = mask
        self._run_host_us = now_us
        self._run_stimulation_us = stimulation_us
        self._status_us = now_us
        self._read_us = {channel: now_us for channel in range(1, 5) if mask >> (channel - 1) & 1}
        self._seen.clear()
        self._left.clear()

    def lowered(self, channel: int, from_ua: int, now_us: int) -> None:
        """A channel's target is now lower than `from_ua`: one pulse more may show it, however long ago it came."""
        self._left.setdefault(channel, []).append((from_ua, now_us + PULSE_FLIGHT_US))

    def silent(self, now_us: int) -> bool:
        """Whether no status, or no reading of a channel, came for too long: only they tell how the device is."""
        return now_us - min(self._status_us, *self._read_us.values()) >= limits.SILENCE_US

    def status(self, status: Status, now_us: int) -> Finding | None:
        """Check the device as a whole while it stimulates."""
        self._status, self._status_us = status, now_us
        if status.state not in _STIMULATING:
            return None
        run_us = status.stimulation_us - self._run_stimulation_us
        if abs(now_us - self._run_host_us - run_us) > self._timer_slack_us:
            return Finding(End.CLOCK, "the device's session timer and the host's clock differ by more than 1 s")
        if status.stimulation_us > self._limit_us:
            return Finding(End.IMPLAUSIBLE, "the device stimulates after the end of the session")
        if status.active_mask != self._mask:
            return Finding(End.IMPLAUSIBLE, "the device drives channels that were not started")
        if status.keepalive_age_ms > WATCHDOG_SLACK_MS:
            return Finding(End.IMPLAUSIBLE, "the device's watchdog did not act")
        return None

    def channel(self, reading: Channel, target_ua: int, now_us: int) -> Finding | None:
        """Check one channel's reading; `target_ua` is what the device confirmed, or is being asked for."""
        status = self._status
        if status is None or status.state not in _STIMULATING or now_us - self._status_us > PAIR_US:
            # Without its own status, which was lost, a reading has no device time to be judged by.
            return None
        seen = self._seen.get(reading.channel)
        if seen is None:
            at_us = status.device_time_us
            seen = _Seen(reading, at_us, target_ua, net_from_us=at_us, net_from_pc=reading.net_charge_pc)
            self._seen[reading.channel] = seen
            return self._level(reading, seen, now_us, target_ua, status)
        finding = (
            self._level(reading, seen, now_us, target_ua, status)
            or self._counts(reading, seen, status)
            or (self._current(reading, seen) if self._measures else None)
        )
        seen.reading = reading
        seen.device_us = status.device_time_us
        return finding

    def as_before(self, reading: Channel, target_ua: int, now_us: int) -> bool:
        """Whether nothing but time has passed: then every check of `channel` would pass, and need not be made.

        A session is steady nearly always, so this is what keeps 50,000 frames within a blink of virtual time.
        """
        self._read_us[reading[0]] = now_us
        seen, status = self._seen.get(reading[0]), self._status
        if seen is None or status is None or now_us - self._status_us > PAIR_US:
            return False
        before, device_us = seen.reading, status[0]
        _, flags, told_ua, applied_ua, measured_ua, ohm, pulses_0, pulses_1, charge_0_pc, charge_1_pc, net_pc, _ = (
            reading
        )
        _, _, told_before_ua, applied_before_ua, _, _, before_0, before_1, was_0_pc, was_1_pc, net_before_pc, _ = before
        pulses_0 -= before_0
        pulses_1 -= before_1
        charge_pc = charge_0_pc - was_0_pc + charge_1_pc - was_1_pc
        since_us = device_us - seen.device_us
        if (
            flags == 0
            and target_ua == told_ua == applied_ua == told_before_ua == applied_before_ua == seen.allowed_ua
            and -_MARGIN_UA <= measured_ua - applied_ua <= _MARGIN_UA
            and measured_ua <= _OVER_CURRENT_UA
            and _SHORT_OHM <= ohm <= _LEAD_OFF_OHM
            and applied_ua <= self._ceiling_ua
            and 0 <= pulses_0 <= since_us // self._periods[0] + 2
            and 0 <= pulses_1 <= since_us // self._periods[1] + 2
            and charge_pc == (pulses_0 * self._widths[0] + pulses_1 * self._widths[1]) * applied_ua
            and abs(net_pc - net_before_pc) * 100 <= charge_pc
            and device_us - seen.net_from_us < MEAN_US
            and not seen.odd
        ):
            seen.reading = reading
            seen.device_us = device_us
            return True
        return False

    def _level(self, reading: Channel, seen: _Seen, now_us: int, target_ua: int, status: Status) -> Finding | None:
        """Ceiling, target and ramp."""
        seen.allowed_ua = self._allowed_ua(reading.channel, target_ua, now_us)
        applied_ua = reading.applied_ua
        if applied_ua > self._ceiling_ua or applied_ua > seen.allowed_ua:
            return Finding(End.IMPLAUSIBLE, f"channel {reading.channel} applies {applied_ua} uA, above what was set")
        slope = self._program.ramp_slope_ua_per_s
        run_us = status.stimulation_us - self._run_stimulation_us
        since_us = status.device_time_us - seen.device_us
        rise_ua = applied_ua - seen.reading.applied_ua
        step_ua = limits.RAISE_STEP_UA
        if applied_ua > step_ua + slope * run_us // 1_000_000 or rise_ua > step_ua + slope * since_us // 1_000_000:
            return Finding(End.IMPLAUSIBLE, f"channel {reading.channel} rises faster than the ramp allows")
        return None

    def _allowed_ua(self, channel: int, target_ua: int, now_us: int) -> int:
        """The highest target that the channel's last pulse may have gone toward."""
        if channel not in self._left:
            return target_ua
        left = [(from_ua, until_us) for from_ua, until_us in self._left[channel] if now_us < until_us]
        self._left[channel] = left
        return max([target_ua, *(from_ua for from_ua, _ in left)])

    def _counts(self, reading: Channel, seen: _Seen, status: Status) -> Finding | None:
        """Rate, charge per phase and net charge since the last reading."""
        before = seen.reading
        pulses = (reading.pulses_0 - before.pulses_0, reading.pulses_1 - before.pulses_1)
        charge_pc = (reading.charge_0_pc - before.charge_0_pc) + (reading.charge_1_pc - before.charge_1_pc)
        since_us = status.device_time_us - seen.device_us
        if pulses[0] > since_us // self._periods[0] + 2 or pulses[1] > since_us // self._periods[1] + 2:
            return Finding(End.IMPLAUSIBLE, f"channel {reading.channel} pulses faster than its program")
        most_ua = max(before.applied_ua, reading.applied_ua)
        width_time = pulses[0] * self._widths[0] + pulses[1] * self._widths[1]
        steady = before.applied_ua == reading.applied_ua == reading.target_ua == before.target_ua
        if charge_pc > width_time * max(most_ua, seen.allowed_ua) or (steady and charge_pc != width_time * most_ua):
            return Finding(End.IMPLAUSIBLE, f"channel {reading.channel} counts another charge than its pulses carry")
        net_pc = abs(reading.net_charge_pc - before.net_charge_pc)
        count = pulses[0] + pulses[1]
        if net_pc > max(charge_pc // 100, count * self._identity.net_charge_floor_pc):
            return Finding(End.NET_CHARGE, f"channel {reading.channel} leaves {net_pc} pC in {count} pulses")
        return self._mean(reading, seen, status.device_time_us)

    def _mean(self, reading: Channel, seen: _Seen, device_us: int) -> Finding | None:
        """The direct current over a second: 1 pC a us is 1 uA."""
        over_us = device_us - seen.net_from_us
        if over_us < MEAN_US:
            return None
        net_pc = abs(reading.net_charge_pc - seen.net_from_pc)
        seen.net_from_us, seen.net_from_pc = device_us, reading.net_charge_pc
        if net_pc <= over_us:
            return None
        text = f"channel {reading.channel} passes a direct current of over 1 uA ({net_pc} pC in {over_us} us)"
        return Finding(End.NET_CHARGE, text)

    def _current(self, reading: Channel, seen: _Seen) -> Finding | None:
        """Measured against applied, and contact."""
        applied_ua, measured_ua, before = reading.applied_ua, reading.measured_ua, seen.reading
        if measured_ua > limits.over_current_ua(applied_ua):
            text = f"channel {reading.channel} measures {measured_ua} uA where {applied_ua} uA is applied"
            return Finding(End.OVER_CURRENT, text)
        if reading.pulses_0 == before.pulses_0 and reading.pulses_1 == before.pulses_1:
            return None
        low = measured_ua < applied_ua - max(applied_ua // 10, limits.OVER_CURRENT_MARGIN_UA)
        clipped = reading.flags & (ChannelFlag.COMPLIANCE | ChannelFlag.LEAD_OFF)
        seen.odd_low = seen.odd_low + 1 if low and not clipped else 0
        measured = reading.ohm != NOT_MEASURED_OHM and applied_ua > 0
        seen.odd_open = seen.odd_open + 1 if measured and reading.ohm > limits.LEAD_OFF_OHM else 0
        seen.odd_short = seen.odd_short + 1 if measured and reading.ohm < limits.SHORT_OHM else 0
        seen.odd = bool(seen.odd_low or seen.odd_open or seen.odd_short)
        if seen.odd_short >= IN_A_ROW:
            return Finding(End.SHORT, f"channel {reading.channel} is short-circuited ({reading.ohm} ohm)")
        if seen.odd_open >= IN_A_ROW:
            return Finding(End.IMPLAUSIBLE, f"channel {reading.channel} has no contact ({reading.ohm} ohm)", hold=True)
        if seen.odd_low >= IN_A_ROW:
            return Finding(End.IMPLAUSIBLE, f"channel {reading.channel} measures {measured_ua} of {applied_ua} uA")
        return None
