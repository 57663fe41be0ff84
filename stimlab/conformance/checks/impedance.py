"""The impedance check: section 15."""

from stimctl.wire import codec as m
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


def _check(dut: Dut, mask: int = 0b1) -> None:
    """One whole impedance check, from TESTED."""
    dut.arm(Purpose.CHECK_IMPEDANCE, channel_mask=mask)
    dut.start()
    dut.reach(DeviceState.TESTED, _WITHIN_US, by="R-24")


def _read(dut: Dut, channel: int) -> m.Impedance:
    return untimed(dut.get(m.ReadImpedance(channel), m.Impedance, by="R-28"))


@check("R-63", title="ten pulses of 100 uA and 200 us on each armed channel, one channel after the other", needs=_NEEDS)
def ten_small_pulses(dut: Dut) -> None:
    assert dut.identity is not None, "identified at the beginning"
    ranges = dut.identity.ranges
    dut.tested(PLAIN.on(0b111))
    _check(dut, 0b101)
    for channel in (1, 3):
        result = _read(dut, channel)
        given = result.pulses, result.amplitude_ua, result.charge_pc
        wanted = PULSES, AMPLITUDE_UA, PULSES * AMPLITUDE_UA * WIDTH_US
        text = f"channel {channel} was checked with {given} pulses, uA and pC, not {wanted}"
        dut.require("R-63", given == wanted, text)
        off_ua = abs(result.measured_ua - AMPLITUDE_UA)
        most_ua = ranges.readback_accuracy_ua + AMPLITUDE_UA * ranges.readback_accuracy_permille // 1_000
        dut.measure(f"channel {channel}, measured away from 100 uA", off_ua, most_ua, "uA", by="R-63")
        dut.measure(f"impedance of channel {channel}", result.ohm, None, "ohm")
    for channel in (2, 4):
        dut.require("R-63", not any(_read(dut, channel)[1:]), f"channel {channel} was checked without being armed")


@check("R-63", title="its pulses are 10 ms apart, and no two channels are checked at once", needs=_NEEDS)
def one_after_the_other(dut: Dut) -> None:
    for mask in (0b1, 0b111):
        dut.tested(PLAIN.on(0b111))
        _check(dut, mask)
        took_us = when(dut, DeviceState.TESTED) - when(dut, DeviceState.CHECKING)
        slots_us = mask.bit_count() * _SLOT_US
        name = f"check of {mask.bit_count()} channels"
        dut.require("R-63", took_us >= slots_us - PERIOD_US, f"{name}: {took_us} us, under {slots_us} us")
        dut.measure(name, took_us, slots_us + EXACT_US, "us", by="R-63")
        dut.stop()
        dut.acknowledge()
    dut.tested(PLAIN.on(0b111))
    dut.arm(Purpose.CHECK_IMPEDANCE)
    dut.start()
    dut.listen(_SLOT_US + _SLOT_US // 2)
    done = [_read(dut, channel).pulses == PULSES for channel in (1, 2, 3)]
    text = f"half way through the second of three channels those are done: {done}, not the first alone"
    dut.require("R-63", done == [True, False, False], text)
    dut.reach(DeviceState.TESTED, _WITHIN_US, by="R-24")


@check("R-64", title="a check is none of the session's counters and none of its time", needs=_NEEDS)
def apart_from_the_session(dut: Dut) -> None:
    dut.tested()
    _check(dut)
    record = dut.get(m.ReadSession(), m.SessionRecord, by="R-28")
    text = f"a check counted {record.stimulation_us} us of stimulation"
    dut.require("R-64", record.stimulation_us == 0, text)
    counters = dut.get(m.ReadCounters(1), m.Counters, by="R-28")
    dut.require("R-64", not any(untimed(counters)[2:]), f"a check was counted in the session: {counters}")
    measured = dut.get(m.ReadMeasured(1), m.Measured, by="R-28")
    text = f"a check was measured into the session: {measured}"
    dut.require("R-64", measured.charge_0_pc == 0 and measured.energy_nj == 0, text)


@check("R-64", title="its results are kept until the next session", needs=_NEEDS)
def results_are_kept(dut: Dut) -> None:
    tracked = TrackedSession(dut, PLAIN)
    dut.start(0)
    dut.listen(100_000)
    tracked.hold()
    dut.stop()
    dut.acknowledge()
    dut.tested()
    _check(dut)
    result = _read(dut, 1)
    dut.arm()
    dut.start()
    dut.listen(300_000)
    dut.require("R-64", _read(dut, 1) == result, f"after stimulation it says {_read(dut, 1)}, before {result}")
    dut.stop()
    dut.require("R-64", _read(dut, 1) == result, f"after the end it says {_read(dut, 1)}, before {result}")
    dut.acknowledge()
    dut.tested()
    dut.arm()
    dut.require("R-64", _read(dut, 1) == m.Impedance(1, 0, 0, 0, 0, 0, 0), "a new session has the old one's results")


@check("R-64", title="an open, shorted or dry pair is a result, and no trip", needs=_NEEDS, fixture=("load",))
def a_wrong_load_is_a_result(dut: Dut) -> None:
    for load, low_ohm, high_ohm in (("open", 5_001, 0xFFFF), ("r10k", 5_001, 15_000), ("short", 1, 49)):
        dut.connect(load)
        dut.settle()
        dut.tested()
        dut.arm(Purpose.CHECK_IMPEDANCE)
        dut.start()
        dut.reach(DeviceState.TESTED, _WITHIN_US, by="R-64")
        result = _read(dut, 1)
        text = f"with {load} connected the check says {result.ohm} ohm after {result.pulses} pulses"
        dut.require("R-64", low_ohm <= result.ohm <= high_ohm and result.pulses == PULSES, text)
        if load == "open":
            most_ua = COLLAPSED_UA + error_ua(dut, 0)
            dut.measure("current measured into nothing", result.measured_ua, most_ua, "uA", by="R-64")
