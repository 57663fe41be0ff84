"""The pulse rules, as far as counts show them: when each pulse falls and how high it is: section 13."""

from itertools import pairwise

from stimctl.wire.codec import LoadProgram, LoadSegment, ProgramOpen, SegmentLoaded
from stimctl.wire.codes import Capability, DeviceState, Refusal
from stimlab.conformance.check import check
from stimlab.conformance.dut import Dut
from stimlab.conformance.programs import PLAIN, WireProgram
from stimlab.conformance.reference_model import bands_of, quantum_ua
from stimlab.conformance.tracked_session import TrackedSession

_BOTH = Capability.ALTERNATES | Capability.RAMPS


def _program(
    *segments: tuple[int, int, int, int, int], mask: int = 0b1, slope: int = 380, ramp_down_us: int = 0
) -> WireProgram:
    """Each segment as period, width, gap, second width and dwell, in us."""
    header = LoadProgram(len(segments), mask, slope, ramp_down_us)
    return WireProgram(header, tuple(LoadSegment(index, *segment) for index, segment in enumerate(segments)))


@check("R-51", title="segment 0 comes first, and two segments alternate, each for its dwell", needs=_BOTH)
def bands_alternate(dut: Dut) -> None:
    program = _program((110_000, 200, 0, 200, 700_000), (10_000, 150, 0, 150, 500_000))
    tracked = TrackedSession(dut, program, limit_us=3_000_000)
    tracked.start(dut.amplitude_ua)
    tracked.to_the_end()
    for status in dut.statuses():
        if status.state in {DeviceState.RAMPING, DeviceState.RUNNING}:
            bands = [index for at_us, index, _ in bands_of(program, status.stimulation_us + 1) if at_us >= 0]
            text = f"at {status.stimulation_us} us it is in segment {status.segment}, not in {bands[-1]}"
            dut.require("R-51", status.segment == bands[-1], text)
    record = tracked.record()
    segments_us = record.segment_0_us, record.segment_1_us
    wanted_us = tracked.reported.segments_us()
    dut.require("R-51", segments_us == wanted_us, f"it was {segments_us} us in its segments, not {wanted_us}")
    tracked.counted(by="R-51")


@check("R-52", title="each channel has its own place, and only whole pulses are scheduled", needs=_BOTH)
def whole_pulses_in_their_places(dut: Dut) -> None:
    # A band ends 200 us after a pulse of 400 us would begin, and so does the session on channel 2.
    program = _program((10_000, 200, 0, 200, 510_200), (50_000, 100, 0, 100, 500_000), mask=0b1011)
    tracked = TrackedSession(dut, program, limit_us=2_020_400 + 510_000 - 7_300)
    tracked.start(dut.amplitude_ua, dut.amplitude_ua - 10, 0, dut.amplitude_ua - 20)
    tracked.to_the_end()
    tracked.counted(by="R-52")


@check("R-52", title="no pulse is cut by the end of the session")
def whole_pulses_to_the_end(dut: Dut) -> None:
    tracked = TrackedSession(dut, PLAIN.on(0b11), limit_us=1_002_700)
    tracked.start(dut.amplitude_ua, dut.amplitude_ua)
    tracked.to_the_end()
    tracked.counted(by="R-52")


@check("R-53", title="amplitudes are multiples of the step that keeps both areas equal", needs=_BOTH)
def areas_are_equal(dut: Dut) -> None:
    program = _program((40_000, 300, 30, 700, 500_000), (10_000, 100, 0, 1_100, 500_000))
    quantum = quantum_ua(program)
    tracked = TrackedSession(dut, program, limit_us=2_500_000)
    tracked.start(dut.amplitude_ua)
    tracked.to_the_end()
    for channel in dut.channels():
        text = f"{channel.applied_ua} uA is not a multiple of {quantum} uA"
        dut.require("R-53", channel.applied_ua % quantum == 0, text)
    tracked.counted(by="R-53")


