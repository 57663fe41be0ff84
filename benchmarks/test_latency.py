"""How long a command and a stop take over a pty or TCP, each beside a bare exchange on the same line in the same run.

The far end is a process of its own that does as little as it can. The limits are a minimal framed request written here
in a dozen lines, a bare 32-byte ping-pong, and for the stop also a bare thread that waits as the session's does and
writes when it is woken: such a thread has slept before each stop, which a ping-pong has not.
"""

import multiprocessing
import os
import select
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any

import pytest
import serial

from benchmarks.interleave import ratio, ratio_of_times
from benchmarks.quiet import QUIET_LOG, prescription
from benchmarks.results import report
from stimctl.port import Port, open_port
from stimctl.session.commands import AskStop
from stimctl.session.engine import Engine
from stimctl.session.runner import Runner
from stimctl.stimulators.native import STOP_FRAME, NativeAdapter
from stimctl.stimulators.targets import Targets
from stimctl.wire import codec as m
from stimctl.wire.framing import FrameSplitter

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs a pty")
PING = b"p" * 31 + b"\n"
STOPPED = m.encode(0, m.Stopped(0, 1, 0, 0))


def _far_end(fd: int, times: Connection) -> None:
    """Echo pings, answer SetTarget and Stop, and tell when a stop came (monotonic ns, one clock for all)."""
    splitter = FrameSplitter()
    while data := os.read(fd, 4096):
        if data.endswith(b"\n"):
            os.write(fd, data)
            continue
        if data.endswith(STOP_FRAME):  # on a busy machine behind what the session asked first
            came_ns = time.monotonic_ns()
            os.write(fd, STOPPED)
            times.send(came_ns)
            continue
        for payload in splitter.feed(data):
            sequence, message = m.parse(payload)
            if type(message) is m.SetTarget:
                os.write(fd, m.encode(sequence, m.TargetSet(message.channel, message.target_ua, 0, 0)))


@contextmanager
def _pty() -> Iterator[tuple[str, Connection]]:
    master, slave = os.openpty()
    name = os.ttyname(slave)
    serial.Serial(name).close()  # raw mode
    mine, theirs = multiprocessing.Pipe()
    context = multiprocessing.get_context("fork")
    process = context.Process(target=_far_end, args=(master, theirs), daemon=True)
    process.start()
    try:
        yield name, mine
    finally:
        process.kill()
        process.join()
        os.close(master)
        os.close(slave)


def _tcp_far_end(listener: socket.socket, times: Connection) -> None:
    client, _ = listener.accept()
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    _far_end(client.fileno(), times)


@contextmanager
def _tcp() -> Iterator[str]:
    listener = socket.create_server(("127.0.0.1", 0))
    _mine, theirs = multiprocessing.Pipe()
    context = multiprocessing.get_context("fork")
    process = context.Process(target=_tcp_far_end, args=(listener, theirs), daemon=True)
    process.start()
    try:
        yield f"socket://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        process.kill()
        process.join()
        listener.close()


def _read_until(fd: int, end: bytes) -> bytes:
    data = b""
    while not data.endswith(end):
        select.select((fd,), (), ())
        data += os.read(fd, 4096)
    return data


class _Minimal:
    """The least that a framed request can be: encode, write, wait, read, check, decode."""

    def __init__(self, line: serial.Serial) -> None:
        self._fd = line.fileno()
        self._sequence = 0

    def __call__(self) -> None:
        self._sequence = self._sequence + 1 & 0xFFFF
        os.write(self._fd, m.encode(self._sequence, m.SetTarget(1, 1, 500)))
        sequence, _answer = m.decode(_read_until(self._fd, b"\x00"))
        assert sequence == self._sequence


