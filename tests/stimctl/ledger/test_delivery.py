"""The states of a delivery: what is uncertain is neither nothing nor what was ordered."""

from collections.abc import Callable

import pytest

from stimctl.ledger import Ledger
from stimctl.ledger.delivery import DeliveryState, delivery_of, delivery_of_session
from stimctl.ledger.heads import CLOSED, RECOVERED, RUNNING, UNFINISHED


@pytest.mark.parametrize(
    ("standing", "state", "armed", "expected"),
    [
        ("counted", CLOSED, True, DeliveryState.CONFIRMED),
        ("counted", RECOVERED, None, DeliveryState.CONFIRMED),
        ("estimated", CLOSED, True, DeliveryState.UNCERTAIN),
        ("at most", CLOSED, True, DeliveryState.UNCERTAIN),
        ("unknown", CLOSED, True, DeliveryState.UNCERTAIN),
        ("unknown", CLOSED, None, DeliveryState.UNCERTAIN),
        ("unknown", UNFINISHED, None, DeliveryState.UNCERTAIN),
        ("unknown", RUNNING, None, DeliveryState.COMMANDED),
        ("unknown", CLOSED, False, DeliveryState.NONE),
    ],
)
def test_a_delivery_is_as_certain_as_its_figure(
    standing: str, state: str, armed: bool | None, expected: DeliveryState
) -> None:
    assert delivery_of(standing, state=state, armed=armed) is expected


def test_of_a_whole_session(ledger: Ledger, session: Callable[..., str]) -> None:
    assert delivery_of_session(ledger.summary(session(ledger))) is DeliveryState.CONFIRMED
    one = "s-1"
    ledger.append(one, "opened", 0, {"simulator": True})
    with ledger.writer(one):
        assert delivery_of_session(ledger.summary(one)) is DeliveryState.COMMANDED
    assert delivery_of_session(ledger.summary(one)) is DeliveryState.UNCERTAIN
