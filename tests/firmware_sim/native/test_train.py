"""The pulse rules, pulse by pulse and literally, against the engine that skips whole stretches."""

from math import gcd, lcm
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_sim.analog.load import load_named
from firmware_sim.analog.recorder import Recorder
from firmware_sim.native.output_stage import OutputStage
from firmware_sim.native.program import OutputProgram, OutputSegment

S = 1_000_000
MIN = 60 * S
LOW = OutputSegment(500_000, 600, 0, 600, 3 * S)
HIGH = OutputSegment(10_000, 200, 0, 200, 3 * S)
DENSE = OutputProgram((LOW, HIGH), 1, 200, 5 * S)


def alone(segment: OutputSegment, slope: int = 200, ramp_down_us: int = 0) -> OutputProgram:
    shape = OutputSegment(segment.period_us, segment.width_us, segment.interphase_gap_us, segment.second_width_us, 0)
    return OutputProgram((shape,), 1, slope, ramp_down_us)


def stage_on(load: str = "r500", recorder: Recorder | None = None) -> OutputStage:
    stage = OutputStage(load_named(load), seed=3, recorder=recorder)
    stage.gate = lambda *_: True
    return stage


def reference(
    program: OutputProgram, channel: int, start_us: int, limit_us: int, targets: list[tuple[int, int]], end_us: int
) -> list[tuple[int, int, int]]:
    """(time, segment, amplitude) of each pulse; `targets` holds (from when, uA), in order."""
    quantum = lcm(*(s.second_width_us // gcd(s.width_us, s.second_width_us) for s in program.segments))
    out: list[tuple[int, int, int]] = []
    level, last, begin, which = 0, None, start_us, 0
    while begin < min(end_us, limit_us):
        segment = program.segments[which]
        span = segment.width_us + segment.interphase_gap_us + segment.second_width_us
        k = 0
        while True:
            into = k * segment.period_us + (channel - 1) * 2_500
            t = begin + into
            if len(program.segments) == 2 and into + span > segment.dwell_us:
                break
            if t + span > limit_us or t >= end_us:
                return out
            target = [ua for since, ua in targets if since <= t][-1]
            aim = target
            if program.ramp_down_us and t >= limit_us - program.ramp_down_us:
                aim = min(aim, target * (limit_us - t) // program.ramp_down_us)
            dt = segment.period_us if last is None else t - last
            last = t
            step = min(100 - 100 % quantum, program.ramp_slope_ua_per_s * dt // 1_000_000)
            level = min(aim, level + step) if aim > level else aim
            amplitude = level - level % quantum
            if amplitude:
                out.append((t, which, amplitude))
            k += 1
        begin += segment.dwell_us
        which = 1 - which
    return out


def counted(pulses: list[tuple[int, int, int]], program: OutputProgram) -> list[int]:
    def of(segment: int) -> list[int]:
        return [amplitude for _, which, amplitude in pulses if which == segment]

    widths = [s.width_us for s in program.segments] + [0]
    return [len(of(0)), len(of(1)), sum(of(0)) * widths[0], sum(of(1)) * widths[1]]


widths = st.sampled_from([(100, 100), (200, 200), (600, 600), (150, 450), (400, 600), (300, 1200), (250, 1000)])


@st.composite
def segments(draw: st.DrawFn) -> OutputSegment:
    width, second = draw(widths)
    period = draw(st.sampled_from([10_000, 12_347, 66_667, 500_000, 1_000_000]))
    return OutputSegment(period, width, draw(st.integers(0, 100)), second, draw(st.integers(500_000, 2_500_000)))


@st.composite
def programs(draw: st.DrawFn) -> OutputProgram:
    shapes = draw(st.lists(segments(), min_size=1, max_size=2))
    return OutputProgram(
        tuple(shapes), 0b1111, draw(st.integers(100, 380)), draw(st.sampled_from([0, 700_001, 3_000_000]))
    )


targets_ua = st.sampled_from([0, 7, 333, 500, 700, 2_000])


@st.composite
def stories(draw: st.DrawFn) -> dict[str, Any]:
    limit = draw(st.integers(1 * S, 12 * S))
    hold = draw(st.integers(1, limit))
    times = sorted(draw(st.lists(st.integers(0, limit), max_size=4)))
    return {
        "program": draw(programs()),
        "limit": limit,
        "hold": hold,
        "first": draw(targets_ua),
        "changes": [(at, draw(targets_ua)) for at in times],
        "slice": draw(st.sampled_from([997, 10_000, 100_000, 5 * S])),
        "channels": draw(st.sets(st.integers(1, 4), min_size=1, max_size=3)),
    }


def run_slices(stage: OutputStage, until_us: int, slice_us: int) -> None:
    while stage.stimulation_us < until_us:
        assert stage.run(min(until_us, stage.stimulation_us + slice_us)) is None


def play(stage: OutputStage, story: dict[str, Any], channels: list[int], start_us: int, end_us: int) -> None:
    """One run with its changes of target; all channels get the same."""
    stage.begin(story["program"], dict.fromkeys(channels, story["first"]), start_us, story["limit"], start_us + 77)
    for at, target in story["changes"]:
        if start_us <= at < end_us:
            run_slices(stage, at, story["slice"])
            for channel in channels:
                stage.set_target(channel, target)
    run_slices(stage, end_us, story["slice"])
    stage.disable(end_us)


@given(stories())
def test_engine_counts_what_the_rules_say_pulse_by_pulse(story: dict[str, Any]) -> None:
    recorder = Recorder()
    stage, channels = stage_on("r500", recorder), sorted(story["channels"])
    # A run, a hold, a second run from zero to the end.
    spans = [(0, story["hold"]), (story["hold"], story["limit"])]
    for start_us, end_us in spans:
        play(stage, story, channels, start_us, end_us)
    for channel in channels:
        expected = []
        for start_us, end_us in spans:
            changes = [change for change in story["changes"] if start_us <= change[0] < end_us]
            targets = [(0, story["first"]), *changes]
            expected += reference(story["program"], channel, start_us, story["limit"], targets, end_us)
        assert list(stage.totals(channel)[:4]) == counted(expected, story["program"])
        assert [at for at, _ in flown(recorder, channel)] == [at + 77 for at, _, _ in expected]


def flown(recorder: Recorder, channel: int) -> list[tuple[int, int]]:
    """(device time, nA) of each pulse that flowed."""
    return [
        (flow.first_us + number * flow.period_us, flow.shape.first_na)
        for flow in recorder.flows(channel)
        for number in range(flow.count)
    ]


@pytest.mark.parametrize(
    ("minutes", "segments", "pulses", "charge_pc"),
    [
        (20, (LOW, HIGH), 61_200, 25_440_000_000),
        (30, (LOW, HIGH), 91_800, 38_160_000_000),
        (20, (LOW,), 2_400, 2_880_000_000),
        (30, (LOW,), 3_600, 4_320_000_000),
        (20, (HIGH,), 120_000, 48_000_000_000),
        (30, (HIGH,), 180_000, 72_000_000_000),
    ],
)
def test_golden_doses_without_a_ramp(
    minutes: int, segments: tuple[OutputSegment, ...], pulses: int, charge_pc: int
) -> None:
    program = OutputProgram(segments, 1, 200, 0) if len(segments) == 2 else alone(segments[0])
    recorder = Recorder()
    stage = stage_on("nominal", recorder)
    stage.begin(program, {1: 2_000}, 0, minutes * MIN, 0, levels_ua={1: 2_000})
    assert stage.run(minutes * MIN) is None
    totals = stage.totals(1)
    assert totals.pulses_0 + totals.pulses_1 == pulses == recorder.pulses(1)
    assert totals.charge_0_pc + totals.charge_1_pc == charge_pc
    assert recorder.charge_fc(1) == charge_pc * 1_000


def test_golden_dose_of_thirty_minutes_with_both_ramps() -> None:
    """2/100 Hz, 2.0 mA, 200 uA/s up, 5 s down, 30 min; sums of amplitudes in uA, by hand.

    Cycle 0, 2 Hz: 100 uA each half second: 100 ... 600, sum 2 100. 100 Hz: its first pulse comes half a second
      after the one before, so 700; then 2 uA each 10 ms up to 1 298: 300 * (700 + 1 298) / 2 = 299 700.
    Cycle 1, 2 Hz: 10 ms after the last, so 1 300; then 1 400 ... 1 800, sum 9 300. 100 Hz: 1 900, then by 2 to
      1 998 in 50 pulses, 50 * (1 900 + 1 998) / 2 = 97 450, then 250 * 2 000 = 500 000: 597 450.
    Cycles 2 to 298, 297 of them: 6 * 2 000 = 12 000 and 300 * 2 000 = 600 000 each.
    Cycle 299 begins at 1 794 s, the fall at 1 795 s. 2 Hz: 2 000, 2 000, 2 000, 1 800, 1 600, 1 400, sum 10 800.
      100 Hz from 1 797 s: 1 200 - 4 k for k = 0 ... 299: 360 000 - 4 * 44 850 = 180 600.
    2 Hz: 2 100 + 9 300 + 297 * 12 000 + 10 800 = 3 586 200 uA, times 600 us = 2 151 720 000 pC.
    100 Hz: 299 700 + 597 450 + 297 * 600 000 + 180 600 = 179 277 750 uA, times 200 us = 35 855 550 000 pC.
    """
    recorder = Recorder()
    stage = stage_on("nominal", recorder)
    stage.begin(DENSE, {1: 2_000}, 0, 30 * MIN, 0)
    assert stage.run(30 * MIN) is None
    assert stage.totals(1)[:4] == (1_800, 90_000, 2_151_720_000, 35_855_550_000)
    assert recorder.pulses(1) == 91_800
    assert recorder.net_fc(1) == 0


def test_a_target_given_at_a_pulse_is_used_by_that_pulse() -> None:
    recorder = Recorder()
    stage = stage_on("r500", recorder)
    stage.begin(alone(HIGH), {1: 1_000}, 0, MIN, 0, levels_ua={1: 1_000})
    stage.run(1 * S)
    stage.set_target(1, 500)
    stage.run(1 * S + 10_001)
    stage.disable(0)
    assert [na for _, na in flown(recorder, 1)][-3:] == [1_000_000, 500_000, 500_000]


def test_a_raise_after_a_long_steady_stretch_climbs_by_the_slope_from_its_first_pulse_on() -> None:
    recorder = Recorder()
    stage = stage_on("r2k", recorder)
    stage.begin(alone(HIGH), {1: 500}, 0, MIN, 0, levels_ua={1: 500})
    stage.run(10 * S)
    stage.set_target(1, 600)
    stage.run(10 * S + 30_001)
    # 2 uA each 10 ms: 500, then 502, 504, 506, 508, as converted in steps of 1.25 uA.
    assert [na for _, na in flown(recorder, 1)][-5:] == [500_000, 502_500, 503_750, 506_250, 507_500]


def test_ramping_until_each_channel_reached_its_target_once() -> None:
    stage = stage_on()
    stage.begin(alone(HIGH), {1: 500, 2: 1_000, 3: 0}, 0, MIN, 0)
    stage.run(4_900_000)
    assert stage.ramping
    stage.run(5_100_000)
    assert not stage.ramping
    stage.set_target(2, 1_100)
    stage.run(5_150_000)
    assert not stage.ramping


def test_a_target_lowered_to_the_present_level_is_reached() -> None:
    """No climb leads to it, so no pulse has to tell."""
    stage = stage_on()
    stage.begin(alone(LOW), {1: 500}, 0, MIN, 0)
    stage.run(1_200_000)
    assert stage.ramping
    assert stage.readout(1).applied_ua == 300
    stage.set_target(1, 300)
    stage.run(1_200_001)
    assert not stage.ramping


def test_slices_change_nothing_that_is_read() -> None:
    rows = []
    for slice_us in (3_333, 100_000, 10 * S):
        stage = stage_on("nominal")
        stage.begin(DENSE, {1: 700, 2: 500}, 0, MIN, 0)
        run_slices(stage, 10 * S, slice_us)
        read = [stage.readout(1), stage.readout(2)]
        run_slices(stage, MIN, slice_us)
        rows.append([*read, stage.totals(1), stage.totals(2)])
    assert rows[0] == rows[1] == rows[2]


@pytest.mark.parametrize("steady", [True, False])
def test_no_pulse_starts_that_would_not_end_by_the_limit(steady: bool) -> None:
    for spare_us, pulses in ((399, 100), (400, 101)):
        stage = stage_on()
        levels_ua = {1: 2_000} if steady else {}
        stage.begin(alone(HIGH), {1: 2_000}, 0, 1 * S + spare_us, 0, levels_ua=levels_ua)
        stage.run(2 * S)
        assert stage.totals(1).pulses_0 == pulses


@pytest.mark.parametrize("steady", [True, False])
def test_no_pulse_is_clipped_at_a_switch_of_band(steady: bool) -> None:
    for spare_us, pulses in ((399, 100), (400, 101)):
        first = OutputSegment(10_000, 200, 0, 200, 1 * S + spare_us)
        stage = stage_on()
        levels_ua = {1: 2_000} if steady else {}
        stage.begin(OutputProgram((first, LOW), 1, 200, 0), {1: 2_000}, 0, MIN, 0, levels_ua=levels_ua)
        stage.run(1 * S + 499)
        assert stage.totals(1).pulses_0 == pulses
