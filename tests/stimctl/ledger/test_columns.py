"""One table of columns for every format: what a row has and what a file's columns are agree, and a cell fits."""

from collections.abc import Callable

import pytest

from stimctl.errors import Misuse
from stimctl.ledger import Ledger
from stimctl.ledger.columns import CHANNEL_COLUMNS, ENTRY_COLUMNS, fitted
from stimctl.ledger.export import channel_rows, entry_rows

UNITS = (
    "_us",
    "_pc",
    "_ua",
    "_nj",
    "_per_cm2",
    "_pulses",
    "_hits",
    "_at_least",
    "_k",
    "_1",
    "_2",
    "channel",
    "entries",
)


def test_a_row_has_these_columns_in_this_order(ledger: Ledger, session: Callable[..., str]) -> None:
    one = session(ledger)
    summary = ledger.summary(one)
    for columns, rows in (
        (CHANNEL_COLUMNS, channel_rows(summary)),
        (ENTRY_COLUMNS, entry_rows(summary, ledger.entries(one))),
    ):
        for row in rows:
            assert list(row) == list(columns)
            assert list(fitted(columns, row)) == list(columns)


def test_every_number_says_its_unit() -> None:
    spreads = [
        f"{name}_{figure}" for name in ("applied_ua", "measured_ua", "ohm") for figure in ("min", "median", "max")
    ]
    numbers = {name for name, of in CHANNEL_COLUMNS.items() if of in (int, float)} - {*spreads, "ohm_first"}
    assert [name for name in numbers if not name.endswith(UNITS)] == []


def test_a_cell_that_does_not_fit_is_told_and_not_dropped(ledger: Ledger) -> None:
    ledger.append("s-1", "opened", 0, {"prescription": {"channels": [{"channel": 1, "amplitude_ua": "two"}]}})
    (row,) = channel_rows(ledger.summary("s-1"))
    with pytest.raises(Misuse, match=r"session s-1: amplitude_ua is 'two', and that column holds int only"):
        fitted(CHANNEL_COLUMNS, row)


@pytest.mark.parametrize("name", ["number", "session_id"])
def test_a_number_that_no_typed_column_holds_is_told(name: str) -> None:
    row: dict[str, object] = dict.fromkeys(ENTRY_COLUMNS) | {"session_id": "s-1", name: 2**63}
    with pytest.raises(Misuse, match=rf"session .*: {name} is 9223372036854775808, and that column holds"):
        fitted(ENTRY_COLUMNS, row)
