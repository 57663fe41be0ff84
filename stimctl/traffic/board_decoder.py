"""Recorded traffic of a board that does not speak the native protocol, in words, as its own language has them."""

from collections.abc import Iterator, Mapping
from typing import Protocol

from stimctl.traffic.decoder import DecodedLine
from stimctl.traffic.transcript import DIRECTIONS, Direction, TrafficChunk

# A command or an answer in words: its kind, its fields, and whether its bytes are neither.
Said = tuple[str, Mapping[str, str], bool]


class Language(Protocol):
    """A board's language, followed through one record of traffic."""

    def hear(self, sender: str, data: bytes) -> Iterator[Said]:
        """What `data`, with what was left of the data before it, completes."""

    def left(self, sender: str) -> bytes:
        """What is left of a sender's bytes, and is taken away."""


class BoardDecoder:
    """The same face as `decoder.Decoder`."""

    simulator: bool | None = None  # such a board has no word for it

    def __init__(self, language: Language) -> None:
        self._language = language
        self._seen_us = 0
        self.damaged = 0

    def feed(self, record: TrafficChunk) -> Iterator[DecodedLine]:
        """The lines that `record` completes."""
        self._seen_us = record.at_us
        for kind, fields, damage in self._language.hear(record.sender, record.data):
            yield self._line(record.at_us, record.sender, kind, fields, damage=damage)

    def finish(self) -> Iterator[DecodedLine]:
        """What is left when the record ends."""
        for sender in DIRECTIONS:
            if rest := self._language.left(sender):
                said = {"why": '"cut short at the end"', "bytes": rest.hex(" ")}
                yield self._line(self._seen_us, sender, "damaged", said, damage=True)

    def _line(
        self, at_us: int, sender: Direction, kind: str, fields: Mapping[str, str], *, damage: bool
    ) -> DecodedLine:
        self.damaged += damage
        return DecodedLine(at_us, sender, kind, None, dict(fields))
