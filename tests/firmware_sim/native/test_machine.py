"""The machine by itself: boot, gate, arming, checks and the end."""

import pytest

from firmware_sim.native import gate
from firmware_sim.native.diagnostics import ImpedanceResult
from firmware_sim.native.machine import SAVE_EVERY_US, Machine
from firmware_sim.native.nonces import by_seed
from firmware_sim.native.program import OutputProgram
from firmware_sim.native.run_state import Arming, StateChange
from firmware_sim.native.states import Cause, IllegalCause
from firmware_sim.native.timers import DeviceTimer
from firmware_sim.native.zero_detector import SAMPLE_US
from stimctl.wire.codes import DeviceState, EndReason, Purpose
from tests.firmware_sim.native.machine_bench import ARMING, GOOD, PROGRAM, Bench, S, alive_until

# --- boot -------------------------------------------------------------------------------------------------


def test_a_device_that_has_just_booted_holds_nothing_and_drives_nothing() -> None:
    bench = Bench()
    machine = bench.machine
    held = (machine.loading, machine.program, machine.arming, machine.run, machine.session, machine.waiting)
    assert held == (None,) * 6
    assert (machine.digest, machine.targets_ua, machine.raised_us, machine.impedances) == (b"", {}, {}, {})
    assert (machine.hold_reason, machine.holding, machine.delivers) == (EndReason.NONE, False, False)
    assert (machine.alive_us, machine.now_us, machine.stimulation_us(5)) == (0, 0, 0)
    assert bench.stage.disabled_us == [0]
    assert machine.timers.next_us == machine.timers.at_us(DeviceTimer.ZERO) == SAMPLE_US


def test_a_nonce_is_chance_and_the_number_of_the_arm_over_all_boots() -> None:
    bench = Bench()
    first = bench.machine
    first.draw = by_seed(5)
    drawn = [by_seed(5)(number) << 32 | number for number in (1, 2, 3, 4)]
    assert [first.next_nonce() for _ in range(3)] == drawn[:3]
    again = Machine(bench.stage, bench.flash, bench.told.append)
    again.draw = by_seed(5)
    assert again.next_nonce() == drawn[3]


def test_a_machine_that_is_told_nothing_draws_by_the_system() -> None:
    nonces = [Bench().machine.next_nonce() for _ in range(20)]
    assert {nonce & 0xFFFF_FFFF for nonce in nonces} == {1}
    assert len(set(nonces)) == 20


def test_a_change_says_no_reason_channel_or_value_of_itself() -> None:
    change = StateChange(5, DeviceState.IDLE, DeviceState.LOADING)
    assert (change.reason, change.channel, change.value) == (EndReason.NONE, 0, 0)


def test_only_a_change_of_state_is_told() -> None:
    bench = Bench()
    machine = bench.tested()
    bench.flash.saved.clear()
    machine.move(Cause.DIGEST, 5)
    assert bench.told == []
    machine.move(Cause.TEST_FAILED, 6)
    assert bench.told == [StateChange(6, DeviceState.TESTED, DeviceState.LOADED)]
    assert bench.flash.saved == [None], "and only a change is saved"


# --- the gate that the stage is given ---------------------------------------------------------------------


def test_no_pulse_passes_without_an_arm_or_a_program_or_on_another_channel() -> None:
    bench = Bench()
    machine = bench.started()
    pulse = {"segment": 0, "amplitude_ua": 100, "second_ua": 100, "last_ua": 0}
    assert [machine.stage.gate(channel, *pulse.values()) for channel in (1, 2, 3, 4)] == [True, True, False, False]
    machine.program = None
    assert machine.stage.gate(1, *pulse.values()) is False
    machine.program, machine.arming = PROGRAM, None
    assert machine.stage.gate(1, *pulse.values()) is False


# --- a session --------------------------------------------------------------------------------------------


def test_a_new_session_begins_from_nothing() -> None:
    bench = Bench()
    machine = bench.tested(3 * S)
    machine.impedances[1] = GOOD
    session = machine.open_session(1_500, 0b0001, 60 * S, 3 * S)
    assert session.digest_head == int.from_bytes(bytes(range(1, 9)), "little")
    assert (session.nonce, session.number, session.ceiling_ua) == (0, 1, 1_500)
    assert bench.stage.resets == 1
    assert machine.impedances == {}
    assert machine.timers.at_us(DeviceTimer.SESSION) == 3 * S + gate.SESSION_US
    assert machine.timers.at_us(DeviceTimer.SAVE) is None, "battery-backed memory needs no saving"


def test_a_flash_in_a_file_is_saved_each_second_of_a_session() -> None:
    assert SAVE_EVERY_US == S
    bench = Bench(to_file=True)
    machine = bench.tested(3 * S)
    machine.open_session(1_500, 0b0001, 60 * S, 3 * S)
    for due_us in (4 * S, 5 * S):
        assert machine.timers.at_us(DeviceTimer.SAVE) == due_us
        bench.flash.saved.clear()
        machine.advance(due_us)
        assert bench.flash.saved == [1]


