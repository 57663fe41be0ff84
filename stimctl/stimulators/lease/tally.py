"""Counts the dose of a session that was given by leases, and keeps what each figure rests on.

A lease that was cut and not counted is estimated: at most what time allows, so that a dose is never told too low.
"""

from collections import Counter
from collections.abc import Iterable, Mapping

from stimctl.stimulators.base import CountBasis, FigureOrigins, LeaseHandovers, OrderedDose
from stimctl.stimulators.lease.device import LeaseDone
from stimctl.stimulators.lease.plan import Lease
from stimctl.waveform import Segment
from stimctl.wire.codec import Counters, Measured

NO_DEVICE_TIME_US = 0  # these devices keep no records: the host's own were made at no time of a device's


def pulses_begun(lease: Lease, elapsed_us: int) -> int:
    """How many pulses of `lease` have begun `elapsed_us` after its start."""
    return max(0, min(lease.pulses, elapsed_us // lease.shape.period_us + 1)) if elapsed_us >= 0 else 0


def net_pulse_pc(shape: Segment, first_ua: int, second_ua: int) -> int:
    """What a pulse with these two currents leaves."""
    return first_ua * shape.width_us + second_ua * shape.second_width_us


class LeaseTally:
    """The sums of one session. Each figure is summed by channel, name and segment."""

    def __init__(self, channels: Iterable[int]) -> None:
        self._channels = tuple(channels)
        self._sums: Counter[tuple[int, str, int]] = Counter()
        self._highest_ua: dict[int, int] = {}
        self.band_us = [0, 0]
        self._gaps: list[int] = []

    def gap(self, gap_us: int) -> None:
        self._gaps.append(gap_us)

    def reported(self, lease: Lease, done: LeaseDone) -> None:
        """A lease came to its end; with as many pulses as were ordered where nothing is reported."""
        self.band_us[lease.segment] += lease.lasts_us
        pulses = lease.pulses if done.pulses is None else done.pulses
        for channel, amplitude_ua, _delay in lease.levels:
            self._add(channel, lease, amplitude_ua, ordered=lease.pulses, flowed=pulses, counted=pulses)
            phases_ua = done.phases_ua(channel)
            if phases_ua is not None:
                (first_ua, second_ua), shape = phases_ua, lease.shape
                net_pc = (done.rest_pc(channel) + net_pulse_pc(shape, first_ua, second_ua)) * pulses
                measured_pc = max(0, first_ua) * shape.width_us * pulses
                self._sum(channel, lease.segment, measured=pulses, measured_pc=measured_pc, net_pc=net_pc)
                self._highest_ua[channel] = max(self._highest_ua.get(channel, 0), abs(first_ua), abs(second_ua))

    def cut(self, lease: Lease, least: int, most: int) -> None:
        """A lease was cut: between `least` and `most` of its pulses flowed."""
        self.band_us[lease.segment] += min(lease.lasts_us, most * lease.shape.period_us)
        for channel, amplitude_ua, _delay in lease.levels:
            self._add(channel, lease, amplitude_ua, ordered=most, flowed=most, estimated=most, least=least)

    def silent(self, lease: Lease, lasted_us: int) -> None:
        """Nothing was given for so long."""
        self.band_us[lease.segment] += lasted_us

    def _add(self, channel: int, lease: Lease, amplitude_ua: int, *, ordered: int, flowed: int, **kinds: int) -> None:
        pc = lease.shape.charge_pc(amplitude_ua)
        self._sum(channel, lease.segment, ordered=ordered, ordered_pc=ordered * pc, charge_pc=flowed * pc, **kinds)

    def _sum(self, channel: int, segment: int, **figures: int) -> None:
        self._sums.update({(channel, name, segment): figure for name, figure in figures.items()})

    def _pair(self, channel: int, name: str) -> tuple[int, int]:
        return self._sums[channel, name, 0], self._sums[channel, name, 1]

    def ordered(self) -> dict[int, OrderedDose]:
        pair = self._pair
        return {each: OrderedDose(pair(each, "ordered"), pair(each, "ordered_pc")) for each in self._channels}

    def counters(self, channel: int, session: int, running: Lease | None = None, begun: int = 0) -> Counters:
        """A channel's pulses and charge, with `begun` pulses of a lease that runs."""
        counted, estimated = self._pair(channel, "counted"), self._pair(channel, "estimated")
        pulses = [counted[0] + estimated[0], counted[1] + estimated[1]]
        charge_pc = list(self._pair(channel, "charge_pc"))
        if running is not None and (amplitude_ua := running.level_ua(channel)):
            pulses[running.segment] += begun
            charge_pc[running.segment] += begun * running.shape.charge_pc(amplitude_ua)
        return Counters(channel, session, pulses[0], pulses[1], charge_pc[0], charge_pc[1], NO_DEVICE_TIME_US)

    @property
    def is_measured(self) -> bool:
        return any(sum(self._pair(channel, "measured")) for channel in self._channels)

    def measured(self, channel: int, session: int) -> Measured:
        net_pc, highest_ua = sum(self._pair(channel, "net_pc")), self._highest_ua.get(channel, 0)
        measured_pc = self._pair(channel, "measured_pc")
        return Measured(channel, session, *measured_pc, net_pc, highest_ua, 0, 0, NO_DEVICE_TIME_US)

    def figure_origins(self, source: str, unsure_pc: Mapping[int, int], *, reports_ends: bool) -> FigureOrigins:
        bases = tuple(
            CountBasis(channel, *(self._pair(channel, name) for name in CountBasis._fields[1:]))
            for channel in self._channels
        )
        handovers = LeaseHandovers(len(self._gaps), max(self._gaps, default=0), sum(self._gaps))
        return FigureOrigins(source, bases, handovers, reports_ends, unsure_pc)
