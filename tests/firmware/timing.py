"""Timing from machine code: what the chip's pins did, by cycle, against what section 13 says.

Three channels at 2 mA, full telemetry, and orders at 100 a second.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from firmware_sim.chip.built import CHIP, EMULATOR
from firmware_sim.chip.device import Chip
from firmware_sim.chip.emulator import CYCLES_A_US, Latency
from firmware_sim.chip.pulse_log import Edges
from firmware_sim.protocol_sim import Serial
from stimctl.port import VirtualPort
from stimctl.wire.codec import KeepAlive, LoadProgram, LoadSegment, Stop, encode
from stimctl.wire.codes import DeviceState, EndReason
from stimlab.conformance.dut import Dut, tells
from stimlab.conformance.fixture import fixture_for
from stimlab.conformance.link import STOP_FRAME
from stimlab.conformance.programs import WireProgram
from stimlab.conformance.reference_model import DuePulse, pulses_of
from stimlab.conformance.timing import event
from stimlab.conformance.tracked_session import TrackedSession

EDGE, RECEIVED = 12, 18  # vectors: timer 1, compare match B; a byte
MOMENTS = 16
URL = "sim://?device=firmware&load=r1k"
BUSY = WireProgram(
    LoadProgram(2, 0b0111, 380, 0),
    (LoadSegment(0, 100_000, 600, 100, 1_200, 500_000), LoadSegment(1, 10_000, 200, 0, 200, 500_000)),
)


def at_100_hz(width_us: int, gap_us: int, second_us: int) -> WireProgram:
    """Three channels, and one shape throughout."""
    return WireProgram(LoadProgram(1, 0b0111, 380, 0), (LoadSegment(0, 10_000, width_us, gap_us, second_us, 0),))


DENSE = at_100_hz(600, 100, 1_200)


@dataclass(frozen=True, slots=True)
class Figure:
    """What was measured, its limit, and the row of the peripheral self-test that it rests on."""

    name: str
    value: float
    limit: float
    unit: str
    rests: str

    @property
    def kept(self) -> bool:
        """Whether it is within its limit."""
        return self.value <= self.limit


class Lab:
    """A chip at a bench, its pulses kept by cycle."""

    def __init__(self, image: Path = CHIP, program: Path = EMULATOR) -> None:
        def make(**given: object) -> Chip:
            chip = Chip(image=image, program=program, **given)  # type: ignore[arg-type]
            chip.pulse_log.keeps = True
            return chip

        port = VirtualPort(URL, Serial.powering(make, URL))
        self.bench = Dut(port, fixture=fixture_for(port))
        self.bench.settle()
        self.bench.identify()

    @property
    def chip(self) -> Chip:
        """The one that is powered."""
        device: Chip = self.bench.port.line.device  # type: ignore[attr-defined]
        return device

    def close(self) -> None:
        """Take the power away."""
        self.bench.port.close()


def busy_run(
    lab: Lab, for_us: int = 3_000_000, *, program: WireProgram = BUSY, targets_ua: tuple[int, ...] = (2_000,) * 3
) -> tuple[TrackedSession, list[Edges]]:
    """A session of two bands on three channels, with a keepalive every 10 ms beside what the bench sends."""
    bench = lab.bench
    course = TrackedSession(bench, program, ceiling_ua=2_000)
    lab.chip.pulse_log.pulses.clear()
    course.start(*targets_ua)
    until_us = bench.now_us + for_us
    while bench.now_us < until_us:
        assert bench.armed is not None
        bench.ask(KeepAlive(bench.armed.nonce))
        bench._alive_us = bench.now_us
        bench.listen(10_000)
    return course, lab.chip.pulse_log.pulses


def paired(course: TrackedSession, given: list[Edges]) -> Iterator[tuple[Edges, DuePulse]]:
    """Each pulse that was given, beside the one that was due."""
    for channel in course.channels:
        own = [each for each in given if each.channel == channel]
        due = pulses_of(course.reported.program, channel, course.reported.runs[-1], course.reported.limit_us)
        yield from zip(own, due, strict=False)


def onsets_us(course: TrackedSession, given: list[Edges]) -> list[float]:
    """How late each pulse began, by the run's first one."""
    began = given[0].begun
    return [(edges.begun - began) / CYCLES_A_US - pulse.at_us for edges, pulse in paired(course, given)]


