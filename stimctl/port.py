"""A serial port by URL: bytes in, bytes out, the time, and one place that waits.

`open_port` takes whatever pyserial takes (`/dev/ttyUSB0`, `COM3`, `socket://host:port`) and the URLs of
installed protocol handlers (`sim://`). A `Port` waits only in `wait`, until a deadline, bytes, or a `wake`
from any thread. Behind hardware that is a `select` on the descriptor and a wake pipe; behind a simulator
in virtual time the wait advances the simulated world and the clock with it; above the port nobody knows.
"""

import contextlib
import io
import os
import queue
import select
import sys
import threading
import time
from collections.abc import Mapping
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any, Protocol

import serial

from stimctl.errors import LineLost, Misuse, PortBusy, Suspended

BAUD = 115_200
SLICE_S = 0.020  # where no descriptor can be waited on, the longest a stop may wait for the read
WRITE_LIMIT_S = 0.5
_CHUNK = 4_096
_TRAFFIC_BOUND = 10_000  # pieces that wait to be recorded: minutes of a session
_SUSPEND_US = 100_000


class TrafficSink(Protocol):
    """Where the bytes of both directions are recorded, with times."""

    def record(self, at_us: int, direction: str, data: bytes) -> None:
        """`direction` is `host` for what the host sent and `device` for what it received."""


class Port(Protocol):
    """What a session sees of a line."""

    url: str
    virtual: bool
    # Whether its clock runs no faster than the wall's, so that a person can follow.
    realtime: bool

    def now_us(self) -> int:
        """The time, by the clock that `wait` waits on."""

    def wait(self, deadline_us: int | None) -> bytes:
        """Bytes, or nothing at the deadline or after a `wake`. Raises `LineLost`, `Suspended`."""

    def write(self, data: bytes) -> None:
        """Send all of `data`. Raises `LineLost`."""

    def wake(self) -> None:
        """From any thread: let a running or the next `wait` return now."""

    def close(self) -> None:
        """Give the port back."""


class HostClock:
    """The host's monotonic clock in us, and whether the host slept while nobody looked."""

    def __init__(self) -> None:
        self._offset = self._boottime_lead()

    @staticmethod
    def now_us() -> int:
        """Monotonic; does not count a suspend."""
        return time.monotonic_ns() // 1_000

    @staticmethod
    def _boottime_lead() -> int:
        if sys.platform != "linux":
            return 0
        return (time.clock_gettime_ns(time.CLOCK_BOOTTIME) - time.monotonic_ns()) // 1_000

    def check_awake(self) -> None:
        """Raise `Suspended` when the host slept since the last call: what ran meanwhile is unknown."""
        lead = self._boottime_lead()
        if lead - self._offset > _SUSPEND_US:
            slept_s = (lead - self._offset) / 1e6
            self._offset = lead
            raise Suspended(f"the host was suspended for {slept_s:.1f} s; the session is over, start a new one")


class _HostPort:
    """What every port on the host's own clock has."""

    virtual = False
    realtime = True

    def __init__(self, url: str, line: Any) -> None:
        self.url = url
        self._line = line
        self._clock = HostClock()

    def now_us(self) -> int:
        return self._clock.now_us()

    def close(self) -> None:
        self._line.close()


def _wake_pipe() -> tuple[int, int]:
    if sys.platform == "win32":
        raise Misuse("on Windows select waits on sockets only: use SlicedPort")
    ends = os.pipe()
    for end in ends:
        os.set_blocking(end, False)
    return ends


