"""The report of a plan: its points with their figures and limits, as plain data, a table and a page."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from stimctl.bench.document import limits, sentence, shown
from stimctl.bench.page import FOLDER
from stimctl.bench.plan.file import BenchPlan
from stimctl.bench.plan.results import PlanResults
from stimctl.bench.verdict import Verdict, verdict_text
from stimctl.report.html import rendered

FORMAT = 1


def plan_document(plan: BenchPlan, results: PlanResults, made_utc: str, tool: str) -> dict[str, Any]:
    """All of it. Values and limits are in the unit beside them; `uncertainty` is expanded, k = 2."""
    points = [{"key": each.key, **results.done[each.key]} for each in plan.points if each.key in results.done]
    counts = Counter(row["verdict"] for point in points for row in point["rows"] if row["judged"])
    open_ = [each.key for each in plan.points if each.key not in results.done]
    text = verdict_text({verdict: counts[str(verdict)] for verdict in Verdict})
    if open_:
        text = f"NOT FINISHED, {len(open_)} of {len(plan.points)} points are open{f'; {text}' if points else ''}"
    return {
        "stimctl_bench_plan": FORMAT,
        "title": plan.head.title,
        "verdict": text,
        "holds": not counts[str(Verdict.FAILS)] and bool(points),
        "whole": not open_ and not counts[str(Verdict.UNDECIDED)] and not counts[str(Verdict.NOT_MEASURABLE)],
        "open": open_,
        "counts": {str(verdict): counts[str(verdict)] for verdict in Verdict},
        "made_utc": made_utc,
        "tool": tool,
        "plan": {"file": str(plan.path), "sha256": plan.sha256},
        **{name: value for name, value in results.head.items() if name not in ("format", "plan_sha256", "title")},
        "points": points,
    }  # fmt: skip


# The figure that a kind of step is about, by how its name begins.
_ABOUT = {
    "width": "width, mean", "rate": "rate", "timer": "stimulation", "watchdog": "from the last keepalive",
    "stop": "from the stop to the last", "pair": "pulses that flow",
}  # fmt: skip


def point_cells(point: dict[str, Any]) -> list[str]:
    """A point as a line of the table: what fails or stays open, or else what it is about."""
    named = [row for row in point["rows"] if row["judged"] and row["verdict"] != str(Verdict.HOLDS)]
    about = _ABOUT.get(point["kind"], ("amplitude, median", "from short", "from open"))
    first = next((row for row in point["rows"] if row["name"].startswith(about)), None)
    text = "; ".join(sentence(row) for row in named[:3]) or (f"{shown(first)} {first['unit']}" if first else "")
    return [point["key"], point["title"], point["verdict"], text]


def plan_page(document: dict[str, Any], pictures: Mapping[str, str]) -> str:
    """The report as one HTML page that needs nothing else; `pictures` are SVG by the point's key."""
    inside = {key: picture[picture.index("<svg") :] for key, picture in pictures.items() if picture}
    return rendered(
        FOLDER / "plan.html.j2", document=document, pictures=inside, cells=point_cells, shown=shown, limits=limits
    )
