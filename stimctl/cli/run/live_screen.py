"""The live screen of a session: the figures that an operator has to see, with STOP in the first line.

Drawn by rich on the terminal's other screen, so that what was there before comes back. It shows a view and
keeps no facts of its own but the last messages.
"""

import os
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from stimctl.cli.console import CommandConsole
from stimctl.cli.run import wording as words
from stimctl.cli.streams import plain_terminal
from stimctl.prescription import Prescription
from stimctl.session.states import OUTPUT
from stimctl.session.view import Alarm, OperatorMessage, Priority, SessionView, StateChanged
from stimctl.units import clock_text, ma_text

_MESSAGES = 4
_ALARMS = 4
_ALARM_STYLE = {Priority.HIGH: "bold white on red", Priority.MEDIUM: "bold black on yellow", Priority.LOW: "bold"}
# A wheel sends no arrows while the screen is ours; then as it was, where the terminal can tell.
_WHEEL_OFF, _WHEEL_AS_BEFORE = "\x1b[?1007s\x1b[?1007l", "\x1b[?1007r"
_BANNER_STYLE = {
    "SIMULATOR": "bold white on blue",
    "HARDWARE": "bold white on magenta",
    "REHEARSAL": "bold white on green",
}


_COLUMNS, _LINES = 40, 10  # [choice] from 38 columns on the first line has the banner and STOP whole


def can_draw() -> bool:
    """Whether standard output is a terminal that a screen can be drawn on, says what kind, and is large enough."""
    console = CommandConsole()
    named = os.name == "nt" or not plain_terminal()
    large = console.width >= _COLUMNS and console.height >= _LINES
    return named and large and console.is_terminal and console.is_interactive and not console.is_dumb_terminal


class LiveScreen:
    """Shows a session on a terminal. Use it in a `with`."""

    def __init__(self, prescription: Prescription, began_us: int, console: Console | None = None) -> None:
        self._prescription = prescription
        self._messages: deque[str] = deque(maxlen=_MESSAGES)
        self._began_us = began_us
        self._console = console or CommandConsole()
        self._live = Live(console=self._console, screen=True, auto_refresh=False, transient=True)

    def __enter__(self) -> Self:
        self._live.__enter__()
        self._console.file.write(_WHEEL_OFF)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(OSError):  # a terminal that is gone needs nothing back
            self._console.file.write(_WHEEL_AS_BEFORE)
        self._live.__exit__(kind, error, trace)

    def show(self, view: SessionView, events: Sequence[Any], selected: int) -> None:
        """Draw the session as it is now."""
        self.take(events)
        self._live.update(self.drawing(view, selected), refresh=True)

    def take(self, events: Sequence[Any]) -> None:
        """Keep what is to be shown longer than one moment."""
        for event in events:
            self._keep(event)

    def _keep(self, event: Any) -> None:
        if isinstance(event, StateChanged):
            self._messages.append(f"{clock_text(event.at_us - self._began_us)} {event.state.value}")
        elif isinstance(event, OperatorMessage):
            self._messages.append(f"{clock_text(event.at_us - self._began_us)} {event.text}")

    def drawing(self, view: SessionView, selected: int) -> RenderableType:
        """The whole screen, most urgent first: a low terminal cuts off its end."""
        return Group(
            self._head(view),
            *(_alarm(alarm) for alarm in view.alarms[-_ALARMS:]),
            self._gate(view),
            self._progress(view),
            Text(""),
            self._channels(view, selected),
            *(Text(f"! {line}", "bold yellow") for line in words.shortfalls(view)),
            Text(""),
            *(Text(f"! {flag}", "yellow") for flag in self._prescription.flags),
            *(Text(line, "dim") for line in words.needles(self._prescription)),
            Rule(style="dim"),
            *(Text(line, "dim") for line in self._messages),
        )

    def _head(self, view: SessionView) -> RenderableType:
        what = words.banner(view, self._prescription)
        profile = self._prescription.profile
        line = Table.grid(expand=True)
        line.add_column()
        line.add_column(ratio=1, justify="center", no_wrap=True)
        line.add_column(justify="right", no_wrap=True)
        line.add_row(
            Text(f" {what} ", _BANNER_STYLE.get(what, "bold reverse")),
            Text(f"{profile.title} ({profile.id} {profile.version})", "bold"),
            Text(f" {words.STOP_HELP} ", "bold white on red"),
        )
        return line

    def _gate(self, view: SessionView) -> RenderableType:
        gate = words.GATES.get(view.state) if view.waits_for_operator else None
        if gate is not None:
            return Text(f" {gate} ", "bold black on green")
        return Text(words.KEY_HELP, "cyan")

    def _progress(self, view: SessionView) -> RenderableType:
        total_us = self._prescription.stimulation_us
        done_us = total_us - words.time_left_us(self._prescription, view.status)
        style = "bold green" if view.state in OUTPUT else "bold"
        first = Table.grid(padding=(0, 3, 0, 0), expand=True)
        first.add_column(no_wrap=True)
        first.add_column(no_wrap=True)
        first.add_column(ratio=1)
        first.add_row(
            Text(words.doing(view), style),
            Text.assemble("left ", (words.time_left(self._prescription, view.status), "bold")),
            ProgressBar(total=total_us, completed=done_us),
        )
        second = Text.assemble("band ", (words.band(self._prescription, view.status), "bold"))
        second.append(f"   keepalive {words.keepalive(view)}   {words.hold_left(view)}")
        return Group(first, second)

    def _channels(self, view: SessionView, selected: int) -> RenderableType:
        table = Table(box=None, padding=(0, 1, 0, 0), header_style="dim", expand=True)
        table.add_column("CH", width=2, justify="right")
        table.add_column("PAIR", ratio=1, no_wrap=True, overflow="ellipsis")
        for header, width in (("TARGET", 7), ("APPLIED", 7), ("MEASURED", 8), ("CEILING", 7), ("OHM", 5)):
            table.add_column(header, justify="right", min_width=width, no_wrap=True)
        table.add_column("CONTACT", min_width=7, no_wrap=True)
        table.add_column("CHARGE", justify="right", min_width=10, no_wrap=True)
        for plan in self._prescription.channels:
            reading = view.channels.get(plan.channel)
            state = words.contact(reading)
            table.add_row(
                f"{'>' if plan.channel == selected else ''}{plan.channel}",
                words.pair(self._prescription, plan.channel),
                ma_text(view.targets_ua.get(plan.channel, 0)),
                ma_text(reading.applied_ua if reading else 0),
                Text(words.measured(view, reading), "bold"),
                ma_text(view.ceiling_ua),
                words.ohms(view, plan.channel),
                Text(state, "green" if state in ("good", "-") else "bold white on red"),
                words.charge(view, reading),
                style="" if plan.channel == selected else "dim",
            )
        return table


def _alarm(alarm: Alarm) -> RenderableType:
    return Text(f" {alarm.priority.name}: {alarm.text} -> {alarm.action} ", _ALARM_STYLE[alarm.priority])