class DescriptorPort(_HostPort):
    """A port whose descriptor `select` can wait on: ttys, ptys and sockets on POSIX."""

    def __init__(self, url: str, line: Any) -> None:
        super().__init__(url, line)
        self._fd: int = line.fileno()
        self._wake_r, self._wake_w = _wake_pipe()
        self._watched = [self._fd, self._wake_r]
        # A signal's handler may stop the session while its own thread is in here.
        self._waking = threading.RLock()
        self._closed = False

    def wait(self, deadline_us: int | None) -> bytes:
        left = None if deadline_us is None else max(0.0, (deadline_us - self._clock.now_us()) / 1e6)
        try:
            ready = select.select(self._watched, (), (), left)[0]
            self._clock.check_awake()
            if self._wake_r in ready:
                os.read(self._wake_r, _CHUNK)
            if self._fd not in ready:
                return b""
            data = os.read(self._fd, _CHUNK)
        except BlockingIOError:
            return b""
        except (OSError, ValueError) as fault:
            raise LineLost(f"{self.url}: the port is gone ({fault}); check the cable") from fault
        if not data:
            raise LineLost(f"{self.url}: the other end closed the line; check the cable")
        return data

    def write(self, data: bytes) -> None:
        try:
            sent = os.write(self._fd, data)
            while sent < len(data):
                sent += self._write_rest(data[sent:])
        except BlockingIOError:
            raise LineLost(f"{self.url}: the port takes no bytes; check the cable") from None
        except OSError as fault:
            raise LineLost(f"{self.url}: the port takes no bytes ({fault}); check the cable") from fault

    def _write_rest(self, rest: bytes) -> int:
        if not select.select((), (self._fd,), (), WRITE_LIMIT_S)[1]:
            raise LineLost(f"{self.url}: the port takes no bytes for {WRITE_LIMIT_S} s; check the cable")
        return os.write(self._fd, rest)

    def wake(self) -> None:
        # After the close the number may be another file's. A full pipe means that a wake is already waiting.
        with self._waking, contextlib.suppress(BlockingIOError):
            if not self._closed:
                os.write(self._wake_w, b"w")

    def close(self) -> None:
        # pyserial leaves a socket open whose far end has closed first.
        far_socket = getattr(self._line, "_socket", None)
        if far_socket is not None:
            far_socket.close()
        super().close()
        with self._waking:
            if not self._closed:
                self._closed = True
                os.close(self._wake_r)
                os.close(self._wake_w)


class SlicedPort(_HostPort):
    """A port that can only be read with a timeout: slices of 20 ms, so that a wake waits no longer."""

    def __init__(self, url: str, line: Any) -> None:
        super().__init__(url, line)
        self._woken = False

    def wait(self, deadline_us: int | None) -> bytes:
        try:
            while not self._woken:
                data: bytes = self._line.read(1)
                self._clock.check_awake()
                if data:
                    return data + bytes(self._line.read(self._line.in_waiting))
                if deadline_us is not None and self._clock.now_us() >= deadline_us:
                    return b""
        except (serial.SerialException, OSError) as fault:
            raise LineLost(f"{self.url}: the port is gone ({fault}); check the cable") from fault
        self._woken = False
        return b""

    def write(self, data: bytes) -> None:
        try:
            self._line.write(data)
        except (serial.SerialException, OSError) as fault:
            raise LineLost(f"{self.url}: the port takes no bytes ({fault}); check the cable") from fault

    def wake(self) -> None:
        self._woken = True


class VirtualPort:
    """A simulator in this process, whose clock moves only while it is waited on."""

    virtual = True

    def __init__(self, url: str, line: Any) -> None:
        self.url = url
        self.realtime = bool(getattr(line, "realtime", False))
        self.line = line  # for a bench, which switches the simulator's power
        self.now_us = line.now_us
        self.wake = line.wake
        self.close = line.close

    def wait(self, deadline_us: int | None) -> bytes:
        try:
            data: bytes = self.line.next_bytes(deadline_us)
        except serial.SerialException as fault:
            raise LineLost(f"{self.url}: the port is gone ({fault}); check the cable") from fault
        return data

    def write(self, data: bytes) -> None:
        try:
            self.line.write(data)
        except serial.SerialException as fault:
            raise LineLost(f"{self.url}: the port takes no bytes ({fault}); check the cable") from fault


# When, then direction and bytes, or kind and body of a note.
_Piece = tuple[int, str, bytes | Mapping[str, Any]]


