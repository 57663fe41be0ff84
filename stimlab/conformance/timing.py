"""The tolerances of a device's own clock, and the time that its events state."""

from stimctl.wire.codec import Event
from stimctl.wire.codes import DeviceState
from stimlab.conformance.dut import Dut, tells
from stimlab.conformance.link import BYTE_US
from stimlab.conformance.reference_model import span_us
from stimlab.conformance.verdict import Nonconforming

# A firmware that looks at its timers every few milliseconds keeps them [choice].
EXACT_US = 10_000
# R-47, from a Stop's last byte or the pulse in flight: a host's Stop, and one with other bytes.
OFF_US, OTHER_OFF_US = 1_000, 3_000


def off_limit_us(dut: Dut, stop: bytes, own_us: int) -> int:
    """How long after the command right before it `stop` may end the output.

    The device tells the times of both. To its own time of R-47 are added, as in section 21, the Stop's bytes on a line
    of 115 200 baud, the longest pulse that what is loaded can have in flight, and what a line in real time may add.
    """
    return len(stop) * BYTE_US + max(map(span_us, dut.loaded.segments)) + own_us + dut.slack_us


def when(dut: Dut, state: DeviceState) -> int:
    """The device time of the newest Event that tells of `state`, by now. Raises `Nonconforming` of R-66."""
    return event(dut, state).device_time_us


def event(dut: Dut, state: DeviceState, since: int | None = None) -> Event:
    """The newest Event since the newest arm that tells of `state`; `since`: only of what was heard from that place on.

    Answers go ahead of it on a line. Raises `Nonconforming` of R-66 without one.
    """
    if not _reported(dut, state, since):
        dut.wait_for(lambda each: tells(each, state), 50_000)
    reported = _reported(dut, state, since)
    if not reported:
        raise Nonconforming("R-66", f"no Event told of {state.name}")
    return reported[-1]


def _reported(dut: Dut, state: DeviceState, since: int | None) -> list[Event]:
    # An Event from before the arm may be heard behind it, and tells of another time in that state.
    reported = dut.events(None if since is None else dut.received[since:])
    return [each for each in reported if each.state == state and each.device_time_us >= dut.armed_us]
