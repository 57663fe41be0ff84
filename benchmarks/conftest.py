"""`--write-page`: write what was found to docs/performance.md."""

import pytest

from benchmarks.results import PAGE, ROWS, page


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--write-page", action="store_true", help="write docs/performance.md from what was measured")


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    if session.config.getoption("--write-page") and ROWS and exitstatus == 0:
        PAGE.write_text(page(PAGE.read_text("utf-8")), "utf-8")
