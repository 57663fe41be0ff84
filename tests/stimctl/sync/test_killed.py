"""`stimctl log sync` killed at any moment: the far end holds a beginning of the chain, and the next sync the whole."""

import json
import random
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from stimctl.ledger import Ledger
from tests.stimctl.ledger.conftest import write_session
from tests.stimctl.sync.conftest import PostgresCluster, Rows

pytestmark = [pytest.mark.realtime, pytest.mark.slow]
SESSIONS = 20
# In small batches, each of which says where the far end stands: many commits to be killed between.
PROGRAM = """
import sys
from stimctl.cli import main
from stimctl.sync import push
push.AT_ONCE = 7
batch = push.ChainPush._batch
def told(*arguments):
    found = batch(*arguments)
    print("batch", flush=True)
    return found
push.ChainPush._batch = told
main(sys.argv[1:])
"""


def sync(data: Path, url: str, *, batches: int, further_s: float) -> "tuple[int, str]":
    """Killed after so many batches and a little more; the exit code and what it said."""
    command = [sys.executable, "-c", PROGRAM, "log", "--data", str(data), "sync", url, "--machine", "PC-1", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout
        said = [child.stdout.readline() for _ in range(batches)]
        threading.Event().wait(further_s)
        child.kill()
        said += child.stdout.readlines()
    return child.returncode, "".join(said)


def test_the_far_end_holds_a_beginning_of_the_chain_and_then_the_whole(
    path: Path, cluster: PostgresCluster, database: str, far_rows: Rows
) -> None:
    chance = random.Random(20260131)
    with Ledger(path) as ledger:
        for index in range(SESSIONS):
            write_session(ledger, session_id=f"s-{index}", close=index % 3 > 0)
        whole = [tuple(row) for row in ledger.rows_between(0, 999, 999)]
    columns = "number, session_id, kind, at_us, utc, body, previous, hash"
    url, kills, there = cluster.url(database), 0, 0
    while True:
        code, said = sync(path.parent, url, batches=chance.randrange(3), further_s=chance.uniform(0, 0.05))
        found = far_rows(f"SELECT {columns} FROM stimctl.entries ORDER BY number") if _made(far_rows) else []
        assert found == whole[: len(found)], "entries in order, each once"
        assert len(found) >= there, "what the far end had, it keeps"
        there, kills = len(found), kills + (code != 0)
        if code == 0:
            assert json.loads(said[said.index("{") :])["number"] == len(whole)
        if there == len(whole):
            break
        assert kills < 200
    assert kills > 5, "it was killed often enough for this to mean something"
    assert far_rows("SELECT count(*) FROM stimctl.sessions") == [(SESSIONS,)]
    assert far_rows("SELECT * FROM stimctl.chain_faults('PC-1')") == []
    with Ledger(path) as ledger:
        assert ledger.verify().ok


def _made(rows: Rows) -> bool:
    return rows("SELECT to_regclass('stimctl.entries') IS NOT NULL") == [(True,)]
