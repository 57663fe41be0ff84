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

from firmware_sim.native.device import Device
from firmware_sim.running_clock import RunningClock
from firmware_sim.serve import CannotServe, JournalWriter, PtyLine, ServedLine, TcpLine, clock_us, serve
from stimctl.wire import codec as wire
from stimctl.wire.codes import PROTOCOL_VERSION, DeviceState, EndReason
from stimctl.wire.framing import FrameSplitter
from tests.firmware_sim.conftest import serving

pytestmark = [
    pytest.mark.realtime,
    pytest.mark.skipif(sys.platform == "win32", reason="a pty exists on POSIX only"),
]
UNSOLICITED = (wire.Status, wire.Channel, wire.Event)


@contextmanager
def served(line: ServedLine, **options: Any) -> Iterator[Device]:
    """A device that is served until the block ends."""
    device = Device(boot_us=clock_us(), **options)
    with serving(device, line):
        yield device


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
def line(request: pytest.FixtureRequest) -> ServedLine:
    return PtyLine() if request.param == "pty" else TcpLine(0)


def test_a_device_answers_and_tells_ten_times_a_second(line: ServedLine) -> None:
    with served(line):
        client = Client(line.url)
        assert client.ask(wire.Hello(PROTOCOL_VERSION)).simulator == 1
        told = [message for _, message in client.listen(1.0) if isinstance(message, wire.Status)]
        assert 8 <= len(told) <= 12
        client.port.close()


