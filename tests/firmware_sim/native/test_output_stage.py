"""What the output stage measures, when it trips and how fast, and what zero is."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_sim.analog.converter import READBACK_ACCURACY_PERMILLE, READBACK_ACCURACY_UA, Dac, Switch
from firmware_sim.analog.load import OPEN, SHORT, Load, ScriptedLoad, load_named, steady
from firmware_sim.analog.needle_pair import NeedlePair
from firmware_sim.analog.recorder import FlowKind, Recorder
from firmware_sim.native.output_stage import OutputStage, Trip
from firmware_sim.native.program import OutputProgram, OutputSegment
from stimctl.wire.codes import SATURATED_OHM, ChannelFlag, EndReason

S = 1_000_000
MIN = 60 * S
HIGH = OutputSegment(10_000, 200, 0, 200, 0)
LOW = OutputSegment(500_000, 600, 0, 600, 0)
WIDE = OutputSegment(10_000, 600, 0, 600, 0)
TAILED = OutputSegment(10_000, 300, 100, 1_200, 0)
DENSE = OutputProgram((replace(LOW, dwell_us=3 * S), replace(HIGH, dwell_us=3 * S)), 1, 200, 5 * S)


def stage_on(load: Load | str, *, seed: int = 1, recorder: Recorder | None = None) -> OutputStage:
    stage = OutputStage(load_named(load) if isinstance(load, str) else load, seed=seed, recorder=recorder)
    stage.gate = lambda *_: True
    return stage


def flat(stage: OutputStage, segment: OutputSegment, targets_ua: dict[int, int], limit_us: int = 30 * MIN) -> None:
    """Begin at the targets, without a ramp."""
    program = OutputProgram((segment,), 0b1111, 200, 0)
    stage.begin(program, targets_ua, 0, limit_us, 0, levels_ua=targets_ua)


def asking(stage: OutputStage) -> tuple[list[tuple[int, ...]], OutputStage]:
    """Note what the gate is asked; it permits everything."""
    asked: list[tuple[int, ...]] = []

    def gate(*pulse: int) -> bool:
        asked.append(pulse)
        return True

    stage.gate = gate
    return asked, stage


class OddDac(Dac):
    """Another current than was asked for, in each phase its own."""

    def __init__(self, first: Callable[[int], int], second: Callable[[int], int]) -> None:
        self._first, self._second = first, second

    def current_na(self, amplitude_ua: int) -> int:
        right_na = super().current_na(amplitude_ua)
        return self._first(right_na) if amplitude_ua >= 0 else self._second(right_na)


def same(current_na: int) -> int:
    return current_na


class Leak(Switch):
    """Lets a current through when it is open."""

    def leak_na(self, now_us: int) -> int:
        return 150_000


class OneByOne:
    """A load that leaks a thousandth into channel 4, which sends each pulse its own way, and is the same otherwise."""

    def __init__(self, load: Load) -> None:
        self._load = load

    def pair(self, channel: int, now_us: int) -> NeedlePair:
        return replace(self._load.pair(channel, now_us), leaks_to=4, leak_permille=1)

    def next_change_us(self, channel: int, now_us: int) -> int:
        return self._load.next_change_us(channel, now_us)

    def watch(self, changed: Callable[[], None]) -> None:
        self._load.watch(changed)


# --- accuracy ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("load", ["r500", "r2k", "nominal", "dry", "randles", "drift"])
@pytest.mark.parametrize("segment", [LOW, HIGH, TAILED])
def test_measured_agrees_with_what_flowed_within_the_stated_accuracy(load: str, segment: OutputSegment) -> None:
    for seed in range(6):
        for amplitude_ua in (500, 1_236, 2_000):
            recorder = Recorder()
            stage = stage_on(load, seed=seed, recorder=recorder)
            flat(stage, segment, {1: amplitude_ua})
            assert stage.run(1 * MIN) is None
            row, totals = stage.readout(1), stage.totals(1)
            allowed_ua = READBACK_ACCURACY_UA + amplitude_ua * READBACK_ACCURACY_PERMILLE / 1_000
            assert abs(row.measured_ua - amplitude_ua) <= allowed_ua
            assert abs(totals.max_amplitude_ua - amplitude_ua) <= allowed_ua
            allowed_pc = totals.pulses_0 * segment.width_us * allowed_ua
            assert abs(totals.measured_0_pc - recorder.charge_pc(1)) <= allowed_pc
            assert abs(totals.measured_0_pc - totals.charge_0_pc) <= allowed_pc
            assert abs(totals.net_charge_pc) <= totals.pulses_0 * 3_000
            assert totals.net_charge_pc == row.net_charge_pc
            assert row.flags == totals.compliance_hits == 0


@pytest.mark.parametrize(
    ("load", "low_ohm", "high_ohm"), [("r500", 480, 520), ("r2k", 1_950, 2_050), ("nominal", 745, 775)]
)
def test_ohm_is_voltage_over_current_at_the_first_phases_end(load: str, low_ohm: int, high_ohm: int) -> None:
    stage = stage_on(load)
    flat(stage, HIGH, {1: 2_000})
    stage.run(10 * S)
    assert low_ohm <= stage.readout(1).ohm <= high_ohm


def test_energy_is_what_a_resistor_turns_into_heat() -> None:
    stage = stage_on("r500")
    flat(stage, LOW, {1: 2_000})
    stage.run(10 * S)
    # 20 pulses of 1.2 ms at 2 mA in 500 ohm: 20 * 1.2 ms * 4e-6 * 500 W = 48 uJ [calc]
    assert stage.totals(1).energy_nj == pytest.approx(48_000, rel=0.02)


@pytest.mark.parametrize("load", ["nominal", "r1k", "drift", "dry"])
@pytest.mark.parametrize("program", [DENSE, OutputProgram((TAILED,), 1, 300, 2 * S)])
def test_a_stretch_comes_to_what_its_pulses_come_to_one_by_one(load: str, program: OutputProgram) -> None:
    rows = []
    for chosen in (load_named(load), OneByOne(load_named(load))):
        stage = stage_on(chosen)
        stage.begin(program, {1: 800, 3: 502}, 0, MIN, 3 * S)
        stage.run(25 * S)
        early = stage.readout(1)
        stage.run(MIN)
        rows.append((early, stage.readout(3), stage.totals(1), stage.totals(3)))
    fast, slow = rows
    assert fast[:2] == slow[:2]
    for one, other in zip(fast[2:], slow[2:], strict=True):
        assert one[:-1] == other[:-1]
        assert one.energy_nj == pytest.approx(other.energy_nj, rel=1e-6, abs=1)


@pytest.mark.parametrize("load", ["nominal", "dry", "r100", "r2k", "randles", "drift"])
@pytest.mark.parametrize("segment", [LOW, HIGH, WIDE, TAILED])
def test_a_steady_half_hour_is_done_in_stretches(load: str, segment: OutputSegment) -> None:
    for seed in range(5):
        asked, stage = asking(stage_on(load, seed=seed))
        flat(stage, segment, {1: 500, 2: 2_000, 3: 0})
        assert stage.run(30 * MIN) is None
        assert len(asked) <= (2 * 1_800 if load == "drift" else 2)


# --- counters and runs ---------------------------------------------------------------------------------


def test_counters_go_on_over_runs_until_they_are_reset() -> None:
    stage = stage_on("r500")
    flat(stage, HIGH, {1: 1_000}, 10 * S)
    stage.run(1 * S)
    stage.disable(1 * S)
    assert stage.readout(1)[1:4] == (0, 0, 0)
    stage.begin(OutputProgram((HIGH,), 1, 200, 0), {1: 1_000}, 1 * S, 10 * S, 9 * S, levels_ua={1: 1_000})
    stage.run(2 * S)
    assert stage.totals(1).pulses_0 == 200
    assert stage.readout(1)[:4] == (0, 1_000, 1_000, stage.readout(1).measured_ua)
    stage.reset_counters()
    stage.run(3 * S)
    assert stage.totals(1).pulses_0 == 100


def test_a_stage_without_a_run_has_no_channel_that_could_be_due() -> None:
    stage = stage_on("r500")
    flat(stage, HIGH, {1: 1_000})
    stage.run(S)
    stage.disable(S)
    assert stage.run(2 * S) is None
    stage.due_us = 0  # wrongly
    with pytest.raises(AssertionError, match="due without a channel"):
        stage.run(3 * S)


def test_no_pulse_without_a_gate_and_none_that_it_denies() -> None:
    stage = OutputStage(load_named("r500"), seed=1)
    flat(stage, HIGH, {1: 1_000})
    assert stage.run(S) == Trip(EndReason.GATE, 1, 1_000, 0)
    assert stage.totals(1).pulses_0 == 0
    recorder = Recorder()
    stage = stage_on("r500", recorder=recorder)
    stage.gate = lambda _c, _s, amplitude_ua, _b, _l: amplitude_ua <= 500
    stage.begin(OutputProgram((HIGH,), 1, 200, 0), {1: 600}, 0, MIN, 0)
    trip = stage.run(MIN)
    assert trip is not None
    assert (trip.reason, trip.value) == (EndReason.GATE, 502)
    assert max(flow.shape.first_na for flow in recorder.flows(1)) == 500_000
    assert stage.run(2 * MIN) is None
    assert recorder.pulses(1) == stage.totals(1).pulses_0 == 250


def test_the_gate_sees_every_amplitude_with_the_one_before() -> None:
    asked, stage = asking(stage_on("r500"))
    stage.begin(OutputProgram((TAILED,), 2, 300, 0), {2: 13}, 0, MIN, 0)
    stage.run(1 * S)
    stage.set_target(2, 8)
    stage.run(2 * S)
    # The quantum is 4: 3 uA a pulse from zero are 0, 4, 8, 12, 12 (of 13); the last repeats for as long as it lasts.
    assert asked == [(2, 0, 4, 1, 0), (2, 0, 8, 2, 4), (2, 0, 12, 3, 8), (2, 0, 12, 3, 12), (2, 0, 12, 3, 12),
                     (2, 0, 8, 2, 12), (2, 0, 8, 2, 8)]  # fmt: skip


def test_a_target_below_a_steady_level_is_shown_to_the_gate_with_that_level() -> None:
    asked, stage = asking(stage_on("r500"))
    flat(stage, HIGH, {1: 1_000})
    stage.run(1 * S)
    stage.set_target(1, 500)
    stage.run(1 * S + 1)
    assert asked[-1] == (1, 0, 500, 500, 1_000)


def test_a_channel_at_target_zero_applies_and_measures_nothing() -> None:
    stage = stage_on("r500")
    flat(stage, HIGH, {1: 1_000})
    stage.run(1 * S)
    stage.set_target(1, 0)
    stage.run(2 * S)
    assert stage.readout(1)[1:4] == (0, 0, 0)
    assert stage.totals(1).pulses_0 == 100
    stage.set_target(1, 100)
    stage.run(2 * S + 1)
    assert stage.readout(1)[1:3] == (100, 2)


# --- compliance, lead-off, short --------------------------------------------------------------------------


def test_a_load_that_needs_more_voltage_gets_less_current_and_trips_at_the_third_pulse() -> None:
    recorder = Recorder()
    stage = stage_on("r10k", recorder=recorder)
    flat(stage, HIGH, {1: 2_000})
    assert stage.run(15_000) is None
    row = stage.readout(1)
    assert row.applied_ua == 2_000
    assert row.measured_ua == pytest.approx(1_200, abs=22)
    assert row.ohm == pytest.approx(10_000, rel=0.03)
    assert row.flags == ChannelFlag.COMPLIANCE | ChannelFlag.LEAD_OFF
    trip = stage.run(S)
    assert trip is not None
    assert (trip.reason, trip.channel, trip.at_us) == (EndReason.LEAD_OFF, 1, 20_400)
    assert trip.value == pytest.approx(10_000, rel=0.03)
    assert (recorder.pulses(1), stage.totals(1).compliance_hits) == (3, 3)
    assert recorder.flows(1)[0].shape.first_na == 1_200_000
    assert stage.stimulation_us == 20_400


def test_phases_that_differ_because_of_the_rail_are_lead_off_and_not_net_charge() -> None:
    stage = stage_on(steady(NeedlePair(10_000, 2.5, 47_000)))
    flat(stage, WIDE, {1: 2_000})
    trip = stage.run(S)
    assert trip is not None
    assert trip.reason == EndReason.LEAD_OFF
    assert (
        stage.totals(1).net_charge_pc < -3 * 12_000
    )  # each over 1 % of 1.2 uC: the second phase has the charge to help it


def test_over_five_kilohms_is_lead_off_although_the_rail_is_not_reached() -> None:
    for ohm, trips in ((5_500.0, True), (4_500.0, False)):
        stage = stage_on(steady(NeedlePair(ohm)))
        flat(stage, HIGH, {1: 1_000})
        trip = stage.run(S)
        assert (trip is not None and trip.reason == EndReason.LEAD_OFF) == trips
        assert stage.totals(1).compliance_hits == 0


def test_a_low_rail_is_compliance_and_no_lead_off() -> None:
    stage = stage_on(steady(NeedlePair(4_000)))
    stage.refit(2, rail_volt=5.0)
    flat(stage, HIGH, {2: 2_000})
    trip = stage.run(S)
    assert trip is not None
    assert (trip.reason, trip.channel, trip.at_us) == (EndReason.COMPLIANCE, 2, 22_900)


@pytest.mark.parametrize(
    ("segment", "reason", "ohm", "at_us"),
    [(HIGH, EndReason.COMPLIANCE, 0, 20_400), (LOW, EndReason.LEAD_OFF, SATURATED_OHM, 1_001_200)],
)  # below 100 uA nothing is told of a load but that it takes the highest voltage
def test_open_leads_are_found_in_the_ramps_first_three_pulses(
    segment: OutputSegment, reason: EndReason, ohm: int, at_us: int
) -> None:
    stage = stage_on("open")
    stage.begin(OutputProgram((segment,), 1, 200, 0), {1: 2_000}, 0, MIN, 0)
    assert stage.run(MIN) == Trip(reason, 1, ohm, at_us)


def test_a_clip_that_comes_off_trips_within_three_pulses_of_it() -> None:
    load = ScriptedLoad(load_named("nominal"))
    stage = stage_on(load)
    flat(stage, HIGH, {1: 1_000, 2: 1_000})
    stage.run(5 * S)
    load.set(7 * S + 5_000, steady(OPEN), channel=2)
    trip = stage.run(MIN)
    assert trip is not None
    assert (trip.reason, trip.channel) == (EndReason.LEAD_OFF, 2)
    assert trip.at_us == 7 * S + 32_900  # pulses of channel 2 at 7.0125, 7.0225 and 7.0325 s
    # The other channel delivered each pulse that started before that, and none after.
    assert stage.totals(1).pulses_0 == 704
    assert stage.totals(2).pulses_0 == 704


def test_two_bad_pulses_are_not_three() -> None:
    load = ScriptedLoad(load_named("nominal"), [(2 * S, steady(OPEN)), (2 * S + 15_000, load_named("nominal"))])
    stage = stage_on(load)
    flat(stage, HIGH, {1: 1_000})
    assert stage.run(10 * S) is None
    assert stage.totals(1).compliance_hits == 2
    load.set(10 * S, steady(OPEN))
    load.set(10 * S + 15_000, load_named("nominal"))
    assert stage.run(20 * S) is None
    assert stage.totals(1).compliance_hits == 4


def test_an_intermittent_clip_is_found() -> None:
    stage = stage_on("intermittent")
    flat(stage, HIGH, {1: 1_000})
    trip = stage.run(MIN + 5 * S)
    assert trip is not None
    assert trip.reason == EndReason.LEAD_OFF


def test_a_short_ends_it_at_the_third_pulse() -> None:
    load = ScriptedLoad(load_named("nominal"), [(3 * S, steady(SHORT))])
    stage = stage_on(load)
    flat(stage, HIGH, {1: 1_000})
    trip = stage.run(10 * S)
    assert trip is not None
    assert (trip.reason, trip.at_us) == (EndReason.SHORT, 3_020_400)
    assert 0 < trip.value < 50
    assert stage.readout(1).flags == ChannelFlag.SHORT


def test_a_short_is_found_in_a_ramp_and_a_hundred_ohm_are_none() -> None:
    for seed in range(20):
        stage = stage_on("short", seed=seed)
        stage.begin(OutputProgram((HIGH,), 1, 200, 0), {1: 2_000}, 0, MIN, 0)
        trip = stage.run(MIN)
        assert trip is not None
        assert trip.reason == EndReason.SHORT
        assert trip.at_us < 600_000, "in the third pulse of 100 uA or more"
        stage = stage_on("r100", seed=seed)
        stage.begin(OutputProgram((HIGH,), 1, 200, 0), {1: 2_000}, 0, MIN, 0)
        assert stage.run(MIN) is None


# --- over-current -----------------------------------------------------------------------------------------


def test_over_current_is_cut_in_mid_pulse_within_a_millisecond() -> None:
    recorder = Recorder()
    stage = stage_on("nominal", recorder=recorder)
    flat(stage, WIDE, {1: 1_000})
    stage.run(2 * S + 5_000)
    stage.refit(1, dac=OddDac(lambda _: 2_558_750, lambda _: -2_558_750))
    trip = stage.run(3 * S)
    assert trip is not None
    assert (trip.reason, trip.channel) == (EndReason.OVER_CURRENT, 1)
    assert trip.value > 2_200
    began_us = recorder.flows(1)[-1].first_us
    assert began_us == 2_010_000
    assert 0 < trip.at_us - began_us < min(1_000, WIDE.width_us)
    assert recorder.end_us() - began_us == trip.at_us - began_us
    assert stage.totals(1).pulses_0 == 202
    assert stage.readout(1).flags == ChannelFlag.OVER_CURRENT


def test_a_current_that_flows_the_wrong_way_is_over_current_too() -> None:
    recorder = Recorder()
    stage = stage_on("nominal", recorder=recorder)
    stage.refit(1, dac=OddDac(lambda _: -2_558_750, lambda _: -2_558_750))
    flat(stage, WIDE, {1: 1_000})
    trip = stage.run(S)
    assert trip is not None
    assert (trip.reason, trip.channel) == (EndReason.OVER_CURRENT, 1)
    assert trip.value > 2_200
    assert recorder.end_us() < WIDE.width_us, "in its first phase"


@pytest.mark.parametrize(
    ("applied_ua", "real_ua", "trips"),
    # over applied + the larger of 10 % and 100 uA, and over 2 200 in any case
    [(500, 590, False), (500, 610, True), (1_500, 1_640, False), (1_500, 1_660, True), (2_000, 2_190, False),
     (2_000, 2_210, True), (100, 190, False), (100, 210, True)],
)  # fmt: skip
@pytest.mark.parametrize("phase", ["first", "second"])
def test_over_current_trips_at_its_limit_and_not_below(applied_ua: int, real_ua: int, trips: bool, phase: str) -> None:
    stage = stage_on("r500")
    stage.refit(1, readback=replace(stage.readback(1), gain_ppm=0, offset_na=0))
    real_na = real_ua * 1_000
    first, second = (lambda _: real_na, same) if phase == "first" else (same, lambda _: -real_na)
    stage.refit(1, dac=OddDac(first, second))
    flat(stage, HIGH, {1: applied_ua})
    trip = stage.run(1_000)
    assert (trip is not None and trip.reason == EndReason.OVER_CURRENT) == trips
    if trip is not None and trips:
        assert trip.at_us == (20 if phase == "first" else 220)


def test_a_channel_that_drives_nothing_and_reads_current_is_over_current() -> None:
    recorder = Recorder()
    stage = stage_on("bridged", recorder=recorder)
    stage.begin(OutputProgram((HIGH,), 1, 200, 0), {1: 2_000}, 0, MIN, 0)
    trip = stage.run(MIN)
    assert trip is not None
    assert (trip.reason, trip.channel) == (EndReason.OVER_CURRENT, 2)
    # A fifth of channel 1 shows on channel 2: over 100 uA from about 0.5 mA on.
    assert 450 <= stage.readout(1).pulses_0 * 2 <= 550
    assert recorder.pulses(2) == 0
    assert recorder.pulses(2, FlowKind.LEAK) == stage.totals(1).pulses_0
    assert stage.totals(2).max_amplitude_ua >= 100
    assert stage.readout(2).flags == ChannelFlag.OVER_CURRENT


# --- net charge ---------------------------------------------------------------------------------------------


def net_trip(permille: int, segment: OutputSegment, amplitude_ua: int, run_us: int = 5 * S) -> Trip | None:
    stage = stage_on("r500")
    stage.refit(
        1,
        dac=OddDac(same, lambda na: na * (1_000 - permille) // 1_000),
        readback=replace(stage.readback(1), gain_ppm=0, net_bias_pc=0),
    )
    flat(stage, segment, {1: amplitude_ua})
    return stage.run(run_us)


def test_unbalanced_phases_trip_at_the_end_of_the_first_pulse() -> None:
    # 2 % of 600 nC are 12 nC: over 1 % of the phase.
    trip = net_trip(20, WIDE, 1_000)
    assert trip is not None
    assert (trip.reason, trip.at_us) == (EndReason.NET_CHARGE, 1_200)
    assert trip.value == pytest.approx(12_000, abs=300)


def test_the_stated_floor_bounds_the_net_charge_of_small_pulses() -> None:
    assert net_trip(20, HIGH, 500) is None  # 2 nC: over 1 % of 100 nC, under the floor of 3
    trip = net_trip(40, HIGH, 500)
    assert trip is not None
    assert trip.reason == EndReason.NET_CHARGE


def test_direct_current_over_one_microampere_trips_although_each_pulse_is_within_one_percent() -> None:
    # 0.9 % of 1.2 uC is 10.8 nC a pulse: within 1 %. At 100 Hz that is 1.08 uA.
    trip = net_trip(9, WIDE, 2_000)
    assert trip is not None
    assert trip.reason == EndReason.NET_CHARGE
    assert 1 * S <= trip.at_us <= 2 * S
    assert net_trip(8, WIDE, 2_000) is None  # 0.96 uA
    assert net_trip(9, replace(WIDE, period_us=20_000), 2_000) is None


# --- trips and slices ---------------------------------------------------------------------------------------


@settings(max_examples=30)
@given(st.integers(1, 400_000), st.sampled_from(["r10k", "open", "short", "bridged"]))
def test_a_trip_is_the_same_however_time_is_sliced_and_never_ahead_of_it(slice_us: int, load: str) -> None:
    whole, sliced = stage_on(load), stage_on(load)
    for stage in (whole, sliced):
        stage.begin(OutputProgram((HIGH,), 0b111, 300, 0), {1: 1_500, 3: 800}, 0, MIN, 0)
    expected, found = whole.run(MIN), None
    assert expected is not None
    until_us = max(0, expected.at_us - 20 * slice_us)
    assert sliced.run(until_us) is None
    while found is None:
        until_us += slice_us
        found = sliced.run(until_us)
    assert found == expected
    assert found.at_us <= until_us
    assert [whole.totals(channel) for channel in (1, 2, 3)] == [sliced.totals(channel) for channel in (1, 2, 3)]


def test_a_stop_before_a_trip_takes_effect_leaves_the_trip_out() -> None:
    stage = stage_on("r10k")
    flat(stage, HIGH, {1: 2_000})
    assert stage.run(20_300) is None  # the third pulse is in flight
    stage.disable(20_300)
    assert stage.run(S) is None
    assert stage.totals(1).pulses_0 == 3


# --- zero -----------------------------------------------------------------------------------------------------


def test_zero_reads_noise_below_twenty_microamperes() -> None:
    stages = [stage_on("nominal", seed=seed) for seed in range(20)]
    read = {stage.zero_ua(now_us) for stage in stages for now_us in range(0, 200_000, 1_000)}
    assert max(read) < 20
    assert len(read) > 2


def test_a_pulse_in_flight_is_completed_and_keeps_zero_away_until_its_end() -> None:
    recorder = Recorder()
    stage = stage_on("r500", recorder=recorder)
    flat(stage, TAILED, {1: 1_000})
    stage.run(2_000_001)
    stage.disable(2_000_001)
    assert recorder.end_us() == 2_001_600
    assert stage.zero_ua(2_000_100) == pytest.approx(1_000, abs=20)
    assert stage.zero_ua(2_001_599) == pytest.approx(250, abs=13)
    assert stage.zero_ua(2_001_600) < 20
    stage.run(3 * S)
    assert recorder.pulses(1) == stage.totals(1).pulses_0 == 201


def test_a_pulse_at_the_instant_of_the_stop_is_not_delivered() -> None:
    stage = stage_on("r500")
    flat(stage, HIGH, {1: 1_000})
    stage.run(2 * S)
    stage.disable(2 * S)
    assert stage.totals(1).pulses_0 == 200
    assert stage.zero_ua(2 * S) < 20


def test_a_leaking_switch_is_no_zero() -> None:
    stage = stage_on("r500")
    stage.refit(3, switch=Leak())
    assert stage.zero_ua(5 * S) == pytest.approx(150, abs=11)
    stage.refit(3, switch=Switch())
    assert stage.zero_ua(5 * S) < 20


def test_behind_an_amplitude_of_zero_the_gate_is_shown_a_rise_from_zero() -> None:
    asked, stage = asking(stage_on("r500"))
    flat(stage, HIGH, {1: 1_000})
    stage.run(1 * S)
    stage.set_target(1, 0)
    stage.run(2 * S)
    stage.set_target(1, 100)
    stage.run(2 * S + 1)
    assert asked[-1] == (1, 0, 2, 2, 0)


def test_what_was_read_of_a_load_is_told_until_a_new_session() -> None:
    stage = stage_on("short")
    stage.begin(OutputProgram((HIGH,), 1, 380, 0), {1: 200}, 0, 10 * S, 0)
    trip = stage.run(10 * S)
    assert trip is not None
    before = stage.readout(1)
    assert before.flags == ChannelFlag.SHORT
    assert 0 < before.ohm < 50
    stage.reset_counters()
    after = stage.readout(1)
    assert (after.flags, after.ohm) == (0, 0)
