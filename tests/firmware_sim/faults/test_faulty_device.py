"""A hostile device as a whole: alone as good as the bare one, the same by the same seed, several faults at once."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_sim.analog.load import Load, ScriptedLoad, load_named
from firmware_sim.analog.recorder import FlowKind, Recorder
from firmware_sim.faults import CATALOGUE, Fault, FaultyDevice
from firmware_sim.faults.clock import WarpedClock
from firmware_sim.faults.model import WordOption
from firmware_sim.native.device import Device
from firmware_sim.native.nonces import by_seed, nonce
from stimctl.wire import codec as wire
from stimctl.wire.codes import PROTOCOL_VERSION, EndReason
from stimctl.wire.codes import DeviceState as S
from stimctl.wire.framing import FrameSplitter

SECOND_US = 1_000_000
FAR_US = 900 * SECOND_US
NEVER = [Fault(kind, at_us=FAR_US) for kind in CATALOGUE]
MakeHost = Callable[..., Any]


class Blind:
    """A host that sends a whole session's frames at their times, whatever comes back."""

    def __init__(self, device: Any, boot_us: int = 0, *, seed: int = 1) -> None:
        self.device = device
        self.nonce = nonce(by_seed(seed), 1)
        self.boot_us = boot_us
        self.heard: list[tuple[int, bytes]] = []

    def script(self) -> list[tuple[int, bytes]]:
        """What it sends, and when."""
        probe = Device()
        for number, order in enumerate(self._opening(0)[:4], 1):
            probe.receive(wire.encode(number, order), 0)
        head = int.from_bytes(probe.machine.digest[:8], "little")
        orders: list[tuple[int, Any]] = [(0, order) for order in self._opening(head)]
        orders += [(at_us, wire.KeepAlive(self.nonce)) for at_us in range(250_000, 6 * SECOND_US, 250_000)]
        orders += [(6 * SECOND_US, wire.Stop()), (7 * SECOND_US, wire.ReadCounters(1))]
        return [(at_us, wire.encode(number, order)) for number, (at_us, order) in enumerate(orders, 1)]

    def _opening(self, head: int) -> list[Any]:
        return [
            wire.Hello(PROTOCOL_VERSION), wire.LoadProgram(1, 0b0011, 300, 0),
            wire.LoadSegment(0, 10_000, 200, 0, 200, 0),
            wire.ReadDigest(), wire.SelfTest(), wire.Arm(0, 0b0011, 2_000, 60 * SECOND_US, 5_000, head),
            wire.Start(self.nonce, 600, 500, 0, 0),
        ]  # fmt: skip

    def run(self, *, jumps: bool = False) -> "Blind":
        """Send it all. Between two orders time goes by events, or in one jump."""
        for at_us, frame in [*self.script(), (8 * SECOND_US, b"")]:
            while not jumps and (next_us := self.device.next_event_us() - self.boot_us) <= at_us:
                self.device.advance(self.boot_us + next_us)
                self._hear(next_us)
            self.device.receive(frame, self.boot_us + at_us)
            self._hear(at_us)
        return self

    def _hear(self, at_us: int) -> None:
        if data := self.device.take_output():
            self.heard.append((at_us, data))

    @property
    def said(self) -> bytes:
        """Everything that came."""
        return b"".join(data for _, data in self.heard)


class World:
    """A hostile device with its record and journal."""

    def __init__(self, *faults: Fault, seed: int = 1, load: Load | str = "nominal", boot_us: int = 0) -> None:
        self.recorder = Recorder()
        self.journal: list[Mapping[str, Any]] = []
        self.device = FaultyDevice(
            faults, seed=seed, load=load, recorder=self.recorder, journal=self.journal.append, boot_us=boot_us
        )
        self.host = Blind(self.device, boot_us, seed=seed)

    def outcome(self) -> Any:
        """All that can be seen of it."""
        flows = [self.recorder.flows(channel, kind) for channel in (1, 2, 3, 4) for kind in FlowKind]
        return self.host.heard, flows, self.journal, self.device.fired, self.device.fired_us


# --- no fault, and faults to come -----------------------------------------------------------------------


@pytest.mark.parametrize("load", ["nominal", "drift", "intermittent", "dry", "bridged"])
@pytest.mark.parametrize("boot_us", [0, 123_456_789])
def test_without_faults_it_is_the_bare_device_to_the_byte(load: str, boot_us: int) -> None:
    recorder = Recorder()
    bare = Blind(Device(seed=3, load=load, recorder=recorder, boot_us=boot_us), boot_us, seed=3).run()
    for faults in ([], NEVER):
        world = World(*faults, seed=3, load=load, boot_us=boot_us)
        assert world.host.run().heard == bare.heard
        assert [world.recorder.flows(channel) for channel in (1, 2)] == [recorder.flows(channel) for channel in (1, 2)]


def test_the_load_may_be_one_that_somebody_changes() -> None:
    load = ScriptedLoad(load_named("nominal"), [(4 * SECOND_US, load_named("short"))])
    world = World(*NEVER, load=load)
    world.host.run()
    assert world.device.device.machine.waiting.end_reason == EndReason.SHORT  # type: ignore[union-attr]


