"""The state table: what it holds, and that nothing else is possible."""

from itertools import product

import pytest

from firmware_sim.gate import OUTPUT_STATES
from firmware_sim.states import TABLE, Cause, IllegalCause, after
from stimctl.wire.codes import DeviceState as S

EVERY = list(product(S, Cause))


@pytest.mark.parametrize(("state", "cause"), [pair for pair in EVERY if pair not in TABLE])
def test_what_is_not_in_the_table_is_refused(state: S, cause: Cause) -> None:
    with pytest.raises(IllegalCause, match=state.name):
        after(state, cause)


@pytest.mark.parametrize(("state", "cause"), list(TABLE))
def test_what_is_in_the_table_is_followed(state: S, cause: Cause) -> None:
    assert after(state, cause) is TABLE[state, cause]


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
