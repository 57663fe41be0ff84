"""One cell of the matrix as a check: bring the device to its operating point, do it there, judge all that is told."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from stimctl.wire.codec import (
    Alive,
    Counters,
    Event,
    KeepAlive,
    ReadCounters,
    SetTarget,
    Started,
    Stopped,
    encode,
)
from stimctl.wire.codes import Capability, ChannelFlag, DeviceState, EndReason, Refusal
from stimctl.wire.framing import DELIMITER
from stimlab.conformance.approach import QUIET_US, STEP_UA, begun
from stimlab.conformance.check import Check, CheckSkipped
from stimlab.conformance.dut import Dut, tells
from stimlab.conformance.link import STOP_FRAME, ReceivedFrame
from stimlab.conformance.matrix import OperatingPoint, SafetyAction, SegmentPosition, SessionMoment
from stimlab.conformance.report_consistency import judge
from stimlab.conformance.timing import EXACT_US, event
from stimlab.conformance.tracked_session import TrackedSession

WATCHDOG_US = 1_000_000
OFF_US = 5_000  # from Stop to outputs disabled: section 21
_WITHIN_US = 4 * 20_000 + 2 * EXACT_US  # three pulses, and what a firmware may take to judge them


class ExpectedTrip(NamedTuple):
    """What a load must make of a session."""

    load: str  # `{}` is the channel itself
    state: DeviceState
    reasons: frozenset[EndReason]
    flags: ChannelFlag
    requirement: str


_ASTRAY = frozenset({EndReason.LEAD_OFF, EndReason.COMPLIANCE})
_ASTRAY_FLAGS = ChannelFlag.LEAD_OFF | ChannelFlag.COMPLIANCE
_ENDED, _HELD = DeviceState.ENDED, DeviceState.HELD
TRIP_OF = {
    SafetyAction.OVER_CURRENT: ExpectedTrip(
        "joined{}", _ENDED, frozenset({EndReason.OVER_CURRENT}), ChannelFlag.OVER_CURRENT, "R-58"
    ),
    SafetyAction.SHORT: ExpectedTrip("short", _ENDED, frozenset({EndReason.SHORT}), ChannelFlag.SHORT, "R-59"),
    SafetyAction.OPEN: ExpectedTrip("open", _HELD, _ASTRAY, _ASTRAY_FLAGS, "R-60"),
    SafetyAction.TEN_KOHM: ExpectedTrip("r10k", _HELD, _ASTRAY, _ASTRAY_FLAGS, "R-60"),
    SafetyAction.NET_CHARGE: ExpectedTrip(
        "earthed", _ENDED, frozenset({EndReason.NET_CHARGE}), ChannelFlag.NET_CHARGE, "R-61"
    ),
}
REQUIREMENT_OF = {
    SafetyAction.STOP: "R-47",
    SafetyAction.HOLD: "R-40",
    SafetyAction.KEEPALIVE_LOST: "R-44",
    SafetyAction.RAISE: "R-39",
    SafetyAction.LOWER: "R-39",
    **{action: trip.requirement for action, trip in TRIP_OF.items()},
}
_NEEDS = {SafetyAction.KEEPALIVE_LOST: Capability.WATCHDOG, SafetyAction.RAISE: Capability.HOLDS_LIMITS}


def check_of(cell: OperatingPoint) -> Check:
    """The cell as a check of the suite."""
    needs = Capability.RAMPS | _NEEDS.get(cell.action, Capability(0))
    if cell.place is not SegmentPosition.ONLY:
        needs |= Capability.ALTERNATES
    if cell.action in TRIP_OF:
        needs |= Capability.MEASURES_CURRENT | Capability.MEASURES_IMPEDANCE
    requirements = (*(("R-46",) if cell.action is SafetyAction.STOP else ()), REQUIREMENT_OF[cell.action])
    title = f"{cell.action.value} {cell.where}"
    topic = f"full range: {cell.action.value}"
    return Check(cell.name, requirements, title, topic, partial(run, cell=cell), needs, cell=cell)


def run(bench: Dut, cell: OperatingPoint) -> None:
    """Bring the device to the operating point, do what the cell says, and judge all that it told of the session."""
    if reason := why_not(bench, cell):
        raise CheckSkipped(reason)
    course = begun(bench, cell)
    trip = TRIP_OF.get(cell.action)
    if trip is not None:
        _trips(bench, course, cell, trip)
    else:
        _DO[cell.action](bench, course, cell)


def why_not(bench: Dut, cell: OperatingPoint) -> str:
    """Why this cell cannot be tried on this device, here; empty when it can."""
    assert bench.identity is not None, "identified at the beginning"
    ranges = bench.identity.ranges
    if max(cell.channel, *cell.others, 0) > ranges.channels:
        return f"it has {ranges.channels} channels"
    if cell.amplitude_ua > ranges.max_amplitude_ua:
        return f"it gives {ranges.max_amplitude_ua} uA at most"
    trip = TRIP_OF.get(cell.action)
    if trip is not None and not bench.hands.can_swap(trip.load.format(cell.channel)):
        return f"nobody here can cause {cell.action.value}"
    return ""


# --- what is done there -------------------------------------------------------------------------


def _now_us(bench: Dut) -> int:
    """The device's time, which also is that of its newest keepalive."""
    assert bench.nonce is not None
    return bench.get(KeepAlive(bench.nonce), Alive, by="R-44").device_time_us


