"""How exactly a device's own clock has to be kept to, and when it says that something happened."""

from stimctl.bench.conformance.bench import Bench
from stimctl.bench.conformance.check import Nonconforming
from stimctl.wire.codes import DeviceState
from stimctl.wire.messages import Event

# A firmware that looks at its timers every few milliseconds keeps them [choice].
EXACT_US = 10_000


def when(bench: Bench, state: DeviceState) -> int:
    """The device time of the newest Event that tells of `state`, by now. Raises `Nonconforming` of R-66."""
    return event(bench, state).device_time_us


def event(bench: Bench, state: DeviceState, since: int | None = None) -> Event:
    """The newest Event that tells of `state`, by now; `since`: only among what was heard from that place on.

    Answers go ahead of it on a line. Raises `Nonconforming` of R-66 without one.
    """
    if not _told(bench, state, since):
        bench.wait_for(lambda each: isinstance(each.message, Event) and each.message.state == state, 50_000)
    told = _told(bench, state, since)
    if not told:
        raise Nonconforming("R-66", f"no Event told of {state.name}")
    return told[-1]


def _told(bench: Bench, state: DeviceState, since: int | None) -> list[Event]:
    return [each for each in bench.events(None if since is None else bench.heard[since:]) if each.state == state]
