"""The impedance check: section 15."""

from stimctl.wire.codec import (
    Counters,
    Impedance,
    Measured,
    ReadCounters,
    ReadImpedance,
    ReadMeasured,
    ReadSession,
    SessionRecord,
)
from stimctl.wire.codes import Capability, DeviceState, Purpose
from stimlab.conformance.check import check
from stimlab.conformance.dut import Dut
from stimlab.conformance.extremes import COLLAPSED_UA
from stimlab.conformance.link import untimed
from stimlab.conformance.programs import PLAIN
from stimlab.conformance.report_consistency import error_ua
from stimlab.conformance.timing import EXACT_US, when
from stimlab.conformance.tracked_session import TrackedSession

PULSES = 10
AMPLITUDE_UA = 100
WIDTH_US = 200
PERIOD_US = 10_000
_SLOT_US = PULSES * PERIOD_US
_NEEDS = Capability.MEASURES_IMPEDANCE
_WITHIN_US = 3 * _SLOT_US + 200_000


def _check(bench: Dut, mask: int = 0b1) -> None:
    """One whole impedance check, from TESTED."""
    bench.arm(Purpose.CHECK_IMPEDANCE, channel_mask=mask)
    bench.start()
    bench.reach(DeviceState.TESTED, _WITHIN_US, by="R-24")


def _read(bench: Dut, channel: int) -> Impedance:
    return untimed(bench.get(ReadImpedance(channel), Impedance, by="R-28"))


@check("R-63", title="ten pulses of 100 uA and 200 us on each armed channel, one channel after the other", needs=_NEEDS)
def ten_small_pulses(bench: Dut) -> None:
    assert bench.identity is not None, "identified at the beginning"
    ranges = bench.identity.ranges
    bench.tested(PLAIN.on(0b111))
    _check(bench, 0b101)
    for channel in (1, 3):
        result = _read(bench, channel)
        given = result.pulses, result.amplitude_ua, result.charge_pc
        wanted = PULSES, AMPLITUDE_UA, PULSES * AMPLITUDE_UA * WIDTH_US
        text = f"channel {channel} was checked with {given} pulses, uA and pC, not {wanted}"
        bench.require("R-63", given == wanted, text)
        off_ua = abs(result.measured_ua - AMPLITUDE_UA)
        most_ua = ranges.readback_accuracy_ua + AMPLITUDE_UA * ranges.readback_accuracy_permille // 1_000
        bench.measure(f"channel {channel}, measured away from 100 uA", off_ua, most_ua, "uA", by="R-63")
        bench.measure(f"impedance of channel {channel}", result.ohm, None, "ohm")
    for channel in (2, 4):
        bench.require("R-63", not any(_read(bench, channel)[1:]), f"channel {channel} was checked without being armed")


@check("R-63", title="its pulses are 10 ms apart, and no two channels are checked at once", needs=_NEEDS)
def one_after_the_other(bench: Dut) -> None:
    for mask in (0b1, 0b111):
        bench.tested(PLAIN.on(0b111))
        _check(bench, mask)
        took_us = when(bench, DeviceState.TESTED) - when(bench, DeviceState.CHECKING)
        slots_us = mask.bit_count() * _SLOT_US
        name = f"check of {mask.bit_count()} channels"
        bench.require("R-63", took_us >= slots_us - PERIOD_US, f"{name}: {took_us} us, under {slots_us} us")
        bench.measure(name, took_us, slots_us + EXACT_US, "us", by="R-63")
        bench.stop()
        bench.acknowledge()
    bench.tested(PLAIN.on(0b111))
    bench.arm(Purpose.CHECK_IMPEDANCE)
    bench.start()
    bench.listen(_SLOT_US + _SLOT_US // 2)
    done = [_read(bench, channel).pulses == PULSES for channel in (1, 2, 3)]
    text = f"half way through the second of three channels those are done: {done}, not the first alone"
    bench.require("R-63", done == [True, False, False], text)
    bench.reach(DeviceState.TESTED, _WITHIN_US, by="R-24")


@check("R-64", title="a check is none of the session's counters and none of its time", needs=_NEEDS)
def apart_from_the_session(bench: Dut) -> None:
    bench.tested()
    _check(bench)
    record = bench.get(ReadSession(), SessionRecord, by="R-28")
    text = f"a check counted {record.stimulation_us} us of stimulation"
    bench.require("R-64", record.stimulation_us == 0, text)
    counters = bench.get(ReadCounters(1), Counters, by="R-28")
    bench.require("R-64", not any(untimed(counters)[2:]), f"a check was counted in the session: {counters}")
    measured = bench.get(ReadMeasured(1), Measured, by="R-28")
    text = f"a check was measured into the session: {measured}"
    bench.require("R-64", measured.charge_0_pc == 0 and measured.energy_nj == 0, text)


@check("R-64", title="its results are kept until the next session", needs=_NEEDS)
def results_are_kept(bench: Dut) -> None:
    course = TrackedSession(bench, PLAIN)
    bench.start(0)
    bench.listen(100_000)
    course.hold()
    bench.stop()
    bench.acknowledge()
    bench.tested()
    _check(bench)
    result = _read(bench, 1)
    bench.arm()
    bench.start()
    bench.listen(300_000)
    bench.require("R-64", _read(bench, 1) == result, f"after stimulation it says {_read(bench, 1)}, before {result}")
    bench.stop()
    bench.require("R-64", _read(bench, 1) == result, f"after the end it says {_read(bench, 1)}, before {result}")
    bench.acknowledge()
    bench.tested()
    bench.arm()
    bench.require("R-64", _read(bench, 1) == Impedance(1, 0, 0, 0, 0, 0, 0), "a new session has the old one's results")


@check("R-64", title="an open, shorted or dry pair is a result, and no trip", needs=_NEEDS, hands=("load",))
def a_wrong_load_is_a_result(bench: Dut) -> None:
    for load, low_ohm, high_ohm in (("open", 5_001, 0xFFFF), ("r10k", 5_001, 15_000), ("short", 1, 49)):
        bench.connect(load)
        bench.settle()
        bench.tested()
        bench.arm(Purpose.CHECK_IMPEDANCE)
        bench.start()
        bench.reach(DeviceState.TESTED, _WITHIN_US, by="R-64")
        result = _read(bench, 1)
        text = f"with {load} connected the check says {result.ohm} ohm after {result.pulses} pulses"
        bench.require("R-64", low_ohm <= result.ohm <= high_ohm and result.pulses == PULSES, text)
        if load == "open":
            most_ua = COLLAPSED_UA + error_ua(bench, 0)
            bench.measure("current measured into nothing", result.measured_ua, most_ua, "uA", by="R-64")
