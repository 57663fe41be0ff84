"""The handshake: Hello, identity, and refusals before it: section 5."""

from itertools import pairwise

from stimctl.wire import codec as m
from stimctl.wire.codes import PROTOCOL_VERSION, Capability, DeviceState, EndReason, Refusal
from stimlab.conformance.check import check
from stimlab.conformance.dut import Dut
from stimlab.conformance.verdict import CheckSkipped


@check("R-16", title="Hello is executed each time, at any sequence number")
def hello_at_any_number(dut: Dut) -> None:
    for sequence in (500, 500, 499, 40_000, 7, 65_535, 0):
        dut.get(m.Hello(PROTOCOL_VERSION), m.Welcome, sequence=sequence, by="R-16")
        welcome = dut.get(m.Hello(PROTOCOL_VERSION), m.Welcome, sequence=sequence, by="R-16")
        said = f"Hello at {sequence} was welcomed with version {welcome.version}"
        dut.require("R-16", welcome.version == PROTOCOL_VERSION, said)
        dut.get(m.ReadSession(), m.SessionRecord, sequence=(sequence + 1) % 65_536, by="R-16")
        dut.refused(m.ReadSession(), Refusal.STALE_SEQUENCE, sequence=(sequence - 1) % 65_536, by="R-16")
    dut.sequence = 1


@check("R-16", title="Hello forgets the kept answer")
def hello_forgets_answers(dut: Dut) -> None:
    dut.idle()
    dut.sequence = 100
    dut.hello()  # at 101
    before = dut.get(m.ReadSession(), m.SessionRecord, sequence=120)
    dut.listen(20_000)
    dut.hello()  # at 102
    after = dut.get(m.ReadSession(), m.SessionRecord, sequence=120, by="R-16")
    text = f"after a Hello a question was answered with what was kept from {before.device_time_us} us"
    dut.require("R-16", after.device_time_us > before.device_time_us, text)
    dut.sequence = 120


@check("R-17", title="another protocol version is refused, and opens nothing")
def other_versions_are_refused(dut: Dut) -> None:
    for version in (0, PROTOCOL_VERSION + 1, 0xFFFF):
        refused = dut.refused(m.Hello(version), Refusal.UNSUPPORTED_VERSION, by="R-17")
        said = (refused.detail, refused.limit)
        dut.require("R-17", said == (version, PROTOCOL_VERSION), f"it said {said} of version {version}")


@check("R-17", title="after power-on, a Hello of another version does not open a handshake", fixture=("power",))
def other_versions_open_nothing(dut: Dut) -> None:
    dut.power_cycle()
    dut.refused(m.Hello(PROTOCOL_VERSION + 1), Refusal.UNSUPPORTED_VERSION, by="R-17")
    dut.refused(m.ReadIdentity(0), Refusal.NO_HANDSHAKE, by="R-17")


@check("R-18", title="Hello ends an open session, wherever it stands, and whatever version it asks for")
def hello_ends_a_session(dut: Dut) -> None:
    dut.expect(EndReason.HANDSHAKE)
    for version in (PROTOCOL_VERSION, PROTOCOL_VERSION + 1):
        for name in ("armed", "running", "held", "lapsed"):
            _session_in(dut, name)
            dut.ask(m.Hello(version))
            dut.nonce = None
            record = dut.get(m.ReadSession(), m.SessionRecord, by="R-28")
            said = f"Hello({version}) on a session that was {name} left it with {EndReason(record.end_reason).name}"
            dut.require("R-18", record.end_reason == EndReason.HANDSHAKE, said)
            dut.require("R-18", dut.state() == DeviceState.ENDED, f"{said}, in {dut.state().name}")
            dut.acknowledge()


def _session_in(dut: Dut, name: str) -> None:
    if name == "armed":
        dut.tested()
        dut.arm()
    elif name == "lapsed":
        dut.tested()
        dut.arm(time_to_live_ms=100)
        dut.reach(DeviceState.TESTED, 100_000, by="R-37")
    else:
        (dut.running if name == "running" else dut.on_hold)()


