"""Programs and pulse trains: limits, golden patterns, and the laws that every legal program obeys.

`literal_run` is the pulse rule written out pulse by pulse, with no closed form: the yardstick for `Train`.
"""

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from stimctl import limits
from stimctl.errors import Misuse, Unsafe
from stimctl.waveform import Mode, Program, Pulse, Segment, Train, offset_us, pulses, segments_for
from stimctl.waveform.train import Stretch, floor_sum

US = 1_000_000
PLAIN = segments_for(Mode.DENSE_DISPERSE)


def program(mode: Mode = Mode.DENSE_DISPERSE, channels: tuple[int, ...] = (1,), **changes: Any) -> Program:
    return Program(segments_for(mode), channels, **changes)


@st.composite
def segments(draw: st.DrawFn, *, alternates: bool) -> Segment:
    period_us = draw(
        st.sampled_from([10_000, 10_001, 12_500, 263_158, 500_000, 1_000_000]) | st.integers(10_000, 10**6)
    )
    width_us = draw(st.sampled_from([100, 200, 600]) | st.integers(100, 600))
    widths = [width_us, 2 * width_us, 3 * width_us, width_us * 3 // 2, width_us + 50]
    second_us = draw(st.sampled_from([width for width in widths if width <= 1_200]) | st.integers(width_us, 1_200))
    dwell_us = 0
    if alternates:
        # Shortly after a whole number of periods is where a pulse is just whole, or just not.
        over_us = draw(st.sampled_from([0, 0, 1, width_us + second_us - 1]) | st.integers(10_000, 200_000))
        dwell_us = max(1, draw(st.integers(500_000, 4 * US)) // period_us) * period_us + over_us
    return Segment(period_us, width_us, draw(st.integers(0, 100)), second_us, dwell_us)


@st.composite
def programs(draw: st.DrawFn) -> Program:
    """Any legal program of up to 30 s."""
    count = draw(st.sampled_from([1, 2]))
    try:
        return Program(
            tuple(draw(segments(alternates=count > 1)) for _ in range(count)),
            tuple(draw(st.lists(st.sampled_from([1, 2, 3, 4]), min_size=1, max_size=3, unique=True))),
            draw(st.sampled_from([100, 200, 380]) | st.integers(100, 380)),
            draw(st.sampled_from([0, 1, 5 * US, 30 * US]) | st.integers(0, 30 * US)),
            draw(st.integers(1 * US, 30 * US)),
        )
    except Unsafe:
        assume(False)
        raise


amplitudes = st.sampled_from([0, 1, 99, 100, 500, 1_999, 2_000]) | st.integers(0, 2_000)


@st.composite
def commands(draw: st.DrawFn) -> list[tuple[int, int]]:
    """(time, target) in order of time: the first one at 0."""
    times = sorted(draw(st.lists(st.integers(1, 30 * US), max_size=4, unique=True)))
    return [(t_us, draw(amplitudes)) for t_us in [0, *times]]


def scheduled(program: Program, channel: int, run_start_us: int) -> Iterator[tuple[int, int]]:
    """(time, segment) of every scheduled pulse of a run, in order."""
    begin_us, index = run_start_us, 0
    while begin_us < program.stimulation_us:
        segment = program.segments[index]
        k = 0
        while True:
            into_us = k * segment.period_us + offset_us(channel)
            if segment.dwell_us and into_us + segment.span_us > segment.dwell_us:
                break
            if begin_us + into_us + segment.span_us > program.stimulation_us:
                break
            yield begin_us + into_us, index
            k += 1
        if not segment.dwell_us:
            return
        begin_us += segment.dwell_us
        index = 1 - index


def literal_run(program: Program, channel: int, run_start_us: int, targets: list[tuple[int, int]]) -> list[Pulse]:
    """The pulse rule of docs/protocol.md, one pulse after the other."""
    level, last_us, delivered = 0, None, []
    quantum = program.quantum_ua
    for t_us, index in scheduled(program, channel, run_start_us):
        segment = program.segments[index]
        target = [target for at_us, target in targets if at_us <= t_us][-1]
        aim = target
        if t_us >= program.stimulation_us - program.ramp_down_us:
            aim = min(aim, target * (program.stimulation_us - t_us) // program.ramp_down_us)
        since_us = segment.period_us if last_us is None else t_us - last_us
        step = min(100 - 100 % quantum, program.ramp_slope_ua_per_s * since_us // US)
        level = min(aim, level + step) if aim > level else aim
        amplitude = level - level % quantum
        if amplitude:
            delivered.append(Pulse(t_us, index, amplitude))
        last_us = t_us
    return delivered


def counted(program: Program, delivered: list[Pulse]) -> tuple[list[int], list[int]]:
    """Pulses and charge by segment."""
    count, charge_pc = [0, 0], [0, 0]
    for pulse in delivered:
        count[pulse.segment] += 1
        charge_pc[pulse.segment] += pulse.amplitude_ua * program.segments[pulse.segment].width_us
    return count, charge_pc


# --- programs ----------------------------------------------------------------------------------------


def test_the_default_cycle_has_306_pulses() -> None:
    plan = program()
    assert [plan.pulses_in_band(index, 1) for index in (0, 1)] == [6, 300]
    assert plan.cycle_us == 6 * US


def test_modes_in_order_and_with_one_band() -> None:
    assert [segment.period_us for segment in segments_for(Mode.LOW)] == [500_000]
    assert [segment.period_us for segment in segments_for(Mode.HIGH)] == [10_000]
    assert [segment.period_us for segment in PLAIN] == [500_000, 10_000]
    assert [segment.period_us for segment in segments_for(Mode.DENSE_DISPERSE, low_first=False)] == [10_000, 500_000]
    assert [segment.dwell_us for segment in segments_for(Mode.DENSE_DISPERSE, dwell_high_us=US)] == [3 * US, US]
    assert [str(mode) for mode in Mode] == ["2 Hz", "100 Hz", "2/100 Hz"]


def test_a_lower_longer_second_phase_has_the_same_area() -> None:
    (segment,) = segments_for(Mode.LOW, second_ratio_low=2)
    assert (segment.width_us, segment.second_width_us, segment.quantum_ua) == (600, 1_200, 2)
    assert segment.charge_pc(1_000) == 600_000 == segment.second_amplitude_ua(1_000) * 1_200


BROKEN: list[tuple[dict[str, Any], str]] = [
    ({"segments": ()}, "segments"),
    ({"segments": PLAIN * 2}, "segments"),
    ({"channels": ()}, "channels"),
    ({"channels": (1, 2, 3, 4)}, "channels"),
    ({"channels": (0,)}, "channels"),
    ({"channels": (5,)}, "channels"),
    ({"channels": (2, 2)}, "channels"),
    ({"ramp_slope_ua_per_s": 99}, "ramp_slope_ua_per_s"),
    ({"ramp_slope_ua_per_s": 381}, "ramp_slope_ua_per_s"),
    ({"ramp_slope_ua_per_s": 200.0}, "ramp_slope_ua_per_s"),
    ({"ramp_down_us": -1}, "ramp_down_us"),
    ({"ramp_down_us": 30 * US + 1}, "ramp_down_us"),
    ({"stimulation_us": US - 1}, "stimulation_us"),
    ({"stimulation_us": 1_800 * US + 1}, "stimulation_us"),
]


@pytest.mark.parametrize(("changes", "field"), BROKEN)
def test_a_program_that_breaks_a_limit_cannot_be_constructed(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(Unsafe) as refused:
        replace(program(), **changes)
    assert {problem.field for problem in refused.value.problems} == {field}


BROKEN_SEGMENTS: list[tuple[dict[str, Any], str]] = [
    ({"period_us": 9_999}, "period_us"),
    ({"period_us": 1_000_001}, "period_us"),
    ({"width_us": 99}, "width_us"),
    ({"width_us": 601, "second_width_us": 601}, "width_us"),
    ({"width_us": 200.0}, "width_us"),
    ({"interphase_gap_us": -1}, "interphase_gap_us"),
    ({"interphase_gap_us": 101}, "interphase_gap_us"),
    ({"second_width_us": 199}, "second_width_us"),
    ({"second_width_us": 1_201}, "second_width_us"),
    ({"dwell_us": 0}, "dwell_us"),
    ({"dwell_us": 490_000}, "dwell_us"),
    ({"dwell_us": 60_010_000}, "dwell_us"),
    # 400 us after a whole number of periods one more pulse fits, 400 us before the next band's first.
    ({"dwell_us": 3_000_400}, "dwell_us"),
]


@pytest.mark.parametrize(("changes", "field"), BROKEN_SEGMENTS)
def test_a_segment_that_breaks_a_limit_is_named(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(Unsafe) as refused:
        Program((PLAIN[0], replace(PLAIN[1], **changes)), (1, 4))
    assert {problem.field for problem in refused.value.problems} == {f"segment 2 {field}"}


def test_every_broken_limit_is_told_at_once_with_value_and_reason() -> None:
    with pytest.raises(Unsafe) as refused:
        Program((replace(PLAIN[0], width_us=700, second_width_us=1_300),), (9,), 1_000)
    told = str(refused.value)
    assert len(refused.value.problems) == 5
    assert "segment 1 width_us is 700: must be 100 to 600 us (0.1-0.6 ms a phase [choice])" in told
    assert "ramp_slope_ua_per_s is 1000: must be 100 to 380 uA/s" in told
    assert "segment 1 dwell_us is 3000000: must be 0 us" in told


def test_a_quantum_over_100_ua_is_refused() -> None:
    # 101 / gcd(100, 101): amplitudes would have to be multiples of 101 uA, more than one step.
    with pytest.raises(Unsafe, match="amplitude_quantum_ua is 101"):
        Program((Segment(10_000, 100, 0, 101, 0),), (1,))
    assert Program((Segment(10_000, 110, 0, 200, 0),), (1,)).quantum_ua == 20


def test_every_channel_needs_room_for_a_whole_pulse(monkeypatch: pytest.MonkeyPatch) -> None:
    # The limits as they are leave room in any legal program; with laxer ones the check has to fire.
    monkeypatch.setattr(limits, "PERIOD", replace(limits.PERIOD, low=5_000))
    monkeypatch.setattr(limits, "DWELL", replace(limits.DWELL, low=5_000))
    short = Segment(5_000, 200, 0, 200, 0)
    assert Program((short,), (1, 2)).channels == (1, 2)
    with pytest.raises(Unsafe, match="period_us is 5000: must be at least 7900 us"):
        Program((short,), (4,))
    with pytest.raises(Unsafe, match="dwell_us is 7000: must be at least 7900 us"):
        Program((replace(short, period_us=8_000, dwell_us=7_000), PLAIN[0]), (4,))
    monkeypatch.setattr(limits, "SECOND_WIDTH", replace(limits.SECOND_WIDTH, high=2_000))
    with pytest.raises(Unsafe, match="pulse is 2501: must be at most 2500 us"):
        Program((Segment(10_000, 600, 51, 1_850, 0),), (1,))


@given(
    st.tuples(*[st.integers(-1, 1_300)] * 3),
    st.integers(9_000, 1_100_000),
    st.integers(0, 500),
    st.integers(0, 4 * 10**7),
)
def test_whatever_is_constructed_is_inside_the_limits(
    phases: tuple[int, int, int], period_us: int, slope: int, ramp_down_us: int
) -> None:
    try:
        plan = Program((Segment(period_us, *phases, 0),), (1,), slope, ramp_down_us)
    except Unsafe:
        return
    width_us, gap_us, second_us = phases
    assert 100 <= width_us <= 600
    assert 0 <= gap_us <= 100
    assert width_us <= second_us <= 1_200
    assert 10_000 <= period_us <= 1_000_000
    assert 100 <= slope <= 380
    assert ramp_down_us <= 30 * US
    assert plan.quantum_ua <= 100


# --- trains ------------------------------------------------------------------------------------------


@given(programs(), commands(), st.lists(st.integers(0, 31 * US), max_size=5), st.integers(0, 3 * US), st.data())
@settings(max_examples=150, deadline=None)
def test_closed_form_equals_pulse_by_pulse(
    plan: Program, targets: list[tuple[int, int]], stops: list[int], run_start_us: int, data: st.DataObject
) -> None:
    channel = data.draw(st.sampled_from(plan.channels))
    train = Train(plan, channel, run_start_us)
    literal = literal_run(plan, channel, run_start_us, targets)
    moments = sorted([(t_us, 0, target) for t_us, target in targets] + [(t_us, 1, 0) for t_us in stops])
    for t_us, order, target in moments:
        train.advance(t_us)
        if order == 0:
            train.set_target(target)
        done = [pulse for pulse in literal if pulse.t_us < t_us]
        assert (train.pulses, train.charge_pc) == counted(plan, done)
    train.advance(plan.stimulation_us)
    assert (train.pulses, train.charge_pc) == counted(plan, literal)


@pytest.mark.parametrize("moment_us", [60 * US - 1, 60 * US, 60 * US + 1, 63 * US])
def test_a_raise_just_at_a_switch_counts_from_the_pulse_before_it(moment_us: int) -> None:
    """Whole cycles are counted at once up to there; the last pulse of them still sets the first step's size."""
    plan = program(stimulation_us=120 * US)
    targets = [(0, 1_000), (moment_us, 2_000)]
    train = Train(plan, 1)
    for t_us, target in targets:
        train.advance(t_us)
        train.set_target(target)
    train.advance(plan.stimulation_us)
    assert (train.pulses, train.charge_pc) == counted(plan, literal_run(plan, 1, 0, targets))


@pytest.mark.parametrize("ramp_down_us", [0, 5 * US, 30 * US])
@pytest.mark.parametrize("target", [99, 1_000, 2_000])
def test_a_long_fall_over_several_cycles(ramp_down_us: int, target: int) -> None:
    plan = program(stimulation_us=121 * US, ramp_down_us=ramp_down_us)
    train = Train(plan, 1)
    train.set_target(target)
    train.advance(plan.stimulation_us)
    assert (train.pulses, train.charge_pc) == counted(plan, literal_run(plan, 1, 0, [(0, target)]))


@given(programs(), amplitudes, st.integers(0, 3 * US))
@settings(max_examples=60, deadline=None)
def test_walking_gives_the_same_pulses(plan: Program, target: int, run_start_us: int) -> None:
    channel = plan.channels[0]
    assert list(pulses(plan, channel, target, run_start_us=run_start_us)) == literal_run(
        plan, channel, run_start_us, [(0, target)]
    )


def pulses_of(plan: Program, stretch: Stretch) -> list[Pulse]:
    found = []
    for cycle in range(stretch.cycles):
        for i in range(stretch.pulses):
            level_ua = (stretch.start + i * stretch.step) // stretch.divisor
            t_us = stretch.t_us + cycle * plan.cycle_us + i * plan.segments[stretch.segment].period_us
            found.append(Pulse(t_us, stretch.segment, level_ua - level_ua % plan.quantum_ua))
    return [pulse for pulse in found if pulse.amplitude_ua]


@given(programs(), commands(), st.booleans())
@settings(max_examples=100, deadline=None)
def test_stretches_are_the_same_pulses(plan: Program, targets: list[tuple[int, int]], flat: bool) -> None:
    by_stretch, by_pulse = (Train(plan, plan.channels[0], flat=flat) for _ in range(2))
    for (_, target), (until_us, _) in pairwise([*targets, (plan.stimulation_us, 0)]):
        for train in (by_stretch, by_pulse):
            train.set_target(target)
        # The bands of several cycles come one after the other.
        found = sorted(pulse for stretch in by_stretch.stretches(until_us) for pulse in pulses_of(plan, stretch))
        assert found == list(by_pulse.walk(until_us))
        assert (by_stretch.pulses, by_stretch.charge_pc) == (by_pulse.pulses, by_pulse.charge_pc)


def test_half_an_hour_is_few_stretches() -> None:
    train = Train(program(), 1)
    train.set_target(2_000)
    found = list(train.stretches(30 * 60 * US))
    assert len(found) < 20
    assert max(stretch.cycles for stretch in found) > 290


@given(programs(), amplitudes)
@settings(max_examples=60, deadline=None)
def test_a_flat_train_has_every_scheduled_pulse_at_the_target(plan: Program, target: int) -> None:
    channel = plan.channels[-1]
    amplitude = target - target % plan.quantum_ua
    expected = [Pulse(t_us, index, amplitude) for t_us, index in scheduled(plan, channel, 0) if amplitude]
    assert list(pulses(plan, channel, target, flat=True)) == expected
    train = Train(plan, channel, flat=True)
    train.set_target(target)
    train.advance(plan.stimulation_us)
    assert (train.pulses, train.charge_pc) == counted(plan, expected)


@given(programs(), commands())
@settings(max_examples=80, deadline=None)
def test_laws_of_every_delivered_pulse(plan: Program, targets: list[tuple[int, int]]) -> None:
    train = Train(plan, plan.channels[0])
    delivered: list[Pulse] = []
    for (t_us, target), (next_us, _) in pairwise([*targets, (plan.stimulation_us, 0)]):
        train.advance(t_us)
        train.set_target(target)
        here = list(train.walk(max(t_us, next_us)))
        assert all(pulse.amplitude_ua <= target for pulse in here), "never over the target, lowered at once"
        delivered += here
    last_ua = 0
    for pulse in delivered:
        segment = plan.segments[pulse.segment]
        second_ua = segment.second_amplitude_ua(pulse.amplitude_ua)
        assert segment.charge_pc(pulse.amplitude_ua) == second_ua * segment.second_width_us, "balanced in integers"
        assert segment.charge_pc(pulse.amplitude_ua) <= limits.CHARGE_PER_PHASE.high
        assert second_ua <= pulse.amplitude_ua <= limits.CEILING.high
        assert pulse.amplitude_ua - last_ua <= limits.RAISE_STEP_UA
        assert pulse.t_us + segment.span_us <= plan.stimulation_us, "whole before the timer's end"
        last_ua = pulse.amplitude_ua
    for before, after in pairwise(delivered):
        assert after.t_us - before.t_us >= limits.PERIOD.low, "never over 100 Hz, at a switch either"


@given(programs(), st.integers(0, 20 * US))
@settings(max_examples=80, deadline=None)
def test_never_from_zero_to_2_ma_in_under_5_s(plan: Program, zero_us: int) -> None:
    """From the run's start, and again from a fall to zero in the middle of it."""
    channel = plan.channels[0]
    train = Train(plan, channel)
    train.set_target(2_000)
    before = list(train.walk(zero_us))
    train.set_target(0)
    # Held at zero for long enough to have a pulse there, which was not given; the rise counts from its time.
    raised_us = zero_us + 2_100_000
    assert list(train.walk(raised_us)) == []
    last_zero_us = max((t_us for t_us, _ in scheduled(plan, channel, 0) if t_us < raised_us), default=0)
    train.set_target(2_000)
    after = list(train.walk(plan.stimulation_us))
    for start_us, stretch in ((0, before), (last_zero_us, after)):
        top_us = [pulse.t_us for pulse in stretch if pulse.amplitude_ua > 2_000 - plan.quantum_ua]
        assert all(t_us - start_us >= 5 * US for t_us in top_us)


def test_the_fastest_ramp_reaches_2_ma_and_no_sooner_than_5_s() -> None:
    """The law above is not empty: at the highest slope and the worst period 2.0 mA comes just after 5 s."""
    plan = Program((Segment(263_158, 200, 0, 200, 0),), (1,), 380)
    first_us = next(pulse.t_us for pulse in pulses(plan, 1, 2_000) if pulse.amplitude_ua == 2_000)
    assert first_us == 19 * 263_158 == 5_000_002


@given(programs())
@settings(max_examples=60, deadline=None)
def test_no_two_channels_drive_at_once(plan: Program) -> None:
    driven = sorted(
        (pulse.t_us, pulse.t_us + plan.segments[pulse.segment].span_us)
        for channel in plan.channels
        for pulse in pulses(plan, channel, 2_000, flat=True)
    )
    assert all(end_us <= begin_us for (_, end_us), (begin_us, _) in pairwise(driven))


@given(programs())
@settings(max_examples=60, deadline=None)
def test_whole_pulses_only_at_a_switch_of_band(plan: Program) -> None:
    bands = list(plan.bands(0, plan.stimulation_us))
    for channel in plan.channels:
        for t_us, index, _ in pulses(plan, channel, 2_000, flat=True):
            ((begin_us, end_us),) = [(begin, end) for _, begin, end in bands if begin <= t_us < end]
            assert t_us + plan.segments[index].span_us <= end_us
            assert (t_us - begin_us - offset_us(channel)) % plan.segments[index].period_us == 0


def test_a_pulse_that_would_not_fit_before_the_switch_is_not_begun() -> None:
    # 100 Hz for 0.51 s: channel 4's last pulse begins 507.5 ms into the band; the next one would cross the switch.
    low, high = PLAIN
    plan = Program((low, replace(high, dwell_us=510_000)), (1, 4), stimulation_us=10 * US)
    in_band = [pulse.t_us for pulse in pulses(plan, 4, 2_000, flat=True) if pulse.segment == 1 and pulse.t_us < 4 * US]
    assert len(in_band) == 51
    assert in_band[0] == 3 * US + 7_500
    assert in_band[-1] + high.span_us == 3 * US + 507_900


def test_a_train_that_has_been_copied_goes_its_own_way() -> None:
    train = Train(program(), 1)
    train.set_target(2_000)
    train.advance(20 * US)
    ahead = train.copy()
    ahead.advance(60 * US)
    assert sum(ahead.pulses) > sum(train.pulses)
    train.advance(60 * US)
    assert (ahead.pulses, ahead.charge_pc) == (train.pulses, train.charge_pc)
    assert train.level_ua == train.target_ua == 2_000


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(Misuse, match="channel 2 is not in the program"):
        Train(program(), 2)
    with pytest.raises(Misuse, match="cannot begin at -1 us"):
        Train(program(), 1, -1)
    for target in (-1, 2_001, 500.0):
        with pytest.raises(Unsafe, match="amplitude_ua"):
            Train(program(), 1).set_target(target)  # type: ignore[arg-type]


@given(st.integers(0, 60), st.integers(1, 10**6), st.integers(0, 10**6), st.integers(0, 10**6))
def test_floor_sum_is_the_sum(count: int, divisor: int, step: int, start: int) -> None:
    assert floor_sum(count, divisor, step, start) == sum((start + i * step) // divisor for i in range(count))
