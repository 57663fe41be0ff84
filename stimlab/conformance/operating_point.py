"""Runs one cell of the matrix as a check: goes to the operating point, does the action there, judges the telemetry."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from stimctl.wire import codec as m
from stimctl.wire.codes import Capability, ChannelFlag, DeviceState, EndReason, Refusal
from stimctl.wire.framing import DELIMITER
from stimlab.conformance.approach import QUIET_US, STEP_UA, begun
from stimlab.conformance.check import Check
from stimlab.conformance.dut import Dut, tells
from stimlab.conformance.link import STOP_FRAME, ReceivedFrame
from stimlab.conformance.matrix import OperatingPoint, SafetyAction, SegmentPosition, SessionMoment
from stimlab.conformance.report_consistency import judge
from stimlab.conformance.timing import EXACT_US, OFF_US, event, off_limit_us
from stimlab.conformance.tracked_session import TrackedSession
from stimlab.conformance.verdict import CheckSkipped

WATCHDOG_US = 1_000_000
_WITHIN_US = 4 * 20_000 + 2 * EXACT_US  # three pulses, and what a firmware may take to judge them


class ExpectedTrip(NamedTuple):
    """The trip that a load must cause."""

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


def run(dut: Dut, cell: OperatingPoint) -> None:
    """Bring the device to the operating point, do what the cell says, and judge all that it told of the session."""
    if reason := why_not(dut, cell):
        raise CheckSkipped(reason)
    tracked = begun(dut, cell)
    trip = TRIP_OF.get(cell.action)
    if trip is not None:
        _trips(dut, tracked, cell, trip)
    else:
        _DO[cell.action](dut, tracked, cell)


def why_not(dut: Dut, cell: OperatingPoint) -> str:
    """Why this cell cannot be tried on this device, here; empty when it can."""
    assert dut.identity is not None, "identified at the beginning"
    ranges = dut.identity.ranges
    if max(cell.channel, *cell.others, 0) > ranges.channels:
        return f"it has {ranges.channels} channels"
    if cell.amplitude_ua > ranges.max_amplitude_ua:
        return f"it gives {ranges.max_amplitude_ua} uA at most"
    trip = TRIP_OF.get(cell.action)
    if trip is not None and not dut.fixture.can_swap(trip.load.format(cell.channel)):
        return f"nobody here can cause {cell.action.value}"
    return ""


# --- what is done there -------------------------------------------------------------------------


def _now_us(dut: Dut) -> int:
    """The device's time, which also is that of its newest keepalive."""
    assert dut.nonce is not None
    return dut.get(m.KeepAlive(dut.nonce), m.Alive, by="R-44").device_time_us


def _stop(dut: Dut, tracked: TrackedSession, cell: OperatingPoint) -> None:
    nonce, dut.nonce = dut.nonce, None
    assert nonce is not None
    first = len(dut.received)
    # The keepalive's answer holds the device's time just before the Stop.
    dut.send_raw(m.encode(dut.next_sequence(), m.KeepAlive(nonce)) + DELIMITER + STOP_FRAME)
    found = dut.answer_to(0, first)
    text = f"Stop was not executed {cell.where}"
    state = found.message.state if found is not None and isinstance(found.message, m.Stopped) else None
    seen = "no answer" if state is None else DeviceState(state).name
    dut.require("R-46", state == DeviceState.ENDED, text, expected="ENDED", seen=seen)
    alive = next((each.message for each in dut.received[first:] if isinstance(each.message, m.Alive)), None)
    ended = event(dut, DeviceState.ENDED, first)
    dut.require("R-47", ended.reason == EndReason.STOP, f"Stop ended it for {EndReason(ended.reason).name}")
    if alive is not None:
        off_us = ended.device_time_us - alive.device_time_us
        limit_us = off_limit_us(dut, DELIMITER + STOP_FRAME, OFF_US)
        dut.measure("Stop to outputs disabled", off_us, limit_us, "us", by="R-47")
    _is_off(dut, tracked, cell, ended, by="R-47")


def _hold(dut: Dut, tracked: TrackedSession, cell: OperatingPoint) -> None:
    first = len(dut.received)
    holding = tracked.hold()
    text = f"Hold was answered and not executed {cell.where}"
    seen = DeviceState(holding.state).name
    dut.require("R-40", holding.state == DeviceState.HELD, text, expected="HELD", seen=seen)
    _is_off(dut, tracked, cell, event(dut, DeviceState.HELD, first), by="R-40")


def _keepalive_lost(dut: Dut, tracked: TrackedSession, cell: OperatingPoint) -> None:
    last_us = _now_us(dut)
    dut.nonce = None
    dut.expect(EndReason.WATCHDOG)
    found = dut.wait_for(_over, WATCHDOG_US + 500_000)
    text = f"nothing ended the session 1.5 s after the last keepalive, {cell.where}"
    dut.require("R-44", found is not None, text, expected="ENDED for WATCHDOG", seen=dut.last_state())
    assert found is not None
    ended: m.Event = found.message
    reason = EndReason(ended.reason).name
    text = f"without keepalives it ended for another reason, {cell.where}"
    dut.require("R-44", ended.reason == EndReason.WATCHDOG, text, expected="WATCHDOG", seen=reason)
    off_us = abs(ended.device_time_us - last_us - WATCHDOG_US)
    dut.measure("watchdog, away from 1 s after the last keepalive", off_us, EXACT_US, "us", by="R-44")
    _is_off(dut, tracked, cell, ended, by="R-44")


