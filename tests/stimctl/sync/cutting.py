"""A TCP proxy that cuts connections: after so many bytes, or when the server has heard a COMMIT and the client not."""

import select
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_AT_ONCE = 4096
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: close with a reset


class CuttingProxy:
    """Forwards to `port`. The next connection is cut after `cuts.pop(0)` bytes of both directions, if there is one.

    With `deaf_commits` at n, the next n answers to a COMMIT are thrown away with their connections.
    """

    def __init__(self, port: int, cuts: list[int], deaf_commits: int = 0) -> None:
        self._far_port, self._cuts, self.deaf_commits = port, cuts, deaf_commits
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self.cut = 0
        self._threads = [threading.Thread(target=self._serve)]
        self._threads[0].start()

    def close(self) -> None:
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)
        self._listening.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listening.accept()
                left = self._cuts.pop(0) if self._cuts else 1 << 62
                self._threads.append(threading.Thread(target=self._forward, args=(near, left)))
                self._threads[-1].start()

    def _forward(self, near: socket.socket, left: int) -> None:
        committing = False
        with near, socket.create_connection(("127.0.0.1", self._far_port)) as far, suppress(OSError):
            while True:
                for source in select.select([near, far], [], [])[0]:
                    data = source.recv(min(_AT_ONCE, left))
                    if not data:
                        return
                    if committing and source is far:
                        self.deaf_commits -= 1
                        left = 0
                    else:
                        (far if source is near else near).sendall(data)
                        left -= len(data)
                    committing = bool(self.deaf_commits) and source is near and b"COMMIT" in data
                    if left == 0:
                        self.cut += 1
                        near.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                        return


@contextmanager
def cutting(port: int, cuts: list[int], deaf_commits: int = 0) -> Iterator[CuttingProxy]:
    """The proxy, closed at the end."""
    proxy = CuttingProxy(port, cuts, deaf_commits)
    try:
        yield proxy
    finally:
        proxy.close()
