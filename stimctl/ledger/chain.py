"""The hash chain: each entry's SHA-256 covers the entry and the hash before it.

    hash = SHA-256(previous hash + canonical JSON of [number, session_id, kind, at_us, utc, body])

Changing, removing or moving an entry breaks the chain at that entry or the next. What a chain alone cannot
show: entries cut off at its end, and a whole chain written anew by someone who can write the file. A head
hash noted elsewhere (on paper, in a report) shows both; that is what `expected_head` is for.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from json.encoder import encode_basestring_ascii as _quoted
from typing import Any, NamedTuple

from stimctl.errors import Misuse

GENESIS = bytes(32)
_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False)

CANNOT_SHOW = (
    "A chain cannot show that entries were cut off at its end, or that all of it was written anew. "
    "Note the head hash elsewhere and give it to verify (--head) to see that too."
)
HEAD_SEEN = "The noted head hash is in the chain: everything up to it is as it was when it was noted."


class DraftEntry(NamedTuple):
    """An entry before it has a number: all that its hash covers besides."""

    session_id: str
    kind: str
    at_us: int
    utc: str
    body: str


class EntryRow(NamedTuple):
    """An entry as the file holds it. `body` is canonical JSON text."""

    number: int
    session_id: str
    kind: str
    at_us: int
    utc: str
    body: str
    previous: bytes
    hash: bytes


class ChainFault(StrEnum):
    """In which way an entry, or the file, does not hold."""

    HASH = "hash"
    LINK = "link"
    GAP = "gap"
    UNREADABLE = "unreadable"
    FILE = "file"
    HEAD = "head"


@dataclass(frozen=True, slots=True)
class ChainBreak:
    """The first thing that does not hold. `number` is None when it is the file and not one entry."""

    number: int | None
    why: ChainFault
    sentence: str


@dataclass(frozen=True, slots=True)
class Verification:
    """The result of `verify`. `head` is the hash of the last entry that holds, in hex."""

    ok: bool
    entries: int
    head: str
    broken: ChainBreak | None
    note: str


def _encoder() -> Callable[[object], str]:
    # `JSONEncoder.encode` makes a new encoder in C for each text, which takes as long as the text of an entry itself.
    make = getattr(json.encoder, "c_make_encoder", None)
    if make is None:
        return _ENCODER.encode
    # No markers: a body that holds itself ends as RecursionError.
    parts = make(None, _ENCODER.default, _quoted, None, ":", ",", True, False, False)
    return lambda value: "".join(parts(value, 0))


_encode = _encoder()


def canonical(value: object) -> str:
    """The one JSON text of `value`: sorted keys, no spaces, ASCII. Raises `Misuse` when it is not JSON-able."""
    try:
        return _encode(value)
    except (TypeError, ValueError, RecursionError) as misfit:
        raise Misuse(f"a log entry must be plain JSON: {misfit}") from None


def canonical_body(body: Mapping[str, Any]) -> str:
    """The canonical text of an entry's body, which is a mapping at the top."""
    return canonical(body if type(body) is dict else dict(body))


def link(previous: bytes, number: int, draft: DraftEntry) -> bytes:
    """The hash of entry `number`, which follows the entry whose hash is `previous`."""
    session_id, kind, at_us, utc, body = draft
    # Written out: the same text as `canonical` gives, in a fifth of the time.
    text = f"[{number},{_quoted(session_id)},{_quoted(kind)},{at_us:d},{_quoted(utc)},{body}]"
    return sha256(previous + text.encode("utf-8", "surrogateescape")).digest()


class ChainWalker:
    """Follows a chain entry by entry, and keeps the first thing that does not hold."""

    def __init__(self, expected_head: bytes | None = None) -> None:
        self.count = 0
        self.head = GENESIS
        self.broken: ChainBreak | None = None
        self._wanted = expected_head
        self._seen = expected_head in (None, GENESIS)

    def follow(self, rows: Iterable[EntryRow]) -> bool:
        """Follow `rows` while they hold. Returns whether all did."""
        for row in rows:
            self.broken = _fault_of(row, self.count + 1, self.head)
            if self.broken:
                return False
            self.count = row.number
            self.head = row.hash
            self._seen = self._seen or row.hash == self._wanted
        return True

    def verdict(self) -> Verification:
        """What is known now: the first broken thing, or a noted head that is missing, or that all holds."""
        if not self.broken and not self._seen:
            sentence = "the noted head hash is not in the chain: entries were cut off, or the chain was written anew"
            self.broken = ChainBreak(None, ChainFault.HEAD, sentence)
        note = HEAD_SEEN if self._wanted is not None and self._seen else CANNOT_SHOW
        return Verification(self.broken is None, self.count, self.head.hex(), self.broken, note)


_TYPES = (int, str, str, int, str, str, bytes, bytes)


def _fault_of(row: EntryRow, number: int, previous: bytes) -> ChainBreak | None:
    if not all(type(value) is wanted for value, wanted in zip(row, _TYPES, strict=True)):
        return ChainBreak(number, ChainFault.UNREADABLE, f"entry {number} has a field of the wrong type")
    if row.number != number:
        return ChainBreak(
            number, ChainFault.GAP, f"entry {number} is missing: {number - 1} is followed by {row.number}"
        )
    if row.previous != previous:
        return ChainBreak(number, ChainFault.LINK, f"entry {number} does not follow from entry {number - 1}")
    # An unreadable body fails its hash as well; say the more telling thing.
    if not _readable(row.body):
        return ChainBreak(number, ChainFault.UNREADABLE, f"the body of entry {number} is not JSON")
    if row.hash != link(previous, number, DraftEntry(*row[1:6])):
        return ChainBreak(number, ChainFault.HASH, f"entry {number} is not what was hashed: it was changed")
    return None


def _readable(body: str) -> bool:
    try:
        return isinstance(json.loads(body), dict)
    except (ValueError, RecursionError):
        return False
