"""The simulated firmware and the model, command by command: any order, right or wrong, at any microsecond."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import assume, reject
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from firmware_sim.analog.recorder import Recorder
from firmware_sim.native.device import Device
from stimctl.dose import CommandedDose
from stimctl.errors import Unsafe
from stimctl.waveform import Program, Segment
from stimctl.wire import codec as m
from stimctl.wire.codes import PROTOCOL_VERSION, Purpose, Refusal
from stimctl.wire.framing import FrameSplitter
from tests.agree.model import OUTPUT, Session
from tests.agree.running import runs
from tests.agree.same import NUMBERS, dose, same, same_device, same_load

S = 1_000_000
ALIVE_US = 250_000
_CEILINGS = st.sampled_from([2_000, 1_500, 500])


@st.composite
def segments(draw: st.DrawFn, dwell_us: int) -> Segment:
    """A segment's figures, within the limits of section 14."""
    width_us = draw(st.sampled_from([100, 200, 300, 600]))
    return Segment(
        period_us=draw(st.sampled_from([10_000, 10_001, 33_333, 100_000, 500_000, 1_000_000])),
        width_us=width_us,
        interphase_gap_us=draw(st.sampled_from([0, 50, 100])),
        second_width_us=min(1_200, draw(st.sampled_from([width_us, width_us * 2, width_us * 4, width_us + 25]))),
        dwell_us=dwell_us,
    )


@st.composite
def programs(draw: st.DrawFn) -> Program:
    """A program that the limits allow, of one segment or of two."""
    dwells = draw(st.sampled_from([(0,), (0,), (500_000, 700_001), (3 * S, 1_250_000)]))
    try:
        return Program(
            segments=tuple(draw(segments(dwell_us)) for dwell_us in dwells),
            channels=draw(st.sampled_from([(1,), (2, 4), (1, 2, 3)])),
            ramp_slope_ua_per_s=draw(st.sampled_from([100, 200, 333, 380])),
            ramp_down_us=draw(st.sampled_from([0, 1, 500_000, 3 * S, 30 * S])),
            stimulation_us=draw(st.sampled_from([S, 3 * S, 20 * S, 20 * S + 1])),
        )
    except Unsafe:
        reject()


