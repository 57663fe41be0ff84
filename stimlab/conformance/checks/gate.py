"""What may leave the device, and what makes it stop by itself: section 14."""

from stimctl.wire.codec import (
    Counters,
    Event,
    LoadProgram,
    LoadSegment,
    Measured,
    ReadCounters,
    ReadMeasured,
    SetTarget,
    TargetSet,
)
from stimctl.wire.codes import Capability, DeviceState, EndReason
from stimlab.conformance.check import CheckSkipped, check
from stimlab.conformance.dut import CEILING_UA, Dut, tells
from stimlab.conformance.link import ReceivedFrame, untimed
from stimlab.conformance.programs import PLAIN, WireProgram
from stimlab.conformance.reference_model import CHANNELS, ReportedSession
from stimlab.conformance.timing import event
from stimlab.conformance.tracked_session import TrackedSession

CUT_US = 1_000
TRIP_PULSES = 3
# The smallest current at which a load has to be told from a wrong one: the impedance check's [choice].
SURE_UA = 100
MARGIN_UA = 100
_BRIDGED_UA = 800
_LONG_PULSES = WireProgram(
    LoadProgram(segment_count=1, channel_mask=0b11, ramp_slope_ua_per_s=380, ramp_down_us=0),
    (LoadSegment(0, period_us=10_000, width_us=600, interphase_gap_us=100, second_width_us=1_200, dwell_us=0),),
)
_MEASURES = Capability.MEASURES_CURRENT


@check("R-57", title="only armed channels are driven, and none above what was asked for")
def only_what_is_armed(bench: Dut) -> None:
    course = TrackedSession(bench, PLAIN.on(0b111), channel_mask=0b010)
    course.start(0, bench.amplitude_ua)
    bench.reach(DeviceState.RUNNING, 5_000_000, by="R-24")
    bench.listen(200_000)
    course.hold()
    for channel in CHANNELS:
        counters = bench.get(ReadCounters(channel), Counters, by="R-28")
        pulses = counters.pulses_0 + counters.pulses_1
        text = f"channel {channel} gave {pulses} pulses; only channel 2 is armed"
        bench.require("R-57", pulses == 0 or channel == 2, text)
        measured = bench.get(ReadMeasured(channel), Measured, by="R-28")
        most_ua = _most_ua(bench, bench.amplitude_ua if channel == 2 else 0)
        name = f"highest current measured on channel {channel}"
        bench.measure(name, measured.max_amplitude_ua, most_ua, "uA", by="R-57")
    course.counted(by="R-57")


@check("R-57", title="no pulse goes above the ceiling, wherever the target is taken")
def the_ceiling_holds(bench: Dut) -> None:
    bench.running()
    assert bench.armed is not None
    for target_ua in (CEILING_UA + 1, 2_000, 2_001, 0xFFFF):
        answer = bench.ask(SetTarget(bench.armed.nonce, 1, target_ua)).message
        took = isinstance(answer, TargetSet)
        bench.require("R-57", not took, f"with a ceiling of {CEILING_UA} uA it took a target of {target_ua} uA")
    bench.listen(300_000)
    for channel in bench.channels():
        applied_ua = channel.applied_ua
        bench.require("R-57", applied_ua <= CEILING_UA, f"it applies {applied_ua} uA over the ceiling of {CEILING_UA}")


@check("R-58", title="a current that was not asked for is cut within a millisecond", needs=_MEASURES, hands=("load",))
def over_current(bench: Dut) -> None:
    # A fifth of it is over the limit: with less, what somebody is asked to connect could not make it trip.
    amplitude_ua = _BRIDGED_UA
    _with_load(bench, "bridged")
    bench.tested(_LONG_PULSES)
    bench.arm(ceiling_ua=max(CEILING_UA, amplitude_ua))
    bench.expect(EndReason.OVER_CURRENT)
    # Channel 2 is not driven: all that is measured there came from channel 1.
    started = bench.start(amplitude_ua)
    over = bench.wait_for(_over, 5_000_000)
    bench.nonce = None
    stray_ua = bench.get(ReadMeasured(2), Measured, by="R-28").max_amplitude_ua
    if over is None and stray_ua <= MARGIN_UA:
        raise CheckSkipped(f"{stray_ua} uA at most came over to channel 2, which is not over any limit")
    text = f"{stray_ua} uA on a channel that drives nothing, where over {MARGIN_UA} uA is over-current, and it went on"
    bench.require("R-58", over is not None, text)
    assert over is not None
    told: Event = over.message
    said = DeviceState(told.state).name, EndReason(told.reason).name
    bench.require("R-58", said == ("ENDED", "OVER_CURRENT"), f"it went to {said[0]} for {said[1]}")
    bench.require("R-58", told.channel == 2, f"it flowed in channel 2, and its Event names channel {told.channel}")
    cut_us = (told.device_time_us - started.device_time_us) % _LONG_PULSES.segments[0].period_us
    bench.measure("from the pulse's start to the cut", cut_us, CUT_US, "us", by="R-58")
    bench.measure("current that made it cut", told.value, None, "uA")