@check("R-19", title="before a handshake it answers Hello and Stop, and refuses all else", fixture=("power",))
def nothing_before_a_handshake(dut: Dut) -> None:
    dut.power_cycle()
    for shape in m.SHAPES.values():
        if shape.to_device and shape.cls not in (m.Hello, m.Stop):
            order = shape.cls._make([0] * len(shape.fields))
            order = order._replace(channel=1) if "channel" in shape.fields else order
            dut.refused(order, Refusal.NO_HANDSHAKE, by="R-19")
    dut.get(m.Stop(), m.Stopped, by="R-19", sequence=0)
    own = [each for each in dut.listen(1_000_000) if not each.is_answer]
    dut.require("R-19", not own, f"it sent {len(own)} frames on its own before a handshake")


@check("R-20", title="boots are counted and told alike in Welcome and in every Status")
def status_tells_the_boot(dut: Dut) -> None:
    boot_id = dut.hello().boot_id
    reported = {each.message.boot_id for each in dut.listen(500_000) if isinstance(each.message, m.Status)}
    dut.require("R-20", reported == {boot_id}, f"Welcome says boot {boot_id}, Status says {sorted(reported)}")


@check("R-20", title="no boot has the number of another", fixture=("power",))
def boots_are_counted(dut: Dut) -> None:
    boots = [dut.hello().boot_id]
    for _ in range(3):
        dut.power_cycle()
        boots.append(dut.hello().boot_id)
    ahead = all(later > earlier for earlier, later in pairwise(boots))
    dut.require("R-20", ahead, f"boots in a row had the numbers {boots}")


@check("R-21", title="a simulator says that it is one")
def a_simulator_says_so(dut: Dut) -> None:
    welcome = dut.hello()
    if not dut.port.url.startswith("sim:"):
        raise CheckSkipped("whether current can flow into anything real is not seen from the wire")
    dut.require("R-21", welcome.simulator == 1, "what answers at a sim:// port says that it is hardware")


@check("R-22", title="Welcome names the session that waits, and 0 when there is none")
def welcome_names_what_waits(dut: Dut) -> None:
    named = dut.hello().session
    dut.require("R-22", named == 0, f"Welcome names session {named}, and none waits")
    dut.ended()
    number = dut.get(m.ReadSession(), m.SessionRecord, by="R-28").session
    named = dut.hello().session
    dut.require("R-22", named == number, f"Welcome names session {named}, and {number} waits")
    dut.acknowledge()
    named = dut.hello().session
    dut.require("R-22", named == 0, f"Welcome names session {named}, and it was acknowledged")


@check(
    "R-23",
    title="measured amplitudes lie within the stated accuracy of those commanded, and a step of the converter",
    needs=Capability.MEASURES_CURRENT,
)
def measured_within_accuracy(dut: Dut) -> None:
    ranges = dut.identify().ranges
    worst_ua = worst_allowed_ua = 0
    for amplitude_ua in (dut.amplitude_ua // 2, dut.amplitude_ua):
        dut.tested()
        dut.arm()
        dut.start(amplitude_ua)
        dut.reach(DeviceState.RUNNING, 5_000_000, by="R-24")
        rows = [row for row in dut.channels(dut.listen(1_000_000)) if row.applied_ua == amplitude_ua]
        dut.require("R-23", bool(rows), f"no Channel told of the {amplitude_ua} uA that it was to reach")
        off_ua = max(abs(row.measured_ua - row.applied_ua) for row in rows)
        allowed_ua = ranges.readback_accuracy_ua + amplitude_ua * ranges.readback_accuracy_permille // 1000
        allowed_ua += -(-ranges.dac_step_na // 1000) + 1
        if off_ua - allowed_ua >= worst_ua - worst_allowed_ua:
            worst_ua, worst_allowed_ua = off_ua, allowed_ua
        dut.stop()
        dut.acknowledge()
    dut.measure("measured amplitude off the commanded one by", worst_ua, worst_allowed_ua, "uA", by="R-23")