@check("R-53", title="a program whose step is over 100 uA is refused")
def coarse_steps_are_refused(dut: Dut) -> None:
    alone = LoadSegment(0, period_us=20_000, width_us=100, interphase_gap_us=0, second_width_us=101, dwell_us=0)
    dut.get(PLAIN.header, ProgramOpen, by="R-29")
    refused = dut.refused(alone, Refusal.UNBALANCED, by="R-53")
    dut.require("R-53", refused.limit == 100, f"the coarsest step that it names is {refused.limit} uA, not 100")
    # Each alone is fine enough: 10 and 11 uA. Both together are not.
    first, second = _program((20_000, 300, 0, 1_000, 500_000), (20_000, 100, 0, 1_100, 500_000)).segments
    dut.get(PLAIN.header._replace(segment_count=2), ProgramOpen, by="R-29")
    dut.get(first, SegmentLoaded, by="R-53")
    dut.refused(second, Refusal.UNBALANCED, by="R-53")


@check("R-54", title="the rise is the slope's, and at most 100 uA a pulse", needs=Capability.RAMPS)
def rises_by_the_rule(dut: Dut) -> None:
    for period_us, slope in ((700_000, 380), (13_337, 137)):
        tracked = TrackedSession(dut, _program((period_us, 211, 17, 211, 0), slope=slope), limit_us=4_000_000)
        tracked.start(dut.amplitude_ua - 13)
        tracked.to_the_end()
        applied = [channel.applied_ua for channel in dut.channels()]
        rise_ua = max(later - earlier for earlier, later in pairwise([0, *applied]))
        if period_us > 100_000:
            dut.measure("rise from one pulse to the next", rise_ua, 100, "uA", by="R-54")
        tracked.counted(by="R-54")
        dut.acknowledge()


@check("R-54", title="a step too low for a pulse is none, and its time counts for the next", needs=_BOTH)
def silent_pulses(dut: Dut) -> None:
    program = _program((50_000, 100, 0, 1_100, 500_000), (10_000, 200, 100, 400, 520_000), slope=100)
    tracked = TrackedSession(dut, program, limit_us=3_000_000)
    tracked.start(dut.amplitude_ua - 7)
    tracked.to_the_end()
    tracked.counted(by="R-54")
    dut.acknowledge()
    tracked = TrackedSession(dut, PLAIN)
    tracked.start(100)
    for target_ua in (0, 90):
        dut.listen(700_000)
        tracked.target(1, target_ua)
    dut.listen(100_000)
    tracked.hold()
    tracked.counted(by="R-54")


@check("R-54", title="the fall at the timer's end is a straight line", needs=Capability.RAMPS)
def falls_by_the_rule(dut: Dut) -> None:
    tracked = TrackedSession(dut, _program((10_000, 333, 0, 333, 0), ramp_down_us=777_777), limit_us=2_500_000)
    tracked.start(dut.amplitude_ua - 3)
    dut.reach(DeviceState.RAMPING_DOWN, tracked.limit_us, by="R-54")
    tracked.to_the_end()
    tracked.counted(by="R-54")


@check("R-55", title="each pulse counts one, and its amplitude times its width", needs=Capability.ALTERNATES)
def charge_is_exact(dut: Dut) -> None:
    program = _program((33_333, 501, 50, 1_002, 600_000), (11_111, 127, 0, 127, 500_000), mask=0b101)
    tracked = TrackedSession(dut, program, limit_us=2_345_678)
    tracked.start(dut.amplitude_ua - 1, 0, dut.amplitude_ua - 51)
    tracked.to_the_end()
    tracked.counted(by="R-55")


@check("R-56", title="a target is used from its time on, and a hold leaves what began before it")
def targets_and_holds_have_their_time(dut: Dut) -> None:
    tracked = TrackedSession(dut, PLAIN.on(0b11))
    tracked.start(dut.amplitude_ua, dut.amplitude_ua)
    dut.reach(DeviceState.RUNNING, 5_000_000, by="R-24")
    # In virtual time these come at the very instants of pulses of channel 1.
    low_ua = dut.amplitude_ua // 4
    for after_us, target_ua in ((20_000, low_ua), (40_000, low_ua + 40), (1_000_000, low_ua + 70), (30_000, 10)):
        dut.listen(_to_a_pulse_us(dut, tracked) + after_us)
        tracked.target(1, target_ua)
    dut.listen(_to_a_pulse_us(dut, tracked) + 30_000)
    tracked.hold()
    tracked.counted(by="R-56")


def _to_a_pulse_us(dut: Dut, tracked: TrackedSession) -> int:
    """From now to the next moment at which the driver believes a pulse of channel 1 to begin."""
    period_us = tracked.reported.program.segments[0].period_us
    return -(dut.now_us - tracked.began_us) % period_us
