"""The watchdog: keepalives, and the end without them: section 11."""

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
def the_watchdog_bites(dut: Dut) -> None:
    dut.tested()
    dut.arm(time_to_live_ms=10_000)
    dut.nonce = None
    _bites(dut, DeviceState.ARMED, when(dut, DeviceState.ARMED))
    if dut.amplitude_ua >= SLOW_ENOUGH_UA:
        dut.ramping(SLOW)
        _falls_silent(dut, DeviceState.RAMPING)
    dut.running()
    _falls_silent(dut, DeviceState.RUNNING)
    dut.ramping(FALLING, stimulation_limit_us=FALLING_LIMIT_US)
    dut.reach(DeviceState.RAMPING_DOWN, FALLING_LIMIT_US, by="R-24")
    _falls_silent(dut, DeviceState.RAMPING_DOWN)
    dut.on_hold()
    _falls_silent(dut, DeviceState.HELD)


@check("R-44", title="the watchdog bites in an impedance check too", needs=Capability.WATCHDOG)
def the_watchdog_bites_in_a_check(dut: Dut) -> None:
    dut.tested(PLAIN.on(0b111))
    dut.arm(Purpose.CHECK_IMPEDANCE)
    dut.nonce = None
    dut.listen(850_000)
    dut.start()
    _bites(dut, DeviceState.CHECKING, when(dut, DeviceState.ARMED))


@check("R-44", title="only a new keepalive with the newest nonce counts", needs=Capability.WATCHDOG)
def false_keepalives_do_not_count(dut: Dut) -> None:
    dut.running()
    nonce, dut.nonce = dut.nonce, None
    assert nonce is not None
    frame = encode(dut.next_sequence(), KeepAlive(nonce))
    dut.send_raw(frame)
    alive = dut.wait_for(lambda each: isinstance(each.message, Alive), 300_000)
    dut.require("R-44", alive is not None, "KeepAlive was not answered")
    assert alive is not None
    for _ in range(3):
        dut.listen(250_000)
        dut.refused(KeepAlive(nonce + 1), Refusal.WRONG_NONCE, by="R-44")
        dut.send_raw(frame)
    _bites(dut, DeviceState.RUNNING, alive.message.device_time_us)


@check("R-44", title="with keepalives a session goes on", needs=Capability.WATCHDOG)
def keepalives_count(dut: Dut) -> None:
    dut.running()
    nonce, dut.nonce = dut.nonce, None
    assert nonce is not None
    dut.get(KeepAlive(nonce), Alive, by="R-44")
    for _ in range(3):
        dut.listen(950_000 - 2 * dut.slack_us)
        alive = dut.get(KeepAlive(nonce), Alive, by="R-44")
        dut.require("R-44", alive.state == DeviceState.RUNNING, f"with a keepalive in time it came to {alive.state}")


@check("R-44", title="in TESTED no watchdog runs", needs=Capability.WATCHDOG)
def no_watchdog_in_tested(dut: Dut) -> None:
    dut.tested()
    dut.arm(Purpose.CHECK_IMPEDANCE)
    dut.start()
    dut.reach(DeviceState.TESTED, 300_000, by="R-24")
    nonce, dut.nonce = dut.nonce, None
    assert nonce is not None
    dut.get(KeepAlive(nonce), Alive, by="R-44")
    dut.listen(2 * WATCHDOG_US)
    state = dut.state()
    dut.require("R-44", state == DeviceState.TESTED, f"2 s after a check, without keepalives, it is {state.name}")
    dut.arm()


def _falls_silent(dut: Dut, state: DeviceState) -> None:
    """One more keepalive, and then none."""
    assert dut.armed is not None
    dut.nonce = None
    alive = dut.get(KeepAlive(dut.armed.nonce), Alive, by="R-44")
    _bites(dut, state, alive.device_time_us)


def _bites(dut: Dut, state: DeviceState, last_us: int) -> None:
    """It must be in `state` until a second after device time `last_us`, and then end."""
    dut.expect(EndReason.WATCHDOG)
    found = dut.wait_for(_ended, WATCHDOG_US + 500_000)
    dut.require("R-44", found is not None, f"in {state.name} nothing ended it 1.5 s after the last keepalive")
    ended = event(dut, DeviceState.ENDED)
    reason = EndReason(ended.reason).name
    dut.require("R-44", ended.reason == EndReason.WATCHDOG, f"in {state.name} without keepalives: {reason}")
    before = DeviceState(dut.events()[-2].state)
    dut.require("R-44", before == state, f"without keepalives it went on from {state.name} to {before.name}")
    off_us = abs(ended.device_time_us - last_us - WATCHDOG_US)
    dut.measure(f"watchdog in {state.name}, away from 1 s", off_us, EXACT_US, "us", by="R-44")
    record = dut.get(ReadSession(), SessionRecord, by="R-28")
    dut.require("R-44", record.end_reason == EndReason.WATCHDOG, f"the record's end reason is {record.end_reason}")
    dut.acknowledge()


def _ended(each: ReceivedFrame) -> bool:
    return tells(each, DeviceState.ENDED)
