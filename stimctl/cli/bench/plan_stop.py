"""`stimctl stop` for a plan: it finds one also between two points, while a load is changed or a capture is judged."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import click

from stimctl.api import Session
from stimctl.cli.run.operator import OperatorGone, signals_stop
from stimctl.errors import Misuse
from stimctl.remote_stop import StopOutcome
from stimctl.session.view import PULL_THE_LEADS

_WAIT_S = 2.0  # a session that is open then answers for itself, and is over by then


class PlanStop:
    """Whether a stop came from another terminal, or a signal: the plan drives no further point."""

    def __init__(self, departure: OperatorGone) -> None:
        self._departure = departure
        self._came, self._idle = threading.Event(), threading.Event()
        self._idle.set()

    @property
    def came(self) -> bool:
        """By either way."""
        return self._came.is_set() or self._departure.signal is not None

    @contextmanager
    def around(self, session: Session) -> Iterator[None]:
        """A session of the plan, which signals stop."""
        self._idle.clear()
        try:
            with signals_stop(session.stop, self._departure):
                yield
        finally:
            self._idle.set()
            _tell_of_leads(session)

    def on_stop(self, _reason: str) -> StopOutcome:
        """For the plan's own endpoint: a plan goes on only from a zero that was confirmed."""
        self._came.set()
        return StopOutcome(zero_confirmed=self._idle.wait(_WAIT_S), detail="a plan, which drives no further point")


def _tell_of_leads(session: Session) -> None:
    """At once, since an oscilloscope, a relay or a full disk may break the plan off before its report tells of it."""
    with suppress(Misuse):  # of a session that was never open
        for alarm in session.view().alarms:
            if PULL_THE_LEADS in alarm.action:
                click.echo(f"{alarm.text}; {alarm.action}", err=True)
