"""The tables of docs/protocol.md are those of the code, and a stale document is noticed."""

from pathlib import Path

import pytest

from stimctl.errors import InputInvalid
from stimctl.wire import tables


def test_the_document_is_fresh() -> None:
    text = tables.DOCUMENT.read_text("utf-8")
    assert tables.fresh(text) == text, "run `python -m stimctl.wire.tables --write`"


def test_check_fails_on_a_stale_document_and_write_mends_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    copy = tmp_path / "protocol.md"
    copy.write_text(tables.DOCUMENT.read_text("utf-8").replace("| 12 | ABOVE_LIMIT |", "| 13 | ABOVE_LIMIT |"), "utf-8")
    assert tables.main(["--check", "--document", str(copy)]) == 1
    assert "is stale" in capsys.readouterr().err
    assert tables.main(["--write", "--document", str(copy)]) == 0
    assert tables.main(["--check", "--document", str(copy)]) == 0
    assert copy.read_text("utf-8") == tables.DOCUMENT.read_text("utf-8")


def test_a_table_without_a_place_and_a_place_without_a_table_are_named() -> None:
    text = tables.DOCUMENT.read_text("utf-8").replace("<!-- tables: refusals -->", "<!-- tables: excuses -->")
    with pytest.raises(InputInvalid, match=r"(?s)refusals.*no place.*excuses.*no such table"):
        tables.fresh(text)


@pytest.mark.parametrize("name", tables.TABLES)
def test_every_table_has_rows_of_equal_width(name: str) -> None:
    widths = {line.count("|") for line in tables.TABLES[name]().splitlines() if line.startswith("|")}
    assert widths
    for block in tables.TABLES[name]().split("\n\n"):
        rows = [line for line in block.splitlines() if line.startswith("|")]
        assert len({row.count("|") for row in rows}) <= 1
