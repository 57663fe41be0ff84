"""Tests of what happens when something goes wrong. They need the simulator, and skip on a device."""

import pytest

from stimctl.session.states import End


def test_a_clip_that_comes_off_stops_the_current(stimulator, simulator):
    simulator.fault("load.open", after="RUNNING", at_s=1)
    report = stimulator.run(seconds=15, actions=[(12, "stop")])
    assert report.end is End.OPERATOR
    assert report.held_us > 0
    assert simulator.recorder.end_us() < 10_000_000


def test_a_lossy_line_is_borne(stimulator, line, simulator):
    line.fault("loss", permille=50)
    report = stimulator.run(seconds=10)
    assert simulator.fired["line.loss"] > 0
    assert report.end is End.TIMER
    assert report.delivered == report.planned


def test_a_pulled_cable_ends_in_zero_by_the_watchdog(stimulator, line, simulator, virtual_clock):
    line.fault("unplug", after="RUNNING")
    report = stimulator.run(seconds=20)
    virtual_clock.advance(5)
    assert report.end is End.LINE_LOST
    ended = [entry for entry in simulator.journal if entry.get("state") == "ENDED"]
    assert ended[0]["reason"] == "WATCHDOG"
    assert simulator.recorder.end_us() <= ended[0]["device_time_us"]


def test_looking_into_the_device_at_a_moment(stimulator, simulator, virtual_clock):
    seen = []
    virtual_clock.at(4, lambda: seen.append(simulator.device.machine.state.name))
    stimulator.run(seconds=20)
    assert seen == ["RAMPING"]


@pytest.mark.stim_needs("virtual_time", "watchdog")
def test_half_an_hour_takes_no_time(stimulator, virtual_clock):
    report = stimulator.run(profile="bench-2-100hz", minutes=30)
    assert report.end is End.TIMER
    assert virtual_clock.now_us > 1_800_000_000
