"""What answers and telemetry say of the device's time, and what is read of an output that is off: sections 23 to 27."""

from typing import Any

from stimctl.wire.codec import (
    Acknowledge,
    Channel,
    Counters,
    Firmware,
    Hold,
    Impedance,
    KeepAlive,
    Maker,
    Measured,
    Ranges,
    ReadCounters,
    ReadDigest,
    ReadImpedance,
    ReadMeasured,
    ReadSession,
    Refused,
    SelfTest,
    SessionRecord,
    SetTarget,
    Status,
    Welcome,
)
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
_UNTIMED = (Refused, Welcome, Maker, Firmware, Ranges)
_LISTENED_US = 120_000_000


@check("R-77", title="every answer of a session says when it was made, and its time never goes back")
def answers_say_when(bench: Dut) -> None:
    bench.status()
    bench.forget()
    bench.held()
    for order, kind in (
        (ReadSession(), SessionRecord), (ReadCounters(1), Counters), (ReadMeasured(1), Measured),
        (ReadImpedance(1), Impedance),
    ):  # fmt: skip
        bench.get(order, kind, by="R-28")
    bench.status()
    timed = [each for each in bench.heard if isinstance(each.message, Status) or _says_when(each)]
    # The frame that was fastest on its way says how far apart the two clocks are.
    apart_us = min(each.at_us - each.message.device_time_us for each in timed)
    for each in filter(_says_when, timed):
        late_us = each.at_us - each.message.device_time_us - apart_us
        text = f"{shown(each.message)} came {late_us} us after the time that it tells, by the fastest frame heard"
        bench.require("R-77", late_us <= TESTING_US + bench.slack_us, text)
    times_us = [each.message.device_time_us for each in timed if _says_when(each)]
    bench.require("R-77", times_us == sorted(times_us), f"the times of its answers went back: {times_us}")


def _says_when(each: ReceivedFrame) -> bool:
    return each.is_answer and each.message is not None and not isinstance(each.message, _UNTIMED)


@check("R-79", title="a Status and the Channels behind it carry one time, and come together")
def one_picture(bench: Dut) -> None:
    bench.running(PLAIN.on(0b111))
    bench.status()
    heard = bench.listen(1_000_000)
    status: ReceivedFrame | None = None
    channels = 0
    for each in heard:
        if isinstance(each.message, Status):
            status = each
        elif isinstance(each.message, Channel) and status is not None:
            channels += 1
            off_us = each.message.device_time_us - status.message.device_time_us
            bench.require("R-79", off_us == 0, f"a Channel is of another time than its Status, {off_us} us away")
            late_us = each.at_us - status.at_us
            bench.measure("Channel after its Status", late_us, PICTURE_US + bench.slack_us, "us", by="R-79")
    bench.require("R-79", channels >= 24, f"in a second only {channels} Channels came behind a Status")


@check("R-80", title="without output nothing is told as applied, and measured is what flows now")
def readings_of_now(bench: Dut) -> None:
    bench.tested()
    bench.arm(time_to_live_ms=10_000)
    _at_rest(bench, "ARMED")
    bench.start()
    bench.reach(DeviceState.RUNNING, 5_000_000, by="R-24")
    bench.hold()
    bench.listen(150_000)
    _at_rest(bench, "HELD")
    bench.stop()
    _at_rest(bench, "ENDED")


def _at_rest(bench: Dut, where: str) -> None:
    bench.status()
    rows = bench.channels(bench.listen(250_000))
    bench.require("R-80", bool(rows), f"in {where} no Channel came")
    for row in rows:
        told = f"in {where} channel {row.channel} tells of {row.applied_ua} uA applied, {row.measured_ua} uA measured"
        bench.require("R-80", row.applied_ua == 0 and row.measured_ua < ZERO_UA, told)


@check("R-82", title="answers come in time")
def answers_in_time(bench: Dut) -> None:
    _in_time(bench, PLAIN.header, WRITING_US)
    for segment in PLAIN.segments:
        _in_time(bench, segment, ANSWER_US)
    _in_time(bench, ReadDigest(), WRITING_US)
    _in_time(bench, SelfTest(), TESTING_US)
    bench.loaded = PLAIN
    bench.armed = _in_time(bench, bench.arm_order(), WRITING_US)
    assert bench.armed is not None
    nonce = bench.armed.nonce
    _in_time(bench, bench.start_order(50), ANSWER_US)
    for order in (KeepAlive(nonce), SetTarget(nonce, 1, 40), ReadCounters(1), Hold()):
        _in_time(bench, order, ANSWER_US)
    bench.stop()
    _in_time(bench, ReadSession(), ANSWER_US)
    _in_time(bench, Acknowledge(bench.armed.session), WRITING_US)


def _in_time(bench: Dut, order: Any, limit_us: int) -> Any:
    answer = bench.ask(order, within_ms=2 * limit_us // 1_000 + 100, by="R-82")
    name = f"{type(order).__name__}, answered after"
    bench.measure(name, answer.took_us, limit_us + bench.slack_us, "us", by="R-82")
    return answer.message


@check("R-84", title="its clock keeps time within 0.05 %", long=True)
def its_clock_keeps_time(bench: Dut) -> None:
    begun = bench.wait_for(_is_status, 300_000)
    bench.listen(_LISTENED_US)
    ended = bench.wait_for(_is_status, 300_000)
    bench.require("R-84", begun is not None and ended is not None, "no Status came")
    assert begun is not None
    assert ended is not None
    port_us = ended.at_us - begun.at_us
    off_us = abs(ended.message.device_time_us - begun.message.device_time_us - port_us)
    limit_us = port_us * DRIFT_PPM // 1_000_000 + 2 * bench.slack_us
    bench.measure("clock, away from the host's over two minutes", off_us, limit_us, "us", by="R-84")


def _is_status(each: ReceivedFrame) -> bool:
    return isinstance(each.message, Status)


@check("R-86", title="a load is told at pulses of 100 uA and more, and not below", needs=Capability.MEASURES_CURRENT)
def loads_are_judged_from_100_ua_on(bench: Dut) -> None:
    bench.tested()
    bench.arm()
    bench.start(JUDGED_UA - 40)
    bench.reach(DeviceState.RUNNING, 5_000_000, by="R-24")
    bench.status()
    for row in bench.channels(bench.listen(250_000)):
        text = f"at {row.applied_ua} uA channel {row.channel} tells of {row.ohm} ohm"
        bench.require("R-86", row.ohm == 0, f"{text}, where nothing can be told")
    bench.get(SetTarget(bench.start_order().nonce, 1, JUDGED_UA), object, by="R-39")
    bench.listen(1_000_000)
    bench.status()
    for row in bench.channels(bench.listen(250_000)):
        text = f"at {row.applied_ua} uA channel {row.channel} tells of {row.ohm} ohm"
        bench.require("R-86", row.applied_ua == JUDGED_UA and row.ohm > 0, text)
