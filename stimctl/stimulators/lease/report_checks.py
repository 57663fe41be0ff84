"""Checks a device's report of a finished lease, and checks contact, which is done with leases too.

The device holds no limits, so the host looks at pulses, polarity, current and balance; an electrode that is off shows
as a current that is too low.
"""

from typing import NamedTuple

from stimctl import limits
from stimctl.errors import EchoMismatch
from stimctl.stimulators.base import Identity
from stimctl.stimulators.lease.device import LeaseDone
from stimctl.stimulators.lease.plan import Lease, LeaseLevel
from stimctl.stimulators.lease.tally import NO_DEVICE_TIME_US
from stimctl.waveform import Segment
from stimctl.wire.codec import Impedance
from stimctl.wire.codes import ChannelFlag, DeviceState, EndReason

CHECK_PULSES = 10
CHECK_SHAPE = Segment(10_000, 200, 0, 200, 0)  # the native impedance check's pulse
OPEN_PERCENT = 80  # measured under 0.8 of what was set: an open electrode


class ContactCheck:
    """The check before a start, one channel after the other; `armed_from` is the state that it goes back to."""

    def __init__(self, channels: tuple[int, ...], armed_from: DeviceState) -> None:
        self.armed_from = armed_from
        self.results: list[Impedance] = []
        self._channels = channels

    def skip(self) -> None:
        """Give no pulses: without a measured current they would show nothing of the contact."""
        self.results = [Impedance(channel, 0, 0, 0, 0, 0, NO_DEVICE_TIME_US) for channel in self._channels]

    def next(self) -> Lease | None:
        """The next channel's lease, or None when all are done."""
        left = self._channels[len(self.results) :]
        if not left:
            return None
        level = LeaseLevel(left[0], limits.RAISE_STEP_UA, 0)
        return Lease(0, CHECK_SHAPE, (level,), CHECK_PULSES, 0, CHECK_PULSES * CHECK_SHAPE.period_us)

    def over(self, lease: Lease, done: LeaseDone) -> None:
        ((channel, amplitude_ua, _delay),) = lease.levels
        mean_ua = abs((done.phases_ua(channel) or (0, 0))[0])
        charge_pc = CHECK_PULSES * lease.shape.charge_pc(amplitude_ua)
        self.results.append(Impedance(channel, 0, CHECK_PULSES, amplitude_ua, mean_ua, charge_pc, NO_DEVICE_TIME_US))


class ReadingTrip(NamedTuple):
    """A channel's reading that holds or ends the session."""

    channel: int
    reason: EndReason
    flag: ChannelFlag
    value: int


def wrong_report(lease: Lease, done: LeaseDone) -> EchoMismatch | None:
    """A report that contradicts what was ordered: another count, or the wrong polarity."""
    if done.pulses is not None and done.pulses != lease.pulses:
        return EchoMismatch(f"the device reports {done.pulses} pulses where {lease.pulses} were ordered")
    for mean in done.means:
        if abs(mean.mean_ua) >= limits.ZERO_UA and (mean.mean_ua > 0) == (mean.phase == 1):
            return EchoMismatch(
                f"channel {mean.channel}: phase {mean.phase + 1} measures {mean.mean_ua} uA, the wrong polarity"
            )
    return None


def trip(identity: Identity, lease: Lease, done: LeaseDone) -> ReadingTrip | None:
    """The worst that the measured means of a lease say, if anything."""
    measured = [(level, done.phases_ua(level.channel)) for level in lease.levels]
    trips = [_trip(identity, lease, level, *phases_ua) for level, phases_ua in measured if phases_ua is not None]
    order = (EndReason.OVER_CURRENT, EndReason.LEAD_OFF, EndReason.NET_CHARGE)
    return min((each for each in trips if each), key=lambda each: order.index(each.reason), default=None)


def _trip(identity: Identity, lease: Lease, level: LeaseLevel, first_ua: int, second_ua: int) -> ReadingTrip | None:
    channel, amplitude_ua, _delay = level
    shape = lease.shape
    phases = ((amplitude_ua, abs(first_ua)), (shape.second_amplitude_ua(amplitude_ua), abs(second_ua)))
    for set_ua, measured_ua in phases:
        if measured_ua > limits.over_current_ua(set_ua):
            return ReadingTrip(channel, EndReason.OVER_CURRENT, ChannelFlag.OVER_CURRENT, measured_ua)
    for set_ua, measured_ua in phases:
        if (measured_ua + identity.readback_accuracy_ua) * 100 < set_ua * OPEN_PERCENT:
            return ReadingTrip(channel, EndReason.LEAD_OFF, ChannelFlag.LEAD_OFF, measured_ua)
    net_pc = abs(first_ua * shape.width_us + second_ua * shape.second_width_us)
    floor_pc = identity.readback_accuracy_ua * (shape.width_us + shape.second_width_us)
    if net_pc > max(shape.charge_pc(amplitude_ua) // 100, floor_pc):
        return ReadingTrip(channel, EndReason.NET_CHARGE, ChannelFlag.NET_CHARGE, net_pc)
    return None
