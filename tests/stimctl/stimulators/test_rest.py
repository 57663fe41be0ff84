"""What a board holds before and after a session: nothing that it, an input or another program could give."""

from typing import Any

import pytest

from firmware_sim.analog.recorder import FlowKind
from firmware_sim.factory import DeviceSpec
from firmware_sim.pulsepal.params import ZERO_CODE
from firmware_sim.stimjim.dialect_b import StimJimFirmwareB
from stimctl.errors import EchoMismatch, NotSent
from stimctl.port import Port
from stimctl.session.commands import AskHold, AskTarget
from stimctl.session.states import End
from stimctl.stimulators.base import SessionCounts
from stimctl.stimulators.discovery import DeviceChoice, handshake
from stimctl.stimulators.lease.adapter import LeaseAdapter
from stimctl.stimulators.pulsepal.adapter import PulsePalAdapter
from stimctl.stimulators.pulsepal.gate import READ_BACK
from stimctl.stimulators.pulsepal.isolator import Isolator
from stimctl.stimulators.stimjim.dialects import DIALECTS
from stimctl.stimulators.stimjim.dialects import StimJimAdapterB as AdapterB
from stimctl.stimulators.stimjim.rest import steps_of
from tests.stimctl.session.world import Line, prescription
from tests.stimctl.stimulators.bench import Bench, S, port_of
from tests.stimctl.stimulators.contract import stop
from tests.stimctl.stimulators.test_intruders import NAMES, PULSEPAL, STIMJIM
from tests.stimctl.stimulators.test_report_lines import dropped


def adapter_of(choice: DeviceChoice) -> LeaseAdapter:
    """An adapter that nothing has happened to yet."""
    return LeaseAdapter(PulsePalAdapter(Isolator(1_000)) if choice.dialect is None else DIALECTS[choice.dialect]())


GROUNDED = [3, 3]
TRAIN = b"S%d,1,1,10000,3000000;2000,0,200;-2000,0,200\n"


def what_it_gives(device: Any, now_us: int) -> int:
    """Pulses when everything that could set it going does: each start, each edge."""
    before = device.board.analog_outputs[0]._recorder.pulses(1)
    for index in range(4):
        device.receive(b"T%d\nU%d\n" % (index, index), now_us)
    for line in (0, 1):
        device.ttl(line, True, now_us + 1_000)
    device.advance(now_us + 10 * S)
    device.flush()
    return int(device.board.analog_outputs[0]._recorder.pulses(1) - before)


@pytest.mark.parametrize("ends", ["timer", "stop", "stop in a hold"])
@pytest.mark.parametrize(("which", "choice"), STIMJIM, ids=NAMES)
def test_a_stimjim_is_left_with_nothing_to_give(which: DeviceSpec, choice: DeviceChoice, ends: str) -> None:
    ways: dict[str, list[tuple[float, Any]]] = {
        "timer": [], "stop": [(9.0, stop)], "stop in a hold": [(8.0, AskHold()), (9.0, stop)],
    }  # fmt: skip
    bench = Bench(which, choice)
    report = bench.run(*ways[ends])
    device: Any = bench.device
    assert report.end is (End.TIMER if ends == "timer" else End.OPERATOR)
    assert [slot.modes for slot in device.slots[:4]] == [GROUNDED] * 4
    assert not list(bench.log.of("alarm"))
    assert what_it_gives(device, bench.port.now_us()) == 0


@pytest.mark.parametrize(("which", "choice"), STIMJIM, ids=NAMES)
def test_what_a_crash_or_another_program_left_is_gone_before_anything_is_armed(
    which: DeviceSpec, choice: DeviceChoice
) -> None:
    device: Any = which.make(seed=1, load="r1k")
    device.receive(b"".join(TRAIN % index for index in range(4)) + b"R0,1\nR1,2\nT1\n", 0)
    port = port_of(device)
    handshake(port, adapter_of(choice))
    assert [slot.modes for slot in device.slots[:4]] == [GROUNDED] * 4
    device.ttl(0, True, port.now_us())
    assert not any(engine.active for engine in device.engines)


@pytest.mark.parametrize(("which", "choice"), PULSEPAL, ids=["21", "22"])
def test_a_pulsepal_is_left_at_rest(which: DeviceSpec, choice: DeviceChoice) -> None:
    bench = Bench(which, choice)
    bench.run((9.0, stop))
    device: Any = bench.device
    for channel in device.params.channels:
        assert (channel.volt1, channel.volt2, channel.rest) == (ZERO_CODE,) * 3
        assert (channel.link1, channel.link2, channel.loop) == (0, 0, 0)


