"""A report as a page: everything is escaped, and it needs nothing else."""

import re
from html.parser import HTMLParser

import pytest

from stimctl.log_report.as_html import as_html
from stimctl.log_report.blocks import DataTable, FactList, LogReport, Passage, Plot, ReportSection, SignatureLines

HOSTILE = """<script>alert(1)</script> & "q" 'a'"""


def report(marks: tuple[str, ...] = (), language: str = "en") -> LogReport:
    blocks = (
        FactList(((HOSTILE, HOSTILE),)),
        DataTable((HOSTILE, "n"), ((HOSTILE, "1"), ("", "")), frozenset({0}), frozenset({1})),
        Passage(HOSTILE),
        Passage(HOSTILE, loud=True),
        Plot(lambda: "<svg><path/></svg>", HOSTILE),
        SignatureLines(("role", "name", "signature", "date"), (HOSTILE,)),
    )
    sections = (ReportSection(HOSTILE, blocks),)
    return LogReport(language, HOSTILE, HOSTILE, marks, (HOSTILE,), (HOSTILE,), sections, "", (HOSTILE,))


class SeenTags(HTMLParser):
    """The tags of a page, its addresses, and the text of its cells."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.addresses: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href")]


def test_every_text_is_escaped_and_only_a_picture_is_not() -> None:
    page = as_html(report((HOSTILE,)))
    seen = SeenTags(page)
    assert "script" not in seen.tags
    assert {"svg", "path", "table"} <= seen.tags
    assert seen.addresses == []
    assert "http" not in page


@pytest.mark.parametrize(("paper", "size"), [("a4", "size: A4"), ("letter", "size: letter")])
def test_it_prints_on_the_paper_that_was_asked_for(paper: str, size: str) -> None:
    assert size in as_html(report(), paper)


def test_marks_stand_behind_the_page_and_at_its_head() -> None:
    page = as_html(report(("DOES NOT VERIFY", "SIMULATED")))
    assert re.search(r'class="mark".*<div>DOES NOT VERIFY</div><div>SIMULATED</div>', page)
    assert "<strong>DOES NOT VERIFY · SIMULATED</strong>" in page
    assert 'class="mark"' not in as_html(report())


def test_the_language_is_the_pages() -> None:
    assert '<html lang="zh-CN">' in as_html(report(language="zh"))
    assert '<html lang="en">' in as_html(report())
