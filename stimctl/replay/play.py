"""Runs the driver on a recorded session: the loop, the engine and the adapter that drive hardware, without a port.

Time that the host spent on its disk is taken from the record too: the log is durable when the record shows the
host going on.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stimctl.errors import LogFault
from stimctl.replay.port import TOLERANCE_US, ReplayMismatch, ReplayPort
from stimctl.replay.recording import Recording
from stimctl.session.engine import Engine
from stimctl.session.runner import Runner
from stimctl.session.view import SessionReport
from stimctl.stimulators.discovery import stimulator


@dataclass(frozen=True, slots=True)
class ReplayResult:
    """How a replay went. `difference` is the first one, None when there was none.

    `sent` pieces the driver wrote as recorded, each at most `worst_us` from its recorded time. `report` is None when
    the replay did not come to the session's end.
    """

    recording: Recording
    difference: ReplayMismatch | None
    report: SessionReport | None
    sent: int
    worst_us: int
    tolerance_us: int

    @property
    def same(self) -> bool:
        """Whether the driver did what it did then."""
        return self.difference is None


class _Log:
    """A log in memory that is durable when the record says so."""

    def __init__(self, port: ReplayPort) -> None:
        self._port = port

    def put(self, kind: str, at_us: int, body: Mapping[str, Any]) -> None:
        """A replay delivers no dose: nothing is kept."""

    def problem(self) -> str | None:
        return None

    def wait_room(self) -> None:
        """There is always room."""

    def drain(self, timeout_s: float) -> None:  # noqa: ARG002
        # In virtual time no session ever waited for its log.
        if not self._port.virtual and not self._port.went_on():
            raise LogFault("not durable yet in the record")


def replay(recording: Recording, tolerance_us: int = TOLERANCE_US) -> ReplayResult:
    """Run the recorded session through the driver. Raises `WrongDevice` or `Misuse` as the session itself would.

    `tolerance_us` is how far a message may be from its recorded time. A record that was cut short is compared as
    far as it goes.
    """
    port = ReplayPort(
        recording.pieces,
        begin_us=recording.opened_us,
        end_us=recording.end_us,
        tolerance_us=tolerance_us,
        virtual=recording.virtual,
        open_ended=recording.open_ended,
        url=recording.source,
    )
    report, difference = None, None
    try:
        report = _run(recording, port)
        port.finish()
        difference = _other_end(recording, report, port)
    except ReplayMismatch as first:
        difference = first
    return ReplayResult(recording, difference, report, port.sent, port.worst_us, tolerance_us)


def _run(recording: Recording, port: ReplayPort) -> SessionReport:
    log = _Log(port)
    engine = Engine(
        stimulator(recording.choice, port, recording.first_sequence),
        recording.prescription,
        log,
        session_id="replay",
        url=recording.source,
        auto=recording.auto,
    )

    def recover(*_: object) -> str:
        port.skip_to_next_write()
        return "the record"

    port.skip_to(recording.begun_us)
    runner = Runner(port, engine, log, recover, attended=False)
    began_us = port.now_us()
    return runner.run((at_us - began_us, order) for at_us, order in recording.orders)


def _other_end(recording: Recording, report: SessionReport, port: ReplayPort) -> ReplayMismatch | None:
    if recording.end is None or report.end is recording.end:
        return None
    return ReplayMismatch(port.now_us(), f"the session's end: {recording.end.value}", f"{report.end.value}")
