"""The state table, row by row and hole by hole: section 6."""

from stimctl.wire.codec import (
    Acknowledge,
    Acknowledged,
    Arm,
    LoadProgram,
    LoadSegment,
    ProgramDigest,
    ProgramOpen,
    ReadDigest,
    ReadSession,
    SegmentLoaded,
    SelfTest,
    SelfTestDone,
    SessionRecord,
    Status,
)
from stimctl.wire.codes import Capability, DeviceState, EndReason, Purpose, Refusal
from stimlab.conformance.check import check
from stimlab.conformance.checks.numbering import QUESTIONS
from stimlab.conformance.dut import Dut
from stimlab.conformance.state_setup import FALLING, WAYS, S, StateSetup, orders

_FOR_NOBODY_WAITING = (LoadProgram, LoadSegment, SelfTest, Arm)
_LIMIT_US = 5_000_000  # with the fall of 2.5 s, room for two rises of 0.7 s
_ZERO_AFTER_US = 150_000


def _leave(bench: Dut) -> None:
    """No session any more."""
    bench.stop()
    bench.settle()


@check("R-24", title="what the table has no row for is refused with WRONG_STATE, and changes nothing")
def no_row_no_way(bench: Dut) -> None:
    for way in WAYS:
        way.go(bench)
        bench.nonce = None
        for order in orders(bench):
            if type(order) not in way.allowed:
                waiting = way.state is S.ENDED and type(order) in _FOR_NOBODY_WAITING
                reason = Refusal.UNREAD_COUNTERS if waiting else Refusal.WRONG_STATE
                refused = bench.refused(order, reason, by="R-24")
                stands = waiting or refused.detail == way.state
                said = f"{type(order).__name__} in {way.name} was refused by a device in state {refused.detail}"
                bench.require("R-24", stands, said)
        _leave(bench)


@check("R-24", title="what the table has a row for is done")
def every_row_is_there(bench: Dut) -> None:
    bench.load()
    bench.get(ReadDigest(), ProgramDigest, by="R-24")
    bench.get(SelfTest(), SelfTestDone, by="R-24")
    bench.get(ReadDigest(), ProgramDigest, by="R-24")
    bench.get(SelfTest(), SelfTestDone, by="R-24")
    bench.load()
    bench.get(bench.loaded.header, ProgramOpen, by="R-24")
    bench.get(bench.loaded.header, ProgramOpen, by="R-24")
    bench.get(bench.loaded.segments[0], SegmentLoaded, by="R-24")
    bench.require("R-24", bench.state() == S.LOADING, f"with a segment given it stands in {bench.state().name}")


@check(
    "R-24",
    "R-66",
    title="a session goes through the states in the order of the table",
    needs=Capability.RAMPS | Capability.SESSION_TIMER | Capability.MEASURES_IMPEDANCE,
)
def through_all_states(bench: Dut) -> None:
    bench.expect(EndReason.TIMER)
    bench.idle()
    first = len(bench.heard)
    bench.tested(FALLING)
    _lapse_check_and_start(bench, S.TESTED)
    bench.reach(S.RUNNING, 5_000_000, by="R-24")
    bench.hold()
    _lapse_check_and_start(bench, S.HELD)
    bench.reach(S.ENDED, _LIMIT_US, by="R-24")
    bench.nonce = None
    bench.acknowledge()
    bench.listen(10_000)
    went = [DeviceState(event.state).name for event in bench.events(bench.heard[first:])]
    begun = ["LOADING", "LOADED", "TESTED", "ARMED", "TESTED", "ARMED", "CHECKING", "TESTED", "ARMED", "RAMPING"]
    again = ["RUNNING", "HELD", "ARMED", "HELD", "ARMED", "CHECKING", "HELD", "ARMED", "RAMPING", "RUNNING"]
    table = [*begun, *again, "RAMPING_DOWN", "ENDED", "IDLE"]
    bench.require("R-24", went == table, f"it went {' '.join(went)}, and the table goes {' '.join(table)}")


