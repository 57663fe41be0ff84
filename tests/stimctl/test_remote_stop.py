"""Stopping from another terminal: real sockets, real processes, real file modes."""

import contextlib
import json
import os
import signal
import socket
import stat
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from multiprocessing.connection import Client
from pathlib import Path

import pytest
from click.testing import CliRunner

from stimctl.cli import codes
from stimctl.cli.stop import stop
from stimctl.errors import LineLost, Misuse
from stimctl.remote_stop import (
    CALLERS_AT_ONCE,
    ControlEndpoint,
    StopOutcome,
    StopReport,
    StopStatus,
    stop_all,
)
from stimctl.stop_connection import CALLER_TIMEOUT_S

posix_only = pytest.mark.skipif(os.name != "posix", reason="file modes and signals are POSIX")


@pytest.fixture
def folder() -> Iterator[Path]:
    """A short name: a local socket's is limited to about a hundred bytes."""
    with tempfile.TemporaryDirectory(prefix="stimctl-") as made:
        yield Path(made) / "run"


class Session:
    """What a session gives to its endpoint."""

    def __init__(self, *, zero: bool = True, session_id: str | None = "s-1") -> None:
        self.reasons: list[str] = []
        self.zero = zero
        self.session_id = session_id
        self.release = threading.Event()
        self.release.set()

    def on_stop(self, reason: str) -> StopOutcome:
        self.reasons.append(reason)
        self.release.wait(10)
        return StopOutcome(zero_confirmed=self.zero, after_us=21_000 if self.zero else None)

    def describe(self) -> dict[str, str | None]:
        return {"session_id": self.session_id, "url": "sim://"}


def test_stop_reaches_the_session_and_tells_of_zero(folder: Path) -> None:
    session = Session()
    with ControlEndpoint(session.on_stop, session.describe, folder=folder):
        (report,) = stop_all(folder=folder, reason="asked by a test")
    assert session.reasons == ["asked by a test"]
    assert (report.pid, report.session_id, report.outcome, report.after_us) == (
        os.getpid(),
        "s-1",
        StopStatus.ZERO,
        21_000,
    )
    assert report.about == {"session_id": "s-1", "url": "sim://"}
    assert report.sentence() == f"session s-1 of process {os.getpid()}: stopped, zero confirmed after 21000 us"


def test_zero_that_is_not_confirmed_says_pull_the_leads(folder: Path) -> None:
    session = Session(zero=False, session_id=None)
    with ControlEndpoint(session.on_stop, session.describe, folder=folder):
        (report,) = stop_all(folder=folder)
    assert report.outcome is StopStatus.NOT_CONFIRMED
    said = "stopped, but zero was not confirmed: PULL THE LEADS"
    assert report.sentence() == f"session (not opened yet) of process {os.getpid()}: {said}"


def test_fault_in_the_session_is_told(folder: Path) -> None:
    def on_stop(_reason: str) -> StopOutcome:
        raise LineLost("the cable is out")

    with ControlEndpoint(on_stop, Session().describe, folder=folder):
        (report,) = stop_all(folder=folder)
    assert (report.outcome, report.detail) == (StopStatus.NOT_CONFIRMED, "the cable is out")


def test_none_running(folder: Path) -> None:
    assert stop_all(folder=folder) == []
    with ControlEndpoint(Session().on_stop, Session().describe, folder=folder):
        pass
    assert stop_all(folder=folder) == []


def test_several_sessions_are_stopped_together(folder: Path) -> None:
    sessions = [Session(session_id=f"s-{number}") for number in range(3)]
    endpoints = [ControlEndpoint(session.on_stop, session.describe, folder=folder) for session in sessions]
    assert {report.session_id for report in stop_all(folder=folder)} == {"s-0", "s-1", "s-2"}
    for endpoint in endpoints:
        endpoint.close()
    assert all(session.reasons == ["stimctl stop"] for session in sessions)


def test_session_that_does_not_answer_is_unreachable_and_does_not_hold_up_the_others(folder: Path) -> None:
    slow, quick = Session(session_id="slow"), Session(session_id="quick")
    slow.release.clear()
    with (
        ControlEndpoint(slow.on_stop, slow.describe, folder=folder),
        ControlEndpoint(quick.on_stop, quick.describe, folder=folder),
    ):
        reports = stop_all(0.5, folder=folder)
        slow.release.set()
    assert sorted(report.outcome for report in reports) == [StopStatus.UNREACHABLE, StopStatus.ZERO]
    assert slow.reasons == ["stimctl stop"], "it was ordered all the same"


