"""Logs for sessions in virtual time: one in memory, and one that waits for the ledger."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any, NamedTuple

from stimctl.errors import LogFault
from stimctl.ledger.writer import LedgerWriter

DRAIN_S = 10.0
BATCH = 64  # entries; over what most sessions write, and under the bound of the writer's own queue [choice]


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
    """A ledger's writer that gets `batch` entries at a time and is waited for. In virtual time that delays nobody.

    The writer's thread keeps real time, which virtual time would leave far behind: the moment at which a full disk is
    noticed would differ from run to run. Where the disk is to fail a batch is one entry; elsewhere many of them are one
    commit, and the two threads change places that much less often.
    """

    def __init__(self, writer: LedgerWriter, batch: int) -> None:
        self.writer = writer
        self.problem = writer.problem
        self.wait_room = writer.wait_room
        self._batch = batch
        self._held: list[MemoryEntry] = []

    def put(self, kind: str, at_us: int, body: Mapping[str, Any]) -> None:
        """Put an entry; with a whole batch of them, wait until they are written or cannot be."""
        self._held.append(MemoryEntry(kind, at_us, body))  # whose body nobody changes: each is made for the log
        if len(self._held) >= self._batch:
            self._hand_on()
            with suppress(LogFault):  # `problem` and `drain` say it again to the session, in its own time
                self.writer.drain(DRAIN_S)

    def drain(self, timeout_s: float) -> None:
        """Wait until all is durable. Raises `LogFault` when it is not by `timeout_s`."""
        self._hand_on()
        self.writer.drain(timeout_s)

    def close(self) -> None:
        """As `LedgerWriter.close`."""
        self._hand_on()
        self.writer.close()

    def _hand_on(self) -> None:
        held, self._held = self._held, []
        for entry in held:
            self.writer.put(*entry)
