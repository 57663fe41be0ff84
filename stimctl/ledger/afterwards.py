"""What does not hold of the entries that were written after a session, and may have been of it.

What is said later of a session stands anywhere behind it. Once its name, its number or all of it is changed, it is no
longer found among the entries of the session; that something is wrong there shows the chain alone. So the chain is
followed on to the newest entry, once for all sessions that are asked about. A session's entries are found by the file's
index: one that is damaged hides entries that are all there and hold, so it is compared with them.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

from stimctl.errors import LogFault
from stimctl.ledger import walk
from stimctl.ledger.chain import ChainBreak, ChainWalker, EntryRow, Loss, fault_of, misplaced
from stimctl.ledger.files import faults
from stimctl.ledger.heads import LATER
from stimctl.ledger.reading import Reader
from stimctl.ledger.walk import COLUMNS

_SAID_LATER = LATER | {"course", "course_changed", "course_ended"}
_ADDED_LATER = '"added_later":true'  # as it stands in an entry's canonical text
_OWN_END = f"""SELECT MIN(number), MAX(number) FILTER (WHERE kind NOT IN ({", ".join("?" * len(LATER))})),
    COALESCE(MAX(kind = 'closed'), 0) FROM entries WHERE session_id = ?"""
_UP_TO = "SELECT number, hash FROM entries WHERE number <= ? ORDER BY number DESC LIMIT 1"
_FROM = f"SELECT {COLUMNS} FROM entries WHERE number >= ? ORDER BY number"

# A column that is in the index alone is read from there.
_HIDDEN = """SELECT MIN(number) FROM (SELECT number, session_id FROM entries NOT INDEXED WHERE number >= ?
    EXCEPT SELECT number, session_id FROM entries INDEXED BY entries_of_session WHERE number >= ?)"""
_INDEXED = 2  # the first version with that index
_ALL = 1 << 63  # behind every entry: what is wrong may be of any


class _Wrong(NamedTuple):
    """An entry that does not hold. `before`: one before it was changed too. `at_home`: it is such as a running session
    writes, and stands behind another of the session that it names, which tells of it."""

    number: int
    sentence: str
    before: bool = False
    at_home: bool = False


class Afterwards:
    """Of one database."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._seen_at: tuple[int, int] | None = None
        # From which entry on all holds; or what does not.
        self._holds_from: int | None = None
        self._wrong: list[_Wrong] = []

    def of_session(self, session_id: str) -> Iterator[str]:
        """What does not hold and may have been of a session, in sentences."""
        ((first, last, closed),) = self._reader.rows(_OWN_END, *sorted(LATER), session_id)
        if first is None:
            return
        for wrong in self._look(first):
            if wrong.before or (wrong.number > (last or first) and not (closed and wrong.at_home)):
                yield f"{wrong.sentence}, and may have been of this session"

    def of_course(self, first: int) -> Iterator[str]:
        """The same of a course that began with entry `first`; none of its entries is such as a session writes."""
        for wrong in self._look(first):
            if not wrong.at_home:
                yield f"{wrong.sentence}, and may have been of this course"

    def of_anybody(self) -> Iterator[str]:
        """All that does not hold: for whoever has to find everything of somebody."""
        for wrong in self._look(0):
            yield f"{wrong.sentence}, and nobody can say of whom it was"

    def _look(self, number: int) -> list[_Wrong]:
        """What does not hold behind an entry."""
        now = (self._reader.rows("PRAGMA data_version")[0][0], self._reader.connection.total_changes)
        if now != self._seen_at:  # something was written meanwhile
            self._seen_at, self._holds_from, self._wrong = now, None, []
        if not self._wrong and (self._holds_from is None or number < self._holds_from):
            # Who asks of an earlier one too may ask of many: then all of it is followed, and never again.
            begin = number if self._holds_from is None else 0
            try:
                if (hidden := _hidden(self._reader, begin)) is not None:
                    self._wrong = [_Wrong(_ALL, hidden, before=True)]
                elif (broken := _broken(self._reader, begin)) is None:
                    self._holds_from = begin
                else:
                    found = list(_found_wrong(self._reader, self._reader.losses()))
                    self._wrong = found or [_Wrong(_ALL, broken.sentence, before=True)]
            except LogFault as fault:
                self._wrong = [_Wrong(_ALL, f"something behind it cannot be read ({fault})", before=True)]
        return [wrong for wrong in self._wrong if wrong.number > number]


def _broken(reader: Reader, number: int) -> ChainBreak | None:
    """The first thing behind this entry that is not as it was written, or does not follow it."""
    walker = ChainWalker()
    for walker.number, walker.head in reader.rows(_UP_TO, number):
        pass
    with faults(reader.path):
        walk.follow(walker, reader.connection)
    return walker.verdict().broken


def _hidden(reader: Reader, number: int) -> str | None:
    """Whether the index hides an entry from there on."""
    hidden = reader.rows(_HIDDEN, number, number)[0][0] if reader.version >= _INDEXED else None
    return None if hidden is None else f"the file's index of sessions is damaged and hides entry {hidden}"


def _found_wrong(reader: Reader, losses: list[Loss]) -> Iterator[_Wrong]:
    missing = [each for loss in losses for each in loss.missing]
    rows = (EntryRow(*row) for row in reader.rows(_FROM, 0))
    for before, row in pairwise((EntryRow(0, "", "", 0, "", "", b"", bytes(32)), *rows)):
        number, fault = row.number, fault_of(row)
        first, last = before.number + 1, number - 1
        if fault is not None:
            running = row.kind not in _SAID_LATER and _ADDED_LATER not in str(row.body) and before.kind != "closed"
            yield _Wrong(number, fault.sentence, at_home=running and row.session_id == before.session_id)
        elif first <= last and (first, last) not in missing:
            gone = f"entry {first} is" if first == last else f"entries {first} to {last} are"
            yield _Wrong(number, f"{gone} not there any more")
        elif misplaced(row, before.number, before.hash) is not None:
            yield _Wrong(
                number, f"entry {number} does not follow from the one before it: that was changed", before=True
            )