def figures(lab: Lab, moments: int = MOMENTS) -> Iterator[Figure]:
    """Every figure; stops at so many moments of a period."""
    lab.chip.emulator.latencies()
    course, pulses = busy_run(lab)
    waited = lab.chip.emulator.latencies()
    given = list(pulses)
    late, wide = onsets_us(course, given), {"first": [], "second": [], "gap": []}  # type: ignore[var-annotated]
    for edges, pulse in paired(course, given):
        segment = BUSY.segments[pulse.segment]
        wide["first"].append((edges.first_end - edges.begun) / CYCLES_A_US - segment.width_us)
        wide["second"].append((edges.second_end - edges.second_begun) / CYCLES_A_US - segment.second_width_us)
        wide["gap"].append((edges.second_begun - edges.first_end) / CYCLES_A_US - segment.interphase_gap_us)
    assert len(late) > 300, f"only {len(late)} pulses were given"
    yield Figure("onset, earliest to latest", max(late) - min(late), 2.0, "us", "edges")
    yield Figure("onset, farthest from the schedule", max(map(abs, late)), 2.0, "us", "edges")
    yield Figure("first phase, error of its width", max(map(abs, wide["first"])), 1.0, "us", "edges")
    yield Figure("second phase, error of its width", max(map(abs, wide["second"])), 1.0, "us", "edges")
    yield Figure("between the phases, error; 3 us where no gap is asked for", max(map(abs, wide["gap"])), 4.0, "us",
                 "edges")  # fmt: skip
    ordered = sorted(given, key=lambda each: each.begun)
    dead = min((b.begun - a.second_end) / CYCLES_A_US for a, b in pairwise(ordered))
    yield Figure("overlap of two channels, the longest (below zero: dead time between them)", -dead, 0.0, "us", "edges")
    yield from latencies(waited)
    ended(lab)
    late = onsets_us(*busy_run(lab, 1_000_000, program=DENSE))
    yield Figure("the same shape at 100 Hz, 600 us between pulses: onset, farthest", max(map(abs, late)), 2.0, "us",
                 "edges")  # fmt: skip
    ended(lab)
    yield stops(lab, "Stop", STOP_FRAME, 1_000, moments)
    yield stops(lab, "a Stop of another number", encode(5, Stop()), 3_000, moments)
    yield watchdog(lab)
    yield over_current(lab)


def ended(lab: Lab) -> None:
    """Stop the session, and let its counts go."""
    lab.bench.nonce = None
    lab.bench.stop_to_zero()
    lab.bench.acknowledge()


def stops(lab: Lab, name: str, frame: bytes, limit_us: int, moments: int) -> Figure:
    """The worst of stops at any moment: from its last byte, or the end of the pulse that was on its way then."""
    worst_us = 0.0
    for number in range(moments):
        _, pulses = busy_run(lab, 520_000 + number * 10_400 // moments)
        lab.bench.nonce = None
        lab.bench.send_raw(frame)
        lab.bench.listen(30_000)
        byte = lab.chip.emulator.latencies()[RECEIVED].flag
        assert event(lab.bench, DeviceState.ENDED).reason == EndReason.STOP
        last = pulses[-1]
        assert last.begun <= byte + CYCLES_A_US * limit_us, f"a pulse began more than {limit_us} us behind the Stop"
        over = lab.chip.pulse_log.disabled - max(byte, last.second_end)
        worst_us = max(worst_us, over / CYCLES_A_US)
        ended(lab)
    return Figure(
        f"{name}'s last byte, or the pulse on its way, to outputs disabled", worst_us, limit_us, "us", "clock"
    )


def watchdog(lab: Lab) -> Figure:
    """Without keepalives: how far from 1 s after the last one's last byte the outputs were disabled."""
    bench = lab.bench
    course = TrackedSession(bench, BUSY, ceiling_ua=2_000)
    course.start(500, 500, 500)
    bench.listen(300_000)
    bench.nonce = None
    alive = lab.chip.emulator.latencies()[RECEIVED].flag
    bench.expect(EndReason.WATCHDOG)
    bench.wait_for(lambda each: tells(each, DeviceState.ENDED), 1_500_000)
    assert event(bench, DeviceState.ENDED).reason == EndReason.WATCHDOG
    off_us = abs((lab.chip.pulse_log.disabled - alive) / CYCLES_A_US - 1_000_000)
    ended(lab)
    return Figure("software watchdog, away from 1 s", off_us, 10_000, "us", "clock")


def latencies(seen: Mapping[int, Latency]) -> Iterator[Figure]:
    """What interrupts waited for others; an entry's own 4 cycles, which simavr does not take, are not in it."""
    edge_us, byte_us = (seen[number].longest / CYCLES_A_US for number in (EDGE, RECEIVED))
    yield Figure("a pulse's interrupt, the longest that it waited; it comes 16 us early", edge_us, 16, "us", "edges")
    yield Figure("a byte's interrupt, the longest that it waited; two bytes wait", byte_us, 173.6, "us", "edges")


def over_current(lab: Lab) -> Figure:
    """A DAC that sticks at 2.5 mA: from the first edge of a pulse with it to the cut."""
    bench = lab.bench
    course = TrackedSession(bench, BUSY, ceiling_ua=2_000)
    course.start(500, 500, 500)
    bench.listen(300_000)
    lab.chip.emulator.break_dac(2, stuck_ua=2_500)
    bench.expect(EndReason.OVER_CURRENT)
    bench.wait_for(lambda each: tells(each, DeviceState.ENDED), 400_000)
    assert event(bench, DeviceState.ENDED).reason == EndReason.OVER_CURRENT
    cut = lab.chip.pulse_log.pulses[-1]
    lab.chip.emulator.break_dac(2)
    ended(lab)
    end = cut.second_end or cut.first_end
    return Figure("over-current to the cut", (end - cut.begun) / CYCLES_A_US, 1_000, "us", "edges")


def main(tell: Callable[[str], None] = print) -> None:
    """Tell every figure."""
    lab = Lab()
    for each in figures(lab):
        tell(f"{'ok  ' if each.kept else 'OVER'} {each.name}: {each.value:.3f} {each.unit} (limit {each.limit})")
    lab.close()


if __name__ == "__main__":
    main()
