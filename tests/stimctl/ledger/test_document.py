"""One session, one document: from a run, from the log, from an export; and the schema that describes it."""

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from pydantic import TypeAdapter

from stimctl.cli import codes, main
from stimctl.ledger.document import SCHEMA_FILE, SessionDocument, schema_text
from stimctl.profile import examples_folder

RUN = ("run", "bench-2-100hz", "--port", "sim://", "--prescription", str(examples_folder() / "bench-2-100hz.toml"))


@pytest.fixture
def documents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.setenv("STIMCTL_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("STIMCTL_RUN", f"/tmp/stimctl-{tmp_path.name[-12:]}")
    commands = {"run": (*RUN, "--json"), "show": ("log", "show", "latest", "--json")}
    commands["export"] = ("log", "export", "latest", "--format", "json")
    return {name: json.loads(CliRunner().invoke(main, command).stdout) for name, command in commands.items()}


def test_it_is_one_document_of_one_shape(documents: dict[str, Any]) -> None:
    run, show, export = (documents[name] for name in ("run", "show", "export"))
    assert run["session"] == show["session"] == export["session"]
    names = ["watermark", "format", "verifies", "session", "course", "entries", "run"]
    assert list(run) == list(show) == list(export) == names
    assert (run["course"], show["course"], export["course"]) == (None, None, None), "it belongs to none"
    assert (show["entries"], show["run"], run["entries"], export["run"]) == (None, None, None, None)
    assert len(export["entries"]) == export["session"]["entries"]
    assert (run["run"]["log_fault"], run["run"]["log_lost"]) == (None, None)
    last = export["entries"][-1]
    assert run["run"]["log_head"] == {"number": last["number"], "hash": last["hash"]}


def test_it_says_whether_it_verifies_and_how_each_figure_is_known(documents: dict[str, Any], tmp_path: Path) -> None:
    assert [documents[name]["verifies"] for name in ("run", "show", "export")] == [True, True, True]
    assert documents["run"]["session"]["channels"][0]["standing"] == {"delivered": "counted", "measured": "measured"}
    changed = sqlite3.connect(tmp_path / "data" / "ledger.sqlite", isolation_level=None)
    (trigger,) = changed.execute("SELECT sql FROM sqlite_schema WHERE name = 'entries_never_change'").fetchone()
    changed.execute("DROP TRIGGER entries_never_change")
    changed.execute("UPDATE entries SET at_us = at_us + 1 WHERE number = 3")
    changed.execute(trigger)
    changed.close()
    shown = CliRunner().invoke(main, ("log", "show", "latest", "--json"))
    document = json.loads(shown.stdout)
    assert (shown.exit_code, document["verifies"]) == (codes.LOG, False)
    assert document["session"]["faults"] == ["entry 3 is not what was hashed: it was changed"]


@pytest.mark.parametrize("name", ["run", "show", "export"])
def test_it_is_what_the_schema_describes(documents: dict[str, Any], name: str) -> None:
    text = json.dumps(documents[name])
    again = TypeAdapter(SessionDocument).validate_json(text)
    assert json.loads(TypeAdapter(SessionDocument).dump_json(again)) == documents[name]
    schema = json.loads(SCHEMA_FILE.read_text("utf-8"))
    assert set(schema["properties"]) == set(documents[name])
    for part in ("SessionSummary", "SessionHead", "ChannelSummary"):
        assert schema["$defs"][part]["required"]


def test_the_schema_that_stands_is_the_one_that_is_made() -> None:
    assert SCHEMA_FILE.read_text("utf-8") == schema_text()
