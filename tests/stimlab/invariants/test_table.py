"""Each rule is seen to fire: on the evidence of a good session with one thing made wrong by hand."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from firmware_sim.analog.recorder import Flow, FlowKind, PulseShape
from firmware_sim.faults import CATALOGUE, Fault
from stimctl.session.view import Alarm, Priority
from stimlab.campaign.campaign import judged
from stimlab.campaign.random_scenario import KINDS
from stimlab.invariants import currents, doc_tables, reports, table, under_fault
from stimlab.invariants.currents import Rule
from stimlab.invariants.evidence import ALWAYS_US, Evidence, FlowColumns, OutputInterval, evidence_of, runs_of
from stimlab.invariants.table import EXCUSES, INSTEAD, RULES, broken
from stimlab.play.play import play
from stimlab.scenario.model import OperatorAction, Scenario
from stimlab.scenario.reader import shipped

S = 1_000_000
CHANNELS = [
    {"channel": 1, "amplitude_ma": 1.2},
    {"channel": 3, "amplitude_ma": 0.8},
]
ANSWERS = {"profile": "bench-2-100hz", "seconds": 30, "ceiling_ma": 1.5, "channels": CHANNELS}
HELD = (
    OperatorAction(12 * S, "hold"),
    OperatorAction(15 * S, "proceed"),
    OperatorAction(17 * S, "proceed"),
    OperatorAction(25 * S, "lower", 1),
    OperatorAction(27 * S, "raise", 1),
)


@pytest.fixture(scope="module")
def good() -> Evidence:
    """A session with a hold and some work of an operator's, in which nothing goes wrong."""
    return evidence_of(play(Scenario(name="good", answers=ANSWERS, actions=HELD)))


def test_a_good_session_breaks_no_rule(good: Evidence) -> None:
    assert list(broken(good)) == []
    assert len(good.runs) == 2
    assert len(good.checking) == 2
    assert len(good.alive_us) > 100
    assert good.report is not None
    assert good.counted == {c: (f.pulses, pytest.approx(f.charge_fc / 1_000, rel=0.01)) for c, f in good.trains.items()}


# --- one thing made wrong ----------------------------------------------------------------------------


def shaped(evidence: Evidence, at: int, channel: int = 1, **columns: int) -> Evidence:
    """One stretch with other figures."""
    flows = evidence.trains[channel]
    changed = {}
    for name, value in columns.items():
        column = getattr(flows, name).copy()
        column[at] = value
        changed[name] = column
    return replace(evidence, trains={**evidence.trains, channel: replace(flows, **changed)})


def pulse(evidence: Evidence, at_us: int, channel: int = 1) -> Evidence:
    """One pulse more, at a time when there should be none."""
    flows = evidence.trains[channel]
    more = [(at_us, 10_000, 1, 100_000, 200, 0, 100_000, 200)]
    columns = np.concatenate(
        [[getattr(flows, name) for name in FlowColumns.__dataclass_fields__], np.array(more).T], axis=1
    )
    columns = columns[:, np.argsort(columns[0], kind="stable")]
    return replace(evidence, trains={**evidence.trains, channel: FlowColumns(*columns)})


def told(evidence: Evidence, **changes: Any) -> Evidence:
    """Another report."""
    assert evidence.report is not None
    return replace(evidence, report=replace(evidence.report, **changes))


def agreed(evidence: Evidence, **changes: Any) -> Evidence:
    """Another agreement in the report."""
    assert evidence.report is not None
    return told(evidence, agreement={**evidence.report.agreement, **changes})


def entry(evidence: Evidence, kind: str, **changes: Any) -> Evidence:
    """Each entry of one kind with other words."""
    changed = [each._replace(body={**each.body, **changes}) if each.kind == kind else each for each in evidence.entries]
    return replace(evidence, entries=tuple(changed))


def full(evidence: Evidence) -> int:
    """The first stretch at its target."""
    return int(np.argmax(evidence.trains[1].first_na))


def late_us(evidence: Evidence) -> int:
    assert evidence.stopping_us is not None
    return evidence.stopping_us + 30_000


