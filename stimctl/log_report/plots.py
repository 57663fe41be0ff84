"""The plots of a report, as SVG. They hold figures and units only: what they show is said in the report's language."""

from collections.abc import Callable, Iterable, Sequence
from io import BytesIO
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from stimctl.log_report.readings import BandShare, CoursePoint, Series, SessionReadings

INK, QUIET, PALE, ALARMING = "#222222", "#555555", "#d9d9d9", "#a80f0f"
CHANNELS = {1: "#1b5e9b", 2: "#c2571a", 3: "#14662b", 4: "#7a3d8f"}
BANDS = ("#9dbfe0", "#e8b48a")
_MOST = 1_500  # points of a line: more than a page can show [choice]
_HIGH, _WIDE = 1.35, 7.4  # inches, of a panel
_BELOW, _ABOVE = 0.45, 0.25  # inches
_MILLI = 1_000  # from where on a charge is shown in mC

_Panel = tuple[str, str, Callable[[Axes], None]]


def session_svg(readings: SessionReadings, bands: Sequence[str]) -> str:
    """Current, impedance, charge and bands below each other over the session's minutes; each only where it was read."""
    panels: list[_Panel] = []
    if readings.applied or readings.measured:
        panels.append(("A", "mA", lambda axes: _current(axes, readings)))
    if readings.impedance:
        panels.append(("B", "kΩ", lambda axes: _lines(axes, readings.impedance, ".", markersize=3.5)))
    if readings.charge:
        unit, factor = _charge_unit(value for points in readings.charge.values() for _, value in points)
        charge = {each: [(x, y * factor) for x, y in points] for each, points in readings.charge.items()}
        panels.append(("C", unit, lambda axes: _lines(axes, charge, "-", linewidth=1.3)))
    if readings.bands:
        panels.append(("D", "%", lambda axes: _bands(axes, readings.bands, bands)))
    return _drawn(panels, "min") if panels else ""


def course_svg(points: Sequence[CoursePoint]) -> str:
    """Pain, reached amplitude and charge over the numbers of the sessions."""
    unit, factor = _charge_unit(one.charge_uc or 0 for one in points)

    def doses(axes: Axes) -> None:
        for sure in (True, False):
            values = [one.charge_uc if one.confirmed is sure else None for one in points]
            scaled = [None if value is None else value * factor for value in values]
            _marks(axes, points, scaled, hollow=not sure)
        axes.set_ylim(0, axes.get_ylim()[1] * 1.1)
        for one in points:
            if one.uncertain:
                axes.annotate("?", (one.number, 0), ha="center", va="bottom", size=13, weight="bold", color=ALARMING)

    panels: list[_Panel] = []
    if any(one.pain_before is not None or one.pain_after is not None for one in points):
        panels.append(("A", "0–10", lambda axes: _scores(axes, points)))
    if any(one.reached_ma is not None for one in points):
        panels.append(("B", "mA", lambda axes: _marks(axes, points, [one.reached_ma for one in points], bottom=0)))
    if any(one.charge_uc is not None for one in points):
        panels.append(("C", unit, doses))
    return _drawn(panels, "", whole=(points[0].number, points[-1].number)) if panels else ""


def _charge_unit(charges_uc: Iterable[float]) -> tuple[str, float]:
    return ("mC", 1 / _MILLI) if max(charges_uc, default=0) >= _MILLI else ("µC", 1)


