"""The judgement on paper: the same document in Typst's markup."""

from collections.abc import Iterable, Iterator
from typing import Any

from stimctl.bench.document import limits, measured_text, shown
from stimctl.report.pdf import as_pdf, escaped

HEAD = """#set page(paper: "a4", margin: (x: 16mm, y: 15mm), numbering: "1 of 1", footer-descent: 20%)
#set text(size: 8.5pt, font: ("DejaVu Sans", "Libertinus Serif"))
#set table(stroke: (x, y) => (bottom: 0.4pt + luma(200)), inset: (x: 3pt, y: 2.5pt))
#show heading: set block(above: 1.4em, below: 0.7em)
"""
SIMULATED = """#block(fill: rgb("#1c4e8a"), inset: 4pt)[
  #text(fill: white, weight: "bold")[SIMULATED: no current flowed into anything real]]"""
_SMALL = "#text(size: 6.5pt, fill: luma(90))"
_COLOURS = {"holds": "#14662b", "fails": "#a80f0f", "undecided": "#6a5200", "not measurable": "#6a5200"}


def paper(document: dict[str, Any], pictures: list[str]) -> bytes:
    """The PDF; `pictures` are SVG, one a capture."""
    files = {f"picture{number}.svg": picture.encode() for number, picture in enumerate(pictures) if picture}
    return as_pdf("\n".join(_markup(document, files)), files)


def _markup(document: dict[str, Any], files: dict[str, bytes]) -> Iterator[str]:
    profile = document["profile"]
    yield HEAD
    yield coloured(document["verdict"], "holds" if document["holds"] else "fails", size="13pt")
    yield f"= Bench acceptance against {escaped(profile['title'])} ({escaped(profile['id'])} {profile['version']})"
    if document["simulated"]:
        yield SIMULATED
    yield f"{escaped(measured_text(document))}\n"
    low, high = (value / 1_000 for value in profile["amplitude_ua"])
    commanded = f"{low:g} mA" if profile["commanded"] else f"not declared; the profile allows {low:g} to {high:g} mA"
    yield f"Commanded amplitude: {commanded}. Values stand with their expanded uncertainty (k #sym.eq 2),"
    yield "which is the guard band too."
    for number, capture in enumerate(document["captures"]):
        yield from _capture(capture, f"picture{number}.svg" if f"picture{number}.svg" in files else "")
    yield from _sheet(document["sheet"])
    yield from _judged_by(document)


def coloured(text: str, verdict: str, size: str = "8.5pt") -> str:
    """Text in the colour of a verdict."""
    colour = _COLOURS.get(verdict, "#777777")
    return f'#text(size: {size}, weight: "bold", fill: rgb("{colour}"))[{escaped(text)}]'


def _capture(capture: dict[str, Any], picture: str) -> Iterator[str]:
    declared = capture["declared"]
    yield f"== {escaped(capture['file'])}, {declared['load_ohm']:g} ohm"
    yield escaped(
        f"{capture['form']}; declared: unit {declared['unit']}, probe {declared['probe']:g}x; "
        f"{capture['rate_hz']:g} samples a second, {capture['duration_s']:.3f} s; "
        f"reference: {capture['reference'] or 'none'}"
        f"{'; SIMULATED' if capture['simulated'] else ''}"
    )
    yield f"\n#text(size: 6.5pt)[SHA-256 {capture['sha256']}]\n"
    for note in capture["notes"]:
        yield f"- {escaped(note)}"
    if picture:
        yield f'#image("{picture}", width: 100%)'
    yield from figures_table(capture["rows"])


def figures_table(rows: Iterable[dict[str, Any]]) -> Iterator[str]:
    """Figures, each beside its limits."""
    yield "#table(columns: (auto, 1fr, auto, auto, auto, auto),"
    yield "table.header([*where*], [*what*], [*measured*], [*unit*], [*limits*], [*verdict*]),"
    for row in rows:
        small = row["note"] or row["reason"]
        what = escaped(row["name"]) + (
            f" #linebreak() #text(size: 6.5pt, fill: luma(90))[{escaped(small)}]" if small else ""
        )
        cells = escaped(row["where"]), what, escaped(shown(row)), escaped(row["unit"]), escaped(limits(row))
        yield ", ".join(f"[{cell}]" for cell in cells) + f", [{coloured(row['verdict'], row['verdict'])}],"
    yield ")"


def _sheet(document: dict[str, Any]) -> Iterator[str]:
    yield "== Sheet over loads"
    # Reasons are long: columns that took what they need would leave the names none.
    yield f"#table(columns: (1.2fr, auto, {', '.join(['1fr'] * len(document['loads_ohm']))}),"
    heads = ", ".join(f"[*{load:g} ohm*]" for load in document["loads_ohm"])
    yield f"table.header([*figure*], [*unit*], {heads}),"
    for line in document["figures"]:
        cells = [escaped(shown(figure) or f"not measurable: {figure['reason']}") for figure in line["figures"]]
        yield f"[{escaped(line['name'])}], [{escaped(line['unit'])}], " + ", ".join(f"[{cell}]" for cell in cells) + ","
    yield ")"


def _judged_by(document: dict[str, Any]) -> Iterator[str]:
    tolerances, instrument = document["tolerances"], document["instrument"]
    assumed = f"; not declared but assumed: {', '.join(instrument['assumed'])}" if instrument["assumed"] else ""
    yield "== What it was judged by"
    yield escaped(
        f"{tolerances['name']}: {tolerances['file']}, SHA-256 {tolerances['sha256']}; {tolerances['source']}."
    )
    yield ""
    yield escaped(
        f"Instrument, bounds as parts of the reading: gain {instrument['gain_part']}, load {instrument['load_part']}, "
        f"time base {instrument['timebase_part']}{assumed}."
    )
    yield ""
    yield escaped(
        f"{document['tool']}, {document['made_utc']}. Bench, research and simulation software, not a medical device."
    )
