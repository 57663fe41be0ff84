"""A report on paper: real PDFs, of both sizes, in both languages, and nothing in them that a text could change."""

import re

import pytest

from stimctl.errors import Misuse
from stimctl.log_report.as_typst import TypesetPages, typeset
from stimctl.log_report.blocks import (
    DataTable,
    FactList,
    LogReport,
    Passage,
    Plot,
    ReportSection,
    SignatureLines,
)
from stimctl.report import fonts

pytest.importorskip("typst", reason="typst is not installed: no PDF can be made")

HOSTILE = '#panic("x") $y$ *b* _i_ `c` <l> @r [z] // \\ "q" \'s\' = - + ~ {p}'
SIZES = {"a4": (595, 842), "letter": (612, 792)}  # points


def report(text: str = HOSTILE, language: str = "en", marks: tuple[str, ...] = ()) -> LogReport:
    svg = '<svg xmlns="http://www.w3.org/2000/svg" width="10" height="5"><rect width="10" height="5"/></svg>'
    blocks = (
        FactList(((text, text), ("short", "1"), ("lines", f"{text}\n{text}"))),
        DataTable((text, "n"), tuple((text, str(row)) for row in range(90)), frozenset({0}), frozenset({1})),
        Passage(text),
        Passage(text, loud=True),
        Plot(lambda: svg, text),
        SignatureLines(("role", "name", "signature", "date"), (text,)),
    )
    sections = (ReportSection(text, blocks),)
    return LogReport(language, text, text, marks, (text,), (text,), sections, "page {page} of {pages}", (text, text))


def chinese_font() -> bool:
    import typst

    return bool({one.family for one in typst.Fonts().fonts()} & set(fonts.CHINESE))


def pages(pdf: bytes) -> list[tuple[int, ...]]:
    """The size of each page."""
    found = re.findall(rb"/MediaBox ?\[0 0 ([^\]]*)\]", pdf)
    return [tuple(round(float(side)) for side in size.split()) for size in found]


@pytest.mark.parametrize("paper", SIZES)
def test_every_page_is_of_the_paper_that_was_asked_for(paper: str) -> None:
    made = typeset(report(), paper).pdf()
    assert made.startswith(b"%PDF-")
    sizes = pages(made)
    assert len(sizes) > 1
    assert set(sizes) == {SIZES[paper]}


def test_no_text_is_taken_for_markup() -> None:
    made = typeset(report(), "a4")
    assert "#panic" not in made.markup.replace("\\#panic", "")
    assert len(made.png()) == len(pages(made.pdf()))


def test_marks_stand_across_every_page() -> None:
    plain, marked = typeset(report("x")), typeset(report("x", marks=("DOES NOT VERIFY", "SIMULATED")))
    assert "background: none" in plain.markup
    assert "background: rotate" in marked.markup
    assert "DOES NOT VERIFY #linebreak() SIMULATED" in marked.markup
    # The second page, too, is another picture than without.
    assert all(one != two for one, two in zip(plain.png(), marked.png(), strict=True))


def test_chinese_is_set_in_a_chinese_font() -> None:
    if not chinese_font():
        pytest.skip("there is no Chinese font on this machine (Debian: fonts-wqy-microhei)")
    made = typeset(report("电针刺激记录", "zh"))
    assert made.fonts.missing == frozenset()
    families = re.findall(rb"/BaseFont ?/[A-Z]{6}\+([\w-]+)", made.pdf())
    wanted = {name.replace(" ", "").encode() for name in fonts.CHINESE}
    assert any(family.startswith(tuple(wanted)) for family in families)


@pytest.mark.parametrize(("text", "language"), [("record", "zh"), ("the operator is 王", "en")])
def test_without_a_chinese_font_there_is_a_sentence_and_no_boxes(
    monkeypatch: pytest.MonkeyPatch, text: str, language: str
) -> None:
    monkeypatch.setattr(fonts, "CHINESE", ())
    monkeypatch.setattr(fonts, "_covered", only_western(fonts._covered))
    with pytest.raises(Misuse, match=r"font.*fonts-noto-cjk.*HTML"):
        typeset(report(text, language))


def only_western(covered: object) -> object:
    """As on a machine that has the Western font only."""

    def found(known: object, families: list[str]) -> set[str]:
        return covered(known, [name for name in families if name == fonts.WESTERN])  # type: ignore[operator, no-any-return]

    return found


def test_a_character_that_no_font_has_is_told_by_its_number() -> None:
    made: TypesetPages = typeset(report("a\U0010fffd"))
    assert "[U+10FFFD]" in made.markup.replace("\\", "")
    assert "\U0010fffd" not in made.markup
    assert made.pdf()
