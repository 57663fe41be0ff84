"""Ports on the host's own clock: those that wait on a descriptor, and those that can only be read in slices."""

import contextlib
import os
import queue
import select
import selectors
import socket
import sys
import threading
from collections.abc import Callable, Collection
from typing import Any

from stimctl.errors import LineLost, Misuse, NotSent
from stimctl.forking import dead_end, tell_of_forks
from stimctl.port.base import ROOM_S
from stimctl.port.clock import HostClock
from stimctl.port.sending import not_sent, send_soon

_CHUNK = 4_096
_SELECT_KNOWS = 1_024  # descriptors, from 0
UNREAD_BOUND = 1 << 16  # bytes that pyserial keeps at most of what nobody has read yet: seconds of a line [choice]
_IAC = b"\xff"  # what telnet's commands begin with; as data it is sent twice


class _HostPort:
    """The part that every port on the host's own clock shares."""

    virtual = False
    realtime = True

    def __init__(self, url: str, line: Any) -> None:
        self.url = url
        self._line = line
        self._clock = HostClock()
        self._owner = os.getpid()
        tell_of_forks(self)

    def now_us(self) -> int:
        return self._clock.now_us()

    def close(self) -> None:
        self._line.close()

    def let_go_in_fork(self) -> None:
        """In a forked child: neither hold the line nor reach it."""
        line_socket = getattr(self._line, "_socket", None)
        if line_socket is not None and line_socket.fileno() >= 0:
            dead_end(line_socket.fileno())

    def _gone(self, fault: object) -> LineLost:
        if self._owner != os.getpid():
            return LineLost(f"{self.url}: the port belongs to process {self._owner}; a forked child cannot use it")
        # Who serves one program at a time closes the line of a second one.
        over_tcp = getattr(self._line, "_socket", None) is not None
        also = ", and whether another program has the line" if over_tcp else ""
        return LineLost(f"{self.url}: the port is gone ({fault}); check the cable{also}")


def _wake_pipe() -> tuple[int, int]:
    if sys.platform == "win32":
        raise Misuse("on Windows select waits on sockets only: use SlicedPort")
    ends = os.pipe()
    for end in ends:
        os.set_blocking(end, False)
    return ends


def readable(descriptors: list[int]) -> Callable[[float | None], Collection[int]]:
    """What waits, for so many seconds at most, until one of `descriptors` can be read, and gives those that can.

    `select` ends within 0.1 ms of its time. `poll` counts in whole ms, rounded up, which would make each deadline
    of a session late by half a ms; but it knows every descriptor, and `select` none over 1023.
    """
    if max(descriptors) < _SELECT_KNOWS:
        return lambda limit_s: select.select(descriptors, (), (), limit_s)[0]
    selector = getattr(selectors, "PollSelector", selectors.DefaultSelector)()
    for each in descriptors:
        selector.register(each, selectors.EVENT_READ)
    return lambda limit_s: [key.fd for key, _ in selector.select(limit_s)]


def _readable_no_more(_limit_s: float | None) -> Collection[int]:
    raise ValueError("it was closed")


