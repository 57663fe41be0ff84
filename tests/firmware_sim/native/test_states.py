"""The state table: what it holds, and that nothing else is possible."""

from itertools import product

import pytest

from firmware_sim.native.gate import OUTPUT_STATES
from firmware_sim.native.states import TABLE, Cause, IllegalCause, after
from stimctl.wire.codes import DeviceState as S

EVERY = list(product(S, Cause))

# The table once more, as a drawing: one row a state, its column the cause; `.` is refused.
STATES = {
    "I": S.IDLE, "l": S.LOADING, "L": S.LOADED, "T": S.TESTED, "A": S.ARMED, "C": S.CHECKING, "r": S.RAMPING,
    "R": S.RUNNING, "d": S.RAMPING_DOWN, "H": S.HELD, "E": S.ENDED,
}  # fmt: skip
CAUSES = (
    Cause.LOAD, Cause.SEGMENT, Cause.DIGEST, Cause.TEST_PASSED, Cause.TEST_FAILED, Cause.ARM, Cause.START, Cause.CHECK,
    Cause.BACK_TO_TESTED, Cause.BACK_TO_HELD, Cause.KEEP_ALIVE, Cause.TARGET, Cause.AT_TARGET, Cause.FALL, Cause.HOLD,
    Cause.END, Cause.ACKNOWLEDGE,
)  # fmt: skip
DRAWN = """
I  l . .  . .  . . .  . .  . . . .  . .  I
l  l l L  . .  . . .  . .  . . . .  . .  .
L  l . L  T L  . . .  . .  . . . .  . .  .
T  l . T  T L  A . .  . .  T . . .  . E  .
A  . . .  . .  . r C  T H  A . . .  . E  .
C  . . .  . .  . . .  T H  C . . .  . E  .
r  . . .  . .  . . .  . .  r r R d  H E  .
R  . . .  . .  . . .  . .  R R . d  H E  .
d  . . .  . .  . . .  . .  d d . .  H E  .
H  . . .  . .  A . .  . .  H . . .  . E  .
E  . . .  . .  . . .  . .  . . . .  . .  I
"""


@pytest.mark.parametrize(("state", "cause"), [pair for pair in EVERY if pair not in TABLE])
def test_what_is_not_in_the_table_is_refused(state: S, cause: Cause) -> None:
    with pytest.raises(IllegalCause, match=state.name):
        after(state, cause)


@pytest.mark.parametrize(("state", "cause"), list(TABLE))
def test_what_is_in_the_table_is_followed(state: S, cause: Cause) -> None:
    assert after(state, cause) is TABLE[state, cause]


def test_the_table_is_as_drawn() -> None:
    assert set(CAUSES) == set(Cause)
    drawn = {
        (STATES[state], cause): STATES[to]
        for state, *row in map(str.split, DRAWN.strip().splitlines())
        for cause, to in zip(CAUSES, row, strict=True)
        if to != "."
    }
    assert drawn == TABLE


def test_a_refusal_says_the_state_and_the_cause() -> None:
    with pytest.raises(IllegalCause, match="in IDLE: not possible that started to stimulate") as refused:
        after(S.IDLE, Cause.START)
    assert (refused.value.state, refused.value.cause) == (S.IDLE, Cause.START)


def test_output_is_reached_from_armed_only() -> None:
    ways_in = {
        (state, cause) for (state, cause), to in TABLE.items() if to in OUTPUT_STATES and state not in OUTPUT_STATES
    }
    assert ways_in == {(S.ARMED, Cause.START), (S.ARMED, Cause.CHECK)}


def test_a_check_never_becomes_stimulation() -> None:
    reached = {to for (state, _), to in TABLE.items() if state is S.CHECKING}
    assert reached == {S.CHECKING, S.TESTED, S.HELD, S.ENDED}


def test_an_ended_session_is_latched() -> None:
    assert {(cause, to) for (state, cause), to in TABLE.items() if state is S.ENDED} == {(Cause.ACKNOWLEDGE, S.IDLE)}


def test_every_state_with_output_can_end() -> None:
    assert all(TABLE[state, Cause.END] is S.ENDED for state in OUTPUT_STATES)


def test_armed_is_reached_from_tested_and_held_only() -> None:
    assert {state for (state, cause), to in TABLE.items() if to is S.ARMED and state is not S.ARMED} == {
        S.TESTED,
        S.HELD,
    }


def test_the_table_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        TABLE[S.IDLE, Cause.START] = S.RAMPING  # type: ignore[index]
