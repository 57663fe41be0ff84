"""A picture of a plan's point: each judged figure, how far it lies from what was asked, beside what is allowed."""

from io import BytesIO
from typing import Any

from matplotlib import rc_context
from matplotlib.figure import Figure

from stimctl.bench.figures import INK, PALE, QUIET

_COLOURS = {"holds": "#14662b", "fails": "#a80f0f"}
_OPEN = "#6a5200"


def off_rows(point: dict[str, Any]) -> list[dict[str, Any]]:
    """The figures of a point that have a value and two limits: what was asked lies in their middle."""
    return [row for row in point["rows"] if None not in (row["value"], row["low"], row["high"])]


def svg(point: dict[str, Any]) -> str:
    """A line a figure: in per cent of what was asked, with its uncertainty. Empty where none has two limits."""
    rows = off_rows(point)
    if not rows:
        return ""
    figure = Figure(figsize=(8.5, 0.75 + 0.24 * len(rows)), facecolor="white", layout="constrained")
    axes = figure.add_subplot()
    for place, row in enumerate(reversed(rows)):
        asked = (row["low"] + row["high"]) / 2
        low, high, value, bar = (100 * each / asked for each in (row["low"], row["high"], row["value"], row["guard"]))
        axes.barh(place, high - low, left=low - 100, height=0.62, color=PALE)
        colour = _COLOURS.get(row["verdict"], _OPEN)
        axes.errorbar(value - 100, place, xerr=bar, fmt="o", color=colour, markersize=3.5, elinewidth=1.4, capsize=2.5)
    axes.axvline(0, color=QUIET, linewidth=0.7)
    axes.set_yticks(range(len(rows)), [f"{row['name']}, {row['where']}" for row in reversed(rows)])
    axes.set_xlabel("measured, % off what was asked; grey: allowed", fontsize=8, color=QUIET)
    axes.tick_params(labelsize=7.5, colors=INK, length=0)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(PALE)
    out = BytesIO()
    with rc_context({"svg.hashsalt": point["key"], "svg.fonttype": "path"}):
        figure.savefig(out, format="svg", metadata={"Date": None})
    return out.getvalue().decode("utf-8")