class _Command:
    """The same through the adapter and the port that a session uses."""

    def __init__(self, port: Port) -> None:
        self._port = port
        self._native = native = NativeAdapter()
        native.targets = self._targets = Targets({1: 600})
        self._targets.started({1: 600}, 0)
        self._wanted_ua = 600

    def __call__(self) -> None:
        port, native = self._port, self._native
        self._wanted_ua = 1_100 - self._wanted_ua  # 500 and 600 in turns
        self._targets.want(1, self._wanted_ua)
        native.retarget(port.now_us())
        port.write(native.take_output())
        events: list[Any] = []
        while not events:
            events = list(native.receive(port.wait(native.next_deadline_us()), port.now_us()))
        assert type(events[0]) is m.TargetSet
        self._targets.applied(1, events[0].target_ua, 0)


def test_command_to_checked_answer() -> None:
    with _pty() as (name, _times):
        port = open_port(name)
        line = serial.Serial()
        line.fd, line.is_open = port._fd, True  # type: ignore[attr-defined]  # one descriptor for both
        found = ratio(_Command(port), _Minimal(line), blocks=60, per_block=100)
        line.is_open = False
        port.close()
    report("command to checked answer over a pty / minimal framed request", found, target="at most 1.5")


def test_command_to_checked_answer_over_tcp() -> None:
    with _tcp() as url:
        port = open_port(url)
        fd: int = port._fd  # type: ignore[attr-defined]
        with socket.socket(fileno=os.dup(fd)) as line:
            line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

        def ping() -> None:
            os.write(fd, PING)
            _read_until(fd, b"\n")

        found = ratio(_Command(port), ping, blocks=60, per_block=100)
        port.close()
    report("command to checked answer over TCP / bare ping-pong over the same", found, target="none")


class _BareStop:
    """A thread that waits for bytes or to be woken, and then writes the stop frame: the least that a stop can be."""

    def __init__(self, fd: int, times: Connection) -> None:
        self._fd, self._times = fd, times
        self._wake_r, self._wake_w = os.pipe()

    def _wait_and_write(self) -> None:
        ready, _, _ = select.select((self._fd, self._wake_r), (), (), 10)
        assert ready == [self._wake_r]
        os.read(self._wake_r, 1)
        os.write(self._fd, STOP_FRAME)
        _read_until(self._fd, STOPPED)

    def __call__(self) -> int:
        thread = threading.Thread(target=self._wait_and_write)
        thread.start()
        time.sleep(0.002)
        began = time.monotonic_ns()
        os.write(self._wake_w, b"w")
        came_ns: int = self._times.recv()
        thread.join()
        return came_ns - began

    def close(self) -> None:
        os.close(self._wake_r)
        os.close(self._wake_w)


def test_stop_from_another_thread() -> None:
    with _pty() as (name, times):
        port = open_port(name)
        fd: int = port._fd  # type: ignore[attr-defined]
        asked = prescription()

        def ping() -> int:
            began = time.monotonic_ns()
            os.write(fd, PING)
            _read_until(fd, b"\n")
            return time.monotonic_ns() - began

        def stop() -> int:
            engine = Engine(NativeAdapter(), asked, QUIET_LOG, session_id="benchmark", auto=frozenset())
            runner = Runner(port, engine, QUIET_LOG, lambda _identity, _records: "", attended=False)
            thread = threading.Thread(target=runner.run)
            thread.start()
            time.sleep(0.002)  # let the loop reach its wait
            began = time.monotonic_ns()
            runner.post(AskStop())
            came_ns: int = times.recv()
            thread.join()
            return came_ns - began

        found, tails = ratio_of_times(stop, ping, blocks=40, per_block=20)
        bare = _BareStop(fd, times)
        beside_thread, thread_tails = ratio_of_times(stop, bare, blocks=40, per_block=10)
        slept, _ = ratio_of_times(bare, ping, blocks=20, per_block=10)
        bare.close()
        port.close()
    report(
        "stop from another thread to bytes at the far end of a pty / bare ping-pong",
        found,
        target="at most 3",
        tails=tails,
    )
    report(
        "stop from another thread to bytes at the far end of a pty / the same by a bare thread in select",
        beside_thread,
        target="none",
        tails=thread_tails,
        note=f"the bare thread itself stands at {slept.median:.1f} ping-pongs",
    )
