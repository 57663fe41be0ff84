"""What flowed in a session that was given by leases, and what each figure rests on.

A lease that was reported, or ran its time, is counted; one that was cut without a count is estimated: at most
what time allows, so that a dose is never told too low. What the device measured stands apart from both.
"""

from collections.abc import Iterable

from stimctl.stimulators.base import Basis, Handovers, Kept, Ordered
from stimctl.stimulators.dialect import StageMean
from stimctl.stimulators.leases import Lease
from stimctl.wire.messages import Counters, Measured

NO_DEVICE_TIME_US = 0  # these devices keep no records: the host's own were made at no time of a device's


def pulses_begun(lease: Lease, elapsed_us: int) -> int:
    """How many pulses of `lease` have begun `elapsed_us` after its start."""
    return max(0, min(lease.pulses, elapsed_us // lease.shape.period_us + 1)) if elapsed_us >= 0 else 0


class _Channel:
    """One channel's sums, each by segment."""

    def __init__(self) -> None:
        self.counted = [0, 0]
        self.estimated = [0, 0]
        self.least = [0, 0]
        self.measured = [0, 0]
        self.ordered = [0, 0]
        self.ordered_pc = [0, 0]
        self.charge_pc = [0, 0]
        self.measured_pc = [0, 0]
        self.net_pc = 0
        self.highest_ua = 0


def _pair(numbers: list[int]) -> tuple[int, int]:
    return numbers[0], numbers[1]


class LeaseTally:
    """The sums of one session."""

    def __init__(self, channels: Iterable[int]) -> None:
        self._channels = {channel: _Channel() for channel in channels}
        self.band_us = [0, 0]
        self._gaps: list[int] = []

    def gap(self, gap_us: int) -> None:
        """A hand-over was so much later than the pattern's grid."""
        self._gaps.append(gap_us)

    def reported(self, lease: Lease, pulses: int, means: Iterable[StageMean]) -> None:
        """A lease came to its end with so many pulses."""
        self.band_us[lease.segment] += lease.lasts_us
        found = {(mean.channel, mean.phase): mean.mean_ua for mean in means}
        for channel, amplitude_ua, _delay in lease.levels:
            sums = self._channels[channel]
            self._add(sums, lease, lease.pulses, pulses, amplitude_ua)
            sums.counted[lease.segment] += pulses
            first_ua, second_ua = found.get((channel, 0)), found.get((channel, 1))
            if first_ua is not None and second_ua is not None:
                sums.measured[lease.segment] += pulses
                sums.measured_pc[lease.segment] += max(0, first_ua) * lease.shape.width_us * pulses
                sums.net_pc += (first_ua * lease.shape.width_us + second_ua * lease.shape.second_width_us) * pulses
                sums.highest_ua = max(sums.highest_ua, abs(first_ua), abs(second_ua))

    def cut(self, lease: Lease, least: int, most: int) -> None:
        """A lease was cut: between `least` and `most` of its pulses flowed."""
        self.band_us[lease.segment] += min(lease.lasts_us, most * lease.shape.period_us)
        for channel, amplitude_ua, _delay in lease.levels:
            sums = self._channels[channel]
            self._add(sums, lease, most, most, amplitude_ua)
            sums.estimated[lease.segment] += most
            sums.least[lease.segment] += least

    def silent(self, lease: Lease, lasted_us: int) -> None:
        """Nothing was given for so long."""
        self.band_us[lease.segment] += lasted_us

    @staticmethod
    def _add(sums: _Channel, lease: Lease, ordered: int, flowed: int, amplitude_ua: int) -> None:
        charge_pc = lease.shape.charge_pc(amplitude_ua)
        sums.ordered[lease.segment] += ordered
        sums.ordered_pc[lease.segment] += ordered * charge_pc
        sums.charge_pc[lease.segment] += flowed * charge_pc

    # --- what it comes to ---------------------------------------------------------------------------

    def ordered(self) -> dict[int, Ordered]:
        """What was ordered, by channel."""
        return {
            channel: Ordered(_pair(sums.ordered), _pair(sums.ordered_pc)) for channel, sums in self._channels.items()
        }

    def counters(self, channel: int, session: int, running: Lease | None = None, begun: int = 0) -> Counters:
        """A channel's pulses and charge, with `begun` pulses of a lease that runs."""
        sums = self._channels.get(channel) or _Channel()
        pulses = [counted + guessed for counted, guessed in zip(sums.counted, sums.estimated, strict=True)]
        charge_pc = list(sums.charge_pc)
        if running is not None and (amplitude_ua := running.level_ua(channel)):
            pulses[running.segment] += begun
            charge_pc[running.segment] += begun * running.shape.charge_pc(amplitude_ua)
        return Counters(channel, session, *_pair(pulses), *_pair(charge_pc), NO_DEVICE_TIME_US)

    @property
    def is_measured(self) -> bool:
        """Whether anything was measured."""
        return any(sum(sums.measured) for sums in self._channels.values())

    def measured(self, channel: int, session: int) -> Measured:
        """What a channel measured over the leases that were measured."""
        sums = self._channels.get(channel) or _Channel()
        return Measured(
            channel, session, *_pair(sums.measured_pc), sums.net_pc, sums.highest_ua, 0, 0, NO_DEVICE_TIME_US
        )

    def kept(self, source: str) -> Kept:
        """What the figures rest on."""
        bases = tuple(
            Basis(channel, _pair(sums.counted), _pair(sums.estimated), _pair(sums.least), _pair(sums.measured))
            for channel, sums in self._channels.items()
        )
        return Kept(source, bases, Handovers(len(self._gaps), max(self._gaps, default=0), sum(self._gaps)))
