"""How long a command and a stop take over a pty, each beside a bare exchange on the same pty in the same run.

The far end is a process of its own that does as little as it can. Two limits: a minimal framed request
written here in a dozen lines, and a bare 32-byte ping-pong.
"""

import multiprocessing
import os
import select
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
from stimctl.session.engine import Engine
from stimctl.session.runner import Runner
from stimctl.stimulators.native import STOP_FRAME, Native
from stimctl.wire import messages as m
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
        if data == STOP_FRAME:
            came_ns = time.monotonic_ns()
            os.write(fd, STOPPED)
            times.send(came_ns)
            continue
        for payload in splitter.feed(data):
            sequence, message = m.parse(payload)
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
        self._native = Native()

    def __call__(self) -> None:
        port, native = self._port, self._native
        native.set_target(1, 500, port.now_us())
        port.write(native.take_output())
        events: list[Any] = []
        while not events:
            events = list(native.receive(port.wait(native.next_deadline_us()), port.now_us()))
        assert type(events[0]) is m.TargetSet


def test_command_to_checked_answer() -> None:
    with _pty() as (name, _times):
        port = open_port(name)
        line = serial.Serial()
        line.fd, line.is_open = port._fd, True  # type: ignore[attr-defined]  # one descriptor for both
        found = ratio(_Command(port), _Minimal(line), blocks=60, per_block=100)
        line.is_open = False
        port.close()
    report("command to checked answer over a pty / minimal framed request", found, target="at most 1.5")


def test_stop_from_another_thread() -> None:
    with _pty() as (name, times):
        port = open_port(name)
        fd: int = port._fd  # type: ignore[attr-defined]

        def ping() -> int:
            began = time.monotonic_ns()
            os.write(fd, PING)
            _read_until(fd, b"\n")
            return time.monotonic_ns() - began

        def stop() -> int:
            engine = Engine(Native(), prescription(), QUIET_LOG, session_id="benchmark", auto=frozenset())
            runner = Runner(port, engine, QUIET_LOG, lambda _identity, _records: "", attended=False)
            thread = threading.Thread(target=runner.run)
            thread.start()
            time.sleep(0.002)  # let the loop reach its wait
            began = time.monotonic_ns()
            runner.post(lambda engine, now_us: engine.stop(now_us))
            came_ns: int = times.recv()
            thread.join()
            return came_ns - began

        found, tails = ratio_of_times(stop, ping, blocks=40, per_block=50)
        port.close()
    report(
        "stop from another thread to bytes at the far end of a pty / bare ping-pong",
        found,
        target="at most 3",
        tails=tails,
    )
