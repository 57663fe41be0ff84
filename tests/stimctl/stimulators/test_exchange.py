"""Commands on their way: which goes first, what overtakes what and when, and what an answer means that comes late."""

from typing import Any

import pytest

from stimctl.errors import CommandRefused, EchoMismatch, TimedOut, WrongDevice
from stimctl.stimulators.base import OrderDeclined, StimulatorFailed
from stimctl.stimulators.command_writer import NOT_TAKEN
from stimctl.stimulators.exchange import BOOT_US, GIVE_UP_US, NO_ANSWER, RESEND_US, Exchange, PendingCommand, Urgency
from stimctl.stimulators.native import NativeAdapter
from stimctl.stimulators.targets import Targets
from stimctl.wire import codec as m
from stimctl.wire.codes import DeviceState, Refusal
from stimctl.wire.framing import FrameSplitter

MS = 1_000
NONCE = 7


def told(answer: Any, _now_us: int) -> list[Any]:
    return [answer]


def filled(kind: type[Any], *values: int) -> Any:
    """A message whose last fields are zero."""
    return kind(*values, *[0] * (len(kind._fields) - len(values)))


ALIVE = filled(m.Alive)
HOLDING = filled(m.Holding, DeviceState.HELD)


def counters(channel: int) -> m.Counters:
    return filled(m.Counters, channel)  # type: ignore[no-any-return]


def target_set(channel: int, target_ua: int) -> m.TargetSet:
    return filled(m.TargetSet, channel, target_ua)  # type: ignore[no-any-return]


def keepalive() -> PendingCommand:
    return PendingCommand(m.KeepAlive(NONCE), m.Alive, 0, told, Urgency.KEEPALIVE)


def hold() -> PendingCommand:
    return PendingCommand(m.Hold(), m.Holding, 0, told, Urgency.HOLD)


def step(channel: int = 1) -> PendingCommand:
    return PendingCommand(m.ReadCounters(channel), m.Counters, 1, told)


def setting(channel: int, target_ua: int) -> m.SetTarget:
    return m.SetTarget(NONCE, channel, target_ua)


class Line:
    """An exchange in a run that was started towards these targets, and what it sends."""

    def __init__(self, *targets_ua: int) -> None:
        self.exchange = Exchange(0, self.set_target)
        started = dict(enumerate(targets_ua, 1))
        self.targets = self.exchange.targets = Targets(started)
        self.targets.started(started, 0)

    def set_target(self, channel: int, target_ua: int) -> PendingCommand:
        urgency = Urgency.RAISE if self.targets[channel].raises else Urgency.LOWER
        return PendingCommand(setting(channel, target_ua), m.TargetSet, 0, told, urgency)

    def want(self, channel: int, target_ua: int, now_us: int = 0) -> None:
        self.targets.want(channel, target_ua)
        self.exchange.send_next(now_us)

    def sent(self) -> list[tuple[int, Any]]:
        """What was sent since the last call: numbers and messages."""
        return [m.parse(payload) for payload in FrameSplitter().feed(self.exchange.take_output())]

    def answer(self, number: int, message: Any, now_us: int = 0) -> list[Any]:
        """An answer comes; a target that it applies is noted, as the session does."""
        events = self.exchange.answered(number, message, now_us)
        for event in events:
            if type(event) is m.TargetSet:
                self.targets.applied(event.channel, event.target_ua, now_us)
        return events

    def pass_time(self, now_us: int) -> list[tuple[int, Any]]:
        """Time passes, without event; what is sent then."""
        assert self.exchange.advance(now_us) == []
        return self.sent()


# --- which goes first -----------------------------------------------------------------------------------------


def test_one_command_at_a_time_and_steps_in_their_order() -> None:
    line = Line()
    for channel in (1, 2, 3):
        line.exchange.ask(step(channel), 0)
    assert line.sent() == [(1, m.ReadCounters(1))]
    assert line.answer(1, counters(1)) == [counters(1)]
    assert line.sent() == [(2, m.ReadCounters(2))]
    line.answer(2, counters(2))
    assert line.sent() == [(3, m.ReadCounters(3))]
    line.answer(3, counters(3))
    assert line.sent() == []
    assert not line.exchange.waits


