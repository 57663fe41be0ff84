"""The one stop: at once, every 20 ms, overdue at 100 ms, until somebody says that the device is at zero."""

import pytest

from stimctl import limits
from stimctl.stimulators.base import Stimulator, ZeroConfirmed, ZeroOverdue
from stimctl.stimulators.native import STOP_FRAME, NativeAdapter
from stimctl.stimulators.stop import StopSequence
from stimctl.wire import codec as m
from stimctl.wire.codes import GIVES_OUTPUT, PROTOCOL_VERSION, DeviceState
from stimctl.wire.framing import FrameSplitter

BEGAN_US = 7_000_000
MS = 1_000
S = 1_000_000


def test_it_is_sent_at_once_and_every_20_ms() -> None:
    sent: list[int] = []
    stop = StopSequence(sent.append, BEGAN_US)
    assert sent == [BEGAN_US]
    assert stop.next_deadline_us() == BEGAN_US + 20 * MS
    for after_us in (0, 1, 20 * MS - 1, 20 * MS, 20 * MS + 1, 40 * MS - 1, 40 * MS):
        stop.advance(BEGAN_US + after_us)
    assert sent == [BEGAN_US, BEGAN_US + 20 * MS, BEGAN_US + 40 * MS]
    assert stop.next_deadline_us() == BEGAN_US + 60 * MS


def test_a_late_turn_sends_once_and_counts_from_then() -> None:
    sent: list[int] = []
    stop = StopSequence(sent.append, BEGAN_US)
    stop.advance(BEGAN_US + 95 * MS)
    assert sent == [BEGAN_US, BEGAN_US + 95 * MS]
    assert stop.next_deadline_us() == BEGAN_US + 115 * MS


def test_it_is_overdue_after_100_ms_once_and_goes_on() -> None:
    sent: list[int] = []
    stop = StopSequence(sent.append, BEGAN_US)
    for after_us in (40 * MS, 80 * MS, 100 * MS - 1):  # each a whole try late, and not more
        assert stop.advance(BEGAN_US + after_us) == []
    assert stop.advance(BEGAN_US + 100 * MS) == [ZeroOverdue(100 * MS)]
    later_us = BEGAN_US + 100 * MS + limits.STOP_RESEND_US
    assert stop.advance(later_us) == []
    assert sent[-1] == later_us


def test_what_this_program_slept_through_is_no_silence_of_the_devices() -> None:
    stop = StopSequence(lambda _now_us: None, BEGAN_US)
    awake_us = BEGAN_US + 12_000 * MS
    assert stop.advance(awake_us) == []
    for after_us in (20 * MS, 61 * MS, 80 * MS - 1):  # among them one that is late as well
        assert stop.advance(awake_us + after_us) == []
    assert stop.advance(awake_us + 80 * MS) == [ZeroOverdue(12_080 * MS)]


