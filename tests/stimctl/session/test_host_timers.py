"""Every timer that the host holds in stimulation, at its last good microsecond and at the next."""

import pytest

from stimctl import limits
from stimctl.session.states import End, State, Task
from stimctl.session.stimulation import SAMPLE_US
from stimctl.session.view import Priority
from stimctl.stimulators.base import Identity
from tests.stimctl.session.host_alone import ARMED_US, BY_LEASE, STARTED_US, Run, keep_heard
from tests.stimctl.session.test_plausibility import IDENTITY, status
from tests.stimctl.session.world import S, prescription

# --- session, hold and stimulation ------------------------------------------------------------------------


def test_before_the_first_arm_no_time_counts() -> None:
    run = Run()
    run.context.times.armed_us = None
    assert run.at(10 * limits.SESSION_US) == []


@pytest.mark.parametrize("looked_before", [True, False])
def test_a_session_lasts_45_minutes_from_its_first_arm(looked_before: bool) -> None:
    run = Run()
    run.context.state = State.TESTED
    if looked_before:
        assert run.at(ARMED_US) == []
    assert run.at(ARMED_US + limits.SESSION_US) == []
    assert run.at(ARMED_US + limits.SESSION_US + 1) == [End.SESSION_EXPIRED]


@pytest.mark.parametrize("looked_before", [True, False])
def test_a_hold_lasts_ten_minutes(looked_before: bool) -> None:
    run = Run().start().hold(15 * S, 5 * S)
    if looked_before:
        assert run.at(15 * S) == []
    assert run.at(15 * S + limits.HOLD_US) == []
    assert run.at(15 * S + limits.HOLD_US + 1) == [End.HOLD_EXPIRED]


def test_a_session_is_over_in_a_hold_too() -> None:
    run = Run().start()
    held_us = ARMED_US + limits.SESSION_US - 5 * S
    run.hold(held_us, 5 * S)
    run.stimulation._ran_us = 0  # of this test only the session's own time
    assert run.at(held_us) == []
    assert run.at(ARMED_US + limits.SESSION_US) == []
    assert run.at(ARMED_US + limits.SESSION_US + 1) == [End.SESSION_EXPIRED]


@pytest.mark.parametrize("looked_before", [True, False])
@pytest.mark.parametrize(("identity", "slack_us"), [(IDENTITY, S), (BY_LEASE, limits.SESSION_US)])
def test_stimulation_lasts_as_long_as_prescribed_by_the_hosts_own_clock(
    looked_before: bool, identity: Identity, slack_us: int
) -> None:
    """Ten seconds, a hold, and ten more: what the device says of its own time is not asked."""
    run = Run(identity).start()
    keep_heard(run, 20 * S)
    run.hold(20 * S, 10 * S).start(500 * S, 10 * S)
    run.context.times.armed_us = 1_000 * S  # so late that of the timers only this one counts
    last_us = 510 * S + slack_us
    for now_us, ends in ((500 * S, []), (last_us, []), (last_us + 1, [End.CLOCK])):
        if looked_before or now_us > 500 * S:
            keep_heard(run, now_us)
            assert run.at(now_us) == ends


@pytest.mark.parametrize(("ran_us", "ends"), [(21 * S + 500_000, []), (21 * S + 500_001, [End.CLOCK])])
def test_in_a_hold_the_time_before_it_counts_as_far_as_the_news_of_it_may_be_late(ran_us: int, ends: list[End]) -> None:
    held_us = STARTED_US + ran_us
    assert Run().start().hold(held_us, 20 * S).at(held_us + 5 * S) == ends


# --- while it stimulates ----------------------------------------------------------------------------------


def test_a_contradiction_in_what_the_device_said_ends_a_run() -> None:
    run = Run().start()
    keep_heard(run, 11 * S)
    run.context.dose_tracker.contradiction = "time went back"
    assert run.at(11 * S) == [End.IMPLAUSIBLE]
    run = Run()
    run.context.dose_tracker.contradiction = "time went back"
    assert run.at(11 * S) == [], "with outputs off the report says so"


@pytest.mark.parametrize(
    ("status_us", "heard_us", "ends"),
    [
        (limits.SILENCE_US - 1, 0, []),
        (limits.SILENCE_US, 0, [End.LINE_LOST]),
        (limits.SILENCE_US, limits.SILENCE_US - 1, [End.LINE_LOST]),
        (limits.SILENCE_US, limits.SILENCE_US, []),
    ],
    ids=["told in time", "answers and tells nothing", "answered just in time", "does not answer: the engine's affair"],
)
def test_a_device_that_answers_but_tells_nothing(status_us: int, heard_us: int, ends: list[End]) -> None:
    """How long ago each was."""
    run, now_us = Run().start(), 12 * S
    keep_heard(run, now_us - status_us)
    run.context.stimulator.heard_us = now_us - heard_us
    run.stimulation._sample_due_us = now_us
    assert run.at(now_us) == ends
    assert len(run.context.alarms) == len(ends)
    assert len(run.log.of("sample")) == (not ends), "what has ended is not sampled"


