"""The reply cache: what is new, what is answered again, what is behind."""

import pytest

from firmware_sim.sequence import KEPT, ReplyCache, Turn


@pytest.fixture
def cache() -> ReplyCache:
    opened = ReplyCache()
    opened.open(100)
    return opened


def test_the_next_number_is_new_and_numbers_may_be_skipped(cache: ReplyCache) -> None:
    for ahead in (1, 2, 100, (1 << 15) - 1):
        assert cache.turn(100 + ahead, b"a") is Turn.NEW


def test_what_is_behind_or_the_hello_itself_is_stale(cache: ReplyCache) -> None:
    for behind in (0, 1, 99, 1 << 15):
        assert cache.turn((100 - behind) % 65_536, b"a") is Turn.STALE


def test_numbers_go_round(cache: ReplyCache) -> None:
    cache.open(65_535)
    assert cache.turn(0, b"a") is Turn.NEW
    assert cache.turn(65_534, b"a") is Turn.STALE


def test_one_of_the_last_eight_is_answered_again(cache: ReplyCache) -> None:
    for number in range(101, 110):
        cache.keep(number, b"command", b"answer %d" % number)
    assert cache.turn(101, b"command") is Turn.STALE
    for number in range(110 - KEPT, 110):
        assert cache.turn(number, b"command") is Turn.REPEATED
        assert cache.answer(number) == b"answer %d" % number


def test_another_command_under_a_used_number_is_stale(cache: ReplyCache) -> None:
    cache.keep(101, b"command", b"answer")
    assert cache.turn(101, b"another") is Turn.STALE


def test_a_handshake_forgets(cache: ReplyCache) -> None:
    cache.keep(101, b"command", b"answer")
    cache.open(100)
    assert cache.turn(101, b"command") is Turn.NEW
