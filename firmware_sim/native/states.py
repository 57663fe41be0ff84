"""The state table of the device: every state and every event that may move it. Nothing outside it is legal.

Questions (identity, counters, records), Hello and Stop are heard in every state and are not in the table:
a Hello or a Stop while a session is open is the event END, and otherwise changes no state. Output is
possible in four states only; `gate.OUTPUT_STATES` lists them again, on purpose.
"""

from enum import StrEnum
from types import MappingProxyType

from stimctl.wire.codes import DeviceState as S


class Cause(StrEnum):
    """An event that can move the device from one state to another."""

    LOAD = "a program is begun"
    SEGMENT = "a segment is given"
    DIGEST = "the program is closed"
    TEST_PASSED = "the self-test passed"
    TEST_FAILED = "the self-test failed"
    ARM = "armed"
    START = "started to stimulate"
    CHECK = "started to check impedance"
    BACK_TO_TESTED = "the arm lapsed or its check is done, before any stimulation"
    BACK_TO_HELD = "the arm lapsed or its check is done, in a hold"
    KEEP_ALIVE = "the host is there"
    TARGET = "a target is set"
    AT_TARGET = "every channel reached its target"
    FALL = "the fall at the timer's end begins"
    HOLD = "held"
    END = "the session ends, for whatever reason"
    ACKNOWLEDGE = "the counters are safely logged"


_LOADABLE = (S.IDLE, S.LOADING, S.LOADED, S.TESTED)
_STIMULATING = (S.RAMPING, S.RUNNING, S.RAMPING_DOWN)
# A session is open in these; in TESTED it is after an arm has lapsed or a check is done.
_IN_SESSION = (S.TESTED, S.ARMED, S.CHECKING, *_STIMULATING, S.HELD)

TABLE = MappingProxyType(
    {
        **{(state, Cause.LOAD): S.LOADING for state in _LOADABLE},
        (S.LOADING, Cause.SEGMENT): S.LOADING,
        (S.LOADING, Cause.DIGEST): S.LOADED,
        (S.LOADED, Cause.DIGEST): S.LOADED,
        (S.TESTED, Cause.DIGEST): S.TESTED,
        (S.LOADED, Cause.TEST_PASSED): S.TESTED,
        (S.LOADED, Cause.TEST_FAILED): S.LOADED,
        (S.TESTED, Cause.TEST_PASSED): S.TESTED,
        (S.TESTED, Cause.TEST_FAILED): S.LOADED,
        (S.TESTED, Cause.ARM): S.ARMED,
        (S.HELD, Cause.ARM): S.ARMED,
        (S.ARMED, Cause.START): S.RAMPING,
        (S.ARMED, Cause.CHECK): S.CHECKING,
        (S.ARMED, Cause.BACK_TO_TESTED): S.TESTED,
        (S.ARMED, Cause.BACK_TO_HELD): S.HELD,
        (S.CHECKING, Cause.BACK_TO_TESTED): S.TESTED,
        (S.CHECKING, Cause.BACK_TO_HELD): S.HELD,
        (S.RAMPING, Cause.AT_TARGET): S.RUNNING,
        (S.RAMPING, Cause.FALL): S.RAMPING_DOWN,
        (S.RUNNING, Cause.FALL): S.RAMPING_DOWN,
        **{(state, Cause.TARGET): state for state in _STIMULATING},
        **{(state, Cause.HOLD): S.HELD for state in _STIMULATING},
        **{(state, Cause.KEEP_ALIVE): state for state in _IN_SESSION},
        **{(state, Cause.END): S.ENDED for state in _IN_SESSION},
        (S.ENDED, Cause.ACKNOWLEDGE): S.IDLE,
        (S.IDLE, Cause.ACKNOWLEDGE): S.IDLE,
    }
)


class IllegalCause(Exception):
    """An event that the table does not have for this state. Nothing has changed."""

    def __init__(self, state: S, cause: Cause) -> None:
        self.state = state
        self.cause = cause
        super().__init__(f"in {state.name}: not possible that {cause}")


def after(state: S, cause: Cause) -> S:
    """The state that follows. Raises `IllegalCause` when the table has none."""
    following = TABLE.get((state, cause))
    if following is None:
        raise IllegalCause(state, cause)
    return following
