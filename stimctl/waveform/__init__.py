"""Pulses, patterns, pulse trains with their exact charge, and their samples.

`pattern` says what is asked, `train` what one channel of a run delivers, `reach` how high it comes, `render` draws
samples of it. Nothing here knows a person, a prescription or a port. numpy is loaded only when samples are drawn.
"""

from typing import TYPE_CHECKING, Any

from stimctl.waveform.pattern import (
    CHECK_PULSES,
    CHECK_SHAPE,
    CHECK_US,
    DEFAULT_RAMP_DOWN_US,
    DEFAULT_SLOPE_UA_PER_S,
    Mode,
    Program,
    Segment,
    offset_us,
    segments_for,
)
from stimctl.waveform.reach import Reached, highest_ua, reached
from stimctl.waveform.train import Pulse, Train, check_target, pulses

if TYPE_CHECKING:
    from stimctl.waveform.render import render_chunks, render_into, sample_count

__all__ = [
    "CHECK_PULSES",
    "CHECK_SHAPE",
    "CHECK_US",
    "DEFAULT_RAMP_DOWN_US",
    "DEFAULT_SLOPE_UA_PER_S",
    "Mode",
    "Program",
    "Pulse",
    "Reached",
    "Segment",
    "Train",
    "check_target",
    "highest_ua",
    "offset_us",
    "pulses",
    "reached",
    "render_chunks",
    "render_into",
    "sample_count",
    "segments_for",
]


def __getattr__(name: str) -> Any:
    if name not in ("render_chunks", "render_into", "sample_count"):
        raise AttributeError(f"module 'stimctl.waveform' has no attribute {name!r}")
    from stimctl.waveform import render

    return getattr(render, name)