def test_an_arm_in_the_wrong_state_changes_nothing() -> None:
    bench = Bench()
    machine = bench.armed()
    session = machine.session
    assert session is not None
    other = Arming(Purpose.STIMULATE, (3,), 0b0100, 500, nonce=8)
    with pytest.raises(IllegalCause):
        machine.arm(other, session, 9 * S, S)
    assert (machine.arming, session.nonce, machine.timers.at_us(DeviceTimer.ARM)) == (ARMING, 7, 60 * S)


def test_an_arm_that_lapses_takes_the_watchdog_with_it() -> None:
    """In TESTED nobody has to send keepalives, and a session that waits there is not ended for lack of them."""
    machine = Bench().armed(lapse_us=500_000)
    assert machine.timers.at_us(DeviceTimer.WATCHDOG) == gate.WATCHDOG_US
    machine.advance(600_000)
    assert machine.state is DeviceState.TESTED
    assert machine.timers.at_us(DeviceTimer.WATCHDOG) is None
    machine.alive(700_000)
    assert (machine.alive_us, machine.timers.at_us(DeviceTimer.WATCHDOG)) == (700_000, None)


@pytest.mark.parametrize(("limit_us", "fall_us"), [(60 * S, 55 * S), (5 * S, 0), (4 * S, 0)])
def test_the_fall_begins_in_time_for_its_end_or_at_once(limit_us: int, fall_us: int) -> None:
    machine = Bench().armed(2 * S)
    assert machine.session is not None
    machine.session.limit_us = limit_us
    machine.start(machine.session, PROGRAM, {1: 600, 2: 500}, 2 * S)
    assert machine.timers.at_us(DeviceTimer.STIMULATION) == 2 * S + limit_us
    assert machine.timers.at_us(DeviceTimer.FALL) == 2 * S + fall_us


def test_a_program_without_a_fall_has_no_timer_for_one() -> None:
    machine = Bench().started(program=OutputProgram(PROGRAM.segments, 0b0011, 200, 0))
    assert machine.timers.at_us(DeviceTimer.FALL) is None


@pytest.mark.parametrize("go", ["started", "checking"])
def test_zero_is_no_longer_sure_once_output_may_flow(go: str) -> None:
    bench = Bench()
    bench.machine.advance(S)
    assert bench.machine.zero.sure
    machine = getattr(bench, go)(S)
    assert not machine.zero.sure
    assert machine.timers.at_us(DeviceTimer.ZERO) is None


# --- the end ----------------------------------------------------------------------------------------------


def test_an_end_that_is_not_possible_touches_nothing() -> None:
    bench = Bench()
    for leave in (bench.machine.end, bench.machine.hold):
        with pytest.raises(IllegalCause):
            leave(EndReason.STOP, 5)
    assert bench.stage.disabled_us == [0]
    assert not bench.machine.holding


def test_an_end_without_a_session_is_an_end_too() -> None:
    machine = Bench().tested()
    machine.end(EndReason.HANDSHAKE, 5)
    assert machine.state is DeviceState.ENDED


def test_after_the_end_the_record_is_latched_and_only_zero_is_watched() -> None:
    bench = Bench(to_file=True)
    machine = bench.started()
    alive_until(machine, 3 * S)
    machine.end(EndReason.TIMER, 3 * S)
    assert bench.flash.collect is None
    assert machine.waiting is not None
    assert machine.waiting.end_reason == EndReason.TIMER
    assert [timer for timer in DeviceTimer if machine.timers.at_us(timer) is not None] == [DeviceTimer.ZERO]
    machine.acknowledge(4 * S)
    assert machine.state is DeviceState.IDLE
    assert (machine.waiting, machine.loading, machine.program, machine.arming) == (None,) * 4


def test_what_is_acknowledged_is_forgotten_in_flash_too() -> None:
    bench = Bench()
    machine = bench.armed()
    assert machine.waiting is None, "an open session is not a waiting one"
    machine.stop(1)
    assert machine.waiting is not None
    assert machine.waiting.end_reason == EndReason.STOP
    machine.acknowledge(2)
    assert bench.flash.saved[-2:] == [1, None]


@pytest.mark.parametrize("state", [DeviceState.IDLE, DeviceState.LOADED, DeviceState.ENDED])
def test_a_stop_turns_outputs_off_and_measures_in_any_state(state: DeviceState) -> None:
    bench = Bench()
    bench.machine.state = state
    bench.machine.zero.measured_ua = -1
    bench.machine.stop(5)
    assert bench.stage.disabled_us[-1] == 5
    assert bench.machine.zero.measured_ua >= 0


def test_an_end_out_of_a_hold_does_not_unlearn_zero() -> None:
    machine = Bench().started()
    alive_until(machine, 2 * S)
    machine.hold(EndReason.HELD_BY_HOST, 2 * S)
    assert not machine.zero.sure
    alive_until(machine, 3 * S)
    assert machine.zero.sure
    machine.end(EndReason.STOP, 3 * S)
    assert machine.zero.sure


