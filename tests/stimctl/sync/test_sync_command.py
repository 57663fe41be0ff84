"""`stimctl log sync`, through the command as a person calls it, into a real PostgreSQL."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from stimctl.cli import codes, main
from stimctl.ledger import Ledger
from tests.stimctl.ledger.conftest import write_session
from tests.stimctl.sync.conftest import PASSWORD, Rows


def sync(folder: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["log", "--data", str(folder), "sync", *arguments, "--machine", "PC-1"])


@pytest.mark.realtime
def test_it_says_what_was_sent_and_what_holds(ledger: Ledger, url: str, far_rows: Rows, tmp_path: Path) -> None:
    folder = ledger.path.parent
    first = sync(folder, url, "--verify")
    assert (first.exit_code, first.stderr) == (0, "")
    assert "PC-1: 15 entries sent to postgresql://clinic@127.0.0.1" in first.stdout
    assert "all are intact, and follow" in first.stdout
    again = sync(folder, url, "--json")
    document = json.loads(again.stdout)
    assert (document["sent"], document["number"], document["faults"]) == (0, 15, None)
    far_rows("ALTER TABLE stimctl.entries DISABLE TRIGGER ALL")
    far_rows("DELETE FROM stimctl.entries WHERE number = 3")
    hole = sync(folder, url, "--verify")
    assert (hole.exit_code, "entry 4 is behind a gap" in hole.stderr) == (codes.LOG, True)
    with Ledger(tmp_path / "other" / "ledger.sqlite") as other:
        write_session(other, session_id="s-2")
        write_session(other, session_id="s-3")
    contradicting = sync(tmp_path / "other", url)
    assert (contradicting.exit_code, "another chain of 'PC-1'" in contradicting.stderr) == (codes.LOG, True)
    assert PASSWORD not in "".join(each.output for each in (first, again, hole, contradicting))