class TakesHalf(Line):
    """From 9.0007 s on the first write goes in part, and nothing behind it for longer than a PulsePal waits."""

    def __init__(self, port: Port, some: int) -> None:
        super().__init__(port)
        self._some: int | None = some

    def write(self, data: bytes) -> None:
        if 9_000_700 <= self.now_us() < 9_450_000:
            some, self._some = min(self._some or 0, len(data) - 1), None
            self.inner.write(data[:some])
            raise NotSent("the port takes no more", some)
        self.inner.write(data)


@pytest.mark.parametrize("some", [1, 19, 50, 150])
def test_a_pulsepal_22_drives_nothing_by_half_of_what_puts_it_at_rest(some: int) -> None:
    """The stop has programmed it to rest: it is only asked whether it is, which sets nothing on its way."""
    bench = Bench(*PULSEPAL[1], prescription(profile="bench-100hz"), line=lambda port: TakesHalf(port, some))
    bench.run((9.0, stop))
    assert any(entry["event"] == "deaf" for entry in bench.journal)
    assert not [flow for channel in range(1, 5) for flow in bench.recorder.flows(channel, FlowKind.HELD)]


@pytest.mark.parametrize("held", [ZERO_CODE, ZERO_CODE + 1])
def test_a_pulsepal_22_is_programmed_to_rest_where_it_holds_something_else(held: int) -> None:
    which, choice = PULSEPAL[1]
    device: Any = which.make(seed=1, load="r1k")
    port, adapter = port_of(device), adapter_of(choice)
    handshake(port, adapter)
    device.params.channels[2].volt1 = held
    sent = b""
    adapter.read_records([1], port.now_us())
    for _ in range(10):
        output = adapter.take_output()
        sent += output
        port.write(output)
        adapter.wrote(port.now_us())
        told = adapter.receive(port.wait(port.now_us() + 1_000), port.now_us())
        if any(isinstance(event, SessionCounts) for event in told):
            break
    assert any(isinstance(event, SessionCounts) for event in told)
    assert device.params.channels[2].volt1 == ZERO_CODE
    assert (sent == READ_BACK) is (held == ZERO_CODE)


@pytest.mark.parametrize(("which", "choice"), STIMJIM, ids=NAMES)
def test_a_board_that_does_not_say_that_it_is_at_rest_is_an_alarm(which: DeviceSpec, choice: DeviceChoice) -> None:
    """What it says after the stop of the session is lost, from the first grounded slot on."""
    bench = Bench(which, choice, line=lambda port: dropped(port, after_us=9 * S, what=rb"S?(?:PulseTrain\[|S)0\b.*"))
    report = bench.run((9.0, stop))
    assert report.end is End.OPERATOR
    assert any("may still hold a program" in alarm.action for alarm in report.alarms)
    assert report.delivered is not None


# --- dialect B keeps more than slots --------------------------------------------------------------------

STORED = b"ENV1,1000000,1000000\nMEAS1,0,0,0,1,1\nMEAS2,1,1,0,0,2\nENV0,5,5\n" + b"TRIG0,1,1,-1,0\nTRIG1,2,1,2,1\n"


def with_settings(**options: Any) -> StimJimFirmwareB:
    device = StimJimFirmwareB(seed=1, load="r1k", **options)
    device.receive(b"".join(TRAIN % index for index in range(4)) + STORED, 0)
    return device


def test_b_settings_are_cleared_before_the_first_lease() -> None:
    device = with_settings()
    handshake(port_of(device), LeaseAdapter(AdapterB()))
    assert [slot.envelope for slot in device.slots[:4]] == [[0, 0, 0]] * 4
    assert [slot.measurement for slot in device.slots[:4]] == [[3, 3, 0, -1, 0]] * 4
    assert device.routes == [[0, -1, -1, 0]] * 2


def test_b_settings_from_its_eeprom_are_cleared_too() -> None:
    eeprom: dict[str, Any] = {}
    with_settings(eeprom=eeprom).receive(b"P\n", 1)
    again = StimJimFirmwareB(seed=1, load="r1k", eeprom=eeprom)
    assert again.routes[0] == [1, 1, -1, 0]
    handshake(port_of(again), LeaseAdapter(AdapterB()))
    assert again.routes == [[0, -1, -1, 0]] * 2
    assert again.slots[1].envelope == [0, 0, 0]


@pytest.mark.parametrize("word", ["ENV", "MEAS", "TRIG"])
def test_b_a_setting_that_cannot_be_cleared_refuses_the_board(word: str) -> None:
    class Stubborn(StimJimFirmwareB):
        def obey(self, line: str) -> None:
            super().obey(line if not line.startswith(word) or "?" in line else f"{word}?")

    with pytest.raises(EchoMismatch, match="not put at rest"):
        handshake(port_of(Stubborn(seed=1, load="r1k")), LeaseAdapter(AdapterB()))


