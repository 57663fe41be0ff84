"""Stops a session from any other terminal: each session has an endpoint, and `stop_all` asks them all.

The port is locked by the session, so nobody else can reach the device; but the session can be asked. Each
session's process listens on a local socket (a named pipe on Windows) in a folder of this user alone, and
whoever asks must know a key that stands in a file of this user alone. The endpoint has threads of its own:
it hands a stop over and waits for the outcome there, and the session never waits for it.
"""

import json
import os
import secrets
import socket
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict, dataclass
from enum import StrEnum
from multiprocessing.connection import Client, Listener
from pathlib import Path
from typing import Any, Self

from stimctl.errors import Misuse, StimctlError
from stimctl.forking import tell_of_forks
from stimctl.lock_file import ProcessLock, remove
from stimctl.stop_connection import CALLER_FAULTS, StopConnection
from stimctl.stop_files import EndpointFiles, living, private, run_folders, write_key

STOP_TIMEOUT_S = 2.0  # for all sessions together; a zero is confirmed or given up within 0.1 s [choice]
CLOSE_TIMEOUT_S = 5.0
CALLERS_AT_ONCE = 64  # who have not said yet what they want; the next one takes the place of the first [choice]
LONGEST_ADDRESS = 100  # macOS takes 103 bytes, Linux 107


class StopStatus(StrEnum):
    """How the stop of one session went."""

    ZERO = "zero confirmed"
    NOT_CONFIRMED = "zero not confirmed"
    UNREACHABLE = "unreachable"


@dataclass(frozen=True, slots=True)
class StopOutcome:
    """A session's answer to a stop: whether the device measured zero, and how long after the order."""

    zero_confirmed: bool
    after_us: int | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class StopReport:
    """The outcome of a stop for one session. `about` is what its endpoint's `describe` gave.

    Without a `pid` it stands for those that may be where nobody can look.
    """

    pid: int | None
    session_id: str | None
    outcome: StopStatus
    after_us: int | None = None
    detail: str = ""
    about: dict[str, Any] | None = None

    def sentence(self) -> str:
        """What happened, and what to do where it is not all well."""
        if self.pid is None:
            return f"sessions of yours may run that are not found ({self.detail}): if one does, PULL THE LEADS"
        unnamed = "(not opened yet)" if self.about is not None else "(whose id it did not say)"
        name = f"session {self.session_id or unnamed} of process {self.pid}"
        after = "" if self.after_us is None else f" after {self.after_us} us"
        detail = f" ({self.detail})" if self.detail else ""
        if self.outcome is StopStatus.ZERO:
            return f"{name}: stopped, zero confirmed{after}{detail}"
        said = (
            "stopped, but zero was not confirmed"
            if self.outcome is StopStatus.NOT_CONFIRMED
            else "could not be reached"
        )
        return f"{name}: {said}{after}{detail}: PULL THE LEADS"


class ControlEndpoint:
    """Listens for a stop until closed. `on_stop(reason)` is called on a thread of the endpoint's own.

    `on_stop` orders the stop at once and returns when zero is confirmed or given up; `describe` gives
    JSON-able facts about the session, with "session_id" among them once there is one.
    Raises `Misuse` when its folder is not this user's alone.
    """

    def __init__(
        self,
        on_stop: Callable[[str], StopOutcome],
        describe: Callable[[], Mapping[str, Any]],
        *,
        folder: Path | None = None,
    ) -> None:
        self._on_stop = on_stop
        self._describe = describe
        self._closed = threading.Event()
        self._unheard: deque[StopConnection] = deque()
        self._answered = threading.Condition()
        self._answering = 0
        self._key = secrets.token_bytes(32)
        self._open_one([folder] if folder else run_folders())
        self._thread = threading.Thread(target=self._serve, name="stop endpoint", daemon=True)
        self._thread.start()
        tell_of_forks(self)

    def _open_one(self, folders: Iterable[Path]) -> None:
        refused = []
        for folder in folders:
            try:
                return self._open(folder)
            except (OSError, Misuse) as fault:
                refused.append(str(fault))
        advice = "set STIMCTL_RUN to a folder of yours"
        raise Misuse(f"no endpoint for `stimctl stop` can be made ({'; '.join(refused)}); {advice}")

    def _open(self, folder: Path) -> None:
        place = private(folder)
        list(living(place))  # removes what dead processes left
        self._endpoint = EndpointFiles(place, f"{os.getpid()}-{secrets.token_hex(4)}")
        self._alive = ProcessLock(self._endpoint.lock)
        try:
            self._listener = _listen(self._endpoint.address)
            write_key(self._endpoint, self._key)
        except BaseException:
            self._alive.release()
            raise

    def close(self) -> None:
        """Answer who has asked already, listen no more, and remove the endpoint's files. Harmless when done twice.

        After it `on_stop` is not called any more.
        """
        with self._answered:
            if self._closed.is_set():
                return
            self._closed.set()
        remove(self._endpoint.key_file)
        with suppress(OSError):
            _knock(self._endpoint.address)  # wakes the thread from its accept
        self._thread.join(CLOSE_TIMEOUT_S)
        self._listener.close()
        with self._answered:
            self._answered.wait_for(lambda: self._answering == 0, CLOSE_TIMEOUT_S)
        self._endpoint.clean()
        self._alive.release()

    def let_go_in_fork(self) -> None:
        """In a forked child: the endpoint and its files are the parent's, and here it is closed."""
        self._answered = threading.Condition()  # a thread that the child does not have may hold the old one
        self._closed = threading.Event()
        self._closed.set()
        self._listener.close()  # removes no file in another process than its maker's

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _serve(self) -> None:
        while not self._closed.is_set():
            try:
                line = self._listener.accept()
                if self._closed.is_set():
                    line.close()
                else:
                    self._welcome(line)
            except (OSError, EOFError, RuntimeError):
                # Out of descriptors or threads, for example: try again a little later, and go on listening.
                self._closed.wait(0.05)

    def _welcome(self, line: Any) -> None:
        """Give the caller of this connection a thread, so that one who says nothing does not keep a stop waiting."""
        caller = StopConnection(line)
        self._unheard.append(caller)
        while len(self._unheard) > CALLERS_AT_ONCE:
            with suppress(IndexError):  # it has been heard just now
                self._unheard.popleft().cut()
        try:
            threading.Thread(target=self._answer, args=(caller,), name="stop caller", daemon=True).start()
        except RuntimeError:
            self._heard_out(caller)
            caller.close()
            raise

    def _heard_out(self, caller: StopConnection) -> None:
        with suppress(ValueError):  # it had to give up its place
            self._unheard.remove(caller)

    def _answer(self, caller: StopConnection) -> None:
        with closing(caller), suppress(*CALLER_FAULTS):
            try:
                request = caller.request(self._key)
            finally:
                self._heard_out(caller)
            with self._turn() as open_still:
                reply = self._reply(request) if open_still else _OVER
                caller.answer(json.dumps(reply).encode())

    @contextmanager
    def _turn(self) -> Iterator[bool]:
        """Whether the endpoint is open still; while it answers, `close` waits."""
        with self._answered:
            self._answering += 1
            open_still = not self._closed.is_set()
        try:
            yield open_still
        finally:
            with self._answered:
                self._answering -= 1
                self._answered.notify_all()

    def _reply(self, request: Any) -> dict[str, Any]:
        if not isinstance(request, dict) or request.get("command") != "stop":
            return {"detail": "only a stop is understood here", "zero_confirmed": False}
        try:
            outcome = self._on_stop(str(request.get("reason", "")))
        except StimctlError as fault:
            outcome = StopOutcome(zero_confirmed=False, detail=str(fault))
        return {"about": dict(self._describe()), **asdict(outcome)}


