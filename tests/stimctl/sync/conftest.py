"""A real PostgreSQL for the tests: a cluster of its own in a temporary folder, with a password."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from stimctl.ledger import Ledger
from stimctl.sync.far import FarDatabase
from stimctl.sync.push import ChainPush
from tests.stimctl.ledger.conftest import write_session

PASSWORD = "open sesame/5"
QUOTED = "open%20sesame%2F5"


def programs() -> Path | None:
    """Where Debian has the server's programs, or the path."""
    found = shutil.which("initdb")
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: float(folder.parent.name))
    return Path(found).parent if found else folders[-1] if folders else None


class PostgresCluster:
    """A server that can be stopped and killed. It refuses to run as root, so another user runs it then."""

    def __init__(self, folder: Path, binaries: Path, **settings: str) -> None:
        self.folder, self._binaries, self._settings = folder, binaries, settings
        self._as: dict[str, object] = {}
        if os.geteuid() == 0:
            known = {each.pw_name: each for each in pwd.getpwall()}
            user = known.get("postgres") or known["nobody"]
            self._as = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
            os.chown(folder, user.pw_uid, user.pw_gid)
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        word = folder / "password"
        word.write_text(PASSWORD)
        word.chmod(0o644)
        self._run("initdb", "--no-sync", "-U", "clinic", "-A", "scram-sha-256", f"--pwfile={word}", "-E", "UTF8")
        self.start()

    def _run(self, name: str, *options: str) -> None:
        command = [str(self._binaries / name), "-D", str(self.folder / "data"), *options]
        done = subprocess.run(command, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=subprocess.PIPE, check=False, **self._as)  # type: ignore[call-overload]  # fmt: skip
        assert done.returncode == 0, done.stderr

    def start(self) -> None:
        where = {"listen_addresses": "127.0.0.1", "port": self.port, "unix_socket_directories": self.folder}
        given = " ".join(f"-c {name}={value}" for name, value in {**where, **self._settings}.items())
        self._run("pg_ctl", "-w", "-l", str(self.folder / "server.log"), "-o", given, "start")

    def stop(self) -> None:
        """At once, as when the power goes."""
        self._run("pg_ctl", "-w", "-m", "immediate", "stop")

    def admin(self, database: str = "postgres") -> psycopg.Connection:
        return psycopg.connect(self.url(database), autocommit=True)

    def url(self, database: str, *, port: int | None = None) -> str:
        return f"postgresql://clinic:{QUOTED}@127.0.0.1:{port or self.port}/{database}"


# What is lost when the power goes is of no interest to a test that is over by then.
SETTINGS = {"fsync": "off", "shared_buffers": "16MB", "max_connections": "20", "autovacuum": "off"}


@contextmanager
def a_cluster(**settings: str) -> Iterator[PostgresCluster]:
    """A cluster, gone at the end; skips the test where there is no server to run."""
    binaries = programs()
    if binaries is None:
        pytest.skip("there is no PostgreSQL server here (Debian: apt-get install postgresql)")
    with tempfile.TemporaryDirectory(prefix="stimctl-pg-", ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o755)
        found = PostgresCluster(Path(name), binaries, **settings)
        yield found
        found.stop()


@pytest.fixture(scope="session")
def cluster() -> Iterator[PostgresCluster]:
    with a_cluster(**SETTINGS) as found:
        yield found


@pytest.fixture
def database(cluster: PostgresCluster) -> str:
    """The name of a database in which there is nothing. To make one for each test would take longer than the tests."""
    with cluster.admin() as connection:
        connection.execute("DROP SCHEMA IF EXISTS stimctl CASCADE")
    return "postgres"


@pytest.fixture
def url(cluster: PostgresCluster, database: str) -> str:
    return cluster.url(database)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "ledger.sqlite"


@pytest.fixture
def ledger(path: Path) -> Iterator[Ledger]:
    """Two sessions: one that was closed, and one that was cut short."""
    with Ledger(path) as opened:
        write_session(opened, session_id="s-1", simulator=False)
        write_session(opened, session_id="s-2", close=False)
        yield opened


class Rows:
    """What stands at the far end."""

    def __init__(self, cluster: PostgresCluster, database: str) -> None:
        self._cluster, self._database = cluster, database

    def __call__(self, query: str, *values: object) -> list[tuple[object, ...]]:
        with self._cluster.admin(self._database) as connection:
            found = connection.execute(query.encode(), values)
            return found.fetchall() if found.description else []

    def numbers(self, machine: str = "PC-1") -> list[object]:
        query = "SELECT number FROM stimctl.entries WHERE machine = %s ORDER BY number"
        return [number for (number,) in self(query, machine)]


@pytest.fixture
def far_rows(cluster: PostgresCluster, database: str) -> Rows:
    return Rows(cluster, database)


@pytest.fixture
def push(url: str) -> Iterator[Callable[..., ChainPush]]:
    """A push of a ledger as machine PC-1, that waits for nothing."""
    opened: list[FarDatabase] = []

    def make(ledger: Ledger, machine: str = "PC-1", *, to: str = url) -> ChainPush:
        opened.append(FarDatabase(to))
        return ChainPush(ledger, opened[-1], machine, pause=lambda _seconds: None)

    yield make
    for far in opened:
        far.close()
