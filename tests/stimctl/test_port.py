"""Ports: what they read and write, what wakes them, and what they say when the line is gone."""

import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import serial

from stimctl.errors import LineLost, Misuse, NotSent, PortBusy
from stimctl.port import DescriptorPort, Port, RecordedPort, SlicedPort, open_port, register_handlers

posix = pytest.mark.skipif(os.name != "posix", reason="a pty is a POSIX thing")


class Sink:
    def __init__(self) -> None:
        self.seen: list[tuple[str, bytes]] = []

    def record(self, at_us: int, direction: str, data: bytes) -> None:
        assert at_us > 0
        self.seen.append((direction, data))


@pytest.fixture
def pty() -> Iterator[tuple[int, str]]:
    far, near = os.openpty()
    name = os.ttyname(near)
    os.close(near)
    yield far, name
    os.close(far)


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def soon(port: Port, after_us: int = 2_000_000) -> int:
    return port.now_us() + after_us


@posix
def test_bytes_pass_both_ways_over_a_pty(pty: tuple[int, str]) -> None:
    far, name = pty
    port = open_port(name)
    os.write(far, b"\x00\x11\x13\x0a\xff")
    assert port.wait(soon(port)) == b"\x00\x11\x13\x0a\xff"
    port.write(b"\x04\x00\x0d")
    assert os.read(far, 10) == b"\x04\x00\x0d"
    port.close()


@posix
def test_wait_ends_at_its_deadline_and_not_before(pty: tuple[int, str]) -> None:
    port = open_port(pty[1])
    deadline_us = port.now_us() + 5_000
    assert port.wait(deadline_us) == b""
    assert port.now_us() >= deadline_us - 1_000
    assert port.wait(0) == b"", "a deadline in the past is now"
    port.close()


@posix
@pytest.mark.parametrize("sliced", [False, True])
def test_wake_from_another_thread_ends_a_wait_that_has_no_deadline(pty: tuple[int, str], sliced: bool) -> None:
    line = serial.Serial(pty[1], timeout=0.02)
    port: Port = SlicedPort(pty[1], line) if sliced else DescriptorPort(pty[1], line)
    waker = threading.Timer(0.02, port.wake)
    waker.start()
    assert port.wait(None if not sliced else soon(port)) == b""
    waker.join()
    port.wake()
    assert port.wait(None) == b"", "a wake before the wait is not lost"
    port.close()


@posix
@pytest.mark.timeout(20)
@pytest.mark.parametrize("sliced", [False, True])
def test_whoever_wakes_it_all_the_time_keeps_nothing_from_being_read(pty: tuple[int, str], sliced: bool) -> None:
    line = serial.Serial(pty[1], timeout=0.02)
    port: Port = SlicedPort(pty[1], line) if sliced else DescriptorPort(pty[1], line)
    os.write(pty[0], b"answer\x00")
    heard = b""
    while len(heard) < 7:  # a terminal hands it over when it likes
        port.wake()
        heard += port.wait(None)
    assert heard == b"answer\x00"
    port.close()


@posix
def test_a_port_that_is_held_is_busy_and_says_what_to_do(pty: tuple[int, str]) -> None:
    port = open_port(pty[1])
    with pytest.raises(PortBusy, match="stimctl stop"):
        open_port(pty[1])
    port.close()
    open_port(pty[1]).close()


@posix
def test_a_line_whose_far_end_goes_is_lost(pty: tuple[int, str]) -> None:
    far, near = os.openpty()
    port = open_port(os.ttyname(near))
    os.close(near)
    os.close(far)
    with pytest.raises(LineLost, match="check the cable"):
        port.wait(soon(port))
    with pytest.raises(NotSent, match="takes no bytes") as caught:
        port.write(b"x")
    assert caught.value.sent == 0
    port.close()


def test_who_is_sent_away_is_told_that_another_program_may_have_the_line(listener: socket.socket) -> None:
    port = open_port(f"socket://127.0.0.1:{listener.getsockname()[1]}")
    listener.accept()[0].close()
    with pytest.raises(LineLost, match="whether another program has the line"):
        port.wait(soon(port))
    port.close()


@posix
@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("127.0.0.1:7000", "a line over TCP is written socket://127.0.0.1:7000"),
        ("localhost:7000", "socket://localhost:7000"),
        ("[::1]:7000", r"socket://\[::1\]:7000"),
        ("/dev/null", "it is no serial port"),
    ],
)
def test_what_is_no_port_is_told_from_one_that_is_not_there(url: str, said: str) -> None:
    with pytest.raises(LineLost, match=said):
        open_port(url)


def test_tcp_carries_bytes_and_tells_a_closed_connection(listener: socket.socket) -> None:
    port = open_port(f"socket://127.0.0.1:{listener.getsockname()[1]}")
    far, _ = listener.accept()
    far.sendall(b"answer\x00")
    assert port.wait(soon(port)) == b"answer\x00"
    port.write(b"order")
    assert far.recv(10) == b"order"
    far.close()
    with pytest.raises(LineLost):
        port.wait(soon(port))
    port.close()


def test_traffic_of_both_directions_is_recorded(listener: socket.socket) -> None:
    sink = Sink()
    port = open_port(f"socket://127.0.0.1:{listener.getsockname()[1]}", traffic=sink)
    far, _ = listener.accept()
    port.write(b"order")
    far.sendall(b"answer")
    port.wait(soon(port))
    far.close()
    port.close()
    assert sink.seen == [("host", b"order"), ("device", b"answer")]


def test_a_recording_that_fails_stops_nothing(listener: socket.socket) -> None:
    class Full(Sink):
        def record(self, at_us: int, direction: str, data: bytes) -> None:
            raise OSError(28, "No space left on device")

    port = open_port(f"socket://127.0.0.1:{listener.getsockname()[1]}", traffic=Full())
    far, _ = listener.accept()
    for _ in range(3):
        port.write(b"stop")
        assert far.recv(4) == b"stop"
    far.close()
    port.close()
    assert isinstance(port, RecordedPort)
    assert port.fault is not None
    assert "No space left" in port.fault


@posix
def test_a_wake_after_the_close_writes_nowhere(pty: tuple[int, str], tmp_path: Path) -> None:
    port = open_port(pty[1])
    port.close()
    files = [(tmp_path / str(number)).open("w+b") for number in range(8)]
    port.wake()
    for file in files:
        file.close()
    assert {path.stat().st_size for path in tmp_path.iterdir()} == {0}


def test_what_is_not_there_says_how_to_find_what_is(tmp_path: Path) -> None:
    with pytest.raises(LineLost, match="stimctl ports"):
        open_port(str(tmp_path / "ttyNONE"))
    with pytest.raises(Misuse, match="nosuch"):
        open_port("nosuch://here")


def test_a_handler_that_does_not_load_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "brokenhandler"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "protocol_broken.py").write_text("import a_module_that_is_not_installed\n")
    info = tmp_path / "brokenhandler-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Name: brokenhandler\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[stimctl.protocol_handlers]\nbroken = brokenhandler\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(serial, "protocol_handler_packages", list(serial.protocol_handler_packages))
    with pytest.raises(Misuse, match="a_module_that_is_not_installed"):
        register_handlers("broken://x")
