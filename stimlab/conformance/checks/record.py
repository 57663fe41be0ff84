"""The session record and the counters: what is in them, what outlives a reset, when they are forgotten: section 17."""

from dataclasses import replace
from typing import Any

from stimctl.wire import codec as m
from stimctl.wire.codes import Capability, DeviceState, EndReason, Refusal
from stimlab.conformance.check import check
from stimlab.conformance.dut import LIMIT_US, Dut
from stimlab.conformance.link import untimed
from stimlab.conformance.programs import PLAIN, TWO_BANDS, WireProgram
from stimlab.conformance.reference_model import CHANNELS
from stimlab.conformance.tracked_session import TrackedSession

WRITTEN_AHEAD_US = 100  # a pulse may be written down so long before it is given: R-69
_U32 = 1 << 32
_WIDE = replace(PLAIN, segments=(m.LoadSegment(0, 10_000, 600, 0, 600, 0),))


def _records(dut: Dut) -> tuple[Any, ...]:
    """All that the device keeps of a session; the times at which it was asked are left out."""
    asked: tuple[Any, ...] = (
        dut.get(m.ReadSession(), m.SessionRecord, by="R-28"),
        *(dut.get(m.ReadCounters(channel), m.Counters, by="R-28") for channel in CHANNELS),
        *(dut.get(m.ReadMeasured(channel), m.Measured, by="R-28") for channel in CHANNELS),
    )
    return tuple(untimed(each) for each in asked)


@check("R-68", title="pulses and charge are counted exactly, by channel and segment", needs=Capability.ALTERNATES)
def counted_by_channel_and_segment(dut: Dut) -> None:
    tracked = TrackedSession(dut, TWO_BANDS.on(0b111))
    tracked.start(dut.amplitude_ua, dut.amplitude_ua - 50, dut.amplitude_ua - 99)
    dut.listen(2_345_678)
    tracked.hold()
    tracked.counted(by="R-68")


@check("R-68", title="what is measured agrees with what is counted", needs=Capability.MEASURES_CURRENT)
def measured_agrees(dut: Dut) -> None:
    assert dut.identity is not None, "identified at the beginning"
    ranges = dut.identity.ranges
    tracked = TrackedSession(dut, TWO_BANDS.on(0b11))
    tracked.start(dut.amplitude_ua, dut.amplitude_ua - 30)
    dut.listen(3_000_000)
    tracked.hold()
    tallies = tracked.counted(by="R-68")
    for channel in (1, 2):
        measured = dut.get(m.ReadMeasured(channel), m.Measured, by="R-28")
        for segment in (0, 1):
            charge_pc = tallies[channel][2 + segment]
            width_us = tracked.reported.program.segments[segment].width_us
            most_pc = (
                tallies[channel][segment] * ranges.readback_accuracy_ua * width_us
                + charge_pc * ranges.readback_accuracy_permille // 1_000
            )
            off_pc = abs(measured[2 + segment] - charge_pc)
            name = f"charge of channel {channel} in segment {segment}, measured away from commanded"
            dut.measure(name, off_pc, most_pc, "pC", by="R-68")
        highest_ua = (dut.amplitude_ua, dut.amplitude_ua - 30)[channel - 1]
        most_ua = ranges.readback_accuracy_ua + highest_ua * ranges.readback_accuracy_permille // 1_000
        off_ua = abs(measured.max_amplitude_ua - highest_ua)
        dut.measure(f"highest current of channel {channel}, away from commanded", off_ua, most_ua, "uA", by="R-68")
        text = f"into a dummy load channel {channel} counted {measured.compliance_hits} compliance hits"
        dut.require("R-68", measured.compliance_hits == 0, text)
        dut.require("R-68", measured.energy_nj > 0, f"channel {channel} drove a load and measured no energy")


