"""The cut of a lease: its reason, when its stop is sent, and what it cut off.

The stop itself is `stimulators.stop.StopSequence`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from stimctl import limits
from stimctl.stimulators.lease.plan import Lease
from stimctl.stimulators.lease.tally import pulses_begun
from stimctl.stimulators.stop import StopSequence

EDGE_US = 2_000  # how well the host knows where in a period the device is [choice]


class _CutRule(NamedTuple):
    """What goes with a reason: `waits` for the gap between two pulses, as only a lowering does; `resumes` the run
    afterwards; zero is `measured` where it can be, and an alarm when it is late."""

    name: str
    waits: bool = False
    resumes: bool = False
    measured: bool = False


class CutReason(Enum):
    """Why a lease is cut, or a device without one is stopped."""

    LOWER = _CutRule("lower", waits=True, resumes=True)
    HOLD = _CutRule("hold")
    END = _CutRule("end")
    SELF_TEST = _CutRule("self-test", measured=True)
    STOP = _CutRule("stop", measured=True)


@dataclass(slots=True)
class LeaseCut:
    """A cut that began at `began_us`; its stop is sent at `due_us`, from when on `stop` is there.

    `sent_us` is when a stop was first sent to what is cut: that of an earlier cut, which this one replaces. `in_gap`
    says that it surely finds the device between two pulses.
    """

    why: CutReason
    began_us: int
    due_us: int
    sent_us: int | None = None
    stop: StopSequence | None = None
    zero_us: int | None = None
    in_gap: bool = False

    def wait_for_gap(self, lease: Lease, written_us: int | None, begun_us: int | None) -> None:
        """Put the stop off until it finds the device between two pulses of `lease`.

        The stop takes as long on the line as the order of the lease did, so the device's periods count from when that
        had left, `written_us`, and not from when its beginning was heard, `begun_us`. A line on which that took long
        may take otherwise the next time: `in_gap` is then not sure. A lease that is not known to have begun may begin
        now.
        """
        shape = lease.shape
        origin_us = self.began_us if begun_us is None or written_us is None else written_us
        self.in_gap = begun_us is not None and begun_us - origin_us <= EDGE_US
        phase_us = (self.began_us - origin_us) % shape.period_us
        free_us = lease.delay_us + shape.span_us + EDGE_US
        if phase_us < free_us:
            self.due_us += free_us - phase_us
        elif phase_us > shape.period_us - EDGE_US:
            self.due_us += shape.period_us - phase_us + free_us

    @property
    def spared_pulses(self) -> bool:
        """Whether no pulse was ended in its middle: the first stop did it, in a gap. Later ones come at any time."""
        if self.sent_us is None or self.zero_us is None:
            return False
        return self.in_gap and self.zero_us - self.sent_us < limits.STOP_RESEND_US

    def advance(self, send: Callable[[int], None], now_us: int) -> list[object]:
        if self.stop is not None:
            overdue = self.stop.advance(now_us)
            return [*overdue] if self.why.value.measured else []
        if now_us >= self.due_us:
            self.sent_us = now_us if self.sent_us is None else self.sent_us
            self.stop = StopSequence(send, now_us)
        return []

    def next_deadline_us(self) -> int:
        return self.due_us if self.stop is None else self.stop.next_deadline_us()

    def bounds(self, lease: Lease, asked_us: int, begun_us: int | None) -> tuple[int, int]:
        """At least and at most how many pulses of `lease` began: all of them where no zero was ever seen."""
        least = 0
        if begun_us is not None and self.sent_us is not None:
            least = pulses_begun(lease, self.sent_us - begun_us - lease.delay_us - EDGE_US)
        most = lease.pulses if self.zero_us is None else pulses_begun(lease, self.zero_us - asked_us)
        return min(least, most), most
