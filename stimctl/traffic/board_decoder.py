"""Recorded traffic of a board that does not speak the native protocol, in words, as its own language has them."""

from collections.abc import Iterator, Mapping
from typing import Protocol

from stimctl.traffic.decoder import DecodedLine
from stimctl.traffic.transcript import DIRECTIONS, Direction, TrafficChunk

DAMAGED = "damaged"  # the kind of bytes that are neither
Said = tuple[str, Mapping[str, str]]  # a command or an answer in words: its kind and its fields


class Language(Protocol):
    """A board's language, followed through one record of traffic. `tails` is what is left of each sender's bytes."""

    tails: dict[str, bytes]

    def hear(self, sender: str, data: bytes) -> Iterator[Said]:
        """What `data`, with what was left of the data before it, completes."""


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
        for kind, fields in self._language.hear(record.sender, record.data):
            yield self._line(record.at_us, record.sender, kind, fields)

    def finish(self) -> Iterator[DecodedLine]:
        """What is left when the record ends."""
        for sender in DIRECTIONS:
            if rest := self._language.tails.pop(sender, b""):
                said = {"why": '"cut short at the end"', "bytes": rest.hex(" ")}
                yield self._line(self._seen_us, sender, DAMAGED, said)

    def _line(self, at_us: int, sender: Direction, kind: str, fields: Mapping[str, str]) -> DecodedLine:
        self.damaged += kind == DAMAGED
        return DecodedLine(at_us, sender, kind, None, dict(fields))
