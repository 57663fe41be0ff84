"""The table of measured controls: what makes it fail. That it is not stale is its own check in CI."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from firmware_sim.analog.recorder import Flow, FlowKind, PulseShape, Recorder
from stimctl.session.states import End
from stimlab import safety_table
from stimlab.safety_page import hazards
from stimlab.safety_table import SafetyRow, Unmeasured, largest_rise_na, main, played_rows, renewed, swept_rows
from stimlab.scenario.model import Expectation
from stimlab.scenario.reader import shipped

PAGE = (Path(__file__).parents[2] / "SAFETY.md").read_text("utf-8")
ROWS = [
    SafetyRow(identity, *line.strip("| \n").split(" | "))
    for identity, table in re.findall(r"<!-- measured (H\d\d) -->\n(.*?)<!-- end -->", PAGE, re.DOTALL)
    for line in table.splitlines()[2:]
]


def test_every_hazard_with_a_control_in_software_has_a_row() -> None:
    assert {row.hazard for row in ROWS} == {each.identity for each in hazards(PAGE).values() if each.controls}


@pytest.mark.parametrize("hazard", ["H01", "H13", "H23"])
def test_a_hazard_without_a_row_is_named(hazard: str) -> None:
    bare = [row for row in ROWS if row.hazard != hazard]
    with pytest.raises(Unmeasured, match=f"nothing is injected for {hazard}:"):
        renewed(PAGE, bare)


def test_a_page_is_renewed_between_its_marks_and_nowhere_else() -> None:
    assert renewed(PAGE, ROWS) == PAGE


def test_a_page_without_a_place_for_a_table_is_refused() -> None:
    with pytest.raises(Unmeasured, match="no place for the table 'measured H08'"):
        renewed(PAGE.replace("<!-- measured H08 -->", ""), ROWS)


def test_the_overview_shows_what_came_closest_to_its_limit() -> None:
    slow = [row._replace(worst="10.9 ms") if row[:3] == ROWS[1][:3] else row for row in ROWS]
    assert ROWS[1].limit == "11.0 ms"
    assert "| 4 | driver and device | fault to zero: 10.9 ms of 11.0 ms |" in renewed(PAGE, slow)


def test_a_stale_table_fails_the_check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The measuring itself takes a quarter of a minute and is a step of CI; here it is what stands in the page."""
    monkeypatch.setattr(safety_table, "rows", lambda: ROWS)
    page = tmp_path / "SAFETY.md"
    page.write_text(PAGE.replace(" ms |", " s |"))
    stale = CliRunner().invoke(main, ["--check", "--page", str(page)])
    assert stale.exit_code == 1
    assert "stale" in stale.output
    assert CliRunner().invoke(main, ["--write", "--page", str(page)]).exit_code == 0
    assert page.read_text() == PAGE
    assert CliRunner().invoke(main, ["--check", "--page", str(page)]).exit_code == 0


def test_times_are_measured_and_their_worst_is_shown() -> None:
    (short,) = played_rows([shipped()["load-short"]], seeds=2)
    assert short[:3] == ("H08", "`load-short`", "fault to zero")
    assert 0 < float(short.worst.removesuffix(" ms")) <= float(short.limit.removesuffix(" ms"))
    assert short.over == "2 sessions"


def test_a_scenario_that_comes_out_otherwise_is_no_figure() -> None:
    wrong = replace(shipped()["load-short"], expect=Expectation(ends=frozenset({End.TIMER})))
    with pytest.raises(Unmeasured, match=r"load-short, seed 1: ended with SHORT .* not with TIMER"):
        list(played_rows([wrong], seeds=1))


def test_a_pair_let_through_is_no_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(safety_table, "check_pair", lambda first, second: None)
    with pytest.raises(Unmeasured, match=r"H11: .* pairs let through"):
        list(swept_rows())


def test_sweeps_try_something() -> None:
    rows = list(swept_rows())
    assert [row.hazard for row in rows] == ["H11", "H13", "H12", "H14"]
    assert all(int(row.over.split()[0]) > 100 for row in rows)


def test_the_largest_rise_counts_from_zero_after_a_second_of_nothing() -> None:
    recorder = Recorder()
    for first_us, level_na in ((0, 100_000), (500_000, 300_000), (1_400_000, 350_000), (3_000_000, 280_000)):
        recorder.add(1, Flow(first_us, 10_000, 1, PulseShape(level_na, 200, 0, level_na, 200), FlowKind.TRAIN))
    assert largest_rise_na(recorder, 1) == 280_000
