"""A port that can hold keepalives back, so that a device's watchdog has something to do. A stop always passes.

The driver would end the session itself when its keepalives are not answered, before the watchdog does. So they are
answered here, in the device's words of the last one that it heard, and it hears of no more.
"""

from collections.abc import Callable

from stimctl.errors import WireError
from stimctl.port import Port
from stimctl.wire.codec import Alive, KeepAlive, decode, encode, message_in
from stimctl.wire.framing import DELIMITER, FrameSplitter


class SilencedPort:
    """Another port; while `silent`, of what is written it keeps back keepalives and nothing else.

    `last_kept_alive_us` is when the last keepalive passed, by the port's clock.
    """

    def __init__(self, port: Port) -> None:
        self.url = port.url
        self.virtual = port.virtual
        self.realtime = port.realtime
        self.silent = False
        self.last_kept_alive_us = 0
        self._port = port
        self._answers = b""
        self._splitter = FrameSplitter()
        self._alive: tuple[int, Alive] | None = None
        self.now_us: Callable[[], int] = port.now_us
        self.wake = port.wake
        self.close = port.close

    def wait(self, deadline_us: int | None) -> bytes:
        if self._answers:
            answers, self._answers = self._answers, b""
            return answers
        data = self._port.wait(deadline_us)
        for payload in self._splitter.feed(data):
            message = _message(payload)
            if isinstance(message, Alive):
                self._alive = self.now_us(), message
        return data

    def write(self, data: bytes) -> None:
        alive = [number for number in map(_keepalive, data.split(DELIMITER)) if number is not None]
        if alive and self.silent and self._alive is not None:
            heard_us, last = self._alive
            answer = last._replace(device_time_us=last.device_time_us + self.now_us() - heard_us)
            self._answers += b"".join(encode(number, answer) for number in alive)
            data = DELIMITER.join(part for part in data.split(DELIMITER) if _keepalive(part) is None)
        elif alive:
            self.last_kept_alive_us = self.now_us()
        if data:
            self._port.write(data)


def _message(payload: bytes) -> object:
    try:
        return message_in(payload)
    except WireError:
        return None


def _keepalive(chunk: bytes) -> int | None:
    """The number of a frame that is a keepalive."""
    try:
        number, message = decode(chunk) if chunk else (0, None)
    except WireError:
        return None
    return number if isinstance(message, KeepAlive) else None
