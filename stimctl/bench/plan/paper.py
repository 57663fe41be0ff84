"""A plan's report on paper: the same document in Typst's markup."""

from collections.abc import Iterator, Mapping
from typing import Any

from stimctl.bench.paper import HEAD, SIMULATED, coloured, figures_table
from stimctl.bench.plan.report import point_cells
from stimctl.report.pdf import as_pdf, escaped


def plan_paper(document: dict[str, Any], pictures: Mapping[str, str]) -> bytes:
    """The PDF; `pictures` are SVG by the point's key."""
    files = {f"{key}.svg": picture.encode() for key, picture in pictures.items() if picture}
    return as_pdf("\n".join(_markup(document, files)), files)


def _markup(document: dict[str, Any], files: Mapping[str, bytes]) -> Iterator[str]:
    device, instrument = document["device"], document["instrument"]
    yield HEAD
    yield coloured(document["verdict"], "holds" if document["holds"] else "fails", size="13pt")
    yield f"= {escaped(document['title'])}"
    if document["simulated"]:
        yield SIMULATED
    yield escaped(
        f"Device: {device['model']}, serial number {device['serial']}, firmware {device['firmware']}. Oscilloscope: "
        f"{document['scope']}. Each value stands with its expanded uncertainty (k = 2), which is the guard band too. "
        "What was not measured has no figure."
    )
    yield "#table(columns: (auto, 1fr, 1.3fr, auto),"
    yield "table.header([*point*], [*what*], [*figure, or what does not hold*], [*verdict*]),"
    for point in document["points"]:
        key, title, verdict, text = point_cells(point)
        yield f"[{escaped(key)}], [{escaped(title)}], [{escaped(text)}], [{coloured(verdict, verdict)}],"
    yield ")"
    for point in document["points"]:
        yield from _point(point, files)
    assumed = f"; not declared but assumed: {', '.join(instrument['assumed'])}" if instrument["assumed"] else ""
    yield "== What it was judged by"
    yield escaped(
        f"Plan {document['plan']['file']}, SHA-256 {document['plan']['sha256']}. Tolerances {document['tolerances']}, "
        f"SHA-256 {document['tolerances_sha256']}. Instrument, bounds as parts of the reading: gain "
        f"{instrument['gain']}, load {instrument['load']}, time base {instrument['timebase']}{assumed}."
    )
    yield ""
    yield escaped(
        f"{document['tool']}, {document['made_utc']}; begun {document['begun_utc']}. Bench, research and simulation "
        "software, not a medical device. Evidence about one device at one time."
    )


def _point(point: dict[str, Any], files: Mapping[str, bytes]) -> Iterator[str]:
    yield f"== {escaped(point['key'])}: {escaped(point['title'])}"
    capture = point.get("capture")
    of_file = f"; {capture['file']}, SHA-256 {capture['sha256']}" if capture else ""
    told = f"session {point['session_id']}, {point['finished_utc']}{of_file}"
    yield f"#text(size: 6.5pt)[{escaped(told)}]\n"
    if f"{point['key']}.svg" in files:
        yield f'#image("{point["key"]}.svg", width: 100%)'
    yield from figures_table(point["rows"])