def _drawn(panels: Sequence[_Panel], x_label: str, whole: tuple[int, int] | None = None) -> str:
    height = _HIGH * len(panels) + _BELOW + _ABOVE
    figure = Figure(figsize=(_WIDE, height), facecolor="none")
    axes_of = figure.subplots(len(panels), 1, sharex=True, squeeze=False)
    # A layout that is found by drawing twice would take twice as long.
    figure.subplots_adjust(0.075, _BELOW / height, 0.995, 1 - _ABOVE / height, hspace=0.3)
    for (letter, unit, draw), axes in zip(panels, axes_of[:, 0], strict=True):
        axes.set_facecolor("none")
        axes.set_title(letter, loc="left", fontsize=9, fontweight="bold", color=INK, pad=4)
        axes.set_ylabel(unit, fontsize=8.5, color=INK)
        axes.yaxis.set_label_coords(-0.055, 0.5)
        axes.tick_params(labelsize=8, colors=QUIET)
        axes.spines[["top", "right"]].set_visible(False)
        axes.spines[["left", "bottom"]].set_color(QUIET)
        axes.grid(axis="y", color=PALE, linewidth=0.5)
        axes.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
        draw(axes)
    last = axes_of[-1, 0]
    last.set_xlabel(x_label, fontsize=8.5, color=INK)
    ticks = 10 if whole is None else min(whole[1] - whole[0] + 1, 20)
    last.xaxis.set_major_locator(MaxNLocator(ticks, steps=[1, 2, 5, 10], integer=whole is not None))
    last.set_xlim((0, None) if whole is None else (whole[0] - 0.5, whole[1] + 0.5))
    return _svg(figure)


def _svg(figure: Figure) -> str:
    out = BytesIO()
    with rc_context({"svg.hashsalt": "stimctl", "svg.fonttype": "path"}):
        figure.savefig(out, format="svg", metadata={"Date": None})
    text = out.getvalue().decode("utf-8")
    return text[text.index("<svg") :]


def _current(axes: Axes, readings: SessionReadings) -> None:
    _lines(axes, readings.target, "--", linewidth=0.8, alpha=0.7, drawstyle="steps-pre")
    _lines(axes, readings.applied, "-", linewidth=1.1)
    _lines(axes, readings.measured, ".", markersize=3)
    axes.set_ylim(0, axes.get_ylim()[1] * 1.1)
    for channel in sorted({*readings.applied, *readings.measured}):
        axes.plot([], [], color=CHANNELS.get(channel, INK), label=str(channel))
    _legend(axes)


def _legend(axes: Axes) -> None:
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), borderaxespad=0.2, fontsize=8, frameon=False, ncols=4)


def _lines(axes: Axes, series: Series, style: str, **how: Any) -> None:
    for channel, points in series.items():
        every = points[:: len(points) // _MOST + 1]
        axes.plot(*zip(*every, strict=True), style, color=CHANNELS.get(channel, INK), **how)


def _bands(axes: Axes, found: Sequence[BandShare], names: Sequence[str]) -> None:
    for band, (name, colour) in enumerate(zip(names, BANDS, strict=False)):
        there = [share for share in found if band < len(share.shares)]
        # One collection a band: a patch for each reading would take seconds.
        boxes = [_box(share, sum(share.shares[:band]), share.shares[band]) for share in there]
        axes.add_collection(PolyCollection(boxes, facecolors=colour, edgecolors=colour, linewidths=0.3, label=name))
    axes.autoscale_view()
    axes.set_ylim(0, 100)
    _legend(axes)


def _box(share: BandShare, bottom: float, part: float) -> list[tuple[float, float]]:
    low, high = bottom * 100, (bottom + part) * 100
    return [(share.from_min, low), (share.to_min, low), (share.to_min, high), (share.from_min, high)]


def _scores(axes: Axes, points: Sequence[CoursePoint]) -> None:
    for one in points:
        if one.pain_before is not None and one.pain_after is not None:
            axes.plot((one.number,) * 2, (one.pain_before, one.pain_after), color=PALE, linewidth=2, zorder=1)
    _marks(axes, points, [one.pain_before for one in points], hollow=True)
    _marks(axes, points, [one.pain_after for one in points])
    axes.set_ylim(-0.5, 10.5)


def _marks(
    axes: Axes,
    points: Sequence[CoursePoint],
    values: Sequence[float | None],
    *,
    hollow: bool = False,
    bottom: float | None = None,
) -> None:
    found = [(one.number, value) for one, value in zip(points, values, strict=True) if value is not None]
    if found:
        inside = "white" if hollow else CHANNELS[1]
        axes.plot(*zip(*found, strict=True), "o", markersize=5.5, color=CHANNELS[1], markerfacecolor=inside, zorder=2)
    if bottom is not None:
        axes.set_ylim(bottom, axes.get_ylim()[1] * 1.1)
