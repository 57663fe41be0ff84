"""One stop of a device that gives leases: when it was sent, when it counts as late, and what it cut off."""

from stimctl import limits
from stimctl.stimulators.base import ZeroConfirmed
from stimctl.stimulators.lease_tally import pulses_begun
from stimctl.stimulators.leases import Lease

EDGE_US = 2_000  # how well the host knows where in a period the device is [choice]
MEASURED = ("stop", "self-test")  # for these zero is measured where it can be, and watched for being late


class Cut:
    """`why` is "lower", "hold", "end", "self-test" or "stop"."""

    def __init__(self, why: str, began_us: int) -> None:
        self.why = why
        self.began_us = began_us
        self.due_us = began_us
        self.zero_us: int | None = None
        self.wants_measure = why in MEASURED
        self._sent_us: int | None = None
        self._told = False

    def between_pulses_us(self, lease: Lease, begun_us: int) -> int:
        """The first moment from the cut's beginning that surely lies between two pulses."""
        shape = lease.shape
        delay_us = max((level.delay_us for level in lease.levels), default=0)
        phase_us = (self.began_us - begun_us) % shape.period_us
        free_us = delay_us + shape.span_us + EDGE_US
        if free_us <= phase_us <= shape.period_us - EDGE_US:
            return self.began_us
        wait_us = free_us - phase_us if phase_us < free_us else shape.period_us - phase_us + free_us
        return self.began_us + wait_us

    def sent(self, now_us: int, again_us: int) -> None:
        """The stop went out; it goes out again if it is not answered by then."""
        self._sent_us = now_us if self._sent_us is None else self._sent_us
        self.due_us = now_us + again_us

    def next_us(self) -> int:
        """When there is something to do: send, or tell that zero is late."""
        late_us = self.began_us + limits.STOP_CONFIRM_US
        return min(self.due_us, late_us) if self.wants_measure and not self._told else self.due_us

    def overdue(self, now_us: int) -> bool:
        """Whether zero is late, once."""
        late = self.wants_measure and now_us - self.began_us >= limits.STOP_CONFIRM_US
        told, self._told = self._told, self._told or late
        return late and not told

    def bounds(self, lease: Lease, asked_us: int, begun_us: int | None) -> tuple[int, int]:
        """At least and at most how many pulses of `lease` began: all of them where no zero was ever seen."""
        least = 0
        if begun_us is not None and self._sent_us is not None:
            least = pulses_begun(lease, self._sent_us - begun_us)
        most = lease.pulses if self.zero_us is None else pulses_begun(lease, self.zero_us - asked_us)
        return min(least, most), most

    def confirmed(self, now_us: int, measured_ua: int | None) -> ZeroConfirmed:
        """What to tell of a stop that is complete."""
        after_us = now_us - self.began_us
        return ZeroConfirmed(after_us, after_us, measured_ua or 0, measured_ua is not None)
