"""Records the current in the load as stretches of like pulses, and renders samples of it on request.

A recorder belongs to the world, not to the firmware: it is told the real currents, not what was commanded or
read. Mean currents are whole nA and times whole us of device time, so its integrals are exact: nA x us is fC.
Where a current was not the same all through a phase, on the rail or as a discharge, its curve stands beside its
mean, and samples show the curve.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from firmware_sim.analog.needle_pair import Curve
from firmware_sim.analog.record_rate import RATE_HZ

CHUNK = 1 << 20
_US_PER_S = 1_000_000


class FlowKind(Enum):
    """The cause of a current: a train, a check, a level and so on."""

    TRAIN = "train"
    CHECK = "impedance check"
    LEAK = "from a channel that touches this one"
    HELD = "a level held, not pulses"
    DISCHARGE = "passive discharge after a pulse that was cut"


class PulseShape(NamedTuple):
    """One pulse: sizes of its mean currents, the first flowing forward and the second back."""

    first_na: int
    width_us: int
    gap_us: int
    second_na: int
    second_width_us: int

    @property
    def net_fc(self) -> int:
        """Charge of the first phase less that of the second."""
        return self.first_na * self.width_us - self.second_na * self.second_width_us

    @property
    def span_us(self) -> int:
        """Time from the first edge to the last."""
        return self.width_us + self.gap_us + self.second_width_us

    def part(self, permille: int) -> "PulseShape":
        """The same, at a part of its currents."""
        return self._replace(first_na=self.first_na * permille // 1_000, second_na=self.second_na * permille // 1_000)


# The curves of a pulse that flowed evenly. One for all such: a session has hundreds of flows.
EVEN: tuple[Curve | None, Curve | None] = (None, None)


@dataclass(slots=True)  # not frozen: one is made for each pulse of a ramp, at a quarter of the price
class Flow:
    """`count` like pulses from device time `first_us` on.

    A phase that did not flow evenly has its `curve`, signed as it flowed; None for one that did.
    """

    first_us: int
    period_us: int
    count: int
    shape: PulseShape
    kind: FlowKind
    curves: tuple[Curve | None, Curve | None] = EVEN

    @property
    def last_us(self) -> int:
        """When the last of them starts."""
        return self.first_us + (self.count - 1) * self.period_us

    def at(self, into_us: int) -> int:
        """The current in nA, signed, `into_us` after the start of one of its pulses."""
        shape, (first, second) = self.shape, self.curves
        if 0 <= into_us < shape.width_us:
            return shape.first_na if first is None else round(first.at(into_us) * 1_000)
        back_us = into_us - shape.width_us - shape.gap_us
        if 0 <= back_us < shape.second_width_us:
            return -shape.second_na if second is None else round(second.at(back_us) * 1_000)
        return 0

    def leaking(self, permille: int) -> "Flow":
        """What of it shows on a channel that touches this one."""
        first, second = (None if curve is None else curve.times(permille / 1_000) for curve in self.curves)
        return replace(self, shape=self.shape.part(permille), kind=FlowKind.LEAK, curves=(first, second))

    def extends(self, before: "Flow") -> bool:
        """Whether this goes on where `before` leaves off."""
        if self.shape != before.shape or self.kind is not before.kind or self.curves != before.curves:
            return False
        alike = before.count == 1 or before.period_us == self.period_us
        return alike and self.first_us == before.last_us + self.period_us


class Recorder:
    """Collects flows by channel, each kind apart. Samples show all kinds."""

    def __init__(self) -> None:
        self._kept: defaultdict[int, list[Flow]] = defaultdict(list)
        self._flushes: list[Callable[[], None]] = []

    def listen(self, flush: Callable[[], None]) -> None:
        """Have `flush` called before anything is read: it hands in what is not handed in yet."""
        self._flushes.append(flush)

    @property
    def _flows(self) -> Mapping[int, list[Flow]]:
        for flush in self._flushes:
            flush()
        return self._kept

    def add(self, channel: int, flow: Flow) -> None:
        """Note like pulses. Calls of one kind come in order of time for each channel."""
        flows = self._kept[channel]
        if flows and flow.extends(flows[-1]):
            flows[-1] = replace(flow, first_us=flows[-1].first_us, count=flows[-1].count + flow.count)
        else:
            flows.append(flow)

    @property
    def channels(self) -> tuple[int, ...]:
        """Channels in which anything flowed."""
        return tuple(sorted(channel for channel, flows in self._flows.items() if flows))

    def flows(self, channel: int, kind: FlowKind = FlowKind.TRAIN) -> list[Flow]:
        """A channel's flows of one kind in order of time."""
        return [flow for flow in self._flows.get(channel, ()) if flow.kind is kind]

    def pulses(self, channel: int, kind: FlowKind = FlowKind.TRAIN) -> int:
        return sum(flow.count for flow in self.flows(channel, kind))

    def charge_fc(self, channel: int, kind: FlowKind = FlowKind.TRAIN) -> int:
        """The integral over all first phases, exact."""
        flows = self.flows(channel, kind)
        return sum(flow.count * flow.shape.first_na * flow.shape.width_us for flow in flows)

    def charge_pc(self, channel: int, kind: FlowKind = FlowKind.TRAIN) -> int:
        """The same, to the nearest pC."""
        return (self.charge_fc(channel, kind) + 500) // 1_000

    def net_fc(self, channel: int, kind: FlowKind = FlowKind.TRAIN) -> int:
        """The integral over everything that flowed, exact."""
        return sum(flow.count * flow.shape.net_fc for flow in self.flows(channel, kind))

    def end_us(self, channel: int | None = None) -> int:
        """Device time at which the device last drove a current; 0 when it never did. All channels unless one is named.

        A passive discharge after that is driven by nothing but the electrodes: `flows` and the samples have it.
        """
        return self._end_us(channel, *(kind for kind in FlowKind if kind is not FlowKind.DISCHARGE))

    def _end_us(self, channel: int | None, *kinds: FlowKind) -> int:
        channels = self.channels if channel is None else (channel,)
        kept = self._flows
        ends = (flow.last_us + flow.shape.span_us for c in channels for flow in kept.get(c, ()) if flow.kind in kinds)
        return max(ends, default=0)

    def samples(
        self, channel: int, rate_hz: int = RATE_HZ, *, start_us: int = 0, end_us: int | None = None, chunk: int = CHUNK
    ) -> Iterator[npt.NDArray[np.int32]]:
        """The current in nA, `chunk` samples at a time, in one buffer that is used again for each.

        Sample n is the current at `start_us` + n / `rate_hz`.
        """
        span_us = max(0, (self._end_us(channel, *FlowKind) if end_us is None else end_us) - start_us)
        total = _sample(span_us, rate_hz)
        flows = self._flows.get(channel, ())
        buffer = np.empty(min(chunk, total), np.int32)
        for first in range(0, total, chunk):
            part = buffer[: min(chunk, total - first)]
            part.fill(0)
            view = _View(part, first, rate_hz, start_us)
            for flow in flows:
                view.paint(flow)
            yield part

    def close(self) -> Path | None:
        """The file that was written: none, for a recorder in memory."""
        return None


