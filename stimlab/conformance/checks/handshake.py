"""Hello, identity and what comes before them: section 5."""

from itertools import pairwise

from stimctl.wire.codec import (
    SHAPES,
    Hello,
    ReadIdentity,
    ReadSession,
    SessionRecord,
    Status,
    Stop,
    Stopped,
    Welcome,
)
from stimctl.wire.codes import PROTOCOL_VERSION, Capability, DeviceState, EndReason, Refusal
from stimlab.conformance.check import CheckSkipped, check
from stimlab.conformance.dut import Dut


@check("R-16", title="Hello is executed each time, at any sequence number")
def hello_at_any_number(bench: Dut) -> None:
    for sequence in (500, 500, 499, 40_000, 7, 65_535, 0):
        bench.get(Hello(PROTOCOL_VERSION), Welcome, sequence=sequence, by="R-16")
        welcome = bench.get(Hello(PROTOCOL_VERSION), Welcome, sequence=sequence, by="R-16")
        said = f"Hello at {sequence} was welcomed with version {welcome.version}"
        bench.require("R-16", welcome.version == PROTOCOL_VERSION, said)
        bench.get(ReadSession(), SessionRecord, sequence=(sequence + 1) % 65_536, by="R-16")
        bench.refused(ReadSession(), Refusal.STALE_SEQUENCE, sequence=(sequence - 1) % 65_536, by="R-16")
    bench.sequence = 1


@check("R-16", title="Hello forgets the kept answer")
def hello_forgets_answers(bench: Dut) -> None:
    bench.idle()
    bench.sequence = 100
    bench.hello()  # at 101
    before = bench.get(ReadSession(), SessionRecord, sequence=120)
    bench.listen(20_000)
    bench.hello()  # at 102
    after = bench.get(ReadSession(), SessionRecord, sequence=120, by="R-16")
    text = f"after a Hello a question was answered with what was kept from {before.device_time_us} us"
    bench.require("R-16", after.device_time_us > before.device_time_us, text)
    bench.sequence = 120


@check("R-17", title="another protocol version is refused, and opens nothing")
def other_versions_are_refused(bench: Dut) -> None:
    for version in (0, PROTOCOL_VERSION + 1, 0xFFFF):
        refused = bench.refused(Hello(version), Refusal.UNSUPPORTED_VERSION, by="R-17")
        said = (refused.detail, refused.limit)
        bench.require("R-17", said == (version, PROTOCOL_VERSION), f"it said {said} of version {version}")


@check("R-17", title="after power-on, a Hello of another version does not open a handshake", hands=("power",))
def other_versions_open_nothing(bench: Dut) -> None:
    bench.power_cycle()
    bench.refused(Hello(PROTOCOL_VERSION + 1), Refusal.UNSUPPORTED_VERSION, by="R-17")
    bench.refused(ReadIdentity(0), Refusal.NO_HANDSHAKE, by="R-17")


@check("R-18", title="Hello ends an open session, wherever it stands, and whatever version it asks for")
def hello_ends_a_session(bench: Dut) -> None:
    bench.expect(EndReason.HANDSHAKE)
    for version in (PROTOCOL_VERSION, PROTOCOL_VERSION + 1):
        for name in ("armed", "running", "held", "lapsed"):
            _session_in(bench, name)
            bench.ask(Hello(version))
            bench.nonce = None
            record = bench.get(ReadSession(), SessionRecord, by="R-28")
            said = f"Hello({version}) on a session that was {name} left it with {EndReason(record.end_reason).name}"
            bench.require("R-18", record.end_reason == EndReason.HANDSHAKE, said)
            bench.require("R-18", bench.state() == DeviceState.ENDED, f"{said}, in {bench.state().name}")
            bench.acknowledge()


def _session_in(bench: Dut, name: str) -> None:
    if name == "armed":
        bench.tested()
        bench.arm()
    elif name == "lapsed":
        bench.tested()
        bench.arm(time_to_live_ms=100)
        bench.reach(DeviceState.TESTED, 100_000, by="R-37")
    else:
        (bench.running if name == "running" else bench.held)()


