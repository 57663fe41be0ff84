"""Clocks, silence, ceiling and ramp: each bound of what the host believes, at its last good value and at the next."""

from dataclasses import replace

import pytest
from stimctl.session.watch import PAIR_US, PULSE_FLIGHT_US, Watch
from tests.stimctl.session.test_watch import IDENTITY

from stimctl import limits
from stimctl.session.states import End
from stimctl.wire.codes import DeviceState
from tests.stimctl.session.watch_run import (
    HOST_US,
    NET_PC,
    PROGRAM,
    RUN_US,
    STIMULATION_US,
    Run,
    S,
    text_of,
)

# --- the device as a whole -----------------------------------------------------------------------------


@pytest.mark.parametrize(("ahead_us", "wrong"), [(S, False), (S + 1, True), (-S, False), (-S - 1, True)])
def test_the_two_clocks_may_differ_by_one_second(ahead_us: int, wrong: bool) -> None:
    run = Run()
    finding = run.watch.status(run.status(stimulation_us=STIMULATION_US + RUN_US + ahead_us), run.now_us)
    assert (finding is not None and finding.end is End.CLOCK) is wrong


@pytest.mark.parametrize(("ahead_us", "wrong"), [(limits.SESSION_US, False), (limits.SESSION_US + 1, True)])
def test_by_lease_only_the_host_has_a_timer(ahead_us: int, wrong: bool) -> None:
    run = Run(replace(IDENTITY, by_lease=True))
    now_us = run.now_us + ahead_us
    assert (run.watch.status(run.status(), now_us) is not None) is wrong


@pytest.mark.parametrize(("past_us", "wrong"), [(0, False), (1, True)])
def test_stimulation_may_last_as_long_as_prescribed(past_us: int, wrong: bool) -> None:
    run = Run()
    finding = run.watch.status(
        run.status(stimulation_us=1_800 * S + past_us), HOST_US + 1_800 * S - STIMULATION_US + past_us
    )
    assert ("after the end" in text_of(finding)) is wrong


@pytest.mark.parametrize(("age_ms", "wrong"), [(1_100, False), (1_101, True)])
def test_a_keepalive_may_be_as_old_as_the_watchdog_and_a_tenth(age_ms: int, wrong: bool) -> None:
    run = Run()
    assert ("watchdog" in text_of(run.watch.status(run.status(keepalive_age_ms=age_ms), run.now_us))) is wrong


STIMULATING = (DeviceState.RAMPING, DeviceState.RUNNING, DeviceState.RAMPING_DOWN)


@pytest.mark.parametrize("state", list(DeviceState))
def test_a_device_is_judged_while_it_stimulates_and_only_then(state: DeviceState) -> None:
    run = Run()
    about_device = run.watch.status(run.status(state=state, active_mask=2), run.now_us)
    about_channel = run.watch.channel(run.last._replace(applied_ua=9_999), 1_000, run.now_us)
    assert (about_device is not None) is (about_channel is not None) is (state in STIMULATING)


def test_a_watch_that_has_not_begun_counts_from_zero_and_expects_no_channel() -> None:
    watch = Watch(IDENTITY, PROGRAM, 1_500)
    told = Run().status(device_time_us=0, stimulation_us=0, active_mask=0)
    assert not watch.as_before(Run().last, 1_000, 0)
    assert watch.channel(Run().last, 1_000, 0) is None
    for now_us, stimulation_us in ((S, 0), (0, S)):
        assert watch.status(told._replace(stimulation_us=stimulation_us), now_us) is None


# --- silence ----------------------------------------------------------------------------------------------


def test_half_a_second_without_a_status_is_silence() -> None:
    run = Run()
    run.next(after_us=400_000)
    run.watch.as_before(run.last, 1_000, run.now_us)
    assert not run.watch.silent(run.now_us + limits.SILENCE_US - 1)
    assert run.watch.silent(run.now_us + limits.SILENCE_US)


@pytest.mark.parametrize("channel", [1, 2, 3, 4])
def test_half_a_second_without_a_reading_of_a_channel_is_silence(channel: int) -> None:
    """The others are read and the device tells its status; a channel that was not started need not be read."""
    watch = Watch(IDENTITY, PROGRAM, 1_500)
    started = [1, 2, 3, 4]
    watch.begin(0b1111, 0, HOST_US)
    late_us = HOST_US + limits.SILENCE_US
    watch.status(Run().status(), late_us)
    for other in set(started) - {channel}:
        watch.as_before(Run().last._replace(channel=other), 1_000, late_us)
    assert not watch.silent(late_us - 1)
    assert watch.silent(late_us)
    watch.as_before(Run().last._replace(channel=channel), 1_000, late_us)
    assert not watch.silent(late_us)


