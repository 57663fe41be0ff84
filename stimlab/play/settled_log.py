"""A ledger's writer under a racing clock: it is waited for at each entry.

It writes on a thread of its own, which virtual time would leave far behind: when a full disk is noticed would
differ from run to run.
"""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from stimctl.errors import LogFault
from stimctl.ledger.writer import LedgerWriter

DRAIN_S = 10.0


class SettledLog:
    """A ledger's writer that is waited for at each entry. In virtual time that delays nobody."""

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