def test_hold_before_keepalive_before_lowering_before_raise_before_steps() -> None:
    line = Line(1_000, 1_000)
    line.exchange.ask(step(1), 0)
    line.exchange.ask(step(2), 0)
    line.want(1, 1_100)
    line.want(2, 900)
    line.exchange.urge(keepalive(), 0)
    line.exchange.urge(hold(), 0)
    order = line.sent()
    for number, answer in enumerate(
        (counters(1), HOLDING, ALIVE, target_set(2, 900), target_set(1, 1_100), counters(2)), 1
    ):
        line.answer(number, answer)
        order += line.sent()
    assert order == [
        (1, m.ReadCounters(1)),
        (2, m.Hold()),
        (3, m.KeepAlive(NONCE)),
        (4, setting(2, 900)),
        (5, setting(1, 1_100)),
        (6, m.ReadCounters(2)),
    ]


def test_one_keepalive_that_waits_or_is_under_way_suffices() -> None:
    line = Line()
    line.exchange.urge(keepalive(), 0)
    line.exchange.urge(keepalive(), 0)
    assert line.sent() == [(1, m.KeepAlive(NONCE))]
    line.answer(1, ALIVE)
    assert line.sent() == []
    line.exchange.ask(step(), 0)
    line.exchange.urge(keepalive(), 0)
    line.exchange.urge(keepalive(), 0)
    assert line.sent() == [(2, m.ReadCounters(1))]
    line.answer(2, counters(1))
    assert line.sent() == [(3, m.KeepAlive(NONCE))]
    line.answer(3, ALIVE)
    assert line.sent() == []


@pytest.mark.parametrize("first", [0xFFFE, 0x1FFFE])
def test_numbers_go_round(first: int) -> None:
    exchange = Exchange(first, Line().set_target)
    numbers = []
    for _ in range(3):
        exchange.ask(step(), 0)
        ((number, _),) = [m.parse(payload) for payload in FrameSplitter().feed(exchange.take_output())]
        numbers.append(number)
        exchange.answered(number, counters(1), 0)
    assert numbers == [0xFFFF, 0, 1]
    odd = Exchange(first + 1, Line().set_target)
    odd.ask(step(), 0)
    ((number, _),) = [m.parse(payload) for payload in FrameSplitter().feed(odd.take_output())]
    assert number == 0


# --- again, and overtaking ------------------------------------------------------------------------------------


def test_what_is_not_answered_is_sent_again_under_its_number_every_50_ms() -> None:
    assert RESEND_US == 50 * MS
    line = Line()
    line.exchange.ask(step(), 0)
    assert line.exchange.next_deadline_us() == 50 * MS
    assert line.sent() == [(1, m.ReadCounters(1))]
    assert line.pass_time(50 * MS - 1) == []
    assert line.pass_time(50 * MS) == [(1, m.ReadCounters(1))]
    assert line.pass_time(100 * MS - 1) == []
    assert line.pass_time(100 * MS) == [(1, m.ReadCounters(1))]


