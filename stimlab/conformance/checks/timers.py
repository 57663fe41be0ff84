"""The timers that end a session: section 10."""

from stimctl.wire.codec import ReadSession, SessionRecord
from stimctl.wire.codes import Capability, DeviceState, EndReason
from stimlab.conformance.check import check
from stimlab.conformance.dut import Dut, tells
from stimlab.conformance.link import ReceivedFrame
from stimlab.conformance.programs import PLAIN
from stimlab.conformance.timing import EXACT_US, event, when
from stimlab.conformance.tracked_session import TrackedSession

SESSION_US = 2_700_000_000


@check("R-42", title="stimulation ends at its limit, holds not counted", needs=Capability.SESSION_TIMER)
def stimulation_has_its_time(dut: Dut) -> None:
    tracked = TrackedSession(dut, PLAIN, limit_us=2_345_000)
    tracked.start(dut.amplitude_ua)
    dut.listen(700_000)
    tracked.hold()
    dut.listen(1_000_000)
    tracked.arm()
    started = tracked.start(dut.amplitude_ua)
    tracked.to_the_end()
    ended = event(dut, DeviceState.ENDED)
    dut.require("R-42", ended.reason == EndReason.TIMER, f"it ended for {EndReason(ended.reason).name}")
    off_us = ended.device_time_us - started.device_time_us - (tracked.limit_us - started.stimulation_us)
    dut.measure("end by the timer, away from its time", abs(off_us), EXACT_US, "us", by="R-42")
    record = tracked.record()
    text = f"the record says {record.stimulation_us} us of stimulation, {EndReason(record.end_reason).name}"
    kept = record.stimulation_us == tracked.limit_us and record.end_reason == EndReason.TIMER
    dut.require("R-42", kept, text)


@check("R-42", title="45 minutes after its first Arm a session ends", needs=Capability.SESSION_TIMER, long=True)
def a_session_expires(dut: Dut) -> None:
    dut.tested()
    dut.arm(time_to_live_ms=100)
    armed_us = when(dut, DeviceState.ARMED)
    dut.reach(DeviceState.TESTED, 100_000, by="R-37")
    # In TESTED no watchdog runs, and nothing has to be said for all the time.
    dut.nonce = None
    dut.listen(SESSION_US // 2)
    dut.arm(time_to_live_ms=100)
    dut.nonce = None
    dut.expect(EndReason.SESSION_EXPIRED)
    left_us = SESSION_US // 2 + 1_000_000
    found = dut.wait_for(_ended, left_us)
    dut.require("R-42", found is not None, f"45 min after the first Arm it had not ended {1_000_000} us later")
    assert found is not None
    reason = EndReason(found.message.reason).name
    dut.require("R-42", found.message.reason == EndReason.SESSION_EXPIRED, f"it ended for {reason}")
    off_us = found.message.device_time_us - armed_us - SESSION_US
    dut.measure("session expired, away from 45 min", abs(off_us), EXACT_US, "us", by="R-42")
    record = dut.get(ReadSession(), SessionRecord, by="R-28")
    dut.require("R-42", record.end_reason == EndReason.SESSION_EXPIRED, f"the record says {record.end_reason}")


def _ended(each: ReceivedFrame) -> bool:
    return tells(each, DeviceState.ENDED)
