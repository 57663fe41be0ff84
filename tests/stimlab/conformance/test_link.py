"""What is heard on a line where frames come in pieces and telemetry is under way when an answer comes."""

import pytest

from stimctl.wire.codec import Alive, Armed, Event, KeepAlive, ReadIdentity, Status, encode
from stimctl.wire.codes import DeviceState, Purpose
from stimlab.conformance.checks.telemetry import _even
from stimlab.conformance.dut import Dut
from stimlab.conformance.link import BYTE_US
from stimlab.conformance.timing import when
from stimlab.conformance.verdict import Nonconforming


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
    dut = Dut(port)
    dut.get(KeepAlive(5), Alive)
    assert dut.state() is DeviceState.RUNNING
    assert [each.stale for each in dut.received] == [False, True, False]
    assert [each.device_time_us for each in dut.statuses()] == [1_050_000]


def test_a_frame_that_a_check_or_the_port_began_in_is_no_damage() -> None:
    whole = status(1, DeviceState.IDLE)
    dut = Dut(Played(whole[20:], whole[:7], whole[7:9], whole[9:] + whole[:30], whole[30:]))
    dut.listen(3_000)
    dut.forget()
    dut.listen(2_500)
    dut.require_whole()
    assert len(dut.statuses()) == 2


def test_a_frame_that_is_damaged_is_found_in_whatever_pieces_it_came() -> None:
    whole = bytearray(status(1, DeviceState.IDLE))
    whole[10] ^= 1
    dut = Dut(Played(b"\x00", bytes(whole[:5]), bytes(whole[5:])))
    dut.listen(1_500)
    dut.forget()
    dut.listen(2_000)
    with pytest.raises(Nonconforming):
        dut.require_whole()


class Busy(Played):
    """Answers a command only when it comes for the `answers_at`-th time, and takes note of all that is sent."""

    def __init__(self, answers_at: int, answer: bytes) -> None:
        super().__init__()
        self.sent: list[tuple[int, bytes]] = []
        self.answers_at, self.answer = answers_at, answer

    def write(self, data: bytes) -> None:
        self.sent.append((self.time_us, data))
        if len(self.sent) == self.answers_at:
            self.pieces.append(self.answer)


def test_a_command_that_was_dropped_is_sent_again_after_50_ms_to_the_byte() -> None:
    port = Busy(3, encode(1, Alive(DeviceState.RUNNING, 1_000_000)))
    Dut(port).get(KeepAlive(5), Alive)
    frame = encode(1, KeepAlive(5))
    assert [data for _, data in port.sent] == [frame] * 3
    line_us = len(frame) * BYTE_US
    assert [at_us for at_us, _ in port.sent] == pytest.approx([0, 50_000 + line_us, 100_000 + 2 * line_us], abs=4_000)


def test_a_keepalive_is_answered_before_the_next_command_goes_out() -> None:
    port = Busy(2, encode(1, Alive(DeviceState.RUNNING, 1_000_000)))
    dut = Dut(port)
    dut.nonce, dut._alive_us = 5, -1_000_000
    dut.listen(2_000)
    assert [data for _, data in port.sent] == [encode(1, KeepAlive(5))] * 2
    assert [type(each.message) for each in dut.received] == [Alive]
    dut.send(ReadIdentity(0))
    assert port.sent[-1][0] > 50_000


def reported(device_time_us: int, state: DeviceState) -> bytes:
    return encode(7, Event(device_time_us, state, 0, 0, 0))


def test_an_event_from_before_the_arm_is_not_taken_for_a_lapse() -> None:
    armed = encode(1, Armed(Purpose.STIMULATE, 1, 500, 60_000_000, 100, 1, 5, 1_000_000))
    late, lapse = reported(990_000, DeviceState.TESTED), reported(1_100_000, DeviceState.TESTED)
    dut = Dut(Played(late, armed, late, reported(1_000_000, DeviceState.ARMED), lapse))
    dut.arm(time_to_live_ms=100)
    dut.nonce = None
    assert dut.reach(DeviceState.TESTED, 100_000, by="R-37").message.device_time_us == 1_100_000
    assert [each.stale for each in dut.received] == [False, False, True, False, False]
    assert when(dut, DeviceState.ARMED) == 1_000_000
    assert when(dut, DeviceState.TESTED) == 1_100_000


def test_the_newest_event_of_a_state_is_none_from_before_the_arm() -> None:
    armed = encode(1, Armed(Purpose.STIMULATE, 1, 500, 60_000_000, 100, 1, 5, 1_000_000))
    dut = Dut(Played(reported(990_000, DeviceState.TESTED), armed))
    dut.arm(time_to_live_ms=100)
    dut.nonce = None
    with pytest.raises(Nonconforming):
        when(dut, DeviceState.TESTED)


def test_a_status_that_an_answer_overtook_is_no_gap() -> None:
    class Ticking(Played):
        """A Status every 100 ms, the tenth behind an answer that was made 1 us later."""

        def wait(self, deadline_us: int | None) -> bytes:
            self.time_us += 100_000
            late = encode(1, Alive(DeviceState.HELD, self.time_us + 1)) if self.time_us == 1_000_000 else b""
            return late + status(self.time_us, DeviceState.HELD)

    dut = Dut(Ticking())
    _even(dut, "HELD")
    assert [each.value for each in dut.measurements] == [0]
    assert any(each.stale for each in dut.received)
