"""The pulse rules are written twice, in driver and device, by nobody's shared code: both count the same."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from firmware_sim.analog.load import load_named
from firmware_sim.native.output_stage import OutputStage
from firmware_sim.native.program import OutputProgram, OutputSegment
from stimctl.dose import CommandedDose
from stimctl.waveform import Program, Segment

S = 1_000_000
SHAPES = [(100, 100), (200, 200), (600, 600), (150, 450), (400, 600), (300, 1200)]


@st.composite
def fields(draw: st.DrawFn, alternates: bool) -> tuple[int, ...]:
    width, second = draw(st.sampled_from(SHAPES))
    period = draw(st.sampled_from([10_000, 12_500, 66_667, 500_000, 1_000_000]))
    # Whole periods: the driver wants the bands' rates kept where they meet.
    dwell = period * draw(st.integers(1_000_000 // period + 1, 3_000_000 // period + 1)) if alternates else 0
    return period, width, draw(st.integers(0, 100)), second, dwell


@st.composite
def stories(draw: st.DrawFn) -> dict[str, Any]:
    count = draw(st.integers(1, 2))
    limit = draw(st.integers(1 * S, 60 * S))
    events = sorted(
        (at, draw(st.sampled_from([0, 12, 500, 801, 2_000]))) for at in draw(st.lists(st.integers(0, limit)))
    )
    return {
        "segments": [draw(fields(alternates=count == 2)) for _ in range(count)],
        "channels": sorted(draw(st.sets(st.integers(1, 4), min_size=1, max_size=3))),
        "slope": draw(st.integers(100, 380)),
        "down": draw(st.sampled_from([0, 3 * S, 30 * S])),
        "limit": limit,
        "hold": draw(st.integers(0, limit)),
        "end": draw(st.integers(0, limit)),
        "events": events,
    }


@given(stories())
def test_driver_and_device_count_the_same_pulses_and_charge(story: dict[str, Any]) -> None:
    channels, limit = story["channels"], story["limit"]
    driver = CommandedDose(
        Program(
            tuple(Segment(*each) for each in story["segments"]), tuple(channels), story["slope"], story["down"], limit
        )
    )
    mask = sum(1 << (channel - 1) for channel in channels)
    shapes = tuple(OutputSegment(*each) for each in story["segments"])
    program = OutputProgram(shapes, mask, story["slope"], story["down"])
    stage = OutputStage(load_named("r500"), seed=1)
    stage.gate = lambda *_: True
    hold, end = sorted((story["hold"], story["end"]))
    for start_us, end_us in ((0, hold), (hold, end)):
        targets = dict.fromkeys(channels, 700)
        driver.started(targets, start_us)
        stage.begin(program, targets, start_us, limit, start_us)
        for at_us, target_ua in story["events"]:
            if start_us <= at_us < end_us:
                assert stage.run(at_us) is None
                driver.target_set(channels[0], target_ua, at_us)
                stage.set_target(channels[0], target_ua)
        assert stage.run(end_us) is None
        stage.disable(end_us)
        driver.on_hold(end_us)
    for channel in channels:
        dose, totals = driver.dose(channel), stage.totals(channel)
        assert (*dose.pulses, *dose.charge_pc) == totals[:4]
