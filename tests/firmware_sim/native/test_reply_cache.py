"""The last answer: what is new, what is answered again, what is behind."""

import pytest

from firmware_sim.native.reply_cache import Disposition, ReplyCache


@pytest.fixture
def last() -> ReplyCache:
    opened = ReplyCache()
    opened.open(100)
    return opened


def test_the_next_number_is_new_and_numbers_may_be_skipped(last: ReplyCache) -> None:
    for ahead in (1, 2, 100, (1 << 15) - 1):
        assert last.disposition(100 + ahead, b"a") is Disposition.NEW


def test_what_is_behind_or_the_hello_itself_is_stale(last: ReplyCache) -> None:
    for behind in (0, 1, 99, 1 << 15):
        assert last.disposition((100 - behind) % 65_536, b"a") is Disposition.STALE


def test_numbers_go_round(last: ReplyCache) -> None:
    last.open(65_535)
    assert last.disposition(0, b"a") is Disposition.NEW
    assert last.disposition(65_534, b"a") is Disposition.STALE


def test_the_last_command_is_answered_again_as_often_as_it_comes(last: ReplyCache) -> None:
    last.keep(101, b"command 101", b"answer 101")
    for _ in range(3):
        assert last.disposition(101, b"command 101") is Disposition.REPEATED
        assert last.answer == b"answer 101"


def test_only_one_answer_is_kept(last: ReplyCache) -> None:
    """An older command would have been answered long ago: it comes from somebody who plays it again."""
    last.keep(101, b"command 101", b"answer 101")
    last.keep(102, b"command 102", b"answer 102")
    assert last.disposition(101, b"command 101") is Disposition.STALE
    assert last.disposition(102, b"command 102") is Disposition.REPEATED
    assert last.answer == b"answer 102"


def test_another_command_under_the_last_number_is_stale(last: ReplyCache) -> None:
    last.keep(101, b"command", b"answer")
    assert last.disposition(101, b"another") is Disposition.STALE


def test_a_handshake_forgets(last: ReplyCache) -> None:
    last.keep(101, b"command", b"answer")
    last.open(100)
    assert last.disposition(101, b"command") is Disposition.NEW
