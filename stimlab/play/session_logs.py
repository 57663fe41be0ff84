"""Logs for sessions in virtual time: one in memory, and one that waits for the ledger at each entry."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any, NamedTuple

from stimctl.errors import LogFault
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


class SettledLog:
    """A ledger's writer that is waited for at each entry. In virtual time that delays nobody.

    The writer's thread keeps real time, which virtual time would leave far behind: the moment at which a full disk is
    noticed would differ from run to run.
    """

    def __init__(self, writer: LedgerWriter) -> None:
        self.writer = writer
        self.problem = writer.problem
        self.wait_room = writer.wait_room
        self.drain = writer.drain

    def put(self, kind: str, at_us: int, body: Mapping[str, Any]) -> None:
        """Put an entry, and wait until it is written or cannot be."""
        self.writer.put(kind, at_us, body)
        with suppress(LogFault):  # `problem` and `drain` say it again to the session, in its own time
            self.writer.drain(DRAIN_S)
