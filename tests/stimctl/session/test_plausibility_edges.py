"""Clocks, silence, ceiling and ramp: each bound of what the host believes, at its last good value and at the next."""

from dataclasses import replace

import pytest

from stimctl import limits
from stimctl.session.plausibility import PULSE_FLIGHT_US, TIMER_SLACK_US, Plausibility
from stimctl.session.states import End
from stimctl.wire.codes import Capability, DeviceState
from tests.stimctl.session.plausibility_run import (
    DEVICE_US,
    HOST_US,
    NET_PC,
    NO_NET,
    PROGRAM,
    RUN_US,
    STIMULATION_US,
    Run,
    S,
    targets_at,
    text_of,
)
from tests.stimctl.session.test_plausibility import IDENTITY

# --- the device as a whole -----------------------------------------------------------------------------


@pytest.mark.parametrize("device_clock_too", [True, False])
@pytest.mark.parametrize(("ahead_us", "wrong"), [(S, False), (S + 1, True), (-S, False), (-S - 1, True)])
def test_the_two_clocks_may_differ_by_one_second(ahead_us: int, wrong: bool, device_clock_too: bool) -> None:
    run = Run()
    device_us = run.device_us + ahead_us * device_clock_too
    finding = run.show(stimulation_us=STIMULATION_US + RUN_US + ahead_us, device_time_us=device_us)
    assert (finding is not None and finding.end is End.CLOCK) is wrong
    assert not wrong or "timer and the host's clock differ" in text_of(finding)


@pytest.mark.parametrize(("ahead_us", "wrong"), [(S, False), (S + 1, True), (-S, False), (-S - 1, True)])
def test_so_may_the_devices_two(ahead_us: int, wrong: bool) -> None:
    run = Run()
    finding = run.show(device_time_us=run.device_us + ahead_us)
    assert (finding is not None and finding.end is End.CLOCK) is wrong
    assert not wrong or "timer and its own clock differ" in text_of(finding)


@pytest.mark.parametrize(("measured_ua", "wrong"), [(1_100, False), (1_101, True)])
def test_what_flows_is_looked_at_from_the_first_reading_on(measured_ua: int, wrong: bool) -> None:
    first = Run(measured_ua=measured_ua).first
    assert (first is not None and first.end is End.OVER_CURRENT) is wrong


@pytest.mark.parametrize(("ahead_us", "wrong"), [(S, False), (S + 1, True)])
def test_a_reading_is_from_no_later_than_now(ahead_us: int, wrong: bool) -> None:
    """Each that claims more time than has passed makes room for more pulses."""
    run = Run()
    finding = run.judge.channel(run.next(device_time_us=run.device_us + 100_000 + ahead_us), run.now_us)
    assert (finding is not None and finding.end is End.CLOCK) is wrong


@pytest.mark.parametrize(("ahead_us", "wrong"), [(limits.SESSION_US, False), (limits.SESSION_US + 1, True)])
def test_by_lease_only_the_host_has_a_timer(ahead_us: int, wrong: bool) -> None:
    run = Run(replace(IDENTITY, by_lease=True))
    now_us = run.now_us + ahead_us
    assert (run.judge.status(run.status(), now_us) is not None) is wrong


@pytest.mark.parametrize(("past_us", "wrong"), [(0, False), (1, True)])
def test_stimulation_may_last_as_long_as_prescribed(past_us: int, wrong: bool) -> None:
    run = Run()
    run.run_us = 1_800 * S - STIMULATION_US + past_us
    finding = run.show()
    assert ("after the end" in text_of(finding)) is wrong


@pytest.mark.parametrize(("age_ms", "wrong"), [(1_100, False), (1_101, True)])
def test_a_keepalive_may_be_as_old_as_the_watchdog_and_a_tenth(age_ms: int, wrong: bool) -> None:
    run = Run()
    assert ("watchdog" in text_of(run.show(keepalive_age_ms=age_ms))) is wrong


STIMULATING = (DeviceState.RAMPING, DeviceState.RUNNING, DeviceState.RAMPING_DOWN)


@pytest.mark.parametrize("state", list(DeviceState))
def test_a_device_as_a_whole_is_judged_while_it_stimulates_and_only_then(state: DeviceState) -> None:
    """A reading is judged by its own time, whatever the last status said."""
    run = Run()
    assert (run.show(state=state, active_mask=2) is not None) is (state in STIMULATING)
    assert "above the ceiling" in text_of(run.judge.channel(run.last._replace(applied_ua=9_999), run.now_us))


