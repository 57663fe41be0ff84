"""What a child process holds of its parent's session: nothing, whichever way it came to be.

The parent here is a process of its own, which is killed while its child lives.
"""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import tty
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from stimctl.errors import PortBusy
from stimctl.lock_file import is_alive
from stimctl.port import open_port
from stimctl.remote_stop import stop_all

pytestmark = [
    pytest.mark.realtime,
    pytest.mark.skipif(not hasattr(os, "fork"), reason="without fork nothing is inherited"),
]

# Holds a port, a lock file and a stop endpoint, makes a child, and says the child's number. `CHILD` is what the child
# does first; then it says "ready" and lives until its parent's far end tells it to end.
PARENT = """
import os, signal, subprocess, sys
from pathlib import Path
from stimctl.lock_file import ProcessLock
from stimctl.remote_stop import ControlEndpoint, StopOutcome
from stimctl.errors import LineLost, NotSent
from stimctl.port import open_port

url, lock, folder, how = sys.argv[1:]
port = open_port(url)
held = ProcessLock(Path(lock))
endpoint = ControlEndpoint(lambda r: StopOutcome(zero_confirmed=True), lambda: {"session_id": "s"}, folder=Path(folder))

def said(function, *arguments):
    try:
        return function(*arguments)
    except (LineLost, NotSent) as fault:
        return f"{type(fault).__name__}: {fault}"

def child():
    print("write:", said(port.write, b"from the child"))
    print("wait:", said(port.wait, port.now_us() + 1000))
    port.wake()
    port.close()
    port.close()
    held.release()
    endpoint.close()
    print("ready", os.getpid(), flush=True)

if how == "fork":
    if os.fork() == 0:
        child()
        signal.pause()
elif how == "silent fork":
    if os.fork() == 0:
        print("ready", os.getpid(), flush=True)
        signal.pause()
elif how == "multiprocessing":
    import multiprocessing
    def run():
        child()
        signal.pause()
    multiprocessing.get_context("fork").Process(target=run).start()
else:
    sleeper = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"], close_fds=False)
    print("ready", sleeper.pid, flush=True)
signal.pause()
"""
WAYS = ["fork", "silent fork", "multiprocessing", "exec"]


class Family:
    """A parent, its child, and the terminal, lock file and folder that are the parent's."""

    def __init__(self, how: str, place: Path, name: str, far: int | None = None) -> None:
        self.name = name
        self.far = far
        self.lock = place / "it.lock"
        self.folder = place / "run"
        command = [sys.executable, "-c", PARENT, name, str(self.lock), str(self.folder), how]
        self.parent = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.parent.stdout is not None
        self.said: list[str] = []
        while not (line := self.parent.stdout.readline()).startswith("ready"):
            assert line, "it ended before it had a child"
            self.said.append(line.strip())
        self.child = int(line.split()[1])

    def kill_parent(self) -> None:
        self.parent.kill()
        self.parent.wait()
        os.kill(self.child, 0)  # it lives on

    def end(self) -> None:
        self.parent.kill()
        os.kill(self.child, signal.SIGKILL)
        self.parent.wait()
        assert self.parent.stdout is not None
        self.parent.stdout.close()


@pytest.fixture
def place() -> Iterator[Path]:
    """A short name: a local socket's is limited to about a hundred bytes."""
    with tempfile.TemporaryDirectory(prefix="stimctl-") as made:
        yield Path(made)


@pytest.fixture
def family(request: pytest.FixtureRequest, place: Path) -> Iterator[Family]:
    far, near = os.openpty()
    tty.setraw(near)
    name = os.ttyname(near)
    os.close(near)
    made = Family(request.param, place, name, far)
    yield made
    made.end()
    os.close(far)


@pytest.mark.parametrize("family", WAYS, indirect=True)
def test_as_long_as_the_parent_lives_all_is_its_own(family: Family) -> None:
    """Also where the child has closed everything on its way out."""
    with pytest.raises(PortBusy):
        open_port(family.name)
    assert is_alive(family.lock)
    assert [report.session_id for report in stop_all(folder=family.folder)] == ["s"]


