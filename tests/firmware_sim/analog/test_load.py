"""Loads by name, loads that change, and that a load says in time when it will."""

import pytest

from firmware_sim.analog.load import (
    CLOSED_US,
    LOADS,
    NOMINAL,
    OPEN,
    OPEN_US,
    SHORT,
    IntermittentLoad,
    ScriptedLoad,
    UnknownLoad,
    load_named,
    steady,
)
from firmware_sim.analog.load_changes import NEVER_US, Drift

MIN = 60_000_000


@pytest.mark.parametrize("name", LOADS)
def test_every_preset_can_be_made(name: str) -> None:
    load = load_named(name)
    assert all(load.pair(channel, 0).series_ohm > 0 for channel in (1, 2, 3, 4))
    assert load.next_change_us(1, 0) > 0


def test_presets_have_the_figures_they_are_named_for() -> None:
    ohms = {name: load_named(name).pair(1, 0).series_ohm for name in LOADS}
    assert (ohms["nominal"], ohms["dry"], ohms["r2k"], ohms["r10k"]) == (600, 3_000, 2_000, 10_000)
    assert ohms["open"] > 1_000_000
    assert ohms["short"] < 20


@pytest.mark.parametrize("name", ["wet", "", "nominal,5=open", "nominal,2=wet", "nominal,open"])
def test_an_unknown_name_is_told_with_what_there_is(name: str) -> None:
    with pytest.raises(UnknownLoad, match=r"the loads are nominal, dry|CHANNEL=NAME"):
        load_named(name)


def test_a_channel_can_have_its_own_load() -> None:
    load = load_named("r500,2=open,4=drift")
    assert [load.pair(channel, 0).series_ohm for channel in (1, 2, 3)] == [500, OPEN.series_ohm, 500]
    assert load.next_change_us(1, 5) == NEVER_US
    assert load.next_change_us(4, 5) == 1_000_000


def test_drift_goes_from_600_to_900_ohm_in_thirty_minutes_and_stays() -> None:
    load = load_named("drift")
    assert load.pair(1, 0).series_ohm == 600
    assert load.pair(1, 15 * MIN).series_ohm == 750
    assert load.pair(1, 30 * MIN).series_ohm == 900 == load.pair(1, 44 * MIN).series_ohm
    assert load.next_change_us(1, 30 * MIN) == NEVER_US


def test_intermittent_clip_opens_and_closes_at_times_its_seed_fixes() -> None:
    load, again = IntermittentLoad(7), IntermittentLoad(7)
    at, lasted = 0, []
    for _ in range(40):
        then = load.next_change_us(2, at)
        assert load.pair(2, then - 1) == load.pair(2, at) != load.pair(2, then)
        lasted.append((load.pair(2, at) == OPEN, then - at))
        at = then
    assert [clipped for clipped, _ in lasted] == [False, True] * 20
    assert all(low <= us <= high for was_open, us in lasted for low, high in [OPEN_US if was_open else CLOSED_US])
    assert again.pair(2, at) == load.pair(2, at)
    assert again.next_change_us(2, at) == load.next_change_us(2, at)
    assert IntermittentLoad(8).next_change_us(2, 0) != load.next_change_us(2, 0)
    assert load.next_change_us(1, 0) != load.next_change_us(2, 0)


def test_a_script_replaces_loads_at_its_times_and_tells_who_watches() -> None:
    load = ScriptedLoad(steady(NOMINAL), [(1_000, steady(OPEN))])
    told = []
    load.watch(lambda: told.append(1))
    assert [load.pair(1, at) for at in (0, 999, 1_000, 9_999)] == [NOMINAL, NOMINAL, OPEN, OPEN]
    assert load.next_change_us(1, 0) == 1_000
    load.set(500, steady(SHORT), channel=2)
    assert told
    assert [load.pair(2, at) for at in (499, 500, 1_000)] == [NOMINAL, SHORT, SHORT]
    assert load.pair(1, 1_000) == OPEN


def test_a_drift_is_the_same_as_a_load_and_as_a_fault_and_arrives_where_it_is_to() -> None:
    drift = Drift(3_000.0, 2_500_000)
    assert [drift.ohm(1_000.0, at_us) for at_us in (0, 999_999, 1_000_000, 2_999_999, 3_000_000)] == [
        1_000.0, 1_000.0, 1_800.0, 2_600.0, 3_000.0
    ]  # fmt: skip
    assert [drift.next_change_us(at_us) for at_us in (0, 1_000_000, 2_999_999, 3_000_000)] == [
        1_000_000, 2_000_000, 3_000_000, NEVER_US
    ]  # fmt: skip


def test_a_drift_says_its_last_step() -> None:
    """A look between its end and its last step would miss that step: the value changes only at whole seconds."""
    drift, at_us, seen = Drift(3_000.0, 2_500_000), 0, []
    while at_us < NEVER_US:
        seen.append(drift.ohm(1_000.0, at_us))
        at_us = drift.next_change_us(at_us)
    assert seen == [1_000.0, 1_800.0, 2_600.0, 3_000.0]
    for at_us in range(0, 4_000_000, 50_000):
        begin, end = drift.ohm(1_000.0, at_us), min(drift.next_change_us(at_us), 5_000_000)
        assert drift.ohm(1_000.0, end - 1) == begin


def test_loads_for_a_trip_are_known_by_name_and_dealt_out_to_nobody() -> None:
    joined, earthed = load_named("r1k,2=joined3").pair(2, 0), load_named("earthed").pair(1, 0)
    assert (joined.leaks_to, joined.leak_permille) == (3, 800)
    first, second = earthed.drive(500.0, 200, 0.0), earthed.drive(-500.0, 200, 0.0)
    assert (first.mean_ua, second.mean_ua) == (500.0, -400.0)
    assert not {"joined3", "earthed"} & set(LOADS)
