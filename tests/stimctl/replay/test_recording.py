"""What a record tells of: the commands of its session, the same again."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stimctl.errors import InputInvalid
from stimctl.replay.recording import command_of
from stimctl.session.commands import AskHold, AskStop, AskTarget, Command, Lower, Proceed, Raise, note_of
from stimctl.session.states import End

NUMBERS = st.integers(0, 10_000)
RECORDED: st.SearchStrategy[Command] = st.one_of(
    st.just(Proceed()),
    st.builds(Raise, NUMBERS),
    st.builds(Lower, NUMBERS),
    st.builds(AskTarget, NUMBERS, NUMBERS),
    st.builds(AskHold, st.text()),
    st.builds(AskStop, st.sampled_from(End)),
)


@given(RECORDED)
def test_a_recorded_command_is_the_same_again(command: Command) -> None:
    note = note_of(command)
    assert note is not None
    assert command_of("a record", json.loads(json.dumps(note))) == command


def test_a_stop_is_the_same_again_but_for_its_words() -> None:
    note = note_of(AskStop(End.SIGNAL, "Mrs. X fainted"))
    assert note is not None
    assert command_of("a record", note) == AskStop(End.SIGNAL)


@pytest.mark.parametrize(
    "note",
    [
        {},
        {"do": "jump"},
        {"do": ["stop"]},
        {"do": "raise"},
        {"do": "raise", "channel": "1"},
        {"do": "raise", "channel": 1, "more": 2},
        {"do": "set", "channel": 1, "target_ua": -5},
        {"do": "stop", "end": "NEVER"},
        {"do": "stop", "end": 3},
        {"do": "stop", "end": ["OPERATOR"]},
    ],
    ids=str,
)
def test_a_note_that_tells_of_no_command_is_named(note: dict[str, Any]) -> None:
    with pytest.raises(InputInvalid, match="must be one of proceed, raise, lower, set, hold, stop"):
        command_of("a record", note)
