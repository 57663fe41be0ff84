"""What a hold goes on to: the least of what was confirmed before it and what a person asked for last."""

from collections.abc import Mapping

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from firmware_sim.analog.recorder import FlowKind
from stimctl.errors import LogFault
from stimctl.port import Port
from stimctl.session.commands import AskHold, AskStop, AskTarget, Command, Lower, Proceed, Raise
from stimctl.session.engine import ATTENDED, UNATTENDED, Engine
from stimctl.session.states import End, State
from stimctl.session.view import OperatorMessage
from stimctl.stimulators.exchange import PendingCommand as ExchangeCommand
from stimctl.wire import codec as m
from tests.stimctl.session.world import (
    Delayed,
    ListLog,
    Rewritten,
    Rig,
    S,
    Stutter,
    Tape,
    at_1_ma,
    ended_at_zero,
    exact,
    prescription,
    proceed,
)

GO_ON = ((10 * S, proceed), (11 * S, proceed))
_HOLD = ((0, AskHold()), (S, proceed), (2 * S, proceed))


def starts(rig: Rig) -> list[int]:
    """What channel 1 was started towards in each run."""
    return [told.message.target_1_ua for told in rig.tape.messages(m.Start) if any(told.message[1:])]


def highest_after(rig: Rig, at_us: int) -> int:
    """The highest amplitude that flowed through channel 1's load in the pattern after a time, in uA, rounded."""
    flows = [flow for flow in rig.recorder.flows(1, FlowKind.TRAIN) if flow.last_us >= at_us]
    return max(round(flow.shape.first_na / 10_000) * 10 for flow in flows)


def told(rig: Rig) -> list[str]:
    return [event.text for event in rig.events if isinstance(event, OperatorMessage)]


@pytest.mark.parametrize("delay_us", [0, 20_000])
@pytest.mark.parametrize("held_after_us", [0, 1, 10_000, 30_000, 500_000])
def test_a_lowering_counts_in_the_hold_whether_it_was_answered_or_not(held_after_us: int, delay_us: int) -> None:
    rig = Rig(
        prescription(seconds=30, profile="bench-100hz", amplitudes_ma={1: 2.0}),
        line=lambda port: Delayed(port, delay_us) if delay_us else port,
    )
    at_us = 14 * S
    go_on = ((20 * S, proceed), (21 * S, proceed))
    report = rig.run((at_us, AskTarget(1, 1_000)), (at_us + held_after_us, AskHold()), *go_on)
    assert report.end is End.TIMER
    assert starts(rig) == [2_000, 1_000]
    assert highest_after(rig, 20 * S) == 1_000
    assert exact(report)


def test_a_raise_that_was_not_confirmed_before_the_hold_is_not_gone_on_to() -> None:
    def losing(port: Port) -> Port:
        return Rewritten(port, lambda message: None if type(message) is m.TargetSet else message)

    rig = Rig(at_1_ma(), line=losing)
    rig.run((8 * S, Raise(1)), (8 * S + 10_000, AskHold()), *GO_ON)
    assert [each.message.target_ua for each in rig.tape.messages(m.SetTarget)] == [1_100]
    assert starts(rig) == [1_000, 1_000]


def test_what_was_confirmed_is_gone_on_to() -> None:
    rig = Rig(at_1_ma())
    report = rig.run((8 * S, Raise(1)), (8_500_000, AskHold()), *GO_ON)
    assert starts(rig) == [1_000, 1_100]
    ended_at_zero(rig, report, End.TIMER)


def test_lowering_the_last_output_to_nothing_holds_and_goes_on_to_nothing() -> None:
    rig = Rig(at_1_ma())
    report = rig.run((8 * S, AskTarget(1, 0)), *GO_ON)
    assert len(rig.log.of("held")) == 1
    assert starts(rig) == [1_000]
    assert rig.last_pulse_us() < 11 * S
    assert report.zero_confirmed_us is not None


@pytest.mark.parametrize(
    ("lowered", "goes_on_to_ua"),
    [([Lower(1)], 900), ([Lower(1), Lower(1)], 800), ([AskTarget(1, 600)], 600), ([AskTarget(1, 499)], 0)],
)
def test_on_hold_a_target_may_be_lowered_and_the_screen_shows_it_before_anybody_goes_on(
    lowered: list[Command], goes_on_to_ua: int
) -> None:
    rig = Rig(at_1_ma())
    shown: list[dict[int, int]] = []

    def look(engine: Engine, now_us: int) -> None:
        shown.append(dict(engine.view(now_us).targets_ua))

    before = [(8_600_000, look), *((9 * S, command) for command in lowered), (9_500_000, look)]
    rig.run((8 * S, AskHold()), *before, *GO_ON, (15 * S, AskStop()))
    assert shown == [{1: 1_000}, {1: goes_on_to_ua}]
    assert [ua for ua in starts(rig)[1:] if ua] == [goes_on_to_ua] * bool(goes_on_to_ua)


