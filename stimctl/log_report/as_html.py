"""A report as one HTML page, which prints on the paper that was asked for."""

from pathlib import Path

from stimctl.log_report.blocks import LogReport
from stimctl.report.html import rendered

TEMPLATE = Path(__file__).with_name("page.html.j2")
_SIZES = {"a4": "A4", "letter": "letter"}


def as_html(report: LogReport, paper: str = "a4") -> str:
    """The page."""
    return rendered(TEMPLATE, report=report, size=_SIZES[paper], kind=lambda block: type(block).__name__)
