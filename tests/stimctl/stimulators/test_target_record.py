"""One record of a channel's target: what is wanted, sent and applied, and what follows from these three."""

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from stimctl import limits
from stimctl.stimulators.targets import Target, Targets

S = 1_000_000


def running(*targets_ua: int) -> Targets:
    """Channels from 1 on, started towards these."""
    started = dict(enumerate(targets_ua, 1))
    record = Targets(started)
    record.started(started, 0)
    return record


def send(record: Targets) -> list[tuple[int, int]]:
    """Send all that is to be sent; what it was, in order."""
    sent = list(record.to_send())
    for channel, target_ua in sent:
        record.sent(channel, target_ua)
    return sent


def unanswered(record: Targets) -> bool:
    """Whether something was sent, or is to be sent, and has not been answered."""
    return record.unsent or any(record[channel].sent_ua for channel in record.channels)


def test_before_a_run_nothing_is_applied_and_nothing_is_to_be_sent() -> None:
    record = Targets({2: 900, 1: 1_000})
    assert record.channels == (1, 2)
    assert 2 in record
    assert 3 not in record
    assert record[1] == record.of(1) == Target(1_000)
    assert (record[1].sent_ua, record[1].applied_ua, record.titrating) == ((), 0, False)
    assert record.by_channel("resume_ua") == {1: 1_000, 2: 900}
    record.want(1, 800)
    assert not record.unsent
    assert not unanswered(record)
    assert not record.running


def test_where_a_device_is_heading_and_the_highest_it_may_follow() -> None:
    """The last of what was sent, and the highest of that and of what is applied."""
    assert (Target(5, applied_ua=600).heading_ua, Target(5, applied_ua=600).highest_ua) == (600, 600)
    on_its_way = Target(5, sent_ua=(1_100, 700), applied_ua=1_000)
    assert (on_its_way.heading_ua, on_its_way.highest_ua) == (700, 1_100)
    assert Target(5, sent_ua=(900,), applied_ua=1_000).highest_ua == 1_000


def test_what_raises_goes_above_where_a_device_is_heading() -> None:
    assert [Target(ua, sent_ua=(900,), applied_ua=1_000).raises for ua in (899, 900, 901)] == [False, False, True]


def test_what_is_resumed_is_a_target_or_nothing() -> None:
    assert [Target(ua).resume_ua for ua in (0, 499, 500, 2_000)] == [0, 0, 500, 2_000]


def test_the_newest_that_is_wanted_is_the_one_that_is_sent() -> None:
    record = running(1_000)
    assert send(record) == []
    assert not record.unsent
    for wanted_ua in (900, 800, 700):
        record.want(1, wanted_ua)
    assert record.unsent
    assert unanswered(record)
    assert send(record) == [(1, 700)]
    assert not record.unsent
    assert unanswered(record)
    record.applied(1, 700, S)
    assert not unanswered(record)
    assert record[1] == Target(700, applied_ua=700)


def test_what_lowers_is_sent_before_what_raises() -> None:
    record = running(1_000, 1_000, 1_000)
    for channel, wanted_ua in ((1, 1_100), (2, 1_000), (3, 500)):
        record.want(channel, wanted_ua)
    assert send(record) == [(3, 500), (1, 1_100)]
    assert unanswered(record)
    record.applied(3, 500, S)
    assert unanswered(record), "one of them"
    record.applied(1, 1_100, S)
    assert not unanswered(record)


def test_of_two_lowerings_that_of_the_lower_channel_goes_first() -> None:
    record = running(1_000, 1_000)
    record.want(2, 500)
    record.want(1, 900)
    assert send(record) == [(1, 900), (2, 500)]


def test_those_without_an_answer_take_turns() -> None:
    record = running(1_000, 1_000, 1_000)
    for channel in (1, 2, 3):
        record.want(channel, 900)
    first = []
    for _ in range(5):
        channel, target_ua = next(record.to_send())
        record.sent(channel, target_ua)
        record.lowering_lost(channel, target_ua)
        first.append(channel)
    assert first == [1, 2, 3, 1, 2]


def test_an_answer_settles_what_was_sent_before_it() -> None:
    record = running(1_000)
    for target_ua in (1_100, 700, 600):
        record.sent(1, target_ua)
    record.applied(1, 700, S)
    assert record[1].sent_ua == (600,)
    record.applied(1, 999, S)
    assert record[1].sent_ua == (600,), "what was never sent settles nothing"
    record.applied(1, 600, S)
    assert record[1].sent_ua == ()


