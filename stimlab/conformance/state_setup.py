"""Brings a device into every state, and lists the commands that the state table allows there: section 6."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

from stimctl.wire import codec as m
from stimctl.wire.codes import DeviceState, Purpose
from stimlab.conformance.dut import Dut
from stimlab.conformance.programs import PLAIN, WireProgram

S = DeviceState
SLOW = replace(PLAIN, header=PLAIN.header._replace(ramp_slope_ua_per_s=100))  # 2 s of RAMPING to 200 uA
FALLING = replace(PLAIN, header=PLAIN.header._replace(ramp_down_us=2_500_000))
FALLING_LIMIT_US = 3_000_000


class StateSetup(NamedTuple):
    """How to come into a state from IDLE or anything without a session, and what is allowed there."""

    name: str
    state: DeviceState
    go: Callable[[Dut], object]
    allowed: frozenset[type[Any]]
    session_open: bool = False
    output: bool = False


def _loading(dut: Dut) -> None:
    dut.loaded = PLAIN
    dut.get(PLAIN.header, m.ProgramOpen, by="R-29")


def _armed(dut: Dut) -> None:
    dut.tested()
    dut.arm(time_to_live_ms=10_000)


def _lapsed(dut: Dut) -> None:
    dut.tested()
    dut.arm(time_to_live_ms=100)
    dut.reach(S.TESTED, 100_000, by="R-37")


def _checking(dut: Dut) -> None:
    dut.tested(PLAIN.on(0b111))
    dut.arm(Purpose.CHECK_IMPEDANCE)
    dut.start()


def _falling(dut: Dut) -> None:
    dut.ramping(FALLING, stimulation_limit_us=FALLING_LIMIT_US)
    dut.reach(S.RAMPING_DOWN, FALLING_LIMIT_US - FALLING.header.ramp_down_us, by="R-24")


_STIMULATING = frozenset({m.SetTarget, m.Hold, m.KeepAlive})
STATE_SETUPS = (
    StateSetup("IDLE", S.IDLE, Dut.idle, frozenset({m.LoadProgram, m.Acknowledge})),
    StateSetup("LOADING", S.LOADING, _loading, frozenset({m.LoadProgram, m.LoadSegment, m.ReadDigest})),
    StateSetup("LOADED", S.LOADED, Dut.load, frozenset({m.LoadProgram, m.ReadDigest, m.SelfTest})),
    StateSetup("TESTED", S.TESTED, Dut.tested, frozenset({m.LoadProgram, m.ReadDigest, m.SelfTest, m.Arm})),
    StateSetup("ARMED", S.ARMED, _armed, frozenset({m.Start, m.KeepAlive}), session_open=True),
    StateSetup(
        "TESTED after a lapse", S.TESTED, _lapsed, frozenset({m.ReadDigest, m.Arm, m.KeepAlive}), session_open=True
    ),
    StateSetup("CHECKING", S.CHECKING, _checking, frozenset({m.KeepAlive}), session_open=True, output=True),
    StateSetup("RAMPING", S.RAMPING, lambda dut: dut.ramping(SLOW), _STIMULATING, session_open=True, output=True),
    StateSetup("RUNNING", S.RUNNING, Dut.running, _STIMULATING, session_open=True, output=True),
    StateSetup("RAMPING_DOWN", S.RAMPING_DOWN, _falling, _STIMULATING, session_open=True, output=True),
    StateSetup("HELD", S.HELD, Dut.on_hold, frozenset({m.Arm, m.KeepAlive}), session_open=True),
    StateSetup("ENDED", S.ENDED, Dut.ended, frozenset({m.Acknowledge})),
)


def orders(dut: Dut, program: WireProgram | None = None) -> tuple[Any, ...]:
    """Every command that may change something, each with fields that are right for the present state."""
    nonce = dut.armed.nonce if dut.armed is not None else 0
    program = program or dut.loaded
    return (
        program.header,
        program.segments[0],
        m.ReadDigest(),
        m.SelfTest(),
        dut.arm_order(),
        m.Start(nonce, 0, 0, 0, 0),
        m.KeepAlive(nonce),
        m.SetTarget(nonce, 1, 0),
        m.Hold(),
        m.Acknowledge(dut.armed.session if dut.armed is not None else 0),
    )