def test_it_is_quick_while_nothing_acts() -> None:
    """Looking whether something is due costs less than the device's own work does."""
    calls = 0

    class Counted(FaultyDevice):
        def _turn(self, now_us: int) -> None:
            nonlocal calls
            calls += 1
            super()._turn(now_us)

    device = Counted(NEVER, seed=1, load="nominal")
    Blind(device).run()
    assert calls == 0
    assert device._transmitter.plain
    assert device._line.from_device.plain


# --- seeds and slices -----------------------------------------------------------------------------------

TIMES_US = st.integers(0, 7 * SECOND_US)


@st.composite
def some_fault(draw: st.DrawFn) -> Fault:
    """Any fault of line, device or load, with any options."""
    kind = CATALOGUE[draw(st.sampled_from([name for name in CATALOGUE if not name.startswith("host.")]))]
    options: dict[str, int | str] = {}
    for name, option in kind.options.items():
        if draw(st.booleans()):
            any_of: st.SearchStrategy[int | str] = (
                st.sampled_from(option.choices)
                if isinstance(option, WordOption)
                else st.integers(option.low, option.high)
            )
            options[name] = draw(any_of)
    after = draw(st.sampled_from([None, "RAMPING", "RUNNING", "ENDED", "IDLE"]))
    return Fault(
        kind.name,
        at_us=draw(TIMES_US),
        for_us=draw(st.none() | st.integers(1, 3 * SECOND_US)) if kind.lasts else None,
        after=after,
        channel=draw(st.none() | st.integers(1, 4)) if kind.channels else None,
        options=options,
    )


@settings(max_examples=25)
@given(st.lists(some_fault(), min_size=1, max_size=5), st.integers(0, 99))
def test_the_same_seed_makes_the_same_world(faults: list[Fault], seed: int) -> None:
    one, other = World(*faults, seed=seed), World(*faults, seed=seed)
    one.host.run()
    other.host.run()
    assert one.outcome() == other.outcome()


@settings(max_examples=25)
@given(st.lists(some_fault(), min_size=1, max_size=4))
def test_time_may_pass_in_one_jump(faults: list[Fault]) -> None:
    by_events, by_jumps = World(*faults), World(*faults)
    by_events.host.run()
    by_jumps.host.run(jumps=True)
    assert by_jumps.host.said == by_events.host.said
    assert by_jumps.outcome()[1:] == by_events.outcome()[1:]


@settings(max_examples=40)
@given(st.lists(some_fault(), max_size=4))
def test_it_always_gets_on(faults: list[Fault]) -> None:
    """What happens next is always ahead: no port waits for ever at one instant."""
    world = World(*faults)
    now_us = 0
    world.device.receive(wire.encode(1, wire.Hello(PROTOCOL_VERSION)), 0)
    for _ in range(200):
        next_us = world.device.next_event_us()
        assert next_us > now_us
        now_us = min(next_us, now_us + SECOND_US)
        world.device.advance(now_us)
        world.device.take_output()


MAKES_FRAMES = ("line.duplicate", "device.wrong_echo", "device.wrong_version")


@settings(max_examples=25)
@given(st.lists(some_fault().filter(lambda fault: fault.kind.startswith("line.")), min_size=1, max_size=5))
def test_a_line_makes_no_frame_of_nothing(faults: list[Fault]) -> None:
    world = World(*[fault for fault in faults if fault.kind not in MAKES_FRAMES])
    said: list[bytes] = []
    take = world.device.device.take_output
    world.device.device.take_output = lambda: said.append(data := take()) or data  # type: ignore[method-assign, func-returns-value]
    heard = FrameSplitter().feed(world.host.run().said)
    known = FrameSplitter().feed(b"".join(said))
    for payload in heard:
        known.remove(payload)


def test_another_seed_is_another_world() -> None:
    fault = Fault("line.loss", options={"permille": 300})
    worlds = [World(fault, seed=seed) for seed in (1, 2)]
    assert worlds[0].host.run().said != worlds[1].host.run().said


# --- several at once ------------------------------------------------------------------------------------


def test_faults_of_line_device_and_load_act_together(hostile_host: MakeHost) -> None:
    host = hostile_host(
        Fault("line.split", options={"direction": "to_device"}),
        Fault("device.slow_answers", at_us=SECOND_US, for_us=SECOND_US),
        Fault("load.dry", channel=2),
        Fault("device.dac_gain", after="RUNNING", channel=1, options={"gain_permille": 950}),
        Fault("device.dac_gain", after="RUNNING", channel=1, options={"gain_permille": 900}),
        Fault("load.open", after="RUNNING", at_us=20 * SECOND_US),
    )
    Blind(host.device).run()
    fired = host.device.fired
    assert all(fired[index] for index in range(5))
    assert fired[5] == 0
    assert host.recorder.flows(1)[-1].shape.first_na == 600_000 * 950 // 1_000 * 900 // 1_000


