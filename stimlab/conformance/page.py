"""Writes a run as one HTML page that needs nothing else: no file beside it and nothing from the network.

Traffic is packed, and unpacked by the page where somebody opens it: failed checks first, as much as the page may hold.
"""

import json
from base64 import b64encode
from collections.abc import Iterable, Iterator
from itertools import product
from pathlib import Path
from typing import Any
from zlib import MAX_WBITS, compressobj

from stimlab.conformance.matrix import AMPLITUDES_UA, CHANNELS, SafetyAction, SegmentPosition, SessionMoment
from stimlab.conformance.report import document
from stimlab.conformance.result import SuiteResult

TEMPLATE = Path(__file__).with_name("page.html.j2")
TRAFFIC_BYTES = 220_000  # packed; with all else the page stays under 500 KB
PASSED_LINES = 20  # at each end of the traffic of a check that passed
MOST_WRONG = 60  # failed checks that are shown with all that was found
WRONG = ("failed", "error")
MARKS = {"passed": "\u2713", "failed": "\u2717", "error": "!", "skipped": "\u2013"}


def as_html(run: SuiteResult) -> str:
    """The page as text. What the device says is shown as text, whatever is in it."""
    # Here, because nothing else of stimctl needs it.
    from jinja2 import Environment, StrictUndefined

    made = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    reported = document(run)
    for number, check in enumerate(reported["checks"]):
        check["number"] = number
    wrong = [check for check in reported["checks"] if check["verdict"] in WRONG]
    ordinary = [check for check in reported["checks"] if check["cell"] is None and check["verdict"] not in WRONG]
    page: str = made.from_string(TEMPLATE.read_text("utf-8")).render(
        run=reported,
        wrong=wrong[:MOST_WRONG],
        more_wrong=len(wrong) - len(wrong[:MOST_WRONG]),
        ordinary=ordinary,
        grids=list(_grids(reported["checks"])),
        columns=[f"{channel}, {moment.value}" for channel, moment in product(CHANNELS, SessionMoment)],
        left_out=_left_out(reported["checks"]),
        traffic=_packed([*wrong[:MOST_WRONG], *ordinary]),
    )
    return page


def _packed(checks: Iterable[dict[str, Any]]) -> dict[int, str]:
    """The traffic of each check by its number, as much as there is room for."""
    packed: dict[int, str] = {}
    room = TRAFFIC_BYTES
    for check in checks:
        lines = [[line["from"] == "host", line["text"], line["hex"]] for line in check["traffic"]]
        if check["verdict"] not in WRONG and len(lines) > 2 * PASSED_LINES:
            between = f"... {len(lines) - 2 * PASSED_LINES + check['traffic_left_out']} more; --json holds them"
            lines[PASSED_LINES:-PASSED_LINES] = [[False, between, ""]]
        press = compressobj(9, wbits=-MAX_WBITS)
        text = json.dumps(lines, separators=(",", ":")).encode()
        pack = b64encode(press.compress(text) + press.flush()).decode()
        if lines and len(pack) <= room:
            packed[check["number"]] = pack
            room -= len(pack)
    return packed


def _grids(checks: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The matrix, an action at a time: rows of segment and amplitude, columns of channel and moment."""
    cells = {tuple(check["cell"].values()): check for check in checks if check["cell"] is not None}
    for action in SafetyAction if cells else ():
        rows = []
        for place, amplitude_ua in product(SegmentPosition, AMPLITUDES_UA):
            points = [(channel, moment.value) for channel, moment in product(CHANNELS, SessionMoment)]
            keys = [(action.value, place.value, amplitude_ua, *point) for point in points]
            verdicts = [cells[key]["verdict"] if key in cells else "skipped" for key in keys]
            marks = [(verdict, MARKS[verdict]) for verdict in verdicts]
            rows.append({"name": f"{place.value}, {amplitude_ua} uA", "marks": marks})
        yield {"action": action.value, "rows": rows}


def _left_out(checks: list[dict[str, Any]]) -> list[tuple[str, int, str]]:
    """Why checks were not examined, how many, and their names where they are few."""
    by_reason: dict[str, list[str]] = {}
    for check in checks:
        if check["verdict"] == "skipped":
            by_reason.setdefault(check["reason"], []).append(check["name"])
    return [(reason, len(names), ", ".join(names) if len(names) <= 40 else "") for reason, names in by_reason.items()]
