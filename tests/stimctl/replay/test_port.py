"""The port of a replay: recorded bytes at recorded times, and every difference of the host found and named."""

import pytest

from stimctl.errors import LineLost
from stimctl.replay import ReplayMismatch, ReplayPort
from stimctl.traffic.transcript import TrafficChunk
from stimctl.wire.codec import Hello, KeepAlive, ReadSession, encode
from stimctl.wire.codes import PROTOCOL_VERSION

MS = 1_000
HELLO, ALIVE = encode(7, Hello(PROTOCOL_VERSION)), encode(8, KeepAlive(5))
RECORDS = [
    TrafficChunk(0, "host", HELLO),
    TrafficChunk(2 * MS, "device", b"answer"),
    TrafficChunk(250_100, "host", ALIVE),
]


def begun(records: list[TrafficChunk] = RECORDS, tolerance_us: int = 10 * MS) -> ReplayPort:
    port = ReplayPort(records, tolerance_us=tolerance_us)
    port.write(HELLO)
    return port


def test_recorded_bytes_come_at_their_times_and_the_clock_stands_still_else() -> None:
    port = begun()
    assert (port.now_us(), port.wait(1 * MS), port.now_us()) == (0, b"", 1 * MS)
    assert (port.wait(100 * MS), port.now_us()) == (b"answer", 2 * MS)


def test_a_wait_ends_as_late_as_it_did_in_the_record() -> None:
    port = begun()
    port.wait(250 * MS)
    assert (port.wait(250 * MS), port.now_us()) == (b"", 250_100)
    port.write(ALIVE)
    assert (port.sent, port.worst_us) == (2, 0)
    port.finish()


def test_an_answer_never_comes_before_its_question() -> None:
    records = [
        TrafficChunk(0, "host", HELLO),
        TrafficChunk(10 * MS, "host", ALIVE),
        TrafficChunk(11 * MS, "device", b"alive"),
    ]
    port = begun(records)
    assert port.wait(15 * MS) == b""
    port.write(ALIVE)
    assert (port.wait(30 * MS), port.now_us(), port.worst_us) == (b"alive", 15 * MS, 5 * MS)


def test_pieces_may_be_cut_otherwise() -> None:
    port = ReplayPort([TrafficChunk(0, "host", HELLO + ALIVE), TrafficChunk(1, "host", b"ab")])
    for byte in HELLO + ALIVE + b"ab":
        port.write(bytes([byte]))
    port.finish()
    whole = ReplayPort([TrafficChunk(0, "host", HELLO), TrafficChunk(1, "host", ALIVE)])
    whole.write(HELLO + ALIVE)
    whole.finish()


def test_other_bytes_are_a_difference_told_in_words() -> None:
    port = begun()
    port.wait(20 * MS)
    port.wait(250 * MS)
    with pytest.raises(ReplayMismatch) as found:
        port.write(encode(8, KeepAlive(6)))
    assert str(found.value) == (
        "at 0.250100 s: expected KeepAlive #8 nonce=0x0000000000000005 at 0.250100 s,"
        " got KeepAlive #8 nonce=0x0000000000000006"
    )


def test_another_order_is_a_difference() -> None:
    port = ReplayPort([TrafficChunk(0, "host", HELLO), TrafficChunk(0, "host", ALIVE)])
    with pytest.raises(ReplayMismatch, match=r"expected Hello #7 version=2 at .* got KeepAlive #8"):
        port.write(ALIVE)


def test_a_difference_in_the_middle_of_a_frame_shows_the_whole_frame() -> None:
    port = ReplayPort([TrafficChunk(0, "host", HELLO[:3]), TrafficChunk(0, "host", HELLO[3:])])
    port.write(HELLO[:2])
    with pytest.raises(ReplayMismatch, match=r"expected Hello #7 version=2 at .* got Hello #7 version=3"):
        port.write(encode(7, Hello(3))[2:])


