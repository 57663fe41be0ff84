"""A long chain followed by several processes says what one process says."""

from pathlib import Path

import pytest

from stimctl.ledger import Ledger, walk


@pytest.fixture
def spread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walk, "LEAST", 10)
    monkeypatch.setattr("stimctl.ledger.walk.os.sched_getaffinity", lambda _: {0, 1, 2}, raising=False)


@pytest.fixture
def long(path: Path) -> Path:
    with Ledger(path) as ledger:
        for number in range(60):
            ledger.append("s-1", "note", number, {"n": number})
    return path


@pytest.mark.realtime
def test_all_of_it_holds(long: Path, spread: None) -> None:
    with Ledger(long, read_only=True) as ledger:
        middle = [entry.hash for entry in ledger.entries()][45]
        assert (ledger.verify().ok, ledger.verify().entries) == (True, 60)
        assert ledger.verify(middle).ok
        assert not ledger.verify("ab" * 32).ok


@pytest.mark.realtime
@pytest.mark.parametrize("number", [5, 25, 59])
def test_a_changed_entry_is_named_wherever_it_lies(long: Path, spread: None, number: int) -> None:
    raw = long.read_bytes()
    assert raw.count(b'{"n":%d}' % number) == 1
    long.write_bytes(raw.replace(b'{"n":%d}' % number, b'{"m":%d}' % number))
    with Ledger(long, read_only=True) as ledger:
        broken = ledger.verify().broken
        assert broken
        assert broken.number == number + 1


@pytest.mark.realtime
def test_stretches_are_followed_apart(long: Path) -> None:
    told = (walk.stretch(long, 20, 40, None) or "").split()
    with Ledger(long, read_only=True) as ledger:
        hashes = [entry.hash for entry in ledger.entries()]
    assert told == [hashes[19], hashes[39], "not"]
    assert walk.stretch(long, 20, 61, None) is None, "there is no such entry"
