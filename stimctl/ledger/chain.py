"""The hash chain: each entry's SHA-256 covers the entry and the hash before it.

    hash = SHA-256(previous hash + canonical JSON of [number, session_id, kind, at_us, utc, body])

Changing, removing or moving an entry breaks the chain at that entry or the next. What a chain alone cannot
show: entries cut off at its end, and a whole chain written anew by someone who can write the file. A head
hash noted elsewhere (on paper, in a report) shows both; that is what `expected_head` is for.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from json.encoder import encode_basestring_ascii as _quoted
from typing import Any, NamedTuple

from stimctl.errors import Misuse
from stimctl.ledger.bodies import BodyCheck, encoded, is_one_text
from stimctl.units import counted

GENESIS = bytes(32)

SEALED = "sealed"
CANNOT_SHOW = (
    "Chain and anchor show loss and edits of the database alone. They cannot show that both were written anew "
    "together, or that an older pair of them was put back. Note the head hash elsewhere and give it to verify (--head) "
    "to see that."
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
    ANCHOR = "anchor"


@dataclass(frozen=True, slots=True)
class ChainBreak:
    """The first thing that does not hold. `number` is None when it is the file and not one entry.

    `lost` is how many entries are missing, where that can be known.
    """

    number: int | None
    why: ChainFault
    sentence: str
    lost: int = 0


@dataclass(frozen=True, slots=True)
class Loss:
    """What a "sealed" entry (number `sealed_by`, written at `utc`) says was wrong when the ledger was opened again."""

    sealed_by: int
    utc: str
    reason: str
    missing: tuple[tuple[int, int], ...]

    @property
    def entries(self) -> int:
        """How many entries are missing."""
        return sum(last - first + 1 for first, last in self.missing)

    @property
    def sentence(self) -> str:
        """What a person is told."""
        listed = ", ".join(f"{first} to {last}" if last > first else f"{first}" for first, last in self.missing)
        gone = (
            f"{counted(self.entries, 'entry')} lost (number {listed})"
            if self.missing
            else "no entry missing by its number"
        )
        return f"entry {self.sealed_by} ({self.utc[:19]}) seals what was before it: {self.reason}; {gone}"


@dataclass(frozen=True, slots=True)
class Verification:
    """The result of `verify`. `head` is the hash of the last entry that holds, in hex.

    `ok` is whether every entry that was ever durable is there as it was. `broken` is what does not hold and nobody has
    recorded; `losses` is what was found so earlier, and sealed.
    """

    ok: bool
    entries: int
    head: str
    broken: ChainBreak | None
    note: str
    losses: tuple[Loss, ...] = ()

    @property
    def lost(self) -> int:
        """How many entries are missing, as far as that is known."""
        return sum(loss.entries for loss in self.losses) + (self.broken.lost if self.broken else 0)


def canonical(value: object) -> str:
    """The one JSON text of `value`: sorted keys, no spaces, ASCII. Raises `Misuse` when it is not JSON-able."""
    try:
        return encoded(value)
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
    """Follows a chain entry by entry, and keeps the first thing that does not hold.

    Numbers that are left out are a fault unless a later "sealed" entry tells of them. With `bodies`, each is looked at
    too: a hash may hold over one that says two things.
    """

    def __init__(self, expected_head: bytes | None = None, *, bodies: bool = False) -> None:
        self.count = 0
        self.number = 0
        self.head = GENESIS
        self.losses: list[Loss] = []
        self.broken: ChainBreak | None = None
        self._gaps: list[tuple[int, int]] = []
        self._wanted = expected_head
        self._seen = expected_head in (None, GENESIS)
        self.one_text = BodyCheck(end=b"]\n") if bodies else None

    def follow(self, rows: Iterable[tuple[Any, ...]]) -> bool:
        """Follow rows, whose texts are bytes, one by one while they hold. Returns whether all did."""
        return all(self._step(_row(row)) for row in rows)

    def leap(self, hashes: Sequence[bytes]) -> None:
        """Go on behind entries that were looked at elsewhere, each simply the next one."""
        self.count, self.number, self.head = self.count + len(hashes), self.number + len(hashes), hashes[-1]
        self._seen = self._seen or self._wanted in hashes

    def _step(self, row: EntryRow) -> bool:
        """One entry, whatever it is."""
        self.broken = misplaced(row, self.number, self.head) or fault_of(row)
        if self.broken is not None:
            return False
        if row.number > self.number + 1:
            self._gaps.append((self.number + 1, row.number - 1))
        if row.kind == SEALED:
            self.take_seal(row.number, row.utc, row.body)
        self.number, self.head, self.count = row.number, row.hash, self.count + 1
        self._seen = self._seen or row.hash == self._wanted
        return True

    def take_seal(self, number: int, utc: str, text: str) -> None:
        """Take in what a "sealed" entry tells of."""
        body = json.loads(text)
        missing = tuple((int(first), int(last)) for first, last in body.get("missing") or ())
        self.losses.append(Loss(number, utc, str(body.get("reason")), missing))
        self._gaps = [gap for gap in self._gaps if gap not in missing]

    def verdict(self) -> Verification:
        """What is known now: the first broken thing, or a noted head that is missing, or that all holds."""
        if self._gaps:
            self.broken = _gap(self._gaps)
        if not self.broken and not self._seen:
            sentence = "the noted head hash is not in the chain: entries were cut off, or the chain was written anew"
            self.broken = ChainBreak(None, ChainFault.HEAD, sentence)
        note = HEAD_SEEN if self._wanted is not None and self._seen else CANNOT_SHOW
        ok = self.broken is None and not self.losses
        return Verification(ok, self.count, self.head.hex(), self.broken, note, tuple(self.losses))


def _gap(gaps: list[tuple[int, int]]) -> ChainBreak:
    first, last = gaps[0]
    lost = sum(last - first + 1 for first, last in gaps)
    more = f"; {counted(lost, 'entry')} in all" if len(gaps) > 1 else ""
    what = f"entry {first} is" if first == last else f"entries {first} to {last} are"
    return ChainBreak(first, ChainFault.GAP, f"{what} missing: {first - 1} is followed by {last + 1}{more}", lost)


def misplaced(row: EntryRow, number: int, head: bytes) -> ChainBreak | None:
    """What is wrong with an entry behind entry `number`. What lies in a gap cannot be said here."""
    if type(row.number) is not int or row.number <= number:
        return ChainBreak(number + 1, ChainFault.UNREADABLE, f"entry {number + 1} has no number of its own")
    if row.number == number + 1 and row.previous != head and not _seals(row, number, head):
        return ChainBreak(row.number, ChainFault.LINK, f"entry {row.number} does not follow from entry {number}")
    return None


def _seals(row: EntryRow, number: int, head: bytes) -> bool:
    """Whether an entry that does not follow from the one before says so itself, and of which it does not."""
    if row.kind != SEALED or not _readable(row.body):
        return False
    body = json.loads(row.body)
    return (body.get("kept_number"), body.get("kept_hash")) == (number, head.hex())


_TYPES = (int, str, str, int, str, str, bytes, bytes)


def _row(raw: tuple[Any, ...]) -> EntryRow:
    # Damaged text comes through as it is, and then fails its hash, instead of failing the whole read.
    text = (value.decode("utf-8", "surrogateescape") if type(value) is bytes else value for value in raw[:6])
    return EntryRow(*text, *raw[6:])  # type: ignore[arg-type]  # of whatever types the file has; they are looked at


def fault_of(row: EntryRow) -> ChainBreak | None:
    """What is wrong with an entry by itself: whether it is what was hashed, behind the entry that it names."""
    number = row.number
    if not all(type(value) is wanted for value, wanted in zip(row, _TYPES, strict=True)):
        return ChainBreak(number, ChainFault.UNREADABLE, f"entry {number} has a field of the wrong type")
    one_text = is_one_text(row.body)
    # An unreadable body fails its hash as well; say the more telling thing.
    if not one_text and not _readable(row.body):
        return ChainBreak(number, ChainFault.UNREADABLE, f"the body of entry {number} is not JSON")
    if row.hash != link(row.previous, number, DraftEntry(*row[1:6])):
        return ChainBreak(number, ChainFault.HASH, f"entry {number} is not what was hashed: it was changed")
    if not one_text:
        sentence = f"the body of entry {number} is not as this program writes it, with each name once"
        return ChainBreak(number, ChainFault.UNREADABLE, sentence)
    return None


def _readable(body: str) -> bool:
    try:
        return isinstance(json.loads(body), dict)
    except (ValueError, RecursionError):
        return False
