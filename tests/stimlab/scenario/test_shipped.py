"""Every scenario that comes with stimctl comes out as it says it must, and every kind of fault has one."""

import re
from pathlib import Path

import pytest

from firmware_sim.faults import CATALOGUE
from stimctl.profile.toml_text import parse
from stimctl.session.states import End
from stimlab.play.play import play, way_for
from stimlab.safety_page import hazards
from stimlab.scenario.reader import FOLDER, dump, scenario_from, shipped

SHIPPED = shipped()
VIRTUAL = [name for name, scenario in SHIPPED.items() if way_for(scenario) == "sim"]
REAL = [name for name in SHIPPED if name not in VIRTUAL]
HAZARDS = hazards((Path(__file__).parents[3] / "SAFETY.md").read_text("utf-8"))


@pytest.mark.parametrize("name", VIRTUAL)
def test_it_comes_out_as_it_must(name: str) -> None:
    played = play(SHIPPED[name])
    assert played.unmet == ()
    assert played.idle == (), "a fault that did nothing shows nothing"
    if played.report is not None and played.report.end is End.TIMER:
        assert played.report.agreement["exact"] is True


@pytest.mark.realtime
@pytest.mark.parametrize("name", REAL)
def test_it_comes_out_as_it_must_with_processes(name: str) -> None:
    played = play(SHIPPED[name], over=way_for(SHIPPED[name]))
    assert played.unmet == ()
    assert played.idle == ()


def test_every_kind_of_fault_has_a_scenario() -> None:
    assert {fault.kind for scenario in SHIPPED.values() for fault in scenario.faults} == set(CATALOGUE)


@pytest.mark.parametrize("path", sorted(FOLDER.iterdir()), ids=lambda path: path.name)
def test_its_file_can_be_read_by_a_person(path: Path) -> None:
    """Named as its scenario, with a title, a reason and a hazard that exists; what it expects is said."""
    scenario = SHIPPED[path.stem]
    assert scenario.title
    assert re.fullmatch(r".+[.]", scenario.why)
    assert scenario.hazards
    assert set(scenario.hazards) <= set(HAZARDS)
    expect = scenario.expect
    assert expect.ends or expect.refused or expect.within_us
    assert len(path.read_text("utf-8").splitlines()) <= 45
    assert scenario_from(parse(dump(scenario).encode(), path.name).values) == scenario
