"""The live plot of a run on a load: what was applied and what was measured, under the figures of every session."""

from collections.abc import Sequence
from typing import Protocol

from rich.console import Console, Group, RenderableType
from rich.text import Text

from stimctl.bench.drawn_pulse import drawn_pulse
from stimctl.bench.readings import ReadingLog
from stimctl.cli.run.live_screen import LiveScreen, can_draw
from stimctl.prescription import Prescription
from stimctl.session.view import SessionView
from stimctl.units import UA_PER_MA

SHOWN_S = 60
_HEIGHT = 14


def plot_screen(prescription: Prescription, began_us: int, readings: ReadingLog) -> "PlotScreen | None":
    """The screen, or None where the terminal cannot be drawn on or plotext is not installed (`stimctl[plot]`)."""
    try:
        import plotext  # noqa: F401 - asked for before anything is drawn
    except ImportError:
        return None
    return PlotScreen(prescription, began_us, readings) if can_draw() else None


class PlotScreen(LiveScreen):
    """The live screen of a session; a plot of the selected channel's last minute; and the pulse as it should be."""

    def __init__(
        self, prescription: Prescription, began_us: int, readings: ReadingLog, console: Console | None = None
    ) -> None:
        super().__init__(prescription, began_us, console)
        self._readings = readings
        self._pulses = "\n".join(
            drawn_pulse(each.period_us, each.width_us, each.interphase_gap_us, each.second_width_us).text
            for each in prescription.program.segments
        )

    def drawing(self, view: SessionView, selected: int) -> RenderableType:
        """Head, gate, progress and channels as ever, then the plot and the pulse: a low terminal cuts off its end."""
        plot = plot_text(self._readings.last(selected, SHOWN_S), self._console.width)
        return Group(super().drawing(view, selected), Text(plot), Text(self._pulses, no_wrap=True))


class Plotted(Protocol):
    """What is plotted of a reading."""

    @property
    def t_s(self) -> float: ...
    @property
    def applied_ua(self) -> int: ...
    @property
    def measured_ua(self) -> int | None: ...


def plot_text(rows: Sequence[Plotted], width: int) -> str:
    """Applied and measured current over time; nothing before there are two readings."""
    if len(rows) < 2:
        return ""
    import plotext

    figure = plotext.figure
    figure.clear()
    figure.theme("colorless")
    figure.plot_size(width, _HEIGHT)
    figure.label("s")
    figure.label("mA", axis="y")
    times = [row.t_s for row in rows]
    figure.draw(figure.signal(times, [row.applied_ua / UA_PER_MA for row in rows]).lines())
    measured = [(row.t_s, row.measured_ua / UA_PER_MA) for row in rows if row.measured_ua]
    if len(measured) > 1:
        figure.draw(figure.signal([t for t, _ in measured], [ma for _, ma in measured]))
    drawn = str(plotext.uncolorize(str(figure.build())))
    figure.clear()
    return f"line: applied, dots: measured, mA over s\n{drawn}"
