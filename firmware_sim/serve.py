"""Serves the simulated stimulator in real time, behind a pty or a TCP port, like a device on a desk.

The device runs whether or not somebody is connected: a client that dies leaves it running until its watchdog
ends the session. One loop sleeps in `select` until bytes come or the device has something to do by itself.

A device with faults can be unplugged for a while. Then the terminal hangs up, as one does whose USB device is
pulled: whoever has it open reads its end, and its name is gone. A client over TCP is dropped and no other one is
let in.
"""

import json
import os
import socket
import sys
from collections.abc import Mapping
from io import TextIOBase
from pathlib import Path
from select import select
from typing import Any, Protocol

from firmware_sim.factory import SimulatedDevice, unplugged
from firmware_sim.running_clock import RunningClock, clock_us

__all__ = ["CannotServe", "JournalWriter", "PtyLine", "ServedLine", "TcpLine", "clock_us", "serve"]

READ_SIZE = 4096
MOST_BYTES = 65_536  # are taken from a client at a time; what is more waits
IDLE_US = 1_000_000  # a device that has nothing to do is looked at this often, so that a standstill is noticed
LOOPBACK = "127.0.0.1"  # this machine only: nobody else may drive it


class CannotServe(Exception):
    """The pty or the port cannot be had. The message says what to do."""


class ServedLine(Protocol):
    """One end of a line: what to listen to, what came, and a way to send."""

    url: str

    def waiting_on(self) -> list[Any]:
        """What `select` can wait for."""

    def receive(self, ready: list[Any]) -> bytes:
        """The bytes that came; b"" when none did."""

    def send(self, data: bytes) -> None:
        """Send without ever waiting. Bytes that nobody takes are lost, as on a real line."""

    def hang_up(self) -> None:
        """Be gone, for whoever is connected and for whoever comes."""

    def come_back(self) -> None:
        """Be there again, under the same name where it can be had. Raises `CannotServe`."""

    def close(self) -> None:
        """Close the line and remove its name."""


class PtyLine:
    """A pseudo-terminal: its other end is opened like a serial port."""

    url: str
    _near: int
    _far: int
    _link: Path | None

    def __init__(self, link: Path | None = None) -> None:
        if sys.platform == "win32":
            raise CannotServe("Windows has no pseudo-terminals: use --tcp PORT")
        import tty

        self._set_raw = tty.setraw
        self._link = link
        self._linked: str | None = None  # what the link that we made points to
        self._up = False
        self.come_back()

    def come_back(self) -> None:
        """A new terminal: without a link it may have another name."""
        # Our own hold on the far end keeps the line up while nobody is connected.
        self._near, self._far = os.openpty()
        self._up = True
        self._set_raw(self._far)
        os.set_blocking(self._near, False)
        path = os.ttyname(self._far)
        self.url = path if self._link is None else str(self._link)
        if self._link is not None:
            self._make_link(self._link, path)

    def hang_up(self) -> None:
        """Whoever has the far end open reads its end, and cannot write."""
        if not self._up:
            return
        self._up = False
        if self._link is not None and self._is_ours(self._link):
            self._link.unlink()
        self._linked = None
        os.close(self._far)
        os.close(self._near)

    def waiting_on(self) -> list[Any]:
        return [self._near] if self._up else []

    def receive(self, ready: list[Any]) -> bytes:
        """What was written into the far end."""
        return os.read(self._near, READ_SIZE) if self._near in ready else b""

    def send(self, data: bytes) -> None:
        """Send; what does not fit into the terminal's buffer is lost, as nobody reads it."""
        if not self._up:
            return
        try:
            os.write(self._near, data)
        except BlockingIOError:
            return

    def close(self) -> None:
        """Take the terminal and its link away."""
        self.hang_up()

    def _make_link(self, link: Path, path: str) -> None:
        try:
            if link.is_symlink() and (self._is_ours(link) or not link.exists()):
                link.unlink()  # it points nowhere: a simulator that was killed left it
            link.symlink_to(path)
            self._linked = path
        except OSError as problem:
            why = problem.strerror
            if isinstance(problem, FileExistsError) and link.is_symlink():
                why = f"it is there and points to {link.readlink()}, which is in use"
            self._link = None
            self.close()
            raise CannotServe(f"the link {link} cannot be made: {why}; name another path") from None

    def _is_ours(self, link: Path) -> bool:
        return self._linked is not None and link.is_symlink() and str(link.readlink()) == self._linked


