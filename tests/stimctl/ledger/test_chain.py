"""The hash chain, against hashes made by hand with nothing but hashlib."""

import json
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stimctl.errors import Misuse
from stimctl.ledger.chain import GENESIS, ChainFault, ChainWalker, DraftEntry, EntryRow, canonical, canonical_body, link

DRAFTS = [
    DraftEntry("s-1", "note", number, "2026-01-31T00:00:00.000000Z", f'{{"n":{number}}}') for number in range(1, 5)
]


def rows() -> list[EntryRow]:
    made, previous = [], GENESIS
    for number, draft in enumerate(DRAFTS, 1):
        made.append(EntryRow(number, *draft, previous, link(previous, number, draft)))
        previous = made[-1].hash
    return made


def why(chain: list[EntryRow], head: bytes | None = None) -> tuple[int | None, ChainFault] | None:
    walker = ChainWalker(head)
    walker.follow(chain)
    broken = walker.verdict().broken
    return (broken.number, broken.why) if broken else None


def test_hash_is_what_the_docstring_says() -> None:
    text = b'[1,"s-1","note",1,"2026-01-31T00:00:00.000000Z",{"n":1}]'
    assert link(GENESIS, 1, DRAFTS[0]) == sha256(bytes(32) + text).digest()


def test_canonical_is_one_text() -> None:
    assert canonical({"b": 1.5, "a": [None, True, "ä"]}) == '{"a":[null,true,"\\u00e4"],"b":1.5}'


@pytest.mark.parametrize("value", [float("nan"), {1, 2}, b"x", object(), {("a",): 1}])
def test_what_is_not_json_is_misuse(value: object) -> None:
    with pytest.raises(Misuse, match="plain JSON"):
        canonical({"x": value} if not isinstance(value, dict) else value)


def test_whole_chain_holds() -> None:
    assert why(rows()) is None
    assert why([]) is None


@pytest.mark.parametrize("at", range(4))
@pytest.mark.parametrize("field", ["session_id", "kind", "utc", "body", "at_us"])
def test_changed_field_is_named(at: int, field: str) -> None:
    chain = rows()
    old = getattr(chain[at], field)
    new = old + 1 if isinstance(old, int) else old.replace("1", "2", 1) if field == "utc" else f"{old} "
    changed: Any = {field: new}
    chain[at] = chain[at]._replace(**changed)
    assert why(chain) == (at + 1, ChainFault.HASH)


def test_changed_and_hashed_again_is_named_at_the_next() -> None:
    chain = rows()
    changed = DRAFTS[1]._replace(body='{"n":9}')
    chain[1] = EntryRow(2, *changed, chain[0].hash, link(chain[0].hash, 2, changed))
    assert why(chain) == (3, ChainFault.LINK)


def test_removed_entry_is_a_gap() -> None:
    chain = rows()
    del chain[1]
    assert why(chain) == (2, ChainFault.GAP)


def test_removed_and_numbered_again_is_a_broken_link() -> None:
    first, _, third, _ = rows()
    assert why([first, third._replace(number=2)]) == (2, ChainFault.LINK)


def test_swapped_entries_are_found() -> None:
    first, second, third, fourth = rows()
    assert why([first, third._replace(number=2), second._replace(number=3), fourth]) == (2, ChainFault.LINK)


def test_unreadable_body_is_named_so() -> None:
    chain = rows()
    chain[2] = chain[2]._replace(body='{"n":')
    assert why(chain) == (3, ChainFault.UNREADABLE)
    chain[2] = chain[2]._replace(body=None)  # type: ignore[arg-type]
    assert why(chain) == (3, ChainFault.UNREADABLE)


def test_body_that_was_hashed_as_no_json_is_unreadable() -> None:
    draft = DRAFTS[0]._replace(body="[]")
    assert why([EntryRow(1, *draft, GENESIS, link(GENESIS, 1, draft))]) == (1, ChainFault.UNREADABLE)


def test_cut_tail_passes_but_not_against_a_noted_head() -> None:
    chain = rows()
    assert why(chain[:2]) is None
    assert why(chain[:2], head=chain[3].hash) == (None, ChainFault.HEAD)
    assert why(chain, head=chain[1].hash) is None, "an older noted head is still contained"


def test_verdict_says_what_a_chain_cannot_show() -> None:
    walker = ChainWalker()
    walker.follow(rows())
    assert "written anew together" in walker.verdict().note
    assert walker.verdict().head == rows()[-1].hash.hex()


@given(
    st.dictionaries(st.text(), st.none() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text())
)
def test_canonical_text_is_ascii_and_stable(body: dict[str, object]) -> None:
    text = canonical(body)
    assert text.isascii()
    assert canonical(dict(reversed(body.items()))) == text


PLAIN_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(st.dictionaries(st.text(), PLAIN_JSON), st.text(), st.integers(), st.integers())
def test_what_is_hashed_is_the_canonical_text_as_json_writes_it(
    body: dict[str, Any], text: str, number: int, at_us: int
) -> None:
    """By the json module alone, as another program would check the chain."""
    plain = json.dumps([number, text, text, at_us, text, body], sort_keys=True, separators=(",", ":"))
    one = DraftEntry(text, text, at_us, text, canonical_body(body))
    assert link(b"before", number, one) == sha256(b"before" + plain.encode()).digest()


def test_a_body_that_holds_itself_is_misuse() -> None:
    body: dict[str, Any] = {}
    body["again"] = [body]
    with pytest.raises(Misuse, match="plain JSON"):
        canonical_body(body)
