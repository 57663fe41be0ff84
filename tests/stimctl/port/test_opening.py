"""From a URL to a port: what each scheme needs, and the sentence when it does not get it."""

import os
import queue
import socket
import threading
import tty
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import serial.rfc2217

from stimctl.errors import LineLost, Misuse, NotSent
from stimctl.port import RecordedPort, TelnetPort, open_port
from stimctl.port.host import UNREAD_BOUND

posix = pytest.mark.skipif(os.name != "posix", reason="a pty is a POSIX thing")


@pytest.mark.parametrize("scheme", ["socket", "rfc2217"])
@pytest.mark.parametrize("address", ["host", "host:", "", ":7000", "host:99999", "host:-1", "host:x", "[::1"])
def test_half_an_address_is_a_sentence(scheme: str, address: str) -> None:
    with pytest.raises(Misuse, match=rf"name a host and its TCP port .* {scheme}://localhost:7000"):
        open_port(f"{scheme}://{address}")


@posix
@pytest.mark.parametrize(
    "url",
    [
        "socket://127.0.0.1:1?nonsense=1",
        "rfc2217://127.0.0.1:1?nonsense=1",
        "spy:///dev/null?nonsense",
        "alt:///dev/null?class=Nonsense",
        "alt:///dev/null?class=VERSION",
        "",
        "  ",
        "hwgrep://(",
        "hwgrep://x&n=x",
        "loop://?nonsense=1",
    ],
)
def test_what_makes_no_sense_in_a_url_is_the_callers(url: str) -> None:
    with pytest.raises(Misuse, match="port '"):
        open_port(url)


def test_nothing_found_is_the_lines() -> None:
    with pytest.raises(LineLost, match="no ports found"):
        open_port("hwgrep://there is no such stimulator")


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def test_a_socket_does_not_hold_a_stop_back(listener: socket.socket) -> None:
    """Else it waits, behind a frame that is not acknowledged yet, for up to 40 ms."""
    port = open_port(f"socket://127.0.0.1:{listener.getsockname()[1]}")
    line_socket = port._line._socket  # type: ignore[attr-defined]
    assert line_socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0
    port.close()


@posix
def test_what_passes_through_a_spy_is_written_down(tmp_path: Path) -> None:
    far, near = os.openpty()
    tty.setraw(near)
    port = open_port(f"spy://{os.ttyname(near)}?file={tmp_path / 'spied'}")
    port.write(b"hello")
    os.write(far, b"there")
    assert port.wait(port.now_us() + 2_000_000) == b"there"
    port.close()
    os.close(near)
    os.close(far)
    lines = [line.split() for line in (tmp_path / "spied").read_text().splitlines()]
    assert [(line[1], bytes.fromhex("".join(line[3:8]))) for line in lines if line[1] in ("TX", "RX")] == [
        ("TX", b"hello"),
        ("RX", b"there"),
    ]


# --- rfc2217:// ---------------------------------------------------------------------------------------


class FarEnd:
    """A serial port behind an RFC 2217 server, pyserial's own, with a loop in the place of the port's hardware."""

    class Loop(serial.serial_for_url("loop://").__class__):  # type: ignore[misc]
        cts = dsr = ri = cd = property(lambda _self: False)

    def __init__(self, listener: socket.socket) -> None:
        self.listener = listener
        self.received = bytearray()
        self.came = threading.Event()
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self) -> None:
        self.caller, _ = self.listener.accept()
        line = self.Loop(None)
        line.port = "loop://"
        line.open()
        self.manager = serial.rfc2217.PortManager(line, self)  # type: ignore[arg-type]
        with suppress(OSError):
            while data := self.caller.recv(4_096):
                self.received.extend(b"".join(self.manager.filter(data)))
                self.came.set()

    def write(self, data: bytes) -> None:
        self.caller.sendall(data)

    def say(self, data: bytes) -> None:
        self.write(b"".join(self.manager.escape(data)))

    def has(self, data: bytes) -> bool:
        """Whether it has received `data` and nothing else, now or soon."""
        while len(self.received) < len(data) and self.came.wait(5):
            self.came.clear()
        return bytes(self.received) == data


@pytest.fixture
def far(listener: socket.socket) -> Iterator[FarEnd]:
    end = FarEnd(listener)
    yield end
    end.caller.close()
    end.thread.join(5)


@pytest.mark.realtime
def test_rfc2217_carries_all_bytes_both_ways_and_tells_a_lost_line(listener: socket.socket, far: FarEnd) -> None:
    every = bytes(range(256)) + b"\xff\xff\x00"
    port = open_port(f"rfc2217://127.0.0.1:{listener.getsockname()[1]}")
    assert isinstance(port, TelnetPort)
    port.write(every)
    assert far.has(every)
    far.say(every)
    heard = b""
    while len(heard) < len(every):
        heard += port.wait(port.now_us() + 2_000_000)
    assert heard == every
    threading.Timer(0.02, port.wake).start()
    assert port.wait(None) == b""
    far.caller.shutdown(socket.SHUT_RDWR)
    with pytest.raises(LineLost, match="the port is gone"):
        port.wait(None)
    port.close()


