"""Self-test and arms: sections 8 and 9."""

from itertools import pairwise

from stimctl.wire import codec as m
from stimctl.wire.codes import Capability, DeviceState, EndReason, Purpose, Refusal
from stimlab.conformance.check import check
from stimlab.conformance.dut import CEILING_UA, LIMIT_US, Dut
from stimlab.conformance.programs import PLAIN

ZERO_UA = 20
_U32 = 1 << 32
MAX_CEILING_UA = 2_000
_LATE_US = 20_000  # what a device may add to a time of its own


@check("R-32", title="a self-test passes with the outputs disconnected: nothing flows, nothing is counted")
def self_test_drives_nothing(dut: Dut) -> None:
    dut.load()
    done = dut.get(m.SelfTest(), m.SelfTestDone, by="R-32")
    dut.measure("largest current in the self-test", done.zero_ua, ZERO_UA - 1, "uA", by="R-32")
    state = dut.state()
    expected = DeviceState.TESTED if done.failures == 0 else DeviceState.LOADED
    dut.require("R-32", state is expected, f"with failures {done.failures:#x} it stands in {state.name}")
    dut.require("R-32", done.failures == 0, f"the self-test found {done.failures:#x}")
    status = dut.status()
    dut.require("R-32", status.zero == 1, "after a self-test zero is not measured")


@check("R-33", title="a wrong digest is refused with WRONG_DIGEST")
def wrong_digests_are_refused(dut: Dut) -> None:
    dut.tested()
    head = PLAIN.digest_head
    for wrong in (head ^ 1, head ^ 1 << 63, 0, int.from_bytes(head.to_bytes(8, "big"), "little")):
        dut.refused(dut.arm_order(digest_head=wrong), Refusal.WRONG_DIGEST, by="R-33")
    dut.arm()


@check("R-33", title="what Arm asks for is held to its limits and to the program", needs=Capability.HOLDS_LIMITS)
def arms_within_limits(dut: Dut) -> None:
    dut.tested(PLAIN.on(0b0110))
    for fields, reason, named in (
        ({"channel_mask": 0}, Refusal.BELOW_LIMIT, (0, 1)),
        ({"channel_mask": 0b0111}, Refusal.NOT_IN_PROGRAM, (0b0111, None)),
        ({"channel_mask": 0b1000}, Refusal.NOT_IN_PROGRAM, (0b1000, None)),
        ({"channel_mask": 0b1111}, Refusal.TOO_MANY_CHANNELS, (4, 3)),
        ({"ceiling_ua": CEILING_UA - 1}, Refusal.BELOW_LIMIT, (CEILING_UA - 1, CEILING_UA)),
        ({"ceiling_ua": MAX_CEILING_UA + 1}, Refusal.ABOVE_LIMIT, (MAX_CEILING_UA + 1, MAX_CEILING_UA)),
        ({"stimulation_limit_us": 999_999}, Refusal.BELOW_LIMIT, (999_999, 1_000_000)),
        ({"stimulation_limit_us": 1_800_000_001}, Refusal.ABOVE_LIMIT, (1_800_000_001, 1_800_000_000)),
        ({"time_to_live_ms": 99}, Refusal.BELOW_LIMIT, (99, 100)),
        ({"time_to_live_ms": 10_001}, Refusal.ABOVE_LIMIT, (10_001, 10_000)),
    ):
        refused = dut.refused(dut.arm_order(**fields), reason, by="R-33")
        said = (refused.detail, refused.limit if named[1] is not None else None)
        dut.require("R-33", said == named, f"Arm with {fields} was refused with the values {said}, not {named}")
    dut.arm(channel_mask=0b0100, ceiling_ua=MAX_CEILING_UA, stimulation_limit_us=1_800_000_000)


@check("R-34", title="nonces are chance and the count of arms, and only the newest is valid")
def nonces_count_arms(dut: Dut) -> None:
    dut.tested()
    nonces = []
    for _ in range(4):
        nonces.append(dut.arm(time_to_live_ms=100).nonce)
        dut.reach(DeviceState.TESTED, 100_000, by="R-37")
    reported = f"nonces of arms in a row were {[hex(nonce) for nonce in nonces]}"
    # Two of four alike by chance: once in 700 million runs.
    dut.require("R-34", len({nonce >> 32 for nonce in nonces}) == len(nonces), f"{reported}: nothing drawn by chance")
    steps = {(_count(later) - _count(earlier)) % _U32 for earlier, later in pairwise(nonces)}
    dut.require("R-34", steps == {1}, reported)
    dut.arm()
    start = dut.start_order(0)
    for nonce in (nonces[-1], nonces[0], start.nonce + 1, start.nonce ^ 1 << 63, start.nonce ^ _U32, 0):
        dut.refused(start._replace(nonce=nonce), Refusal.WRONG_NONCE, by="R-34")
    dut.start(0)


@check("R-34", title="a session that is played again to the same device starts nothing")
def played_again_it_starts_nothing(dut: Dut) -> None:
    first = len(dut.traffic)
    dut.hello()  # from here on the old numbers are new ones
    dut.running()
    dut.listen(500_000)
    dut.stop_to_zero()
    dut.acknowledge()
    sent = [record.data for record in dut.traffic[first:] if record.sender == "host"]
    begun = len(dut.received)
    for data in sent:
        dut.send_raw(data)
        dut.listen(30_000)
    said = [each.message for each in dut.received[begun:] if each.is_answer]
    dut.require(
        "R-34", not any(isinstance(each, m.Started | m.Alive) for each in said), "old bytes were taken for a host's"
    )
    refused = any(isinstance(each, m.Refused) and each.reason == Refusal.WRONG_NONCE for each in said)
    dut.require("R-34", refused or not any(isinstance(each, m.Armed) for each in said), "an old Start was not refused")


