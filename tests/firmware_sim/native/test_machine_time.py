"""The machine by itself as time goes by: runs, holds, trips and every timer."""

import pytest

from firmware_sim.native import gate
from firmware_sim.native.output_stage import Trip
from firmware_sim.native.program import OutputProgram, OutputSegment
from firmware_sim.native.run_state import StateChange
from firmware_sim.native.timers import DeviceTimer
from firmware_sim.native.zero_detector import SAMPLE_US
from stimctl.wire.codes import DeviceState, EndReason
from tests.firmware_sim.native.machine_bench import ARMING, PROGRAM, Bench, S, alive_until

# --- time -------------------------------------------------------------------------------------------------


def test_however_late_anybody_looks_nothing_is_driven_after_the_watchdog() -> None:
    bench = Bench()
    machine = bench.started(2 * S)
    machine.advance(30 * S)
    assert bench.stage.ran_to_us[-1] == gate.WATCHDOG_US
    assert machine.session is None
    assert bench.told[-1] == StateChange(3 * S, DeviceState.RAMPING, DeviceState.ENDED, EndReason.WATCHDOG)
    assert machine.stimulation_us(40 * S) == gate.WATCHDOG_US


@pytest.mark.parametrize(
    ("reason", "state"),
    [
        (EndReason.LEAD_OFF, DeviceState.HELD),
        (EndReason.COMPLIANCE, DeviceState.HELD),
        (EndReason.OVER_CURRENT, DeviceState.ENDED),
        (EndReason.SHORT, DeviceState.ENDED),
    ],
)
def test_a_trip_is_dated_to_its_instant_in_a_second_run_too(reason: EndReason, state: DeviceState) -> None:
    bench = Bench()
    machine = bench.started(2 * S)
    alive_until(machine, 5 * S)
    machine.hold(EndReason.HELD_BY_HOST, 5 * S)
    assert machine.session is not None
    machine.arm(ARMING, machine.session, 60 * S, 5 * S)
    alive_until(machine, 10 * S)
    machine.start(machine.session, PROGRAM, {1: 600, 2: 500}, 10 * S)
    assert bench.stage.ran_to_us[-1] == 3 * S, "stimulation time stood still in the hold"
    bench.stage.trip = Trip(reason, 2, 99, 3 * S + 70_000)
    machine.advance(10 * S + 100_000)
    assert bench.told[-1] == StateChange(10 * S + 70_000, DeviceState.RAMPING, state, reason, 2, 99)
    assert machine.stimulation_us(11 * S) == 3 * S + 70_000


def test_a_trip_after_the_ramp_ends_it_too() -> None:
    bench = Bench()
    machine = bench.started(2 * S)
    alive_until(machine, 10 * S)
    assert machine.state is DeviceState.RUNNING
    bench.stage.trip = Trip(EndReason.OVER_CURRENT, 2, 99, 8 * S + 70_000)
    machine.advance(10 * S + 100_000)
    ended = StateChange(10 * S + 70_000, DeviceState.RUNNING, DeviceState.ENDED, EndReason.OVER_CURRENT, 2, 99)
    assert bench.told[-1] == ended
    assert bench.stage.ran_to_us[-1] > bench.stage.ran_to_us[-2], "a run that has ended is not run on"


def test_a_device_that_does_not_end_at_a_trip_comes_to_the_same_time_all_the_same() -> None:
    """As a bad device may: it goes on giving pulses, and time does not stand still."""
    bench = Bench()
    machine = bench.started(2 * S)
    alive_until(machine, 10 * S)
    ignored: list[Trip] = []
    machine._tripped = lambda trip, at_us: ignored.append(trip)  # type: ignore[method-assign]
    bench.stage.trip = Trip(EndReason.OVER_CURRENT, 2, 99, 8 * S + 70_000)
    machine.advance(10 * S + 100_000)
    assert len(ignored) == 1
    assert bench.stage.ran_to_us[-2:] == [8 * S + 100_000] * 2


