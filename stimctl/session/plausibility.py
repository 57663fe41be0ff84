"""Checks a device's telemetry against the program, the limits and the targets, and says what cannot be true.

The device holds the limits itself; this is the driver's own check of the same limits, made from what the device
reports ten times a second: a device whose gate, timer, watchdog or readback has failed is stopped by the host. What
it says is judged by the device's own time of it, whenever it arrives. Each method gives the first thing that is wrong,
or None. It sends nothing and owns no clock.
"""

from dataclasses import dataclass
from typing import NamedTuple

from stimctl import limits
from stimctl.session.states import End
from stimctl.stimulators.base import Identity
from stimctl.stimulators.native import channels_in
from stimctl.stimulators.targets import Targets
from stimctl.waveform import Program
from stimctl.wire.codec import Channel, Status
from stimctl.wire.codes import NOT_MEASURED_OHM, Capability, ChannelFlag, DeviceState, ohm_text

IN_A_ROW = 3
PULSE_FLIGHT_US = 1_100_000  # the longest period and its pulse: an older target may still be the last pulse's
TIMER_SLACK_US = 1_000_000
WATCHDOG_SLACK_MS = 1_100
MEAN_US = 1_000_000  # the mean direct current is taken over so long [choice]
_STIMULATING = frozenset(int(state) for state in (DeviceState.RAMPING, DeviceState.RUNNING, DeviceState.RAMPING_DOWN))
_CLIPPED = int(ChannelFlag.COMPLIANCE | ChannelFlag.LEAD_OFF)


class Implausible(NamedTuple):
    """Something wrong. `hold` asks for a hold rather than the end."""

    end: End
    text: str
    hold: bool = False


@dataclass(frozen=True, slots=True)
class _RunStart:
    """Where a run began: host and device time, stimulation time, the channels that were started."""

    host_us: int
    device_us: int
    stimulation_us: int
    channel_mask: int


class _PermittedAmplitude(NamedTuple):
    """An amplitude that pulses could go toward, by the device's time."""

    target_ua: int
    from_us: int
    until_us: int


@dataclass(slots=True)
class _BelievedChannel:
    """A channel as last believed, and what has been odd in a row."""

    reading: Channel
    # Where the second began over which the mean direct current is taken.
    net_from_us: int
    net_from_pc: int
    odd_low: int = 0
    odd_open: int = 0
    odd_short: int = 0


