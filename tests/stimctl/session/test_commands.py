"""What may be asked, as data: wrong types are refused where a command is made, and a record tells the same again."""

import sys
from collections.abc import Callable
from dataclasses import FrozenInstanceError
from typing import Any

import pytest

from stimctl.errors import Misuse
from stimctl.session.commands import (
    AddNote,
    AskHold,
    AskStop,
    AskTarget,
    CheckIn,
    Command,
    Lower,
    Proceed,
    Raise,
    note_of,
)
from stimctl.session.states import End

WRONG: list[tuple[Callable[[], Any], str]] = [
    (lambda: AskTarget(1, 650.5), "target_ua: 650.5 is not a whole number"),  # type: ignore[arg-type]
    (lambda: AskTarget(1, "600"), "target_ua: '600' is not a whole number"),  # type: ignore[arg-type]
    (lambda: AskTarget(1, True), "target_ua: True is not a whole number"),
    (lambda: AskTarget(1, -1), "target_ua: -1 is below zero"),
    (lambda: AskTarget("1", 600), "channel: '1' is not a whole number"),  # type: ignore[arg-type]
    (lambda: Raise(1.0), r"channel: 1\.0 is not a whole number"),  # type: ignore[arg-type]
    (lambda: Lower(None), "channel: None is not a whole number"),  # type: ignore[arg-type]
    (lambda: AskHold(7), "why: 7 is not text"),  # type: ignore[arg-type]
    (lambda: AskStop("timer"), "end: 'timer' is not one of"),  # type: ignore[arg-type]
    (lambda: AskStop(End.TIMER, 7), "text: 7 is not text"),  # type: ignore[arg-type]
    (lambda: AddNote("closed", {}), "an operator's entry is one of note, outcome, adverse, not 'closed'"),
    (lambda: AddNote("note", "text"), "body: 'text' is not a table"),  # type: ignore[arg-type]
    (lambda: AddNote("note", {"when": object()}), "only texts, numbers, lists and tables can be logged"),
    (lambda: AddNote("note", {"nothing": float("nan")}), "only texts, numbers, lists and tables can be logged"),
    (lambda: AddNote("note", {1: "one"}), "every name in it must be a text"),  # type: ignore[dict-item]
    (lambda: AddNote("note", {"deep": [{"deeper": ({2: "two"},)}]}), "every name in it must be a text"),
]


@pytest.mark.parametrize(("make", "message"), WRONG, ids=[message for _, message in WRONG])
def test_a_wrong_value_is_refused_where_the_command_is_made(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(Misuse, match=message):
        make()


def test_a_table_within_itself_cannot_be_logged() -> None:
    body: dict[str, Any] = {}
    body["itself"] = body
    with pytest.raises(Misuse, match="can be logged"):
        AddNote("note", body)


def test_a_table_too_deep_to_look_through_is_refused_as_well() -> None:
    body: dict[str, Any] = {}
    for _ in range(sys.getrecursionlimit() // 2):
        body = {"deeper": body}
    with pytest.raises(Misuse, match="can be logged"):
        AddNote("note", body)


def test_a_command_does_not_change_and_neither_does_its_body() -> None:
    told: dict[str, Any] = {"scores": [1, 2]}
    note = AddNote("outcome", told)
    told["scores"].append(3)
    told["more"] = 4
    assert note.body == {"scores": [1, 2]}
    with pytest.raises(FrozenInstanceError):
        Raise(1).channel = 2  # type: ignore[misc]
    assert AskTarget(1, 0) == AskTarget(1, 0)


def test_why_a_person_stopped_is_not_in_a_record() -> None:
    note = note_of(AskStop(End.SIGNAL, "Mrs. X fainted"))
    assert note == {"do": "stop", "end": "SIGNAL"}


def test_what_sends_nothing_is_not_recorded() -> None:
    assert note_of(CheckIn()) is None
    assert note_of(AddNote("note", {"text": "well"})) is None


def test_the_words_of_a_record() -> None:
    """They stand in records that are kept: another word would make them unreadable."""
    commands: list[Command] = [Proceed(), Raise(1), Lower(2), AskTarget(3, 600), AskHold(), AskStop()]
    assert [note_of(each) for each in commands] == [
        {"do": "proceed"},
        {"do": "raise", "channel": 1},
        {"do": "lower", "channel": 2},
        {"do": "set", "channel": 3, "target_ua": 600},
        {"do": "hold", "why": "operator"},
        {"do": "stop", "end": "OPERATOR"},
    ]