def _stop(bench: Dut, course: TrackedSession, cell: OperatingPoint) -> None:
    nonce, bench.nonce = bench.nonce, None
    assert nonce is not None
    first = len(bench.heard)
    # The keepalive's answer holds the device's time just before the Stop.
    bench.send_raw(encode(bench.next_sequence(), KeepAlive(nonce)) + DELIMITER + STOP_FRAME)
    found = bench.answer_to(0, first)
    text = f"Stop was not executed {cell.where}"
    state = found.message.state if found is not None and isinstance(found.message, Stopped) else None
    seen = "no answer" if state is None else DeviceState(state).name
    bench.require("R-46", state == DeviceState.ENDED, text, expected="ENDED", seen=seen)
    alive = next((each.message for each in bench.heard[first:] if isinstance(each.message, Alive)), None)
    ended = event(bench, DeviceState.ENDED, first)
    bench.require("R-47", ended.reason == EndReason.STOP, f"Stop ended it for {EndReason(ended.reason).name}")
    if alive is not None:
        off_us = ended.device_time_us - alive.device_time_us
        # Both go out at once; a line may still bring them in pieces.
        bench.measure("Stop to outputs disabled", off_us, OFF_US + bench.slack_us, "us", by="R-47")
    _is_off(bench, course, cell, ended, by="R-47")


def _hold(bench: Dut, course: TrackedSession, cell: OperatingPoint) -> None:
    first = len(bench.heard)
    holding = course.hold()
    text = f"Hold was answered and not executed {cell.where}"
    seen = DeviceState(holding.state).name
    bench.require("R-40", holding.state == DeviceState.HELD, text, expected="HELD", seen=seen)
    _is_off(bench, course, cell, event(bench, DeviceState.HELD, first), by="R-40")


def _keepalive_lost(bench: Dut, course: TrackedSession, cell: OperatingPoint) -> None:
    last_us = _now_us(bench)
    bench.nonce = None
    bench.expect(EndReason.WATCHDOG)
    found = bench.wait_for(_over, WATCHDOG_US + 500_000)
    text = f"nothing ended the session 1.5 s after the last keepalive, {cell.where}"
    bench.require("R-44", found is not None, text, expected="ENDED for WATCHDOG", seen=bench.last_state())
    assert found is not None
    ended: Event = found.message
    reason = EndReason(ended.reason).name
    text = f"without keepalives it ended for another reason, {cell.where}"
    bench.require("R-44", ended.reason == EndReason.WATCHDOG, text, expected="WATCHDOG", seen=reason)
    off_us = abs(ended.device_time_us - last_us - WATCHDOG_US)
    bench.measure("watchdog, away from 1 s after the last keepalive", off_us, EXACT_US, "us", by="R-44")
    _is_off(bench, course, cell, ended, by="R-44")


def _raise(bench: Dut, course: TrackedSession, cell: OperatingPoint) -> None:
    assert bench.armed is not None
    nonce, low_ua = bench.armed.nonce, cell.amplitude_ua - STEP_UA
    if course.ceiling_ua > low_ua + STEP_UA:
        bench.refused(SetTarget(nonce, cell.channel, low_ua + STEP_UA + 1), Refusal.RAISE_TOO_LARGE, by="R-39")
    bench.refused(SetTarget(nonce, cell.channel, course.ceiling_ua + 1), Refusal.ABOVE_LIMIT, by="R-39")
    course.target(cell.channel, cell.amplitude_ua)
    if course.ceiling_ua > cell.amplitude_ua:
        bench.refused(SetTarget(nonce, cell.channel, cell.amplitude_ua + 1), Refusal.RAISE_TOO_SOON, by="R-39")
    if cell.moment is SessionMoment.RAMP:
        bench.reach(DeviceState.RUNNING, 7_000_000, by="R-24")
    bench.listen(500_000)
    _end_by_host(bench, course, cell)


