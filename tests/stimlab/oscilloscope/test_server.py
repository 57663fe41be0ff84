"""The socket of a simulated oscilloscope, and whoever leaves it."""

import socket
import struct

from stimlab.oscilloscope.server import _handler


class Echo:
    """Answers everything."""

    def answer(self, line: str) -> bytes | None:
        return line.encode()


def test_who_breaks_the_line_off_leaves_no_traceback() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        caller = socket.create_connection(listening.getsockname())
        request, address = listening.accept()
        with request:
            caller.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            caller.close()  # as a program that died: reset, not ended
            _handler(Echo())(request, address, None)  # type: ignore[arg-type]  # no server is asked