@pytest.mark.parametrize("overtaken", ["raise", "lower", "alive"])
@pytest.mark.parametrize("urgent", ["lower", "alive", "hold"])
def test_what_is_urgent_waits_50_ms_for_an_answer_and_then_goes_under_its_own_number(
    overtaken: str, urgent: str
) -> None:
    if overtaken == urgent == "alive":
        pytest.skip("one keepalive suffices")
    line = Line(1_000, 1_000)
    first: dict[str, Any] = {"raise": setting(1, 1_100), "lower": setting(1, 900), "alive": m.KeepAlive(NONCE)}
    then: dict[str, Any] = {"lower": setting(2, 800), "alive": m.KeepAlive(NONCE), "hold": m.Hold()}
    if overtaken == "alive":
        line.exchange.urge(keepalive(), 0)
    else:
        line.want(1, first[overtaken].target_ua)
    assert line.sent() == [(1, first[overtaken])]
    if urgent == "lower":
        line.want(2, 800, 10 * MS)
    else:
        line.exchange.urge(keepalive() if urgent == "alive" else hold(), 10 * MS)
    assert line.sent() == []
    assert line.pass_time(50 * MS - 1) == []
    assert line.pass_time(50 * MS) == [(2, then[urgent])]
    assert line.exchange.next_deadline_us() == 100 * MS
    if overtaken == "lower" and urgent == "lower":
        # The overtaken one is to be sent again too: without an answer they take turns.
        assert line.pass_time(100 * MS) == [(3, setting(1, 900))]
        assert line.pass_time(150 * MS) == [(4, setting(2, 800))]


def test_what_comes_after_50_ms_need_not_wait_at_all() -> None:
    line = Line(1_000)
    line.want(1, 1_100)
    line.sent()
    line.want(1, 700, 50 * MS)
    assert line.sent() == [(2, setting(1, 700))]


def test_a_raise_overtakes_nothing_and_a_step_is_not_overtaken() -> None:
    line = Line(1_000, 1_000)
    line.want(1, 900)
    line.want(2, 1_100)
    assert line.sent() == [(1, setting(1, 900))]
    assert line.pass_time(50 * MS) == [(1, setting(1, 900))]
    line = Line(1_000)
    line.exchange.ask(step(), 0)
    line.want(1, 900)
    line.exchange.urge(keepalive(), 0)
    line.sent()
    assert line.pass_time(50 * MS) == [(1, step().message)]


def test_a_hold_is_sent_until_it_is_answered_behind_each_keepalive_that_overtakes_it() -> None:
    """A keepalive that waited for the answer was not sent for half a second, on a line that loses frames."""
    line = Line(1_000)
    line.want(1, 900)
    line.exchange.urge(keepalive(), 0)
    line.exchange.urge(hold(), 0)
    line.targets.stopped()
    assert line.sent() == [(1, setting(1, 900))]
    assert line.pass_time(50 * MS) == [(2, m.Hold())]
    assert line.pass_time(100 * MS) == [(3, m.KeepAlive(NONCE)), (4, m.Hold())]
    assert line.pass_time(150 * MS) == [(4, m.Hold())]
    assert line.answer(3, ALIVE, 155 * MS) == [ALIVE]
    line.exchange.urge(keepalive(), 160 * MS)
    assert line.pass_time(200 * MS) == [(5, m.KeepAlive(NONCE)), (6, m.Hold())]
    assert line.answer(4, HOLDING, 220 * MS) == [HOLDING]
    assert line.sent() == [], "the newest one is answered too, or sent again"
    line.answer(6, HOLDING, 230 * MS)
    line.exchange.urge(keepalive(), 230 * MS)
    assert line.sent() == [(7, m.KeepAlive(NONCE))]


def test_a_lowering_overtakes_although_a_raise_waits_too() -> None:
    line = Line(1_000, 1_000, 1_000)
    line.want(1, 1_100)
    line.want(2, 1_100)
    line.want(3, 900)
    assert line.sent() == [(1, setting(1, 1_100))]
    assert line.pass_time(50 * MS) == [(2, setting(3, 900))]


def test_what_goes_after_a_hold_has_its_turn_although_targets_wait_for_nothing() -> None:
    """Urgent things overtake where no target is to be sent, and targets where nothing urgent waits."""
    line = Line(1_000)
    line.want(1, 900)
    assert line.sent() == [(1, setting(1, 900))]
    line.exchange.urge(keepalive(), 0)
    assert line.pass_time(50 * MS) == [(2, m.KeepAlive(NONCE))]


