"""A port that holds keepalives back: nothing else is held, and a stop passes whatever comes with it."""

import pytest

from stimctl.bench.plan.silence import SilencedPort
from stimctl.wire.codec import Alive, Hold, KeepAlive, Stop, decode, encode
from stimctl.wire.framing import DELIMITER

KEEPALIVE = encode(7, KeepAlive(99))
STOP = DELIMITER + encode(0, Stop())
HOLD = encode(8, Hold())


class _Line:
    """The port behind: keeps what is written, gives what is to be read."""

    url, virtual, realtime = "sim://", True, False

    def __init__(self) -> None:
        self.written, self.to_read, self.time_us = b"", b"", 1_000

    def now_us(self) -> int:
        return self.time_us

    def wait(self, _deadline_us: int | None) -> bytes:
        data, self.to_read = self.to_read, b""
        return data

    def write(self, data: bytes) -> None:
        self.written += data

    def wake(self) -> None: ...

    def close(self) -> None: ...


@pytest.fixture
def line() -> _Line:
    return _Line()


@pytest.fixture
def silent(line: _Line) -> SilencedPort:
    """A port that heard one keepalive answered at 1 ms, and is silent at 5 ms."""
    port = SilencedPort(line)
    port.write(KEEPALIVE)
    assert line.written == KEEPALIVE
    assert port.last_kept_alive_us == 1_000
    line.to_read = encode(7, Alive(5, 500))
    assert port.wait(None) == encode(7, Alive(5, 500))
    port.silent, line.written, line.time_us = True, b"", 5_000
    return port


def test_a_keepalive_is_held_and_answered_as_the_device_would(silent: SilencedPort, line: _Line) -> None:
    silent.write(KEEPALIVE)
    assert line.written == b""
    assert decode(silent.wait(None)) == (7, Alive(5, 4_500))
    assert silent.last_kept_alive_us == 1_000
    assert silent.wait(None) == b""


@pytest.mark.parametrize("data", [STOP, HOLD, STOP + HOLD, b"rubbish", b"\x00\x01\x02\x00"])
def test_nothing_else_is_held(data: bytes, silent: SilencedPort, line: _Line) -> None:
    silent.write(data)
    assert line.written == data


@pytest.mark.parametrize("data", [KEEPALIVE + STOP, STOP + KEEPALIVE, STOP + KEEPALIVE + STOP])
def test_a_stop_passes_with_a_keepalive_beside_it(data: bytes, silent: SilencedPort, line: _Line) -> None:
    silent.write(data)
    assert STOP.strip(DELIMITER) in line.written.split(DELIMITER)
    assert KEEPALIVE.strip(DELIMITER) not in line.written.split(DELIMITER)
    assert line.written.count(STOP.strip(DELIMITER)) == data.count(STOP.strip(DELIMITER))


def test_after_it_all_passes_again(silent: SilencedPort, line: _Line) -> None:
    silent.silent = False
    silent.write(KEEPALIVE)
    assert line.written == KEEPALIVE
    assert silent.last_kept_alive_us == 5_000
