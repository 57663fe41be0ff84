"""The picture of docs/architecture.md, drawn from the import contracts of pyproject.toml.

    python -m tests.docs.architecture --check     fail when docs/architecture.svg is stale
    python -m tests.docs.architecture --write     draw it again

A package is a column of the lines of its `layers` contract: imports run downward only. A mark stands on each part of
stimctl that a `forbidden` contract leaves to a package which may not import all of it.
"""

import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from stimctl.wire.tables import check_or_write

ROOT = Path(__file__).parents[2]
PICTURE = ROOT / "docs" / "architecture.svg"
CONTRACTS: list[dict[str, Any]] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"][
    "contracts"
]
_FONT = 'font-family="DejaVu Sans, Verdana, sans-serif" font-size="12"'
_ROW, _GAP, _HEAD, _EDGE, _BETWEEN = 34, 6, 34, 20, 52
_WIDTHS = {"stimctl": 470, "firmware_sim": 440, "stimlab": 440}
_LAWS = {
    "stimctl": "stimctl: the driver",
    "firmware_sim": "firmware_sim: the device",
    "stimlab": "stimlab: the proof",
}
_MARKS = {"firmware_sim": ("#d95f02", "may be imported by firmware_sim"),
          "stimlab.conformance": ("#1b7837", "may be imported by stimlab.conformance")}  # fmt: skip


def layers(package: str, contracts: Iterable[Mapping[str, Any]] = CONTRACTS) -> list[list[str]]:
    """The lines of a package's contract, highest first, each with its parts."""
    (found,) = (each for each in contracts if each["type"] == "layers" and each["containers"] == [package])
    parts = ([name for name in line.split(" | ") if not name.startswith("(")] for line in found["layers"])
    return [line for line in parts if line]


def shared(importer: str, contracts: Iterable[Mapping[str, Any]] = CONTRACTS) -> set[str]:
    """The parts of stimctl that `importer`, which has a contract of its own, may import."""
    (found,) = (each for each in contracts if each["type"] == "forbidden" and each["source_modules"] == [importer])
    forbidden = {name.removeprefix("stimctl.") for name in found["forbidden_modules"]}
    return {part for line in layers("stimctl", contracts) for part in line} - forbidden


def picture(contracts: Iterable[Mapping[str, Any]] = CONTRACTS) -> str:
    """The whole picture, as SVG."""
    contracts = list(contracts)
    marks = {name: shared(name, contracts) for name in _MARKS}
    left, right = _EDGE, _EDGE + _WIDTHS["stimctl"] + _BETWEEN
    low = _EDGE + _height("stimlab", contracts) + _BETWEEN
    bottom = max(_EDGE + _height("stimctl", contracts), low + _height("firmware_sim", contracts))
    legend = _EDGE + _height("stimctl", contracts) + 30
    width, height = right + _WIDTHS["stimlab"] + _EDGE, max(bottom, legend + 22 * len(_MARKS)) + _EDGE
    body = [
        *_package("stimctl", left, _EDGE, marks, contracts),
        *_package("stimlab", right, _EDGE, {}, contracts),
        *_package("firmware_sim", right, low, {}, contracts),
        *_arrow(right, _EDGE + 90, right - _BETWEEN, _EDGE + 90),
        *_arrow(right + 200, low - _BETWEEN, right + 200, low),
        *_arrow(right, low + 90, right - _BETWEEN, low + 90, colour=_MARKS["firmware_sim"][0]),
        *_legend(left, legend),
    ]
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" {_FONT}>'
    title = "<title>Which part imports which: downward only, and along the arrows</title>"
    return "\n".join([head, title, f'<rect width="{width}" height="{height}" fill="white"/>', *body, "</svg>"]) + "\n"


def _height(package: str, contracts: Iterable[Mapping[str, Any]]) -> int:
    return _HEAD + (_ROW + _GAP) * len(layers(package, contracts)) + _GAP


def _package(
    package: str, x: int, y: int, marks: Mapping[str, set[str]], contracts: Iterable[Mapping[str, Any]]
) -> Iterator[str]:
    width = _WIDTHS[package]
    yield _box(x, y, width, _height(package, contracts), "#f4f6f8")
    yield _text(x + width / 2, y + 22, _LAWS[package], bold=True)
    for number, line in enumerate(layers(package, contracts)):
        at_x, at_y = float(x + _GAP), y + _HEAD + number * (_ROW + _GAP)
        for part in line:
            # As much room as its name takes, of what the line has.
            across = (width - _GAP) * (len(part) + 3) // sum(len(each) + 3 for each in line)
            yield _box(at_x, at_y, across - _GAP, _ROW, "white")
            yield _text(at_x + (across - _GAP) / 2, at_y + 22, part)
            own = [colour for name, (colour, _) in _MARKS.items() if part in marks.get(name, ())]
            for shift, colour in enumerate(own):
                yield f'<circle cx="{at_x + across - _GAP - 10 - 13 * shift:g}" cy="{at_y + 9}" r="5" fill="{colour}"/>'
            at_x += across


def _legend(x: int, y: int) -> Iterator[str]:
    for number, (colour, words) in enumerate(_MARKS.values()):
        yield f'<circle cx="{x + 8}" cy="{y + 22 * number - 4}" r="5" fill="{colour}"/>'
        yield _text(x + 22, y + 22 * number, words, anchor="start")


def _box(x: float, y: float, width: float, height: float, fill: str) -> str:
    size = f'x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}"'
    return f'<rect {size} rx="4" fill="{fill}" stroke="#5a6673"/>'


def _text(x: float, y: float, words: str, *, bold: bool = False, anchor: str = "middle") -> str:
    weight = ' font-weight="bold"' if bold else ""
    return f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}"{weight}>{escape(words)}</text>'


def _arrow(x: int, y: int, to_x: int, to_y: int, *, colour: str = "#5a6673") -> Iterator[str]:
    back_x, back_y = (10 if to_x < x else 0), (10 if to_y > y else 0)
    yield f'<path d="M{x} {y}L{to_x + back_x} {to_y - back_y}" stroke="{colour}" stroke-width="3"/>'
    tip = f"{to_x},{to_y} {to_x + 12},{to_y - 6} {to_x + 12},{to_y + 6}"
    if to_y > y:
        tip = f"{to_x},{to_y} {to_x - 6},{to_y - 12} {to_x + 6},{to_y - 12}"
    yield f'<polygon points="{tip}" fill="{colour}"/>'


def main(arguments: list[str] | None = None) -> int:
    """Check or write the picture. Returns the exit code."""
    about = "The picture of docs/architecture.md, from the import contracts."
    return check_or_write("tests.docs.architecture", about, PICTURE, lambda _text, _source: picture(), arguments)


if __name__ == "__main__":
    sys.exit(main())