@pytest.mark.parametrize("state", [State.REARMED, State.RECHECKING])
def test_while_it_is_armed_or_checks_only_its_status_is_waited_for(state: State) -> None:
    run, now_us = Run().start().hold(12 * S, 2 * S), 20 * S
    times = run.context.times
    run.context.state, times.armed_us, times.quiet_us = state, 10 * S, {1: 12 * S}
    times.status_us = run.context.stimulator.heard_us = now_us
    assert run.at(now_us) == []


@pytest.mark.parametrize(("told_us", "ends"), [(limits.SILENCE_US - 1, []), (limits.SILENCE_US, [End.LINE_LOST])])
@pytest.mark.parametrize("what", ["status", "channel", "status by lease"])
def test_in_a_hold_status_and_channels_are_waited_for(what: str, told_us: int, ends: list[End]) -> None:
    """How long ago the one was told; the other is told now."""
    run, now_us = Run().start().hold(12 * S, 2 * S), 20 * S
    times = run.context.times
    times.armed_us = 10 * S
    times.status_us, times.quiet_us = now_us, {1: now_us}
    if what == "channel":
        times.quiet_us[1] = now_us - told_us
    else:
        times.status_us = now_us - told_us
    if what == "status by lease":
        run.context.device.identity, times.quiet_us = BY_LEASE, {}
    run.context.stimulator.heard_us = now_us
    assert run.at(now_us) == ends


def test_in_a_run_a_channel_that_is_told_of_no_more_ends_it_whatever_a_status_says() -> None:
    run, now_us = Run().start(), 12 * S
    keep_heard(run, now_us)
    assert run.stimulation.plausibility is not None
    run.stimulation.plausibility._judged_us[1] = now_us - limits.SILENCE_US
    assert run.at(now_us) == [End.LINE_LOST]


def test_a_session_that_is_over_is_not_found_silent_too() -> None:
    run = Run()
    run.context.state = State.TESTED

    def stop(now_us: int, end: End, _text: str) -> None:
        run.stopped.append((now_us, end))
        run.context.state = State.STOPPING

    run.context.stop = stop
    now_us = run.context.stimulator.heard_us = ARMED_US + limits.SESSION_US + 1
    assert run.at(now_us) == [End.SESSION_EXPIRED]
    assert run.context.alarms == []


def test_a_watch_is_kept_of_a_run_only() -> None:
    run = Run()
    run.context.state = State.RAMPING
    assert run.at(12 * S) == [], "nothing was started yet"


@pytest.mark.parametrize(("waits_us", "ends"), [(2 * S, []), (2 * S + 1, [End.IMPLAUSIBLE])])
def test_a_hold_that_does_not_come_ends_the_session(waits_us: int, ends: list[End]) -> None:
    """A device that says it holds and goes on: a second hold is none, and a lowering is not sent any more."""
    run = Run().start()
    run.context.begin(Task.HOLD, 12 * S)
    keep_heard(run, 12 * S + waits_us)
    assert run.at(12 * S + waits_us) == ends


def test_a_sample_is_written_every_ten_seconds() -> None:
    assert SAMPLE_US == 10 * S
    run = Run().start()
    counts = []
    for now_us in (20 * S - 1, 20 * S, 20 * S + 1, 30 * S - 1, 30 * S):
        keep_heard(run, now_us)
        run.at(now_us)
        counts.append(len(run.log.of("sample")))
    assert counts == [0, 1, 1, 1, 2]
    assert run.stopped == []


@pytest.mark.parametrize(("below_us", "held"), [(limits.TITRATION_US, False), (limits.TITRATION_US + 1, True)])
def test_titration_is_held_after_a_minute_below_half_a_milliampere(below_us: int, held: bool) -> None:
    run = Run().start()
    run.context.targets.applied(1, 400, STARTED_US)
    now_us = STARTED_US + below_us
    run.context.prescription = prescription(seconds=1_000)
    keep_heard(run, now_us)
    assert run.at(now_us) == []
    assert run.context.is_pending(Task.HOLD) is held
    assert [alarm.priority for alarm in run.context.alarms] == [Priority.MEDIUM] * held
    run.at(STARTED_US + limits.TITRATION_US + 1)
    run.at(STARTED_US + limits.TITRATION_US + 2)
    assert len(run.context.alarms) == 1, "a hold that is under way is not asked for again"


def test_a_sample_says_how_far_stimulation_has_come_by_the_device() -> None:
    run = Run().start()
    for now_us, told in ((20 * S, None), (30 * S, status(30 * S, stimulation_us=17 * S))):
        run.context.device.status = told
        keep_heard(run, now_us)
        run.at(now_us)
    assert [entry["stimulation_us"] for entry in run.log.of("sample")] == [None, 17 * S]