def test_a_judge_of_no_run_counts_from_zero_and_expects_no_channel() -> None:
    judge = Plausibility(IDENTITY, PROGRAM, 1_500, targets_at(1_000))
    told = Run().status(device_time_us=0, stimulation_us=0, active_mask=0)
    assert judge.channel(Run().last, Run().device_us) is None
    for now_us, stimulation_us in ((S, 0), (0, S)):
        assert judge.status(told._replace(stimulation_us=stimulation_us), now_us) is None


# --- silence ----------------------------------------------------------------------------------------------


def test_half_a_second_without_a_status_is_silence() -> None:
    run = Run()
    assert run.tell(after_us=400_000) is None
    assert not run.judge.silent(run.now_us + limits.SILENCE_US - 1)
    assert run.judge.silent(run.now_us + limits.SILENCE_US)


@pytest.mark.parametrize("channel", [1, 2, 3, 4])
def test_half_a_second_without_a_reading_of_a_channel_is_silence(channel: int) -> None:
    """The others are read and the device tells its status; a channel that was not started need not be read."""
    started = (1, 2, 3, 4)
    judge = Plausibility(IDENTITY, PROGRAM, 1_500, targets_at(1_000, *started))
    judge.begin(0b1111, DEVICE_US, 0, HOST_US)
    late_us = HOST_US + limits.SILENCE_US
    judge.status(Run().status(), late_us)
    for other in set(started) - {channel}:
        judge.channel(Run().last._replace(channel=other, device_time_us=DEVICE_US), late_us)
    assert not judge.silent(late_us - 1)
    assert judge.silent(late_us)
    judge.channel(Run().last._replace(channel=channel, device_time_us=DEVICE_US), late_us)
    assert not judge.silent(late_us)


def test_a_channel_that_was_not_started_need_not_be_read() -> None:
    judge = Plausibility(IDENTITY, PROGRAM, 1_500, targets_at(1_000, 1, 2, 3, 4))
    judge.begin(0b0110, DEVICE_US, 0, HOST_US)
    late_us = HOST_US + limits.SILENCE_US
    judge.status(Run().status(), late_us)
    for channel in (2, 3):
        judge.channel(Run().last._replace(channel=channel, device_time_us=DEVICE_US), late_us)
    assert not judge.silent(late_us)


def test_a_run_begins_with_nothing_seen() -> None:
    run = Run()
    run.judge.no_longer(1, 1_500, run.device_us)
    run.run_us += 1
    run.targets.on_hold()
    run.targets.started({1: 1_000}, run.now_us)
    run.judge.begin(1, run.device_us, run.status().stimulation_us, run.now_us)
    assert not run.judge.silent(run.now_us + limits.SILENCE_US - 1)
    run.run_us += 500_000
    assert run.show() is None
    told = run.last._replace(applied_ua=200, measured_ua=200, pulses_0=0, charge_0_pc=0, device_time_us=run.device_us)
    assert run.judge.channel(told, run.now_us) is None, "counted from zero, it is a first reading"
    run.target(199)
    run.run_us += 100_000
    told = told._replace(applied_ua=201, measured_ua=201, device_time_us=run.device_us)
    assert "above what was set" in text_of(run.judge.channel(told, run.now_us)), "nothing is left of a lowering"


def test_what_an_earlier_run_permitted_ends_as_the_next_begins() -> None:
    """A reading from before the start may show the run before; one from its first microsecond on may not."""
    run = Run()
    run.judge.no_longer(1, 1_000, run.device_us)
    run.run_us += 1_000
    start_us = run.device_us
    run.targets.on_hold()
    run.targets.started({1: 100}, run.now_us)
    run.judge.begin(1, start_us, run.status().stimulation_us, run.now_us)
    told = run.last._replace(applied_ua=1_000, measured_ua=1_000)
    assert run.judge.channel(told._replace(device_time_us=start_us - 1), run.now_us) is None
    late = run.judge.channel(told._replace(device_time_us=start_us), run.now_us)
    assert "above what was set" in text_of(late)


# --- when a reading was made, and when it came ------------------------------------------------------------


@pytest.mark.parametrize("late_us", [0, 50_001, 60_000, 3 * S])
def test_a_reading_is_judged_by_its_own_time_however_late_it_comes(late_us: int) -> None:
    run = Run()
    told = run.next(flags=1, applied_ua=1_400)
    assert "above what was set" in text_of(run.judge.channel(told, run.now_us + late_us))
    run = Run()
    assert run.judge.channel(run.next(), run.now_us + late_us) is None


@pytest.mark.parametrize("late_us", [0, 100_000])
def test_ramp_and_rate_are_measured_between_readings_whenever_they_come(late_us: int) -> None:
    """200 uA/s and 100 Hz for the 100 ms of the device's time between two readings."""
    for over in (0, 1):
        run = Run(NO_NET)
        run.target(1_500)
        risen = run.next(applied_ua=1_120 + over, measured_ua=1_000)
        finding = run.judge.channel(risen, run.now_us + late_us)
        assert ("rises faster" in text_of(finding)) is bool(over)
        run = Run(NO_NET)
        finding = run.judge.channel(run.next((12 + over, 0)), run.now_us + late_us)
        assert ("faster than its program" in text_of(finding)) is bool(over)


