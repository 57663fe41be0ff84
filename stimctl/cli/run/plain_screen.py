"""A session as plain lines: for logs, pipes and CI, and for a terminal that cannot be drawn on."""

from collections.abc import Sequence
from typing import IO, Any

import click

from stimctl.cli.run import wording as words
from stimctl.prescription import Prescription
from stimctl.session.states import ON_HOLD, STIMULATING
from stimctl.session.view import Alarm, OperatorMessage, SessionView, StateChanged
from stimctl.units import US_PER_MIN, US_PER_S, clock_text, ma_text

EVERY_US = 1 * US_PER_MIN
EVERY_ATTENDED_US = 5 * US_PER_S  # what an operator has to see is never older than this [choice]


class PlainLines:
    """Prints what happens, and a line of progress for each minute of the session.

    For an operator, who has keys, also: what each step waits for, the keys, and progress every 5 s and at each change.
    """

    def __init__(
        self, prescription: Prescription, began_us: int, out: IO[str] | None = None, *, attended: bool = False
    ) -> None:
        self._prescription = prescription
        self._out = out
        self._attended = attended
        self._every_us = EVERY_ATTENDED_US if attended else EVERY_US
        self._shown: tuple[Any, ...] = ()
        self._gate: str | None = None
        self._due_us = 0
        self._began_us = began_us
        self._banner = ""
        self._waiting: list[Any] = []

    def show(self, view: SessionView, events: Sequence[Any], selected: int) -> None:
        """Print what is new."""
        if view.identity is not None and not self._banner:
            self._banner = words.banner(view, self._prescription)
            profile = self._prescription.profile
            who = f"{view.identity.model} {view.identity.serial}, firmware {view.identity.firmware}"
            self._say(view.now_us, f"{self._banner}: {who}; {profile.title} ({profile.id} {profile.version})")
            if self._attended:
                self._say_keys(view.now_us)
            for flag in self._prescription.flags:
                if flag.name == "reached":
                    self._say(view.now_us, str(flag))
        self._waiting += events
        if not self._banner and view.end is None:
            return  # what it is comes before what it does
        while self._waiting:
            self._event(self._waiting.pop(0))
        due = view.state in STIMULATING and view.now_us >= self._due_us
        shown = (selected, *sorted(view.targets_ua.items())) if self._attended else ()
        if due or (view.state in STIMULATING | ON_HOLD and shown != self._shown):
            self._due_us = view.now_us + self._every_us - (view.now_us - self._began_us) % self._every_us
            self._shown = shown
            self._say(view.now_us, self._progress(view, selected))
        if self._attended:
            self._wait_at(words.GATES.get(view.state) if view.waits_for_operator else None, view.now_us)

    def _wait_at(self, gate: str | None, now_us: int) -> None:
        if gate is not None and gate != self._gate:
            self._say(now_us, f">>> {gate}")
            self._say_keys(now_us)
        self._gate = gate

    def _say_keys(self, now_us: int) -> None:
        self._say(now_us, f"    {words.STOP_HELP}; {words.KEY_HELP}")

    def _event(self, event: Any) -> None:
        if isinstance(event, StateChanged):
            self._say(event.at_us, event.state.value)
        elif isinstance(event, OperatorMessage):
            self._say(event.at_us, event.text)
        elif isinstance(event, Alarm):
            self._say(event.at_us, f"{event.priority.name} ALARM: {event.text}; {event.action}")

    def _progress(self, view: SessionView, selected: int) -> str:
        parts = [
            f"left {words.time_left(self._prescription, view.status)}",
            words.band(self._prescription, view.status),
        ]
        for channel, reading in sorted(view.channels.items()):
            now = f"{words.measured(view, reading)} of {ma_text(view.targets_ua.get(channel, reading.target_ua))}"
            if view.identity is not None and view.identity.by_lease:
                now = f"{ma_text(reading.applied_ua)} set of {ma_text(reading.target_ua)}"
            mark = " (keys)" if self._attended and channel == selected else ""
            parts.append(f"channel {channel}{mark}: {now}, {words.resistance(view, channel)}")
        return "; ".join([*parts, *words.shortfalls(view)])

    def _say(self, at_us: int, text: str) -> None:
        click.echo(f"{clock_text(max(0, at_us - self._began_us)):>6}  {text}", file=self._out)
