"""The states of a delivery: what is uncertain is neither nothing nor what was ordered."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from stimctl.ledger import Ledger
from stimctl.ledger.delivery import DeliveryState, delivery_of, delivery_of_session
from stimctl.ledger.heads import CLOSED, RECOVERED, RUNNING, UNFINISHED
from stimctl.ledger.reading import Entry
from stimctl.ledger.summary import summarize


@pytest.mark.parametrize(
    ("standing", "state", "armed", "expected"),
    [
        ("counted", CLOSED, True, DeliveryState.CONFIRMED),
        ("counted", RECOVERED, None, DeliveryState.CONFIRMED),
        ("estimated", CLOSED, True, DeliveryState.COMMANDED),
        ("at most", CLOSED, True, DeliveryState.COMMANDED),
        ("unknown", CLOSED, True, DeliveryState.UNCERTAIN),
        ("unknown", CLOSED, None, DeliveryState.UNCERTAIN),
        ("unknown", UNFINISHED, None, DeliveryState.UNCERTAIN),
        ("unknown", RUNNING, None, DeliveryState.UNCERTAIN),
        ("counted", RUNNING, None, DeliveryState.UNCERTAIN),
        ("unknown", CLOSED, False, DeliveryState.NONE),
    ],
)
def test_a_delivery_is_as_certain_as_its_figure(
    standing: str, state: str, armed: bool | None, expected: DeliveryState
) -> None:
    found = summarize([Entry(1, "s-1", "opened", 0, "", {}, "", "")], running=False)
    assert found is not None
    summary = replace(found, head=replace(found.head, state=state), armed=armed)
    assert delivery_of(summary, standing) is expected
    doubted = replace(summary, agreement={"contradiction": "a clock went back"})
    assert delivery_of(doubted, standing) is DeliveryState.UNCERTAIN
    assert delivery_of(replace(summary, faults=("entry 3 was changed",)), standing) is DeliveryState.UNCERTAIN


def test_of_a_whole_session(ledger: Ledger, session: Callable[..., str]) -> None:
    disagrees = ledger.summary(session(ledger))
    assert delivery_of_session(disagrees) is DeliveryState.UNCERTAIN
    assert delivery_of_session(replace(disagrees, agreement={"exact": True})) is DeliveryState.CONFIRMED
    one = "s-1"
    ledger.append(one, "opened", 0, {"simulator": True})
    with ledger.writer(one):
        assert delivery_of_session(ledger.summary(one)) is DeliveryState.UNCERTAIN
    assert delivery_of_session(ledger.summary(one)) is DeliveryState.UNCERTAIN
