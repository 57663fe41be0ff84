"""The tables of an export as Parquet: the columns, types and units of the CSV, cell by cell."""

import io
from collections.abc import Iterable
from typing import Any

from stimctl.errors import Misuse
from stimctl.ledger.columns import Columns, fitted


def parquet_bytes(columns: Columns, rows: Iterable[dict[str, Any]]) -> bytes:
    """A whole file. Raises `Misuse` where polars is missing, and for a cell that does not fit its column."""
    polars = _polars()
    types = {int: polars.Int64, float: polars.Float64, bool: polars.Boolean, str: polars.String}
    schema = {name: types[of] for name, of in columns.items()}
    listed = [[_text(cell) for cell in fitted(columns, row).values()] for row in rows]
    file = io.BytesIO()
    polars.DataFrame(listed, schema=schema, orient="row").write_parquet(file)
    return file.getvalue()


def _text(cell: object) -> object:
    # What a terminal once gave as broken text is shown as escapes, as in the CSV.
    return cell.encode("utf-8", "backslashreplace").decode() if isinstance(cell, str) else cell


def _polars() -> Any:
    try:
        import polars
    except ImportError:
        raise Misuse("Parquet needs polars: install it with `pip install 'stimctl[parquet]'`, or take csv") from None
    return polars