@pytest.mark.parametrize("state", [State.TESTED, State.CHECKED])
def test_before_a_start_the_screen_shows_what_it_will_go_to(state: State) -> None:
    rx = prescription(amplitudes_ma={1: 1.0, 4: 1.5})
    rig = Rig(rx, auto=UNATTENDED - {state})
    shown: list[dict[int, int]] = []

    def look(engine: Engine, now_us: int) -> None:
        shown.append(dict(engine.view(now_us).targets_ua))

    rig.when(state, look).when(State.RUNNING, look).when(State.RUNNING, AskStop())
    rig.run((2 * S, proceed))
    assert shown == [{1: 1_000, 4: 1_500}] * 2
    assert starts(rig) == [1_000]


def test_on_hold_nothing_is_raised() -> None:
    rig = Rig(at_1_ma())
    rig.run((8 * S, AskHold()), (9 * S, Lower(1)), (9 * S + 1, AskTarget(1, 950)), (9 * S + 2, Raise(1)), *GO_ON)
    assert starts(rig) == [1_000, 900]
    assert [text for text in told(rig) if "channel 1" in text] == [
        "channel 1: a target is raised while stimulating only; it will go to 900 uA",
        "channel 1: a target is set while stimulating, not while 'held'",
    ]


def test_what_is_lowered_while_a_start_is_on_its_way_is_sent_once_it_is_answered() -> None:
    rig = Rig(at_1_ma(), line=lambda port: Delayed(port, 20_000))
    rig.when(State.ARMED, AskTarget(1, 600))
    report = rig.run()
    assert starts(rig) == [1_000]
    assert [message.message.target_ua for message in rig.tape.messages(m.SetTarget)] == [600]
    assert highest_after(rig, 0) == 600
    assert report.end is End.TIMER
    assert exact(report)


def test_a_hold_that_is_asked_for_while_a_start_is_on_its_way_follows_it() -> None:
    rig = Rig(at_1_ma(), line=lambda port: Delayed(port, 20_000))
    rig.when(State.ARMED, AskHold())
    rig.run((20 * S, AskStop()))
    assert len(rig.log.of("started")) == 1
    assert len(rig.log.of("held")) == 1
    assert rig.engine.state is State.ENDED


AT_THE_GATE = UNATTENDED - {State.CHECKED}


@pytest.mark.parametrize("resumed", [False, True], ids=["first start", "after a hold"])
@pytest.mark.parametrize("behind_us", [0, 1, 9_000, 17_000, 30_000])
@pytest.mark.parametrize(
    ("asked", "most_ua"),
    [(AskHold(), 0), (AskHold(""), 0), (AskTarget(1, 500), 500), (AskTarget(1, 0), 0), (Lower(1), 900)],
)
def test_what_is_asked_right_behind_the_start_holds_for_it(
    asked: Command, most_ua: int, behind_us: int, *, resumed: bool
) -> None:
    """Behind the key that starts, while the log is written, the device armed, and the start sent."""
    rig = Rig(at_1_ma(), line=lambda port: Delayed(port, 8_000), auto=AT_THE_GATE)
    begin: list[tuple[int, Command]] = [(4 * S, proceed)]
    if resumed:
        begin += [(8 * S, AskHold()), (9 * S, proceed), (10 * S, proceed)]
    at_us = begin[-1][0] + behind_us
    rig.run(*begin, (at_us, asked), (20 * S, AskStop()))
    assert [text for text in told(rig) if "cannot" in text or "not while" in text] == []
    flows = [flow for flow in rig.recorder.flows(1, FlowKind.TRAIN) if flow.last_us > at_us + 500_000]
    assert max((flow.shape.first_na / 1_000 for flow in flows), default=0) <= most_ua + 10
    assert len(rig.log.of("started")) == 1 + resumed, "the start itself was not lost"
    assert len(rig.log.of("held")) == resumed + (most_ua == 0), "with nothing left it is held, not run at zero"


class SlowDisk(ListLog):
    """Is on disk from a moment on."""

    from_us = 7 * S
    port: Port

    def drain(self, timeout_s: float) -> None:
        if 4 * S <= self.port.now_us() < self.from_us:
            raise LogFault("not yet")


def test_a_hold_that_is_asked_for_while_the_log_is_written_follows_the_start() -> None:
    log = SlowDisk(Tape())
    rig = Rig(at_1_ma(), log=log, auto=AT_THE_GATE)
    log.port = rig.line
    rig.runner._port.virtual = False  # the runner asks the log and goes on, as it does beside hardware
    rig.run((4 * S, proceed), (6 * S, AskHold()), (6_500_000, AskTarget(1, 500)), (20 * S, AskStop()))
    assert [len(log.of(kind)) for kind in ("started", "held")] == [1, 1]
    assert starts(rig) == [500]


BEFORE = [State.IDLE, State.IDENTIFIED, State.LOADED, State.TESTED, State.CHECKING, State.CHECKED, State.ARMED]


@pytest.mark.parametrize("state", BEFORE)
@pytest.mark.parametrize(("asked", "aim_ua"), [(Lower(1), 900), (AskTarget(1, 600), 600), (AskTarget(1, 400), 0)])
def test_what_is_lowered_before_anything_runs_is_never_exceeded(state: State, asked: Command, aim_ua: int) -> None:
    rig = Rig(at_1_ma())
    report = rig.when(state, asked).run((20 * S, AskStop()))
    flows = rig.recorder.flows(1, FlowKind.TRAIN)
    assert max((round(flow.shape.first_na / 10_000) * 10 for flow in flows), default=0) == aim_ua
    assert exact(report)


