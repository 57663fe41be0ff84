"""One of a StimJim's two engines: a timer, and a train of like pulses on it.

The timer ticks each period from the start; at each tick a pulse is played whole, or the train found to be over.
Pulses are booked late, many at once: when somebody asks, or when something about them changes.
"""

from itertools import zip_longest
from typing import NamedTuple

from firmware_sim.analog.analog_output import AnalogOutput, Stage, StageReading
from firmware_sim.analog.load_changes import NEVER_US


class TrainResult(NamedTuple):
    """The result of a train: its pulses, and for each channel the readings in each stage, summed over them."""

    pulses: int
    sums: tuple[list[StageReading], ...]

    def mean_ua(self, channel: int, stage: int) -> float:
        """What the ammeter read on an average; 0 for a stage that never was."""
        sums = self.sums[channel]
        return sums[stage].na / self.pulses / 1e3 if self.pulses and stage < len(sums) else 0.0

    def mean_mv(self, channel: int, stage: int) -> float:
        """The mean voltage of each stage, as read."""
        sums = self.sums[channel]
        return sums[stage].uv / self.pulses / 1e3 if self.pulses and stage < len(sums) else 0.0

    def with_that_of(self, other: "TrainResult") -> "TrainResult":
        """Both together: two engines that play one slot count into the same place."""
        sums = tuple(
            [
                StageReading(one.na + two.na, one.uv + two.uv)
                for one, two in zip_longest(mine, theirs, fillvalue=StageReading(0, 0))
            ]
            for mine, theirs in zip(self.sums, other.sums, strict=True)
        )
        return TrainResult(self.pulses + other.pulses, sums)


class TrainEngine:
    """Plays one train at a time into the outlets. Times are device times."""

    def __init__(self, analog_outputs: list[AnalogOutput]) -> None:
        self._analog_outputs = analog_outputs
        self.slot = -1  # of the train that plays
        self.end_us = NEVER_US  # the tick at which it is found to be over
        self.start_us = 0
        self.plans: list[tuple[Stage, ...]] = []
        self._first_us = 0  # of the pulses still to be booked
        self._period_us = 1
        self._left = 0
        self._pulses = 0
        self._sums: tuple[list[StageReading], ...] = ()

    @property
    def active(self) -> bool:
        """Whether a train has been started and has not ended."""
        return self.slot >= 0

    @property
    def delivered(self) -> int:
        """Pulses booked so far."""
        return self._pulses

    @property
    def span_us(self) -> int:
        return max((sum(max(0, stage.us) for stage in plan) for plan in self.plans), default=0)

    def begin(
        self, slot: int, plans: list[tuple[Stage, ...]], start_us: int, period_us: int, count: int, *, ends: bool = True
    ) -> None:
        """Play `count` pulses from `start_us` on. A train that does not end has no tick to find it over."""
        self.slot = slot
        self._pulses = 0
        self.start_us = start_us
        self._sums = tuple([StageReading(0, 0)] * len(plan) for plan in plans)
        self._set(plans, start_us, period_us, count, ends=ends)

    @property
    def period_us(self) -> int:
        """Between two ticks of the train that plays, whatever its slot says by now."""
        return self._period_us

    def forget(self, until_us: int) -> None:
        """Count and read anew, and play on until then, on the same ticks."""
        self._pulses = 0
        self._sums = tuple([StageReading(0, 0)] * len(sums) for sums in self._sums)
        ticks = -(-(until_us - self._first_us) // self._period_us)
        self._set(self.plans, self._first_us, self._period_us, ticks, ends=True)

    def result(self) -> TrainResult:
        """What it has delivered so far."""
        return TrainResult(self._pulses, self._sums)

    def change(self, plans: list[tuple[Stage, ...]], count: int) -> None:
        """Play otherwise from the next pulse on, `count` pulses in all."""
        for sums, plan in zip(self._sums, plans, strict=True):
            sums.extend([StageReading(0, 0)] * (len(plan) - len(sums)))
        left = max(0, count - (self._first_us - self.start_us) // self._period_us)
        self._set(plans, self._first_us, self._period_us, left, ends=self.end_us != NEVER_US)

    def _set(self, plans: list[tuple[Stage, ...]], first_us: int, period_us: int, count: int, *, ends: bool) -> None:
        self.plans = plans
        self._first_us = first_us
        self._period_us = max(1, period_us, self.span_us)
        self._left = count
        self.end_us = first_us + count * self._period_us if ends else NEVER_US

    def busy_until_us(self, now_us: int) -> int:
        """When the pulse in flight ends; `now_us` itself when there is none."""
        if not self.active or now_us < self._first_us:
            return now_us
        number = (now_us - self._first_us) // self._period_us
        begun_us = self._first_us + number * self._period_us
        return max(now_us, begun_us + self.span_us) if number < self._left else now_us

    def book(self, until_us: int) -> None:
        """Book the pulses that have ended by then."""
        ended = (until_us - self.span_us - self._first_us) // self._period_us + 1
        self._book(min(self._left, max(0, ended)))

    def _book(self, count: int) -> None:
        if count <= 0:
            return
        for analog_output, plan, sums in zip(self._analog_outputs, self.plans, self._sums, strict=True):
            if plan:
                read = analog_output.pulses(self._first_us, self._period_us, count, plan)
                for place, value in enumerate(read):
                    sums[place] = StageReading(sums[place].na + value.na, sums[place].uv + value.uv)
        self._first_us += count * self._period_us
        self._left -= count
        self._pulses += count

    def end(self, now_us: int) -> TrainResult:
        """No pulse starts at `now_us` or later; one in flight is played to its end."""
        begun = -(-(now_us - self._first_us) // self._period_us)
        self._book(min(self._left, max(0, begun)))
        return self._over()

    def cut(self, now_us: int) -> TrainResult:
        """The output goes to zero at `now_us`, in the middle of a stage if need be."""
        self.book(now_us)
        if self._left and self._first_us < now_us:
            into_us = now_us - self._first_us
            for analog_output, plan in zip(self._analog_outputs, self.plans, strict=True):
                if plan:
                    analog_output.pulses(self._first_us, self._period_us, 1, cut_stages(plan, into_us))
        return self._over()

    def _over(self) -> TrainResult:
        self.slot, self.end_us, self._left = -1, NEVER_US, 0
        return TrainResult(self._pulses, self._sums)


def cut_stages(plan: tuple[Stage, ...], into_us: int) -> tuple[Stage, ...]:
    """The stages as far as `into_us` after their start."""
    kept: list[Stage] = []
    for stage in plan:
        if into_us <= 0:
            break
        kept.append(stage._replace(us=min(stage.us, into_us)))
        into_us -= stage.us
    return tuple(kept)