WRONG: Mapping[str, Callable[[Evidence], Evidence]] = {
    "ceiling": lambda evidence: shaped(evidence, full(evidence), first_na=1_501_250, second_na=1_501_250),
    "second": lambda evidence: shaped(evidence, full(evidence), second_na=1_250_000),
    "charge": lambda evidence: shaped(evidence, full(evidence), width_us=1_001, second_width_us=1_001),
    "balance": lambda evidence: shaped(evidence, full(evidence), second_na=1_198_750),
    "direct current": lambda evidence: shaped(evidence, full(evidence), second_na=0, count=100),
    "shape": lambda evidence: shaped(evidence, full(evidence), gap_us=1),
    "place": lambda evidence: pulse(evidence, evidence.runs[0].ended_us + 5_000),
    "timer": lambda evidence: replace(
        evidence, runs=(evidence.runs[0], evidence.runs[1]._replace(began_us=evidence.runs[1].began_us - S))
    ),
    "watchdog": lambda evidence: replace(evidence, alive_us=np.delete(evidence.alive_us, range(20, 26))),
    "ramp": lambda evidence: shaped(evidence, full(evidence), first_na=1_352_500, second_na=1_352_500),
    "rate": lambda evidence: shaped(evidence, full(evidence), period_us=9_999),
    "apart": lambda evidence: shaped(evidence, 0, 3, first_us=int(evidence.trains[1].first_us[0]) + 100),
    "stop": lambda evidence: pulse(evidence, late_us(evidence)),
    "zero": lambda evidence: pulse(evidence, late_us(evidence)),
    "load pulses": lambda evidence: shaped(
        evidence, full(evidence), count=int(evidence.trains[1].count[full(evidence)]) + 1
    ),
    "load charge": lambda evidence: shaped(evidence, full(evidence), first_na=1_150_000, second_na=1_150_000),
    "exact": lambda evidence: agreed(evidence, exact=False),
    "measured": lambda evidence: agreed(evidence, measured=False),
    "raises": lambda evidence: entry(evidence, "target", target_ua=1_301),
    "alarm": lambda evidence: told(evidence, zero_confirmed_us=None),
    "ledger": lambda evidence: entry(evidence, "closed", held_us=0),
    "ends": lambda evidence: replace(evidence, report=None, named=False),
}


def test_every_rule_is_shown() -> None:
    assert set(WRONG) == set(RULES)


@pytest.mark.parametrize("name", RULES)
def test_a_rule_fires(name: str, good: Evidence) -> None:
    assert name in {violation.rule for violation in broken(WRONG[name](good))}


def test_a_ramp_that_is_too_steep_without_a_step_fires(good: Evidence) -> None:
    """100 uA a pulse at 100 Hz is no step too large, and 2.0 mA in 0.2 s."""
    steep = [
        Flow(S + 10_000 * n, 10_000, 1, PulseShape(100_000 * n, 200, 0, 100_000 * n, 200), FlowKind.TRAIN)
        for n in range(9)
    ]
    evidence = replace(good, trains={1: FlowColumns.of(steep)}, runs=(OutputInterval(0, 9 * S),))
    assert [text for text, _ in currents.ramp(evidence)] == ["channel 1 rose faster than 2.0 mA in 5 s"]


@pytest.mark.parametrize(("after_us", "slept_us", "fires"), [
    (100_000, 0, False), (100_001, 0, True), (350_000, 250_000, False), (350_001, 250_000, True),
])  # fmt: skip
def test_a_late_zero_without_an_alarm_fires_by_the_time_in_which_the_host_ran(
    after_us: int, slept_us: int, fires: bool, good: Evidence
) -> None:
    evidence = replace(told(good, zero_confirmed_us=after_us), slept_us=slept_us)
    assert bool(list(reports.alarm(evidence))) is fires


@pytest.mark.parametrize(("width_us", "drift_ppm", "fires"), [
    (648, 0, True), (648, 73_503, False), (655, 73_503, True), (702, 144_762, False), (711, 144_762, True),
])  # fmt: skip
def test_a_charge_is_judged_by_the_devices_own_clock(
    width_us: int, drift_ppm: int, fires: bool, good: Evidence
) -> None:
    """2 mA for 600 us of a clock that is slow: the record has whole microseconds of the world's."""
    long = shaped(good, full(good), first_na=2_000_000, width_us=width_us, second_width_us=width_us)
    evidence = replace(long, drift_ppm=drift_ppm)
    assert bool(list(currents.charge(evidence))) is fires
    found = [text for text, _ in INSTEAD["lawful"](evidence)]
    assert bool(found) is fires


