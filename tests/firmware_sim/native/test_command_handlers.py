"""What the answers rest on: the order in which a command is looked at, and what goes on from one arm to the next."""

from dataclasses import replace
from typing import Any

import pytest

from stimctl.wire import codec as wire
from stimctl.wire.codes import DeviceState as S
from stimctl.wire.codes import EndReason, Refusal, SelfTestFailure

SECOND_US = 1_000_000

# --- the order of refusals ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("order", "reason"),
    [
        (wire.Arm(9, 1, 2_000, SECOND_US, 100, 0), Refusal.UNKNOWN_VALUE),  # a code goes before the handshake
        (wire.ReadIdentity(9), Refusal.NO_HANDSHAKE),  # pages and channels are fields: they are looked at last
        (wire.ReadCounters(9), Refusal.NO_HANDSHAKE),
    ],
)
def test_codes_go_before_the_handshake_and_fields_after_it(host: Any, order: Any, reason: Refusal) -> None:
    assert host.ask(order).reason == reason


def flip_a_bit(host: Any) -> None:
    """The memory that holds the program turns a bit over."""
    host.machine.program = replace(host.machine.program, ramp_down_us=16)


def test_a_changed_program_is_refused_after_the_state_and_before_anything_else(host: Any) -> None:
    changed = wire.Refused(0x07, Refusal.SELF_TEST_FAILED, SelfTestFailure.MEMORY, 0)
    host.to(S.LOADED)
    flip_a_bit(host)
    assert host.arm(digest_head=1).reason == Refusal.WRONG_STATE
    host.to(S.TESTED)
    flip_a_bit(host)
    assert host.arm(digest_head=1, channel_mask=0b1111) == changed
    host.to(S.ARMED)
    flip_a_bit(host)
    assert host.ask(wire.Start(0, 9_999, 0, 0, 0)) == changed._replace(command=0x08)
    assert host.state is S.ARMED


def test_a_program_that_changes_while_it_runs_ends_the_session(host: Any) -> None:
    host.to(S.RUNNING)
    flip_a_bit(host)
    host.wait(300_000)
    assert host.told(wire.Event)[-1].reason == EndReason.GATE


def test_an_index_out_of_turn_names_the_one_that_is_due(host: Any) -> None:
    host.to(S.IDLE)
    host.ask(wire.LoadProgram(2, 0b0011, 200, 0))
    segment = wire.LoadSegment(0, 10_000, 200, 0, 200, 3_000_000)
    assert host.ask(segment._replace(index=2)) == wire.Refused(0x04, Refusal.ABOVE_LIMIT, 2, 1)
    assert host.ask(segment._replace(index=1)) == wire.Refused(0x04, Refusal.ABOVE_LIMIT, 1, 0)
    host.ask(segment)
    assert host.ask(segment) == wire.Refused(0x04, Refusal.BELOW_LIMIT, 0, 1)
    assert host.ask(wire.ReadDigest()) == wire.Refused(0x05, Refusal.BELOW_LIMIT, 1, 2)


# --- what goes on over starts, lapses and sessions -----------------------------------------------------------


def test_a_start_is_no_raise(host: Any) -> None:
    host.to(S.ARMED)
    host.start(500, 500)
    assert isinstance(host.ask(wire.SetTarget(host.armed.nonce, 1, 600)), wire.TargetSet)


def test_the_second_between_raises_goes_on_over_sessions(host: Any) -> None:
    host.to(S.RUNNING)
    assert isinstance(host.ask(wire.SetTarget(host.armed.nonce, 1, 700)), wire.TargetSet)
    host.ask(wire.Stop())
    host.ask(wire.Acknowledge(host.armed.session))
    host.now_us += 400_000
    host.to(S.ARMED)
    host.start(600, 500)
    soon = wire.Refused(0x0A, Refusal.RAISE_TOO_SOON, 400_000, 1_000_000)
    assert host.ask(wire.SetTarget(host.armed.nonce, 1, 700)) == soon
    assert isinstance(host.ask(wire.SetTarget(host.armed.nonce, 2, 600)), wire.TargetSet), "each channel has its own"


def test_the_nonce_of_a_lapsed_arm_starts_nothing_and_keeps_alive(host: Any) -> None:
    host.to(S.HELD)
    host.arm(time_to_live_ms=100)
    nonce = host.armed.nonce
    host.wait(200_000)
    assert host.state is S.HELD
    assert host.ask(wire.Start(nonce, 500, 0, 0, 0)).reason == Refusal.WRONG_STATE
    host.wait(5 * SECOND_US)
    assert host.state is S.HELD, "its keepalives count"
    host.wait(SECOND_US + 1, alive=False)
    assert host.machine.waiting.end_reason == EndReason.WATCHDOG
