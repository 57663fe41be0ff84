"""Retransmission made safe: what was answered is answered again, what is behind is refused.

A host that hears no answer sends the same frame again. Executing it twice could raise twice, so the device
keeps its last eight answers. A number is judged modulo 65 536: up to half of the circle ahead of the newest
one is new (numbers may be skipped), the other half is behind.
"""

from enum import Enum

KEPT = 8
_CIRCLE = 1 << 16
_HALF = 1 << 15


class Turn(Enum):
    """What to do with a command, by its sequence number."""

    NEW = "execute it"
    REPEATED = "answer again, do not execute"
    STALE = "refuse it"


# An enum's member costs 0.2 us to look up.
NEW, REPEATED, STALE = Turn


class ReplyCache:
    """The newest sequence number of one handshake, and the last answers."""

    def __init__(self) -> None:
        self._newest = 0
        self._answered: dict[int, tuple[bytes, bytes]] = {}  # command and answer by number

    def open(self, sequence: int) -> None:
        """A handshake begins at `sequence`: everything before it is forgotten."""
        self._newest = sequence
        self._answered.clear()

    def turn(self, sequence: int, payload: bytes) -> Turn:
        """Judge a command. Another command under a number that was answered is stale, not repeated."""
        answered = self._answered.get(sequence)
        if answered is not None:
            return REPEATED if answered[0] == payload else STALE
        ahead = (sequence - self._newest) % _CIRCLE
        return NEW if 0 < ahead < _HALF else STALE

    def answer(self, sequence: int) -> bytes:
        """The frame that answered `sequence` before."""
        return self._answered[sequence][1]

    def keep(self, sequence: int, payload: bytes, answer: bytes) -> None:
        """Remember an answer, forgetting the oldest of nine."""
        self._newest = sequence
        answered = self._answered
        answered[sequence] = (payload, answer)
        if len(answered) > KEPT:
            del answered[next(iter(answered))]