def _sample(at_us: int, rate_hz: int) -> int:
    """The first sample at or after `at_us`."""
    return -(-at_us * rate_hz // _US_PER_S)


class _View(NamedTuple):
    """A buffer whose first entry is sample `first` of those that begin at `start_us`, and what time it covers."""

    part: npt.NDArray[np.int32]
    first: int
    rate_hz: int
    start_us: int

    @property
    def window_us(self) -> tuple[int, int]:
        """Device time from its first sample to just after its last."""
        ends = (self.first, self.first + len(self.part))
        return self.start_us + ends[0] * _US_PER_S // self.rate_hz, self.start_us + ends[1] * _US_PER_S // self.rate_hz

    def paint(self, flow: Flow) -> None:
        """Draw those pulses of a flow that touch it."""
        shape, (from_us, to_us) = flow.shape, self.window_us
        span_us, back_us = shape.span_us, shape.width_us + shape.gap_us
        begin = max(0, (from_us - span_us - flow.first_us) // flow.period_us)
        end = min(flow.count, (to_us - flow.first_us) // flow.period_us + 1)
        for number in range(begin, end):
            at_us = flow.first_us + number * flow.period_us - self.start_us
            edges = (at_us, at_us + shape.width_us, at_us + back_us, at_us + span_us)
            a, b, c, d = (max(0, _sample(edge_us, self.rate_hz) - self.first) for edge_us in edges)
            first, second = flow.curves
            self.part[a:b] = shape.first_na if first is None else self._drawn(first, a, b, at_us)
            self.part[c:d] = -shape.second_na if second is None else self._drawn(second, c, d, at_us + back_us)

    def _drawn(self, curve: Curve, begin: int, end: int, at_us: int) -> npt.NDArray[np.int32]:
        """The samples of a curve that begins at `at_us`."""
        end = min(end, len(self.part))
        into_us = np.arange(self.first + begin, self.first + end) * (_US_PER_S / self.rate_hz) - at_us
        change = np.exp(np.minimum(0.0, (curve.held_us - into_us) / curve.tau_us))
        na = np.where(into_us < curve.held_us, curve.held_ua, curve.to_ua + (curve.from_ua - curve.to_ua) * change)
        drawn: npt.NDArray[np.int32] = np.rint(na * 1_000).astype(np.int32)
        return drawn
