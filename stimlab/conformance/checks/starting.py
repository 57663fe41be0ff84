"""Start, and targets during a run: section 10."""

from stimctl.wire.codec import Alive, Channel, KeepAlive, Refused, SetTarget, Started, TargetSet
from stimctl.wire.codes import DeviceState, Purpose, Refusal
from stimlab.conformance.check import check
from stimlab.conformance.dut import CEILING_UA, Dut
from stimlab.conformance.programs import PLAIN
from stimlab.conformance.tracked_session import TrackedSession

MOST_RISE_UA = 100
BETWEEN_RAISES_US = 1_000_000
START_US = 10_000


@check("R-38", title="Start needs the newest arm's nonce")
def start_needs_its_nonce(dut: Dut) -> None:
    dut.tested()
    old = dut.arm(time_to_live_ms=100)
    dut.reach(DeviceState.TESTED, 100_000, by="R-37")
    dut.arm()
    order = dut.start_order(dut.amplitude_ua)
    for nonce in (0, old.nonce, order.nonce + 1, order.nonce & 0xFFFF_FFFF, order.nonce ^ 1 << 63):
        dut.refused(order._replace(nonce=nonce), Refusal.WRONG_NONCE, by="R-38")
    dut.require("R-38", dut.state() == DeviceState.ARMED, "a Start that was refused did not leave it ARMED")
    dut.start(dut.amplitude_ua)


@check("R-38", title="Start takes targets up to the ceiling, on armed channels only")
def start_keeps_to_what_was_armed(dut: Dut) -> None:
    dut.tested(PLAIN.on(0b111))
    dut.arm(channel_mask=0b101)
    nothing = dut.start_order(0)
    refused = dut.refused(nothing._replace(target_1_ua=CEILING_UA + 1), Refusal.ABOVE_LIMIT, by="R-38")
    said = refused.detail, refused.limit
    dut.require("R-38", said == (CEILING_UA + 1, CEILING_UA), f"it named {said}, not the target and the ceiling")
    for order in (nothing._replace(target_2_ua=50), nothing._replace(target_4_ua=50)):
        dut.refused(order, Refusal.NOT_IN_PROGRAM, by="R-38")
    started = dut.start(0, 0, dut.amplitude_ua)
    applied, asked = started[:4], (0, 0, dut.amplitude_ua, 0)
    dut.require("R-38", applied == asked, f"it was asked for {asked} uA and applied {applied}")


@check("R-38", title="an impedance check is started with targets of zero")
def checks_have_no_targets(dut: Dut) -> None:
    dut.tested()
    dut.arm(Purpose.CHECK_IMPEDANCE)
    dut.refused(dut.start_order(1), Refusal.ABOVE_LIMIT, by="R-38")
    dut.start()
    dut.reach(DeviceState.TESTED, 500_000, by="R-24")


@check("R-38", title="a run begins at most 10 ms behind its Start")
def starts_soon(dut: Dut) -> None:
    dut.tested()
    dut.arm()
    assert dut.armed is not None
    sent_us = dut.now_us
    alive = dut.get(KeepAlive(dut.armed.nonce), Alive, by="R-43")
    number = dut.send(dut.start_order(dut.amplitude_ua))
    # What the device's clock can have gone since, at most; then its 10 ms.
    most_us = dut.now_us + dut.busy_us - sent_us + START_US + dut.slack_us
    found = dut.answer_to(number, len(dut.received))
    dut.require("R-12", found is not None and isinstance(found.message, Started), "Start was not answered by Started")
    assert found is not None
    later_us = found.message.device_time_us - alive.device_time_us
    text = "its run begins later than 10 ms behind the Start"
    dut.require("R-38", later_us <= most_us, text, expected=f"{most_us} us", seen=f"{later_us} us")


@check("R-38", title="what starts, starts from zero")
def starts_from_zero(dut: Dut) -> None:
    dut.tested()
    dut.arm()
    started = dut.start(dut.amplitude_ua)
    began_us = dut.now_us
    first = dut.wait_for(lambda each: isinstance(each.message, Channel) and each.message.pulses_0 > 0, 250_000)
    dut.require("R-38", first is not None, "a quarter of a second after Start no pulse was told of")
    assert first is not None
    # What the slope gives in so long, and a pulse more.
    most_ua = 380 * (first.at_us - began_us + 2 * dut.slack_us) // 1_000_000 + 4
    applied_ua = first.message.applied_ua
    dut.require("R-38", 0 < applied_ua <= most_ua, f"its first pulses are at {applied_ua} uA, not from zero")
    dut.require("R-38", started.stimulation_us == 0, f"stimulation time began at {started.stimulation_us} us")


