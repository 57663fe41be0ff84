"""Parquet has what the CSV has, cell by cell, with types; what nobody knows is null."""

import csv
import io
from collections.abc import Callable

import polars
import pytest

from stimctl.ledger import Ledger
from stimctl.ledger.columns import CHANNEL_COLUMNS, ENTRY_COLUMNS, Columns
from stimctl.ledger.export import channel_rows, csv_lines, entry_rows
from stimctl.ledger.parquet import parquet_bytes

READ: dict[type, Callable[[str], object]] = {
    int: int,
    float: float,
    str: str,
    bool: lambda cell: {"True": True, "False": False}[cell],
}


@pytest.mark.parametrize("what", ["channels", "entries"])
def test_it_reads_back_as_the_csv_does(ledger: Ledger, session: Callable[..., str], what: str) -> None:
    ids = [session(ledger), session(ledger, close=False, operator="=1+1")]
    columns: Columns = CHANNEL_COLUMNS if what == "channels" else ENTRY_COLUMNS
    rows = [
        row
        for one in ids
        for row in (
            channel_rows(ledger.summary(one))
            if what == "channels"
            else entry_rows(ledger.summary(one), ledger.entries(one))
        )
    ]
    table = polars.read_parquet(io.BytesIO(parquet_bytes(columns, rows)))
    assert table.rows(named=True) == rows
    text = csv.DictReader(io.StringIO("".join(csv_lines(columns, rows))))
    for cells, row in zip(text, table.rows(named=True), strict=True):
        for name, cell in cells.items():
            # Text that a spreadsheet would take for a formula has a quote before it in the CSV alone.
            assert (READ[columns[name]](cell.removeprefix("'")) if cell else None) == (
                None if row[name] == "" else row[name]
            )


def test_what_nobody_knows_is_null_and_typed(ledger: Ledger, session: Callable[..., str]) -> None:
    session_id = session(ledger, close=False)
    table = polars.read_parquet(io.BytesIO(parquet_bytes(CHANNEL_COLUMNS, channel_rows(ledger.summary(session_id)))))
    assert table["commanded_pulses_1"].to_list() == [None]
    assert (table["commanded_pulses_1"].dtype, table["ohm_median"].dtype) == (polars.Int64, polars.Float64)
    assert table["delivery"].to_list() == ["confirmed"]


def test_no_session_is_a_table_without_rows() -> None:
    assert polars.read_parquet(io.BytesIO(parquet_bytes(CHANNEL_COLUMNS, []))).shape == (0, len(CHANNEL_COLUMNS))