def _lapse_check_and_start(bench: Dut, back: DeviceState) -> None:
    bench.arm(time_to_live_ms=100, stimulation_limit_us=_LIMIT_US)
    bench.reach(back, 100_000, by="R-37")
    bench.arm(Purpose.CHECK_IMPEDANCE, stimulation_limit_us=_LIMIT_US)
    bench.start()
    bench.reach(back, 100_000, by="R-24")
    stands = bench.state()
    bench.require("R-24", stands is back, f"after a check it stands in {stands.name}, not in {back.name}")
    bench.arm(stimulation_limit_us=_LIMIT_US)
    bench.start()


@check("R-25", title="where no output is possible, zero is measured")
def zero_where_no_output_is(bench: Dut) -> None:
    for way in WAYS:
        way.go(bench)
        if not way.output:
            _require_zero(bench, way)
        _leave(bench)


def _require_zero(bench: Dut, way: StateSetup) -> None:
    bench.listen(_ZERO_AFTER_US)
    status = bench.status()
    if status.state == way.state:
        bench.require("R-25", status.zero == 1, f"in {way.name} zero is not measured")


@check("R-25", title="a hold leaves the output disabled for as long as it lasts")
def zero_throughout_a_hold(bench: Dut) -> None:
    bench.held()
    bench.listen(_ZERO_AFTER_US)
    told = [each.message.zero for each in bench.listen(2_000_000) if isinstance(each.message, Status)]
    bench.require("R-25", set(told) == {1}, f"in a hold zero was measured in {sum(told)} of {len(told)} Status")


@check("R-26", title="it boots in IDLE with nothing loaded, and never goes on by itself", hands=("power",))
def it_boots_idle(bench: Dut) -> None:
    bench.running()
    bench.expect(EndReason.RESET)
    bench.power_cycle()
    state = DeviceState(bench.hello().state)
    bench.require("R-26", state is S.IDLE, f"it boots in {state.name}")
    bench.refused(ReadDigest(), Refusal.WRONG_STATE, by="R-26")
    bench.listen(_ZERO_AFTER_US)
    for each in bench.listen(2_000_000):
        if isinstance(each.message, Status):
            stands = DeviceState(each.message.state)
            bench.require("R-26", stands is S.IDLE, f"after a boot it went to {stands.name} by itself")
            bench.require("R-26", each.message.zero == 1, "after a boot zero is not measured")


@check("R-27", title="a session is open from its first arm to its end, and ENDED is latched until it is acknowledged")
def ended_is_latched(bench: Dut) -> None:
    bench.tested()
    record = bench.get(ReadSession(), SessionRecord)
    bench.require("R-27", record.session == 0, f"before any arm there is a session, {record.session}")
    number = bench.arm(time_to_live_ms=100).session
    _require_open(bench, number, "armed")
    bench.reach(S.TESTED, 100_000, by="R-37")
    _require_open(bench, number, "lapsed")
    bench.stop()
    bench.listen(3_000_000)
    for what in ("three seconds", "a Hello", "a wrong Acknowledge"):
        state = bench.state()
        bench.require("R-27", state is S.ENDED, f"{what} after its end, the session stands in {state.name}")
        if what == "three seconds":
            bench.hello()
        bench.refused(Acknowledge(number + 1), Refusal.WRONG_SESSION, by="R-70")
    done = bench.get(Acknowledge(number), Acknowledged, by="R-27")
    bench.require("R-27", done.state == S.IDLE, f"after Acknowledge it stands in {DeviceState(done.state).name}")


def _require_open(bench: Dut, number: int, what: str) -> None:
    record = bench.get(ReadSession(), SessionRecord)
    is_open = record.session == number and record.end_reason == EndReason.NONE
    bench.require("R-27", is_open, f"{what}, the session is {record.session}, {EndReason(record.end_reason).name}")


@check("R-27", "R-69", title="after a reset the session still waits", hands=("power",))
def it_waits_after_a_reset(bench: Dut) -> None:
    bench.ended()
    number = bench.get(ReadSession(), SessionRecord).session
    bench.power_cycle()
    named = bench.hello().session
    bench.require("R-27", named == number, f"after a reset session {named} waits, not {number}")
    bench.get(Acknowledge(number), Acknowledged, by="R-27")


@check("R-28", title="questions are answered in every state")
def questions_in_every_state(bench: Dut) -> None:
    for way in WAYS:
        way.go(bench)
        for order, kind in QUESTIONS:
            bench.get(order, kind, by="R-28")
        _leave(bench)
