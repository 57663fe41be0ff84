"""The operator's side of a running session: keys become commands, and a display follows.

One loop in the main thread. Each turn checks in with the session, which ends by itself when that stops: a
frozen terminal is no operator.
"""

import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any, Protocol

from stimctl.api import Session
from stimctl.cli.run.keys import CLOSED, Keys
from stimctl.cli.streams import let_go, lost
from stimctl.session.states import STIMULATING, End
from stimctl.session.view import OperatorMessage, SessionReport, SessionView
from stimctl.signal_handlers import install, present

TICK_S = 0.1
# A key that comes again sooner is being held down: keyboards begin to repeat after 0.25 to 0.7 s [choice].
LET_GO_S = 0.8
_STOP_KEYS = frozenset({"s", "S", "space", "q", "Q", "esc", "ctrl-z", "ctrl-\\", "ctrl-d", "ctrl-c"})
# No arrow among them: a wheel over a screen like ours sends arrows (docs/decisions/0009-terminals.md).
_RAISE_KEYS = frozenset({"+", "="})
_LOWER_KEYS = frozenset({"-", "_"})
_PROCEED_KEYS = frozenset({"enter", "r", "R"})


# The signals that stop a session, as people know them.
HUNG_UP = "the terminal was closed"
SIGNALS = {
    "SIGINT": "Ctrl-C (SIGINT)",
    "SIGTERM": "SIGTERM",
    "SIGHUP": HUNG_UP,
    "SIGQUIT": "Ctrl-\\ (SIGQUIT)",
    "SIGTSTP": "Ctrl-Z (SIGTSTP)",
    "SIGBREAK": "Ctrl-Break (SIGBREAK)",
}
# A program in the background that reads or writes at its terminal is suspended by these, with its current on. Ignored,
# the read fails, which is a terminal that is gone, and the write is done.
_OF_BACKGROUND = ("SIGTTIN", "SIGTTOU")


_STREAMS = (0, 1, 2)


class SessionDisplay(Protocol):
    """Shows a session to its operator, and takes the keys."""

    def show(self, view: SessionView, events: Sequence[Any], selected: int) -> None:
        """Bring the display up to date. `events` are those since the last call."""


class OperatorGone:
    """The signal that the operator is gone, if there is one: a signal, or a terminal that is gone."""

    def __init__(self) -> None:
        self.signal: int | None = None
        self.hung_up = False
        # Asked now: a terminal that is gone is none any more.
        self._terminals = [descriptor for descriptor in _STREAMS if os.isatty(descriptor)]

    def lose_terminal(self) -> None:
        """What is printed there from now on goes nowhere, instead of failing; files and pipes are kept."""
        self.hung_up = True
        let_go(*(each for each in _STREAMS if each in self._terminals or lost(each)))


class FrontEnd:
    """Drives a started session to its end."""

    def __init__(
        self,
        session: Session,
        channels: Sequence[int],
        display: SessionDisplay,
        keys: Keys | None,
        departure: OperatorGone,
    ) -> None:
        self._session = session
        self._departure = departure
        self._channels = tuple(channels)
        self._selected = self._channels[0]
        self._display = display
        self._keys = keys
        self._said: list[OperatorMessage] = []
        self._pressed_s: dict[str, float] = {}
        self._held_down = False
        self.before: Mapping[str, Any] | None = None

    def run(self) -> SessionReport:
        """Show the session and obey its operator until it ends. Raises what broke the session's loop."""
        session = self._session
        self._take_typed_ahead(session.view())
        while True:
            report = session.wait(0 if self._keys else TICK_S)
            view = session.view()
            events = [*session.take_events(), *self._said]
            self._said = []
            try:
                self._display.show(view, events, self._selected)
            except OSError:
                self._lost()
            if report is not None:
                return report
            session.check_in()
            if self.before is not None and view.identity is not None:
                session.note("outcome", self.before)
                self.before = None
            if self._keys:
                keys = self._keys.read(TICK_S)
                for key in keys:
                    self._press(key, view, alone=len(set(keys)) == 1)

    def _take_typed_ahead(self, view: SessionView) -> None:
        """What was typed before there was a screen answers no gate, nor does an Enter still held down; a stop stops."""
        while self._keys and (keys := self._keys.read(0)):
            for key in keys:
                if key in _STOP_KEYS or key == CLOSED:
                    self._press(key, view, alone=False)
                elif key in _PROCEED_KEYS:
                    self._pressed_s["proceed"] = time.monotonic()

    def _press(self, key: str, view: SessionView, *, alone: bool) -> None:
        """Obey one key; of several that came at once, as from a paste, none that makes for more current."""
        session = self._session
        if key in _STOP_KEYS:
            session.stop(End.OPERATOR)
        elif key == CLOSED:
            self._lost()
        elif key in _LOWER_KEYS:
            session.lower_target(self._selected)
        elif key in _RAISE_KEYS | _PROCEED_KEYS and not alone:
            self._said.append(OperatorMessage("several keys at once: + and Enter only count alone", view.now_us))
        elif key in _RAISE_KEYS:
            if self._anew("raise", view):
                session.raise_target(self._selected)
        elif key in ("h", "H"):
            if self._anew("hold", view):
                session.hold()
        elif key in _PROCEED_KEYS:
            if self._anew("proceed", view):
                self._proceed(view)
        elif key in "1234":
            self._select(int(key), view.now_us)
        else:
            self._said.append(OperatorMessage(f"the key {key!r} does nothing; s or space stops", view.now_us))

    def _anew(self, what: str, view: SessionView) -> bool:
        """Whether a key was let go since it last came: one that is held down counts once.

        Else a held Enter would walk through one gate into the next, and a held + would climb.
        """
        now_s = time.monotonic()
        anew = now_s - self._pressed_s.get(what, -LET_GO_S) >= LET_GO_S
        self._pressed_s[what] = now_s
        if not anew and not self._held_down:
            self._said.append(
                OperatorMessage("a key held down counts once: let go for a second, then press", view.now_us)
            )
        self._held_down = not anew
        return anew

    def _lost(self) -> None:
        """Nobody can see or type any more: that is a stop."""
        self._session.stop(End.SIGNAL, HUNG_UP)
        self._departure.lose_terminal()
        self._keys = None

    def _proceed(self, view: SessionView) -> None:
        if view.waits_for_operator:
            self._session.proceed()
        elif view.state in STIMULATING:
            self._said.append(OperatorMessage("it runs already; h holds, s or space stops", view.now_us))

    def _select(self, channel: int, now_us: int) -> None:
        if channel in self._channels:
            self._selected = channel
        else:
            named = ", ".join(str(each) for each in self._channels)
            self._said.append(OperatorMessage(f"channel {channel} is not in the prescription; it has {named}", now_us))


@contextmanager
def signals_stop(stop: Callable[[End, str], None], departure: OperatorGone) -> Iterator[None]:
    """While open, what would end or suspend the program stops the session instead."""

    def caught(number: int, _frame: FrameType | None) -> None:
        stop(End.SIGNAL, SIGNALS.get(signal.Signals(number).name, ""))  # first of all: what follows may fail
        departure.signal = departure.signal or number
        if number == getattr(signal, "SIGHUP", None):
            departure.lose_terminal()

    wanted: dict[str, Any] = {**dict.fromkeys(SIGNALS, caught), **dict.fromkeys(_OF_BACKGROUND, signal.SIG_IGN)}
    before = present(wanted)
    try:
        install({number: wanted[signal.Signals(number).name] for number in before})
        yield
    finally:
        install(before)
