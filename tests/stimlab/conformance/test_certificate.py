"""A sample of the devices that lack one cell; `make certificate` has them all, and its report is kept."""

import random

import pytest

from stimlab.conformance.check import all_checks
from stimlab.conformance.extremes import EXTREMES
from stimlab.conformance.matrix import CELLS, OperatingPoint
from tests.stimlab.conformance.bench_world import run_checks
from tests.stimlab.conformance.certificate import DOCUMENT, document, noticed_by

SAMPLE = random.Random(30).sample(CELLS, 30)


@pytest.mark.parametrize("cell", SAMPLE, ids=lambda cell: cell.name)
def test_a_device_without_the_cell_is_noticed_by_the_cells_own_check(cell: OperatingPoint) -> None:
    assert noticed_by(cell)[0] == cell.name


def test_the_report_that_is_kept_is_of_this_suite() -> None:
    kept = DOCUMENT.read_text("utf-8")
    assert f"Passed {len(all_checks()) + len(EXTREMES) + len(CELLS)}, failed 0, broke off 0, not examined 0" in kept
    assert f"**{len(CELLS)} of {len(CELLS)} were noticed**" in kept


def test_what_is_not_noticed_is_named() -> None:
    page = document(run_checks([]), {CELLS[0]: ("", ""), CELLS[1]: (CELLS[1].name, "R-47")})
    assert "**1 of 2 were noticed**" in page
    assert f"- not noticed: `{CELLS[0].name}`" in page
    assert "| Stop | 0 of 0 | 2 | 1 | 1 | R-47 (1) |" in page
