"""A real line does not fail a good device: bytes one at a time, frames cut by opening and closing, 16 ms of latency."""

import time

import pytest

from stimctl.port import open_port
from stimctl.wire.codec import Hello, ReadIdentity, Stop, encode
from stimctl.wire.codes import PROTOCOL_VERSION
from stimctl.wire.framing import frame
from stimlab.conformance.check import Check, all_checks
from stimlab.conformance.dut import Dut
from stimlab.conformance.matrix import OperatingPoint, SafetyAction, SegmentPosition, SessionMoment
from stimlab.conformance.operating_point import check_of
from stimlab.conformance.runner import SuiteRunner
from tests.stimctl.session.processes import next_line, started
from tests.stimlab.conformance.bench_world import failures
from tests.stimlab.conformance.byte_paced import BYTE_US, Uart
from tests.stimlab.conformance.byte_paced_run import LINES, run_over

QUICK = ("junk_is_dropped", "stop_is_at_once", "stopped_goes_ahead", "split_and_merged_frames")
CELL = OperatingPoint(SafetyAction.STOP, SegmentPosition.SECOND, 200, 1, SessionMoment.RUN)


def quick() -> list[Check]:
    return [*(each for each in all_checks() if each.name in QUICK), check_of(CELL)]


@pytest.mark.realtime
def test_a_good_device_passes() -> None:
    run = run_over(LINES["usb adapter, fast clock"], quick())
    assert failures(run) == []
    assert run.count("passed") == len(quick()) == len(QUICK) + 1


@pytest.mark.realtime
def test_a_line_that_is_opened_in_the_midst_of_a_frame_is_no_damage() -> None:
    device = started("-m", "tests.stimlab.conformance.byte_paced", "--pty")
    try:
        url = next_line(device)
        port = open_port(url)
        port.write(encode(1, Hello(PROTOCOL_VERSION)) + b"\x05\x07")  # telemetry from here on, and half a frame
        time.sleep(0.302)  # in the third Status
        port.close()
        port = open_port(url)
        nothing = Check("nothing", ("R-04",), "nothing", "made", lambda dut: void(dut.status()))
        run = SuiteRunner(Dut(port)).run([nothing])
        port.close()
        assert failures(run) == []
    finally:
        device.terminate()
        device.communicate()


def void(_: object) -> None:
    """A check gives nothing back."""


def test_bytes_take_their_time_and_stopped_goes_first() -> None:
    uart = Uart()
    uart.arrive(b"\x01\x02", 0)
    assert uart.arrived(BYTE_US) == [(int(BYTE_US), b"\x01")]
    assert uart.arrived(10 * BYTE_US) == [(int(2 * BYTE_US), b"\x02")]
    assert not uart.busy
    telemetry, answer, stopped = (encode_kind(kind) for kind in (0x60, 0x42, 0x5F))
    uart.left(0)
    uart.say(telemetry * 2 + answer)
    first = uart.left(BYTE_US * 3)
    uart.say(stopped)
    rest = uart.left(BYTE_US * 1_000)
    assert len(first) == 3
    assert first + rest == answer + stopped + telemetry + encode_kind(0x60, 2)


def test_events_keep_their_place_among_answers_and_what_it_says_by_itself_is_numbered_as_it_is_sent() -> None:
    uart = Uart()
    uart.left(0)
    uart.say(encode_kind(0x60, 7) + encode_kind(0x42) + encode_kind(0x62, 8) + encode_kind(0x43))
    sent = encode_kind(0x42) + encode_kind(0x62, 1) + encode_kind(0x43) + encode_kind(0x60, 2)
    assert uart.left(BYTE_US * 1_000) == sent


def test_while_an_answer_waits_only_a_stop_is_taken() -> None:
    uart, question, stop = Uart(), encode(3, ReadIdentity(0)), encode(0, Stop())
    assert uart.takes(question)
    uart.left(0)
    uart.say(encode_kind(0x42))
    assert (uart.takes(question), uart.takes(stop), uart.takes(b"\xff\x00")) == (False, True, False)
    uart.left(BYTE_US * 3)
    assert not uart.takes(question)
    uart.left(BYTE_US * 1_000)
    assert uart.takes(question)


def encode_kind(kind: int, number: int = 1) -> bytes:
    return frame(bytes([kind, number, 0, 1]))