def endpoint_files(folder: Path) -> tuple[Path, str]:
    (key_file,) = folder.glob("*.json")
    return key_file, str(key_file.with_suffix(".sock"))


@posix_only
def test_folder_and_key_are_this_users_alone(folder: Path) -> None:
    with ControlEndpoint(Session().on_stop, Session().describe, folder=folder):
        modes = {path.suffix: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert modes[".json"] == modes[".lock"] == 0o600
    assert list(folder.iterdir()) == []


@posix_only
@pytest.mark.parametrize("mode", [0o755, 0o770, 0o701])
def test_folder_open_to_others_is_refused(folder: Path, mode: int) -> None:
    folder.mkdir()
    folder.chmod(mode)
    with pytest.raises(Misuse, match="chmod 700"):
        ControlEndpoint(Session().on_stop, Session().describe, folder=folder)
    assert list(folder.iterdir()) == []


@posix_only
def test_folder_that_is_a_link_or_anothers_is_refused(folder: Path) -> None:
    target = folder.with_name("elsewhere")
    target.mkdir(mode=0o700)
    folder.symlink_to(target)
    with pytest.raises(Misuse, match="a folder of yours"):
        ControlEndpoint(Session().on_stop, Session().describe, folder=folder)
    if os.getuid() == 0:
        os.chown(target, 65534, 65534)
        with pytest.raises(Misuse, match="a folder of yours"):
            ControlEndpoint(Session().on_stop, Session().describe, folder=target)


@posix_only
def test_wrong_key_stops_nothing(folder: Path) -> None:
    session = Session()
    with ControlEndpoint(session.on_stop, session.describe, folder=folder):
        key_file, _ = endpoint_files(folder)
        record = json.loads(key_file.read_text())
        key_file.write_text(json.dumps({**record, "key": "00" * 32}))
        (report,) = stop_all(folder=folder)
    assert report.outcome is StopStatus.UNREACHABLE
    assert session.reasons == []


@posix_only
def test_nonsense_and_silent_callers_change_nothing(folder: Path) -> None:
    session = Session()
    with ControlEndpoint(session.on_stop, session.describe, folder=folder):
        key_file, address = endpoint_files(folder)
        silent = socket.socket(socket.AF_UNIX)
        silent.connect(address)
        for junk in (b"", b"\x00" * 100, b"\xff\xff\xff\xff" * 10, b"GET / HTTP/1.0\r\n\r\n"):
            with socket.socket(socket.AF_UNIX) as caller:
                caller.connect(address)
                caller.sendall(junk)
        key = bytes.fromhex(json.loads(key_file.read_text())["key"])
        for request in (b"", b"null", b"[1]", b'{"command": "start"}', b"not json", b"x" * 10_000):
            with Client(address, authkey=key) as line:
                line.send_bytes(request)
        assert session.reasons == []
        (report,) = stop_all(folder=folder)
        silent.close()
    assert report.outcome is StopStatus.ZERO, "and a stop still goes through"


def test_damaged_key_file_of_a_living_session_is_told_not_cleaned(folder: Path) -> None:
    with ControlEndpoint(Session().on_stop, Session().describe, folder=folder):
        key_file, _ = endpoint_files(folder)
        key_file.write_text("{")
        (report,) = stop_all(folder=folder)
        assert report.outcome is StopStatus.UNREACHABLE
        assert key_file.exists()


def test_session_of_another_machine_is_not_ours_to_stop(folder: Path) -> None:
    session = Session()
    with ControlEndpoint(session.on_stop, session.describe, folder=folder):
        key_file, _ = endpoint_files(folder)
        record = json.loads(key_file.read_text())
        key_file.write_text(json.dumps({**record, "host": "another.machine"}))
        assert stop_all(folder=folder) == []
    assert session.reasons == []


def test_close_ends_all_threads_and_may_be_done_twice(folder: Path) -> None:
    before = set(threading.enumerate())
    endpoint = ControlEndpoint(Session().on_stop, Session().describe, folder=folder)
    stop_all(folder=folder)
    endpoint.close()
    endpoint.close()
    assert not {thread.name for thread in threading.enumerate() if thread not in before} & {"stop endpoint"}
    assert list(folder.iterdir()) == []


def test_long_folder_name_is_a_sentence(tmp_path: Path) -> None:
    if os.name != "posix":
        pytest.skip("a pipe has no folder")
    with pytest.raises(Misuse, match="too long for a local socket; set STIMCTL_RUN"):
        ControlEndpoint(Session().on_stop, Session().describe, folder=tmp_path / ("x" * 120))


CHILD = """
import sys
from pathlib import Path
from stimctl.remote_stop import ControlEndpoint, StopOutcome
def on_stop(reason):
    print("stopped:", reason, flush=True)
    return StopOutcome(zero_confirmed=True, after_us=5)
endpoint = ControlEndpoint(on_stop, lambda: {"session_id": "s-child"}, folder=Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
"""


@pytest.fixture
def child(folder: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", CHILD, str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        yield process
        process.kill()


@pytest.mark.realtime
def test_stop_reaches_another_process(folder: Path, child: subprocess.Popen[str]) -> None:
    (report,) = stop_all(folder=folder)
    assert (report.pid, report.session_id, report.outcome) == (child.pid, "s-child", StopStatus.ZERO)
    assert child.stdout
    assert child.stdout.readline() == "stopped: stimctl stop\n"


@pytest.mark.realtime
def test_endpoint_of_a_dead_process_is_cleaned_by_stop_and_by_the_next_session(
    folder: Path, child: subprocess.Popen[str]
) -> None:
    left = [path for path in folder.iterdir() if path.suffix in (".json", ".lock", ".sock")]
    assert len(left) >= 2
    child.kill()
    child.wait()
    kept = {path: path.read_bytes() for path in left if path.suffix in (".json", ".lock")}
    assert stop_all(folder=folder) == []
    assert list(folder.iterdir()) == []
    for path, content in kept.items():
        path.write_bytes(content)
    with ControlEndpoint(Session().on_stop, Session().describe, folder=folder):
        assert {path.stem for path in folder.iterdir()}.isdisjoint(path.stem for path in left)


@posix_only
@pytest.mark.realtime
def test_stopped_process_is_unreachable_in_time_and_kept(folder: Path, child: subprocess.Popen[str]) -> None:
    """A process that hangs still drives a stimulator until the watchdog acts: it is told of, not cleaned."""
    child.send_signal(signal.SIGSTOP)
    begin = time.monotonic()
    (report,) = stop_all(0.3, folder=folder)
    assert time.monotonic() - begin < 5
    assert (report.outcome, report.detail) == (StopStatus.UNREACHABLE, "no answer within 0.3 s")
    assert report.sentence().startswith(f"session (whose id it did not say) of process {report.pid}: could not be")
    assert len(list(folder.glob("*.json"))) == 1
    child.send_signal(signal.SIGCONT)


@posix_only
@pytest.mark.realtime
@pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() != 0, reason="trying as another user takes root")
def test_another_user_cannot_reach_it(folder: Path) -> None:
    code = "import os, sys; os.setuid(65534); os.listdir(sys.argv[1])"
    session = Session()
    with ControlEndpoint(session.on_stop, session.describe, folder=folder):
        folder.parent.chmod(0o755)
        done = subprocess.run([sys.executable, "-c", code, str(folder)], capture_output=True, text=True, check=False)
    assert "PermissionError" in done.stderr


def test_command_says_what_it_stopped(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STIMCTL_RUN", str(folder))
    session = Session()
    with ControlEndpoint(session.on_stop, session.describe):
        result = CliRunner().invoke(stop, [])
        assert result.exit_code == 0
        assert result.output == f"Session s-1 of process {os.getpid()}: stopped, zero confirmed after 21000 us\n"
        documents = json.loads(CliRunner().invoke(stop, ["--json"]).output)
        assert (documents[0]["session_id"], documents[0]["outcome"]) == ("s-1", "zero confirmed")
        session.zero = False
        result = CliRunner().invoke(stop, [])
        assert result.exit_code == 5
        assert "PULL THE LEADS" in result.stderr
    result = CliRunner().invoke(stop, [])
    assert result.exit_code == 3
    assert "nothing was stopped" in result.output


def test_command_help_has_example_and_exit_codes() -> None:
    output = CliRunner().invoke(stop, ["--help"]).output
    assert "Example: stimctl stop" in output
    assert "0  every session was stopped" in output


def connected(address: str, count: int, said: bytes = b"") -> list[socket.socket]:
    callers = [socket.socket(socket.AF_UNIX) for _ in range(count)]
    for caller in callers:
        caller.connect(address)
        with contextlib.suppress(BrokenPipeError):  # it had to give up its place
            caller.sendall(said)
    return callers


@posix_only
@pytest.mark.parametrize(
    "said",
    [b"", b"\x00", struct.pack("!i", 40) + b"half a word", struct.pack("!i", -1), struct.pack("!iQ", -1, 1 << 40)],
)
@pytest.mark.parametrize("count", [1, CALLERS_AT_ONCE, 2 * CALLERS_AT_ONCE + 3])
def test_callers_who_say_half_a_word_do_not_keep_a_stop_waiting(folder: Path, count: int, said: bytes) -> None:
    """Fewer than there are places, as many, and more: nobody waits for them, not even for a moment."""
    session = Session()
    with ControlEndpoint(session.on_stop, session.describe, folder=folder):
        _, address = endpoint_files(folder)
        callers = connected(address, count, said)
        begin_s = time.monotonic()
        (report,) = stop_all(folder=folder)
        took_s = time.monotonic() - begin_s
        for caller in callers:
            caller.close()
    assert report.outcome is StopStatus.ZERO
    assert took_s < CALLER_TIMEOUT_S / 2


@posix_only
def test_where_all_places_are_taken_the_first_to_come_goes(folder: Path) -> None:
    """However many call, they take no more threads and descriptors than there are places."""
    with ControlEndpoint(Session().on_stop, Session().describe, folder=folder):
        _, address = endpoint_files(folder)
        begin_s = time.monotonic()
        callers = connected(address, CALLERS_AT_ONCE + 2)
        for caller in callers[:2]:
            caller.settimeout(5)
            while caller.recv(1_000):
                """What it is asked for its key; then the hang-up."""
        assert time.monotonic() - begin_s < CALLER_TIMEOUT_S / 2
        for caller in callers:
            caller.close()


@posix_only
def test_who_has_shown_the_key_keeps_its_line(folder: Path) -> None:
    session = Session()
    session.release.clear()
    with ControlEndpoint(session.on_stop, session.describe, folder=folder):
        _, address = endpoint_files(folder)
        reports: list[StopReport] = []
        asker = threading.Thread(target=lambda: reports.extend(stop_all(10, folder=folder)))
        asker.start()
        while not session.reasons:
            asker.join(0.01)
        callers = connected(address, 2 * CALLERS_AT_ONCE)
        stop_all(0.2, folder=folder)  # asked after them all, so that they all have a place or have had one
        session.release.set()
        asker.join(10)
        for caller in callers:
            caller.close()
    assert [report.outcome for report in reports] == [StopStatus.ZERO]


@posix_only
@pytest.mark.realtime
def test_who_drips_its_words_is_hung_up_on_in_a_second(folder: Path) -> None:
    """Each byte comes in time, and the message never does."""
    with ControlEndpoint(Session().on_stop, Session().describe, folder=folder):
        _, address = endpoint_files(folder)
        (caller,) = connected(address, 1, struct.pack("!i", 200))
        begin_s = time.monotonic()
        with contextlib.suppress(BrokenPipeError), caller:
            while time.monotonic() - begin_s < 5 * CALLER_TIMEOUT_S:
                caller.sendall(b"x")
                threading.Event().wait(0.05)
        assert CALLER_TIMEOUT_S * 0.5 < time.monotonic() - begin_s < 3 * CALLER_TIMEOUT_S


@posix_only
@pytest.mark.realtime
def test_who_never_reads_the_answer_keeps_nobody_waiting(folder: Path) -> None:
    """An answer larger than what a socket holds."""
    session = Session()
    endpoint = ControlEndpoint(session.on_stop, lambda: {"state": "x" * 4_000_000}, folder=folder)
    key_file, address = endpoint_files(folder)
    key = bytes.fromhex(json.loads(key_file.read_text())["key"])
    with Client(address, authkey=key) as line:
        line.send_bytes(b'{"command": "stop"}')
        while not session.reasons:
            threading.Event().wait(0.01)
        begin_s = time.monotonic()
        endpoint.close()
        assert time.monotonic() - begin_s < 3 * CALLER_TIMEOUT_S


@posix_only
def test_a_hundred_stops_at_once_are_all_answered(folder: Path) -> None:
    session = Session()
    reports: list[StopReport] = []
    with ControlEndpoint(session.on_stop, session.describe, folder=folder):
        ask = [threading.Thread(target=lambda: reports.extend(stop_all(10, folder=folder))) for _ in range(100)]
        for each in ask:
            each.start()
        for each in ask:
            each.join(10)
    assert [report.outcome for report in reports] == [StopStatus.ZERO] * 100


@posix_only
def test_when_no_thread_can_be_made_the_endpoint_listens_on(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    session = Session()
    with ControlEndpoint(session.on_stop, session.describe, folder=folder):
        _, address = endpoint_files(folder)
        refused = threading.Event()

        def start(thread: threading.Thread) -> None:
            refused.set()
            raise RuntimeError("can't start new thread")

        with monkeypatch.context() as patched:
            patched.setattr(threading.Thread, "start", start)
            (caller,) = connected(address, 1)
            assert refused.wait(5)
            assert caller.recv(1) == b"", "it is told by the hang-up"
            caller.close()
        (report,) = stop_all(folder=folder)
    assert report.outcome is StopStatus.ZERO


@posix_only
def test_close_does_not_wait_among_those_who_say_nothing(folder: Path) -> None:
    endpoint = ControlEndpoint(Session().on_stop, Session().describe, folder=folder)
    _, address = endpoint_files(folder)
    silent = connected(address, 2 * CALLERS_AT_ONCE)
    begin_s = time.monotonic()
    endpoint.close()
    assert time.monotonic() - begin_s < CALLER_TIMEOUT_S
    for caller in silent:
        caller.close()


def test_who_has_asked_is_answered_before_the_endpoint_goes(folder: Path) -> None:
    session = Session()
    session.release.clear()
    endpoint = ControlEndpoint(session.on_stop, session.describe, folder=folder)
    reports: list[StopReport] = []
    asker = threading.Thread(target=lambda: reports.extend(stop_all(10, folder=folder)))
    asker.start()
    while not session.reasons:
        asker.join(0.01)
    closer = threading.Thread(target=endpoint.close)
    closer.start()
    closer.join(0.2)
    assert closer.is_alive(), "it waits for the answer"
    session.release.set()
    closer.join(10)
    asker.join(10)
    assert [report.outcome for report in reports] == [StopStatus.ZERO]


@posix_only
def test_who_asks_too_late_stops_nothing(folder: Path) -> None:
    """The key was shown while the endpoint was open; the order comes after its close."""
    session = Session()
    endpoint = ControlEndpoint(session.on_stop, session.describe, folder=folder)
    key_file, address = endpoint_files(folder)
    key = bytes.fromhex(json.loads(key_file.read_text())["key"])
    with Client(address, authkey=key) as line:
        endpoint.close()
        line.send_bytes(b'{"command": "stop"}')
        reply = json.loads(line.recv_bytes())
    assert session.reasons == []
    assert (reply["zero_confirmed"], reply["detail"]) == (False, "the session was over already")


@posix_only
def test_a_folder_that_cannot_be_made_is_a_sentence(folder: Path) -> None:
    folder.parent.joinpath("file").write_text("no folder")
    with pytest.raises(Misuse, match="set STIMCTL_RUN"):
        ControlEndpoint(Session().on_stop, Session().describe, folder=folder.parent / "file" / "run")


@posix_only
@pytest.mark.realtime
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device that is always full is Linux's")
@pytest.mark.parametrize("options", [[], ["--json"]])
def test_what_was_done_is_told_by_the_exit_code_where_it_cannot_be_printed(folder: Path, options: list[str]) -> None:
    command = [sys.executable, "-c", "from stimctl.cli import main; main()", "stop", *options]
    environment = {**os.environ, "STIMCTL_RUN": str(folder)}
    with ControlEndpoint(Session().on_stop, Session().describe, folder=folder), Path("/dev/full").open("w") as full:
        done = subprocess.run(command, stdout=full, stderr=full, env=environment, check=False)
    assert done.returncode == codes.DONE, "3 says that nothing was stopped"