def _raise(dut: Dut, tracked: TrackedSession, cell: OperatingPoint) -> None:
    assert dut.armed is not None
    nonce, low_ua = dut.armed.nonce, cell.amplitude_ua - STEP_UA
    if tracked.ceiling_ua > low_ua + STEP_UA:
        dut.refused(m.SetTarget(nonce, cell.channel, low_ua + STEP_UA + 1), Refusal.RAISE_TOO_LARGE, by="R-39")
    dut.refused(m.SetTarget(nonce, cell.channel, tracked.ceiling_ua + 1), Refusal.ABOVE_LIMIT, by="R-39")
    tracked.target(cell.channel, cell.amplitude_ua)
    if tracked.ceiling_ua > cell.amplitude_ua:
        dut.refused(m.SetTarget(nonce, cell.channel, cell.amplitude_ua + 1), Refusal.RAISE_TOO_SOON, by="R-39")
    if cell.moment is SessionMoment.RAMP:
        dut.reach(DeviceState.RUNNING, 7_000_000, by="R-24")
    dut.listen(500_000)
    _end_by_host(dut, tracked, cell)


def _lower(dut: Dut, tracked: TrackedSession, cell: OperatingPoint) -> None:
    tracked.target(cell.channel, cell.amplitude_ua // 4)  # under what a ramp has come to
    dut.listen(300_000)
    tracked.target(cell.channel, 0)
    dut.listen(300_000)
    _end_by_host(dut, tracked, cell)


def _end_by_host(dut: Dut, tracked: TrackedSession, cell: OperatingPoint) -> None:
    first = len(dut.received)
    tracked.hold()
    _is_off(dut, tracked, cell, event(dut, DeviceState.HELD, first), by="R-40")


def _trips(dut: Dut, tracked: TrackedSession, cell: OperatingPoint, trip: ExpectedTrip) -> None:
    dut.expect(*trip.reasons)
    before_us, first = _now_us(dut), len(dut.received)
    source = cell.others[0] if cell.action is SafetyAction.OVER_CURRENT else cell.channel
    dut.swap(source, trip.load.format(cell.channel))
    found = next(filter(_over, dut.received[first:]), None) or dut.wait_for(_over, _WITHIN_US + 2 * dut.slack_us)
    text = f"{cell.action.value} {cell.where} did not take it to {trip.state.name} within {_WITHIN_US} us"
    dut.require(trip.requirement, found is not None, text, expected=trip.state.name, seen=dut.last_state())
    assert found is not None
    reported: m.Event = found.message
    said = DeviceState(reported.state).name, EndReason(reported.reason).name, reported.channel
    wanted = trip.state, trip.reasons, cell.channel
    kept = reported.state == trip.state and reported.reason in trip.reasons and reported.channel == cell.channel
    names = " or ".join(sorted(reason.name for reason in trip.reasons))
    text = f"{cell.action.value} {cell.where} was told for something else"
    expected = f"{wanted[0].name} for {names} on channel {cell.channel}"
    dut.require(trip.requirement, kept, text, expected=expected, seen=f"{said[0]} for {said[1]} on channel {said[2]}")
    if reported.state == DeviceState.ENDED:
        dut.nonce = None
    _is_off(dut, tracked, cell, reported, by=trip.requirement, disturbed_us=before_us)
    flags = [each.flags for each in dut.channels() if each.channel == cell.channel][-1]
    text = f"after {cell.action.value} {cell.where} its channel does not tell which fault it was"
    dut.require("R-65", bool(flags & trip.flags), text, expected=str(trip.flags), seen=f"{flags:#x}")


def _over(each: ReceivedFrame) -> bool:
    return tells(each, DeviceState.HELD, DeviceState.ENDED)


def _is_off(
    dut: Dut, tracked: TrackedSession, cell: OperatingPoint, over: m.Event, *, by: str, disturbed_us: int | None = None
) -> None:
    """Nothing flows and nothing is counted any more, on no channel, and the session was told truly."""
    record = tracked.record()
    received = dut.listen(QUIET_US)
    was_off = f"{cell.where}: {DeviceState(over.state).name}, and then"
    dut.require(by, bool(dut.statuses(received)), f"{was_off} no Status came")
    for status in dut.statuses(received):
        state = DeviceState(status.state)
        text = f"{was_off} it went on"
        dut.require(by, status.state == over.state, text, expected=DeviceState(over.state).name, seen=state.name)
    zero = dut.statuses(received)[-1].zero
    dut.require("R-48", bool(zero), f"{was_off} zero was not measured within {QUIET_US} us")
    _same_counts(dut, tracked, by, was_off)
    started = [each.message for each in dut.received if isinstance(each.message, m.Started)][-1]
    ran_us = record.stimulation_us - started.stimulation_us
    off_us = abs(over.device_time_us - started.device_time_us - ran_us)
    dut.measure("stimulation time, away from the device's clock", off_us, EXACT_US, "us", by="R-42")
    tracked.counted(by="R-54")
    judge(dut, tracked, until_us=disturbed_us)


def _same_counts(dut: Dut, tracked: TrackedSession, by: str, was_off: str) -> None:
    """Telemetry and counters agree on each channel, so that nothing was added since the end."""
    for channel in tracked.channels:
        counters = dut.get(m.ReadCounters(channel), m.Counters, by="R-28")
        reported = [each[6:10] for each in dut.channels() if each.channel == channel][-1]
        text = f"{was_off} channel {channel} went on counting"
        dut.require(by, reported == counters[2:6], text, expected=str(reported), seen=str(counters[2:6]))


_DO: dict[SafetyAction, Callable[[Dut, TrackedSession, OperatingPoint], None]] = {
    SafetyAction.STOP: _stop,
    SafetyAction.HOLD: _hold,
    SafetyAction.KEEPALIVE_LOST: _keepalive_lost,
    SafetyAction.RAISE: _raise,
    SafetyAction.LOWER: _lower,
}
