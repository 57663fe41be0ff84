"""Shows a session as plain lines: for log files, pipes and CI, where there is no terminal to draw on."""

from collections.abc import Sequence
from typing import IO, Any

import click

from stimctl.cli.run import wording as words
from stimctl.prescription import Prescription
from stimctl.session.states import STIMULATING
from stimctl.session.view import Alarm, OperatorMessage, SessionView, StateChanged
from stimctl.units import US_PER_MIN, clock_text, ma_text

EVERY_US = 1 * US_PER_MIN


class PlainLines:
    """Prints what happens, and a line of progress for each minute of the session."""

    def __init__(self, prescription: Prescription, began_us: int, out: IO[str] | None = None) -> None:
        self._prescription = prescription
        self._out = out
        self._due_us = 0
        self._began_us = began_us
        self._banner = ""
        self._waiting: list[Any] = []

    def show(self, view: SessionView, events: Sequence[Any], selected: int) -> None:  # noqa: ARG002
        """Print what is new."""
        if view.identity is not None and not self._banner:
            self._banner = words.banner(view)
            profile = self._prescription.profile
            who = f"{view.identity.model} {view.identity.serial}, firmware {view.identity.firmware}"
            self._say(view.now_us, f"{self._banner}: {who}; {profile.title} ({profile.id} {profile.version})")
        self._waiting += events
        if not self._banner and view.end is None:
            return  # what it is comes before what it does
        while self._waiting:
            self._event(self._waiting.pop(0))
        if view.state in STIMULATING and view.now_us >= self._due_us:
            self._due_us = view.now_us + EVERY_US - (view.now_us - self._began_us) % EVERY_US
            self._say(view.now_us, self._progress(view))

    def _event(self, event: Any) -> None:
        if isinstance(event, StateChanged):
            self._say(event.at_us, event.state.value)
        elif isinstance(event, OperatorMessage):
            self._say(event.at_us, event.text)
        elif isinstance(event, Alarm):
            self._say(event.at_us, f"{event.priority.name} ALARM: {event.text}; {event.action}")

    def _progress(self, view: SessionView) -> str:
        parts = [
            f"left {words.time_left(self._prescription, view.status)}",
            words.band(self._prescription, view.status),
        ]
        for channel, reading in sorted(view.channels.items()):
            now = f"{words.measured(view, reading)} of {ma_text(reading.target_ua)}"
            if view.identity is not None and view.identity.by_lease:
                now = f"{ma_text(reading.applied_ua)} set of {ma_text(reading.target_ua)}"
            parts.append(f"channel {channel}: {now}, {words.resistance(view, channel)}")
        return "; ".join(parts)

    def _say(self, at_us: int, text: str) -> None:
        click.echo(f"{clock_text(max(0, at_us - self._began_us)):>6}  {text}", file=self._out)