@pytest.mark.parametrize("older_us", [0, 1, 50_000])
def test_a_reading_not_newer_than_the_last_does_not_count_as_heard_but_its_current_is_judged(older_us: int) -> None:
    run = Run()
    assert run.tell() is None
    judged_us = run.now_us
    old = run.last._replace(device_time_us=run.last.device_time_us - older_us)
    for late_us in range(100_000, limits.SILENCE_US, 100_000):
        assert run.judge.channel(old, judged_us + late_us) is None
        assert run.judge.status(run.status(), judged_us + late_us) is None
    assert run.judge.channel(old._replace(measured_ua=1_100), judged_us + limits.SILENCE_US - 1) is None
    over = run.judge.channel(old._replace(measured_ua=1_101), judged_us + limits.SILENCE_US - 1)
    assert over is not None
    assert over.end is End.OVER_CURRENT
    assert not run.judge.silent(judged_us + limits.SILENCE_US - 1)
    assert run.judge.silent(judged_us + limits.SILENCE_US)


def test_a_reading_not_newer_than_the_last_is_no_measure_of_rates_and_ramp() -> None:
    """Nor does it take the last one's place. What it applies is held to the ceiling."""
    run = Run()
    assert run.tell() is None
    old = run.last._replace(applied_ua=1_500, measured_ua=1_000, pulses_0=0, charge_0_pc=0, net_charge_pc=0)
    assert run.judge.channel(old, run.now_us) is None
    above = run.judge.channel(old._replace(applied_ua=1_501), run.now_us)
    assert text_of(above) == "channel 1 applies 1501 uA, above the ceiling"
    assert run.tell() is None, "the next is measured from the newest"


def test_an_old_reading_may_show_what_was_permitted_at_its_time() -> None:
    """1.0 mA was lowered to 0.5 mA: a pulse in flight may be of 1.0 mA, a later one not."""
    run = Run()
    run.target(500)
    run.judge.no_longer(1, 1_000, run.device_us)
    lowered_us = run.device_us
    assert run.tell(after_us=2 * S, pulses=(10, 0), applied_ua=500, measured_ua=500) is None
    for device_us, most_ua in ((lowered_us + PULSE_FLIGHT_US - 1, 1_100), (lowered_us + PULSE_FLIGHT_US, 600)):
        old = run.last._replace(device_time_us=device_us)
        for over in (0, 1):
            finding = run.judge.channel(old._replace(measured_ua=most_ua + over), run.now_us)
            assert (finding is not None and finding.end is End.OVER_CURRENT) is bool(over)


def test_the_first_reading_of_a_ramp_is_held_to_the_time_since_the_start() -> None:
    """100 uA and 200 uA/s: at 300 ms of the run it may be 160 uA, however late it comes."""
    for applied_ua, wrong in ((160, False), (161, True)):
        run = Run(NO_NET)
        run.judge.begin(1, DEVICE_US, STIMULATION_US, HOST_US)
        run.run_us = 300_000
        told = run.last._replace(applied_ua=applied_ua, measured_ua=applied_ua, device_time_us=run.device_us)
        finding = run.judge.channel(told, run.now_us + 100_000)
        assert ("rises faster" in text_of(finding)) is wrong


def test_two_lowerings_in_a_row_each_leave_a_pulse() -> None:
    run = Run(NO_NET)
    for before_ua, target_ua in ((1_000, 900), (900, 800)):
        run.target(target_ua)
        run.judge.no_longer(1, before_ua, run.device_us)
    assert run.judge.channel(run.next(), run.now_us) is None, "the last pulse may still be the first target's"


def test_of_a_device_that_measures_nothing_neither_current_nor_contact_is_judged() -> None:
    lacks = replace(IDENTITY, capabilities=IDENTITY.capabilities & ~Capability.MEASURES_CURRENT)
    run = Run(lacks)
    for _ in range(5):
        assert run.tell(measured_ua=9_999, ohm=10) is None
        assert run.judge.channel(run.last, run.now_us) is None, "nor in a second reading"
    old = run.last._replace(device_time_us=DEVICE_US - 1)
    assert run.judge.channel(old, run.now_us) is None, "nor in one from before the run"