def test_what_was_withdrawn_is_not_sent() -> None:
    line = Line()
    line.exchange.ask(step(), 0)
    line.exchange.urge(keepalive(), 0)
    line.exchange.withdraw(Urgency.KEEPALIVE)
    line.exchange.withdraw(Urgency.HOLD)  # none waits
    line.sent()
    line.answer(1, counters(1))
    assert line.sent() == []


def test_all_that_is_to_be_sent_is_taken_at_once_and_in_order() -> None:
    line = Line()
    line.exchange.ask(step(1), 0)
    line.exchange.ask(step(2), 0)
    line.answer(1, counters(1))
    assert line.sent() == [(1, m.ReadCounters(1)), (2, m.ReadCounters(2))]
    assert line.sent() == []


def test_an_overtaken_keepalive_or_raise_is_not_sent_again_and_a_lowering_is() -> None:
    line = Line(1_000)
    line.exchange.urge(keepalive(), 0)
    line.want(1, 1_100)
    line.sent()
    line.answer(1, ALIVE)
    assert line.sent() == [(2, setting(1, 1_100))]
    line.exchange.urge(keepalive(), 0)
    assert line.pass_time(50 * MS) == [(3, m.KeepAlive(NONCE))]
    line.answer(3, ALIVE, 50 * MS)
    assert line.sent() == [], "the raise may have been applied; it is not asked for twice"
    line.want(1, 800, 50 * MS)
    assert line.sent() == [(4, setting(1, 800))]
    line.exchange.urge(keepalive(), 60 * MS)
    assert line.pass_time(100 * MS) == [(5, m.KeepAlive(NONCE))]
    line.answer(5, ALIVE, 101 * MS)
    assert line.sent() == [(6, setting(1, 800))]


def test_the_answer_to_what_was_overtaken_still_counts() -> None:
    line = Line(1_000)
    line.want(1, 1_100)
    line.want(1, 700, 50 * MS)
    assert line.targets[1].highest_ua == 1_100
    assert line.answer(1, target_set(1, 1_100), 60 * MS) == [target_set(1, 1_100)]
    assert (line.targets[1].applied_ua, line.targets[1].sent_ua) == (1_100, (700,))
    assert line.answer(2, target_set(1, 700), 61 * MS) == [target_set(1, 700)]
    assert line.targets[1].sent_ua == ()
    assert not line.exchange.waits
    assert line.exchange.unexpected == 0
    assert line.answer(1, target_set(1, 1_100), 62 * MS) == []
    assert line.exchange.unexpected == 1, "an answer counts once"


def test_while_a_slider_moves_the_newest_value_waits_for_one_answer_only() -> None:
    line = Line(2_000)
    for target_ua in range(1_990, 1_000, -10):
        line.want(1, target_ua)
    assert line.sent() == [(1, setting(1, 1_990))]
    line.answer(1, target_set(1, 1_990))
    assert line.sent() == [(2, setting(1, 1_010))]


# --- giving up ------------------------------------------------------------------------------------------------


def timed_out(events: list[Any]) -> list[str]:
    return [
        str(event.error)
        for event in events
        if isinstance(event, StimulatorFailed) and isinstance(event.error, TimedOut)
    ]


def test_a_device_that_answers_nothing_for_half_a_second_is_given_up() -> None:
    assert GIVE_UP_US == 500 * MS
    line = Line()
    line.exchange.ask(step(1), 0)
    line.exchange.ask(step(2), 0)
    line.exchange.urge(hold(), 0)
    for now_us in range(50 * MS, GIVE_UP_US, 50 * MS):
        assert line.exchange.advance(now_us) == []
    (text,) = timed_out(line.exchange.advance(GIVE_UP_US))
    assert text == "no answer to ReadCounters after 10 tries; check the cable and the device"
    line.sent()
    line.exchange.send_next(GIVE_UP_US)
    assert line.sent() == [], "nothing that waited is sent any more"
    assert [each.name for each in line.exchange.abandon().values()] == ["ReadCounters"], "it may have been taken"
    assert line.exchange.next_deadline_us() is None


