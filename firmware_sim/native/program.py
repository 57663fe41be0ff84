"""The program that a stimulator plays, and which of its segments is on at a time. Times in us, amplitudes in uA."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class OutputSegment:
    """One pulse shape at one period; a second phase `second_width_us / width_us` longer is that much lower."""

    period_us: int
    width_us: int
    interphase_gap_us: int
    second_width_us: int
    dwell_us: int


@dataclass(frozen=True, slots=True)
class OutputProgram:
    """One or two segments that alternate, the channels that run them, and the ramps at both ends."""

    segments: tuple[OutputSegment, ...]
    channel_mask: int
    ramp_slope_ua_per_s: int
    ramp_down_us: int


class BandSchedule:
    """The alternation of a program: the segment that is on at a pattern time, and how long each has been on.

    Pattern time (us) begins at zero with each start. One segment lasts for ever; two alternate, the first one first,
    each for its dwell.
    """

    __slots__ = ("_cycle_us", "_first_us")

    def __init__(self, program: OutputProgram) -> None:
        dwells_us = [segment.dwell_us for segment in program.segments]
        self._first_us = dwells_us[0]
        self._cycle_us = sum(dwells_us) if len(dwells_us) > 1 else 0

    def at(self, pattern_us: int) -> tuple[int, int]:
        """The segment at `pattern_us`, and the time left to the next switch (0: there is none)."""
        cycle_us = self._cycle_us
        if not cycle_us:
            return 0, 0
        into_us = pattern_us % cycle_us
        first_us = self._first_us
        return (0, first_us - into_us) if into_us < first_us else (1, cycle_us - into_us)

    def times(self, pattern_us: int) -> tuple[int, int]:
        """How much of the pattern up to `pattern_us` lay in segment 0 and in segment 1."""
        if not self._cycle_us:
            return pattern_us, 0
        cycles, into_us = divmod(pattern_us, self._cycle_us)
        in_first_us = cycles * self._first_us + min(into_us, self._first_us)
        return in_first_us, pattern_us - in_first_us
