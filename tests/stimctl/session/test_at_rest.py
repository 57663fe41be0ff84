"""A device at rest, its outputs off: what it tells is judged, and that it tells nothing ends the session as well."""

from collections.abc import Callable
from typing import Any

import pytest

from stimctl import limits
from stimctl.port import Port
from stimctl.session.commands import AskHold, AskStop
from stimctl.session.engine import UNATTENDED
from stimctl.session.states import End, State
from stimctl.wire import codec as m
from tests.stimctl.session.world import Rewritten, Rig, S, at_1_ma, high

# Each is the state, and what leads there and stays there.
GATES: dict[State, Any] = {
    State.TESTED: (UNATTENDED - {State.TESTED}, ()),
    State.CHECKED: (UNATTENDED - {State.CHECKED}, ()),
    State.HELD: (UNATTENDED, ((8 * S, AskHold()),)),
}


class AtRest(Rewritten):
    """In one state of the session all messages of a kind are changed by `change`, which is given how many there were
    before and the newest one before that state; None loses one."""

    rig: Rig

    def __init__(self, port: Port, state: State, kind: type[Any], change: Callable[[Any, int, Any], Any]) -> None:
        super().__init__(port, self._changed)
        self._state, self._kind, self._alter = state, kind, change
        self._seen, self._before = 0, None

    def _changed(self, message: Any) -> Any:
        if type(message) is not self._kind:
            return message
        if self.rig.engine.state is not self._state:
            self._before = message
            return message
        self._seen += 1
        return self._alter(message, self._seen, self._before)


def rest(state: State, kind: type[Any], change: Callable[[Any, int, Any], Any]) -> Rig:
    auto, way = GATES[state]
    rig = Rig(at_1_ma(), line=lambda port: AtRest(port, state, kind, change), auto=auto)
    rig.line.rig = rig  # type: ignore[attr-defined]
    rig.run(*way, (60 * S, AskStop()))
    return rig


def lost(_message: Any, _seen: int, _before: Any) -> Any:
    return None


def frozen(message: Any, _seen: int, before: Any) -> Any:
    """Its time stands still."""
    return message._replace(device_time_us=0 if before is None else before.device_time_us)


@pytest.mark.parametrize("change", [lost, frozen])
@pytest.mark.parametrize(
    ("state", "kind"),
    [
        (State.TESTED, m.Status),
        (State.CHECKED, m.Status),
        (State.HELD, m.Status),
        (State.CHECKED, m.Channel),
        (State.HELD, m.Channel),
    ],
)
def test_what_is_not_told_at_rest_ends_the_session(
    state: State, kind: type[Any], change: Callable[[Any, int, Any], Any]
) -> None:
    rig = rest(state, kind, change)
    report = rig.engine.report
    assert report is not None
    assert report.end is End.LINE_LOST, report.end_text
    began_us = next(each.at_us for each in rig.events if getattr(each, "state", None) is state)
    assert rig.stopped_us() - began_us <= limits.SILENCE_US + 100_000


@pytest.mark.parametrize("state", [State.CHECKED, State.HELD])
@pytest.mark.parametrize("every", [1, 2, 50])
def test_a_current_that_is_read_twice_at_rest_ends_the_session(state: State, every: int) -> None:
    def loud(reading: Any, seen: int, _before: Any) -> Any:
        return reading._replace(measured_ua=0 if seen % every else limits.ZERO_UA + 1)

    rig = rest(state, m.Channel, loud)
    assert high(rig) == [f"channel 1 carries {limits.ZERO_UA + 1} uA although its output is off"]


@pytest.mark.parametrize("state", [State.TESTED, State.CHECKED, State.HELD])
def test_a_device_that_tells_all_may_rest(state: State) -> None:
    def once(reading: Any, seen: int, _before: Any) -> Any:
        return reading._replace(measured_ua=limits.ZERO_UA + 1) if seen == 1 else reading

    rig = rest(state, m.Channel, once)
    assert rig.stopped_us() == 60 * S
    assert high(rig) == []
