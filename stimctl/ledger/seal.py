"""What is found when a ledger is opened to be written: whether the database is what its anchor tells of.

    ahead of the anchor, or at it     sound: the program may have died between its commit and its anchor
    behind it, or without an anchor   a tail was torn off: what is there is copied aside and sealed
    another entry at that number      the database was changed: it is refused, and nothing is written

To seal is to append an entry that says what is missing and what was there, linked to the hash that the anchor held:
a new stretch begins behind the lost one, under numbers that were never used. Nothing is ever appended to a torn tail.
"""

import shutil
import sqlite3
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from stimctl.errors import LogFault
from stimctl.ledger.anchor import BEGINNING, Found, Mark
from stimctl.ledger.chain import ChainBreak, ChainFault, ChainWalker
from stimctl.ledger.files import sealed_folder, wal_path
from stimctl.ledger.schema import ANCHORED, connect_read_only
from stimctl.ledger.walk import COLUMNS, raw_rows
from stimctl.lock_file import private_folder, sync_folder
from stimctl.look import is_there
from stimctl.units import counted

if TYPE_CHECKING:
    from stimctl.entries import Sealed

HEAD = "SELECT number, hash FROM entries ORDER BY number DESC LIMIT 1"
LEDGERS_OWN = "ledger"  # the session id of entries that are of the ledger itself
TORN = "the database ended before its anchor: its tail was lost"
NO_ANCHOR = "the anchor was missing or could not be read: whether the tail is whole is not known"
HALF_ANCHOR = "one of the anchor's two records could not be read"
RESTORED = "restored from a backup"
RECOVERED = "recovered from a damaged file"


class Seal(NamedTuple):
    """What is to be sealed: the last entry that is there, and what the anchor told of."""

    reason: str
    kept: Mark
    anchored: Mark | None
    missing: tuple[tuple[int, int], ...]

    @property
    def place(self) -> Mark:
        """The entry that the seal follows: the one that the anchor told of, where it is the later one."""
        return self.anchored if self.anchored and self.anchored.number > self.kept.number else self.kept

    def entry(self, aside: Path | None, **more: Any) -> "Sealed":
        """The entry that seals, which says where a copy of what was found is."""
        from stimctl.entries import Sealed

        return Sealed(
            reason=self.reason,
            kept_number=self.kept.number,
            kept_hash=self.kept.hash.hex(),
            anchor_number=self.anchored.number if self.anchored else None,
            anchor_hash=self.anchored.hash.hex() if self.anchored else None,
            missing=[list(each) for each in self.missing],
            aside=str(aside) if aside else None,
            **more,
        )


def head_of(connection: sqlite3.Connection) -> Mark:
    """The newest entry."""
    return Mark(*(connection.execute(HEAD).fetchone() or BEGINNING))


def against_anchor(connection: sqlite3.Connection, version: int, found: Found | None) -> ChainBreak | Seal | None:
    """What is wrong between database and anchor; a `Seal` where it can be mended by sealing, `ChainBreak` where not."""
    head = head_of(connection)
    mark = found.mark if found else None
    # Whoever follows the chain begins at 1, and would not see what lies before it.
    stray = connection.execute("SELECT number FROM entries WHERE number < 1").fetchone()
    if stray is not None:
        return ChainBreak(stray[0], ChainFault.GAP, f"entry {stray[0]} was put in: the first number of a ledger is 1")
    if mark is None:
        return None if version < ANCHORED else Seal(NO_ANCHOR, head, None, ())
    if head.number < mark.number:
        return Seal(TORN, head, mark, ((head.number + 1, mark.number),))
    wrong = _stretch(connection, mark)
    if wrong is None and found and found.damaged:
        return Seal(HALF_ANCHOR, head, mark, ())
    return wrong


def _stretch(connection: sqlite3.Connection, mark: Mark) -> ChainBreak | None:
    """Whether the anchored entry is there as it was, and what follows it follows from it."""
    if mark.number:
        row = connection.execute("SELECT hash FROM entries WHERE number = ?", (mark.number,)).fetchone()
        if row is None or row[0] != mark.hash:
            return anchor_broken(mark)
    walker = ChainWalker()
    walker.number, walker.head = mark
    query = f"SELECT {COLUMNS} FROM entries WHERE number > ? ORDER BY number"
    walker.follow(raw_rows(connection, query, mark.number))
    return walker.verdict().broken


def anchor_broken(mark: Mark) -> ChainBreak:
    """The entry that the anchor tells of is another one."""
    sentence = (
        f"entry {mark.number} is not the one that the anchor was made for: the ledger was written anew or replaced"
    )
    return ChainBreak(mark.number, ChainFault.ANCHOR, sentence)


def in_words(wrong: Seal) -> ChainBreak:
    """A seal that is due, as something that does not hold."""
    lost = sum(last - first + 1 for first, last in wrong.missing)
    more = f": {counted(lost, 'entry')} lost" if lost else ""
    return ChainBreak(None, ChainFault.ANCHOR, f"{wrong.reason}{more}", lost)


def look(path: Path, found: Found) -> Seal | Mark:
    """What has to be sealed before anything is written, or the newest entry where nothing has.

    Raises `LogFault` where sealing cannot mend it.
    """
    if not is_there(path) or not path.stat().st_size:
        mark = found.mark
        return Seal(TORN, BEGINNING, mark, ((1, mark.number),)) if mark and mark.number else BEGINNING
    journal = Path(f"{path}-journal")
    if is_there(journal):  # of a program that died while it made or migrated the file: SQLite takes that back
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("SELECT 1 FROM sqlite_schema").fetchone()
    with closing(connect_read_only(path)) as connection:
        version = int(connection.execute("PRAGMA user_version").fetchone()[0])
        wrong = against_anchor(connection, version, found)
        head = head_of(connection)
    if isinstance(wrong, ChainBreak):
        raise LogFault(
            f"the ledger {path} does not hold: {wrong.sentence}; nothing was written. `stimctl log verify` says more, "
            "and `stimctl log recover` keeps what is sound and begins anew"
        )
    return wrong or head


def set_aside(path: Path, now: datetime) -> Path | None:
    """Copy the ledger's files as they are into a folder of their own; None where there is nothing to copy."""
    names = [name for name in (path, wal_path(path), path.with_suffix(".anchor")) if is_there(name)]
    if not is_there(path):
        return None
    folder = private_folder(sealed_folder(path))
    stem = f"{now:%Y%m%d-%H%M%S}"
    taken = [folder / stem, *(folder / f"{stem}-{again}" for again in range(2, 1000))]
    place = private_folder(next(one for one in taken if not is_there(one)))
    for name in names:
        copy = place / name.name
        shutil.copyfile(name, copy)
        copy.chmod(0o600)
    sync_folder(place)
    return place
