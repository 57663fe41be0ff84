"""The socket of a simulated oscilloscope: one command a line, over TCP, on this machine alone."""

import socketserver
import threading
from contextlib import suppress
from types import TracebackType
from typing import Protocol, Self


class Scpi(Protocol):
    """A maker's commands."""

    def answer(self, line: str) -> bytes | None:
        """The answer to a question, None for an order. Raises `ValueError` for a value that cannot be read."""


class ScopeServer:
    """Serves one instrument in a thread of its own. Use it in a `with`; `resource` is its VISA name."""

    def __init__(self, scpi: Scpi) -> None:
        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), _handler(scpi))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def resource(self) -> str:
        return f"TCPIP::127.0.0.1::{self._server.server_address[1]}::SOCKET"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _handler(scpi: Scpi) -> type[socketserver.StreamRequestHandler]:
    class Commands(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            with suppress(ConnectionError):  # whoever asked has gone
                for line in self.rfile:
                    self._obey(line.decode("ascii", "replace"))

        def _obey(self, line: str) -> None:
            try:
                answer = scpi.answer(line)
            except ValueError:
                return  # an instrument beeps; nobody is there to hear it
            if answer is not None:
                self.wfile.write(answer + b"\n")

    return Commands