class Plausibility:
    """Follows one session's telemetry against its program, its ceiling and its targets."""

    def __init__(self, identity: Identity, program: Program, ceiling_ua: int, targets: Targets) -> None:
        self._program = program
        self._ceiling_ua = ceiling_ua
        self._target = targets.of
        # By lease, current is measured over whole leases, which the adapter judges; and the only timer is the host's.
        self._measures = Capability.MEASURES_CURRENT in identity.capabilities and not identity.by_lease
        self._timer_slack_us = TIMER_SLACK_US if not identity.by_lease else limits.SESSION_US
        # By lease, a reading is the host's own account of what it heard: a beginning that was heard late, by a program
        # that stood still, and an end that was heard in time bring their pulses, and two steps of a ramp, close
        # together. Whether a lease played too fast the adapter judges, by when it was ordered; its gate, how they rise.
        self._by_lease = identity.by_lease
        self._late_us = limits.WATCHDOG_US if identity.by_lease else 0
        self._net_floor_pc = identity.net_charge_floor_pc
        first, last = program.segments[0], program.segments[-1]
        second = (1, 0) if first is last else (last.period_us, last.width_us)
        self._pattern = (first.period_us, first.width_us, *second)
        self._run = _RunStart(0, 0, 0, 0)
        # When a status, and each channel's reading, was last judged: what was not judged was not heard.
        self._judged_us: dict[int, int] = {}
        self._seen: dict[int, _BelievedChannel] = {}
        self._permitted: dict[int, list[_PermittedAmplitude]] = {}
        # The device's time of each channel's newest change of target.
        self._changed_us: dict[int, int] = {}

    def begin(self, channel_mask: int, device_us: int, stimulation_us: int, now_us: int) -> None:
        """A run began from zero, at `stimulation_us` of the session and `device_us` of the device's time."""
        self._run = _RunStart(now_us, device_us, stimulation_us, channel_mask)
        # What pulses of an earlier run went toward is no measure of this one.
        for channel, permitted in self._permitted.items():
            self._permitted[channel] = [each._replace(until_us=min(each.until_us, device_us)) for each in permitted]
        self._judged_us = dict.fromkeys((0, *channels_in(channel_mask)), now_us)
        self._seen.clear()

    def no_longer(self, channel: int, target_ua: int, device_us: int) -> None:
        """Since `device_us` pulses go no more toward `target_ua`, but one may have been in flight."""
        left = [each for each in self._permitted.get(channel, ()) if each.until_us + PULSE_FLIGHT_US > device_us]
        self._permitted[channel] = [
            *left,
            _PermittedAmplitude(target_ua, self._run.device_us, device_us + PULSE_FLIGHT_US),
        ]

    def changed(self, channel: int, device_us: int) -> None:
        """The device applied another target at `device_us`."""
        self._changed_us[channel] = device_us

    def stood_still(self, late_us: int) -> None:
        """The host itself stood still for so long: that was no silence of the device's."""
        self._judged_us = {each: at_us + late_us for each, at_us in self._judged_us.items()}

    def silent(self, now_us: int) -> bool:
        """Whether no status, or no reading of a channel, could be judged for too long: only they tell how it is."""
        return now_us - min(self._judged_us.values()) >= limits.SILENCE_US

    def status(self, status: Status, now_us: int) -> Implausible | None:
        """Check the device as a whole while it stimulates."""
        device_us, _, state, _, _, _, active_mask, _, stimulation_us, _, _, _, keepalive_age_ms = status
        run = self._run
        # One from before the run comes behind its beginning by as much as a line delays, at most.
        is_earlier = device_us < run.device_us and now_us - run.host_us <= TIMER_SLACK_US
        if state not in _STIMULATING or is_earlier:
            return None
        self._judged_us[0] = now_us
        run_us = stimulation_us - run.stimulation_us
        by_host_us, by_device_us = abs(now_us - run.host_us - run_us), abs(device_us - run.device_us - run_us)
        if max(by_host_us, by_device_us) > self._timer_slack_us:
            clock = "the host's" if by_host_us >= by_device_us else "its own"
            return Implausible(End.CLOCK, f"the device's session timer and {clock} clock differ by more than 1 s")
        if stimulation_us > self._program.stimulation_us:
            return Implausible(End.IMPLAUSIBLE, "the device stimulates after the end of the session")
        if active_mask != run.channel_mask:
            return Implausible(End.IMPLAUSIBLE, "the device drives channels that were not started")
        if keepalive_age_ms > WATCHDOG_SLACK_MS:
            return Implausible(End.IMPLAUSIBLE, "the device's watchdog did not act")
        return None

    def channel(self, reading: Channel, now_us: int) -> Implausible | None:
        """Check one channel's reading. One that is older than the last, or than the run, is judged by what flows."""
        (number, flags, target_ua, applied_ua, measured_ua, ohm,
         pulses_0, pulses_1, charge_0_pc, charge_1_pc, net_pc, device_us) = reading  # fmt: skip
        believed, run_us = self._seen.get(number), device_us - self._run.device_us
        if run_us < 0 or (believed is not None and device_us <= believed.reading[11]):
            return self._old(number, applied_ua, measured_ua, device_us)
        if run_us > now_us - self._run.host_us + TIMER_SLACK_US:
            # A clock that is ahead makes time for more pulses, and for more of a direct current.
            text = f"a reading of channel {number} is from more than 1 s ahead of the host's clock"
            return Implausible(End.CLOCK, text)
        self._judged_us[number] = now_us
        if believed is None:
            self._seen[number] = _BelievedChannel(reading, device_us, net_pc)
            return self._level(number, applied_ua, device_us, 0, 0) or self._flows(number, measured_ua, applied_ua)
        (_, _, was_target_ua, was_ua, _, _, was_pulses_0, was_pulses_1, was_charge_0_pc, was_charge_1_pc,
         was_net_pc, was_us) = believed.reading  # fmt: skip
        believed.reading, finding = reading, None
        _, sent_ua, set_ua, _, _ = self._target(number)
        # What was lawful then is lawful now, unless it rose or the target fell.
        if applied_ua > was_ua or applied_ua > set_ua:
            finding = self._level(number, applied_ua, device_us, was_ua, device_us - was_us)
        pulses_0, pulses_1 = pulses_0 - was_pulses_0, pulses_1 - was_pulses_1
        charge_pc = charge_0_pc + charge_1_pc - was_charge_0_pc - was_charge_1_pc
        left_pc = net_pc - was_net_pc
        # Where no count has moved, no pulse came that could have been wrong.
        if (pulses_0 or pulses_1 or charge_pc or left_pc) and finding is None:
            # A target that went up and down again leaves no trace in two readings; nor, by lease, does a lease that was
            # not heard to begin before it was cut.
            settled = not self._by_lease and not sent_ua and was_us >= self._changed_us.get(number, 0)
            exact = settled and was_target_ua == target_ua == applied_ua == was_ua
            most_ua = applied_ua if exact else max(was_ua, applied_ua, self._allowed_ua(number, was_us))
            finding = self._counts(number, device_us - was_us, pulses_0, pulses_1, charge_pc, left_pc, most_ua, exact)
        if device_us - believed.net_from_us >= MEAN_US and finding is None:
            finding = self._mean(number, net_pc, device_us, believed)
        if self._measures and finding is None:
            if measured_ua > applied_ua:
                finding = self._flows(number, measured_ua, applied_ua)
            if (pulses_0 or pulses_1) and finding is None:
                finding = self._contact(number, flags, applied_ua, measured_ua, ohm, believed)
        return finding

    def _old(self, number: int, applied_ua: int, measured_ua: int, device_us: int) -> Implausible | None:
        if applied_ua > self._ceiling_ua:
            return Implausible(End.IMPLAUSIBLE, f"channel {number} applies {applied_ua} uA, above the ceiling")
        permitted_ua = max(self._allowed_ua(number, device_us), limits.RAISE_STEP_UA)
        return self._flows(number, measured_ua, permitted_ua, "was allowed")

    def _level(
        self, channel: int, applied_ua: int, device_us: int, before_ua: int, since_us: int
    ) -> Implausible | None:
        """Ceiling, target and ramp; `before_ua` was applied `since_us` earlier, 0 as the run began."""
        if applied_ua > self._ceiling_ua or applied_ua > self._allowed_ua(channel, device_us):
            return Implausible(End.IMPLAUSIBLE, f"channel {channel} applies {applied_ua} uA, above what was set")
        slope, rise_ua = self._program.ramp_slope_ua_per_s, applied_ua - before_ua - limits.RAISE_STEP_UA
        ramped_ua = limits.ramp_ua(slope, device_us - self._run.device_us + self._late_us)
        ramps_ua = limits.ramp_ua(slope, since_us + self._late_us)
        if applied_ua > limits.RAISE_STEP_UA + ramped_ua or (since_us and rise_ua > ramps_ua):
            return Implausible(End.IMPLAUSIBLE, f"channel {channel} rises faster than the ramp allows")
        return None

    def _allowed_ua(self, channel: int, device_us: int) -> int:
        """The highest target that a channel's last pulse may have gone toward at this time of the device's."""
        allowed_ua = self._target(channel).highest_ua if device_us >= self._run.device_us else 0
        for target_ua, from_us, until_us in self._permitted.get(channel, ()):
            if target_ua > allowed_ua and from_us <= device_us < until_us:
                allowed_ua = target_ua
        return allowed_ua

    def _counts(
        self, channel: int, since_us: int, pulses_0: int, pulses_1: int, charge_pc: int, net_pc: int,
        most_ua: int, exact: bool,
    ) -> Implausible | None:  # fmt: skip
        """Rate, charge per phase and net charge since the last reading; each pulse had `most_ua`, or at most that."""
        period_0_us, width_0_us, period_1_us, width_1_us = self._pattern
        most_us = since_us + self._late_us
        if pulses_0 > most_us // period_0_us + 2 or pulses_1 > most_us // period_1_us + 2:
            return Implausible(End.IMPLAUSIBLE, f"channel {channel} pulses faster than its program")
        if pulses_0 < 0 or pulses_1 < 0:
            return Implausible(End.IMPLAUSIBLE, f"channel {channel} counts fewer pulses than before")
        most_pc = (pulses_0 * width_0_us + pulses_1 * width_1_us) * most_ua
        if charge_pc > most_pc or (exact and charge_pc != most_pc):
            return Implausible(End.IMPLAUSIBLE, f"channel {channel} counts another charge than its pulses carry")
        left_pc = abs(net_pc)
        if left_pc > charge_pc // 100 and left_pc > (pulses_0 + pulses_1) * self._net_floor_pc:
            return Implausible(End.NET_CHARGE, f"channel {channel} leaves {left_pc} pC in {pulses_0 + pulses_1} pulses")
        return None

    @staticmethod
    def _mean(channel: int, net_pc: int, device_us: int, believed: _BelievedChannel) -> Implausible | None:
        """The direct current over a second: 1 pC a us is 1 uA."""
        over_us, passed_pc = device_us - believed.net_from_us, abs(net_pc - believed.net_from_pc)
        believed.net_from_us, believed.net_from_pc = device_us, net_pc
        if passed_pc <= limits.MEAN_DC_UA * over_us:
            return None
        text = f"channel {channel} passes a direct current of over 1 uA ({passed_pc} pC in {over_us} us)"
        return Implausible(End.NET_CHARGE, text)

    def _flows(self, channel: int, measured_ua: int, permitted_ua: int, why: str = "is applied") -> Implausible | None:
        """What is measured, against what may flow."""
        if not self._measures or measured_ua <= limits.over_current_ua(permitted_ua):
            return None
        text = f"channel {channel} measures {measured_ua} uA where {permitted_ua} uA {why}"
        return Implausible(End.OVER_CURRENT, text)

    @staticmethod
    def _contact(
        channel: int, flags: int, applied_ua: int, measured_ua: int, ohm: int, believed: _BelievedChannel
    ) -> Implausible | None:
        """What is measured low, a resistance that no tissue has, and a voltage that is not enough, several times in a
        row."""
        less_ua = applied_ua - measured_ua
        clipped = flags & _CLIPPED
        low = less_ua > limits.OVER_CURRENT_MARGIN_UA and less_ua > applied_ua // 10 and not clipped
        measured = ohm != NOT_MEASURED_OHM and applied_ua > 0
        open_, short = (measured and ohm > limits.LEAD_OFF_OHM) or clipped, measured and ohm < limits.SHORT_OHM
        believed.odd_low = believed.odd_low + 1 if low else 0
        believed.odd_open = believed.odd_open + 1 if open_ else 0
        believed.odd_short = believed.odd_short + 1 if short else 0
        if believed.odd_short >= IN_A_ROW:
            return Implausible(End.SHORT, f"channel {channel} is short-circuited ({ohm} ohm)")
        if believed.odd_open >= IN_A_ROW:
            found = ohm_text(ohm) if ohm > limits.LEAD_OFF_OHM else "the device says that its voltage is not enough"
            return Implausible(End.IMPLAUSIBLE, f"channel {channel} has no contact: {found}", hold=True)
        if believed.odd_low >= IN_A_ROW:
            return Implausible(End.IMPLAUSIBLE, f"channel {channel} measures {measured_ua} of {applied_ua} uA")
        return None
