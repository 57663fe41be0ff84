"""Executes each command of the native protocol: its checks in order, one call on the machine, then the answer.

The answer carries the values as they now stand in the device. A command that may not be done raises `CommandDenied`
(or, for the state, `IllegalCause`) before anything has changed.
"""

from collections.abc import Callable
from typing import Any

from firmware_sim.native import gate, identity
from firmware_sim.native.flash import Totals
from firmware_sim.native.loading import ProgramLoader, is_intact, require_intact, require_mask
from firmware_sim.native.machine import Machine
from firmware_sim.native.refusal import CommandDenied, require_between, require_known
from firmware_sim.native.run_state import Arming
from firmware_sim.native.states import Cause, IllegalCause, after
from stimctl.wire import codec as wire
from stimctl.wire.codes import CHANNELS, EndReason, Purpose, Refusal, SelfTestFailure

_KEEP_ALIVE = Cause.KEEP_ALIVE  # looking up an enum's member costs 0.2 us, four times a second
_CHANNELS = range(1, CHANNELS + 1)


def _require_no_session(machine: Machine, cause: Cause) -> None:
    """Nothing is loaded or tested anew over counters that nobody has read, nor under an open session."""
    if machine.waiting is not None:
        raise CommandDenied(Refusal.UNREAD_COUNTERS, machine.waiting.number)
    if machine.session is not None:
        raise IllegalCause(machine.state, cause)


def _require_nonce(machine: Machine, nonce: int) -> None:
    # Nonces are 64 bits wide and a refusal's fields 32: they are not repeated in it.
    if machine.arming is None or nonce != machine.arming.nonce:
        raise CommandDenied(Refusal.WRONG_NONCE)


def load_program(machine: Machine, order: wire.LoadProgram, now_us: int) -> wire.ProgramOpen:
    """Begin a program. The one before is gone."""
    _require_no_session(machine, Cause.LOAD)
    after(machine.state, Cause.LOAD)
    loading = ProgramLoader(order)
    machine.loading, machine.program, machine.digest = loading, None, b""
    machine.move(Cause.LOAD, now_us)
    return wire.ProgramOpen(*order, now_us)


def load_segment(machine: Machine, order: wire.LoadSegment, now_us: int) -> wire.SegmentLoaded:
    _require_no_session(machine, Cause.SEGMENT)
    after(machine.state, Cause.SEGMENT)
    assert machine.loading is not None, "LOADING without a program"
    machine.loading.add(order)
    machine.move(Cause.SEGMENT, now_us)
    return wire.SegmentLoaded(*order, now_us)


def read_digest(machine: Machine, _order: wire.ReadDigest, now_us: int) -> wire.ProgramDigest:
    """Seal the program, and answer with its digest."""
    after(machine.state, Cause.DIGEST)
    assert machine.loading is not None, "a program's digest without a program"
    machine.program, machine.digest = machine.loading.seal()
    machine.move(Cause.DIGEST, now_us)
    return wire.ProgramDigest(machine.digest, now_us)


def self_test(machine: Machine, _order: wire.SelfTest, now_us: int) -> wire.SelfTestDone:
    """Test with the outputs disconnected; a failure takes the device back to LOADED."""
    _require_no_session(machine, Cause.TEST_PASSED)
    after(machine.state, Cause.TEST_PASSED)
    failures, zero_ua = machine.stage.self_test()
    if not is_intact(machine.program, machine.digest):
        failures |= SelfTestFailure.MEMORY
    machine.move(Cause.TEST_FAILED if failures else Cause.TEST_PASSED, now_us)
    return wire.SelfTestDone(failures, zero_ua, now_us)


def arm(machine: Machine, order: wire.Arm, now_us: int) -> wire.Armed:
    """Arm for one start within the time to live. The first arm opens the session; later ones may only narrow it."""
    if machine.waiting is not None:
        raise CommandDenied(Refusal.UNREAD_COUNTERS, machine.waiting.number)
    after(machine.state, Cause.ARM)
    require_intact(machine.program, machine.digest)
    _check_arm(machine, order)
    session = machine.session or machine.open_session(
        order.ceiling_ua, order.channel_mask, order.stimulation_limit_us, now_us
    )
    nonce = machine.next_nonce()
    channels = tuple(channel for channel in _CHANNELS if order.channel_mask >> (channel - 1) & 1)
    arming = Arming(Purpose(order.purpose), channels, order.channel_mask, order.ceiling_ua, nonce)
    machine.arm(arming, session, now_us + order.time_to_live_ms * 1000, now_us)
    return wire.Armed(*order[:5], session.number, nonce, now_us)