def test_of_what_the_port_did_not_take_no_answer_is_missed() -> None:
    line = Line()
    line.exchange.ask(step(1), 0)
    line.exchange.not_taken = True
    assert timed_out(line.exchange.advance(GIVE_UP_US)) == [NOT_TAKEN]


def test_what_this_program_slept_through_is_nobodys_silence() -> None:
    line, late_us = Line(1_000), 700 * MS
    line.exchange.stood_still(late_us)  # nothing was asked for yet
    line.want(1, 1_100)
    line.exchange.urge(keepalive(), 50 * MS)
    line.exchange.stood_still(late_us)
    assert line.exchange.advance(late_us + GIVE_UP_US - 1) == []
    assert timed_out(line.exchange.advance(late_us + GIVE_UP_US))
    assert line.exchange.advance(late_us + 50 * MS + GIVE_UP_US - 1) == []
    raised = OrderDeclined("SetTarget", NO_ANSWER, 0, 0, 1, 1_100)
    assert line.exchange.advance(late_us + 50 * MS + GIVE_UP_US) == [raised]


def test_tries_are_those_of_the_command_that_is_given_up() -> None:
    line = Line()
    line.exchange.ask(step(1), 0)
    line.exchange.advance(50 * MS)
    line.answer(1, counters(1), 60 * MS)
    line.exchange.ask(step(2), 100 * MS)
    for now_us in range(150 * MS, 100 * MS + GIVE_UP_US, 50 * MS):
        assert line.exchange.advance(now_us) == []
    (text,) = timed_out(line.exchange.advance(100 * MS + GIVE_UP_US))
    assert "after 10 tries" in text


def test_overtaking_is_no_way_around_giving_up() -> None:
    line = Line(2_000)
    gone: list[str] = []
    for number, now_us in enumerate(range(0, 2 * GIVE_UP_US, 10 * MS)):
        line.want(1, 1_900 - number, now_us)
        gone = timed_out(line.exchange.advance(now_us))
        if gone:
            break
    assert now_us == GIVE_UP_US
    assert "no answer to SetTarget" in gone[0]


def test_any_answer_shows_that_somebody_is_there() -> None:
    line = Line(1_000)
    line.want(1, 1_100)
    line.exchange.urge(keepalive(), 50 * MS)
    line.answer(1, target_set(1, 1_100), 400 * MS)
    for now_us in range(400 * MS, 400 * MS + GIVE_UP_US, 50 * MS):
        assert timed_out(line.exchange.advance(now_us)) == []
    assert timed_out(line.exchange.advance(400 * MS + GIVE_UP_US))


def test_hello_is_repeated_for_three_seconds_and_what_follows_is_not() -> None:
    assert BOOT_US == 3_000 * MS
    native = NativeAdapter()
    native.connect(0)
    for now_us in range(50 * MS, BOOT_US, 50 * MS):
        assert native.advance(now_us) == []
    assert "no answer to Hello" in timed_out(native.advance(BOOT_US))[0]
    native = NativeAdapter()
    native.connect(0)
    list(native.receive(m.encode(1, filled(m.Welcome, 1)), BOOT_US - 1))
    since_us = BOOT_US - 1
    for after_us in range(50 * MS, GIVE_UP_US, 50 * MS):
        assert native.advance(since_us + after_us) == []
    assert "no answer to ReadIdentity" in timed_out(native.advance(since_us + GIVE_UP_US))[0]


def test_a_raise_that_was_overtaken_and_never_answered_is_told_although_all_else_is_well() -> None:
    line = Line(1_000)
    line.want(1, 1_100)
    line.exchange.urge(keepalive(), 50 * MS)
    line.answer(2, ALIVE, 51 * MS)
    assert line.exchange.waits
    assert line.exchange.next_deadline_us() == 50 * MS + GIVE_UP_US
    assert line.exchange.advance(50 * MS + GIVE_UP_US - 1) == []
    told = line.exchange.advance(50 * MS + GIVE_UP_US)
    assert told == [OrderDeclined("SetTarget", NO_ANSWER, 0, 0, 1, 1_100)]
    assert line.exchange.next_deadline_us() is None
    assert not line.exchange.waits


