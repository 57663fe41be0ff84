"""Device time in answers and telemetry, and the readings of an output that is off: sections 23 to 27."""

from typing import Any

from stimctl.wire import codec as m
from stimctl.wire.codes import Capability, DeviceState
from stimlab.conformance.check import check
from stimlab.conformance.dut import Dut
from stimlab.conformance.link import ReceivedFrame, shown
from stimlab.conformance.programs import PLAIN

ANSWER_US = 25_000
WRITING_US = 100_000
TESTING_US = 300_000
PICTURE_US = 50_000
ZERO_UA = 20
JUDGED_UA = 100
DRIFT_PPM = 500
_UNTIMED = (m.Refused, m.Welcome, m.Maker, m.Firmware, m.Ranges)
_LISTENED_US = 120_000_000


@check("R-77", title="every answer of a session says when it was made, and its time never goes back")
def answers_say_when(dut: Dut) -> None:
    dut.status()
    dut.forget()
    dut.on_hold()
    for order, kind in (
        (m.ReadSession(), m.SessionRecord), (m.ReadCounters(1), m.Counters), (m.ReadMeasured(1), m.Measured),
        (m.ReadImpedance(1), m.Impedance),
    ):  # fmt: skip
        dut.get(order, kind, by="R-28")
    dut.status()
    timed = [each for each in dut.received if isinstance(each.message, m.Status) or _says_when(each)]
    # The frame that was fastest on its way says how far apart the two clocks are.
    apart_us = min(each.at_us - each.message.device_time_us for each in timed)
    for each in filter(_says_when, timed):
        late_us = each.at_us - each.message.device_time_us - apart_us
        text = f"{shown(each.message)} came {late_us} us after the time that it tells, by the fastest frame heard"
        dut.require("R-77", late_us <= TESTING_US + dut.slack_us, text)
    times_us = [each.message.device_time_us for each in timed if _says_when(each)]
    dut.require("R-77", times_us == sorted(times_us), f"the times of its answers went back: {times_us}")


def _says_when(each: ReceivedFrame) -> bool:
    return each.is_answer and each.message is not None and not isinstance(each.message, _UNTIMED)


@check("R-79", title="a Status and the Channels behind it carry one time, and come together")
def one_picture(dut: Dut) -> None:
    dut.running(PLAIN.on(0b111))
    dut.status()
    received = dut.listen(1_000_000)
    status: ReceivedFrame | None = None
    channels = 0
    for each in received:
        if isinstance(each.message, m.Status):
            status = each
        elif isinstance(each.message, m.Channel) and status is not None:
            channels += 1
            off_us = each.message.device_time_us - status.message.device_time_us
            dut.require("R-79", off_us == 0, f"a Channel is of another time than its Status, {off_us} us away")
            late_us = each.at_us - status.at_us
            dut.measure("Channel after its Status", late_us, PICTURE_US + dut.slack_us, "us", by="R-79")
    dut.require("R-79", channels >= 24, f"in a second only {channels} Channels came behind a Status")


@check("R-80", title="without output nothing is told as applied, and measured is what flows now")
def readings_of_now(dut: Dut) -> None:
    dut.tested()
    dut.arm(time_to_live_ms=10_000)
    _at_rest(dut, "ARMED")
    dut.start()
    dut.reach(DeviceState.RUNNING, 5_000_000, by="R-24")
    dut.hold()
    dut.listen(150_000)
    _at_rest(dut, "HELD")
    dut.stop()
    _at_rest(dut, "ENDED")


def _at_rest(dut: Dut, where: str) -> None:
    dut.status()
    rows = dut.channels(dut.listen(250_000))
    dut.require("R-80", bool(rows), f"in {where} no Channel came")
    for row in rows:
        reported = (
            f"in {where} channel {row.channel} tells of {row.applied_ua} uA applied, {row.measured_ua} uA measured"
        )
        dut.require("R-80", row.applied_ua == 0 and row.measured_ua < ZERO_UA, reported)


@check("R-82", title="answers come in time")
def answers_in_time(dut: Dut) -> None:
    _in_time(dut, PLAIN.header, WRITING_US)
    for segment in PLAIN.segments:
        _in_time(dut, segment, ANSWER_US)
    _in_time(dut, m.ReadDigest(), WRITING_US)
    _in_time(dut, m.SelfTest(), TESTING_US)
    dut.loaded = PLAIN
    dut.armed = _in_time(dut, dut.arm_order(), WRITING_US)
    assert dut.armed is not None
    nonce = dut.armed.nonce
    _in_time(dut, dut.start_order(50), ANSWER_US)
    for order in (m.KeepAlive(nonce), m.SetTarget(nonce, 1, 40), m.ReadCounters(1), m.Hold()):
        _in_time(dut, order, ANSWER_US)
    dut.stop()
    _in_time(dut, m.ReadSession(), ANSWER_US)
    _in_time(dut, m.Acknowledge(dut.armed.session), WRITING_US)


def _in_time(dut: Dut, order: Any, limit_us: int) -> Any:
    answer = dut.ask(order, within_ms=2 * limit_us // 1_000 + 100, by="R-82")
    name = f"{type(order).__name__}, answered after"
    dut.measure(name, answer.took_us, limit_us + dut.slack_us, "us", by="R-82")
    return answer.message


@check("R-84", title="its clock keeps time within 0.05 %", long=True)
def its_clock_keeps_time(dut: Dut) -> None:
    begun = dut.wait_for(_is_status, 300_000)
    dut.listen(_LISTENED_US)
    ended = dut.wait_for(_is_status, 300_000)
    dut.require("R-84", begun is not None and ended is not None, "no Status came")
    assert begun is not None
    assert ended is not None
    port_us = ended.at_us - begun.at_us
    off_us = abs(ended.message.device_time_us - begun.message.device_time_us - port_us)
    limit_us = port_us * DRIFT_PPM // 1_000_000 + 2 * dut.slack_us
    dut.measure("clock, away from the host's over two minutes", off_us, limit_us, "us", by="R-84")


def _is_status(each: ReceivedFrame) -> bool:
    return isinstance(each.message, m.Status)


@check("R-86", title="a load is told at pulses of 100 uA and more, and not below", needs=Capability.MEASURES_CURRENT)
def loads_are_judged_from_100_ua_on(dut: Dut) -> None:
    dut.tested()
    dut.arm()
    dut.start(JUDGED_UA - 40)
    dut.reach(DeviceState.RUNNING, 5_000_000, by="R-24")
    dut.status()
    for row in dut.channels(dut.listen(250_000)):
        text = f"at {row.applied_ua} uA channel {row.channel} tells of {row.ohm} ohm"
        dut.require("R-86", row.ohm == 0, f"{text}, where nothing can be told")
    dut.get(m.SetTarget(dut.start_order().nonce, 1, JUDGED_UA), object, by="R-39")
    dut.listen(1_000_000)
    dut.status()
    for row in dut.channels(dut.listen(250_000)):
        text = f"at {row.applied_ua} uA channel {row.channel} tells of {row.ohm} ohm"
        dut.require("R-86", row.applied_ua == JUDGED_UA and row.ohm > 0, text)
