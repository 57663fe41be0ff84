"""One connection to a session's stop endpoint: it has a deadline, whatever the caller says or leaves half said."""

import json
import os
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing import AuthenticationError
from multiprocessing.connection import Connection, answer_challenge, deliver_challenge
from typing import Any, cast

REQUEST_BYTES = 4096
CALLER_TIMEOUT_S = 1.0  # in which a caller shows its key and says what it wants; it takes milliseconds [choice]

# What a caller who vanishes, knows no key, or talks nonsense makes the connection raise.
CALLER_FAULTS = (OSError, EOFError, AuthenticationError, ValueError, AssertionError)


class StopConnection:
    """One who has called: it is listened to for a time and no longer, whatever it says or leaves half said.

    Reading is given up at that time also in the middle of a message: a timer hangs up, which ends any read or
    write at once. (A named pipe of Windows gives whole messages only, so that there asking for one is enough.)
    """

    def __init__(self, line: Connection) -> None:
        self._line = line
        self.send_bytes = line.send_bytes
        self._until_s = 0.0
        self._line_socket = None if sys.platform == "win32" else socket.socket(fileno=os.dup(line.fileno()))

    def request(self, key: bytes) -> Any:
        """What a caller who knows the key wants. Raises one of `CALLER_FAULTS` for another, and after a second."""
        line = cast("Connection", self)  # all that a challenge does with a line is to send and to receive
        with self._in_time():
            deliver_challenge(line, key)
            answer_challenge(line, key)
            return json.loads(self.recv_bytes(REQUEST_BYTES))

    def recv_bytes(self, longest: int) -> bytes:
        if not self._line.poll(max(0.0, self._until_s - time.monotonic())):
            raise TimeoutError("the caller says nothing")
        return self._line.recv_bytes(longest)

    def answer(self, reply: bytes) -> None:
        """Send a reply, to who takes it within a second."""
        with self._in_time():
            self.send_bytes(reply)

    @contextmanager
    def _in_time(self) -> Iterator[None]:
        self._until_s = time.monotonic() + CALLER_TIMEOUT_S
        timer = threading.Timer(CALLER_TIMEOUT_S, self.cut)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def cut(self) -> None:
        """From any thread: hang up."""
        if self._line_socket is not None:
            with suppress(OSError):  # hung up already
                self._line_socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._line.close()
        if self._line_socket is not None:
            self._line_socket.close()