def stop_all(
    timeout_s: float = STOP_TIMEOUT_S, *, folder: Path | None = None, reason: str = "stimctl stop"
) -> list[StopReport]:
    """Stop every session of this user on this machine, all at once. Returns what became of each.

    Takes no longer than `timeout_s`; a session that has not answered by then is unreachable, and so are those of
    a folder that cannot be looked into.
    """
    endpoints: list[EndpointFiles] = []
    hidden: list[StopReport] = []
    for each in [folder] if folder else run_folders():
        try:
            endpoints += living(each)
        except OSError as fault:
            detail = f"{each} cannot be looked into: {fault.strerror}"
            hidden.append(StopReport(None, None, StopStatus.UNREACHABLE, detail=detail))
    reports: dict[EndpointFiles, StopReport] = {}
    threads = [
        threading.Thread(target=lambda each=each: reports.update({each: _ask(each, reason)}), daemon=True)
        for each in endpoints
    ]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + timeout_s
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    silent = f"no answer within {timeout_s:g} s"
    unreachable = StopStatus.UNREACHABLE
    asked = [reports.get(each) or StopReport(each.pid, None, unreachable, detail=silent) for each in endpoints]
    return asked + hidden


_OVER = {"detail": "the session was over already", "zero_confirmed": False}


def _ask(endpoint: EndpointFiles, reason: str) -> StopReport:
    try:
        key = bytes.fromhex(json.loads(endpoint.key_file.read_text())["key"])
        with Client(endpoint.address, authkey=key) as line:
            line.send_bytes(json.dumps({"command": "stop", "reason": reason}).encode())
            reply = json.loads(line.recv_bytes(1 << 20))
    except (*CALLER_FAULTS, KeyError, TypeError) as fault:
        why = str(fault) or "it closed the connection without an answer"
        return StopReport(endpoint.pid, None, StopStatus.UNREACHABLE, detail=why)
    about = reply.get("about") or {}
    outcome = StopStatus.ZERO if reply.get("zero_confirmed") is True else StopStatus.NOT_CONFIRMED
    detail = str(reply.get("detail", ""))
    return StopReport(endpoint.pid, about.get("session_id"), outcome, reply.get("after_us"), detail, about)


def _listen(address: str) -> Listener:
    if os.name == "nt":
        return Listener(address, family="AF_PIPE")
    if len(os.fsencode(address)) > LONGEST_ADDRESS:
        raise Misuse(f"{address} is too long for a local socket; set STIMCTL_RUN to a folder with a shorter name")
    try:
        return Listener(address, family="AF_UNIX", backlog=CALLERS_AT_ONCE)
    except OSError as fault:
        raise Misuse(f"the stop endpoint {address} cannot be made: {fault}") from None


def _knock(address: str) -> None:
    if sys.platform == "win32":
        Client(address).close()
        return
    with socket.socket(socket.AF_UNIX) as caller:
        # Where too many wait already there is no need to, and waiting among them could take for ever.
        caller.setblocking(False)
        caller.connect(address)
