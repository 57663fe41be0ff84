"""A line that is cut anywhere, a server that dies in the middle of a batch: each entry is there once, in order."""

import os
import random
import shutil
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from stimctl.errors import LineLost
from stimctl.ledger import Ledger, SessionSummary
from stimctl.sync.far import FarDatabase
from stimctl.sync.push import ChainPush
from tests.stimctl.ledger.conftest import write_session
from tests.stimctl.sync.conftest import PostgresCluster, Rows
from tests.stimctl.sync.cutting import cutting

pytestmark = pytest.mark.realtime
SESSIONS = 16


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("long") / "data"
    with Ledger(folder / "ledger.sqlite") as opened:
        for index in range(SESSIONS):
            write_session(opened, session_id=f"s-{index}", close=index % 3 > 0)
    return folder


@pytest.fixture
def long_ledger(written: Path, path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ledger]:
    """Some hundred entries of 16 sessions, in batches of 10."""
    monkeypatch.setattr("stimctl.sync.push.AT_ONCE", 10)
    shutil.copytree(written, path.parent)
    with Ledger(path) as opened:
        yield opened


def wait(seconds: float) -> None:
    threading.Event().wait(seconds / 4)


def same(ledger: Ledger, rows: Rows) -> bool:
    columns = "number, session_id, kind, at_us, utc, body, previous, hash"
    there = rows(f"SELECT {columns} FROM stimctl.entries ORDER BY number")
    sessions = rows("SELECT count(*) FROM stimctl.sessions")
    return there == [tuple(row) for row in ledger.rows_between(0, 999, 999)] and sessions == [(SESSIONS,)]


@pytest.mark.parametrize("seed", range(2))
def test_cut_at_random_bytes(
    long_ledger: Ledger, cluster: PostgresCluster, database: str, far_rows: Rows, seed: int
) -> None:
    cuts = random.Random(seed)
    with cutting(cluster.port, [cuts.randrange(1, 40_000) for _ in range(12)]) as proxy:
        tried = 0
        while True:
            far = FarDatabase(cluster.url(database, port=proxy.port))
            tried += 1
            try:
                ChainPush(long_ledger, far, "PC-1", pause=lambda _seconds: None).run()
                break
            except LineLost:
                assert tried < 20
            finally:
                far.close()
        assert proxy.cut >= 5
    assert same(long_ledger, far_rows)


def test_commits_that_nobody_heard_of(
    long_ledger: Ledger, cluster: PostgresCluster, database: str, far_rows: Rows
) -> None:
    with cutting(cluster.port, [], deaf_commits=4) as proxy:
        far = FarDatabase(cluster.url(database, port=proxy.port))
        report = ChainPush(long_ledger, far, "PC-1", pause=lambda _seconds: None).run()
        far.close()
        assert proxy.cut == 4
    assert (report.cuts, report.sent) == (4, long_ledger.head().number)
    assert same(long_ledger, far_rows)


class DisturbedLedger(Ledger):
    """Does something in the middle of a batch, when its entries are sent and not committed."""

    disturb: Callable[[], None]
    calls = 0

    def outline(self, session_id: str, kinds: Sequence[str]) -> SessionSummary | None:
        self.calls += 1
        if self.calls == 5:
            self.disturb()
        return super().outline(session_id, kinds)


@pytest.mark.parametrize("how", ["restart", "kill"])
def test_a_server_that_dies_in_mid_batch(
    long_ledger: Ledger, cluster: PostgresCluster, url: str, database: str, far_rows: Rows, how: str
) -> None:
    def kill() -> None:
        query = "SELECT pid FROM pg_stat_activity WHERE application_name = 'stimctl' AND datname = %s"
        ((pid,),) = far_rows(query, database)
        os.kill(int(str(pid)), signal.SIGKILL)

    def restart() -> None:
        cluster.stop()
        cluster.start()

    long_ledger.close()
    far = FarDatabase(url)
    with DisturbedLedger(long_ledger.path) as disturbed:
        disturbed.disturb = kill if how == "kill" else restart
        report = ChainPush(disturbed, far, "PC-1", pause=wait).run()
        far.close()
        assert report.cuts >= 1
        assert same(disturbed, far_rows)