class Commands(RuleBasedStateMachine):
    """One device over its sessions. Each command's answer, and after each step all that can be seen, is as modelled."""

    def __init__(self) -> None:
        super().__init__()
        self.recorder = Recorder()
        self.device = Device(seed=1, recorder=self.recorder)
        self.machine = self.device.machine
        self.splitter = FrameSplitter()
        self.now_us = self.sequence = 0

    # --- a program and a session ------------------------------------------------------------------

    @initialize(program=programs())
    def power_on(self, program: Program) -> None:
        """A handshake, a program, a self-test: where the model begins."""
        self.program = program
        self.ask(m.Hello(PROTOCOL_VERSION))
        self.prepare()

    def prepare(self) -> None:
        program = self.program
        mask = sum(1 << (channel - 1) for channel in program.channels)
        slope, ramp_down_us = program.ramp_slope_ua_per_s, program.ramp_down_us
        self.ask(m.LoadProgram(len(program.segments), mask, slope, ramp_down_us))
        parts = [
            (s.period_us, s.width_us, s.interphase_gap_us, s.second_width_us, s.dwell_us) for s in program.segments
        ]
        for index, part in enumerate(parts):
            answer = self.ask(m.LoadSegment(index, *part))
            assume(type(answer) is m.SegmentLoaded)
        self.head = int.from_bytes(self.ask(m.ReadDigest()).sha256[:8], "little")
        self.ask(m.SelfTest())
        before = getattr(self, "model", None)
        self.model = Session(parts, slope, ramp_down_us, self.machine.draw, self.now_us)
        if before is not None:  # arms and raises are not a session's
            self.model.arms = before.arms
            for number in NUMBERS:
                self.model.channels[number].raised = before.channels[number].raised
        self.commanded = CommandedDose(program)
        self.mask, self.ceiling_ua = mask, 0

    # --- commands ---------------------------------------------------------------------------------

    def ask(self, order: Any) -> Any:
        """The device's answer to one command."""
        self.sequence += 1
        self.device.receive(m.encode(self.sequence, order), self.now_us)
        return self.answer()

    def answer(self) -> Any:
        answers = [m.parse(payload)[1] for payload in self.splitter.feed(self.device.take_output())]
        answers = [each for each in answers if type(each) not in (m.Status, m.Channel, m.Event)]
        return answers[-1] if answers else None

    def say(self, order: Any) -> Any:
        """A command to both: they must take it or refuse it alike."""
        self.advance()
        refused = self.model.hear(type(order).__name__, order._asdict(), self.now_us)
        answer = self.ask(order)
        told = Refusal(answer.reason).name if type(answer) is m.Refused else ""
        same(f"the answer to {order}", model=refused, device=told)
        return answer

    def advance(self) -> None:
        self.device.advance(self.now_us)
        self.answer()
        self.model.advance(self.now_us)

    @rule(
        purpose=st.sampled_from([Purpose.STIMULATE, Purpose.STIMULATE, Purpose.CHECK_IMPEDANCE]),
        subset=st.booleans(), ceiling_ua=_CEILINGS, ttl_ms=st.sampled_from([5_000, 100, 101, 999, 10_000]),
    )  # fmt: skip
    def arm(self, purpose: Purpose, subset: bool, ceiling_ua: int, ttl_ms: int) -> None:
        """For some of the channels, or all; in an open session for no more, and under no higher ceiling."""
        mask = self.mask & -self.mask if subset else self.mask
        if self.model.open:
            ceiling_ua = min(ceiling_ua, self.ceiling_ua)
        limit_us = self.program.stimulation_us
        answer = self.say(m.Arm(int(purpose), mask, ceiling_ua, limit_us, ttl_ms, self.head))
        if type(answer) is m.Armed and not self.ceiling_ua:
            self.mask, self.ceiling_ua = mask, ceiling_ua

    @rule(targets_ua=st.lists(st.integers(0, 2_000), min_size=4, max_size=4), wrong=st.integers(0, 9))
    def start(self, targets_ua: Sequence[int], wrong: int) -> None:
        """What is armed, to targets up to the ceiling; one time in ten with another nonce."""
        if self.model.state != "ARMED":
            targets_ua = [0] * 4
        else:
            armed = [channel.number for channel in self.model.armed] if self.model.arm["purpose"] == 0 else []
            ceiling_ua = self.model.arm["ceiling_ua"]
            targets_ua = [min(targets_ua[n - 1], ceiling_ua) if n in armed else 0 for n in NUMBERS]
        answer = self.say(m.Start(self.model.nonce + (wrong == 9), *targets_ua))
        if type(answer) is m.Started and self.model.state in OUTPUT:
            targets = {channel.number: targets_ua[channel.number - 1] for channel in self.model.armed}
            self.commanded.started(targets, answer.stimulation_us)

    @rule(which=st.integers(0, 2), by_ua=st.sampled_from([100, 100, 1, 101, -1, -100, -2_000]), wrong=st.integers(0, 9))
    def set_target(self, which: int, by_ua: int, wrong: int) -> None:
        """Up or down from where it stands."""
        armed = getattr(self.model, "armed", [self.model.channels[1]])
        channel = armed[which % len(armed)]
        order = m.SetTarget(self.model.nonce + (wrong == 9), channel.number, max(0, channel.target + by_ua))
        answer = self.say(order)
        if type(answer) is m.TargetSet:
            self.commanded.target_set(answer.channel, answer.target_ua, answer.stimulation_us)

    @rule()
    def hold(self) -> None:
        answer = self.say(m.Hold())
        if type(answer) is m.Holding:
            self.commanded.on_hold(answer.stimulation_us)

    @rule(wrong=st.integers(0, 9))
    def keep_alive(self, wrong: int) -> None:
        self.say(m.KeepAlive(self.model.nonce + (wrong == 9)))

    @rule()
    def stop(self) -> None:
        self.say(m.Stop())

    @rule()
    def hello(self) -> None:
        self.say(m.Hello(PROTOCOL_VERSION))

    @precondition(lambda self: self.model.state == "ENDED")
    @rule()
    def acknowledge(self) -> None:
        """What was counted is forgotten; a new session is prepared."""
        self.compare()
        session = self.machine.flash.sessions
        same("the answer", model=m.Acknowledged, device=type(self.ask(m.Acknowledge(session))))
        self.recorder._kept.clear()
        self.prepare()

    # --- time -------------------------------------------------------------------------------------

    @rule(for_us=st.integers(0, 50_000) | st.integers(0, 2 * S))
    def wait(self, for_us: int) -> None:
        self.now_us += for_us

    @rule(which=st.integers(0, 7), by_us=st.sampled_from([-1, 0, 1]))
    def wait_for(self, which: int, by_us: int) -> None:
        """Up to what is due, a microsecond before it or after it."""
        model = self.model
        dues = [*model.timers.values(), *(each.raised + S for each in model.channels.values())]
        if model.state in OUTPUT:
            dues += [channel.due[0] - model.stimulation + model.now for channel in model.armed]
        dues = sorted(due for due in dues if model.now < due < model.now + 3_000 * S)
        if dues:
            self.now_us = max(self.now_us, dues[which % len(dues)] + by_us)

    @precondition(lambda self: self.model.open)
    @rule(for_us=st.sampled_from([S, 3 * S, 8 * S, 30 * S]), every_us=st.sampled_from([ALIVE_US, S - 1]))
    def stay_alive(self, for_us: int, every_us: int) -> None:
        """The host is there all the while."""
        until_us = self.now_us + for_us
        while self.now_us < until_us and self.model.open:
            self.say(m.KeepAlive(self.model.nonce))
            self.now_us = min(until_us, self.now_us + every_us)

    # --- what holds -------------------------------------------------------------------------------

    @invariant()
    def compare(self) -> None:
        """Model, device, load and the driver's replay of what the device said."""
        if not hasattr(self, "model"):
            return
        self.advance()
        same_device(self.model, self.machine)
        same_load(self.model, self.recorder)
        for channel in self.program.channels:
            commanded = self.commanded.dose(channel, self.model.stimulation)
            same(f"channel {channel}'s dose", model=dose(self.model, channel), driver=commanded)


TestCommands = pytest.mark.slow(Commands.TestCase)
TestCommands.settings = runs(examples=90, steps=30)