def _check_arm(machine: Machine, order: wire.Arm) -> None:
    if order.digest_head != int.from_bytes(machine.digest[:8], "little"):
        raise CommandDenied(Refusal.WRONG_DIGEST)
    require_mask(order.channel_mask)
    session, program = machine.session, machine.program
    allowed = session.channel_mask if session is not None else program.channel_mask if program is not None else 0
    if order.channel_mask & ~allowed:
        raise CommandDenied(Refusal.NOT_IN_PROGRAM, order.channel_mask, allowed)
    most_ua = session.ceiling_ua if session is not None else gate.MAX_AMPLITUDE_UA
    require_between(order.ceiling_ua, gate.MIN_CEILING_UA, most_ua)
    limit_us = (session.limit_us,) * 2 if session is not None else (gate.MIN_STIMULATION_US, gate.MAX_STIMULATION_US)
    require_between(order.stimulation_limit_us, *limit_us)
    require_between(order.time_to_live_ms, gate.MIN_TIME_TO_LIVE_MS, gate.MAX_TIME_TO_LIVE_MS)


def start(machine: Machine, order: wire.Start, now_us: int) -> wire.Started:
    """Start what was armed: stimulate to the targets, or check impedance."""
    after(machine.state, Cause.START)
    require_intact(machine.program, machine.digest)
    _require_nonce(machine, order.nonce)
    arming, session, program = machine.arming, machine.session, machine.program
    assert arming is not None, "ARMED without an arm"
    assert session is not None, "ARMED without a session"
    assert program is not None, "ARMED without a program"
    checking = arming.purpose is Purpose.CHECK_IMPEDANCE
    targets_ua = dict(zip(_CHANNELS, order[1:], strict=True))
    for channel, target_ua in targets_ua.items():
        if target_ua and channel not in arming.channels:
            raise CommandDenied(Refusal.NOT_IN_PROGRAM, channel, arming.channel_mask)
        require_between(target_ua, 0, 0 if checking else arming.ceiling_ua)
    if checking:
        machine.check(arming.channels, now_us)
    else:
        machine.start(session, program, {channel: targets_ua[channel] for channel in arming.channels}, now_us)
    return wire.Started(*order[1:], session.stimulation_us, now_us)


def keep_alive(machine: Machine, order: wire.KeepAlive, now_us: int) -> wire.Alive:
    """The host is there: only with the newest nonce does it count."""
    after(machine.state, _KEEP_ALIVE)
    if machine.session is None:
        raise IllegalCause(machine.state, _KEEP_ALIVE)
    _require_nonce(machine, order.nonce)
    machine.alive(now_us)
    return wire.Alive(machine.state, now_us)


def set_target(machine: Machine, order: wire.SetTarget, now_us: int) -> wire.TargetSet:
    """Down at once and always; up by one step, and not twice within a second."""
    after(machine.state, Cause.TARGET)
    _require_nonce(machine, order.nonce)
    require_known(order.channel, _CHANNELS)
    arming = machine.arming
    assert arming is not None, "stimulating without an arm"
    if order.channel not in arming.channels:
        raise CommandDenied(Refusal.NOT_IN_PROGRAM, order.channel, arming.channel_mask)
    require_between(order.target_ua, 0, arming.ceiling_ua)
    rise_ua = order.target_ua - machine.targets_ua[order.channel]
    if rise_ua > 0:
        _check_raise(machine, order.channel, rise_ua, now_us)
        machine.raised_us[order.channel] = now_us
    machine.targets_ua[order.channel] = order.target_ua
    machine.stage.set_target(order.channel, order.target_ua)
    return wire.TargetSet(order.channel, order.target_ua, machine.stimulation_us(now_us), now_us)