class RecordedPort:
    """Another port, with all that passes written to a traffic sink: after it passed, and never instead of it.

    On a real line a thread of its own writes, so that a slow disk delays neither a keepalive nor a stop; what
    it cannot keep up with is left out. `fault` says why a recording is not whole, or is None.
    """

    def __init__(self, port: Port, sink: TrafficSink) -> None:
        self.url = port.url
        self.virtual = port.virtual
        self.realtime = port.realtime
        self.fault: str | None = None
        self._port = port
        self._sink = sink
        self.now_us = port.now_us
        self.wake = port.wake
        self._notes = callable(getattr(sink, "note", None))
        self._waiting: queue.Queue[_Piece | None] = queue.Queue(_TRAFFIC_BOUND)
        self._writer = threading.Thread(target=self._write_on, name="stimctl traffic", daemon=True)
        if not self.virtual:
            self._writer.start()

    def wait(self, deadline_us: int | None) -> bytes:
        data = self._port.wait(deadline_us)
        if data:
            self._keep((self._port.now_us(), "device", data))
        return data

    def write(self, data: bytes) -> None:
        # As it is handed over: what the driver does next, it times from there.
        at_us = self._port.now_us()
        self._port.write(data)
        self._keep((at_us, "host", data))

    def close(self) -> None:
        self._port.close()
        if not self.virtual:
            self._waiting.put(None)
            self._writer.join(WRITE_LIMIT_S)

    def note(self, at_us: int, kind: str, body: Mapping[str, Any]) -> None:
        """Record something that is not on the line, where the sink has a `note` of its own to take it."""
        if self._notes:
            self._keep((at_us, kind, body))

    def _keep(self, piece: _Piece) -> None:
        if self.virtual:
            self._record(piece)
            return
        try:
            self._waiting.put_nowait(piece)
        except queue.Full:
            self.fault = self.fault or "the recording of traffic fell behind, and is not whole"

    def _write_on(self) -> None:
        while (piece := self._waiting.get()) is not None:
            self._record(piece)

    def _record(self, piece: _Piece) -> None:
        at_us, name, what = piece
        if self.fault is None:
            try:
                if isinstance(what, bytes):
                    self._sink.record(at_us, name, what)
                else:
                    self._sink.note(at_us, name, what)  # type: ignore[attr-defined]
            except (OSError, ValueError) as fault:
                self.fault = f"the recording of traffic stopped: {fault}"


def open_port(url: str, *, traffic: TrafficSink | None = None) -> Port:
    """Open `url` at 115200 8N1, for this process alone.

    Raises `PortBusy` when another program holds it, `LineLost` when it cannot be opened, and `Misuse` for a
    URL that no installed handler knows.
    """
    register_handlers(url)
    try:
        line = serial.serial_for_url(url, do_not_open=True, baudrate=BAUD, write_timeout=WRITE_LIMIT_S)
        line.timeout = 0 if _has_descriptor(line) else SLICE_S
        if "://" not in url and os.name == "posix":
            line.exclusive = True
        line.open()
    except ValueError as unknown:
        raise Misuse(f"port {url!r}: {unknown}") from unknown
    except (serial.SerialException, OSError) as fault:
        raise _why_closed(url, fault) from fault
    port = _port_for(url, line)
    return RecordedPort(port, traffic) if traffic else port


def _has_descriptor(line: Any) -> bool:
    return os.name == "posix" and type(line).fileno is not io.RawIOBase.fileno


def _port_for(url: str, line: Any) -> Port:
    if getattr(line, "virtual", False):
        return VirtualPort(url, line)
    return DescriptorPort(url, line) if _has_descriptor(line) else SlicedPort(url, line)


def _why_closed(url: str, fault: Exception) -> PortBusy | LineLost:
    text = str(fault)
    if "exclusively lock" in text or "busy" in text.lower() or getattr(fault, "errno", None) in (11, 16):
        return PortBusy(f"{url}: another program holds the port; close it, or stop its session with `stimctl stop`")
    if getattr(fault, "errno", None) == 13 or "Permission" in text:
        return LineLost(f"{url}: no permission to open the port; on Linux join its group (often `dialout`)")
    number = getattr(fault, "errno", None)
    why = os.strerror(number) if number else text
    return LineLost(f"{url}: cannot open the port ({why}); `stimctl ports` lists what there is")


def register_handlers(url: str = "") -> None:
    """Make the URL schemes of installed packages known to pyserial.

    pyserial takes an ImportError inside a handler for "no such handler"; importing it here first shows it.
    """
    scheme = url.split("://", 1)[0].lower() if "://" in url else ""
    for entry in entry_points(group="stimctl.protocol_handlers"):
        if entry.value not in serial.protocol_handler_packages:
            serial.protocol_handler_packages.append(entry.value)
        if entry.name == scheme:
            try:
                import_module(f"{entry.value}.protocol_{scheme}")
            except ImportError as missing:
                raise Misuse(f"port {url!r}: the handler for {scheme}:// does not load: {missing}") from missing