def test_a_raise_has_its_time_and_a_lowering_none() -> None:
    record = running(1_000)
    record.applied(1, 900, S)
    assert record[1].raised_us is None
    record.applied(1, 901, 2 * S)
    assert record[1].raised_us == 2 * S
    record.applied(1, 901, 3 * S)
    record.applied(1, 800, 4 * S)
    assert record[1].raised_us == 2 * S
    record.on_hold()
    assert record[1].raised_us is None, "the next run begins anew"


def test_below_half_a_milliampere_is_titration_from_its_first_moment_on() -> None:
    record = running(0, 300)
    assert record.titrating
    assert record[2].titrating_since_us == 0
    record.applied(2, 500, S)
    assert not record.titrating
    assert running(1).titrating
    assert not running(500, 0).titrating
    record.applied(2, 1, S)
    assert record.titrating
    record.applied(2, 0, S)
    record.applied(1, 100, 2 * S)
    record.applied(1, 499, 3 * S)
    assert record[1].titrating_since_us == 2 * S
    assert record.titration_overdue(2 * S + limits.TITRATION_US) is None
    assert record.titration_overdue(2 * S + limits.TITRATION_US + 1) == 1
    record.applied(1, 0, 4 * S)
    assert not record.titrating


def test_a_raise_that_is_refused_is_given_up_and_a_lowering_stays_wanted() -> None:
    record = running(1_000)
    record.want(1, 1_100)
    send(record)
    record.not_applied(1, 1_100)
    assert record[1] == Target(1_000, applied_ua=1_000)
    record.want(1, 800)
    send(record)
    record.not_applied(1, 800)
    assert record[1] == Target(800, applied_ua=1_000)
    assert send(record) == [(1, 800)]


def test_a_raise_that_was_never_answered_is_given_up_and_taken_back() -> None:
    """The device may have applied it: so it is told anew what it was before."""
    record = running(1_000)
    record.want(1, 1_100)
    send(record)
    record.never_answered(1, 1_100)
    assert record[1] == Target(1_000, sent_ua=(1_100,), applied_ua=1_000)
    assert record[1].highest_ua == 1_100
    assert send(record) == [(1, 1_000)]
    record.applied(1, 1_000, S)
    assert record[1] == Target(1_000, applied_ua=1_000)


def test_a_lowering_that_was_never_answered_stays_wanted() -> None:
    record = running(1_000)
    record.want(1, 800)
    send(record)
    record.lowering_lost(1, 800)
    record.never_answered(1, 800)
    assert send(record) == [(1, 800)]
    record.want(1, 700)
    record.never_answered(1, 800)
    assert send(record) == [(1, 700)]


def test_what_is_told_of_a_run_after_its_hold_changes_nothing_of_what_is_resumed() -> None:
    for tell in ("not_applied", "never_answered"):
        record = running(1_000)
        record.want(1, 800)
        send(record)
        record.on_hold()
        getattr(record, tell)(1, 800)
        assert record[1].resume_ua == 800


def test_what_was_refused_does_not_touch_what_is_wanted_by_now() -> None:
    record = running(1_000)
    record.want(1, 1_100)
    send(record)
    record.want(1, 700)
    send(record)
    record.not_applied(1, 1_100)
    assert record[1] == Target(700, sent_ua=(700,), applied_ua=1_000)


def test_a_lowering_that_was_overtaken_is_sent_again_unless_something_newer_was() -> None:
    record = running(1_000)
    record.want(1, 800)
    send(record)
    record.lowering_lost(1, 800)
    assert send(record) == [(1, 800)]
    record.want(1, 700)
    send(record)
    record.lowering_lost(1, 800)
    assert record[1].sent_ua == (800, 700), "the newer one settles it"
    record.lowering_lost(1, 700)
    assert record[1].sent_ua == (800,)
    assert send(record) == [(1, 700)]
    record.applied(1, 700, S)
    record.lowering_lost(1, 700)
    assert record[1].sent_ua == ()


def test_a_start_leaves_what_was_lowered_since_it_was_ordered() -> None:
    record = Targets({1: 1_000, 2: 800})
    record.want(1, 600)
    record.started({1: 1_000, 2: 800}, 5 * S)
    assert record.running
    assert record.by_channel("applied_ua") == {1: 1_000, 2: 800}
    assert send(record) == [(1, 600)]


def test_a_start_goes_on_to_no_more_than_it_was_ordered_to() -> None:
    record = Targets({1: 1_000})
    record.started({1: 0}, 0)
    assert record[1].wanted_ua == 0
    assert not record.unsent


def test_a_hold_keeps_the_least_of_what_was_applied_and_what_is_wanted() -> None:
    record = running(2_000, 1_000, 1_500)
    record.want(1, 1_000)  # lowered, not answered
    record.want(2, 1_100)  # raised, not answered
    send(record)
    record.on_hold()
    assert record.by_channel("resume_ua") == {1: 1_000, 2: 1_000, 3: 1_500}
    assert not record.running
    assert not unanswered(record)
    assert send(record) == []