@check("R-68", title="a session's charge passes 32 bits", long=True)
def charge_passes_32_bits(dut: Dut) -> None:
    tracked = TrackedSession(dut, _WIDE, limit_us=1_800_000_000)
    tracked.start(dut.amplitude_ua)
    a_second_pc = dut.amplitude_ua * 600 * 100
    dut.listen((_U32 // a_second_pc + 5) * 1_000_000)
    tracked.hold()
    tally = tracked.counted(by="R-68")[1]
    text = f"in the time for more than 2^32 pC by the port's clock it gave {tally.charge_0_pc} pC"
    dut.require("R-84", tally.charge_0_pc > _U32, text, expected=f"over {_U32} pC", seen=f"{tally.charge_0_pc} pC")
    measured_pc = dut.get(m.ReadMeasured(1), m.Measured, by="R-28").charge_0_pc
    text = f"{tally.charge_0_pc} pC were commanded and {measured_pc} pC measured: not 64 bits"
    dut.require("R-68", measured_pc > tally.charge_0_pc // 10 * 9, text)


@check("R-69", title="counters and record last after the end, until they are acknowledged")
def the_record_lasts(dut: Dut) -> None:
    tracked = TrackedSession(dut, TWO_BANDS)
    tracked.start(dut.amplitude_ua)
    dut.listen(1_234_000)
    dut.stop()
    records = _records(dut)
    dut.listen(500_000)
    dut.require("R-69", _records(dut) == records, "its records changed after the end")
    welcome = dut.hello()
    record = tracked.record()
    text = f"session {record.session} waits, and Welcome says {welcome.session}"
    dut.require("R-69", welcome.session == record.session != 0, text)
    dut.require("R-69", _records(dut) == records, "its records changed with a handshake")
    tracked.counted(by="R-69")


@check("R-69", title="counters and record survive a reset, after the end and in the midst of it", fixture=("power",))
def the_record_survives_a_reset(dut: Dut) -> None:
    tracked = TrackedSession(dut, PLAIN)
    tracked.start(dut.amplitude_ua)
    dut.listen(700_000)
    dut.stop()
    records = _records(dut)
    dut.power_cycle()
    dut.hello()
    dut.require("R-69", _records(dut) == records, f"before the reset: {records}; after it: {_records(dut)}")
    dut.acknowledge()
    tracked = TrackedSession(dut, PLAIN)
    tracked.start(dut.amplitude_ua)
    received = dut.listen(1_234_000)
    told_us = max(status.stimulation_us for status in dut.statuses(received))
    session = dut.armed.session if dut.armed is not None else 0
    dut.expect(EndReason.RESET)
    dut.power_cycle()
    welcome = dut.hello()
    record = tracked.record()
    found = welcome.session, record.session, EndReason(record.end_reason).name
    text = f"reset in session {session}: Welcome, record and end reason are {found}"
    dut.require("R-69", found == (session, session, "RESET"), text)
    text = f"before the reset it told of {told_us} us of stimulation, now of {record.stimulation_us} us"
    dut.require("R-69", record.stimulation_us >= told_us, text)
    tracked.counted(by="R-69")


@check("R-69", title="a reset counts no pulse that was still to come", fixture=("power",))
def a_reset_counts_nothing_ahead(dut: Dut) -> None:
    tracked = TrackedSession(dut, PLAIN)
    began_us = tracked.start(dut.amplitude_ua).device_time_us
    dut.listen(1_234_000)
    dut.listen(-(dut.now_us - tracked.began_us) % 10_000 + 1_000)  # behind a pulse, in virtual time
    sent_us, nonce = dut.now_us, dut.nonce
    assert nonce is not None
    alive = dut.get(m.KeepAlive(nonce), m.Alive, by="R-43")
    dut.expect(EndReason.RESET)
    dut.power_cycle()
    most_us = alive.device_time_us - began_us + (dut.now_us - sent_us) + WRITTEN_AHEAD_US
    dut.hello()
    last_us = (tracked.record().stimulation_us - 1) // 10_000 * 10_000
    text = f"the power was lost within {most_us} us of the start, and a pulse is counted that was due at {last_us} us"
    dut.require("R-69", last_us <= most_us, text)
    tracked.counted(by="R-69")


@check("R-70", title="while a session waits, nothing is loaded or armed over it")
def nothing_over_a_session_that_waits(dut: Dut) -> None:
    dut.ended()
    number = dut.get(m.ReadSession(), m.SessionRecord, by="R-28").session
    for order in (PLAIN.header, PLAIN.segments[0], m.SelfTest(), dut.arm_order()):
        refused = dut.refused(order, Refusal.UNREAD_COUNTERS, by="R-70")
        text = f"{type(order).__name__}: session {number} waits, and it names {refused.detail}"
        dut.require("R-70", refused.detail == number, text)


@check("R-70", title="Acknowledge needs the number of the session that waits")
def acknowledge_needs_its_number(dut: Dut) -> None:
    dut.ended()
    number = dut.get(m.ReadSession(), m.SessionRecord, by="R-28").session
    for wrong in (0, number - 1, number + 1, number ^ 1 << 31):
        refused = dut.refused(m.Acknowledge(wrong), Refusal.WRONG_SESSION, by="R-70")
        text = f"Acknowledge({wrong}) while {number} waits: it names {refused.detail} and {refused.limit}"
        dut.require("R-70", (refused.detail, refused.limit) == (wrong, number), text)
    dut.require("R-70", dut.state() == DeviceState.ENDED, "a wrong Acknowledge led out of ENDED")
    after = dut.get(m.ReadSession(), m.SessionRecord, by="R-28").session
    dut.require("R-70", after == number, f"a wrong Acknowledge made session {number} to {after}")
    done = dut.get(m.Acknowledge(number), m.Acknowledged, by="R-70")
    dut.require("R-70", done[:2] == (number, DeviceState.IDLE), f"Acknowledge({number}) was answered with {done}")


@check("R-71", title="Acknowledge forgets counters and program; numbers go on")
def acknowledge_forgets(dut: Dut) -> None:
    armed = _one_session(dut)
    number, nonce = armed.session, armed.nonce
    record, *channels = _records(dut)
    kept = any(record) or any(any(each[1:]) for each in channels)
    dut.require("R-71", not kept, f"after Acknowledge it still keeps {record} and {channels}")
    dut.refused(m.ReadDigest(), Refusal.WRONG_STATE, by="R-71")
    dut.refused(dut.arm_order(), Refusal.WRONG_STATE, by="R-71")
    later = _one_session(dut)
    text = f"session {number} with nonce {nonce:#x} was followed by {later.session} with {later.nonce:#x}"
    dut.require("R-71", later.session == number + 1 and _arm_count(later) > _arm_count(armed), text)


@check("R-71", title="numbers of sessions, boots and arms go on over a reset", fixture=("power",))
def numbers_go_on_over_a_reset(dut: Dut) -> None:
    armed = _one_session(dut)
    boot = dut.hello().boot_id
    dut.power_cycle()
    after = dut.hello().boot_id
    later = _one_session(dut)
    text = f"boot {boot}, session {armed.session}, nonce {armed.nonce:#x} were followed by {after}, {later}"
    dut.require("R-71", after > boot and later.session > armed.session and _arm_count(later) > _arm_count(armed), text)


def _arm_count(armed: m.Armed) -> int:
    """The half of the nonce that counts arms over all boots."""
    return armed.nonce % _U32


def _one_session(dut: Dut, program: WireProgram = PLAIN) -> m.Armed:
    """A short session, acknowledged."""
    dut.running(program, stimulation_limit_us=LIMIT_US)
    dut.stop()
    dut.acknowledge()
    assert dut.armed is not None
    return dut.armed
