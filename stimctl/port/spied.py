"""`spy://` as a port: the bytes that pass go to the formatter of pyserial's spy.

pyserial's own spy sees only its own reads and writes, and a port here reads and writes the descriptor itself.
"""

import sys
from typing import Any

from stimctl.port.base import Port
from stimctl.port.recorded import RecordedPort


class SpiedPort(RecordedPort):
    """A port whose traffic is told to the formatter of pyserial's spy, on a thread of its own."""

    def __init__(self, port: Port, line: Any) -> None:
        super().__init__(port, _Spy(line.formatter))
        self._line = line

    def close(self) -> None:
        super().close()
        if not self._writer.is_alive():
            end_spying(self._line)


class _Spy:
    def __init__(self, formatter: Any) -> None:
        self._write_of = {"host": formatter.tx, "device": formatter.rx}

    def record(self, _at_us: int, direction: str, data: bytes) -> None:
        self._write_of[direction](data)


def is_spied(line: Any) -> bool:
    """Whether `line` was opened by `spy://`."""
    return callable(getattr(getattr(line, "formatter", None), "tx", None))


def end_spying(line: Any) -> None:
    """Close the file that `spy://` opened, if any: pyserial leaves it open."""
    output: Any = getattr(getattr(line, "formatter", None), "output", None)
    if output is not None and output is not sys.stderr:
        output.close()