def test_after_a_stop_nothing_is_sent_and_answers_still_count() -> None:
    record = running(1_000)
    record.want(1, 900)
    send(record)
    record.want(1, 800)
    record.stopped()
    assert not record.unsent
    assert unanswered(record), "what was sent may have been applied"
    assert send(record) == []
    record.applied(1, 900, S)
    assert record[1].applied_ua == 900


# --- whatever happens -----------------------------------------------------------------------------------

CHANNELS = st.sampled_from([1, 2])
AMPLITUDES = st.one_of(st.sampled_from([0, 300, 500, 600, 700, 1_000, 1_100]), st.integers(0, 2_000))


class AnyOrder(RuleBasedStateMachine):
    """A person, a line and a device that do anything in any order; what is resumed is never above what was asked for.

    A raise that the device refused, or never answered, was asked for all the same.
    """

    @initialize(first=st.fixed_dictionaries({1: AMPLITUDES, 2: AMPLITUDES}))
    def begin(self, first: dict[int, int]) -> None:
        self.record = Targets(first)
        self.asked = dict(first)
        self.confirmed = dict(first)  # of the newest run
        self.now_us = 0

    @rule(channel=CHANNELS, target_ua=AMPLITUDES)
    def want(self, channel: int, target_ua: int) -> None:
        self.record.want(channel, target_ua)
        self.asked[channel] = target_ua

    @rule()
    def send(self) -> None:
        if self.record.unsent:
            send(self.record)
        assert not self.record.unsent

    @rule(channel=CHANNELS, which=st.integers(0, 3), known=st.booleans(), other_ua=AMPLITUDES)
    def answer(self, channel: int, which: int, known: bool, other_ua: int) -> None:
        sent_ua = self.record[channel].sent_ua
        target_ua = sent_ua[which % len(sent_ua)] if known and sent_ua else other_ua
        self.now_us += 1
        self.record.applied(channel, target_ua, self.now_us)
        self.confirmed[channel] = target_ua

    @rule(channel=CHANNELS, which=st.integers(0, 3), other_ua=AMPLITUDES)
    def refuse(self, channel: int, which: int, other_ua: int) -> None:
        sent_ua = self.record[channel].sent_ua
        self.record.not_applied(channel, sent_ua[which % len(sent_ua)] if sent_ua else other_ua)

    @rule(channel=CHANNELS, which=st.integers(0, 3), other_ua=AMPLITUDES)
    def give_up(self, channel: int, which: int, other_ua: int) -> None:
        sent_ua = self.record[channel].sent_ua
        self.record.never_answered(channel, sent_ua[which % len(sent_ua)] if sent_ua else other_ua)

    @rule(channel=CHANNELS, which=st.integers(0, 3))
    def overtake(self, channel: int, which: int) -> None:
        sent_ua = self.record[channel].sent_ua
        self.record.lowering_lost(channel, sent_ua[which % len(sent_ua)] if sent_ua else 0)

    @precondition(lambda self: not self.record.running)
    @rule()
    def start(self) -> None:
        goes_to_ua = self.record.by_channel("resume_ua")
        self.now_us += 1
        self.record.started(goes_to_ua, self.now_us)
        self.confirmed = goes_to_ua

    @precondition(lambda self: self.record.running)
    @rule()
    def hold(self) -> None:
        self.record.on_hold()
        for channel in (1, 2):
            assert self.record[channel].resume_ua <= self.confirmed[channel]

    @rule()
    def stop(self) -> None:
        self.record.stopped()

    @invariant()
    def never_above_what_was_asked_for(self) -> None:
        for channel, asked_ua in self.asked.items():
            target = self.record[channel]
            assert target.wanted_ua <= asked_ua
            assert target.resume_ua <= asked_ua
            assert target.resume_ua == 0 or target.resume_ua >= limits.TARGET.low
            assert target.highest_ua >= target.heading_ua


def test_whatever_happens_in_whatever_order_nothing_goes_above_what_a_person_asked_for() -> None:
    run_state_machine_as_test(AnyOrder)


@given(st.lists(AMPLITUDES, min_size=1, max_size=5), st.integers(0, 4), st.booleans())
def test_what_was_lowered_last_is_what_a_hold_keeps_whether_it_was_answered_or_not(
    wanted_ua: list[int], answers: int, held_early: bool
) -> None:
    record = running(2_000)
    for number, target_ua in enumerate(wanted_ua):
        record.want(1, target_ua)
        if not held_early:
            send(record)
        if number < answers:
            record.applied(1, target_ua, number)
    record.on_hold()
    assert record[1].resume_ua <= wanted_ua[-1]
