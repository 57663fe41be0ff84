"""Keepalives, and what happens without them: section 11."""

from stimctl.wire.codec import Alive, KeepAlive, ReadSession, SessionRecord, encode
from stimctl.wire.codes import Capability, DeviceState, EndReason, Purpose, Refusal
from stimlab.conformance.check import check
from stimlab.conformance.dut import Dut, tells
from stimlab.conformance.link import ReceivedFrame
from stimlab.conformance.programs import PLAIN
from stimlab.conformance.state_setup import FALLING, FALLING_LIMIT_US, SLOW
from stimlab.conformance.timing import EXACT_US, event, when

WATCHDOG_US = 1_000_000
SLOW_ENOUGH_UA = 150  # less than that is reached before the watchdog bites


@check("R-44", title="without keepalives a session ends after a second, wherever it stands", needs=Capability.WATCHDOG)
def the_watchdog_bites(bench: Dut) -> None:
    bench.tested()
    bench.arm(time_to_live_ms=10_000)
    bench.nonce = None
    _bites(bench, DeviceState.ARMED, when(bench, DeviceState.ARMED))
    if bench.amplitude_ua >= SLOW_ENOUGH_UA:
        bench.ramping(SLOW)
        _falls_silent(bench, DeviceState.RAMPING)
    bench.running()
    _falls_silent(bench, DeviceState.RUNNING)
    bench.ramping(FALLING, stimulation_limit_us=FALLING_LIMIT_US)
    bench.reach(DeviceState.RAMPING_DOWN, FALLING_LIMIT_US, by="R-24")
    _falls_silent(bench, DeviceState.RAMPING_DOWN)
    bench.held()
    _falls_silent(bench, DeviceState.HELD)


@check("R-44", title="the watchdog bites in an impedance check too", needs=Capability.WATCHDOG)
def the_watchdog_bites_in_a_check(bench: Dut) -> None:
    bench.tested(PLAIN.on(0b111))
    bench.arm(Purpose.CHECK_IMPEDANCE)
    bench.nonce = None
    bench.listen(850_000)
    bench.start()
    _bites(bench, DeviceState.CHECKING, when(bench, DeviceState.ARMED))


@check("R-44", title="only a new keepalive with the newest nonce counts", needs=Capability.WATCHDOG)
def false_keepalives_do_not_count(bench: Dut) -> None:
    bench.running()
    nonce, bench.nonce = bench.nonce, None
    assert nonce is not None
    frame = encode(bench.next_sequence(), KeepAlive(nonce))
    bench.send_raw(frame)
    alive = bench.wait_for(lambda each: isinstance(each.message, Alive), 300_000)
    bench.require("R-44", alive is not None, "KeepAlive was not answered")
    assert alive is not None
    for _ in range(3):
        bench.listen(250_000)
        bench.refused(KeepAlive(nonce + 1), Refusal.WRONG_NONCE, by="R-44")
        bench.send_raw(frame)
    _bites(bench, DeviceState.RUNNING, alive.message.device_time_us)


@check("R-44", title="with keepalives a session goes on", needs=Capability.WATCHDOG)
def keepalives_count(bench: Dut) -> None:
    bench.running()
    nonce, bench.nonce = bench.nonce, None
    assert nonce is not None
    bench.get(KeepAlive(nonce), Alive, by="R-44")
    for _ in range(3):
        bench.listen(950_000 - 2 * bench.slack_us)
        alive = bench.get(KeepAlive(nonce), Alive, by="R-44")
        bench.require("R-44", alive.state == DeviceState.RUNNING, f"with a keepalive in time it came to {alive.state}")


@check("R-44", title="in TESTED no watchdog runs", needs=Capability.WATCHDOG)
def no_watchdog_in_tested(bench: Dut) -> None:
    bench.tested()
    bench.arm(Purpose.CHECK_IMPEDANCE)
    bench.start()
    bench.reach(DeviceState.TESTED, 300_000, by="R-24")
    nonce, bench.nonce = bench.nonce, None
    assert nonce is not None
    bench.get(KeepAlive(nonce), Alive, by="R-44")
    bench.listen(2 * WATCHDOG_US)
    state = bench.state()
    bench.require("R-44", state == DeviceState.TESTED, f"2 s after a check, without keepalives, it is {state.name}")
    bench.arm()


def _falls_silent(bench: Dut, state: DeviceState) -> None:
    """One more keepalive, and then none."""
    assert bench.armed is not None
    bench.nonce = None
    alive = bench.get(KeepAlive(bench.armed.nonce), Alive, by="R-44")
    _bites(bench, state, alive.device_time_us)


def _bites(bench: Dut, state: DeviceState, last_us: int) -> None:
    """It must be in `state` until a second after device time `last_us`, and then end."""
    bench.expect(EndReason.WATCHDOG)
    found = bench.wait_for(_ended, WATCHDOG_US + 500_000)
    bench.require("R-44", found is not None, f"in {state.name} nothing ended it 1.5 s after the last keepalive")
    ended = event(bench, DeviceState.ENDED)
    reason = EndReason(ended.reason).name
    bench.require("R-44", ended.reason == EndReason.WATCHDOG, f"in {state.name} without keepalives: {reason}")
    before = DeviceState(bench.events()[-2].state)
    bench.require("R-44", before == state, f"without keepalives it went on from {state.name} to {before.name}")
    off_us = abs(ended.device_time_us - last_us - WATCHDOG_US)
    bench.measure(f"watchdog in {state.name}, away from 1 s", off_us, EXACT_US, "us", by="R-44")
    record = bench.get(ReadSession(), SessionRecord, by="R-28")
    bench.require("R-44", record.end_reason == EndReason.WATCHDOG, f"the record's end reason is {record.end_reason}")
    bench.acknowledge()


def _ended(each: ReceivedFrame) -> bool:
    return tells(each, DeviceState.ENDED)
