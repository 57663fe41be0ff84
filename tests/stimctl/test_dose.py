"""Planned and commanded dose: the golden values of the schedule, with and without ramps, to the picocoulomb."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stimctl.dose import ChannelDose, CommandedDose, band_us, dose_record, planned, planned_band_us
from stimctl.errors import Misuse, Unsafe
from stimctl.waveform import Mode, Program, Pulse, Train, pulses, reached, segments_for

US = 1_000_000
MINUTE = 60 * US


def program(mode: Mode = Mode.DENSE_DISPERSE, channels: tuple[int, ...] = (1,), **changes: Any) -> Program:
    return Program(segments_for(mode), channels, **changes)


# mode, minutes, pulses, charge in pC: at 2.0 mA, 0.6 / 0.2 ms, 3 s / 3 s, no ramp.
GOLDEN = [
    (Mode.DENSE_DISPERSE, 20, 61_200, 25_440_000_000),
    (Mode.DENSE_DISPERSE, 30, 91_800, 38_160_000_000),
    (Mode.LOW, 20, 2_400, 2_880_000_000),
    (Mode.LOW, 30, 3_600, 4_320_000_000),
    (Mode.HIGH, 20, 120_000, 48_000_000_000),
    (Mode.HIGH, 30, 180_000, 72_000_000_000),
]


@pytest.mark.parametrize(("mode", "minutes", "count", "charge_pc"), GOLDEN)
@pytest.mark.parametrize("channel", [1, 4])
def test_golden_doses_of_the_schedule(mode: Mode, minutes: int, count: int, charge_pc: int, channel: int) -> None:
    plan = program(mode, (channel,), stimulation_us=minutes * MINUTE)
    dose = planned(plan, {channel: 2_000}, flat=True)[channel]
    assert (dose.total_pulses, dose.total_charge_pc) == (count, charge_pc)


def test_a_dose_in_the_log_is_by_channel_and_by_segment() -> None:
    doses = {1: ChannelDose((6, 300), (2_100, 299_700)), 3: ChannelDose()}
    assert dose_record(doses) == {
        "1": {"pulses": [6, 300], "charge_pc": [2_100, 299_700]},
        "3": {"pulses": [0, 0], "charge_pc": [0, 0]},
    }


def test_golden_dose_with_ramps() -> None:
    """2/100 Hz, 20 min, 2.0 mA, 200 uA/s, fall of 5 s, channel 1; by hand, amplitudes in uA.

    Rise. 2 Hz pulses are 0.5 s apart: +100 each. 100 Hz pulses are 10 ms apart: +2 each. The first pulse of the
    run counts as one period after nothing (+100), the first of a 100 Hz band comes 0.5 s after the last 2 Hz pulse
    (+100), the first of a 2 Hz band 10 ms after the last 100 Hz pulse (+2).
      0-3 s     100, 200 .. 600                                                     sum      2 100
      3-6 s     700, 702 .. 1298        300 * 700 + 2 * 299 * 300 / 2               sum    299 700
      6-9 s     1300, 1400 .. 1800                                                  sum      9 300
      9-12 s    1900, 1902 .. 1998 (50), then 2000 (250)
                50 * 1900 + 2 * 49 * 50 / 2 + 250 * 2000                            sum    597 450
    Steady from 12 s: cycles 3 to 199 of 200, that is 197 of them, each 6 and 300 pulses of 2000.
    Fall from 1195 s, in the last cycle, to 2000 * (time left) / 5 s:
      1194-1197 2000, 2000, 2000 (1195.0), 1800, 1600, 1400                         sum     10 800
      1197-1200 1200, 1196 .. 4         300 * 1200 - 4 * 299 * 300 / 2              sum    180 600
    2 Hz:   6 * 200 pulses; 2 100 + 9 300 + 197 * 6 * 2000 + 10 800 = 2 386 200 uA, times 600 us
    100 Hz: 300 * 200 pulses; 299 700 + 597 450 + 197 * 300 * 2000 + 180 600 = 119 277 750 uA, times 200 us
    """
    plan = program(stimulation_us=20 * MINUTE, ramp_slope_ua_per_s=200, ramp_down_us=5 * US)
    assert planned(plan, {1: 2_000}) == {
        1: ChannelDose((1_200, 60_000), (2_386_200 * 600, 119_277_750 * 200)),
    }
    assert planned(plan, {1: 2_000})[1].total_charge_pc == 25_287_270_000


def test_golden_dose_of_100_hz_with_ramps() -> None:
    """100 Hz, 1 min, 0.5 mA, 100 uA/s, fall of 1 s; by hand.

    Rise: 1 uA each 10 ms: 1, 2 .. 500: 500 * 501 / 2 = 125 250 over 500 pulses. The fall begins at 59 s: steady for
    5900 - 500 = 5400 pulses of 500 = 2 700 000. Fall: 500 * (1 - j/100) for j = 0..99: 500, 495 .. 5 = 25 250.
    """
    plan = program(Mode.HIGH, stimulation_us=MINUTE, ramp_slope_ua_per_s=100, ramp_down_us=US)
    assert planned(plan, {1: 500})[1] == ChannelDose((6_000, 0), (2_850_500 * 200, 0))


def test_charge_goes_past_32_bits() -> None:
    """4.32 mC is more picocoulombs than 32 bits hold: 2**32 pC is 4.29 mC."""
    dose = planned(program(Mode.LOW), {1: 2_000}, flat=True)[1]
    assert dose.charge_pc[0] == 4_320_000_000 > 2**32


def test_each_channel_has_its_own_target_and_none_is_zero() -> None:
    doses = planned(program(channels=(1, 2, 4)), {1: 1_000, 2: 2_000, 3: 0}, flat=True)
    assert doses[2].total_charge_pc == 2 * doses[1].total_charge_pc == 38_160_000_000
    assert doses[4] == ChannelDose()
    with pytest.raises(Misuse, match=r"channels \[3\] are not in the program"):
        planned(program(), {3: 500})
    with pytest.raises(Unsafe, match="2500"):
        planned(program(), {1: 2_500})


def test_time_in_each_band() -> None:
    assert planned_band_us(program(stimulation_us=20 * MINUTE)) == (600 * US, 600 * US)
    assert planned_band_us(program(Mode.HIGH)) == (1_800 * US, 0)
    assert [band_us(program(), seconds * US) for seconds in (0, 2, 3, 5, 6, 10)] == [
        (0, 0), (2 * US, 0), (3 * US, 0), (3 * US, 2 * US), (3 * US, 3 * US), (6 * US, 4 * US),
    ]  # fmt: skip


@given(st.integers(1, 120 * US))
def test_the_bands_add_up_to_the_run(run_us: int) -> None:
    plan = Program(segments_for(Mode.DENSE_DISPERSE, dwell_low_us=1_500_000, dwell_high_us=2_000_000), (1,))
    lasted = [0, 0]
    for index, begin, end in plan.bands(0, run_us):
        lasted[index] += min(end, run_us) - begin
    assert band_us(plan, run_us) == tuple(lasted)


def test_untouched_commanded_is_planned() -> None:
    plan = program(channels=(1, 3))
    commanded = CommandedDose(plan)
    commanded.started({1: 2_000, 3: 700}, 0)
    commanded.ended(plan.stimulation_us)
    assert {channel: commanded.dose(channel) for channel in (1, 3)} == planned(plan, {1: 2_000, 3: 700})
    assert commanded.band_us() == planned_band_us(plan)


def summed(plan: Program, delivered: list[Pulse]) -> ChannelDose:
    dose = ChannelDose()
    for pulse in delivered:
        charge_pc = plan.segments[pulse.segment].charge_pc(pulse.amplitude_ua)
        dose += ChannelDose((1, 0), (charge_pc, 0)) if pulse.segment == 0 else ChannelDose((0, 1), (0, charge_pc))
    return dose


def test_a_hold_ends_one_run_and_the_next_begins_from_zero() -> None:
    plan = program(stimulation_us=MINUTE)
    commanded = CommandedDose(plan)
    assert commanded.runs == 0
    commanded.started({1: 1_500}, 0)
    commanded.on_hold(20 * US + 1)
    commanded.started({1: 800}, 20 * US + 1)
    commanded.ended(31 * US)
    assert commanded.runs == 2
    first = list(pulses(plan, 1, 1_500, until_us=20 * US + 1))
    second = list(pulses(plan, 1, 800, run_start_us=20 * US + 1, until_us=31 * US))
    assert first[-1].amplitude_ua == 1_500
    assert second[0] == Pulse(20 * US + 1, 0, 100)
    assert commanded.dose(1) == summed(plan, first + second)
    # 20.000001 s: 9 s + 2.000001 s of 2 Hz, 9 s of 100 Hz. Then 10.999999 s: 3 + 3 s, and 3 + 1.999999 s.
    assert commanded.band_us() == (11_000_001 + 6_000_000, 9_000_000 + 4_999_999)


@given(st.lists(st.tuples(st.integers(0, 8 * US), st.integers(0, 2_000)), max_size=6), st.integers(0, 8 * US))
@settings(deadline=None)
def test_targets_count_from_the_moment_they_were_applied(changes: list[tuple[int, int]], last_us: int) -> None:
    plan = program(channels=(2,), stimulation_us=MINUTE)
    commanded, at_us = CommandedDose(plan), 0
    commanded.started({2: 500}, 0)
    stretches = [(0, 500)]
    for after_us, target in changes:
        at_us += after_us
        commanded.target_set(2, target, at_us)
        stretches.append((at_us, target))
    commanded.ended(at_us + last_us)
    train, delivered = Train(plan, 2), []
    for (_, target), (until_us, _) in zip(stretches, [*stretches[1:], (at_us + last_us, 0)], strict=True):
        train.set_target(target)
        delivered += list(train.walk(until_us))
    assert commanded.dose(2) == summed(plan, delivered)


def test_looking_changes_nothing() -> None:
    plan = program()
    commanded = CommandedDose(plan)
    commanded.started({1: 2_000}, 0)
    assert commanded.dose(1) == ChannelDose()
    ahead = commanded.dose(1, 60 * US)
    assert ahead.total_pulses == 10 * 306
    commanded.target_set(1, 0, 30 * US)
    assert commanded.dose(1).total_pulses == 5 * 306
    assert commanded.dose(1, 60 * US).total_pulses == 5 * 306
    assert commanded.band_us() == (15 * US, 15 * US)


def test_a_channel_without_a_target_gets_nothing() -> None:
    commanded = CommandedDose(program(channels=(1, 2)))
    commanded.started({1: 1_000}, 0)
    commanded.ended(MINUTE)
    assert commanded.dose(1).total_pulses > 0
    assert commanded.dose(2) == ChannelDose()


def test_time_begins_at_zero_and_is_that_of_the_last_event() -> None:
    commanded = CommandedDose(program())
    assert commanded.now_us == 0
    with pytest.raises(Misuse, match="went back from 0 us to -1 us"):
        commanded.ended(-1)
    commanded.started({1: 1_000}, 7)
    assert commanded.now_us == 7


def test_events_that_make_no_sense_are_refused() -> None:
    commanded = CommandedDose(program())
    with pytest.raises(Misuse, match="no run to hold"):
        commanded.on_hold(0)
    with pytest.raises(Misuse, match="channel 1 is not running"):
        commanded.target_set(1, 500, 0)
    commanded.started({1: 500}, 5)
    with pytest.raises(Misuse, match="a run is under way already"):
        commanded.started({1: 500}, 6)
    with pytest.raises(Misuse, match="went back from 5 us to 4 us"):
        commanded.target_set(1, 600, 4)
    with pytest.raises(Misuse, match="channel 2 is not in the program"):
        commanded.dose(2)
    with pytest.raises(Misuse, match=r"channels \[2\]"):
        CommandedDose(program()).started({2: 500}, 0)
    commanded.ended(10)
    commanded.ended(10)
    assert commanded.dose(1) == ChannelDose((1, 0), (100 * 600, 0)), "the pulse at 5 us"


def test_what_is_reached_is_the_highest_pulse_of_all_runs() -> None:
    plan = program(stimulation_us=20 * US)
    commanded = CommandedDose(plan)
    commanded.started({1: 2_000}, 0)
    coming_ua = commanded.will_reach_ua()[1]
    assert coming_ua == reached(plan, 1, 2_000).amplitude_ua == 2_000
    commanded.target_set(1, 300, 4_000_000)
    assert commanded.reached_ua()[1] == max(each.amplitude_ua for each in pulses(plan, 1, 2_000, until_us=4_000_000))
    assert commanded.will_reach_ua()[1] == 300
    commanded.on_hold(5_000_000)
    commanded.started({1: 2_000}, 5_000_000)
    left = [each.amplitude_ua for each in pulses(plan, 1, 2_000, run_start_us=5_000_000)]
    assert commanded.will_reach_ua()[1] == max(left)
    commanded.ended(20_000_000)
    assert commanded.reached_ua() == {1: max(left)}
    assert commanded.targets_ua == {1: 2_000}
    assert commanded.will_reach_ua() == {}


def test_a_run_too_short_for_its_target_says_so_from_its_start() -> None:
    commanded = CommandedDose(program(stimulation_us=5 * US))
    commanded.started({1: 2_000}, 0)
    assert commanded.will_reach_ua() == {1: 732}


def test_targets_and_what_is_reached_are_of_every_channel_from_the_beginning() -> None:
    plan = program(channels=(1, 2), stimulation_us=20 * US)
    commanded = CommandedDose(plan)
    assert commanded.targets_ua == commanded.reached_ua() == {1: 0, 2: 0}
    commanded.started({1: 2_000}, 0)
    assert commanded.targets_ua == {1: 2_000, 2: 0}
    commanded.target_set(2, 500, 18 * US)
    assert commanded.targets_ua == {1: 2_000, 2: 500}
    falls = [pulse.amplitude_ua for pulse in pulses(plan, 1, 2_000) if pulse.t_us >= 18 * US]
    assert commanded.will_reach_ua()[1] == max(falls) < 2_000, "what is left of the fall, although nobody touched it"
    assert commanded.reached_ua()[1] == 2_000
