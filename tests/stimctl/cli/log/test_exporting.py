"""`stimctl log export` as Parquet and FHIR, through the command as a person calls it."""

import json
import sqlite3
import sys
from pathlib import Path

import polars
import pytest
from click.testing import CliRunner, Result

from stimctl.cli import codes, main
from stimctl.ledger import Ledger, ledger_path
from tests.stimctl.cli.log.test_command import CLOSED, FIRST, OPENED, SECOND


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with Ledger(ledger_path(tmp_path / "data")) as ledger:
        for one in (FIRST, SECOND):
            ledger.append(one, "opened", 1_000_000, OPENED)
            ledger.append(one, "closed", 1_201_000_000, CLOSED)
    return tmp_path / "data"


def export(folder: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["log", "--data", str(folder), "export", *arguments])


def test_parquet_is_a_file_of_this_user_alone(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "all.parquet"
    result = export(folder, "--all", "--format", "parquet", "-o", str(file))
    assert (result.exit_code, result.output) == (0, f"SIMULATOR: 2 sessions written to {file}\n")
    assert file.stat().st_mode & 0o777 == 0o600
    table = polars.read_parquet(file)
    assert table["session_id"].to_list() == [SECOND, FIRST]
    assert table["delivered_charge_pc_2"].to_list() == [400_000_000] * 2


def test_parquet_is_not_printed(folder: Path) -> None:
    result = export(folder, "--all", "--format", "parquet")
    assert (result.exit_code, result.stdout) == (codes.INVALID, "")
    assert "name a file with --output" in result.stderr


def test_fhir_is_one_bundle(folder: Path) -> None:
    result = export(folder, "--all", "--format", "fhir")
    assert (result.exit_code, result.stderr) == (0, "")
    kinds = [entry["resource"]["resourceType"] for entry in json.loads(result.stdout)["entry"]]
    assert [kinds.count(kind) for kind in ("Device", "Procedure", "Observation")] == [1, 2, 6]


def test_what_is_not_installed_is_told(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "polars", None)
    monkeypatch.setitem(sys.modules, "fhir.resources.R4B.bundle", None)
    result = export(folder, "--all", "--format", "parquet", "-o", str(tmp_path / "a"))
    assert (result.exit_code, "stimctl[parquet]" in result.stderr) == (codes.INVALID, True)
    assert not (tmp_path / "a").exists()
    result = export(folder, FIRST, "--format", "fhir")
    assert (result.exit_code, "Not validated" in result.stderr) == (0, True)
    assert json.loads(result.stdout)["resourceType"] == "Bundle"


def test_a_session_that_was_taken_out_of_the_list_is_missed(folder: Path) -> None:
    connection = sqlite3.connect(ledger_path(folder))
    connection.execute("DELETE FROM session_lines WHERE session_id = ?", (FIRST,))
    connection.commit()
    connection.close()
    result = export(folder, "--all", "--format", "csv")
    assert result.exit_code == codes.LOG
    assert "Sessions may be missing here: the list of sessions is not what the entries say." in result.stderr