def test_each_step_of_b_but_one_has_an_answer_to_compare() -> None:
    unasked = [step.line for step in steps_of("b") if step.told is None]
    assert all(line.startswith(b"MEAS") for line in unasked)
    assert all(step.told is not None for letter in "ac" for step in steps_of(letter))


# --- stops -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("which", "choice"), [*STIMJIM, *PULSEPAL], ids=[*map(str, NAMES), "21", "22"])
def test_a_stop_in_mid_phase_gives_nothing_more_and_logs_what_is_open(which: DeviceSpec, choice: DeviceChoice) -> None:
    bench = Bench(which, choice, prescription(seconds=60, amplitudes_ma={1: 1.0}, profile="bench-100hz"))

    report = bench.run((10.00517, stop))
    (last,) = bench.log.of("lease")[-1:]
    net_pc = abs(bench.recorder.net_fc(1)) // 1_000
    assert report.zero_confirmed_us is not None
    assert bench.last_us() <= bench.stopping_us() + 3_000
    if which.dialect == "a":
        assert last["open_charge_pc"] == 0
    else:
        assert last["open_charge_pc"] in (200_000, 0)
        assert net_pc <= last["open_charge_pc"] + bench.recorder.charge_fc(1) // 50_000


@pytest.mark.parametrize("at_s", [8.0, 8.0001, 8.0002, 8.0003, 8.0005, 8.003])
@pytest.mark.parametrize("dialect", "bc")
def test_a_cut_is_open_by_one_phase_at_most(dialect: str, at_s: float) -> None:
    which, choice = DeviceSpec("stimjim", dialect=dialect), DeviceChoice("stimjim", dialect=dialect)
    bench = Bench(which, choice, prescription(seconds=60, amplitudes_ma={1: 1.0}, profile="bench-100hz"))
    bench.run((at_s, stop))
    (last,) = bench.log.of("lease")[-1:]
    if last["evidence"] == "estimated":
        assert last["open_charge_pc"] == 200_000
    assert abs(bench.recorder.net_fc(1)) // 1_000 <= 200_000 * 1.02
    identity = bench.engine._context.device.identity
    assert identity is not None
    assert identity.stops_mid_pulse


@pytest.mark.parametrize("dialect", "bc")
def test_a_lowering_never_splits_a_pulse(dialect: str) -> None:
    """At 24 moments of the period of 10 ms and of its phases."""
    which, choice = DeviceSpec("stimjim", dialect=dialect), DeviceChoice("stimjim", dialect=dialect)
    bench = Bench(which, choice, prescription(seconds=60, profile="bench-100hz"))
    lowered = [(12 + n * 0.7 + n * n * 0.000_023, AskTarget(1, 1_950 - 50 * n)) for n in range(24)]
    report = bench.run(*lowered)
    assert report.end is End.TIMER
    cut = [
        body for body in bench.log.of("lease") if body["evidence"] == "estimated" or body["pulses"] < body["ordered"]
    ]
    assert len(cut) >= 20
    assert all(body["open_charge_pc"] == 0 for body in cut)
    assert all(flow.shape.net_fc == 0 for flow in bench.recorder.flows(1))


def test_the_capability_says_which_boards_cut_a_pulse() -> None:
    found = {}
    for which, choice in [*STIMJIM, *PULSEPAL]:
        identity = handshake(port_of(which.make(seed=1, load="r1k")), adapter_of(choice)).identity
        found[which.dialect or which.firmware] = identity.stops_mid_pulse
    assert found == {"a": False, "b": True, "c": True, "21": True, "22": True}


# --- between two pulses ----------------------------------------------------------------------------------


def test_c_what_flows_between_the_pulses_is_measured_told_and_ends_the_session() -> None:
    which, choice = DeviceSpec("stimjim", dialect="c", faults="dac_offset"), DeviceChoice("stimjim", dialect="c")
    bench = Bench(which, choice, prescription(seconds=60, amplitudes_ma={1: 1.0}))
    report = bench.run()
    assert report.end is End.NET_CHARGE
    assert report.measured is not None
    flowed_pc = sum(bench.recorder.net_fc(1, kind) for kind in FlowKind) // 1_000
    assert 0.85 * flowed_pc <= report.measured["1"]["net_charge_pc"] <= 1.1 * flowed_pc
    assert flowed_pc <= 30_000_000, "6 uA are noticed within 5 s"
    assert any(rest[1] == 6 for body in bench.log.of("lease") for rest in body["between_pulses_ua"])


def test_c_without_an_offset_ends_by_its_timer() -> None:
    bench = Bench(DeviceSpec("stimjim", dialect="c"), DeviceChoice("stimjim", dialect="c"), prescription(seconds=120))
    assert bench.run().end is End.TIMER
