"""The device in real time, behind a real pty and a real TCP port."""

import json
import os
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import serial

from firmware_sim.device import Device
from firmware_sim.serve import Journal, Line, PtyLine, ServeProblem, TcpLine, clock_us, serve
from stimctl.wire import messages as wire
from stimctl.wire.codes import PROTOCOL_VERSION, DeviceState, EndReason
from stimctl.wire.framing import FrameSplitter

pytestmark = [
    pytest.mark.realtime,
    pytest.mark.skipif(sys.platform == "win32", reason="a pty exists on POSIX only"),
]
UNSOLICITED = (wire.Status, wire.Channel, wire.Event)


@contextmanager
def served(line: Line, **options: Any) -> Iterator[Device]:
    """A device that is served by a thread until the block ends."""
    device = Device(boot_us=clock_us(), **options)
    near, far = socket.socketpair()
    thread = threading.Thread(target=serve, args=(device, line, near))
    thread.start()
    try:
        yield device
    finally:
        far.send(b"x")
        thread.join(5)
        assert not thread.is_alive()
        for each in (line, near, far):
            each.close()


class Client:
    """A plain pyserial client with the wire on top."""

    def __init__(self, url: str) -> None:
        self.port = serial.serial_for_url(url, timeout=0.02)
        self.heard: list[tuple[int, Any]] = []
        self.sequence = 0
        self._splitter = FrameSplitter()

    def listen(self, for_s: float) -> list[tuple[int, Any]]:
        until_s = time.monotonic() + for_s
        new: list[tuple[int, Any]] = []
        while time.monotonic() < until_s:
            new += [wire.parse(payload) for payload in self._splitter.feed(self.port.read(self.port.in_waiting or 1))]
        self.heard += new
        return new

    def ask(self, message: Any) -> Any:
        self.sequence += 1
        self.port.write(wire.encode(self.sequence, message))
        until_s = time.monotonic() + 3
        while time.monotonic() < until_s:
            for number, told in self.listen(0.01):
                if number == self.sequence and not isinstance(told, UNSOLICITED):
                    return told
        raise AssertionError(f"no answer to {message}")

    def start(self) -> None:
        self.ask(wire.Hello(PROTOCOL_VERSION))
        self.ask(wire.LoadProgram(1, 1, 200, 0))
        self.ask(wire.LoadSegment(0, 10_000, 200, 0, 200, 0))
        head = int.from_bytes(self.ask(wire.ReadDigest()).sha256[:8], "little")
        self.ask(wire.SelfTest())
        armed = self.ask(wire.Arm(0, 1, 2_000, 60_000_000, 5_000, head))
        self.ask(wire.Start(armed.nonce, 500, 0, 0, 0))


@pytest.fixture(params=["pty", "tcp"])
def line(request: pytest.FixtureRequest) -> Line:
    return PtyLine() if request.param == "pty" else TcpLine(0)


def test_a_device_answers_and_tells_ten_times_a_second(line: Line) -> None:
    with served(line):
        client = Client(line.url)
        assert client.ask(wire.Hello(PROTOCOL_VERSION)).simulator == 1
        told = [message for _, message in client.listen(1.0) if isinstance(message, wire.Status)]
        assert 8 <= len(told) <= 12
        client.port.close()


