"""An entry's body says one thing: a name that stands twice is found, however the quick look is led astray."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stimctl.errors import LogFault
from stimctl.ledger import Ledger
from stimctl.ledger.append import draft
from stimctl.ledger.bodies import BodyCheck, is_one_text
from stimctl.ledger.chain import ChainFault, canonical

# Each pair: a body that holds, and one that does not and differs from it in figures alone, or by an escape.
LED_ASTRAY = [
    ('{"a":1,"b":2}', '{"a":1,"a":2}'),
    ('{"1":{"ohm":1},"2":{"ohm":2}}', '{"1":{"ohm":1},"1":{"ohm":2}}'),
    ('{"pulses_0":1,"pulses_1":2}', '{"pulses_0":1,"pulses_0":2}'),
    ('{"x":[{"":1,"2":2}]}', '{"x":[{"2":1,"2":2}]}'),
    ('{"\\u00e1":1,"\\u00e2":2}', '{"\\u00e1":1,"\\u00e1":2}'),
    ('{"x":{"n":1},"y":{"n":2}}', '{"x":{"n":1,"n":2},"y":{}}'),
]


def lines(*bodies: str) -> bytes:
    return "".join(f"{body}\n" for body in bodies).encode()


@pytest.mark.parametrize(("holds", "twice"), LED_ASTRAY, ids=[twice for _, twice in LED_ASTRAY])
def test_a_name_that_stands_twice_is_found_after_its_like_without(holds: str, twice: str) -> None:
    check = BodyCheck()
    for _ in range(2):
        assert check(lines(holds) * 50)
        assert not check(lines(twice))
        assert not check(lines(holds, twice))
    assert not is_one_text(twice)


@pytest.mark.parametrize("text", ['{"b":1,"a":2}', '{"a": 1}', '{"a":NaN}', "[]", '{"a":', '{"a":1.50}', "[" * 9_999])
def test_what_the_ledger_does_not_write_is_found(text: str) -> None:
    assert not BodyCheck()(lines(text))


LIKE = '{"a":[10,"b",true,{"c":-7}],"x1":0}'
CHANGES = [  # of LIKE, so that it is no longer what the ledger writes
    ("-7", "-0"), ("10", "010"), ("10", ""), ("10", "9" * 5_000), ("10", "1.50"), ("-7", "1e5"), ("-7", "NaN"),
    ('"b"', '"\x7f"'), ('"b"', '"é"'), ('"b"', '"\\x"'), ("0}", "0}\n"), ("x1", "a"),
]  # fmt: skip


@pytest.mark.parametrize(("was", "becomes"), CHANGES)
def test_what_no_ledger_writes_is_found_behind_its_like(was: str, becomes: str) -> None:
    check = BodyCheck()
    assert check(lines(LIKE) * 50)
    assert LIKE.count(was) == 1
    assert not check(lines(LIKE.replace(was, becomes)))


@pytest.mark.parametrize("text", ['{"a":[-3,"",true,{"c":7}],"x1":12}', '{"a":[1,"b",false,{"c":7}],"x1":1.5}', "{}"])
def test_another_that_the_ledger_writes_is_none_the_less_one_text(text: str) -> None:
    check = BodyCheck()
    assert check(lines(*[LIKE] * 50, text, LIKE))


NAMES = st.text('ab12"', max_size=3)
PLAIN_JSON = st.recursive(st.integers() | st.text(), lambda inner: st.dictionaries(NAMES, inner), max_leaves=5)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.dictionaries(NAMES, PLAIN_JSON), max_size=5))
def test_what_the_ledger_writes_is_one_text(bodies: list[dict[str, Any]]) -> None:
    check = BodyCheck()
    for _ in range(2):
        assert check(lines(*(canonical(body) for body in bodies for _ in range(25))))


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(NAMES, PLAIN_JSON), st.data())
def test_a_quick_look_says_what_a_reading_says(body: dict[str, Any], data: st.DataObject) -> None:
    text = canonical(body)
    check = BodyCheck()
    assert check(lines(text) * 25)
    at = data.draw(st.integers(0, len(text)))
    changed = (
        text[:at] + data.draw(st.text('ab12",:{}[]-0.e\\ ', max_size=4)) + text[at + data.draw(st.integers(0, 4)) :]
    )
    assert check(lines(changed)) == is_one_text(changed)


@pytest.mark.parametrize("before", [(), ('{"1":1,"2":2}',)], ids=["alone", "behind others"])
def test_a_chain_that_was_hashed_over_a_name_that_stands_twice_does_not_hold(
    ledger: Ledger, before: tuple[str, ...]
) -> None:
    """Written by whoever knows how a chain is made, with its anchor."""
    assert ledger._appender
    for body in (*before, '{"1":1,"1":2}', '{"1":1,"2":2}'):
        ledger._appender.append([draft("s-1", "note", 0, "2026-01-31T00:00:00.000000Z", body)])
    broken = ledger.verify().broken
    assert broken
    assert (broken.number, broken.why) == (len(before) + 1, ChainFault.UNREADABLE)
    with pytest.raises(LogFault, match="is not as this program writes it"):
        list(ledger.entries("s-1"))
    assert json.loads('{"1":1,"1":2}') == {"1": 2}, "Python takes the last; SQLite the first"
