"""A report on paper: its blocks in Typst's markup."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from stimctl.log_report.blocks import Block, DataTable, FactList, LogReport, Passage, Plot, SignatureLines
from stimctl.report.fonts import FontChoice, fonts_for
from stimctl.report.pdf import as_pdf, as_pictures, escaped

_PAPERS = {"a4": "a4", "letter": "us-letter"}
_SHORT = 30  # characters that fit into half a line [choice]
_WIDE = "\u2e80"
_TOGETHER = 4  # rows of a table that is kept on one page [choice]
_RULES = """#set par(leading: 0.5em, spacing: 0.75em)
#show table.cell: set block(breakable: false)
#set table(inset: (x: 3pt, y: 2.6pt))
#set table(stroke: (x, y) => (bottom: if y == 0 { 0.7pt + luma(90) } else { 0.4pt + luma(205) }))
#show heading: set block(above: 1.25em, below: 0.55em, sticky: true)
#show heading.where(level: 1): set text(size: 15pt)
#show heading.where(level: 2): set text(size: 10pt, fill: rgb("#1b3f66"))
#let facts(..cells) = table(columns: (37mm, 1fr, 37mm, 1fr), stroke: none, inset: (x: 3pt, y: 2pt), ..cells)
#let top(it) = text(weight: "bold", size: 7.5pt, it)
#let name(it) = text(fill: luma(90), it)
#let small(it) = text(size: 7.5pt, fill: luma(70), it)
#let alarming = rgb("#a80f0f")
#let loud(it) = block(width: 100%, stroke: 1.5pt + alarming, inset: 6pt,
  text(weight: "bold", fill: alarming, size: 10pt, it))