# --- impedance checks -------------------------------------------------------------------------------------


def test_a_check_goes_from_channel_to_channel_and_ends_quietly() -> None:
    bench = Bench()
    machine = bench.checking(2 * S)
    bench.stage.disabled_us.clear()
    machine.advance(2 * S + 199_999)
    assert machine.state is DeviceState.CHECKING
    machine.advance(2 * S + 200_000)
    pulses = [(channel, number) for channel in (1, 2) for number in range(10)]
    assert bench.stage.checked == [(*pulse, 2 * S + 10_000 * place) for place, pulse in enumerate(pulses)]
    assert machine.state is DeviceState.TESTED
    assert bench.stage.disabled_us == [2 * S + 200_000]
    assert machine.timers.at_us(DeviceTimer.ZERO) is not None, "zero is watched again"
    assert machine.impedances == {1: GOOD, 2: GOOD}


def test_a_check_that_is_broken_off_sent_what_it_sent_and_no_more() -> None:
    bench = Bench()
    machine = bench.checking(2 * S)
    machine.advance(2 * S + 25_000)
    machine.end(EndReason.STOP, 2 * S + 25_000)
    machine.acknowledge(3 * S)
    bench.tested(4 * S)
    machine.end(EndReason.HANDSHAKE, 4 * S)
    assert bench.stage.checked == [(1, number, 2 * S + 10_000 * number) for number in range(3)]


def test_a_checks_pulse_is_given_when_it_is_due_and_not_when_the_channels_turn_is_over() -> None:
    bench = Bench()
    machine = bench.checking(2 * S)
    while machine.timers.next_us < 2 * S + 25_000:
        at_us = machine.timers.next_us
        before = len(bench.stage.checked)
        machine.advance(at_us)
        assert bench.stage.checked[before:] == [(1, before, 2 * S + before * 10_000)]
        assert at_us == 2 * S + before * 10_000 + 1
    assert len(bench.stage.checked) == 3


def test_the_next_channels_first_pulse_is_given_just_after_it_began() -> None:
    bench = Bench()
    machine = bench.checking(2 * S)
    machine.advance(2 * S + 100_000)
    assert (len(bench.stage.checked), machine.timers.next_us) == (10, 2 * S + 100_001)


def test_pulses_are_given_in_a_check_and_in_a_run_and_then_no_more() -> None:
    bench = Bench()
    machine = bench.checking(2 * S)
    assert machine.delivers
    machine.advance(2 * S + 200_000)
    assert not machine.delivers
    machine = Bench().started()
    assert machine.delivers
    machine.end(EndReason.STOP, S)
    assert not machine.delivers


def test_a_stop_at_the_instant_of_a_checks_pulse_leaves_it_out() -> None:
    bench = Bench()
    machine = bench.checking(2 * S)
    machine.advance(2 * S + 30_000)
    machine.stop(2 * S + 30_000)
    assert len(bench.stage.checked) == 3


@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_check_that_trips_ends_the_session_at_its_last_pulse_and_says_so_at_once(number: int) -> None:
    bench = Bench()
    found = ImpedanceResult(10, number + 1, 100, 2_300, 0, EndReason.OVER_CURRENT, 400, 2_345)
    bench.stage.found = {(1, number): found}
    machine = bench.checking(2 * S)
    ends_us = 2 * S + number * 10_000 + 400
    machine.advance(ends_us - 1)
    assert machine.state is DeviceState.CHECKING
    assert machine.timers.next_us == ends_us
    machine.advance(ends_us)
    assert bench.told[-1] == StateChange(
        ends_us, DeviceState.CHECKING, DeviceState.ENDED, EndReason.OVER_CURRENT, 1, 2_345
    )
    assert machine.impedances == {1: found}
    assert len(bench.stage.checked) == number + 1


def test_a_check_that_trips_on_another_channel_says_which() -> None:
    bench = Bench()
    bench.stage.found = {(1, 0): ImpedanceResult(10, 1, 100, 2_300, 0, EndReason.OVER_CURRENT, 400, 2_345, channel=2)}
    machine = bench.checking(2 * S)
    machine.advance(2 * S + 400)
    assert (bench.told[-1].reason, bench.told[-1].channel) == (EndReason.OVER_CURRENT, 2)


def test_a_check_that_the_gate_denies_ends_the_session_and_time_never_goes_back() -> None:
    bench = Bench()
    bench.stage.found = {(1, 0): ImpedanceResult(0, 0, 0, 0, 0, EndReason.GATE, value=100)}
    machine = bench.checking(2 * S)
    machine.advance(2 * S + 50_000)
    assert bench.told[-1] == StateChange(2 * S + 1, DeviceState.CHECKING, DeviceState.ENDED, EndReason.GATE, 1, 100)
    assert machine.now_us == 2 * S + 50_000