def _check_raise(machine: Machine, channel: int, rise_ua: int, now_us: int) -> None:
    if rise_ua > gate.MAX_RISE_UA:
        raise CommandDenied(Refusal.RAISE_TOO_LARGE, rise_ua, gate.MAX_RISE_UA)
    raised_us = machine.raised_us.get(channel)
    if raised_us is not None and now_us - raised_us < gate.RAISE_INTERVAL_US:
        raise CommandDenied(Refusal.RAISE_TOO_SOON, now_us - raised_us, gate.RAISE_INTERVAL_US)


def hold(machine: Machine, _order: wire.Hold, now_us: int) -> wire.Holding:
    """All channels to zero, the session stays open."""
    machine.hold(EndReason.HELD_BY_HOST, now_us)
    return wire.Holding(machine.state, machine.stimulation_us(now_us), now_us)


def stop(machine: Machine, now_us: int) -> wire.Stopped:
    """Zero output. It cannot be refused."""
    machine.stop(now_us)
    return wire.Stopped(machine.state, machine.zero.sure, machine.zero.measured_ua, now_us)


def acknowledge(machine: Machine, order: wire.Acknowledge, now_us: int) -> wire.Acknowledged:
    """Forget the ended session's counters."""
    after(machine.state, Cause.ACKNOWLEDGE)
    waiting = machine.waiting
    if waiting is None or waiting.number != order.session:
        raise CommandDenied(Refusal.WRONG_SESSION, order.session, waiting.number if waiting is not None else 0)
    machine.acknowledge(now_us)
    return wire.Acknowledged(order.session, machine.state, now_us)


def read_impedance(machine: Machine, order: wire.ReadImpedance, now_us: int) -> wire.Impedance:
    """A channel's last check; zeros when there was none."""
    require_known(order.channel, _CHANNELS)
    result = machine.impedances.get(order.channel)
    return wire.Impedance(order.channel, *(result[:5] if result is not None else (0,) * 5), now_us)


def read_session(machine: Machine, _order: wire.ReadSession, now_us: int) -> wire.SessionRecord:
    """The session that is open or waits; zeros when there is none."""
    machine.collect(now_us)
    record = machine.flash.session
    if record is None:
        return wire.SessionRecord(*(0,) * 10, now_us)
    return wire.SessionRecord(
        session=record.number,
        boot_id=record.boot_id,
        end_reason=record.end_reason,
        ceiling_ua=record.ceiling_ua,
        channel_mask=record.channel_mask,
        stimulation_us=record.stimulation_us,
        segment_0_us=record.segment_0_us,
        segment_1_us=record.segment_1_us,
        digest_head=record.digest_head,
        nonce=record.nonce,
        device_time_us=now_us,
    )


def _totals(machine: Machine, channel: int, now_us: int) -> tuple[int, Totals]:
    require_known(channel, _CHANNELS)
    machine.collect(now_us)
    record = machine.flash.session
    return (record.number, record.totals[channel - 1]) if record is not None else (0, Totals())


def read_counters(machine: Machine, order: wire.ReadCounters, now_us: int) -> wire.Counters:
    number, totals = _totals(machine, order.channel, now_us)
    return wire.Counters(order.channel, number, *totals[:4], now_us)


def read_measured(machine: Machine, order: wire.ReadMeasured, now_us: int) -> wire.Measured:
    number, totals = _totals(machine, order.channel, now_us)
    return wire.Measured(order.channel, number, *totals[4:], now_us)


ANSWERS: dict[type[Any], Callable[[Machine, Any, int], Any]] = {
    wire.LoadProgram: load_program,
    wire.LoadSegment: load_segment,
    wire.ReadDigest: read_digest,
    wire.SelfTest: self_test,
    wire.Arm: arm,
    wire.Start: start,
    wire.KeepAlive: keep_alive,
    wire.SetTarget: set_target,
    wire.Hold: hold,
    wire.ReadImpedance: read_impedance,
    wire.ReadSession: read_session,
    wire.ReadCounters: read_counters,
    wire.ReadMeasured: read_measured,
    wire.Acknowledge: acknowledge,
}


def read_identity(page: int, seed: int, calibrated_on: int) -> wire.Maker | wire.Firmware | wire.Ranges:
    """One page of the identity."""
    require_known(page, range(3))
    if page == 0:
        return identity.maker(seed)
    return identity.firmware() if page == 1 else identity.ranges(calibrated_on)
