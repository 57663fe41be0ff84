"""The one table of a session: what is in it happens, what is not raises and changes nothing."""

import pytest

from stimctl.errors import IllegalEvent
from stimctl.session.states import (
    AT_REST,
    CHECKED,
    ENDED,
    ON_HOLD,
    OUTPUT,
    QUIET,
    STARTING,
    STIMULATING,
    STOPPING,
    TABLE,
    State,
    Task,
    Trigger,
    after,
)

EVERY = [(state, trigger) for state in State for trigger in Trigger]


@pytest.mark.parametrize(("state", "trigger"), EVERY)
def test_every_state_and_happening_is_decided(state: State, trigger: Trigger) -> None:
    if (state, trigger) in TABLE:
        assert after(state, trigger) is TABLE[state, trigger]
    else:
        with pytest.raises(IllegalEvent, match="cannot happen while"):
            after(state, trigger)


def test_stop_leads_to_stopping_from_everywhere_but_the_end() -> None:
    for state in State:
        if state in (State.STOPPING, State.ENDED):
            assert (state, Trigger.STOP) not in TABLE
        else:
            assert after(state, Trigger.STOP) is State.STOPPING


def test_at_rest_is_wherever_a_start_may_follow() -> None:
    assert set(State) - AT_REST == STIMULATING | {State.STOPPING, State.ENDED}


def test_output_begins_only_by_a_start_after_an_arm_or_by_a_check() -> None:
    ways_in = {(a, h) for (a, h), b in TABLE.items() if b in OUTPUT and a not in OUTPUT}
    assert ways_in == {
        (State.ARMED, Trigger.STARTED),
        (State.REARMED, Trigger.STARTED),
        (State.TESTED, Trigger.CHECK),
        (State.CHECKED, Trigger.CHECK),
        (State.HELD, Trigger.CHECK),
        (State.RECHECKED, Trigger.CHECK),
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


def test_which_states_give_output_are_quiet_or_are_a_hold() -> None:
    """By their words, which stand in logs too."""
    assert {"ramping", "running", "ramping down"} == STIMULATING
    assert STIMULATING | {"impedance check", "impedance check in hold"} == OUTPUT
    assert {"self-tested", "checked", "held", "checked in hold"} == QUIET
    assert {"held", "impedance check in hold", "checked in hold", "armed in hold"} == ON_HOLD
    assert (STOPPING, ENDED) == ("stopping", "ended")


def test_every_row_but_the_stops_spelled_out() -> None:
    check = "impedance check"
    rows = {(str(a), h.name, str(b)) for (a, h), b in TABLE.items() if h is not Trigger.STOP}
    assert rows == {
        ("idle", "IDENTIFIED", "identified"),
        ("identified", "LOADED", "loaded"),
        ("loaded", "TESTED", "self-tested"),
        ("self-tested", "CHECK", check),
        ("checked", "CHECK", check),
        (check, "CHECK_PASSED", "checked"),
        (check, "CHECK_FAILED", "self-tested"),
        ("checked", "ARMED", "armed"),
        ("armed", "LAPSED", "self-tested"),
        ("armed", "STARTED", "ramping"),
        ("ramping", "REACHED", "running"),
        ("ramping", "FALLING", "ramping down"),
        ("running", "FALLING", "ramping down"),
        ("ramping", "HELD", "held"),
        ("running", "HELD", "held"),
        ("ramping down", "HELD", "held"),
        ("held", "CHECK", f"{check} in hold"),
        ("checked in hold", "CHECK", f"{check} in hold"),
        (f"{check} in hold", "CHECK_PASSED", "checked in hold"),
        (f"{check} in hold", "CHECK_FAILED", "held"),
        ("checked in hold", "ARMED", "armed in hold"),
        ("armed in hold", "LAPSED", "held"),
        ("armed in hold", "STARTED", "ramping"),
        ("stopping", "CLOSED", "ended"),
    }


def test_what_may_be_under_way_and_where() -> None:
    assert {
        Task.HANDSHAKE: {"idle"},
        Task.FETCHING: {"idle"},
        Task.LOADING: {"identified"},
        Task.SELF_TEST: {"loaded"},
        Task.TRYING_STOP: {"loaded"},
        Task.WRITING_LOG: QUIET | {"stopping"},
        Task.ARMING: QUIET,
        Task.STARTING: {"armed", "armed in hold", "impedance check", "impedance check in hold"},
        Task.CHECK: {"impedance check", "impedance check in hold"},
        Task.HOLD: STIMULATING,
        Task.ACKNOWLEDGING: {"stopping"},
    } == {task: task.states for task in Task}


def test_a_task_says_what_it_is_called_and_where_it_may_be_under_way() -> None:
    assert (Task.HOLD.words, Task.HOLD.states) == ("hold", STIMULATING)
    assert (Task.WRITING_LOG.words, Task.WRITING_LOG.states) == ("writing the log", QUIET | {STOPPING})


def test_stimulation_is_led_to_by_what_is_under_way_once_the_contact_was_checked() -> None:
    assert {State.CHECKED, State.RECHECKED} == CHECKED
    assert {State.ARMED, State.REARMED} == STARTING
