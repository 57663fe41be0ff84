"""Four agree after each step: the plain model, the simulator, the C core on this machine, and its machine code.

    python -m tests.firmware.four --scripts 200 [--seed 1]

One script of commands, right and wrong ones, drives all three devices. A device says at which instant it did what it
was told, and the model, beside each of them, is told the same for that instant: refusals, states, reasons, stimulation
time and every channel's dose must then be the same to the last pulse.
"""

import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

import click

from firmware_sim.chip.device import Chip
from firmware_sim.chip.host_build import HostBuild
from firmware_sim.native.device import Device
from stimctl.wire import codec as m
from stimctl.wire.codes import PROTOCOL_VERSION, DeviceState, EndReason, Purpose, Refusal
from stimlab.conformance.programs import PLAIN, TWO_BANDS, WireProgram
from tests.agree.model import S, Session
from tests.agree.same import NUMBERS, Disagreement, same
from tests.stimlab.conformance.bench_world import bench_on

Make = Callable[..., Any]
DEVICES: Mapping[str, Make] = {"simulator": Device, "host build": HostBuild, "chip": Chip}
LATE_US = (
    4_000  # what a command waits for a pulse and its turn, at most: its instant may lie so far before its answer's
)
SETTLE_US = 2_000  # after what a state may follow at once (section 6): a command at that very instant finds it, or not
CLEAR_US = 60_000  # nothing is asked so near to a timer: each device asks at a moment of its own
ASYMMETRIC = WireProgram(
    m.LoadProgram(2, 0b111, 333, 700_000),
    (m.LoadSegment(0, 33_333, 300, 50, 600, 610_000), m.LoadSegment(1, 12_000, 100, 0, 100, 504_000)),
)
PROGRAMS = (PLAIN, TWO_BANDS, ASYMMETRIC)


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a script, and its numbers."""

    do: str
    number: int = 0
    wrong: bool = False
    targets_ua: tuple[int, ...] = ()


STEPS = (
    "wait",
    "wait",
    "arm",
    "arm",
    "start",
    "start",
    "target",
    "target",
    "hold",
    "alive",
    "stop",
    "hello",
    "wait out",
)


def script(seed: int, steps: int = 24) -> Iterator[Step]:
    """A program to begin with, then steps: chance, but the same for each device."""
    dice = Random(f"four {seed}")
    yield Step("program", dice.randrange(len(PROGRAMS)))
    for do in ("arm", "start", "wait"):
        yield Step(do, 1, targets_ua=(1_000, 600, 100))
    for _ in range(steps):
        targets_ua = tuple(dice.choice((0, 1, 99, 500, 1_000, 2_000)) for _ in range(3))
        yield Step(dice.choice(STEPS), dice.randrange(1 << 16), dice.randrange(8) == 0, targets_ua)


class Pair:
    """One device, and the model beside it."""

    def __init__(self, name: str, make: Make) -> None:
        self.name = name
        self.bench = bench_on(make)
        self.bench.settle()
        self.bench.identify()
        self.nonce = 0
        self.model: Session | None = None

    def close(self) -> None:
        """Take the power away."""
        self.bench.port.close()

    # --- a program --------------------------------------------------------------------------------

    def load(self, program: WireProgram) -> None:
        """A program, tested: where the model begins. Arms and the second of a raise go on (R-34, R-39)."""
        before, self.program = self.model, program
        at_us = self.bench.tested(program).device_time_us
        parts = [tuple(segment)[1:] for segment in program.segments]
        header = program.header
        self.model = Session(parts, header.ramp_slope_ua_per_s, header.ramp_down_us, lambda _: self.nonce >> 32, at_us)
        self.mask, self.ceiling_ua, self.run_us, self.run_from_us = header.channel_mask, 2_000, 0, 0
        if before is not None:
            self.model.arms = before.arms
            for number in NUMBERS:
                self.model.channels[number].raised = before.channels[number].raised

    # --- one command ------------------------------------------------------------------------------

    def say(self, order: Any) -> None:
        """To the device, then to the model at the device's own instant."""
        model = self._model
        answer = self.bench.ask(order).message
        told = Refusal(answer.reason).name if isinstance(answer, m.Refused) else ""
        if isinstance(answer, m.Armed):
            self.nonce = answer.nonce
        at_us = max(model.now, self._instant_us(answer))
        refused = model.hear(type(order).__name__, order._asdict(), at_us)
        same(f"{self.name}: the answer to {order}", model=refused, device=told)
        if isinstance(answer, m.Started):
            self.run_us, self.run_from_us = answer.device_time_us, answer.stimulation_us
        if isinstance(answer, m.Started | m.Holding | m.TargetSet):
            same(f"{self.name}: stimulation time", model=model.stimulation, device=answer.stimulation_us)
        if isinstance(answer, m.Alive):
            same(f"{self.name}: the state", model=model.state, device=DeviceState(answer.state).name)

    @property
    def _model(self) -> Session:
        assert self.model is not None, "a program is loaded first"
        return self.model

    def _instant_us(self, answer: Any) -> int:
        """When what was told was done; a refusal and a handshake do not say it, and are followed by a question."""
        if isinstance(answer, m.Stopped | m.Welcome) and self._model.open:
            self.bench.listen(CLEAR_US)
            return self._ended_us()
        if isinstance(answer, m.Holding | m.TargetSet):
            at_us = self.run_us + answer.stimulation_us - self.run_from_us
            if not 0 <= answer.device_time_us - at_us <= LATE_US:
                raise Disagreement(f"{self.name}: {answer} tells two instants")
            return at_us
        if isinstance(answer, m.Refused | m.Stopped | m.Welcome):
            return self._record().device_time_us
        return int(answer.device_time_us)

    def _ended_us(self) -> int:
        """The instant of the end that it told last."""
        ends = [each for each in self.bench.events() if each.state == DeviceState.ENDED]
        return int(ends[-1].device_time_us)

    def _record(self) -> m.SessionRecord:
        record: m.SessionRecord = self.bench.get(m.ReadSession(), m.SessionRecord, by="R-28")
        return record

    # --- one step ---------------------------------------------------------------------------------

    def take(self, step: Step) -> None:
        """One step, then everything that can be seen."""
        if step.do == "program":
            self.load(PROGRAMS[step.number])
            return
        self._clear()
        getattr(self, "_" + step.do.replace(" ", "_"))(step)
        self.compare()
        if self._model.state == "ENDED":
            self.bench.acknowledge()
            self.load(self.program)

    def _clear(self) -> None:
        """Wait until no timer is near."""
        model = self._model
        for _ in range(20):
            model.advance(max(model.now, self._record().device_time_us))
            dues = [*model.timers.values(), *(each.raised + S for each in model.channels.values())]
            if not any(0 <= due - model.now < CLEAR_US for due in dues):
                return
            self.bench.listen(CLEAR_US // 2)

    def _wait(self, step: Step) -> None:
        until_us = self.bench.now_us + 20_000 + step.number * 15
        while self.bench.now_us < until_us:
            if self._model.open:
                self.say(m.KeepAlive(self._model.nonce))
            self.bench.listen(min(240_000, until_us - self.bench.now_us))

    def _wait_out(self, step: Step) -> None:
        self.bench.listen(200_000 + step.number * 20)

    def _arm(self, step: Step) -> None:
        mask = self.mask & -self.mask if step.number % 3 == 0 else self.mask
        purpose = Purpose.CHECK_IMPEDANCE if step.number % 5 == 0 else Purpose.STIMULATE
        ceiling_ua = self.ceiling_ua if step.number % 2 else min(self.ceiling_ua, 1_500)
        head = self.program.digest_head ^ step.wrong
        order = m.Arm(int(purpose), mask, ceiling_ua, 20 * S, 600 if step.number % 4 == 0 else 5_000, head)
        if step.wrong and self._model.state in ("TESTED", "HELD"):
            self.bench.refused(order, Refusal.WRONG_DIGEST, by="R-33")
            return
        opens = not self._model.open
        self.say(order._replace(digest_head=self.program.digest_head))
        if opens and self._model.open:
            self.mask, self.ceiling_ua = mask, ceiling_ua

    def _start(self, step: Step) -> None:
        model, targets_ua = self._model, [0] * 4
        if model.state == "ARMED" and not model.arm["purpose"]:
            for channel in model.armed:
                targets_ua[channel.number - 1] = min(step.targets_ua[channel.number % 3], model.arm["ceiling_ua"])
        self.say(m.Start(model.nonce + step.wrong, *targets_ua))
        self.bench.listen(SETTLE_US)

    def _target(self, step: Step) -> None:
        armed = getattr(self._model, "armed", [self._model.channels[1]])
        channel = armed[step.number % len(armed)]
        by_ua = (100, 100, 1, 101, -1, -100, -2_000)[step.number % 7]
        self.say(m.SetTarget(self._model.nonce + step.wrong, channel.number, max(0, channel.target + by_ua)))
        self.bench.listen(SETTLE_US)

    def _hold(self, _: Step) -> None:
        self.say(m.Hold())

    def _alive(self, step: Step) -> None:
        self.say(m.KeepAlive(self._model.nonce + step.wrong))

    def _stop(self, _: Step) -> None:
        self.say(m.Stop())

    def _hello(self, _: Step) -> None:
        self.say(m.Hello(PROTOCOL_VERSION))

    # --- what must be the same --------------------------------------------------------------------

    def compare(self) -> None:
        """Reason, nonce, stimulation time and each channel's dose, each at the instant that the device tells."""
        model, record = self._model, self._record()
        model.advance(max(model.now, record.device_time_us))
        if not record.session:
            same(f"{self.name}: whether a session is open", model=model.open, device=False)
            return
        same(f"{self.name}: the nonce", model=model.nonce, device=record.nonce)
        same(f"{self.name}: stimulation time", model=model.stimulation, device=record.stimulation_us)
        wanted = model.reason if model.state == "ENDED" else "NONE"
        same(f"{self.name}: the end", model=wanted, device=EndReason(record.end_reason).name)
        for number in NUMBERS:
            counters = self.bench.get(m.ReadCounters(number), m.Counters, by="R-28")
            model.advance(max(model.now, counters.device_time_us))
            each = model.channels[number]
            same(
                f"{self.name}: channel {number}'s dose at {model.stimulation} us ({model.state})",
                model=(*each.pulses, *each.charge_pc),
                device=tuple(counters[2:6]),
            )


def disagreements(seed: int, devices: Mapping[str, Make] = DEVICES, steps: int = 24) -> dict[str, str]:
    """One script on each device, step by step; who disagreed with the model, and in what. Others go on to its end."""
    found: dict[str, str] = {}
    pairs = [Pair(name, make) for name, make in devices.items()]
    try:
        for step in script(seed, steps):
            for pair in pairs:
                if pair.name in found:
                    continue
                try:
                    pair.take(step)
                except Disagreement as wrong:
                    found[pair.name] = f"{step}: {wrong}"
    finally:
        for pair in pairs:
            pair.close()
    return found


def blamed(found: Mapping[str, str]) -> str:
    """Who is out of line: with all three against it, the model."""
    return "nobody" if not found else "the model" if len(found) == len(DEVICES) else ", ".join(found)


@click.command()
@click.option("--scripts", type=click.IntRange(1), default=50, show_default=True, help="How many.")
@click.option("--seed", type=int, default=1, show_default=True, help="Of the first one.")
def main(scripts: int, seed: int) -> None:
    """Run scripts on all four."""
    failed = 0
    for number in range(seed, seed + scripts):
        if found := disagreements(number):
            failed += 1
            click.echo(f"script {number}: {blamed(found)}: {found}")
    click.echo(f"{scripts - failed} of {scripts} scripts: all four agree")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
