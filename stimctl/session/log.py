"""The log as a session sees it: a protocol that `stimctl.ledger` implements. A session never knows which log it has."""

from collections.abc import Mapping
from typing import Any, Protocol

from stimctl.errors import LogFault
from stimctl.session.commands import LogDurable, LogFailed

DURABLE_US = 10_000_000


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


def durable(log: SessionLog, *, waits: bool, is_late: bool) -> LogDurable | LogFailed | None:
    """Whether all of `log` is on disk, or None: not yet, and keepalives and stops go on. `waits` for it where that
    delays nobody: on a virtual clock, or where the line is gone."""
    try:
        log.drain(DURABLE_US / 1e6 if waits else 0)
    except LogFault as not_yet:
        if waits or log.problem() is not None:
            return LogFailed(not_yet)
        return LogFailed(LogFault(f"{not_yet} after {DURABLE_US / 1e6:g} s")) if is_late else None
    return LogDurable()