def test_a_client_that_leaves_is_outlived_and_another_one_comes(line: Line, tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    with path.open("a") as file, served(line, journal=Journal(file, clock_us())) as device:
        first = Client(line.url)
        first.start()
        first.port.close()
        until_s = time.monotonic() + 4
        while device.machine.state is not DeviceState.ENDED and time.monotonic() < until_s:
            threading.Event().wait(0.02)
        second = Client(line.url)
        welcome = second.ask(wire.Hello(PROTOCOL_VERSION))
        assert (welcome.state, welcome.session) == (DeviceState.ENDED, 1)
        assert second.ask(wire.ReadSession()).end_reason == EndReason.WATCHDOG
        assert second.ask(wire.ReadCounters(1)).pulses_0 > 50
        second.port.close()
    entries = [json.loads(text) for text in path.read_text().splitlines()]
    ended = next(entry for entry in entries if entry.get("state") == "ENDED")
    zero = next(entry for entry in entries if entry["event"] == "zero" and entry["since_us"] >= ended["device_time_us"])
    assert (ended["reason"], ended["keepalive_age_us"]) == ("WATCHDOG", 1_000_000)
    assert zero["since_us"] - ended["device_time_us"] <= 2_000
    assert ended["monotonic_us"] - ended["device_time_us"] == entries[0]["monotonic_us"]


def test_stop_is_answered_with_zero(line: Line) -> None:
    with served(line):
        client = Client(line.url)
        client.start()
        client.listen(0.3)
        asked_s = time.monotonic()
        while not client.ask(wire.Stop()).zero:
            assert time.monotonic() - asked_s < 1
        client.port.close()


def test_a_second_tcp_client_is_closed_at_once() -> None:
    line = TcpLine(0)
    with served(line):
        client = Client(line.url)
        client.ask(wire.Hello(PROTOCOL_VERSION))
        port = int(line.url.rsplit(":", 1)[1])
        with socket.create_connection(("127.0.0.1", port), timeout=2) as other:
            assert other.recv(1) == b""
        assert client.ask(wire.ReadSession()).session == 0
        client.port.close()


def test_a_tcp_client_that_breaks_off_hard_is_outlived() -> None:
    line = TcpLine(0)
    with served(line):
        port = int(line.url.rsplit(":", 1)[1])
        rude = socket.create_connection(("127.0.0.1", port), timeout=2)
        rude.sendall(wire.encode(1, wire.Hello(PROTOCOL_VERSION)))
        rude.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        rude.close()
        threading.Event().wait(0.3)
        client = Client(line.url)
        assert client.ask(wire.Hello(PROTOCOL_VERSION)).boot_id == 1
        client.port.close()


def test_nobody_reads_a_pty_for_long() -> None:
    """Once the terminal's buffer is full, bytes are lost and nothing else."""
    line = PtyLine()
    with served(line) as device:
        client = Client(line.url)
        client.ask(wire.Hello(PROTOCOL_VERSION))
        for _ in range(200):
            client.port.write(wire.encode(1, wire.Stop()))
        threading.Event().wait(0.2)
        assert device.machine.state is DeviceState.IDLE
        client.port.reset_input_buffer()
        assert isinstance(client.ask(wire.ReadSession()), wire.SessionRecord)
        client.port.close()


def test_waiting_costs_no_processor_time() -> None:
    line = TcpLine(0)
    with served(line):
        began_s = time.process_time()
        threading.Event().wait(1.0)
        assert time.process_time() - began_s < 0.3


def test_a_link_to_the_pty(tmp_path: Path) -> None:
    link = tmp_path / "stimulator"
    for _ in range(2):
        line = PtyLine(link)
        assert line.url == str(link)
        with served(line):
            client = Client(line.url)
            assert client.ask(wire.Hello(PROTOCOL_VERSION)).version == PROTOCOL_VERSION
            client.port.close()
        assert not os.path.lexists(link)
    link.symlink_to("/dev/pts/none")
    line = PtyLine(link)
    assert link.readlink() != Path("/dev/pts/none")
    line.close()


def test_a_link_never_replaces_a_file(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("data")
    with pytest.raises(ServeProblem, match="precious cannot be made: File exists; name another path"):
        PtyLine(tmp_path / "precious")
    assert (tmp_path / "precious").read_text() == "data"


def test_a_port_that_is_taken_is_said() -> None:
    line = TcpLine(0)
    port = int(line.url.rsplit(":", 1)[1])
    with pytest.raises(ServeProblem, match=f"TCP port {port} cannot be opened"):
        TcpLine(port)
    line.close()