class TcpLine:
    """A TCP port on this machine. One client at a time; another one is closed at once."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._client: socket.socket | None = None
        self.come_back()
        self.url = f"socket://{LOOPBACK}:{self._port}"

    def come_back(self) -> None:
        """Listen on the port."""
        try:
            self._listener = socket.create_server((LOOPBACK, self._port))
        except (OSError, OverflowError) as problem:
            raise CannotServe(
                f"TCP port {self._port} cannot be opened: {problem}; name another one, or 0 for any"
            ) from None
        self._listener.setblocking(False)
        self._port = self._listener.getsockname()[1]

    def hang_up(self) -> None:
        """Nobody listens any more, and then the client is dropped: who is told so finds no port."""
        self._listener.close()
        self._drop()

    def waiting_on(self) -> list[Any]:
        ends = [self._listener, self._client]
        return [end for end in ends if end is not None and end.fileno() >= 0]

    def receive(self, ready: list[Any]) -> bytes:
        """What the client sent; a client that left makes room for the next at once."""
        data = self._drain() if ready else b""
        # Who waits comes in with the next look: what this one asked last is not answered to another.
        if self._listener in ready and not data:
            self._accept()
        return data

    def _drain(self) -> bytes:
        """Everything that has come, up to the client's end if it left."""
        data = b""
        while self._client is not None and len(data) < MOST_BYTES:
            try:
                more = self._client.recv(READ_SIZE)
            except BlockingIOError:
                break
            except OSError:
                more = b""
            data += more
            if not more:
                self._drop()
        return data

    def send(self, data: bytes) -> None:
        """Send to the client, if there is one. One that does not read is dropped."""
        if self._client is None:
            return
        try:
            self._client.sendall(data)
        except OSError:
            self._drop()

    def close(self) -> None:
        """Close the client and the port."""
        self.hang_up()

    def _accept(self) -> None:
        try:
            client, _ = self._listener.accept()
        except OSError:
            return  # it has gone again already
        if self._client is not None:
            client.close()
            return
        client.setblocking(False)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._client = client

    def _drop(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None


class JournalWriter:
    """The device's own record: a JSON line an entry, flushed, so that it outlives whoever was connected.

    `monotonic_us` is the same instant on this machine's monotonic clock, which `clock` may be behind. A device with
    faults says `at_us`, since its first power-on, which its own time is not after a reset or by a wrong clock.
    """

    def __init__(self, file: TextIOBase, boot_us: int, clock: RunningClock | None = None) -> None:
        self._file = file
        self._boot_us = boot_us
        self._clock = RunningClock() if clock is None else clock

    def __call__(self, entry: Mapping[str, int | str]) -> None:
        at_us = self._boot_us + self._clock.still_us + int(entry.get("at_us", entry["device_time_us"]))
        self._file.write(json.dumps({**entry, "monotonic_us": at_us}) + "\n")
        self._file.flush()


def serve(
    device: SimulatedDevice, line: ServedLine, stopping: socket.socket, clock: RunningClock | None = None
) -> None:
    """Run the device on the line until a byte arrives on `stopping`. Raises `CannotServe` if it cannot come back."""
    clock, gone = RunningClock() if clock is None else clock, False
    while True:
        if unplugged(device) is not gone:
            gone = not gone
            line.hang_up() if gone else line.come_back()
        now_us = clock.now_us()
        due_us = min(device.next_event_us(), now_us + IDLE_US)
        ready, _, _ = select([stopping, *line.waiting_on()], [], [], max(0, due_us - now_us) / 1_000_000)
        # The time is taken after the wait: what came is not older than it.
        now_us = clock.look(due_us)
        if stopping in ready:
            device.advance(now_us)
            return
        data = line.receive(ready)
        device.receive(data, now_us) if data else device.advance(now_us)
        if out := device.take_output():
            line.send(out)
