"""A lease that was ordered, and what its end says of it: how many pulses it gave, and its entry for the log."""

from dataclasses import dataclass

from stimctl.entries import LeaseEnded
from stimctl.stimulators.base import EntryNoted
from stimctl.stimulators.lease.device import LeaseDone
from stimctl.stimulators.lease.plan import Lease

LATE_END_US = 250_000  # an end that is told so much too late bears no count out [choice]


@dataclass(slots=True)
class OrderedLease:
    """A lease that was ordered to begin at `asked_us`, and whose order had left at `written_us`.

    `foreign_starts` are those that somebody else gave while it ran; `slept_us` is how long this program stood still.
    """

    lease: Lease
    asked_us: int
    written_us: int | None = None
    begun_us: int | None = None
    gap_us: int | None = None
    foreign_starts: int = 0
    slept_us: int = 0

    @property
    def left_us(self) -> int:
        """By when its order had left, as far as is known. It may have begun only then: the gate counts its rise so."""
        return self.asked_us if self.written_us is None else self.written_us

    @property
    def ends_us(self) -> int | None:
        """When a stretch without output is over, which the host alone times."""
        return self.begun_us + self.lease.lasts_us if self.lease.silent and self.begun_us is not None else None


def pulse_bounds(ordered_lease: OrderedLease, done: LeaseDone, now_us: int, *, exact: bool) -> tuple[int, int]:
    """At least and at most how many pulses a lease gave that is told to be over: alike where the clock bears it out."""
    lease = ordered_lease.lease
    pulses = lease.pulses if done.pulses is None else done.pulses
    begun_us = ordered_lease.asked_us if ordered_lease.begun_us is None else ordered_lease.begun_us
    lasted_us = now_us - begun_us
    in_time = lasted_us - ordered_lease.slept_us <= lease.train_us + LATE_END_US
    if done.pulses is None or (exact and in_time):
        return pulses, pulses
    return pulses, max(pulses, lease.pulses, lasted_us // lease.shape.period_us) + 1 + ordered_lease.foreign_starts


def note(
    ordered_lease: OrderedLease, least: int, most: int, done: LeaseDone | None, *, opened: bool = False
) -> EntryNoted:
    """A lease for the log. `opened`: a pulse may have been ended in its middle, and is not balanced."""
    lease = ordered_lease.lease
    means, rests = ((), ()) if done is None else (done.means, done.rests)
    open_pc = max((lease.shape.charge_pc(level.amplitude_ua) for level in lease.levels), default=0)
    ended = LeaseEnded(
        segment=lease.segment,
        stimulation_us=lease.begins_us,
        levels_ua={str(level.channel): level.amplitude_ua for level in lease.levels},
        ordered=lease.pulses,
        pulses=most,
        least=least,
        evidence="counted" if least == most else "estimated",
        measured_ua=[[mean.channel, mean.phase, mean.mean_ua] for mean in means],
        between_pulses_ua=[[rest.channel, rest.mean_ua, rest.us] for rest in rests],
        open_charge_pc=open_pc if opened else 0,
        gap_us=ordered_lease.gap_us,
    )
    return EntryNoted(ended)
