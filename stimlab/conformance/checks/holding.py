"""Holds, and starts after a hold: section 10."""

from stimctl.wire.codec import Event
from stimctl.wire.codes import Capability, DeviceState, EndReason
from stimlab.conformance.check import check
from stimlab.conformance.dut import Dut
from stimlab.conformance.programs import PLAIN, TWO_BANDS
from stimlab.conformance.timing import EXACT_US, when
from stimlab.conformance.tracked_session import TrackedSession

HOLD_US = 600_000_000


@check("R-40", title="a hold takes all channels to zero, and stimulation time stops")
def a_hold_is_zero(dut: Dut) -> None:
    tracked = TrackedSession(dut, PLAIN.on(0b11))
    tracked.start(dut.amplitude_ua, dut.amplitude_ua)
    dut.reach(DeviceState.RUNNING, 5_000_000, by="R-24")
    holding = tracked.hold()
    dut.require("R-40", holding.state == DeviceState.HELD, f"Holding says state {holding.state}")
    received = dut.listen(1_000_000)
    counted = {channel[6:10] for channel in dut.channels(received) if channel.channel == 1}
    dut.require("R-40", len(counted) == 1, f"channel 1 went on counting in the hold: {sorted(counted)}")
    for status in dut.statuses(received):
        text = f"it was held at {holding.stimulation_us} us of stimulation and then says {status.stimulation_us}"
        dut.require("R-40", status.stimulation_us == holding.stimulation_us, text)
        text = f"held by the host, its Status says {EndReason(status.end_reason).name}, {status.hold_left_ms} ms left"
        kept = status.end_reason == EndReason.HELD_BY_HOST and 598_000 <= status.hold_left_ms <= HOLD_US // 1_000
        dut.require("R-40", kept, text)
    dut.require("R-40", any(channel.applied_ua == 0 for channel in dut.channels(received)), "it applies in a hold")
    tracked.counted(by="R-40")


@check("R-40", title="a hold of ten minutes ends the session, re-armed or not", long=True)
def a_hold_expires(dut: Dut) -> None:
    dut.on_hold()
    held_us = when(dut, DeviceState.HELD)
    dut.listen(HOLD_US - 5_000_000)
    dut.arm(time_to_live_ms=10_000)
    dut.expect(EndReason.HOLD_EXPIRED)
    ended = dut.reach(DeviceState.ENDED, 6_000_000, by="R-40").message
    dut.nonce = None
    if isinstance(ended, Event):
        reason = EndReason(ended.reason).name
        dut.require("R-40", ended.reason == EndReason.HOLD_EXPIRED, f"it ended for {reason}")
        off_us = ended.device_time_us - held_us - HOLD_US
        dut.measure("hold expired, away from ten minutes", abs(off_us), EXACT_US, "us", by="R-40")


@check("R-41", title="after a hold all begins from zero, but stimulation time", needs=Capability.ALTERNATES)
def after_a_hold(dut: Dut) -> None:
    tracked = TrackedSession(dut, TWO_BANDS.on(0b11))
    tracked.start(dut.amplitude_ua, dut.amplitude_ua)
    for target_ua in (dut.amplitude_ua, dut.amplitude_ua - 60):
        # In the second band, and not at its beginning.
        dut.listen(1_777_000)
        holding = tracked.hold()
        dut.listen(300_000)
        tracked.arm()
        started = tracked.start(target_ua, target_ua)
        text = f"held at {holding.stimulation_us} us, stimulation time went on at {started.stimulation_us} us"
        dut.require("R-41", started.stimulation_us == holding.stimulation_us, text)
        status = dut.status()
        dut.require("R-41", status.segment == 0, f"after a hold the pattern began in segment {status.segment}")
    dut.listen(700_000)
    tracked.hold()
    tracked.counted(by="R-41")
