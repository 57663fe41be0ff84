"""The states of a session, and the one table of what may happen in each.

Whatever is not in the table raises `IllegalEvent` and changes nothing. Two rules hold for every state and
so are not rows: STOP leads to STOPPING from anywhere but ENDED, and ENDED is never left.
"""

from collections.abc import Set
from enum import Enum, StrEnum
from typing import NamedTuple

from stimctl.errors import IllegalEvent


class State(StrEnum):
    """Where a session stands. Output is possible only in the states of `OUTPUT`."""

    IDLE = "idle"
    IDENTIFIED = "identified"
    LOADED = "loaded"
    TESTED = "self-tested"
    CHECKING = "impedance check"
    CHECKED = "checked"
    ARMED = "armed"
    RAMPING = "ramping"
    RUNNING = "running"
    RAMPING_DOWN = "ramping down"
    HELD = "held"
    RECHECKING = "impedance check in hold"
    RECHECKED = "checked in hold"
    REARMED = "armed in hold"
    STOPPING = "stopping"
    ENDED = "ended"


class Trigger(Enum):
    """An event that moves a session from one state to another."""

    IDENTIFIED = "identified"
    LOADED = "program loaded"
    TESTED = "self-test passed, stop tried"
    CHECK = "impedance check started"
    CHECK_PASSED = "impedance check passed"
    CHECK_FAILED = "impedance check failed"
    ARMED = "armed"
    LAPSED = "arm lapsed"
    STARTED = "started"
    REACHED = "targets reached"
    FALLING = "ramp down began"
    HELD = "held"
    STOP = "stop"
    CLOSED = "dose recorded"


class End(StrEnum):
    """The reason why a session ended."""

    TIMER = "timer"
    OPERATOR = "stopped by the operator"
    SIGNAL = "stopped by a signal"
    ELSEWHERE = "stopped from another terminal"
    FRONT_END = "front end silent"
    WATCHDOG = "device watchdog"
    OVER_CURRENT = "over-current"
    SHORT = "short circuit"
    NET_CHARGE = "net charge"
    HOLD_EXPIRED = "hold too long"
    SESSION_EXPIRED = "session too long"
    GATE = "device refused a pulse"
    RESET = "device reset"
    HANDSHAKE = "another host connected"
    LINE_LOST = "line lost"
    SUSPENDED = "host suspended"
    STOOD_STILL = "this program stood still"
    NO_ANSWER = "no answer from the device"
    REFUSED = "refused by the device"
    ECHO = "device applied another value"
    IMPLAUSIBLE = "device not to be believed"
    CLOCK = "clocks disagree"
    SELF_TEST = "self-test failed"
    CONTACT = "impedance check failed"
    SCREENING = "screening too old"
    WRONG_DEVICE = "device not allowed for this subject"
    LOG = "dose log failed"
    INTERRUPTED = "interrupted"


S, H = State, Trigger

TABLE: dict[tuple[State, Trigger], State] = {
    (S.IDLE, H.IDENTIFIED): S.IDENTIFIED,
    (S.IDENTIFIED, H.LOADED): S.LOADED,
    (S.LOADED, H.TESTED): S.TESTED,
    (S.TESTED, H.CHECK): S.CHECKING,
    (S.CHECKED, H.CHECK): S.CHECKING,
    (S.CHECKING, H.CHECK_PASSED): S.CHECKED,
    (S.CHECKING, H.CHECK_FAILED): S.TESTED,
    (S.CHECKED, H.ARMED): S.ARMED,
    (S.ARMED, H.LAPSED): S.TESTED,
    (S.ARMED, H.STARTED): S.RAMPING,
    (S.RAMPING, H.REACHED): S.RUNNING,
    (S.RAMPING, H.FALLING): S.RAMPING_DOWN,
    (S.RUNNING, H.FALLING): S.RAMPING_DOWN,
    (S.RAMPING, H.HELD): S.HELD,
    (S.RUNNING, H.HELD): S.HELD,
    (S.RAMPING_DOWN, H.HELD): S.HELD,
    (S.HELD, H.CHECK): S.RECHECKING,
    (S.RECHECKED, H.CHECK): S.RECHECKING,
    (S.RECHECKING, H.CHECK_PASSED): S.RECHECKED,
    (S.RECHECKING, H.CHECK_FAILED): S.HELD,
    (S.RECHECKED, H.ARMED): S.REARMED,
    (S.REARMED, H.LAPSED): S.HELD,
    (S.REARMED, H.STARTED): S.RAMPING,
    (S.STOPPING, H.CLOSED): S.ENDED,
    **{(state, H.STOP): S.STOPPING for state in S if state not in (S.STOPPING, S.ENDED)},
}

# An enum's member costs 0.2 us to look up in Python 3.11; these are compared at every turn of a session.
STOPPING = State.STOPPING
ENDED = State.ENDED
STIMULATING = frozenset({S.RAMPING, S.RUNNING, S.RAMPING_DOWN})
OUTPUT = STIMULATING | {S.CHECKING, S.RECHECKING}
# Outputs are off and measured zero is expected, with leads on or about to be.
QUIET = frozenset({S.TESTED, S.CHECKED, S.HELD, S.RECHECKED})
# What is under way in these leads to stimulation.
CHECKED = frozenset({state for state, trigger in TABLE if trigger is H.ARMED})
STARTING = frozenset({state for state, trigger in TABLE if trigger is H.STARTED})
ON_HOLD = frozenset({S.HELD, S.RECHECKING, S.RECHECKED, S.REARMED})
# From here a start goes to what is wanted.
AT_REST = frozenset(S) - STIMULATING - {S.STOPPING, S.ENDED}


class Task(Enum):
    """A task that may be under way, asked for and not answered yet, and the states in which it may. Whatever else is
    asked for meanwhile has to wait, but a stop."""

    HANDSHAKE = "handshake", {S.IDLE}
    FETCHING = "fetching the dose of an earlier session", {S.IDLE}
    LOADING = "loading", {S.IDENTIFIED}
    SELF_TEST = "self-test", {S.LOADED}
    TRYING_STOP = "trying the stop", {S.LOADED}
    WRITING_LOG = "writing the log", QUIET | {S.STOPPING}
    ARMING = "arming", QUIET
    STARTING = "starting", {S.CHECKING, S.RECHECKING, S.ARMED, S.REARMED}
    CHECK = "impedance check", {S.CHECKING, S.RECHECKING}
    HOLD = "hold", STIMULATING
    ACKNOWLEDGING = "acknowledging", {S.STOPPING}

    def __init__(self, words: str, states: Set[State]) -> None:
        self.words = words
        self.states = states


class Pending(NamedTuple):
    """The task under way, and since when by the host's clock."""

    task: Task
    since_us: int


def after(state: State, trigger: Trigger) -> State:
    """The state that follows. Raises `IllegalEvent` when the table has no such row."""
    try:
        return TABLE[state, trigger]
    except KeyError:
        raise IllegalEvent(f"{trigger.value!r} cannot happen while the session is {state.value!r}") from None
