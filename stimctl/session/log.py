"""The log as a session sees it: a protocol that `stimctl.ledger` implements. A session never knows which log it has."""

from collections.abc import Mapping
from typing import Any, Protocol


class SessionLog(Protocol):
    """An append-only log that writes on a thread of its own, so that a slow disk never delays a keepalive."""

    def put(self, kind: str, at_us: int, body: Mapping[str, Any]) -> None:
        """Queue an entry, in order, without waiting. `at_us` is the session's clock; `body` is JSON-able."""

    def problem(self) -> str | None:
        """Why the log can no longer be trusted (failed, or fallen behind its bound), or None."""

    def wait_room(self) -> None:
        """Wait until the queue is short. Called in virtual time only, where waiting delays nobody."""

    def drain(self, timeout_s: float) -> None:
        """Wait until every entry put so far is durable. Raises `LogFault` when that fails or takes longer."""
