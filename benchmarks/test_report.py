"""A session's report on paper, from the ledger, beside the compiler's own time for the same page."""

from pathlib import Path

import pytest

from benchmarks.interleave import ratio
from benchmarks.results import report
from stimctl.ledger import Ledger
from stimctl.log_report.as_typst import TypesetPages, typeset
from stimctl.log_report.case import case_of, head_of
from stimctl.log_report.session_report import session_report
from stimctl.log_report.words import ReportWords
from tests.stimctl.log_report.sessions import closed, opened, sample

pytest.importorskip("typst", reason="typst is not installed: no PDF can be made")
STEP_US = 10_000_000


def test_report_of_half_an_hour_beside_typst_alone(tmp_path: Path) -> None:
    one = "20260302-093000-x3baw"
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        ledger.append(one, "opened", 0, opened())
        for step in range(1, 180):
            ledger.append(one, "sample", step * STEP_US, sample(step * STEP_US, (10 * step, 500 * step)))
        ledger.append(one, "closed", 180 * STEP_US, closed())

        def whole() -> TypesetPages:
            made = session_report(ReportWords("en"), case_of(ledger, one), head_of(ledger), None, "now", "stimctl")
            return typeset(made)

        ready = whole()
        measured = ratio(lambda: whole().pdf(), ready.pdf, blocks=7, per_block=1)
        assert ready.pdf().startswith(b"%PDF-")
    report("a session of 180 readings, from the ledger to a PDF / typst alone", measured, target="none",
           note="typst remembers a page that it has set; the plots are most of the rest")  # fmt: skip