def test_a_channel_that_was_not_started_need_not_be_read() -> None:
    watch = Watch(IDENTITY, PROGRAM, 1_500)
    watch.begin(0b0110, 0, HOST_US)
    late_us = HOST_US + limits.SILENCE_US
    watch.status(Run().status(), late_us)
    for channel in (2, 3):
        watch.as_before(Run().last._replace(channel=channel), 1_000, late_us)
    assert not watch.silent(late_us)


def test_a_run_begins_with_nothing_seen() -> None:
    run = Run()
    run.watch.lowered(1, 1_500, run.now_us)
    run.run_us += 1
    run.watch.begin(1, run.status().stimulation_us, run.now_us)
    assert not run.watch.silent(run.now_us + limits.SILENCE_US - 1)
    run.run_us += 500_000
    about_run = run.status()
    assert run.watch.status(about_run, run.now_us) is None
    assert not run.watch.as_before(run.last, 1_000, run.now_us), "readings of the run before count no more"
    told = run.last._replace(applied_ua=200, pulses_0=0, charge_0_pc=0)
    assert run.watch.channel(told, 1_000, run.now_us) is None, "counted from zero, it is a first reading"
    assert "above what was set" in text_of(run.watch.channel(told, 199, run.now_us)), "nothing is left of a lowering"


# --- status and reading belong together -----------------------------------------------------------------


@pytest.mark.parametrize(("late_us", "judged"), [(PAIR_US, True), (PAIR_US + 1, False)])
def test_a_reading_is_judged_with_a_status_of_up_to_50_ms_before(late_us: int, judged: bool) -> None:
    assert PAIR_US == 50_000
    run = Run()
    told = run.next(flags=1, applied_ua=1_400)
    assert (run.watch.channel(told, 1_000, run.now_us + late_us) is not None) is judged
    run = Run()
    assert run.watch.as_before(run.next(), 1_000, run.now_us + late_us) is judged


# --- ceiling, target, ramp ----------------------------------------------------------------------------


@pytest.mark.parametrize(("applied_ua", "wrong"), [(1_500, False), (1_501, True)])
def test_the_ceiling_holds_whatever_the_target(applied_ua: int, wrong: bool) -> None:
    assert ("above what was set" in text_of(Run(amplitude_ua=applied_ua).first)) is wrong


@pytest.mark.parametrize(
    ("run_us", "most_ua"), [(5 * S, 1_100), (5 * S - 1, 1_099)], ids=["a whole step", "just before it"]
)  # fmt: skip
def test_the_ramp_counts_from_the_start_of_the_run(run_us: int, most_ua: int) -> None:
    """100 uA and 200 uA/s."""
    for applied_ua, wrong in ((most_ua, False), (most_ua + 1, True)):
        run = Run()
        run.watch.begin(1, STIMULATION_US, HOST_US)
        run.run_us = run_us
        run.watch.status(run.status(), run.now_us)
        finding = run.watch.channel(run.last._replace(applied_ua=applied_ua), 1_500, run.now_us)
        assert ("rises faster" in text_of(finding)) is wrong


@pytest.mark.parametrize(("since_us", "most_ua"), [(S, 300), (S - 1, 299), (100_000, 120)])
def test_a_rise_counts_from_the_reading_before(since_us: int, most_ua: int) -> None:
    for rise_ua, wrong in ((most_ua, False), (most_ua + 1, True)):
        run = Run(target_ua=1_500)
        assert run.first is None
        told = run.next(after_us=since_us, applied_ua=1_000 + rise_ua, measured_ua=1_000 + rise_ua)
        finding = run.watch.channel(told, 1_500, run.now_us)
        assert ("rises faster" in text_of(finding)) is wrong


@pytest.mark.parametrize(("after_us", "wrong"), [(PULSE_FLIGHT_US - 1, False), (PULSE_FLIGHT_US, True)])
def test_a_lowered_target_may_show_for_as_long_as_a_pulse_may_take(after_us: int, wrong: bool) -> None:
    assert PULSE_FLIGHT_US == 1_100_000
    run = Run()
    run.watch.lowered(1, 1_000, run.now_us)
    told = run.next(after_us=after_us, pulses=(100, 0), net_charge_pc=NET_PC)
    assert ("above what was set" in text_of(run.watch.channel(told, 900, run.now_us))) is wrong
