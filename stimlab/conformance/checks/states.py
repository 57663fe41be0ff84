"""The state table, row by row, and the transitions that it does not have: section 6."""

from stimctl.wire import codec as m
from stimctl.wire.codes import Capability, DeviceState, EndReason, Purpose, Refusal
from stimlab.conformance.check import check
from stimlab.conformance.checks.numbering import QUESTIONS
from stimlab.conformance.dut import Dut
from stimlab.conformance.state_setup import FALLING, STATE_SETUPS, S, StateSetup, orders

_FOR_NOBODY_WAITING = (m.LoadProgram, m.LoadSegment, m.SelfTest, m.Arm)
_LIMIT_US = 5_000_000  # with the fall of 2.5 s, room for two rises of 0.7 s
_ZERO_AFTER_US = 150_000


def _leave(dut: Dut) -> None:
    """End the session and acknowledge it, if there is one."""
    dut.stop()
    dut.settle()


@check("R-24", title="what the table has no row for is refused with WRONG_STATE, and changes nothing")
def no_row_no_way(dut: Dut) -> None:
    for setup in STATE_SETUPS:
        setup.go(dut)
        dut.nonce = None
        for order in orders(dut):
            if type(order) not in setup.allowed:
                waiting = setup.state is S.ENDED and type(order) in _FOR_NOBODY_WAITING
                reason = Refusal.UNREAD_COUNTERS if waiting else Refusal.WRONG_STATE
                refused = dut.refused(order, reason, by="R-24")
                stands = waiting or refused.detail == setup.state
                said = f"{type(order).__name__} in {setup.name} was refused by a device in state {refused.detail}"
                dut.require("R-24", stands, said)
        _leave(dut)


@check("R-24", title="what the table has a row for is done")
def every_row_is_there(dut: Dut) -> None:
    dut.load()
    dut.get(m.ReadDigest(), m.ProgramDigest, by="R-24")
    dut.get(m.SelfTest(), m.SelfTestDone, by="R-24")
    dut.get(m.ReadDigest(), m.ProgramDigest, by="R-24")
    dut.get(m.SelfTest(), m.SelfTestDone, by="R-24")
    dut.load()
    dut.get(dut.loaded.header, m.ProgramOpen, by="R-24")
    dut.get(dut.loaded.header, m.ProgramOpen, by="R-24")
    dut.get(dut.loaded.segments[0], m.SegmentLoaded, by="R-24")
    dut.require("R-24", dut.state() == S.LOADING, f"with a segment given it stands in {dut.state().name}")


@check(
    "R-24",
    "R-66",
    title="a session goes through the states in the order of the table",
    needs=Capability.RAMPS | Capability.SESSION_TIMER | Capability.MEASURES_IMPEDANCE,
)
def through_all_states(dut: Dut) -> None:
    dut.expect(EndReason.TIMER)
    dut.idle()
    first = len(dut.received)
    dut.tested(FALLING)
    _lapse_check_and_start(dut, S.TESTED)
    dut.reach(S.RUNNING, 5_000_000, by="R-24")
    dut.hold()
    _lapse_check_and_start(dut, S.HELD)
    dut.reach(S.ENDED, _LIMIT_US, by="R-24")
    dut.nonce = None
    dut.acknowledge()
    dut.listen(10_000)
    went = [DeviceState(event.state).name for event in dut.events(dut.received[first:])]
    begun = ["LOADING", "LOADED", "TESTED", "ARMED", "TESTED", "ARMED", "CHECKING", "TESTED", "ARMED", "RAMPING"]
    again = ["RUNNING", "HELD", "ARMED", "HELD", "ARMED", "CHECKING", "HELD", "ARMED", "RAMPING", "RUNNING"]
    table = [*begun, *again, "RAMPING_DOWN", "ENDED", "IDLE"]
    dut.require("R-24", went == table, f"it went {' '.join(went)}, and the table goes {' '.join(table)}")


def _lapse_check_and_start(dut: Dut, back: DeviceState) -> None:
    dut.arm(time_to_live_ms=100, stimulation_limit_us=_LIMIT_US)
    dut.reach(back, 100_000, by="R-37")
    dut.arm(Purpose.CHECK_IMPEDANCE, stimulation_limit_us=_LIMIT_US)
    dut.start()
    dut.reach(back, 100_000, by="R-24")
    stands = dut.state()
    dut.require("R-24", stands is back, f"after a check it stands in {stands.name}, not in {back.name}")
    dut.arm(stimulation_limit_us=_LIMIT_US)
    dut.start()