@pytest.mark.parametrize("state", [State.TESTED, State.CHECKING, State.CHECKED])
def test_before_an_operator_begins_a_target_is_lowered_and_shown_and_not_raised(state: State) -> None:
    rig = Rig(at_1_ma(), auto=ATTENDED)
    rig.when(State.TESTED, Proceed()).when(State.CHECKED, Proceed())
    rig.when(state, AskTarget(1, 600)).when(state, AskTarget(1, 700)).when(state, Raise(1))
    shown: list[Mapping[int, int]] = []
    rig.run((900_000, lambda engine, now_us: shown.append(engine.view(now_us).targets_ua)), (20 * S, AskStop()))
    assert shown == [{1: 600}]
    assert starts(rig) == [600]
    assert [text for text in told(rig) if "channel 1" in text] == [
        "channel 1: a target is raised while stimulating only; it will go to 600 uA",
        f"channel 1: a target is set while stimulating, not while {state.value!r}",
    ]


# --- an answer that is lost ---------------------------------------------------------------------------------


def test_a_raise_whose_answer_was_lost_is_taken_back_and_the_next_one_is_sent() -> None:
    """A keepalive overtakes it, so it is not sent again; nobody knows whether it was applied."""
    alive = Rig(at_1_ma())
    alive.run()
    keepalive_us = next(each.at_us for each in alive.tape.messages(m.KeepAlive) if each.at_us > 12 * S)

    def losing(port: Port) -> Port:
        def change(message: object) -> object:
            return None if type(message) is m.TargetSet and port.now_us() < keepalive_us + S // 4 else message

        return Rewritten(port, change)

    rig = Rig(at_1_ma(), line=losing)
    report = rig.run((keepalive_us - 20_000, Raise(1)), (keepalive_us + 3 * S, Raise(1)))
    assert [each.message.target_ua for each in rig.tape.messages(m.SetTarget)] == [1_100, 1_000, 1_100]
    assert "channel 1: the device did not answer the change to 1100 uA" in told(rig)
    ended_at_zero(rig, report, End.TIMER)
    assert rig.alarms == []
    assert report.agreement["exact"] is None
    assert "was lost" in report.agreement["reason"]


# --- whatever a person asks, on whatever line ---------------------------------------------------------------

COMMANDS: st.SearchStrategy[Command] = st.one_of(
    st.builds(Lower, st.just(1)),
    st.builds(Raise, st.just(1)),
    st.builds(AskTarget, st.just(1), st.sampled_from([0, 500, 600, 800, 900, 1_000, 1_100, 1_200, 2_000])),
    st.just(AskHold()),
    st.just(proceed),
    st.just(proceed),
)
AT = st.one_of(st.integers(3 * S, 25 * S), st.integers(8 * S, 8 * S + 200_000))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(AT, COMMANDS), max_size=20), st.sampled_from([0, 5_000, 20_000, 45_000]))
def test_nothing_is_sent_that_is_above_what_a_person_asked_for_last(
    work: list[tuple[int, Command]], delay_us: int
) -> None:
    """Neither a target nor a start; what was refused was not asked for."""
    rig = Rig(at_1_ma(30), line=lambda port: Delayed(port, delay_us) if delay_us else port)
    targets, exchange = rig.engine._context.targets, rig.native._exchange
    want, set_target, start = targets.want, exchange._set_target, rig.native.start
    asked_ua = {1: 1_000}
    sent: list[tuple[int, int]] = []  # what, and what was asked for last then

    def note_wanted(channel: int, wanted_ua: int) -> None:
        asked_ua[channel] = wanted_ua
        want(channel, wanted_ua)

    def note_set(channel: int, target_ua: int) -> ExchangeCommand:
        sent.append((target_ua, asked_ua[channel]))
        return set_target(channel, target_ua)

    def note_started(targets: Mapping[int, int], now_us: int) -> None:
        sent.append((targets.get(1, 0), asked_ua[1]))
        start(targets, now_us)

    targets.want, exchange._set_target, rig.native.start = note_wanted, note_set, note_started  # type: ignore[method-assign]
    rig.run(*work, (60 * S, AskStop()))
    assert sent
    assert [each for each in sent if each[0] > each[1]] == []


def test_holds_that_are_heard_of_late_add_up_to_no_overtime() -> None:
    """Of every 400 ms nothing is heard for 350: each hold is, up to so much later than its start was."""
    rig = Rig(prescription(seconds=40), line=lambda port: Stutter(port, 350_000))
    begins_us = range(4 * S + 10_000, 37 * S, 4 * S)
    report = rig.run(*((at_us + after_us, each) for at_us in begins_us for after_us, each in _HOLD))
    ended_at_zero(rig, report, End.TIMER)
    assert len(starts(rig)) == 1 + len(begins_us)
    assert exact(report)
