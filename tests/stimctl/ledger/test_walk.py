"""A chain that is followed many entries at a time says what each entry by itself says."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from stimctl.ledger import Ledger, walk
from stimctl.ledger.chain import ChainFault, DraftEntry, canonical, link


@pytest.fixture(params=[1, 7, 60, 1_000])
def together(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    monkeypatch.setattr(walk, "_TOGETHER", request.param)


@pytest.fixture
def long(path: Path) -> Path:
    with Ledger(path) as ledger:
        for number in range(60):
            ledger.append("s-1", "note", number, {"n": number})
    return path


def test_all_of_it_holds(long: Path, together: None) -> None:
    with Ledger(long, read_only=True) as ledger:
        middle = [entry.hash for entry in ledger.entries()][45]
        assert (ledger.verify().ok, ledger.verify().entries) == (True, 60)
        assert ledger.verify(middle).ok
        assert not ledger.verify("ab" * 32).ok


@pytest.mark.parametrize("number", [0, 5, 6, 7, 25, 59])
def test_a_changed_entry_is_named_wherever_it_lies(long: Path, together: None, number: int) -> None:
    raw = long.read_bytes()
    assert raw.count(b'{"n":%d}' % number) == 1
    long.write_bytes(raw.replace(b'{"n":%d}' % number, b'{"m":%d}' % number))
    with Ledger(long, read_only=True) as ledger:
        broken = ledger.verify().broken
        assert broken
        assert broken.number == number + 1


@pytest.mark.parametrize("gone", [1, 7, 8, 30, 59])
def test_entries_that_were_left_out_and_chained_anew_are_missed(long: Path, together: None, gone: int) -> None:
    with closing(sqlite3.connect(long, isolation_level=None)) as changed:
        triggers = changed.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").fetchall()
        for name, _ in triggers:
            changed.execute(f"DROP TRIGGER {name}")
        changed.execute("DELETE FROM entries WHERE number = ?", (gone,))
        head = bytes(32)
        for number, *fields in changed.execute(f"SELECT {walk.COLUMNS} FROM entries ORDER BY number").fetchall():
            before, head = head, link(head, number, DraftEntry(*fields[:5]))
            changed.execute("UPDATE entries SET previous = ?, hash = ? WHERE number = ?", (before, head, number))
        for _, sql in triggers:
            changed.execute(sql)
    with Ledger(long, read_only=True) as ledger:
        broken = ledger.verify().broken
    assert broken is not None
    assert (broken.number, broken.why) == (gone, ChainFault.GAP)


TAKEN_APART = {  # as text it is what was hashed, with the fields' borders elsewhere
    "session_id": 's-1","note",0,"{utc}",{{"a":["p',
    "kind": "k",
    "at_us": 5,
    "utc": "V",
    "body": '{"z":1}]}',
}


@pytest.mark.parametrize(
    "change", [TAKEN_APART, {"body": '{"a":["p","k",5,"V",{"z":1}]}\x00'}, {"previous": bytes(32), "hash": b""}]
)
def test_what_only_looks_like_what_was_hashed_is_told(path: Path, change: dict[str, object]) -> None:
    bodies: list[dict[str, object]] = [{"n": 1}, {"a": ["p", "k", 5, "V", {"z": 1}]}, {"n": 3}]
    with Ledger(path) as ledger:
        for body in bodies:
            ledger.append("s-1", "note", 0, body)
        utc = list(ledger.entries())[1].utc
    if "hash" in change:  # an entry of another chain, which is as it was hashed there
        change = {**change, "hash": link(bytes(32), 2, DraftEntry("s-1", "note", 0, utc, canonical(bodies[1])))}
    values = [str(value).format(utc=utc) if name == "session_id" else value for name, value in change.items()]
    with closing(sqlite3.connect(path, isolation_level=None)) as changed:
        (trigger,) = changed.execute("SELECT sql FROM sqlite_schema WHERE name = 'entries_never_change'").fetchone()
        changed.execute("DROP TRIGGER entries_never_change")
        changed.execute(f"UPDATE entries SET {', '.join(f'{name} = ?' for name in change)} WHERE number = 2", values)
        changed.execute(trigger)
    with Ledger(path, read_only=True) as ledger:
        broken = ledger.verify().broken
    assert broken is not None
    assert broken.number == 2
