"""A write that fails: how many bytes went, within 20 ms, and nothing of it later. The line is not said to be gone."""

import os
import socket
import threading
import time
import tty
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
import serial

from stimctl.errors import LineLost, NotSent
from stimctl.limits import STOP_RESEND_US
from stimctl.port import ROOM_S, DescriptorPort, SlicedPort, VirtualPort, open_port
from stimctl.port.host import readable

posix = pytest.mark.skipif(os.name != "posix", reason="a pty is a POSIX thing")


class Line:
    """What a port needs of a pyserial line on a socket."""

    def __init__(self, end: socket.socket) -> None:
        self.end = end

    def fileno(self) -> int:
        return self.end.fileno()

    def close(self) -> None:
        self.end.close()


@pytest.fixture
def narrow() -> Iterator[tuple[DescriptorPort, socket.socket]]:
    """A port that has room for a few thousand bytes, and its far end."""
    near, far = socket.socketpair()
    near.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4_096)
    port = DescriptorPort("narrow", Line(near))
    yield port, far
    port.close()
    far.close()


def all_of(far: socket.socket) -> bytes:
    far.setblocking(False)
    data = b""
    try:
        while piece := far.recv(65_536):
            data += piece
    except BlockingIOError:
        pass
    return data


def fill(port: Any) -> None:
    """Write until there is no room for a single byte."""
    for size in (512, 1):
        with suppress(NotSent):
            while True:
                port.write(b"x" * size)


def failed(port: Any, data: bytes) -> tuple[NotSent, float]:
    begin_s = time.monotonic()
    with pytest.raises(NotSent) as caught:
        port.write(data)
    return caught.value, time.monotonic() - begin_s


def test_a_write_waits_no_longer_than_until_the_next_stop_is_due() -> None:
    assert ROOM_S * 1e6 == STOP_RESEND_US


@posix
@pytest.mark.realtime
def test_a_part_that_went_is_told_and_the_rest_never_follows(narrow: tuple[DescriptorPort, socket.socket]) -> None:
    port, far = narrow
    fault, took_s = failed(port, b"a" * 1_000_000)
    assert ROOM_S <= took_s < ROOM_S + 0.2
    assert all_of(far) == b"a" * fault.sent
    assert 0 < fault.sent < 1_000_000
    assert f"took only {fault.sent} of 1000000 bytes" in str(fault)
    port.write(b"stop")
    assert all_of(far) == b"stop"


@posix
@pytest.mark.realtime
def test_a_port_without_room_takes_nothing_and_is_not_lost(narrow: tuple[DescriptorPort, socket.socket]) -> None:
    port, far = narrow
    failed(port, b"a" * 1_000_000)
    fault, took_s = failed(port, b"stop")
    assert (fault.sent, took_s < ROOM_S + 0.2) == (0, True)
    assert port.wait(0) == b"", "reading goes on"
    all_of(far)
    port.write(b"stop")
    assert all_of(far) == b"stop"


@posix
@pytest.mark.realtime
def test_room_that_comes_in_time_is_used(narrow: tuple[DescriptorPort, socket.socket]) -> None:
    port, far = narrow
    received = bytearray()

    def read() -> None:
        while len(received) < 50_000:
            received.extend(far.recv(65_536))

    reader = threading.Timer(0.004, read)
    reader.start()
    port.write(b"a" * 50_000)
    reader.join(5)
    assert received == b"a" * 50_000


@posix
@pytest.mark.realtime
def test_a_terminal_without_room() -> None:
    near, far = os.openpty()
    tty.setraw(far)
    port = open_port(os.ttyname(far))
    fill(port)
    fault, took_s = failed(port, b"stop")
    assert (fault.sent, took_s < ROOM_S + 0.2) == (0, True)
    os.set_blocking(near, False)
    seen = b""
    with suppress(BlockingIOError):
        while True:
            seen += os.read(near, 4_096)
    os.set_blocking(near, True)
    port.write(b"stop")
    while not seen.endswith(b"stop"):
        seen += os.read(near, 4_096)
    assert set(seen[:-4]) == set(b"x")
    port.close()
    os.close(near)
    os.close(far)


@posix
@pytest.mark.realtime
def test_a_terminal_that_has_room_and_does_not_say_so() -> None:
    """With much still to be sent it does not count as ready, and takes a stop all the same."""
    near, far = os.openpty()
    tty.setraw(far)
    port = open_port(os.ttyname(far))
    fill(port)
    os.read(near, 4_096)
    begin_s = time.monotonic()
    port.write(b"stop")
    assert time.monotonic() - begin_s < ROOM_S / 2
    port.close()
    os.close(near)
    os.close(far)