class DescriptorPort(_HostPort):
    """A port whose descriptor can be waited on: ttys, ptys and sockets on POSIX."""

    def __init__(self, url: str, line: Any) -> None:
        super().__init__(url, line)
        self._fd: int = line.fileno()
        if sys.platform != "win32":
            # Some of pyserial's classes wait in the read itself; here only `wait` waits.
            os.set_blocking(self._fd, False)
        self._wake_r, self._wake_w = _wake_pipe()
        self._readable = readable([self._fd, self._wake_r])
        # A signal's handler may stop the session while its own thread is in here.
        self._waking = threading.RLock()
        self._closed = False

    def wait(self, deadline_us: int | None) -> bytes:
        left_s = None if deadline_us is None else max(0.0, (deadline_us - self._clock.now_us()) / 1e6)
        try:
            ready = self._readable(left_s)
            self._clock.check_awake()
            if self._wake_r in ready:
                os.read(self._wake_r, _CHUNK)
            if self._fd not in ready:
                return b""
            data = os.read(self._fd, _CHUNK)
        except BlockingIOError:
            return b""
        except (OSError, ValueError) as fault:
            raise self._gone(fault) from fault
        if not data:
            raise self._gone("the other end closed the line")
        return data

    def write(self, data: bytes) -> None:
        send_soon(self._fd, self._send, data, self.url)

    def _send(self, data: bytes) -> int:
        return os.write(self._fd, data)

    def wake(self) -> None:
        # After the close the number may be another file's. A full pipe means that a wake is already waiting; in a
        # forked child nobody listens.
        with self._waking, contextlib.suppress(BlockingIOError, BrokenPipeError):
            if not self._closed:
                os.write(self._wake_w, b"w")

    def close(self) -> None:
        with self._waking:
            if self._closed:
                return
            self._closed = True
            self._readable = _readable_no_more
            self._fd = -1
            os.close(self._wake_r)
            os.close(self._wake_w)
        # pyserial leaves a socket open whose far end has closed first.
        line_socket = getattr(self._line, "_socket", None)
        if line_socket is not None:
            line_socket.close()
        super().close()

    def let_go_in_fork(self) -> None:
        self._waking = threading.RLock()  # another thread may have had it as the process forked
        if not self._closed:
            dead_end(self._fd, self._wake_r, self._wake_w)


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
                    return data + self._there()
                if deadline_us is not None and self._clock.now_us() >= deadline_us:
                    return b""
            self._woken = False
            self._clock.check_awake()
            return self._there()  # whoever wakes it all the time keeps nothing from being read
        except OSError as fault:  # as a SerialException is
            raise self._gone(fault) from fault

    def _there(self) -> bytes:
        """What can be read without waiting."""
        return bytes(self._line.read(self._line.in_waiting))

    def write(self, data: bytes) -> None:
        try:
            sent = self._line.write(data)
        except (OSError, queue.Full) as fault:
            raise not_sent(self.url, data, 0, fault) from fault
        if sent is not None and sent < len(data):
            raise not_sent(self.url, data, sent)

    def wake(self) -> None:
        self._woken = True


class TelnetPort(SlicedPort):
    """A port at `rfc2217://`. pyserial reads it; it is written here, since pyserial's write waits for seconds.

    Its reading thread takes what comes faster than byte after byte is read from it: with a bound it has to wait,
    and so has a far end that floods the line.
    """

    def __init__(self, url: str, line: Any) -> None:
        super().__init__(url, line)
        self._turn: threading.Lock = line._write_lock  # pyserial's reading thread answers the far end's questions
        self._sender: socket.socket = line._socket.dup()
        self._sender.setblocking(False)
        self._half_sent = b""
        self._unread: queue.Queue[bytes | None] = line._read_buffer
        self._bound_unread(UNREAD_BOUND)

    def _bound_unread(self, at_most: int) -> None:
        with self._unread.mutex:
            self._unread.maxsize = at_most
            self._unread.not_full.notify_all()

    def write(self, data: bytes) -> None:
        if not self._turn.acquire(timeout=ROOM_S):
            raise not_sent(self.url, data, 0)
        try:
            self._send_doubled(data)
        finally:
            self._turn.release()

    def _send_doubled(self, data: bytes) -> None:
        """Send `data` with each 0xFF twice. Of a pair that was cut in two, the other half goes before the next data."""
        before = self._half_sent
        whole = before + data.replace(_IAC, _IAC * 2)
        try:
            send_soon(self._sender.fileno(), self._sender.send, whole, self.url)
        except NotSent as short:
            went = whole[len(before) : short.sent]
            if short.sent:
                self._half_sent = _IAC * (went.count(_IAC) % 2)
            raise not_sent(self.url, data, len(went.replace(_IAC * 2, _IAC)), short.__cause__ or "") from short
        self._half_sent = b""

    def close(self) -> None:
        self._bound_unread(sys.maxsize)  # or the thread waits for ever, and the close for it
        self._sender.close()
        super().close()

    def let_go_in_fork(self) -> None:
        super().let_go_in_fork()
        self._unread = queue.Queue()  # the reading thread may have had the other's lock as the process forked
        if self._sender.fileno() >= 0:
            dead_end(self._sender.fileno())