@pytest.mark.parametrize("turn_ms", [5, 19, 25, 39, 41, 60, 150, 900])
def test_a_program_that_is_late_at_every_turn_is_told_at_the_second_by_which_zero_was_overdue(turn_ms: int) -> None:
    stop = StopSequence(lambda _now_us: None, BEGAN_US)
    told_ms = [turn * turn_ms for turn in range(1, 60) if stop.advance(BEGAN_US + turn * turn_ms * MS)]
    forgiven_ms = turn_ms - 20 if turn_ms > 40 else 0
    assert told_ms == [turn_ms * -(-(100 + forgiven_ms) // turn_ms)]


def test_what_is_confirmed_tells_when_it_was_answered_and_when_it_was_zero() -> None:
    stop = StopSequence(lambda _now_us: None, BEGAN_US)
    stop.answered(BEGAN_US + 3)
    stop.answered(BEGAN_US + 9)
    told = stop.confirmed(BEGAN_US + 25 * MS, 4, measured=False, device_time_us=11)
    assert told == ZeroConfirmed(25 * MS, 3, 4, measured=False, device_time_us=11)


def test_a_first_answer_that_confirms_is_both() -> None:
    assert StopSequence(lambda _now_us: None, BEGAN_US).confirmed(BEGAN_US + 5, 0) == ZeroConfirmed(5, 5, 0)


# --- as the native adapter uses it ---------------------------------------------------------------------------


def stopped(**changes: int) -> bytes:
    told = m.Stopped(state=DeviceState.ENDED, zero=1, measured_ua=3, device_time_us=50)
    return m.encode(0, told._replace(**changes))


@pytest.mark.parametrize("state", list(DeviceState))
def test_a_zero_is_believed_only_in_a_state_without_output(state: DeviceState) -> None:
    native = NativeAdapter()
    native.stop(BEGAN_US)
    assert native.take_output() == STOP_FRAME
    events = list(native.receive(stopped(state=int(state)), BEGAN_US + 30 * MS))
    assert events == ([] if state in GIVES_OUTPUT else [ZeroConfirmed(30 * MS, 30 * MS, 3, device_time_us=50)])
    native.advance(BEGAN_US + 30 * MS)
    assert native.take_output() == (STOP_FRAME if state in GIVES_OUTPUT else b"")


@pytest.mark.parametrize(
    ("changes", "believed"),
    [
        ({}, True),
        ({"zero": 0}, False),
        ({"measured_ua": limits.ZERO_UA - 1}, True),
        ({"measured_ua": limits.ZERO_UA}, False),
    ],
)
def test_a_zero_is_one_by_both_sides_limit(changes: dict[str, int], believed: bool) -> None:
    native = NativeAdapter()
    native.stop(BEGAN_US)
    assert bool(list(native.receive(stopped(**changes), BEGAN_US + 1))) is believed


TOLD_US = 60 * S
READING = m.Channel(*[0] * len(m.Channel._fields))


def event(device_time_us: int) -> bytes:
    return m.encode(0, m.Event(device_time_us, DeviceState.RUNNING, 0, 0, 0))


def heard_before(kind: str) -> NativeAdapter:
    """An adapter that heard something of the device's time `TOLD_US` before it was stopped."""
    native = NativeAdapter()
    if kind == "an answer":
        native.hold(BEGAN_US)
        number = m.parse(FrameSplitter().feed(native.take_output())[0])[0]
        data = m.encode(number, m.Holding(DeviceState.HELD, 0, TOLD_US))
    else:
        behind = {
            "by itself": b"",
            "among others": m.encode(0, m.Stopped(DeviceState.ENDED, 0, 0, 1)),
            "before an older reading": m.encode(0, READING._replace(channel=1, device_time_us=TOLD_US - 10 * MS)),
        }
        data = event(TOLD_US) + behind[kind]
    list(native.receive(data, BEGAN_US))
    native.stop(BEGAN_US)
    return native


@pytest.mark.parametrize("kind", ["an answer", "by itself", "among others", "before an older reading"])
@pytest.mark.parametrize("apart", [False, True])
def test_a_zero_from_before_what_was_heard_since_is_of_an_earlier_stop(kind: str, apart: bool) -> None:
    """A line may bring it late. A device that booted since counts its time anew, and boots in IDLE."""
    for told, believed in [
        (stopped(device_time_us=TOLD_US - 1), False),
        (stopped(device_time_us=TOLD_US), True),
        (stopped(device_time_us=12 * S, state=DeviceState.IDLE), True),
        (stopped(device_time_us=13 * S, state=DeviceState.IDLE), False),
        (stopped(device_time_us=1, state=DeviceState.ENDED), False),
    ]:
        native: Stimulator = heard_before(kind)
        if apart:
            native = native.apart()
            native.stop(BEGAN_US)
        assert bool(list(native.receive(told, BEGAN_US + 12 * S))) is believed


def test_what_a_board_said_before_it_booted_at_the_opening_of_its_port_is_of_no_account() -> None:
    native = NativeAdapter()
    list(native.receive(event(TOLD_US), BEGAN_US))
    native.connect(BEGAN_US)
    number = m.parse(FrameSplitter().feed(native.take_output().lstrip(b"\0"))[0])[0]
    welcome = m.Welcome(PROTOCOL_VERSION, 2, 1, DeviceState.IDLE, 0)
    list(native.receive(m.encode(number, welcome), BEGAN_US))
    native.stop(BEGAN_US)
    assert list(native.receive(stopped(device_time_us=300 * MS, state=DeviceState.TESTED), BEGAN_US + 1))


def test_a_stop_takes_the_place_of_all_that_was_to_be_sent() -> None:
    native = NativeAdapter()
    native.connect(BEGAN_US)
    native.stop(BEGAN_US)
    assert native.take_output() == STOP_FRAME
    assert native.next_deadline_us() == BEGAN_US + limits.STOP_RESEND_US
