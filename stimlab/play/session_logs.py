"""A session's log in memory, for the many sessions that nobody wants on a disk."""

from collections.abc import Mapping
from typing import Any, NamedTuple


class LogEntry(NamedTuple):
    """One entry: its kind, the session's clock, what it says."""

    kind: str
    at_us: int
    body: Mapping[str, Any]


class MemoryLog:
    """A `SessionLog` that never fails and never waits."""

    def __init__(self) -> None:
        self.entries: list[LogEntry] = []

    def put(self, kind: str, at_us: int, body: Mapping[str, Any]) -> None:
        """Keep an entry."""
        self.entries.append(LogEntry(kind, at_us, body))

    def problem(self) -> str | None:
        """There is none."""
        return None

    def wait_room(self) -> None:
        """There is always room."""

    def drain(self, timeout_s: float) -> None:
        """Nothing waits."""
