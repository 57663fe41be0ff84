"""A schema in its file: written, and missed where it is another."""

from pathlib import Path

import pytest

from stimctl.ledger.kept_schema import keep


def test_another_one_is_named_and_written_anew(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "session.json"
    file.write_text("{}")
    assert keep(file, "{1}", "stimctl.ledger.document", ["--check"]) == 1
    assert "is not what `python -m stimctl.ledger.document` writes" in capsys.readouterr().err
    assert file.read_text() == "{}"
    assert keep(file, "{1}", "stimctl.ledger.document", []) == 0
    assert file.read_text() == "{1}"
    assert keep(file, "{1}", "stimctl.ledger.document", ["--check"]) == 0
