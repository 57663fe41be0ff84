"""Brings a device to an operating point: a session of the right program, run until segment, amplitude and moment are
there.
"""

from dataclasses import replace

from stimctl.wire.codec import LoadProgram, LoadSegment, Status
from stimctl.wire.codes import DeviceState
from stimlab.conformance.dut import Dut
from stimlab.conformance.link import ReceivedFrame
from stimlab.conformance.matrix import (
    RAMP_UA_PER_S,
    SHAPES,
    OperatingPoint,
    SafetyAction,
    SegmentPosition,
    SessionMoment,
)
from stimlab.conformance.programs import WireProgram
from stimlab.conformance.tracked_session import TrackedSession
from stimlab.conformance.verdict import Nonconforming

A_MINUTE_US = 60_000_000
STEP_UA = 100
QUIET_US = 250_000  # how long an output that is off is looked at
FALL_US = 30_000_000
_GENTLE_UA_PER_S = 100  # a ramp to 200 uA that is still on in the second segment
_LEFT_US = 1_150_000  # of a segment, so that a watchdog bites in it
_HEAD = LoadProgram(segment_count=1, channel_mask=0b1, ramp_slope_ua_per_s=RAMP_UA_PER_S, ramp_down_us=0)
_ONE = WireProgram(_HEAD, (LoadSegment(0, *SHAPES[SegmentPosition.ONLY], 0),))
_TWO = WireProgram(
    _HEAD._replace(segment_count=2),
    (
        LoadSegment(0, *SHAPES[SegmentPosition.FIRST], 1_300_000),
        LoadSegment(1, *SHAPES[SegmentPosition.SECOND], 1_302_000),
    ),
)


def _program(cell: OperatingPoint) -> WireProgram:
    program = (_ONE if cell.place is SegmentPosition.ONLY else _TWO).on(
        sum(1 << (n - 1) for n in (cell.channel, *cell.others))
    )
    fall_us = FALL_US if cell.moment is SessionMoment.FALL else 0
    slope = _GENTLE_UA_PER_S if cell.gentle else RAMP_UA_PER_S
    return replace(program, header=program.header._replace(ramp_slope_ua_per_s=slope, ramp_down_us=fall_us))


def _targets(cell: OperatingPoint) -> tuple[int, ...]:
    """The targets of the start: a raise begins a step lower, and a stray current comes from the first other channel."""
    own_ua = cell.amplitude_ua - (STEP_UA if cell.action is SafetyAction.RAISE else 0)
    targets = {cell.channel: own_ua, **dict.fromkeys(cell.others, 4 * STEP_UA if cell.gentle else STEP_UA)}
    if cell.action is SafetyAction.OVER_CURRENT:
        targets[cell.others[0]] = cell.amplitude_ua
    return tuple(targets.get(channel, 0) for channel in range(1, 5))


def begun(dut: Dut, cell: OperatingPoint) -> TrackedSession:
    """A session at the operating point."""
    targets = _targets(cell)
    ramp_us = max(targets) * 1_000_000 // RAMP_UA_PER_S
    limit_us = ramp_us + 1_500_000 + FALL_US if cell.moment is SessionMoment.FALL else 2 * A_MINUTE_US
    tracked = TrackedSession(dut, _program(cell), limit_us=limit_us, ceiling_ua=max(500, min(cell.amplitude_ua, 2_000)))
    tracked.start(*targets)
    if cell.moment is SessionMoment.AFTER_HOLD:
        dut.listen(500_000)
        tracked.hold()
        dut.listen(QUIET_US)
        tracked.arm()
        tracked.start(*targets)
    least_us = A_MINUTE_US if cell.moment is SessionMoment.AFTER_A_MINUTE else 0
    if cell.moment is SessionMoment.RAMP:
        slope = tracked.reported.program.header.ramp_slope_ua_per_s
        # High enough for a load to be judged at once, and early enough to be ramping still.
        least_us = min(max(targets), cell.amplitude_ua) * (800_000 if cell.gentle else 450_000) // slope
    _come_to(dut, cell, least_us)
    return tracked


def _come_to(dut: Dut, cell: OperatingPoint, least_us: int) -> None:
    """Listen until its Status tells the state and the segment, and enough of that to come."""
    state = {SessionMoment.RAMP: DeviceState.RAMPING, SessionMoment.FALL: DeviceState.RAMPING_DOWN}.get(
        cell.moment, DeviceState.RUNNING
    )
    left_us = 200_000 if cell.moment is SessionMoment.RAMP else _LEFT_US

    def there(each: ReceivedFrame) -> bool:
        status = each.message
        if not isinstance(status, Status) or each.stale or status.state != state or status.stimulation_us < least_us:
            return False
        if cell.place is SegmentPosition.ONLY:
            return True
        return status.segment == (cell.place is SegmentPosition.SECOND) and status.segment_left_us >= left_us

    within_us = least_us + 15_000_000
    if dut.wait_for(there, within_us) is None:
        text = f"it did not come to {state.name} in {cell.place.value} within {within_us} us"
        raise Nonconforming("R-24", text, expected=state.name, seen=dut.last_state())
