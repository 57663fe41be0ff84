"""Logs for sessions in virtual time: one in memory, and two in a ledger, of which one has the ledger's own writer."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any, NamedTuple

from stimctl.errors import LogFault
from stimctl.ledger import Ledger
from stimctl.ledger.writer import LedgerWriter

DRAIN_S = 10.0


class MemoryEntry(NamedTuple):
    """One entry: its kind, the session's clock, what it says."""

    kind: str
    at_us: int
    body: Mapping[str, Any]


class MemoryLog:
    """A `SessionLog` that never fails and never waits."""

    def __init__(self) -> None:
        self.entries: list[MemoryEntry] = []

    def put(self, kind: str, at_us: int, body: Mapping[str, Any]) -> None:
        self.entries.append(MemoryEntry(kind, at_us, body))

    def problem(self) -> str | None:
        """There is none."""
        return None

    def wait_room(self) -> None:
        """There is always room."""

    def drain(self, timeout_s: float) -> None:
        """Nothing waits."""


class LedgerLog(MemoryLog):
    """Writes to a ledger what the session put whenever it waits for that. In virtual time that delays nobody.

    A writer, with a thread and a connection of its own for each session, would be a twenty-fifth of a campaign's time.
    """

    def __init__(self, ledger: Ledger, session_id: str) -> None:
        super().__init__()
        self._ledger = ledger
        self._session_id = session_id
        self._problem: str | None = None

    def problem(self) -> str | None:
        """Why something could not be written, or None. Once there is a reason, it stays."""
        return self._problem

    def drain(self, timeout_s: float) -> None:  # noqa: ARG002
        """Write all, in one commit. Raises `LogFault` when it cannot be written."""
        if self.entries:
            try:
                self._ledger.append_all(self._session_id, self.entries)
            except LogFault as fault:
                self._problem = self._problem or str(fault)
                raise
            self.entries.clear()

    def close(self) -> None:
        """Write what was put since. Raises `LogFault` when it cannot be written."""
        self.drain(DRAIN_S)


class SettledLog:
    """A ledger's writer that is waited for at each entry, for a session whose disk is to fail.

    The writer's thread keeps real time, which virtual time would leave far behind: the moment at which a full disk is
    noticed would differ from run to run.
    """

    def __init__(self, writer: LedgerWriter) -> None:
        self.writer = writer
        self.problem = writer.problem
        self.wait_room = writer.wait_room
        self.drain = writer.drain
        self.close = writer.close

    def put(self, kind: str, at_us: int, body: Mapping[str, Any]) -> None:
        """Put an entry, and wait until it is written or cannot be."""
        self.writer.put(kind, at_us, body)
        with suppress(LogFault):  # `problem` and `drain` say it again to the session, in its own time
            self.writer.drain(DRAIN_S)
