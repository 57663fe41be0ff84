"""Checks a device's report of a finished lease, and checks contact, which is done with leases too.

The device holds no limits, so the host looks at pulses, polarity, current and balance; an electrode that is off shows
as a current that is too low.
"""

from math import isqrt
from typing import NamedTuple

from stimctl import limits
from stimctl.errors import EchoMismatch, TimedOut
from stimctl.stimulators.base import Identity
from stimctl.stimulators.lease.device import LeaseDone
from stimctl.stimulators.lease.plan import Lease, LeaseLevel
from stimctl.stimulators.lease.tally import NO_DEVICE_TIME_US, net_pulse_pc
from stimctl.units import US_PER_S, counted
from stimctl.waveform import CHECK_PULSES, CHECK_SHAPE, CHECK_US
from stimctl.wire.codec import Impedance
from stimctl.wire.codes import ChannelFlag, DeviceState, EndReason

EARLY_US, EARLY_SHARE = 2_000, 500  # how much sooner than ours a device's clock may be: so long, and a 500th [choice]
UNREAD_LEASES = 3  # a line of text may be lost; so many without a channel's current are no accident [choice]
DC_READINGS = 16  # taken together for the mean direct current, over a second at least [choice]
OPEN_PERCENT = 80  # measured under 0.8 of what was set: an open electrode


class ContactCheck:
    """The check before a start, one channel after the other; `armed_from` is the state that it goes back to.

    `results` stand here as its leases are over, one that was cut among them.
    """

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
        return Lease(0, CHECK_SHAPE, (level,), CHECK_PULSES, 0, CHECK_US)

    def over(self, lease: Lease, pulses: int, done: LeaseDone | None) -> None:
        """A channel's lease is over, or was cut after so many pulses at most."""
        ((channel, amplitude_ua, _delay),) = lease.levels
        phases_ua = None if done is None else done.phases_ua(channel)
        mean_ua = abs((phases_ua or (0, 0))[0])
        charge_pc = pulses * lease.shape.charge_pc(amplitude_ua)
        self.results.append(Impedance(channel, 0, pulses, amplitude_ua, mean_ua, charge_pc, NO_DEVICE_TIME_US))


class ReadingTrip(NamedTuple):
    """A channel's reading that holds or ends the session."""

    channel: int
    reason: EndReason
    flag: ChannelFlag
    value: int


def wrong_report(lease: Lease, done: LeaseDone) -> EchoMismatch | None:
    """A report that contradicts what was ordered: another count, or the wrong polarity."""
    if done.pulses is not None and done.pulses != lease.pulses:
        return EchoMismatch(f"the device reports {counted(done.pulses, 'pulse')} where {lease.pulses:,} were ordered")
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
    left_pc = abs(net_pulse_pc(shape, first_ua, second_ua))
    floor_pc = identity.readback_accuracy_ua * (shape.width_us + shape.second_width_us)
    if left_pc > max(shape.charge_pc(amplitude_ua) // 100, floor_pc):
        return ReadingTrip(channel, EndReason.NET_CHARGE, ChannelFlag.NET_CHARGE, left_pc)
    return None


class Readings:
    """What the leases of one session were measured to carry, one after the other.

    A reading is good to a microampere or two, so that for the mean current many are taken together; what no error of
    theirs explains is not waited for.
    """

    def __init__(self) -> None:
        self._unread: dict[int, int] = {}
        # By channel: pC, us, and the squares of how long each reading stands for, us2.
        self._sums: dict[int, tuple[int, int, int]] = {}

    def missing(self, lease: Lease, done: LeaseDone) -> TimedOut | None:
        """A channel of which a device that measures has told no current for too long: nothing of it is checked then."""
        for channel, _amplitude_ua, _delay_us in lease.levels:
            unread = 0 if done.phases_ua(channel) is not None else self._unread.get(channel, 0) + 1
            self._unread[channel] = unread
            if unread >= UNREAD_LEASES:
                told = f"the device told no current of channel {channel} in {unread} leases in a row"
                return TimedOut(f"{told}; check the cable")
        return None

    def direct(self, identity: Identity, lease: Lease, done: LeaseDone) -> ReadingTrip | None:
        """What a lease's report adds to the mean current of each channel, gaps between pulses and all where the device
        measures those, and whether it is now too much: 1 pC a us is 1 uA."""
        for channel in {at for at, _mean_ua, _us in done.rests}:
            phases_ua = done.phases_ua(channel)
            if phases_ua is None or not done.pulses:
                continue
            period_pc = net_pulse_pc(lease.shape, *phases_ua) + done.rest_pc(channel)
            period_us = lease.shape.period_us
            pc, us, squares_us2 = self._sums.get(channel, (0, 0, 0))
            pc, us, squares_us2 = (
                pc + period_pc * done.pulses, us + period_us * done.pulses, squares_us2 + period_us**2 * done.pulses
            )  # fmt: skip
            # A few that stand for half a second each outweigh many that stand for a hundredth.
            whole = us**2 >= DC_READINGS * squares_us2 and us >= US_PER_S
            self._sums[channel] = (0, 0, 0) if whole else (pc, us, squares_us2)
            gross_pc = (limits.MEAN_DC_UA + identity.readback_accuracy_ua) * period_us
            error_pc = 0 if whole else identity.readback_accuracy_ua * isqrt(squares_us2)
            if abs(pc) > limits.MEAN_DC_UA * us + error_pc or abs(period_pc) > gross_pc:
                return ReadingTrip(channel, EndReason.NET_CHARGE, ChannelFlag.NET_CHARGE, abs(pc))
        return None


def contradicts_clock(lease: Lease, after_us: int) -> EchoMismatch | None:
    """An end that is told before the lease can be over. `after_us` counts from when its start was ordered."""
    if after_us >= lease.train_us - EARLY_US - lease.train_us // EARLY_SHARE:
        return None
    return EchoMismatch(f"the device told of its end after {after_us} us, where the lease lasts {lease.train_us} us")
