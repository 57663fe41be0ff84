"""The screen of a run on a load: under the session's figures the current over time, and the pulse as it should be."""

import pytest
from rich.console import Console

from stimctl.bench.drawn_pulse import drawn_pulse
from stimctl.bench.dummy_load import LoadRun, prescription_for
from stimctl.bench.readings import ReadingLog
from stimctl.cli.bench.plot_screen import PlotScreen
from stimctl.prescription import Subject
from stimctl.session.states import State
from stimctl.session.view import SessionView
from stimctl.stimulators.discovery import identify
from tests.stimctl.cli.run.test_live_screen import STATUS, reading


def test_the_pulse_is_drawn_as_a_watcher_sees_it() -> None:
    pytest.importorskip("plotext", reason="plotext is not installed")
    run = LoadRun(ohm=1_000, amplitude_ua=1_000, period_us=20_000, width_us=300, plateau_us=2_000_000, ramp_only=True)
    readings = ReadingLog()
    for now_us in (0, 100_000, 200_000):
        readings.take(reading(1), now_us)
    console = Console(width=80, height=60, force_terminal=True, color_system=None)
    screen = PlotScreen(prescription_for(run, Subject.SIMULATOR), 0, readings, console)
    view = SessionView(
        state=State.RUNNING, end=None, identity=identify("sim://").identity, now_us=200_000, ceiling_ua=2_000,
        targets_ua={1: 1_000}, status=STATUS, channels={1: reading(1)}, impedances={}, alarms=(),
        waits_for_operator=False, stop_after_us=None,
    )  # fmt: skip
    with console.capture() as captured:
        console.print(screen.drawing(view, 1))
    text = "\n".join(line.rstrip() for line in captured.get().splitlines())
    assert "line: applied, dots: measured" in text
    assert drawn_pulse(20_000, 300, 0, 300).text in text