@pytest.mark.parametrize(("before_us", "judged"), [(1, False), (0, True)])
def test_a_status_from_before_the_run_is_none_of_it(before_us: int, judged: bool) -> None:
    run = Run()
    run.judge.begin(1, DEVICE_US + RUN_US, STIMULATION_US + RUN_US, run.now_us)
    late_us = run.now_us + limits.SILENCE_US
    old = run.status(device_time_us=DEVICE_US + RUN_US - before_us, active_mask=2)
    assert (run.judge.status(old, late_us) is not None) is judged
    first = run.last._replace(applied_ua=100, measured_ua=100, device_time_us=run.device_us + 1)
    assert run.judge.channel(first, late_us) is None
    assert run.judge.silent(late_us) is not judged


@pytest.mark.parametrize(("after_us", "judged"), [(TIMER_SLACK_US, False), (TIMER_SLACK_US + 1, True)])
def test_a_status_from_before_the_run_that_comes_too_late_for_any_line_is_of_a_clock_that_went_back(
    after_us: int, judged: bool
) -> None:
    run = Run()
    run.judge.begin(1, DEVICE_US, STIMULATION_US, HOST_US)
    old = run.status(device_time_us=DEVICE_US - S, stimulation_us=STIMULATION_US + after_us)
    found = run.judge.status(old, HOST_US + after_us)
    assert (found is not None and found.end is End.CLOCK and "its own" in found.text) is judged


def test_what_the_host_slept_is_no_silence() -> None:
    run = Run()
    run.tell()
    run.judge.stood_still(300_000)
    assert not run.judge.silent(run.now_us + limits.SILENCE_US + 300_000 - 1)
    assert run.judge.silent(run.now_us + limits.SILENCE_US + 300_000)


def test_a_reading_from_before_the_run_is_no_reading_of_it_but_its_current_is_judged() -> None:
    run = Run()
    late_us = HOST_US + RUN_US + limits.SILENCE_US
    run.judge.status(run.status(), late_us)
    old = run.last._replace(device_time_us=DEVICE_US - 1, applied_ua=0)
    assert run.judge.channel(old._replace(measured_ua=200), late_us) is None
    assert run.judge.silent(late_us), "it was not heard of this run"
    over = run.judge.channel(old._replace(measured_ua=201), late_us)
    assert over is not None
    assert over.end is End.OVER_CURRENT
    above = run.judge.channel(old._replace(applied_ua=1_501, measured_ua=0), late_us)
    assert "above the ceiling" in text_of(above)


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
        run.target(1_500)
        run.judge.begin(1, DEVICE_US, STIMULATION_US, HOST_US)
        run.run_us = run_us
        told = run.last._replace(applied_ua=applied_ua, device_time_us=run.device_us)
        finding = run.judge.channel(told, run.now_us)
        assert ("rises faster" in text_of(finding)) is wrong


@pytest.mark.parametrize(("since_us", "most_ua"), [(S, 300), (S - 1, 299), (100_000, 120)])
def test_a_rise_counts_from_the_reading_before(since_us: int, most_ua: int) -> None:
    for rise_ua, wrong in ((most_ua, False), (most_ua + 1, True)):
        run = Run(target_ua=1_500)
        assert run.first is None
        run.target(1_500)
        told = run.next(after_us=since_us, applied_ua=1_000 + rise_ua, measured_ua=1_000 + rise_ua)
        finding = run.judge.channel(told, run.now_us)
        assert ("rises faster" in text_of(finding)) is wrong


@pytest.mark.parametrize(("after_us", "wrong"), [(PULSE_FLIGHT_US - 1, False), (PULSE_FLIGHT_US, True)])
def test_a_lowered_target_may_show_for_as_long_as_a_pulse_may_take(after_us: int, wrong: bool) -> None:
    assert PULSE_FLIGHT_US == 1_100_000
    run = Run()
    run.target(900)
    run.judge.no_longer(1, 1_000, run.device_us)
    told = run.next(after_us=after_us, pulses=(100, 0), net_charge_pc=NET_PC)
    assert ("above what was set" in text_of(run.judge.channel(told, run.now_us))) is wrong


def test_a_run_has_its_targets_from_its_first_microsecond_on() -> None:
    """A first pulse may come with the start."""
    run = Run()
    run.judge.begin(1, run.device_us, STIMULATION_US, run.now_us)
    first = run.last._replace(applied_ua=100, measured_ua=100)
    assert run.judge.channel(first, run.now_us) is None


def test_what_was_permitted_was_so_from_the_runs_first_microsecond_on() -> None:
    run = Run()
    run.judge.begin(1, run.device_us, STIMULATION_US, run.now_us)
    run.target(0)
    run.judge.no_longer(1, 1_000, run.device_us + 1_000)
    first = run.last._replace(applied_ua=100, measured_ua=100)
    assert run.judge.channel(first, run.now_us) is None