@pytest.mark.parametrize("family", WAYS, indirect=True)
def test_when_the_parent_dies_its_child_keeps_nothing_locked(family: Family) -> None:
    family.kill_parent()
    open_port(family.name).close()
    assert not is_alive(family.lock)
    (address,) = family.folder.glob("*.sock")
    with socket.socket(socket.AF_UNIX) as caller, pytest.raises(ConnectionRefusedError):
        caller.connect(str(address))
    assert stop_all(folder=family.folder) == []
    assert list(family.folder.iterdir()) == []


@pytest.mark.parametrize("family", ["fork", "multiprocessing"], indirect=True)
def test_a_child_cannot_write_to_its_parents_port(family: Family) -> None:
    write, wait = family.said
    assert write.startswith("write: NotSent: ")
    assert f"wait: LineLost: {family.name}: the port belongs to process {family.parent.pid};" in wait
    assert family.far is not None
    os.set_blocking(family.far, False)
    with pytest.raises(BlockingIOError):
        os.read(family.far, 100)


def test_over_tcp_a_child_that_closes_hangs_up_for_nobody(place: Path) -> None:
    """pyserial shuts a socket down as it closes it, which would end the parent's line too."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        family = Family("fork", place, f"socket://127.0.0.1:{server.getsockname()[1]}")
        far, _ = server.accept()
        try:
            far.setblocking(False)
            with pytest.raises(BlockingIOError):
                far.recv(100)
            far.setblocking(True)
            family.kill_parent()
            assert far.recv(100) == b"", "and when the parent dies, the line is closed"
        finally:
            far.close()
            family.end()
    assert family.said[0].startswith("write: NotSent: ")


def test_a_child_of_a_parent_that_closed_its_port_touches_no_other_file(tmp_path: Path) -> None:
    """The numbers of what was closed are other files' by then."""
    far, near = os.openpty()
    tty.setraw(near)
    port = open_port(os.ttyname(near))
    port.close()
    with (tmp_path / "other").open("w+") as other:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of threads that another test may have left
            child = os.fork()
        if child == 0:
            other.write("from the child")
            other.flush()
            os._exit(0)
        os.waitpid(child, 0)
        other.seek(0)
        assert other.read() == "from the child"
    os.close(near)
    os.close(far)


SESSION = """
import os, sys, time
from pathlib import Path
from stimctl.api import Session
from stimctl.errors import Misuse
from stimctl.ledger import Ledger
from stimctl.session.states import State
from tests.stimctl.session.world import prescription

def child(session):
    for ask in (session.stop, session.view, session.check_in, session.wait, session.take_events):
        try:
            ask()
        except Misuse as refused:
            print(refused)

with Ledger(Path(sys.argv[1])) as ledger, Session("sim://?pace=real", prescription(seconds=3), ledger) as session:
    session.start()
    while session.view().state is not State.RAMPING:
        time.sleep(0.01)
    if (pid := os.fork()) == 0:
        child(session)
        session.__exit__(None, None, None)
        print("left", flush=True)
        os._exit(0)
    os.waitpid(pid, 0)
    report = session.wait(20)
    print(report.end.name, report.agreement["exact"])
print(os.getpid())
"""


def test_a_child_neither_stops_its_parents_session_nor_waits_for_it_and_is_told(tmp_path: Path) -> None:
    """A stop that does nothing must not pass for one; nor may a child that leaves the `with` wait for ever."""
    command = [sys.executable, "-c", SESSION, str(tmp_path / "ledger.sqlite")]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    *refused, left, end, parent = ended.stdout.splitlines()
    assert refused == [f"the session belongs to process {parent}: a forked child can neither see nor stop it"] * 5
    assert (left, end) == ("left", "TIMER True")