@pytest.mark.parametrize(
    ("timer", "at_us", "reason"),
    [
        (DeviceTimer.HOLD, 3 * S + gate.HOLD_US, EndReason.HOLD_EXPIRED),
        (DeviceTimer.SESSION, gate.SESSION_US, EndReason.SESSION_EXPIRED),
    ],
)
def test_what_ends_a_hold(timer: DeviceTimer, at_us: int, reason: EndReason) -> None:
    bench = Bench()
    machine = bench.started()
    alive_until(machine, 3 * S)
    machine.hold(EndReason.HELD_BY_HOST, 3 * S)
    assert bench.told[-1] == StateChange(3 * S, DeviceState.RUNNING, DeviceState.HELD, EndReason.HELD_BY_HOST, 0, 0)
    assert machine.hold_reason is EndReason.HELD_BY_HOST
    on = [each for each in DeviceTimer if machine.timers.at_us(each) is not None]
    assert on == [DeviceTimer.WATCHDOG, DeviceTimer.SESSION, DeviceTimer.HOLD, DeviceTimer.ZERO]
    assert machine.timers.at_us(DeviceTimer.ZERO) == 3 * S + SAMPLE_US
    machine.timers.cancel(*({DeviceTimer.WATCHDOG, DeviceTimer.SESSION, DeviceTimer.HOLD} - {timer}))
    machine.advance(at_us - 1)
    assert machine.state is DeviceState.HELD
    machine.advance(at_us)
    assert bench.told[-1] == StateChange(at_us, DeviceState.HELD, DeviceState.ENDED, reason)


def test_a_run_from_its_ramp_to_its_timer() -> None:
    """0.6 mA at 200 uA/s: 3 s up; 60 s in all, the last 5 s down."""
    bench = Bench()
    machine = bench.started(2 * S)
    assert machine.targets_ua == {1: 600, 2: 500}
    assert [machine.timers.at_us(each) for each in (DeviceTimer.ARM, DeviceTimer.HOLD)] == [None, None]
    alive_until(machine, 3 * S)
    assert machine.stimulation_us(3 * S + 7) == S + 7
    alive_until(machine, 62 * S)
    assert [(told.state, told.reason) for told in bench.told[-3:]] == [
        (DeviceState.RUNNING, EndReason.NONE),
        (DeviceState.RAMPING_DOWN, EndReason.NONE),
        (DeviceState.ENDED, EndReason.TIMER),
    ]
    assert bench.told[-3].at_us == 2 * S + 2_990_000, "with the 300th pulse, 2 uA each"
    assert [told.at_us for told in bench.told[-2:]] == [57 * S, 62 * S]


def test_the_record_is_kept_over_runs_and_can_be_had_at_any_time() -> None:
    """Two runs of a program that alternates, 1 s and 0.5 s: each begins with the first segment."""
    segments = (OutputSegment(500_000, 600, 0, 600, S), OutputSegment(10_000, 200, 0, 200, 500_000))
    bench = Bench()
    machine = bench.armed(2 * S)
    machine.program = program = OutputProgram(segments, 0b0011, 200, 0)
    assert machine.session is not None
    machine.start(machine.session, program, {1: 600, 2: 500}, 2 * S)
    alive_until(machine, 4 * S)
    bench.flash.refresh()
    session = machine.session
    assert (session.stimulation_us, session.segment_0_us, session.segment_1_us) == (2 * S, 1_500_000, 500_000)
    machine.hold(EndReason.HELD_BY_HOST, 4 * S)
    machine.arm(ARMING, session, 60 * S, 4 * S)
    alive_until(machine, 10 * S)
    machine.start(session, program, {1: 600, 2: 500}, 10 * S)
    assert machine.timers.at_us(DeviceTimer.STIMULATION) == 68 * S
    assert machine.timers.at_us(DeviceTimer.HOLD) is None
    alive_until(machine, 11_200_000)
    machine.collect(11_200_000)
    assert (session.stimulation_us, session.segment_0_us, session.segment_1_us) == (3_200_000, 2_500_000, 700_000)
    assert session.totals == tuple(bench.stage.totals(channel) for channel in (1, 2, 3, 4))
    assert session.totals[0].pulses_0 > 0
    assert machine.hold_reason is EndReason.HELD_BY_HOST


def test_an_arm_that_lapses_in_a_hold_goes_back_to_the_hold() -> None:
    machine = Bench().started()
    alive_until(machine, 3 * S)
    machine.hold(EndReason.HELD_BY_HOST, 3 * S)
    assert machine.session is not None
    machine.arm(ARMING, machine.session, 3 * S + 500_000, 3 * S)
    alive_until(machine, 4 * S)
    assert machine.state is DeviceState.HELD
    assert machine.timers.at_us(DeviceTimer.WATCHDOG) == 5 * S


def test_there_is_nothing_to_collect_without_a_session() -> None:
    machine = Bench().machine
    machine.collect(5)
    assert machine.session is None
