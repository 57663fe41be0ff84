"""Turns over one bit of the program in a device's memory."""

from dataclasses import replace

from firmware_sim.faults.schedule import FaultWindow
from firmware_sim.native.program import OutputProgram
from stimctl.wire.codec import SHAPE_OF, LoadProgram, LoadSegment

_BITS = {"B": 8, "H": 16, "I": 32}
_OF_PROGRAM = ("ramp_slope_ua_per_s", "ramp_down_us", "channel_mask")
_MAY_BE_ZERO = ("interphase_gap_us", "ramp_down_us", "channel_mask", "ramp_slope_ua_per_s", "dwell_us")


def flipped(window: FaultWindow, program: OutputProgram) -> OutputProgram:
    """The program as it then stands in memory."""
    name = window.word("field")
    if name in _OF_PROGRAM:
        bits = _BITS[SHAPE_OF[LoadProgram].fields[name].code]
        return replace(program, **{name: getattr(program, name) ^ 1 << window.number("bit") % bits})
    index = min(window.number("segment"), len(program.segments) - 1)
    segments = list(program.segments)
    bits = _BITS[SHAPE_OF[LoadSegment].fields[name].code]
    value = getattr(segments[index], name) ^ 1 << window.number("bit") % bits
    # A hardware timer that is loaded with zero counts one.
    segments[index] = replace(segments[index], **{name: value if name in _MAY_BE_ZERO else max(1, value)})
    return replace(program, segments=tuple(segments))
