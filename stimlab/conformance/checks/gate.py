"""The gate, and the trips that stop the output without a command: section 14."""

from stimctl.wire import codec as m
from stimctl.wire.codes import Capability, DeviceState, EndReason
from stimlab.conformance.check import check
from stimlab.conformance.dut import CEILING_UA, Dut, tells
from stimlab.conformance.link import ReceivedFrame, untimed
from stimlab.conformance.programs import PLAIN, WireProgram
from stimlab.conformance.reference_model import CHANNELS, ReportedSession
from stimlab.conformance.timing import event
from stimlab.conformance.tracked_session import TrackedSession
from stimlab.conformance.verdict import CheckSkipped

CUT_US = 1_000
TRIP_PULSES = 3
# The smallest current at which a load has to be told from a wrong one: the impedance check's [choice].
SURE_UA = 100
MARGIN_UA = 100
_BRIDGED_UA = 800
_LONG_PULSES = WireProgram(
    m.LoadProgram(segment_count=1, channel_mask=0b11, ramp_slope_ua_per_s=380, ramp_down_us=0),
    (m.LoadSegment(0, period_us=10_000, width_us=600, interphase_gap_us=100, second_width_us=1_200, dwell_us=0),),
)
_MEASURES = Capability.MEASURES_CURRENT


@check("R-57", title="only armed channels are driven, and none above what was asked for")
def only_what_is_armed(dut: Dut) -> None:
    tracked = TrackedSession(dut, PLAIN.on(0b111), channel_mask=0b010)
    tracked.start(0, dut.amplitude_ua)
    dut.reach(DeviceState.RUNNING, 5_000_000, by="R-24")
    dut.listen(200_000)
    tracked.hold()
    for channel in CHANNELS:
        counters = dut.get(m.ReadCounters(channel), m.Counters, by="R-28")
        pulses = counters.pulses_0 + counters.pulses_1
        text = f"channel {channel} gave {pulses} pulses; only channel 2 is armed"
        dut.require("R-57", pulses == 0 or channel == 2, text)
        measured = dut.get(m.ReadMeasured(channel), m.Measured, by="R-28")
        most_ua = _most_ua(dut, dut.amplitude_ua if channel == 2 else 0)
        name = f"highest current measured on channel {channel}"
        dut.measure(name, measured.max_amplitude_ua, most_ua, "uA", by="R-57")
    tracked.counted(by="R-57")


@check("R-57", title="no pulse goes above the ceiling, wherever the target is taken")
def the_ceiling_holds(dut: Dut) -> None:
    dut.running()
    assert dut.armed is not None
    for target_ua in (CEILING_UA + 1, 2_000, 2_001, 0xFFFF):
        answer = dut.ask(m.SetTarget(dut.armed.nonce, 1, target_ua)).message
        took = isinstance(answer, m.TargetSet)
        dut.require("R-57", not took, f"with a ceiling of {CEILING_UA} uA it took a target of {target_ua} uA")
    dut.listen(300_000)
    for channel in dut.channels():
        applied_ua = channel.applied_ua
        dut.require("R-57", applied_ua <= CEILING_UA, f"it applies {applied_ua} uA over the ceiling of {CEILING_UA}")


@check("R-58", title="a current that was not asked for is cut within a millisecond", needs=_MEASURES, fixture=("load",))
def over_current(dut: Dut) -> None:
    # A fifth of it is over the limit: with less, what somebody is asked to connect could not make it trip.
    amplitude_ua = _BRIDGED_UA
    _with_load(dut, "bridged")
    dut.tested(_LONG_PULSES)
    dut.arm(ceiling_ua=max(CEILING_UA, amplitude_ua))
    dut.expect(EndReason.OVER_CURRENT)
    # Channel 2 is not driven: all that is measured there came from channel 1.
    started = dut.start(amplitude_ua)
    over = dut.wait_for(_over, 5_000_000)
    dut.nonce = None
    stray_ua = dut.get(m.ReadMeasured(2), m.Measured, by="R-28").max_amplitude_ua
    if over is None and stray_ua <= MARGIN_UA:
        raise CheckSkipped(f"{stray_ua} uA at most came over to channel 2, which is not over any limit")
    text = f"{stray_ua} uA on a channel that drives nothing, where over {MARGIN_UA} uA is over-current, and it went on"
    dut.require("R-58", over is not None, text)
    assert over is not None
    reported: m.Event = over.message
    said = DeviceState(reported.state).name, EndReason(reported.reason).name
    dut.require("R-58", said == ("ENDED", "OVER_CURRENT"), f"it went to {said[0]} for {said[1]}")
    dut.require(
        "R-58", reported.channel == 2, f"it flowed in channel 2, and its Event names channel {reported.channel}"
    )
    cut_us = (reported.device_time_us - started.device_time_us) % _LONG_PULSES.segments[0].period_us
    dut.measure("from the pulse's start to the cut", cut_us, CUT_US, "us", by="R-58")
    dut.measure("current that made it cut", reported.value, None, "uA")