@check("R-39", title="SetTarget needs the nonce")
def targets_need_the_nonce(dut: Dut) -> None:
    started = dut.running()
    assert dut.armed is not None
    order = SetTarget(dut.armed.nonce, 1, started.target_1_ua - 20)
    for nonce in (0, order.nonce + 1, order.nonce ^ 1 << 40):
        dut.refused(order._replace(nonce=nonce), Refusal.WRONG_NONCE, by="R-39")
    dut.listen(250_000)
    targets = {channel.target_ua for channel in dut.channels(dut.received[-8:])}
    dut.require("R-39", targets == {started.target_1_ua}, f"after a wrong nonce its targets are {targets}")
    dut.get(order, TargetSet, by="R-39")


@check("R-39", title="a target is lowered at any time, and at once")
def lowering_is_never_refused(dut: Dut) -> None:
    amplitude_ua = dut.amplitude_ua
    tracked = TrackedSession(dut, PLAIN)
    tracked.start(amplitude_ua - 20)
    dut.reach(DeviceState.RUNNING, 5_000_000, by="R-24")
    tracked.target(1, amplitude_ua)
    for target_ua in (amplitude_ua - 1, amplitude_ua - 2, 80, 79, 0):
        tracked.target(1, target_ua)
        dut.listen(30_000)
    dut.listen(200_000)
    applied = {channel.applied_ua for channel in dut.channels(dut.received[-4:])}
    text = f"0.2 s after the target became 0 it tells {applied} uA applied: a pulse of 0 sets that to 0 (R-80)"
    dut.require("R-39", applied == {0}, text)
    tracked.hold()
    tracked.counted(by="R-39")


@check("R-39", title="a raise is at most 100 uA, and never above the ceiling")
def raises_are_small(dut: Dut) -> None:
    begin_ua = dut.amplitude_ua - MOST_RISE_UA
    tracked = TrackedSession(dut, PLAIN)
    tracked.start(begin_ua)
    assert dut.armed is not None
    order = SetTarget(dut.armed.nonce, 1, 0)
    for target_ua in (begin_ua + MOST_RISE_UA + 1, CEILING_UA):
        refused = dut.refused(order._replace(target_ua=target_ua), Refusal.RAISE_TOO_LARGE, by="R-39")
        said = refused.detail, refused.limit
        wanted = target_ua - begin_ua, MOST_RISE_UA
        dut.require("R-39", said == wanted, f"a raise to {target_ua} uA: it named {said}, not {wanted}")
    # Over the ceiling and too large: the ceiling comes first.
    for target_ua in (CEILING_UA + 1, 0xFFFF):
        dut.refused(order._replace(target_ua=target_ua), Refusal.ABOVE_LIMIT, by="R-39")
    tracked.target(1, begin_ua + MOST_RISE_UA)
    dut.listen(300_000)
    tracked.hold()
    tracked.counted(by="R-39")


@check("R-39", title="a channel is raised once a second, by the device's clock")
def raises_are_seldom(dut: Dut) -> None:
    begin_ua = dut.amplitude_ua - 30
    dut.tested(PLAIN.on(0b11))
    dut.arm()
    dut.start(begin_ua, begin_ua)
    assert dut.armed is not None
    order = SetTarget(dut.armed.nonce, 1, begin_ua + 10)
    dut.get(order, TargetSet, by="R-39")
    _too_soon(dut, order._replace(target_ua=begin_ua + 20))
    dut.get(order._replace(channel=2), TargetSet, by="R-39")
    dut.listen(400_000)
    # Neither a lowering nor a refusal is a raise; up again is one.
    dut.get(order._replace(target_ua=begin_ua), TargetSet, by="R-39")
    _too_soon(dut, order)
    dut.listen(500_000 - dut.slack_us)
    _too_soon(dut, order)
    dut.listen(150_000 + dut.slack_us)
    dut.get(order, TargetSet, by="R-39")


def _too_soon(dut: Dut, order: SetTarget) -> Refused:
    refused = dut.refused(order, Refusal.RAISE_TOO_SOON, by="R-39")
    kept = 0 <= refused.detail < BETWEEN_RAISES_US and refused.limit == BETWEEN_RAISES_US
    dut.require("R-39", kept, f"a raise too soon: it named {refused.detail} of {refused.limit} us")
    return refused