@check("R-19", title="before a handshake it answers Hello and Stop, and refuses all else", hands=("power",))
def nothing_before_a_handshake(bench: Dut) -> None:
    bench.power_cycle()
    for shape in SHAPES.values():
        if shape.to_device and shape.cls not in (Hello, Stop):
            order = shape.cls._make([0] * len(shape.fields))
            order = order._replace(channel=1) if "channel" in shape.fields else order
            bench.refused(order, Refusal.NO_HANDSHAKE, by="R-19")
    bench.get(Stop(), Stopped, by="R-19", sequence=0)
    own = [each for each in bench.listen(1_000_000) if not each.is_answer]
    bench.require("R-19", not own, f"it sent {len(own)} frames on its own before a handshake")


@check("R-20", title="boots are counted and told alike in Welcome and in every Status")
def status_tells_the_boot(bench: Dut) -> None:
    boot_id = bench.hello().boot_id
    told = {each.message.boot_id for each in bench.listen(500_000) if isinstance(each.message, Status)}
    bench.require("R-20", told == {boot_id}, f"Welcome says boot {boot_id}, Status says {sorted(told)}")


@check("R-20", title="no boot has the number of another", hands=("power",))
def boots_are_counted(bench: Dut) -> None:
    boots = [bench.hello().boot_id]
    for _ in range(3):
        bench.power_cycle()
        boots.append(bench.hello().boot_id)
    ahead = all(later > earlier for earlier, later in pairwise(boots))
    bench.require("R-20", ahead, f"boots in a row had the numbers {boots}")


@check("R-21", title="a simulator says that it is one")
def a_simulator_says_so(bench: Dut) -> None:
    welcome = bench.hello()
    if not bench.port.url.startswith("sim:"):
        raise CheckSkipped("whether current can flow into anything real is not seen from the wire")
    bench.require("R-21", welcome.simulator == 1, "what answers at a sim:// port says that it is hardware")


@check("R-22", title="Welcome names the session that waits, and 0 when there is none")
def welcome_names_what_waits(bench: Dut) -> None:
    named = bench.hello().session
    bench.require("R-22", named == 0, f"Welcome names session {named}, and none waits")
    bench.ended()
    number = bench.get(ReadSession(), SessionRecord, by="R-28").session
    named = bench.hello().session
    bench.require("R-22", named == number, f"Welcome names session {named}, and {number} waits")
    bench.acknowledge()
    named = bench.hello().session
    bench.require("R-22", named == 0, f"Welcome names session {named}, and it was acknowledged")


@check(
    "R-23",
    title="measured amplitudes lie within the stated accuracy of those commanded, and a step of the converter",
    needs=Capability.MEASURES_CURRENT,
)
def measured_within_accuracy(bench: Dut) -> None:
    ranges = bench.identify().ranges
    worst_ua = worst_allowed_ua = 0
    for amplitude_ua in (bench.amplitude_ua // 2, bench.amplitude_ua):
        bench.tested()
        bench.arm()
        bench.start(amplitude_ua)
        bench.reach(DeviceState.RUNNING, 5_000_000, by="R-24")
        rows = [row for row in bench.channels(bench.listen(1_000_000)) if row.applied_ua == amplitude_ua]
        bench.require("R-23", bool(rows), f"no Channel told of the {amplitude_ua} uA that it was to reach")
        off_ua = max(abs(row.measured_ua - row.applied_ua) for row in rows)
        allowed_ua = ranges.readback_accuracy_ua + amplitude_ua * ranges.readback_accuracy_permille // 1000
        allowed_ua += -(-ranges.dac_step_na // 1000) + 1
        if off_ua - allowed_ua >= worst_ua - worst_allowed_ua:
            worst_ua, worst_allowed_ua = off_ua, allowed_ua
        bench.stop()
        bench.acknowledge()
    bench.measure("measured amplitude off the commanded one by", worst_ua, worst_allowed_ua, "uA", by="R-23")