def _lower(bench: Dut, course: TrackedSession, cell: OperatingPoint) -> None:
    course.target(cell.channel, cell.amplitude_ua // 4)  # under what a ramp has come to
    bench.listen(300_000)
    course.target(cell.channel, 0)
    bench.listen(300_000)
    _end_by_host(bench, course, cell)


def _end_by_host(bench: Dut, course: TrackedSession, cell: OperatingPoint) -> None:
    first = len(bench.heard)
    course.hold()
    _is_off(bench, course, cell, event(bench, DeviceState.HELD, first), by="R-40")


def _trips(bench: Dut, course: TrackedSession, cell: OperatingPoint, trip: ExpectedTrip) -> None:
    bench.expect(*trip.reasons)
    before_us, first = _now_us(bench), len(bench.heard)
    source = cell.others[0] if cell.action is SafetyAction.OVER_CURRENT else cell.channel
    bench.swap(source, trip.load.format(cell.channel))
    found = next(filter(_over, bench.heard[first:]), None) or bench.wait_for(_over, _WITHIN_US + 2 * bench.slack_us)
    text = f"{cell.action.value} {cell.where} did not take it to {trip.state.name} within {_WITHIN_US} us"
    bench.require(trip.requirement, found is not None, text, expected=trip.state.name, seen=bench.last_state())
    assert found is not None
    told: Event = found.message
    said = DeviceState(told.state).name, EndReason(told.reason).name, told.channel
    wanted = trip.state, trip.reasons, cell.channel
    kept = told.state == trip.state and told.reason in trip.reasons and told.channel == cell.channel
    names = " or ".join(sorted(reason.name for reason in trip.reasons))
    text = f"{cell.action.value} {cell.where} was told for something else"
    expected = f"{wanted[0].name} for {names} on channel {cell.channel}"
    bench.require(trip.requirement, kept, text, expected=expected, seen=f"{said[0]} for {said[1]} on channel {said[2]}")
    if told.state == DeviceState.ENDED:
        bench.nonce = None
    _is_off(bench, course, cell, told, by=trip.requirement, disturbed_us=before_us)
    flags = [each.flags for each in bench.channels() if each.channel == cell.channel][-1]
    text = f"after {cell.action.value} {cell.where} its channel does not tell which fault it was"
    bench.require("R-65", bool(flags & trip.flags), text, expected=str(trip.flags), seen=f"{flags:#x}")


def _over(each: ReceivedFrame) -> bool:
    return tells(each, DeviceState.HELD, DeviceState.ENDED)


def _is_off(
    bench: Dut, course: TrackedSession, cell: OperatingPoint, over: Event, *, by: str, disturbed_us: int | None = None
) -> None:
    """Nothing flows and nothing is counted any more, on no channel, and the session was told truly."""
    record = course.record()
    heard = bench.listen(QUIET_US)
    was_off = f"{cell.where}: {DeviceState(over.state).name}, and then"
    bench.require(by, bool(bench.statuses(heard)), f"{was_off} no Status came")
    for status in bench.statuses(heard):
        state = DeviceState(status.state)
        text = f"{was_off} it went on"
        bench.require(by, status.state == over.state, text, expected=DeviceState(over.state).name, seen=state.name)
    zero = bench.statuses(heard)[-1].zero
    bench.require("R-48", bool(zero), f"{was_off} zero was not measured within {QUIET_US} us")
    _same_counts(bench, course, by, was_off)
    started = [each.message for each in bench.heard if isinstance(each.message, Started)][-1]
    ran_us = record.stimulation_us - started.stimulation_us
    off_us = abs(over.device_time_us - started.device_time_us - ran_us)
    bench.measure("stimulation time, away from the device's clock", off_us, EXACT_US, "us", by="R-42")
    course.counted(by="R-54")
    judge(bench, course, until_us=disturbed_us)


def _same_counts(bench: Dut, course: TrackedSession, by: str, was_off: str) -> None:
    """Telemetry and counters agree on each channel, so that nothing was added since the end."""
    for channel in course.channels:
        counters = bench.get(ReadCounters(channel), Counters, by="R-28")
        told = [each[6:10] for each in bench.channels() if each.channel == channel][-1]
        text = f"{was_off} channel {channel} went on counting"
        bench.require(by, told == counters[2:6], text, expected=str(told), seen=str(counters[2:6]))


_DO: dict[SafetyAction, Callable[[Dut, TrackedSession, OperatingPoint], None]] = {
    SafetyAction.STOP: _stop,
    SafetyAction.HOLD: _hold,
    SafetyAction.KEEPALIVE_LOST: _keepalive_lost,
    SafetyAction.RAISE: _raise,
    SafetyAction.LOWER: _lower,
}