@pytest.mark.realtime
@pytest.mark.parametrize("reads", [True, False], ids=["read to its end", "closed over it"])
def test_a_far_end_that_floods_the_line_waits_until_it_is_read(
    listener: socket.socket, far: FarEnd, reads: bool
) -> None:
    flood = bytes(range(256)) * (3 * UNREAD_BOUND // 256)
    port = open_port(f"rfc2217://127.0.0.1:{listener.getsockname()[1]}")
    assert isinstance(port, TelnetPort)
    reader, floods = port._line._thread, threading.Thread(target=far.say, args=(flood,), daemon=True)
    floods.start()
    kept = -1
    while kept < UNREAD_BOUND or kept != port._line.in_waiting:
        kept = port._line.in_waiting
        reader.join(0.05)
    assert kept == UNREAD_BOUND
    heard = b""
    while reads and len(heard) < len(flood):
        heard += port.wait(port.now_us() + 2_000_000)
    assert heard == flood[: len(heard)]
    port.close()
    assert not reader.is_alive(), "the thread that reads still waits for room"
    floods.join(5)


class Narrow:
    """What a `TelnetPort` needs of pyserial's line: the near end of a socket that has little room."""

    def __init__(self) -> None:
        self._socket, self.far = socket.socketpair()
        self._socket.settimeout(5)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4_096)
        self._write_lock = threading.Lock()
        self._read_buffer: queue.Queue[bytes] = queue.Queue()

    def close(self) -> None:
        self._socket.close()
        self.far.close()


@pytest.mark.realtime
@pytest.mark.parametrize("before", [b"", b"x"], ids=["whole pairs", "half a pair"])
def test_a_part_that_went_counts_each_doubled_byte_once(before: bytes) -> None:
    line = Narrow()
    port = TelnetPort("telnet", line)
    with pytest.raises(NotSent) as caught:
        port.write(before + b"\xff" * 500_000)
    with pytest.raises(NotSent) as again:
        port.write(b"stop")
    assert again.value.sent == 0
    line.far.setblocking(False)
    seen = bytearray()
    with suppress(BlockingIOError):
        while True:
            seen += line.far.recv(65_536)
    port.write(b"stop")
    seen += line.far.recv(100)
    assert seen == before + b"\xff\xff" * (caught.value.sent - len(before)) + b"stop", "no pair is cut in two"
    port.close()


def test_who_finds_the_far_end_being_answered_does_not_wait_for_long() -> None:
    line = Narrow()
    port = TelnetPort("telnet", line)
    with line._write_lock, pytest.raises(NotSent) as caught:
        port.write(b"stop")
    assert caught.value.sent == 0
    port.close()


def test_a_spied_port_with_traffic_has_both_records(tmp_path: Path) -> None:
    class Sink:
        pieces: list[Any] = []  # noqa: RUF012

        def record(self, at_us: int, direction: str, data: bytes) -> None:
            self.pieces.append((direction, data))

    far, near = os.openpty()
    tty.setraw(near)
    port = open_port(f"spy://{os.ttyname(near)}?file={tmp_path / 'spied'}", traffic=Sink())
    assert isinstance(port, RecordedPort)
    port.write(b"hello")
    port.close()
    os.close(near)
    os.close(far)
    assert Sink.pieces == [("host", b"hello")]
    assert "68 65 6C 6C 6F" in (tmp_path / "spied").read_text()


@posix
@pytest.mark.parametrize(
    ("options", "states"),
    [
        ("", (True, True)),
        ("?dtr=off", (False, True)),
        ("?rts=off&dtr=on", (True, False)),
        ("?dtr=off&rts=off", (False, False)),
    ],
)
def test_control_lines_are_left_alone_unless_named(options: str, states: tuple[bool, bool]) -> None:
    """A pty has no such lines: what pyserial was told to set is all that can be seen without a board."""
    near, far = os.openpty()
    tty.setraw(far)
    port: Any = open_port(f"{os.ttyname(far)}{options}")
    try:
        assert (port._line.dtr, port._line.rts) == states
    finally:
        port.close()
        os.close(near)
        os.close(far)


@posix
@pytest.mark.parametrize("option", ["dtr", "dtr=1", "cts=on", "dtr=off&"])
def test_an_unknown_option_of_a_local_port_is_a_sentence(option: str) -> None:
    with pytest.raises(Misuse, match=r"dtr=on, dtr=off, rts=on or rts=off"):
        open_port(f"/dev/ttyNowhere?{option}")