@pytest.mark.parametrize(("permille", "fires"), [(1_000, True), (1_200, True), (1_500, False)])
def test_a_converter_that_gives_too_much_has_its_full_scale_by_as_much(
    permille: int, fires: bool, good: Evidence
) -> None:
    evidence = replace(shaped(good, full(good), first_na=3_600_000), dac_permille=permille)
    assert bool(list(INSTEAD["full scale"](evidence))) is fires


def test_a_hang_fires(good: Evidence) -> None:
    assert any("lasted" in text for text, _ in reports.ends(replace(good, over_us=4_000 * S)))


# --- what holds instead --------------------------------------------------------------------------------

HIGH = Alarm(Priority.HIGH, "odd", "do something", 0)


def held(evidence: Evidence, for_us: int) -> FlowColumns:
    """A level that is held in mid-session."""
    return FlowColumns.of(
        [Flow(evidence.runs[0].began_us + 2 * S, for_us, 1, PulseShape(500_000, for_us, 0, 0, 0), FlowKind.HELD)]
    )


def unbalanced(evidence: Evidence, at: int, count: int) -> Evidence:
    return shaped(evidence, at, second_na=0, count=count)


INSTEAD_WRONG: Mapping[str, Callable[[Evidence], Evidence]] = {
    "trip": lambda evidence: shaped(evidence, full(evidence), first_na=2_500_000, second_na=2_500_000),
    "cut last": lambda evidence: shaped(evidence, full(evidence), second_width_us=20),
    "odd last": lambda evidence: unbalanced(evidence, full(evidence), 1),
    "full scale": lambda evidence: shaped(evidence, full(evidence), first_na=2_600_000),
    "three in a row": lambda evidence: unbalanced(evidence, full(evidence), 4),
    "lawful": lambda evidence: shaped(evidence, full(evidence), width_us=601),
    "steep seen": WRONG["ramp"],
    "still seen": lambda evidence: replace(evidence, levels={1: held(evidence, S)}),
    "dip": lambda evidence: shaped(evidence, 0, first_na=500_000),
    "host timer": lambda evidence: replace(
        evidence, prescription=replace(evidence.prescription, stimulation_us=28 * S)
    ),
    "slow timer": lambda evidence: replace(
        evidence, prescription=replace(evidence.prescription, stimulation_us=28 * S)
    ),
    "apart": WRONG["apart"],
    "alarm": WRONG["alarm"],
    "unknown": lambda evidence: agreed(evidence, exact=None, contradiction=None),
    "told": lambda evidence: agreed(evidence, exact=False, contradiction=None),
    "less than counted": lambda evidence: shaped(evidence, full(evidence), first_na=1_300_000),
    "measured told": lambda evidence: shaped(evidence, full(evidence), count=500),
    "log told": lambda evidence: replace(
        evidence, entries=tuple(each for each in evidence.entries if each.kind != "closed")
    ),
}


def test_all_that_holds_instead_is_shown() -> None:
    assert set(INSTEAD_WRONG) == set(INSTEAD)


@pytest.mark.parametrize("name", INSTEAD)
def test_what_holds_instead_fires(name: str, good: Evidence) -> None:
    rule: Rule = INSTEAD[name]
    assert list(rule(good)) == []
    assert list(rule(INSTEAD_WRONG[name](good))) != []


def test_an_alarm_is_enough_where_it_has_to_be(good: Evidence) -> None:
    assert list(reports.difference_alarmed(told(agreed(good, exact=False), alarms=(HIGH,)))) == []
    assert list(reports.log_failure_reported(told(INSTEAD_WRONG["log told"](good), alarms=(HIGH,)))) == []


def test_an_unbalanced_pulse_is_lawful_three_times(good: Evidence) -> None:
    assert list(under_fault.three_in_a_row(unbalanced(good, full(good), 3))) == []


# --- the table -----------------------------------------------------------------------------------------


def test_each_row_names_what_there_is() -> None:
    kinds = (*CATALOGUE, "load")
    for excuse in EXCUSES:
        assert excuse.rule in {**RULES, **INSTEAD}, excuse
        assert excuse.instead in {**RULES, **INSTEAD}, excuse
        assert excuse.instead != excuse.rule, f"{excuse}: that would be none"
        assert any(kind.startswith(excuse.fault) for kind in kinds), excuse
        assert any(kind.startswith(excuse.besides) for kind in kinds), excuse
        assert len(excuse.why) > 10, excuse


