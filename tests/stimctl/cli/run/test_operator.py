"""What calls an operator away stops the session first, whatever fails after that."""

import os
import signal
import threading
from contextlib import suppress

import pytest

from stimctl.cli.run.operator import OperatorGone, signals_stop
from stimctl.session.states import End

pytestmark = [
    pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="there is no SIGHUP"),
    pytest.mark.skipif(
        threading.current_thread() is not threading.main_thread(), reason="signals need the main thread"
    ),
]


def test_a_closed_terminal_stops_the_session_though_its_end_cannot_be_tidied(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no file can be opened any more, for example."""
    monkeypatch.setattr(os, "devnull", "/nowhere/at/all")
    stops: list[tuple[End, str]] = []
    departure = OperatorGone()
    # It raises only where standard input, output or errors are a terminal, which is what is let go.
    with suppress(FileNotFoundError), signals_stop(lambda end, why: stops.append((end, why)), departure):
        os.kill(os.getpid(), signal.SIGHUP)
    assert stops == [(End.SIGNAL, "the terminal was closed")]
    assert departure.signal == signal.SIGHUP
