"""The suite's own reading of the pulse rules: the worked example of docs/protocol.md, and the driver's reading."""

from hypothesis import given, settings
from hypothesis import strategies as some

from stimctl.dose import CommandedDose
from stimctl.waveform import Program, Segment
from stimctl.wire.codec import LoadProgram, LoadSegment
from stimlab.conformance.programs import WireProgram
from stimlab.conformance.reference_model import ReportedSession, quantum_ua

S = 1_000_000
EXAMPLE = WireProgram(
    LoadProgram(segment_count=2, channel_mask=0b111, ramp_slope_ua_per_s=200, ramp_down_us=5 * S),
    (LoadSegment(0, 500_000, 600, 0, 600, 3 * S), LoadSegment(1, 10_000, 200, 0, 200, 3 * S)),
)
# Time, segment and amplitude, as the document's table has them.
ROWS = (
    (0, 0, 100), (500_000, 0, 200), (2_500_000, 0, 600), (3_000_000, 1, 700), (3_010_000, 1, 702),
    (5_990_000, 1, 1_298), (6_000_000, 0, 1_300), (6_500_000, 0, 1_400), (9_500_000, 1, 2_000),
    (15_000_000, 1, 2_000), (15_010_000, 1, 1_996), (19_500_000, 0, 200),
)  # fmt: skip


def test_the_worked_example() -> None:
    reported = ReportedSession(EXAMPLE, 20 * S)
    reported.started({1: 2_000}, 0)
    reported.over(20 * S)
    assert set(ROWS) <= set(reported.pulses(1))
    assert reported.tally(1) == (22, 900, 15_240_000, 263_550_000)
    assert reported.segments_us() == (11 * S, 9 * S)


@settings(max_examples=60, deadline=None)
@given(
    channel=some.integers(1, 4),
    slope=some.integers(100, 380),
    fall_us=some.sampled_from((0, 777_777, 2_000_000)),
    widths=some.tuples(some.integers(100, 600), some.sampled_from((1, 2))),
    held_us=some.integers(1, 3_000_000),
    targets=some.lists(some.tuples(some.integers(1, 900_000), some.integers(0, 2_000)), max_size=4),
)
def test_it_agrees_with_the_drivers(
    channel: int, slope: int, fall_us: int, widths: tuple[int, int], held_us: int, targets: list[tuple[int, int]]
) -> None:
    width_us, times = widths
    shapes = ((50_000, width_us, 30, width_us * times, 600_000), (12_345, 101, 0, 303, 505_000))
    limit_us = 6 * S
    segments = tuple(LoadSegment(index, *shape) for index, shape in enumerate(shapes))
    loadable = WireProgram(LoadProgram(2, 1 << (channel - 1), slope, fall_us), segments)
    program = Program(
        tuple(Segment(*shape) for shape in shapes), (channel,),
        stimulation_us=limit_us, ramp_slope_ua_per_s=slope, ramp_down_us=fall_us,
    )  # fmt: skip
    reported, commanded = ReportedSession(loadable, limit_us), CommandedDose(program)
    assert quantum_ua(loadable) == program.quantum_ua
    reported.started({channel: 500}, 0)
    commanded.started({channel: 500}, 0)
    at_us = 0
    for later_us, target_ua in targets:
        at_us += later_us
        reported.target_set(channel, target_ua, at_us)
        commanded.target_set(channel, target_ua, at_us)
    at_us = min(limit_us, at_us + held_us)
    reported.over(at_us)
    commanded.on_hold(at_us)
    reported.started({channel: 700}, at_us)
    commanded.started({channel: 700}, at_us)
    reported.over(limit_us)
    commanded.ended(limit_us)
    dose = commanded.dose(channel)
    assert reported.tally(channel) == (*dose.pulses, *dose.charge_pc)
    assert reported.segments_us() == commanded.band_us()