def test_of_a_keepalive_that_was_overtaken_nothing_is_told() -> None:
    line = Line(1_000)
    line.exchange.urge(keepalive(), 0)
    line.want(1, 700, 50 * MS)
    line.answer(2, target_set(1, 700), 51 * MS)
    assert line.exchange.advance(50 * MS + GIVE_UP_US) == []
    assert not line.exchange.waits


# --- what an answer means -------------------------------------------------------------------------------------


def test_an_answer_that_nobody_asked_for_is_counted_and_dropped() -> None:
    line = Line()
    assert line.answer(9, ALIVE) == []
    line.exchange.ask(step(), 0)
    assert line.answer(2, counters(1)) == []
    assert line.exchange.unexpected == 2
    assert line.exchange.waits
    assert line.answer(1, counters(1)) == [counters(1)]
    assert line.answer(1, counters(1)) == [], "to the one that was sent twice it comes twice"
    assert line.exchange.unexpected == 3


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        (ALIVE, "Alive came as the answer to ReadCounters"),
        (counters(2), "sent ReadCounters(channel=1), the device"),
        (m.ReadCounters(1), "the line sends back what was sent (ReadCounters): an echo or a loop, no device behind it"),
        (m.ReadCounters(2), "ReadCounters came as the answer to ReadCounters"),
        (m.ReadMeasured(1), "ReadMeasured came as the answer to ReadCounters"),
    ],
    ids=["another kind", "another channel", "an echo", "of another channel", "of another command"],
)
def test_an_answer_to_something_else_is_no_answer(wrong: Any, text: str) -> None:
    line = Line()
    line.exchange.ask(step(1), 0)
    (failed,) = line.answer(1, wrong)
    assert isinstance(failed.error, EchoMismatch)
    assert text in str(failed.error)


def test_a_refused_step_ends_what_was_to_follow_it() -> None:
    line = Line()
    line.exchange.ask(step(1), 0)
    line.exchange.ask(step(2), 0)
    line.sent()
    (failed,) = line.answer(1, m.Refused(0, Refusal.WRONG_STATE, 3, 4))
    assert isinstance(failed.error, CommandRefused)
    assert "wrong state" in str(failed.error)
    assert "value 3, limit 4" in str(failed.error)
    assert line.sent() == []
    line.exchange.ask(step(1), 0)
    line.sent()
    (failed,) = line.answer(2, m.Refused(0, Refusal.WRONG_SESSION, 3, 0))
    assert "value" not in str(failed.error), "there is no limit to tell"
    line.exchange.ask(step(1), 0)
    line.sent()
    (failed,) = line.answer(3, m.Refused(0, Refusal.UNSUPPORTED_VERSION, 0, 0))
    assert isinstance(failed.error, WrongDevice)


def test_a_refusal_of_a_target_a_keepalive_or_a_hold_is_the_sessions_to_judge() -> None:
    refused = m.Refused(0, Refusal.WRONG_STATE, 3, 4)
    line = Line(1_000)
    line.want(1, 900)
    assert line.answer(1, refused) == [OrderDeclined("SetTarget", "wrong state", 3, 4, 1, 900)]
    line.exchange.urge(keepalive(), 0)
    line.targets.stopped()
    line.sent()
    assert line.answer(2, refused) == [OrderDeclined("KeepAlive", "wrong state", 3, 4)]
    line.exchange.urge(hold(), 0)
    assert line.answer(3, refused) == [OrderDeclined("Hold", "wrong state", 3, 4)]


# --- a stop ---------------------------------------------------------------------------------------------------


