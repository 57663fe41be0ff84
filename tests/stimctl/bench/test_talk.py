"""What is heard on a line where frames come in pieces and telemetry is under way when an answer comes."""

import pytest

from stimctl.bench.conformance.bench import Bench
from stimctl.bench.conformance.check import Nonconforming
from stimctl.wire.codes import DeviceState
from stimctl.wire.messages import Alive, KeepAlive, Status, encode


class Played:
    """A port that has these pieces to give, each a millisecond after the one before."""

    url, virtual, realtime = "played", False, True

    def __init__(self, *pieces: bytes) -> None:
        self.pieces = list(pieces)
        self.time_us = 0

    def now_us(self) -> int:
        return self.time_us

    def wait(self, deadline_us: int | None) -> bytes:
        self.time_us += 1_000
        return self.pieces.pop(0) if self.pieces else b""

    def write(self, data: bytes) -> None:
        """Nobody is there to take it."""

    def wake(self) -> None:
        """It never waits."""

    def close(self) -> None:
        """Nothing is open."""


def status(device_time_us: int, state: DeviceState) -> bytes:
    return encode(7, Status(device_time_us, 1, state, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0))


def test_telemetry_from_before_the_answer_is_not_taken_for_news() -> None:
    alive = encode(1, Alive(DeviceState.RUNNING, 1_000_000))
    port = Played(alive, status(950_000, DeviceState.RAMPING), status(1_050_000, DeviceState.RUNNING))
    bench = Bench(port)
    bench.get(KeepAlive(5), Alive)
    assert bench.state() is DeviceState.RUNNING
    assert [each.stale for each in bench.heard] == [False, True, False]
    assert [each.device_time_us for each in bench.statuses()] == [1_050_000]


def test_a_frame_that_a_check_or_the_port_began_in_is_no_damage() -> None:
    whole = status(1, DeviceState.IDLE)
    bench = Bench(Played(whole[20:], whole[:7], whole[7:9], whole[9:] + whole[:30], whole[30:]))
    bench.listen(3_000)
    bench.forget()
    bench.listen(2_500)
    bench.require_whole()
    assert len(bench.statuses()) == 2


def test_a_frame_that_is_damaged_is_found_in_whatever_pieces_it_came() -> None:
    whole = bytearray(status(1, DeviceState.IDLE))
    whole[10] ^= 1
    bench = Bench(Played(b"\x00", bytes(whole[:5]), bytes(whole[5:])))
    bench.listen(1_500)
    bench.forget()
    bench.listen(2_000)
    with pytest.raises(Nonconforming):
        bench.require_whole()