def test_what_is_no_frame_is_shown_as_it_is() -> None:
    with pytest.raises(ReplayMismatch, match=r"expected b'M0,3\\n' at .* got b'M1,3\\n'"):
        ReplayPort([TrafficChunk(0, "host", b"M0,3\n")]).write(b"M1,3\n")


@pytest.mark.parametrize(("at_ms", "told"), [(239, "11.1 ms too early"), (270, "nothing within 10 ms of then")])
def test_the_wrong_time_is_a_difference(at_ms: int, told: str) -> None:
    port = begun()
    port.wait(20 * MS)
    with pytest.raises(ReplayMismatch, match=told):  # noqa: PT012 - either call may find it
        port.wait(at_ms * MS)
        port.write(ALIVE)


@pytest.mark.parametrize("at_ms", [241, 250, 260])
def test_the_tolerance_is_what_was_said(at_ms: int) -> None:
    port = begun()
    port.wait(20 * MS)
    port.wait(at_ms * MS)
    port.write(ALIVE)
    port.finish()


def test_what_was_skipped_past_is_late() -> None:
    port = begun()
    port.skip_to(261 * MS)
    with pytest.raises(ReplayMismatch, match=r"the same 10\.9 ms too late"):
        port.write(ALIVE)


def test_less_is_a_difference_at_the_end() -> None:
    with pytest.raises(ReplayMismatch, match=r"expected KeepAlive #8 .* got the end of the session"):
        begun().finish()


def test_more_is_a_difference() -> None:
    port = ReplayPort([TrafficChunk(0, "host", HELLO)])
    port.write(HELLO)
    with pytest.raises(ReplayMismatch, match=r"no more from the host, got ReadSession #9"):
        port.write(encode(9, ReadSession()))


def test_after_a_difference_nothing_goes_on() -> None:
    port = ReplayPort([TrafficChunk(0, "host", HELLO)])
    with pytest.raises(ReplayMismatch) as first:
        port.write(ALIVE)
    for call in (lambda: port.write(HELLO), lambda: port.wait(5), port.finish):
        with pytest.raises(ReplayMismatch) as again:
            call()
        assert again.value is first.value


def test_the_line_is_lost_where_the_record_ends() -> None:
    port = ReplayPort([TrafficChunk(0, "host", HELLO)], end_us=5 * MS)
    port.write(HELLO)
    assert port.wait(4 * MS) == b""
    with pytest.raises(LineLost, match="the record ends here"):
        port.wait(6 * MS)
    assert port.now_us() == 5 * MS
    with pytest.raises(LineLost, match="the record ends here"):
        port.write(ALIVE)


def test_what_is_sent_where_a_cut_record_ends_is_lost() -> None:
    port = ReplayPort([TrafficChunk(0, "host", HELLO)], end_us=20 * MS, open_ended=True)
    port.write(HELLO)
    port.wait(10 * MS)
    with pytest.raises(LineLost):
        port.write(ALIVE)
    sooner = ReplayPort([TrafficChunk(0, "host", HELLO)], end_us=20 * MS, open_ended=True)
    sooner.write(HELLO)
    sooner.wait(9 * MS)
    with pytest.raises(ReplayMismatch):
        sooner.write(ALIVE)


def test_a_wait_without_a_deadline_ends_too() -> None:
    port = begun()
    assert port.wait(None) == b"answer"
    with pytest.raises(ReplayMismatch, match="nothing within"):
        port.wait(None)
    silent = ReplayPort([], end_us=3)
    with pytest.raises(LineLost):
        silent.wait(None)


def test_the_host_went_on_when_more_than_a_keepalive_is_due() -> None:
    port = ReplayPort([TrafficChunk(5, "host", ALIVE), TrafficChunk(9, "host", HELLO)])
    assert not port.went_on()
    port.skip_to_next_write()
    assert not port.went_on()
    port.write(ALIVE)
    port.skip_to_next_write()
    assert port.went_on()
    port.write(HELLO)
    assert port.went_on()
