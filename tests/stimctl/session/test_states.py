"""The one table of a session: what is in it happens, what is not raises and changes nothing."""

import pytest

from stimctl.errors import IllegalEvent
from stimctl.session.states import OUTPUT, STIMULATING, TABLE, Happening, State, after, diagram

EVERY = [(state, happening) for state in State for happening in Happening]


@pytest.mark.parametrize(("state", "happening"), EVERY)
def test_every_state_and_happening_is_decided(state: State, happening: Happening) -> None:
    if (state, happening) in TABLE:
        assert after(state, happening) is TABLE[state, happening]
    else:
        with pytest.raises(IllegalEvent, match="cannot happen while"):
            after(state, happening)


def test_stop_leads_to_stopping_from_everywhere_but_the_end() -> None:
    for state in State:
        if state in (State.STOPPING, State.ENDED):
            assert (state, Happening.STOP) not in TABLE
        else:
            assert after(state, Happening.STOP) is State.STOPPING


def test_output_begins_only_by_a_start_after_an_arm_or_by_a_check() -> None:
    ways_in = {(a, h) for (a, h), b in TABLE.items() if b in OUTPUT and a not in OUTPUT}
    assert ways_in == {
        (State.ARMED, Happening.STARTED),
        (State.REARMED, Happening.STARTED),
        (State.TESTED, Happening.CHECK),
        (State.CHECKED, Happening.CHECK),
        (State.HELD, Happening.CHECK),
        (State.RECHECKED, Happening.CHECK),
    }


def test_output_never_goes_on_without_the_way_back_through_a_check_and_an_arm() -> None:
    from_hold = {b for (a, _), b in TABLE.items() if a is State.HELD}
    assert from_hold == {State.RECHECKING, State.STOPPING}
    assert {a for (a, h), b in TABLE.items() if b in STIMULATING and a not in STIMULATING} == {
        State.ARMED,
        State.REARMED,
    }


def test_the_end_is_never_left_and_every_state_can_be_reached() -> None:
    assert not [h for (a, h) in TABLE if a is State.ENDED]
    reached = {State.IDLE}
    while more := {b for (a, _), b in TABLE.items() if a in reached} - reached:
        reached |= more
    assert reached == set(State)


def test_the_diagram_shows_every_row_but_the_stops() -> None:
    rows = diagram().splitlines()
    assert len([row for row in rows if "-->" in row]) == 2 + len([h for _, h in TABLE if h is not Happening.STOP])
