"""Makes retransmission safe: a repeated command gets the last answer again, an older one is refused.

A host has one command at a time without an answer, and a line keeps the order of what is sent on it. So a command
can come twice, and then nothing else came in between: keeping the last answer is enough. Executing it twice could
raise twice. A number is judged modulo 65 536: up to half of the circle ahead of the newest one is new (numbers may
be skipped), the other half is behind, and an old KeepAlive that somebody plays again keeps nothing alive.
"""

from enum import Enum

_CIRCLE = 1 << 16
_HALF = 1 << 15


class Disposition(Enum):
    """The fate of a command, by its sequence number."""

    NEW = "execute it"
    REPEATED = "answer again, do not execute"
    STALE = "refuse it"


# An enum's member costs 0.2 us to look up.
NEW, REPEATED, STALE = Disposition


class ReplyCache:
    """The newest sequence number of one handshake, its command and its answer."""

    def __init__(self) -> None:
        self._newest = 0
        self._command: bytes | None = None
        self._answer = b""

    def open(self, sequence: int) -> None:
        """A handshake begins at `sequence`: everything before it is forgotten."""
        self._newest = sequence
        self._command = None

    def disposition(self, sequence: int, payload: bytes) -> Disposition:
        """Judge a command. Another command under the number that was answered last is stale, not repeated."""
        if payload == self._command:
            return REPEATED  # its number is among the bytes
        return NEW if 0 < (sequence - self._newest) % _CIRCLE < _HALF else STALE

    @property
    def answer(self) -> bytes:
        """The frame that answered the last command."""
        return self._answer

    def keep(self, sequence: int, payload: bytes, answer: bytes) -> None:
        """Remember an answer in the place of the one before."""
        self._newest, self._command, self._answer = sequence, payload, answer
