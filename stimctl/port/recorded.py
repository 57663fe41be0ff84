"""Records the traffic of another port as it passes.

`open_port(url, traffic=...)` wraps the port that it opens in this one.
"""

import contextlib
import queue
import threading
from collections.abc import Mapping
from typing import Any, Protocol

from stimctl.errors import NotSent
from stimctl.port.base import Port

_TRAFFIC_BOUND = 10_000  # pieces that wait to be recorded: minutes of a session
CLOSE_S = 0.5  # how long a close waits for what is not recorded yet


class TrafficSink(Protocol):
    """Where the bytes of both directions are recorded, with times."""

    def record(self, at_us: int, direction: str, data: bytes) -> None:
        """`direction` is `host` for what the host sent and `device` for what it received."""


# When, then direction and bytes, or kind and body of a note.
_Piece = tuple[int, str, bytes | Mapping[str, Any]]


class RecordedPort:
    """Another port, with all that passes written to a traffic sink: after it passed, and never instead of it.

    On a real line a thread of its own writes, so that a slow disk delays neither a keepalive nor a stop; what
    it cannot keep up with ends the recording. `fault` says why a recording is not whole, and once closed how much
    is missing; or it is None.
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
        self._passed = self._recorded = 0  # pieces
        self._closed = threading.Event()
        self._given_up = False
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
        try:
            self._port.write(data)
        except NotSent as short:
            if short.sent:
                self._keep((at_us, "host", data[: short.sent]))
            raise
        self._keep((at_us, "host", data))

    def close(self) -> None:
        """Give the port back, and wait half a second at most for what is not recorded yet."""
        self._port.close()
        if self._closed.is_set():
            return
        self._closed.set()
        if not self.virtual:
            with contextlib.suppress(queue.Full):  # then there is enough to wake the writer
                self._waiting.put_nowait(None)
            self._writer.join(CLOSE_S)
            self._given_up = True
        if missing := self._passed - self._recorded:
            why = self.fault or f"the recording of traffic took longer than {CLOSE_S:g} s to end"
            self.fault = f"{why}: of {self._passed} pieces the last {missing} are missing"

    def note(self, at_us: int, kind: str, body: Mapping[str, Any]) -> None:
        """Record something that is not on the line, where the sink has a `note` of its own to take it."""
        if self._notes:
            self._keep((at_us, kind, body))

    def _keep(self, piece: _Piece) -> None:
        self._passed += 1
        if self.fault is not None:
            return  # a recording with a gap would be taken for what happened
        if self.virtual:
            self._record(piece)
            return
        try:
            self._waiting.put_nowait(piece)
        except queue.Full:
            self.fault = "the recording of traffic fell behind"

    def _write_on(self) -> None:
        while (piece := self._waiting.get()) is not None and self._record(piece):
            if self._given_up or (self._closed.is_set() and self._waiting.empty()):
                return

    def _record(self, piece: _Piece) -> bool:
        """Whether the sink took it."""
        at_us, name, what = piece
        try:
            if isinstance(what, bytes):
                self._sink.record(at_us, name, what)
            else:
                self._sink.note(at_us, name, what)  # type: ignore[attr-defined]
        except Exception as fault:  # noqa: BLE001 - whatever the sink is, the session goes on, and `fault` tells
            self.fault = f"the recording of traffic stopped: {fault or type(fault).__name__}"
            return False
        self._recorded += 1
        return True
