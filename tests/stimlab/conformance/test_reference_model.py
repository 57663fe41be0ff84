"""The suite's own reading of the pulse rules: the worked example of docs/protocol.md, and the driver's reading."""

from itertools import pairwise

from hypothesis import assume, given, settings
from hypothesis import strategies as some

from firmware_sim.native.loading import ProgramLoader
from firmware_sim.native.refusal import CommandDenied
from stimctl.dose import CommandedDose
from stimctl.waveform import Program, Segment
from stimctl.wire.codec import LoadProgram, LoadSegment
from stimlab.conformance.programs import WireProgram
from stimlab.conformance.reference_model import SLOT_US, ReportedSession, bands_of, quantum_ua, span_us

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


def rests_us(program: WireProgram) -> list[int]:
    """From the end of each pulse to the start of the next, whichever channels they are on: two dwells and a switch."""
    times = [
        (begin_us + at_us + (channel - 1) * SLOT_US, span_us(segment))
        for begin_us, _, segment in bands_of(program, sum(segment.dwell_us for segment in program.segments) + 1)
        for channel in (1, 2, 3, 4)
        for at_us in range(0, segment.dwell_us, segment.period_us)
        if at_us + (channel - 1) * SLOT_US + span_us(segment) <= segment.dwell_us
    ]
    times.sort()
    return [after - (at_us + long_us) for (at_us, long_us), (after, _) in pairwise(times)]


def loaded(*segments: LoadSegment) -> WireProgram | None:
    """The program as a device takes it; None where it refuses it."""
    header = LoadProgram(len(segments), 0b1111, 200, 0)
    loader = ProgramLoader(header._replace(channel_mask=0b111))
    loader._header = header  # four channels, so that one program tries each subset of three
    try:
        for segment in segments:
            loader.add(segment)
    except CommandDenied:
        return None
    return WireProgram(header, segments)


def test_a_device_has_600_us_between_any_two_pulses_and_no_more() -> None:
    at_its_tightest = LoadSegment(0, 250_000, 600, 100, 1_200, 510_000), LoadSegment(1, 10_000, 100, 0, 100, 500_000)
    program = loaded(*at_its_tightest)
    assert program is not None
    assert min(rests_us(program)) == 600
    first, second = at_its_tightest
    assert loaded(first._replace(dwell_us=509_999), second) is None


@settings(max_examples=150, deadline=None)
@given(
    periods_us=some.tuples(*[some.integers(10_000, 250_000)] * 2),
    dwells_us=some.tuples(*[some.integers(500_000, 520_000)] * 2),
    widths_us=some.tuples(*[some.sampled_from((100, 300, 600))] * 2),
    times=some.tuples(*[some.sampled_from((1, 2))] * 2),
)
def test_no_program_that_a_device_takes_leaves_less_than_600_us(
    periods_us: tuple[int, int], dwells_us: tuple[int, int], widths_us: tuple[int, int], times: tuple[int, int]
) -> None:
    program = loaded(*(
        LoadSegment(index, periods_us[index], width, 100, width * times[index], dwells_us[index])
        for index, width in enumerate(widths_us)
    ))  # fmt: skip
    assume(program is not None)
    assert program is not None
    assert min(rests_us(program)) >= 600