@check("R-34", "R-35", title="no nonce and no session number comes again after a reset", fixture=("power",))
def numbers_go_on_over_boots(dut: Dut) -> None:
    arms = []
    for _ in range(3):
        dut.tested()
        arms.append(dut.arm())
        dut.stop()
        dut.acknowledge()
        dut.power_cycle()
        dut.hello()
    nonces = [armed.nonce for armed in arms]
    text = f"nonces of three boots in a row were {[hex(nonce) for nonce in nonces]}: arms are counted over all boots"
    steps = {(_count(later) - _count(earlier)) % _U32 for earlier, later in pairwise(nonces)}
    dut.require("R-34", steps == {1}, text)
    _require_one_up(dut, arms)


def _count(nonce: int) -> int:
    """The half of a nonce that counts arms."""
    return nonce % _U32


def _require_one_up(dut: Dut, arms: list[m.Armed]) -> None:
    numbers = [armed.session for armed in arms]
    counted = all(later == earlier + 1 for earlier, later in pairwise(numbers))
    dut.require("R-35", counted, f"sessions in a row had the numbers {numbers}")


@check("R-35", title="sessions are counted, and none is opened while another waits")
def sessions_are_counted(dut: Dut) -> None:
    arms = []
    for _ in range(3):
        dut.tested()
        arms.append(dut.arm())
        number = dut.get(m.ReadSession(), m.SessionRecord).session
        dut.require("R-35", number == arms[-1].session, f"armed in session {arms[-1].session}, {number} is open")
        dut.stop()
        refused = dut.refused(dut.arm_order(), Refusal.UNREAD_COUNTERS, by="R-35")
        dut.require("R-35", refused.detail == number, f"session {number} waits, the refusal names {refused.detail}")
        dut.acknowledge()
    _require_one_up(dut, arms)


@check("R-36", title="later arms belong to the same session, and may only narrow it")
def later_arms_only_narrow(dut: Dut) -> None:
    dut.tested(PLAIN.on(0b111))
    number = dut.arm(channel_mask=0b011, ceiling_ua=600, time_to_live_ms=100).session
    dut.reach(DeviceState.TESTED, 100_000, by="R-37")
    _require_no_wider(dut)
    _require_same_session(dut, dut.arm(channel_mask=0b001, ceiling_ua=CEILING_UA), number)
    dut.start(0)
    dut.hold()
    _require_no_wider(dut)
    _require_same_session(dut, dut.arm(channel_mask=0b011, ceiling_ua=600), number)
    record = dut.get(m.ReadSession(), m.SessionRecord)
    stands = (record.session, record.ceiling_ua, record.channel_mask)
    dut.require("R-36", stands == (number, 600, 0b011), f"session, ceiling and channels stand at {stands}")


def _require_no_wider(dut: Dut) -> None:
    """What goes over the session's 600 uA, channels 1 and 2, or changes its limit."""
    within = {"channel_mask": 0b011, "ceiling_ua": 600}
    for fields, reason in (
        ({"channel_mask": 0b111}, Refusal.NOT_IN_PROGRAM),
        ({"ceiling_ua": 601}, Refusal.ABOVE_LIMIT),
        ({"stimulation_limit_us": LIMIT_US + 1}, Refusal.ABOVE_LIMIT),
        ({"stimulation_limit_us": LIMIT_US - 1}, Refusal.BELOW_LIMIT),
    ):
        dut.refused(dut.arm_order(**{**within, **fields}), reason, by="R-36")


def _require_same_session(dut: Dut, armed: m.Armed, number: int) -> None:
    dut.require("R-36", armed.session == number, f"armed again, session {number} became {armed.session}")


@check("R-37", title="an arm that is not started in time lapses to where it was armed, and its nonce is dead")
def arms_lapse(dut: Dut) -> None:
    dut.tested()
    for time_to_live_ms in (100, 1_500):
        _lapse(dut, time_to_live_ms, DeviceState.TESTED)
    dut.arm()
    dut.start(0)
    dut.hold()
    _lapse(dut, 300, DeviceState.HELD)
    record = dut.get(m.ReadSession(), m.SessionRecord)
    dut.require("R-37", record.end_reason == EndReason.NONE, "a lapse ended the session")
    pulses = dut.get(m.ReadCounters(1), m.Counters).pulses_0
    dut.require("R-37", pulses == 0, f"{pulses} pulses were given by arms that lapsed")


def _lapse(dut: Dut, time_to_live_ms: int, back: DeviceState) -> None:
    made_us = dut.arm(time_to_live_ms=time_to_live_ms).device_time_us
    armed_us, start = dut.now_us, dut.start_order(dut.amplitude_ua)
    early_us = time_to_live_ms * 1000 - 2 * _LATE_US
    received = dut.events(dut.listen(early_us))
    lapsed = [event for event in received if event.state == back and event.device_time_us > made_us]
    dut.require("R-37", not lapsed, f"an arm for {time_to_live_ms} ms lapsed before its time")
    dut.reach(back, time_to_live_ms * 1000, by="R-37")
    limit_us = time_to_live_ms * 1000 + _LATE_US + dut.slack_us
    name = f"an arm for {time_to_live_ms} ms lapsed to {back.name} after"
    dut.measure(name, dut.now_us - armed_us, limit_us, "us", by="R-37")
    dut.refused(start, Refusal.WRONG_STATE, by="R-37")
    if back is DeviceState.TESTED:
        dut.arm(Purpose.STIMULATE)
        dut.refused(start, Refusal.WRONG_NONCE, by="R-37")
        dut.reach(back, 2_000_000, by="R-37")
