"""A recording of traffic: whole, or it says what is missing; and nobody waits for it."""

import threading
import time
from typing import Any

import pytest

from stimctl.errors import NotSent
from stimctl.port import RecordedPort
from stimctl.port.recorded import CLOSE_S


class Line:
    """A port on which the device talks on, and which takes `room` bytes of each write."""

    url = "line"
    realtime = True

    def __init__(self, *, virtual: bool = False, room: int | None = None) -> None:
        self.virtual = virtual
        self.room = room
        self.closed = 0

    def now_us(self) -> int:
        return 5

    def wake(self) -> None:
        """Nobody waits in here."""

    def wait(self, deadline_us: int | None) -> bytes:
        return b"x"

    def write(self, data: bytes) -> None:
        if self.room is not None:
            raise NotSent("the port took a part", self.room)

    def close(self) -> None:
        self.closed += 1


class Sink:
    """Takes `room` pieces, then waits to be let go."""

    def __init__(self, room: int = 1_000_000) -> None:
        self.room = room
        self.pieces: list[tuple[str, bytes]] = []
        self.let_go = threading.Event()

    def record(self, at_us: int, direction: str, data: bytes) -> None:
        if len(self.pieces) >= self.room:
            self.let_go.wait(30)
        self.pieces.append((direction, data))


def closed_in_s(port: RecordedPort) -> float:
    begin_s = time.monotonic()
    port.close()
    return time.monotonic() - begin_s


def passed(sink: Any, pieces: int, **line: Any) -> RecordedPort:
    port = RecordedPort(Line(**line), sink)
    for _ in range(pieces):
        port.wait(None)
    return port


@pytest.mark.parametrize("pieces", [0, 1, 500, 10_000])
def test_what_passed_is_all_there_after_the_close(pieces: int) -> None:
    sink = Sink()
    port = passed(sink, pieces)
    port.close()
    assert (len(sink.pieces), port.fault) == (pieces, None)


@pytest.mark.realtime
@pytest.mark.parametrize(("pieces", "why"), [(1, "0.5 s"), (100, "0.5 s"), (10_000, "0.5 s"), (10_005, "fell behind")])
def test_a_sink_that_hangs_keeps_no_close_waiting(pieces: int, why: str) -> None:
    sink = Sink(room=0)
    port = passed(sink, pieces)
    assert closed_in_s(port) < CLOSE_S + 0.3
    assert port.fault is not None
    assert why in port.fault
    assert f"of {pieces} pieces the last {pieces} are missing" in port.fault
    told = port.fault
    assert closed_in_s(port) < 0.1, "closing twice is harmless"
    assert port.fault == told
    sink.let_go.set()
    port._writer.join(5)
    assert len(sink.pieces) == 1, "and what comes late is not written behind the caller's back"


def test_what_the_sink_can_take_of_a_full_queue_is_taken() -> None:
    sink = Sink(room=0)
    port = passed(sink, 10_050)
    sink.let_go.set()
    port.close()
    assert len(sink.pieces) >= 10_000
    assert port.fault is not None
    assert port.fault.endswith(f"of 10050 pieces the last {10_050 - len(sink.pieces)} are missing")


@pytest.mark.parametrize("virtual", [False, True])
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), ValueError("closed file"), KeyError("bug")])
def test_a_sink_that_breaks_stops_nothing_and_is_told(error: Exception, virtual: bool) -> None:
    class Broken(Sink):
        def record(self, at_us: int, direction: str, data: bytes) -> None:
            if len(self.pieces) == 2:
                raise error
            super().record(at_us, direction, data)

    sink = Broken()
    port = passed(sink, 20, virtual=virtual)
    assert closed_in_s(port) < CLOSE_S
    assert len(sink.pieces) == 2, "what came after a gap would be taken for what happened"
    assert port.fault is not None
    assert str(error) in port.fault
    assert port.fault.endswith("of 20 pieces the last 18 are missing")


@pytest.mark.parametrize(("room", "recorded"), [(0, []), (3, [("host", b"abc")])])
def test_of_a_write_that_failed_the_part_that_went_is_recorded(room: int, recorded: list[Any]) -> None:
    sink = Sink()
    port = RecordedPort(Line(room=room), sink)
    with pytest.raises(NotSent):
        port.write(b"abcdef")
    port.close()
    assert sink.pieces == recorded
    assert port.fault is None