@check("R-59", title="a short ends the session at the third pulse", needs=_MEASURES, hands=("load",))
def a_short(bench: Dut) -> None:
    _with_load(bench, "short")
    _trips(bench, PLAIN, DeviceState.ENDED, frozenset({EndReason.SHORT}), by="R-59")


@check("R-60", title="leads that are off hold the session at the third pulse", needs=_MEASURES, hands=("load",))
def leads_off(bench: Dut) -> None:
    for load in ("open", "r10k"):
        _with_load(bench, load)
        either = frozenset({EndReason.LEAD_OFF, EndReason.COMPLIANCE})
        _trips(bench, PLAIN, DeviceState.HELD, either, by="R-60")
        bench.arm()


@check("R-61", title="what flows is balanced, or the session ends", needs=_MEASURES)
def net_charge(bench: Dut) -> None:
    assert bench.identity is not None, "identified at the beginning"
    course = TrackedSession(bench, _LONG_PULSES)
    course.start(bench.amplitude_ua, bench.amplitude_ua)
    bench.reach(DeviceState.RUNNING, 5_000_000, by="R-61")
    bench.listen(2_000_000)
    course.hold()
    for channel in (1, 2):
        tally = course.told.tally(channel)
        net_pc = abs(bench.get(ReadMeasured(channel), Measured, by="R-28").net_charge_pc)
        # Each pulse may be off by the larger of 1 % and the floor, and all of them by 1 uA over their time.
        floor_pc = tally.pulses_0 * max(
            tally.charge_0_pc // tally.pulses_0 // 100, bench.identity.ranges.net_charge_floor_pc
        )
        mean_pc = course.record().stimulation_us
        name = f"net charge of channel {channel}"
        bench.measure(name, net_pc, min(floor_pc, mean_pc), "pC", by="R-61")


@check("R-62", title="what happens on one channel takes all of them to zero", needs=_MEASURES, hands=("load",))
def one_takes_all(bench: Dut) -> None:
    _with_load(bench, "r1k,2=open")
    course = TrackedSession(bench, PLAIN.on(0b111))
    bench.expect(EndReason.LEAD_OFF, EndReason.COMPLIANCE)
    course.start(bench.amplitude_ua, bench.amplitude_ua, bench.amplitude_ua)
    bench.reach(DeviceState.HELD, 3_000_000, by="R-62")
    held = event(bench, DeviceState.HELD)
    bench.require("R-62", held.channel == 2, f"nothing hangs on channel 2, and it held for channel {held.channel}")
    before = [untimed(bench.get(ReadCounters(channel), Counters, by="R-28")) for channel in (1, 2, 3)]
    bench.listen(500_000)
    after = [untimed(bench.get(ReadCounters(channel), Counters, by="R-28")) for channel in (1, 2, 3)]
    bench.require("R-62", before == after, f"held for channel 2, its counters went from {before} to {after}")
    course.counted(by="R-62")


def _with_load(bench: Dut, load: str) -> None:
    bench.connect(load)
    bench.settle()


def _most_ua(bench: Dut, applied_ua: int) -> int:
    """The most that may be measured of it, by the accuracy that the device states."""
    assert bench.identity is not None, "identified at the beginning"
    ranges = bench.identity.ranges
    return applied_ua + ranges.readback_accuracy_ua + applied_ua * ranges.readback_accuracy_permille // 1_000


def _trips(bench: Dut, program: WireProgram, state: DeviceState, why: frozenset[EndReason], *, by: str) -> None:
    """A load on channel 1 that must take it to `state` at the third pulse that can tell of it."""
    course = TrackedSession(bench, program)
    bench.expect(*why)
    course.start(bench.amplitude_ua)
    bench.reach(state, 3_000_000, by=by)
    told = event(bench, state)
    bench.require(by, told.reason in why, f"it went to {state.name} for {EndReason(told.reason).name}")
    bench.require(by, told.channel == 1, f"it names channel {told.channel}, not 1")
    course.counted(by=by)
    pulses = course.told.tally(1).pulses_0
    bench.require(by, pulses >= TRIP_PULSES, f"it tripped after {pulses} pulses, not three")
    bench.measure(f"pulses up to {EndReason(told.reason).name}", pulses, _sure_after(course), "pulses", by=by)


def _sure_after(course: TrackedSession) -> int:
    """How many pulses go by until three of at least `SURE_UA` have."""
    going_on = ReportedSession(course.told.program, course.limit_us)
    going_on.started({1: course.bench.amplitude_ua}, 0)
    going_on.over(3_000_000)
    small = sum(due.amplitude_ua < SURE_UA for due in going_on.pulses(1))
    return small + TRIP_PULSES


def _over(each: ReceivedFrame) -> bool:
    return tells(each, DeviceState.HELD, DeviceState.ENDED)