@check("R-25", title="where no output is possible, zero is measured")
def zero_where_no_output_is(dut: Dut) -> None:
    for setup in STATE_SETUPS:
        setup.go(dut)
        if not setup.output:
            _require_zero(dut, setup)
        _leave(dut)


def _require_zero(dut: Dut, setup: StateSetup) -> None:
    dut.listen(_ZERO_AFTER_US)
    status = dut.status()
    if status.state == setup.state:
        dut.require("R-25", status.zero == 1, f"in {setup.name} zero is not measured")


@check("R-25", title="a hold leaves the output disabled for as long as it lasts")
def zero_throughout_a_hold(dut: Dut) -> None:
    dut.on_hold()
    dut.listen(_ZERO_AFTER_US)
    reported = [each.message.zero for each in dut.listen(2_000_000) if isinstance(each.message, m.Status)]
    dut.require(
        "R-25", set(reported) == {1}, f"in a hold zero was measured in {sum(reported)} of {len(reported)} Status"
    )


@check("R-26", title="it boots in IDLE with nothing loaded, and never goes on by itself", fixture=("power",))
def it_boots_idle(dut: Dut) -> None:
    dut.running()
    dut.expect(EndReason.RESET)
    dut.power_cycle()
    state = DeviceState(dut.hello().state)
    dut.require("R-26", state is S.IDLE, f"it boots in {state.name}")
    dut.refused(m.ReadDigest(), Refusal.WRONG_STATE, by="R-26")
    dut.listen(_ZERO_AFTER_US)
    for each in dut.listen(2_000_000):
        if isinstance(each.message, m.Status):
            stands = DeviceState(each.message.state)
            dut.require("R-26", stands is S.IDLE, f"after a boot it went to {stands.name} by itself")
            dut.require("R-26", each.message.zero == 1, "after a boot zero is not measured")


@check("R-27", title="a session is open from its first arm to its end, and ENDED is latched until it is acknowledged")
def ended_is_latched(dut: Dut) -> None:
    dut.tested()
    record = dut.get(m.ReadSession(), m.SessionRecord)
    dut.require("R-27", record.session == 0, f"before any arm there is a session, {record.session}")
    number = dut.arm(time_to_live_ms=100).session
    _require_open(dut, number, "armed")
    dut.reach(S.TESTED, 100_000, by="R-37")
    _require_open(dut, number, "lapsed")
    dut.stop()
    dut.listen(3_000_000)
    for what in ("three seconds", "a Hello", "a wrong Acknowledge"):
        state = dut.state()
        dut.require("R-27", state is S.ENDED, f"{what} after its end, the session stands in {state.name}")
        if what == "three seconds":
            dut.hello()
        dut.refused(m.Acknowledge(number + 1), Refusal.WRONG_SESSION, by="R-70")
    done = dut.get(m.Acknowledge(number), m.Acknowledged, by="R-27")
    dut.require("R-27", done.state == S.IDLE, f"after Acknowledge it stands in {DeviceState(done.state).name}")


def _require_open(dut: Dut, number: int, what: str) -> None:
    record = dut.get(m.ReadSession(), m.SessionRecord)
    is_open = record.session == number and record.end_reason == EndReason.NONE
    dut.require("R-27", is_open, f"{what}, the session is {record.session}, {EndReason(record.end_reason).name}")


@check("R-27", "R-69", title="after a reset the session still waits", fixture=("power",))
def it_waits_after_a_reset(dut: Dut) -> None:
    dut.ended()
    number = dut.get(m.ReadSession(), m.SessionRecord).session
    dut.power_cycle()
    named = dut.hello().session
    dut.require("R-27", named == number, f"after a reset session {named} waits, not {number}")
    dut.get(m.Acknowledge(number), m.Acknowledged, by="R-27")


@check("R-28", title="questions are answered in every state")
def questions_in_every_state(dut: Dut) -> None:
    for setup in STATE_SETUPS:
        setup.go(dut)
        for order, kind in QUESTIONS:
            dut.get(order, kind, by="R-28")
        _leave(dut)