def test_after_a_stop_nothing_is_sent_and_what_was_sent_is_known() -> None:
    line = Line(1_000, 1_000)
    line.want(1, 1_100)
    line.want(2, 700, 50 * MS)
    line.exchange.urge(keepalive(), 60 * MS)
    line.exchange.ask(step(), 60 * MS)
    sent = line.exchange.abandon()
    assert {number: command.message for number, command in sent.items()} == {1: setting(1, 1_100), 2: setting(2, 700)}
    assert line.sent() == []
    assert not line.exchange.waits
    assert line.exchange.next_deadline_us() is None
    line.targets.stopped()
    line.exchange.send_next(100 * MS)
    assert line.sent() == []


def test_where_nothing_is_under_way_there_is_nothing_to_abandon() -> None:
    line = Line()
    assert line.exchange.abandon() == {}
    line.exchange.put_first(b"first")
    assert line.exchange.take_output() == b"first"
    assert line.exchange.take_output() == b""


def test_a_pause_between_commands_is_no_silence_of_the_device() -> None:
    line = Line()
    line.exchange.ask(step(), 0)
    line.answer(1, counters(1), 1)
    line.exchange.ask(step(), 60_000 * MS)
    line.sent()
    assert line.pass_time(60_050 * MS) == [(2, m.ReadCounters(1))]


def test_at_most_64_overtaken_commands_are_remembered() -> None:
    line = Line(2_000)
    now_us = 0
    for number in range(1, 69):
        line.want(1, 2_000 - 10 * number, now_us)
        now_us += RESEND_US
        # A stray answer would stop the clock of giving up: it is set back by hand.
        line.exchange._unanswered_since_us = now_us
    assert list(line.exchange.abandon()) == list(range(4, 69)), "the newest, and the one under way"


def test_a_lowering_waits_50_ms_from_when_it_was_wanted_and_not_for_each_of_the_others() -> None:
    line = Line(1_000, 1_000, 1_000)
    line.want(1, 900)
    line.sent()
    line.want(2, 800, 20 * MS)
    line.want(3, 700, 30 * MS)
    assert line.exchange.next_deadline_us() == 50 * MS
    assert line.pass_time(50 * MS) == [(2, setting(2, 800)), (3, setting(3, 700))], "both at once"
    assert line.exchange.next_deadline_us() == 100 * MS, "the first one, overtaken, is wanted anew"
    line.answer(1, target_set(1, 900), 60 * MS)


def test_what_has_waited_is_forgotten_once_nothing_waits() -> None:
    line = Line(1_000)
    line.want(1, 1_100)
    line.want(1, 700, 10 * MS)
    line.answer(1, target_set(1, 1_100), 20 * MS)
    line.sent()
    line.answer(2, target_set(1, 700), 30 * MS)
    line.exchange.urge(keepalive(), 40 * MS)
    assert line.exchange.next_deadline_us() == 90 * MS


def test_what_began_to_wait_for_an_earlier_answer_waits_50_ms_in_all() -> None:
    """The raise was answered; of the lowerings that waited one goes, and the other does not begin to wait anew."""
    line = Line(1_000, 1_000, 1_000)
    line.want(1, 1_100)
    line.sent()
    line.want(2, 800, 10 * MS)
    line.want(3, 700, 15 * MS)
    line.answer(1, target_set(1, 1_100), 20 * MS)
    assert line.sent() == [(2, setting(2, 800))]
    assert line.exchange.next_deadline_us() == 60 * MS
    assert line.pass_time(60 * MS - 1) == []
    assert line.pass_time(60 * MS) == [(3, setting(3, 700))]


def test_what_begins_to_wait_for_a_command_that_was_sent_again_waits_until_it_is_due() -> None:
    line = Line(1_000)
    line.want(1, 1_100)
    line.pass_time(50 * MS)
    line.exchange.urge(keepalive(), 60 * MS)
    assert line.exchange.next_deadline_us() == 100 * MS
    assert line.pass_time(100 * MS - 1) == []
    assert line.pass_time(100 * MS) == [(2, m.KeepAlive(NONCE))]


def test_before_anything_was_asked_for_nothing_is_sent() -> None:
    line = Line(1_000)
    line.exchange.send_next(0)
    assert line.sent() == []
    assert line.exchange.next_deadline_us() is None
