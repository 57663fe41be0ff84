"""Each session in a line, kept beside the entries so that ten thousand are listed without reading their entries.

Each append keeps it in the transaction of its entry; it holds nothing that is not in the entries, and `verify` compares
the two. An older ledger, opened to read, has none: there the same query gathers it from the entries.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

# SQLite uses the partial index of the kinds at a session's ends only for a query that repeats its condition.
ENDS = "(kind = 'opened' OR kind = 'closed' OR kind = 'recovered')"

# What a line shows of "opened" (or of the "recovered" of a session that was opened elsewhere), and of "closed".
OPENED = (
    "simulator", "subject", "operator", "pseudonym", "profile.id", "profile.version", "profile.sha256",
    "device.model", "device.serial", "device.firmware", "device.calibrated_on", "device_serial", "started_utc", "clock",
    "prescription.rehearsal",
)  # fmt: skip
CLOSED = (
    "end_reason", "ended_utc", "last_seen_utc", "closed_by", "held_us", "band_us", "delivered", "kept.evidence",
)  # fmt: skip


# Of the newest "recovered" of the session: what its device still held.
FETCHED = ("counters", "record.segment_0_us", "record.segment_1_us")


def _extract(paths: tuple[str, ...], body: str) -> str:
    listed = ", ".join(f"'$.{path}'" for path in paths)
    # A body that is no JSON is told by its hash; here it only has nothing to show.
    return f"CASE WHEN json_valid({body}) THEN json_extract({body}, {listed}) ELSE '[]' END"


LINES_TABLE = """CREATE TABLE session_lines (
    number INTEGER PRIMARY KEY, session_id TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, at_us INTEGER NOT NULL,
    utc TEXT NOT NULL, opened TEXT NOT NULL, closed_at_us INTEGER, closed_utc TEXT, closed TEXT,
    fetched TEXT
) STRICT"""

# What is done in the transaction of an entry of these kinds, by its number. Not by triggers: SQLite holds its JSON
# functions unsafe there.
_BEGIN = f"""INSERT INTO session_lines (number, session_id, kind, at_us, utc, opened)
SELECT number, session_id, kind, at_us, utc, {_extract(OPENED, "body")} FROM entries
WHERE number = :number AND session_id NOT IN (SELECT session_id FROM session_lines)"""
KEEP_LINES = {
    "opened": (_BEGIN,),
    "closed": (
        f"""UPDATE session_lines SET (closed_at_us, closed_utc, closed) =
        (SELECT at_us, utc, {_extract(CLOSED, "body")} FROM entries WHERE number = :number)
        WHERE session_id = (SELECT session_id FROM entries WHERE number = :number) AND closed_utc IS NULL""",
    ),
    "recovered": (
        _BEGIN,
        f"""UPDATE session_lines SET fetched = (SELECT {_extract(FETCHED, "body")} FROM entries WHERE number = :number)
        WHERE session_id = (SELECT session_id FROM entries WHERE number = :number)""",
    ),
}

LINES_OF_ENTRIES = f"""SELECT first.number, first.session_id, first.kind, first.at_us, first.utc,
    {_extract(OPENED, "first.body")} AS opened, end.at_us AS closed_at_us, end.utc AS closed_utc,
    CASE WHEN end.number IS NULL THEN NULL ELSE {_extract(CLOSED, "end.body")} END AS closed,
    CASE WHEN late.number IS NULL THEN NULL ELSE {_extract(FETCHED, "late.body")} END AS fetched
FROM (SELECT * FROM entries WHERE {ENDS} AND kind != 'closed') AS first
LEFT JOIN entries AS end ON end.number = (
    SELECT MIN(number) FROM entries WHERE {ENDS} AND kind = 'closed' AND session_id = first.session_id
)
LEFT JOIN entries AS late ON late.number = (
    SELECT MAX(number) FROM entries WHERE {ENDS} AND kind = 'recovered' AND session_id = first.session_id
)
WHERE first.number = (
    SELECT number FROM entries WHERE {ENDS} AND kind != 'closed' AND session_id = first.session_id
    ORDER BY number LIMIT 1
)"""

COPY_LINES = f"INSERT INTO session_lines {LINES_OF_ENTRIES}"


class SessionLine(NamedTuple):
    """One session: its first entry, its "closed" and its newest "recovered", with what of their bodies a line shows:
    a value for each path of `OPENED`, `CLOSED` and `FETCHED`, None where there is none."""

    number: int
    session_id: str
    kind: str
    at_us: int
    utc: str
    opened: Sequence[Any]
    closed_at_us: int | None
    closed_utc: str | None
    closed: Sequence[Any]
    fetched: Sequence[Any]


_decode = json.JSONDecoder().raw_decode


def line_of_row(row: tuple[Any, ...]) -> SessionLine:
    """A row of the table, or of the query. Raises `ValueError`, `TypeError` for one that neither has written."""
    number, session_id, kind, at_us, utc, opened, closed_at_us, closed_utc, closed, fetched = row
    # As one text, and by the decoder itself: a list of sessions is mostly the reading of these.
    text = f"[{opened},{closed or '[]'},{fetched or '[]'}]"
    (first, end, late), read = _decode(text)
    if read != len(text):
        raise ValueError(f"{text[read:]!r} stands behind what was written")
    return SessionLine(
        number, session_id, kind, at_us, utc, _filled(first, OPENED),
        closed_at_us, closed_utc, _filled(end, CLOSED), _filled(late, FETCHED),
    )  # fmt: skip


def _filled(values: list[Any], paths: tuple[str, ...]) -> list[Any]:
    if values and len(values) != len(paths):
        raise ValueError(f"{len(values)} values for {len(paths)} paths")
    return values or [None] * len(paths)


def shown(body: Mapping[str, Any], paths: tuple[str, ...]) -> list[Any]:
    """What a line shows of an entry's body."""
    return [_at(body, path) for path in paths]


def _at(body: Mapping[str, Any], path: str) -> Any:
    value: Any = body
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value