@posix
def test_only_reading_finds_that_the_line_is_gone(narrow: tuple[DescriptorPort, socket.socket]) -> None:
    port, far = narrow
    far.close()
    fault, took_s = failed(port, b"stop")
    assert (fault.sent, took_s < ROOM_S) == (0, True), "there is nothing to wait for"
    assert "Broken pipe" in str(fault)
    with pytest.raises(LineLost, match="the port is gone"):
        port.wait(None)


@posix
def test_after_the_close_nothing_reaches_another_file(narrow: tuple[DescriptorPort, socket.socket]) -> None:
    port, _ = narrow
    port.close()
    pairs = [socket.socketpair() for _ in range(4)]
    assert failed(port, b"stop")[0].sent == 0
    with pytest.raises(LineLost, match="it was closed"):
        port.wait(None)
    assert [all_of(end) for pair in pairs for end in pair] == [b""] * 8
    for pair in pairs:
        for end in pair:
            end.close()


class Refusing:
    """A line whose write raises or returns what it is told to."""

    def __init__(self, outcome: object) -> None:
        self.outcome = outcome

    def write(self, data: bytes) -> object:
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome

    def now_us(self) -> int:
        return 0

    wake = close = now_us


REFUSALS = [serial.SerialTimeoutException("Write timeout"), serial.SerialException("gone"), OSError(5, "I/O error")]


@pytest.mark.parametrize("kind", [SlicedPort, VirtualPort])
@pytest.mark.parametrize("outcome", REFUSALS, ids=repr)
def test_other_ports_say_it_alike(kind: type, outcome: Exception) -> None:
    fault, _ = failed(kind("it", Refusing(outcome)), b"stop")
    assert fault.sent == 0
    assert str(outcome) in str(fault)


def test_a_sliced_port_that_takes_a_part() -> None:
    assert failed(SlicedPort("it", Refusing(3)), b"stop")[0].sent == 3
    SlicedPort("it", Refusing(4)).write(b"stop")
    SlicedPort("it", Refusing(None)).write(b"stop")


@posix
def test_a_class_of_pyserials_that_blocks_does_not_block_here() -> None:
    """VTIMESerial lets its descriptor wait in reads and writes."""
    near, far = os.openpty()
    tty.setraw(far)
    port = open_port(f"alt://{os.ttyname(far)}?class=VTIMESerial")
    fill(port)
    port.close()
    os.close(near)
    os.close(far)


# --- waiting ------------------------------------------------------------------------------------------


@posix
def test_descriptors_over_1023_work_as_others_do() -> None:
    resource = pytest.importorskip("resource")
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limits[1] != resource.RLIM_INFINITY and limits[1] < 1_200:
        pytest.skip("this system gives no more descriptors")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(limits[0], 1_200), limits[1]))
    taken = [os.dup(0) for _ in range(1_030)]
    near, far = os.openpty()
    tty.setraw(far)
    try:
        assert far > 1_023
        port = open_port(os.ttyname(far))
        os.write(near, b"answer")
        assert port.wait(port.now_us() + 2_000_000) == b"answer"
        begin_us = port.now_us()
        assert port.wait(begin_us + 3_000) == b""
        assert port.now_us() >= begin_us + 3_000
        port.wake()
        assert port.wait(None) == b""
        port.write(b"order")
        assert os.read(near, 10) == b"order"
        fill(port)
        os.close(far)
        os.close(near)
        with pytest.raises(LineLost):
            port.wait(None)
        port.close()
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = open_port(f"socket://127.0.0.1:{listener.getsockname()[1]}")
            peer, _ = listener.accept()
            peer.sendall(b"answer")
            assert port.wait(port.now_us() + 2_000_000) == b"answer"
            port.close()
            peer.close()
    finally:
        for each in taken:
            os.close(each)
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


@posix
@pytest.mark.parametrize("low", [True, False])
def test_both_ways_of_waiting_tell_the_same(low: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not low:
        monkeypatch.setattr("stimctl.port.host._SELECT_KNOWS", 0)
    near, far = socket.socketpair()
    silent = os.pipe()
    wait = readable([near.fileno(), silent[0]])
    assert list(wait(0)) == []
    far.send(b"x")
    assert list(wait(5)) == [near.fileno()]
    near.recv(1)
    far.close()
    assert list(wait(None)) == [near.fileno()], "a hang-up is something to read"
    near.close()
    for each in silent:
        os.close(each)