#let said(it) = block(fill: rgb("#1c4e8a"), inset: 5pt, text(fill: white, weight: "bold", it))
"""


@dataclass(slots=True)
class TypesetPages:
    """The markup of a report, the pictures that it names, and the fonts that it needs."""

    fonts: FontChoice
    lines: list[str] = field(default_factory=list)
    pictures: dict[str, bytes] = field(default_factory=dict)

    @property
    def markup(self) -> str:
        return "\n".join(self.lines)

    def pdf(self) -> bytes:
        return as_pdf(self.markup, self.pictures, self.fonts.folders)

    def png(self, dots_per_inch: float = 110) -> list[bytes]:
        """Each page as a picture."""
        return as_pictures(self.markup, self.pictures, self.fonts.folders, dots_per_inch)


def typeset(report: LogReport, paper: str = "a4") -> TypesetPages:
    """The report on paper of this size. Raises `Misuse` where the machine has no font for its language."""
    pages = TypesetPages(fonts_for(_all_text(report), chinese=report.language == "zh"))
    pages.lines += _head(report, paper, pages.fonts)
    for section in report.sections:
        pages.lines.append(f"== {_text(section.title, pages.fonts)}")
        for block in section.blocks:
            pages.lines += _block(block, pages)
    return pages


def _head(report: LogReport, paper: str, fonts: FontChoice) -> Iterator[str]:
    families = ", ".join(f'"{family}"' for family in fonts.families)
    region = ', region: "cn"' if report.language == "zh" else ""
    yield f"#set document(title: [{_text(report.title, fonts)} {_text(report.subtitle, fonts)}])"
    yield f'#set text(lang: "{report.language}"{region}, size: 8pt, font: ({families},), hyphenate: false)'
    yield f'#set page(paper: "{_PAPERS[paper]}", margin: (x: 17mm, top: 18mm, bottom: 20mm),'
    yield f"  header: {_running_head(report, fonts)},"
    yield f"  footer: {_running_foot(report, fonts)},"
    yield f"  background: {_watermark(report.marks, fonts)})"
    yield _RULES
    yield f"= {_text(report.title, fonts)}"
    yield f"#text(size: 10pt)[{_text(report.subtitle, fonts)}]\n"
    yield from (f"#loud[{_text(warning, fonts)}]" for warning in report.warnings)
    yield from (f"#said[{_text(one, fonts)}]" for one in report.said)


def _running_head(report: LogReport, fonts: FontChoice) -> str:
    marks = f"#h(1fr) *{_text(' · '.join(report.marks), fonts)}*" if report.marks else ""
    return f"text(size: 7pt, fill: luma(70))[{_text(report.title, fonts)}, {_text(report.subtitle, fonts)} {marks}]"


def _running_foot(report: LogReport, fonts: FontChoice) -> str:
    page = _text(report.page_of, fonts)
    page = page.replace("{page}", "#counter(page).display()").replace("{pages}", "#counter(page).final().first()")
    first, *more = (_text(line, fonts) for line in report.foot)
    below = "".join(f" #linebreak() {line}" for line in more)
    return f"context text(size: 6.5pt, fill: luma(70))[{first} #h(1fr) {page}{below}]"


def _watermark(marks: tuple[str, ...], fonts: FontChoice) -> str:
    if not marks:
        return "none"
    size = min(84, 900 // max(map(_width, marks)))
    lines = " #linebreak() ".join(_text(mark, fonts) for mark in marks)
    return f'rotate(-52deg, text(size: {size}pt, weight: "bold", fill: luma(234))[#align(center)[{lines}]])'


def _block(block: Block, pages: TypesetPages) -> Iterator[str]:
    fonts = pages.fonts
    match block:
        case FactList():
            yield from _facts(block, fonts)
        case DataTable():
            yield from _table(block, fonts)
        case Passage():
            yield f"#{'loud' if block.loud else 'small'}[{_text(block.text, fonts)}]\n"
        case Plot():
            name = f"plot{len(pages.pictures)}.svg"
            pages.pictures[name] = block.draw().encode()
            yield f'#block(breakable: false)[#image("{name}", width: 100%) #small[{_text(block.caption, fonts)}]]'
        case SignatureLines():
            yield "#block(breakable: false, table(columns: (28mm, 1fr, 1.4fr, 32mm), rows: (auto, 13mm),"
            yield f"  {', '.join(f'top[{_text(name, fonts)}]' for name in block.head)},"
            yield from (f"  align(bottom)[{_text(role, fonts)}], [], [], []," for role in block.roles)
            yield "))"


def _facts(block: FactList, fonts: FontChoice) -> Iterator[str]:
    """Short ones two a line, then the longer ones."""
    short = [row for row in block.rows if _width(row[1]) <= _SHORT and "\n" not in row[1]]
    yield "#facts("
    yield from (f"  name[{_text(name, fonts)}], [{_text(value, fonts)}]," for name, value in short)
    yield "  [], []," if len(short) % 2 else ""
    for name, value in block.rows:
        if (name, value) not in short:
            yield f"  name[{_text(name, fonts)}], table.cell(colspan: 3)[{_text(value, fonts)}],"
    yield ")"


def _width(text: str) -> int:
    """In letters of the West; a Chinese one is two of them."""
    return sum(2 if one >= _WIDE else 1 for one in text)


def _table(block: DataTable, fonts: FontChoice) -> Iterator[str]:
    columns = ", ".join("1fr" if column in block.wide else "auto" for column in range(len(block.head)))
    sides = ", ".join("right" if column in block.figures else "left" for column in range(len(block.head)))
    whole = "true" if len(block.rows) > _TOGETHER else "false"
    yield f"#block(breakable: {whole}, table(columns: ({columns},), align: ({sides},),"
    yield f"  table.header({', '.join(f'top[{_text(name, fonts)}]' for name in block.head)}),"
    for row in block.rows:
        yield f"  {', '.join(f'[{_text(cell, fonts)}]' for cell in row)},"
    yield "))"


def _text(text: str, fonts: FontChoice) -> str:
    """A text in markup; a line is a line, and a character that no font has is told by its number."""
    shown = "".join(f"[U+{ord(one):04X}]" if one in fonts.missing else one for one in text)
    return " #linebreak() ".join(map(escaped, shown.split("\n")))


def _all_text(report: LogReport) -> str:
    found = [report.title, report.subtitle, *report.marks, *report.said, *report.warnings, report.page_of, *report.foot]
    for section in report.sections:
        found.append(section.title)
        found += [text for block in section.blocks for text in _texts(block)]
    return "\n".join(found)


def _texts(block: Block) -> Iterator[str]:
    match block:
        case FactList():
            yield from (text for row in block.rows for text in row)
        case DataTable():
            yield from (*block.head, *(cell for row in block.rows for cell in row))
        case Passage():
            yield block.text
        case Plot():
            yield block.caption
        case SignatureLines():
            yield from (*block.head, *block.roles)