def test_a_client_that_leaves_is_outlived_and_another_one_comes(line: ServedLine, tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    with path.open("a") as file, served(line, journal=JournalWriter(file, clock_us())) as device:
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


def test_stop_is_answered_with_zero(line: ServedLine) -> None:
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
    with pytest.raises(CannotServe, match="precious cannot be made: File exists; name another path"):
        PtyLine(tmp_path / "precious")
    assert (tmp_path / "precious").read_text() == "data"


def test_a_port_that_is_taken_is_said() -> None:
    line = TcpLine(0)
    port = int(line.url.rsplit(":", 1)[1])
    with pytest.raises(CannotServe, match=f"TCP port {port} cannot be opened"):
        TcpLine(port)
    line.close()


# --- who has the line -----------------------------------------------------------------------------------------


def test_a_client_that_left_frees_the_line_at_once() -> None:
    """It sends a byte and leaves, and the next one is there before anybody looked."""
    line = TcpLine(0)
    with served(line):
        port = int(line.url.rsplit(":", 1)[1])
        for _ in range(20):
            with socket.create_connection(("127.0.0.1", port), timeout=2) as leaving:
                leaving.sendall(wire.encode(1, wire.Hello(PROTOCOL_VERSION)) + b"\x01")
            client = Client(line.url)
            client.port.write(b"\x00")
            assert client.ask(wire.Hello(PROTOCOL_VERSION)).boot_id == 1
            client.port.close()


def test_what_one_client_asked_is_not_answered_to_the_next() -> None:
    line, device = TcpLine(0), Device()
    one = socket.create_connection(("127.0.0.1", int(line.url.rsplit(":", 1)[1])), timeout=2)
    line.receive(line.waiting_on())
    one.sendall(wire.encode(1, wire.Hello(PROTOCOL_VERSION)))
    one.close()
    two = socket.create_connection(("127.0.0.1", int(line.url.rsplit(":", 1)[1])), timeout=2)
    device.receive(line.receive(line.waiting_on()), 0)
    line.send(device.take_output())
    assert line.receive(line.waiting_on()) == b""
    line.send(b"for two")
    assert two.recv(100) == b"for two"
    two.close()
    line.close()


def test_a_link_that_somebody_uses_is_not_replaced_and_not_taken_away(tmp_path: Path) -> None:
    link, target = tmp_path / "stimulator", tmp_path / "important"
    target.write_text("x")
    link.symlink_to(target)
    with pytest.raises(CannotServe, match=r"points to .*important, which is in use; name another path"):
        PtyLine(link)
    assert link.readlink() == target
    link.unlink()
    first = PtyLine(link)
    theirs = link.readlink()
    with pytest.raises(CannotServe, match=f"points to {theirs}, which is in use"):
        PtyLine(link)
    assert link.readlink() == theirs
    link.unlink()
    link.symlink_to(target)
    first.close()
    assert link.readlink() == target, "it is not the one that we made"


# --- standing still --------------------------------------------------------------------------------------------


class Jumping(RunningClock):
    """A machine's clock that the test moves."""

    def __init__(self) -> None:
        super().__init__()
        self.machine_us = 0

    def now_us(self) -> int:
        return self.machine_us - self.still_us


def test_what_is_late_is_charged_up_to_a_quarter_of_a_second_and_then_not_at_all() -> None:
    clock = Jumping()
    clock.machine_us = 350_000
    assert (clock.look(100_000), clock.still_us) == (350_000, 0)
    clock.machine_us = 750_001
    assert (clock.look(500_000), clock.still_us) == (500_000, 250_001)
    clock.machine_us += 1_000
    assert clock.look(502_000) == 501_000


class Script(ServedLine):
    """A line on which bytes come by a script, in a world in which the simulator stands still for a while.

    Waiting moves the clock to what comes next or falls due, and past the standstill where that is in it.
    """

    url = "script"
    still_us = (1_300_000, 6_300_000)

    def __init__(self, clock: Jumping, device: Device, comes: list[tuple[int, bytes]]) -> None:
        self._clock, self._device, self._comes = clock, device, comes
        self.near, self.far = socket.socketpair()

    def waiting_on(self) -> list[Any]:
        """Nothing that a real `select` could wait for."""
        at_us = self._device.next_event_us() + self._clock.still_us
        if self._comes:
            at_us = min(at_us, self._comes[0][0])
        else:
            self.far.send(b"x")
        from_us, until_us = self.still_us
        self._clock.machine_us = max(self._clock.machine_us, until_us if from_us <= at_us < until_us else at_us)
        return []

    def receive(self, ready: list[Any]) -> bytes:
        """What has come by now."""
        data = b""
        while self._comes and self._comes[0][0] <= self._clock.machine_us:
            data += self._comes.pop(0)[1]
        return data

    def send(self, data: bytes) -> None:
        """Nobody listens."""

    hang_up = come_back = close = lambda _self: None


@pytest.mark.parametrize("host_lives", [True, False])
def test_a_simulator_that_stood_still_finds_a_live_host_alive_and_a_dead_one_dead(host_lives: bool) -> None:
    """It stands still for 5 s from 1.3 s on. Twenty keepalives wait for it; the host then goes on, or is gone."""
    device, clock = started_device()
    alive = [wire.encode(100 + n, wire.KeepAlive(device.machine.arming.nonce)) for n in range(60)]  # type: ignore[union-attr]
    comes = [(250_000 * n, alive[n]) for n in range(1, 48 if host_lives else 26)]
    line = Script(clock, device, comes if host_lives else [*comes, (12_000_000, b"\x00")])
    serve(device, line, line.near, clock)
    line.near.close()
    line.far.close()
    assert 4_900_000 < clock.still_us <= 5_100_000
    if host_lives:
        assert device.machine.session is not None, "it sent a keepalive every 250 ms, all the time"
        return
    stored = device.machine.waiting
    assert stored is not None
    assert stored.end_reason == EndReason.WATCHDOG
    # The last one that counted was read when the standstill ended, at 6.3 s: 1.3 s or a little more were charged.
    assert 2_250_000 <= stored.stimulation_us <= 2_420_000


def started_device() -> tuple[Device, Jumping]:
    """A device that stimulates, at time zero."""
    device, answers = Device(), FrameSplitter()

    def ask(message: Any) -> Any:
        device.receive(wire.encode(ask.number, message), 0)  # type: ignore[attr-defined]
        ask.number += 1  # type: ignore[attr-defined]
        told = [wire.parse(payload)[1] for payload in answers.feed(device.take_output())]
        return next(each for each in told if not isinstance(each, UNSOLICITED))

    ask.number = 1  # type: ignore[attr-defined]
    ask(wire.Hello(PROTOCOL_VERSION))
    ask(wire.LoadProgram(1, 1, 200, 0))
    ask(wire.LoadSegment(0, 10_000, 200, 0, 200, 0))
    head = int.from_bytes(ask(wire.ReadDigest()).sha256[:8], "little")
    ask(wire.SelfTest())
    armed = ask(wire.Arm(0, 1, 2_000, 60_000_000, 5_000, head))
    ask(wire.Start(armed.nonce, 500, 0, 0, 0))
    return device, Jumping()
