"""The tolerances of a device's own clock, and the time that its events state."""

from stimctl.wire.codec import Event
from stimctl.wire.codes import DeviceState
from stimlab.conformance.dut import Dut, tells
from stimlab.conformance.verdict import Nonconforming

# A firmware that looks at its timers every few milliseconds keeps them [choice].
EXACT_US = 10_000


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
