"""What does not hold between the first and the last entry of a session, and may have been one of its own.

An entry whose session's name was changed is no longer found among those of its session, and one that was taken away
leaves its number only. What was said of a session after its end is looked for in `afterwards`.
"""

from collections.abc import Iterator

from stimctl.ledger.chain import EntryRow, fault_of
from stimctl.ledger.heads import LATER
from stimctl.ledger.reading import Reader
from stimctl.ledger.walk import COLUMNS
from stimctl.units import counted

_LATER = tuple(sorted(LATER))
_OWN = f"""SELECT MIN(number), MAX(number), count(*) FROM entries
    WHERE session_id = ? AND kind NOT IN ({", ".join("?" * len(_LATER))})"""
_OTHERS = f"SELECT {COLUMNS} FROM entries WHERE number > ? AND number < ? AND session_id IS NOT ? ORDER BY number"
_PRESENT = "SELECT count(*) FROM entries WHERE number >= ? AND number <= ?"


def among(reader: Reader, session_id: str) -> Iterator[str]:
    """What is wrong there, in sentences; nothing where its entries simply follow each other."""
    ((first, last, own),) = reader.rows(_OWN, session_id, *_LATER)
    if not own or last - first + 1 == own:
        return
    for row in reader.rows(_OTHERS, first, last, session_id):
        wrong = fault_of(EntryRow(*row))
        if wrong is not None:
            yield f"among the entries of the session, {wrong.sentence}"
    ((present,),) = reader.rows(_PRESENT, first, last)
    told = sum(max(0, min(last, high) - max(first, low) + 1) for loss in reader.losses() for low, high in loss.missing)
    if gone := last - first + 1 - present - told:
        yield f"{counted(gone, 'entry')} among those of the session {'is' if gone == 1 else 'are'} not there any more"
