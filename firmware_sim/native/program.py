"""The program a stimulator runs: two kinds of numbers the driver loads, and nothing about how they are driven."""

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