def test_no_fault_excuses_everything(good: Evidence) -> None:
    """Whatever all faults together excuse, some rules stand, and those that hold instead are asked."""
    evidence = replace(good, fired_us=dict.fromkeys((*CATALOGUE, "load"), 0))
    standing = [name for name in RULES if not any(excuse.rule == name for excuse in EXCUSES)]
    assert {"raises", "alarm", "ends"} <= set(standing)
    asked = {violation.rule for violation in broken(told(evidence, zero_confirmed_us=None))}
    assert "alarm" in asked


def test_an_excuse_holds_from_the_fault_on_and_not_before(good: Evidence) -> None:
    over = WRONG["ceiling"](good)
    at_us = int(good.trains[1].first_us[full(good)])

    def found(fired_us: Mapping[str, int]) -> set[str]:
        return {violation.rule for violation in broken(replace(over, fired_us=fired_us))}

    assert "ceiling" in found({"line.loss": 0})
    assert "ceiling" in found({"device.dac_gain": at_us + S})
    assert "ceiling" not in found({"device.dac_gain": at_us})


def test_instead_of_a_rule_another_is_asked(good: Evidence) -> None:
    over = replace(INSTEAD_WRONG["trip"](good), fired_us={"device.dac_gain": 0})
    assert "trip" in {violation.rule for violation in broken(over)}
    both = replace(over, fired_us={"device.dac_gain": 0, "device.readback_gain": 0})
    assert "trip" not in {violation.rule for violation in broken(both)}, "nothing in the device can know"
    higher = shaped(both, full(good), first_na=2_600_000)
    assert "full scale" in {violation.rule for violation in broken(higher)}


def test_the_page_has_the_rules_and_the_excuses_as_they_are() -> None:
    text = doc_tables.DOCUMENT.read_text("utf-8")
    assert doc_tables.fresh(text) == text, "run `python -m stimlab.invariants.doc_tables --write`"
    assert "| ceiling |" in text
    assert "`device.dac_*`" in text


def test_every_scenario_that_is_shipped_keeps_every_rule() -> None:
    found = [judged(each) for each in shipped().values() if {fault.kind for fault in each.faults} <= set(KINDS)]
    assert len(found) > 50
    assert [(result.name, result.violations) for result in found if result.violations] == []


# --- evidence ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "options"), [("device.readback_offset", {"offset_ua": 2_362}), ("device.stuck_on", {"value_ua": 1_500})]
)
def test_current_that_comes_back_while_the_device_is_asked_its_counts_leaves_them_open(
    kind: str, options: Mapping[str, int]
) -> None:
    fault = Fault(kind, at_us=5_000, for_us=500_000, after="ENDED", channel=1, options=options)
    stopped_on_hold = (OperatorAction(12 * S, "hold"), OperatorAction(13 * S, "stop"))
    played = play(Scenario(name="back", answers=ANSWERS, actions=stopped_on_hold, faults=(fault,)))
    assert played.report is not None
    assert played.report.agreement["exact"] is None
    assert table.violations(played) == ()


def test_a_part_of_the_currents_is_exact_to_the_pulse(good: Evidence) -> None:
    flows = good.trains[1]
    begins_us = flows.begins_us()
    for from_us, until_us in ((0, ALWAYS_US), (3_000_001, 9_123_457), (int(begins_us[40]), int(begins_us[41]))):
        part = flows.within(from_us, until_us)
        assert part.begins_us().tolist() == [at for at in begins_us.tolist() if from_us <= at < until_us]


def test_runs_end_with_a_state_without_output_and_with_a_reset() -> None:
    journal: list[dict[str, Any]] = [
        {"event": "boot", "at_us": 0},
        {"event": "state", "at_us": 5, "state": "RAMPING"},
        {"event": "alive", "at_us": 6},
        {"event": "state", "at_us": 7, "state": "RUNNING"},
        {"event": "state", "at_us": 9, "state": "HELD", "reason": "LEAD_OFF"},
        {"event": "state", "at_us": 12, "state": "RAMPING"},
        {"event": "boot", "at_us": 15},
        {"event": "state", "at_us": 20, "state": "RAMPING"},
    ]
    assert runs_of(journal, "RAMPING") == (
        OutputInterval(5, 9, "LEAD_OFF"),
        OutputInterval(12, 15, "RESET"),
        OutputInterval(20, ALWAYS_US),
    )
    assert table.RULES["place"] is currents.place