@check("R-59", title="a short ends the session at the third pulse", needs=_MEASURES, fixture=("load",))
def a_short(dut: Dut) -> None:
    _with_load(dut, "short")
    _trips(dut, PLAIN, DeviceState.ENDED, frozenset({EndReason.SHORT}), by="R-59")


@check("R-60", title="leads that are off hold the session at the third pulse", needs=_MEASURES, fixture=("load",))
def leads_off(dut: Dut) -> None:
    for load in ("open", "r10k"):
        _with_load(dut, load)
        either = frozenset({EndReason.LEAD_OFF, EndReason.COMPLIANCE})
        _trips(dut, PLAIN, DeviceState.HELD, either, by="R-60")
        dut.arm()


@check("R-61", title="what flows is balanced, or the session ends", needs=_MEASURES)
def net_charge(dut: Dut) -> None:
    assert dut.identity is not None, "identified at the beginning"
    tracked = TrackedSession(dut, _LONG_PULSES)
    tracked.start(dut.amplitude_ua, dut.amplitude_ua)
    dut.reach(DeviceState.RUNNING, 5_000_000, by="R-61")
    dut.listen(2_000_000)
    tracked.hold()
    for channel in (1, 2):
        tally = tracked.reported.tally(channel)
        net_pc = abs(dut.get(m.ReadMeasured(channel), m.Measured, by="R-28").net_charge_pc)
        # Each pulse may be off by the larger of 1 % and the floor, and all of them by 1 uA over their time.
        floor_pc = tally.pulses_0 * max(
            tally.charge_0_pc // tally.pulses_0 // 100, dut.identity.ranges.net_charge_floor_pc
        )
        mean_pc = tracked.record().stimulation_us
        name = f"net charge of channel {channel}"
        dut.measure(name, net_pc, min(floor_pc, mean_pc), "pC", by="R-61")


@check("R-62", title="what happens on one channel takes all of them to zero", needs=_MEASURES, fixture=("load",))
def one_takes_all(dut: Dut) -> None:
    _with_load(dut, "r1k,2=open")
    tracked = TrackedSession(dut, PLAIN.on(0b111))
    dut.expect(EndReason.LEAD_OFF, EndReason.COMPLIANCE)
    tracked.start(dut.amplitude_ua, dut.amplitude_ua, dut.amplitude_ua)
    dut.reach(DeviceState.HELD, 3_000_000, by="R-62")
    on_hold = event(dut, DeviceState.HELD)
    dut.require("R-62", on_hold.channel == 2, f"nothing hangs on channel 2, and it held for channel {on_hold.channel}")
    before = [untimed(dut.get(m.ReadCounters(channel), m.Counters, by="R-28")) for channel in (1, 2, 3)]
    dut.listen(500_000)
    after = [untimed(dut.get(m.ReadCounters(channel), m.Counters, by="R-28")) for channel in (1, 2, 3)]
    dut.require("R-62", before == after, f"held for channel 2, its counters went from {before} to {after}")
    tracked.counted(by="R-62")


def _with_load(dut: Dut, load: str) -> None:
    dut.connect(load)
    dut.settle()


def _most_ua(dut: Dut, applied_ua: int) -> int:
    """The most that may be measured of it, by the accuracy that the device states."""
    assert dut.identity is not None, "identified at the beginning"
    ranges = dut.identity.ranges
    return applied_ua + ranges.readback_accuracy_ua + applied_ua * ranges.readback_accuracy_permille // 1_000


def _trips(dut: Dut, program: WireProgram, state: DeviceState, why: frozenset[EndReason], *, by: str) -> None:
    """A load on channel 1 that must take it to `state` at the third pulse that can tell of it."""
    tracked = TrackedSession(dut, program)
    dut.expect(*why)
    tracked.start(dut.amplitude_ua)
    dut.reach(state, 3_000_000, by=by)
    reported = event(dut, state)
    dut.require(by, reported.reason in why, f"it went to {state.name} for {EndReason(reported.reason).name}")
    dut.require(by, reported.channel == 1, f"it names channel {reported.channel}, not 1")
    tracked.counted(by=by)
    pulses = tracked.reported.tally(1).pulses_0
    dut.require(by, pulses >= TRIP_PULSES, f"it tripped after {pulses} pulses, not three")
    dut.measure(f"pulses up to {EndReason(reported.reason).name}", pulses, _sure_after(tracked), "pulses", by=by)


def _sure_after(tracked: TrackedSession) -> int:
    """How many pulses go by until three of at least `SURE_UA` have."""
    going_on = ReportedSession(tracked.reported.program, tracked.limit_us)
    going_on.started({1: tracked.dut.amplitude_ua}, 0)
    going_on.over(3_000_000)
    small = sum(due.amplitude_ua < SURE_UA for due in going_on.pulses(1))
    return small + TRIP_PULSES


def _over(each: ReceivedFrame) -> bool:
    return tells(each, DeviceState.HELD, DeviceState.ENDED)