def test_of_two_of_one_part_the_second_outlives_the_first(hostile_host: MakeHost) -> None:
    host = hostile_host(
        Fault("device.dac_gain", at_us=SECOND_US, for_us=3 * SECOND_US, options={"gain_permille": 900}),
        Fault("device.dac_gain", at_us=2 * SECOND_US, for_us=3 * SECOND_US, options={"gain_permille": 1_050}),
    ).to(S.RUNNING)
    made = {flow.shape.first_na for flow in host.recorder.flows(1) if flow.last_us > 3 * SECOND_US + 10_000}
    assert made == {567_000, 630_000, 600_000}


def test_a_fault_that_waits_for_a_state_waits_for_the_first_time(hostile_host: MakeHost) -> None:
    host = hostile_host(
        Fault("device.dac_gain", after="ARMED", at_us=500_000, for_us=1_000),
        Fault("device.silent_telemetry", after="HELD"),
        Fault("load.dry", after="IDLE"),
    ).to(S.HELD)
    host.arm()
    host.wait(SECOND_US)
    assert host.device.fired_us == {0: 500_000, 1: 10 * SECOND_US, 2: 0}
    assert host.device.fired[0] == 1


def test_a_reset_keeps_what_is_wrong_with_the_parts(hostile_host: MakeHost) -> None:
    host = hostile_host(
        Fault("device.dac_gain", options={"gain_permille": 900}),
        Fault("device.watchdog_dead"),
        Fault("device.reset", at_us=1_000),
    )
    host.pass_time(SECOND_US)
    assert host.ask(wire.Hello(PROTOCOL_VERSION)).boot_id == 2
    host.ask(wire.LoadProgram(1, 1, 200, 0))
    host.ask(wire.LoadSegment(0, 10_000, 200, 0, 200, 0))
    host.ask(wire.ReadDigest())
    assert host.ask(wire.SelfTest()).failures, "its converter is still wrong"


def test_the_record_goes_on_over_a_reset_in_the_worlds_time(hostile_host: MakeHost) -> None:
    host = hostile_host(Fault("device.reset", after="RUNNING", at_us=7_600_000)).to(S.RUNNING)
    host.wait(500_000)
    host.pass_time(SECOND_US)
    began_us = host.now_us
    host.armed = None
    host.ask(wire.Hello(PROTOCOL_VERSION))
    host.ask(wire.Acknowledge(1))
    host.load()
    host.arm()
    host.start()
    host.wait(SECOND_US)
    starts = [flow.first_us for flow in host.recorder.flows(1)]
    assert starts == sorted(starts)
    assert starts[-1] > began_us
    assert not [at_us for at_us in starts if host.device.fired_us[0] < at_us < began_us]


def test_what_unplugging_does(hostile_host: MakeHost) -> None:
    host = hostile_host(Fault("line.unplug", after="RUNNING", at_us=7_600_000, for_us=2 * SECOND_US)).to(S.RUNNING)
    host.wait(500_000)
    assert not host.device.gone
    host.pass_time(500_000)
    assert host.device.gone
    heard = len(host.heard)
    host.say(wire.Stop())
    host.pass_time(1_000_000)
    assert len(host.heard) == heard
    assert host.machine.waiting.end_reason == EndReason.WATCHDOG, "nothing that was said reached it"
    host.pass_time(1_000_000)
    assert not host.device.gone
    assert host.ask(wire.ReadSession()).end_reason == EndReason.WATCHDOG


# --- its clock ------------------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.integers(1, 10**7), st.sampled_from([0, 800_000, 999_999, 10**6, 1_200_000])), max_size=5))
def test_two_clocks_agree_on_when_something_is(pieces: list[tuple[int, int]]) -> None:
    clock, now_us = WarpedClock(1_000), 1_000
    for for_us, rate in pieces:
        now_us += for_us
        before_us = clock.to_device(now_us)
        assert clock.was(before_us) <= now_us
        clock.set_rate(now_us, rate)
        assert clock.to_device(now_us) == before_us
    if clock.rate:
        for ahead_us in (1, 7, 999, 123_457):
            device_us = clock.to_device(now_us) + ahead_us
            world_us = clock.to_world(device_us)
            assert clock.to_device(world_us - 1) < device_us <= clock.to_device(world_us)
            assert clock.was(device_us) == world_us


@pytest.mark.parametrize("output", ["held", "pulses"])
def test_a_reset_ends_a_standstill(hostile_host: MakeHost, output: str) -> None:
    host = hostile_host(
        Fault("device.clock_freeze", after="RUNNING", at_us=7_600_000, options={"output": output}),
        Fault("device.reset", after="RUNNING", at_us=9_600_000),
    ).to(S.RUNNING)
    host.wait(500_000)
    host.pass_time(3 * SECOND_US)
    assert host.ask(wire.Hello(PROTOCOL_VERSION)).boot_id == 2
    assert host.recorder.end_us() <= host.device.fired_us[1] + 1_000
    assert host.ask(wire.ReadSession()).end_reason == EndReason.RESET
