"""The StimJim adapter's table is whole, and what it is told is told on in words."""

from typing import Any

import pytest

from stimctl.stimulators.stimjim import adapter, dialects, parser
from stimctl.stimulators.stimjim.gate import HeldSlot

_SAID = [
    parser.SlotEcho(1, HeldSlot((1, 3), 10_000, 250_000, ((100, 0, 200), (-100, 0, 200))), "b"),
    parser.SlotStarted(1, "T"),
    parser.TrainComplete(10),
    parser.StageReport(0, 1, 99, None),
    parser.StopForced("U"),
    parser.OutputGrounded(1),
    parser.CurrentReading(3),
    parser.Detached(0),
    parser.Setting("ENV1,0,0"),
    parser.ByHand("IN0 -> slot 1"),
    parser.CommandRejected("ERR S: too short"),
]


@pytest.mark.parametrize("said", _SAID, ids=lambda said: type(said).__name__)
def test_what_it_is_told_is_told_on_in_words(said: Any) -> None:
    assert "(" not in parser.in_words(said)


def test_what_was_done_by_hand_cannot_write_on_the_screen() -> None:
    (said,) = parser.StimJimParser().feed(b"IN0 -> \x1b[2Jslot 1\n")
    assert parser.in_words(said) == "IN0 -> ?[2Jslot 1"


def test_each_row_of_the_table_has_somebody_who_takes_it() -> None:
    takers = set(adapter._TABLE.values())
    for dialect in dialects.DIALECTS.values():
        assert all(callable(getattr(dialect, name)) for name in takers)
    assert {state for state, _said in adapter._TABLE} == set(adapter.DialogState) - {adapter.DialogState.UNKNOWN}
