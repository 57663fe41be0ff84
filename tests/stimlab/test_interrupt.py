"""Signals are kept until somebody looks, and none is lost."""

import os
import signal
from collections.abc import Iterator
from threading import Thread

import pytest

from stimlab.interrupt import Interrupt

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="sends signals to itself")


@pytest.fixture(autouse=True)
def _like_ctrl_c() -> Iterator[None]:
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    yield
    assert signal.getsignal(signal.SIGTERM) is signal.default_int_handler, "as it was"
    signal.signal(signal.SIGTERM, before)


def come() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


def test_it_is_kept_until_somebody_looks_and_means_then_what_it_meant_before() -> None:
    looked = []
    with pytest.raises(KeyboardInterrupt), Interrupt() as interrupt:  # noqa: PT012 - when it comes is what is tested
        interrupt.look()
        come()
        looked.append("not yet")
        interrupt.look()
        looked.append("too late")
    assert looked == ["not yet"]


def test_what_nobody_looked_for_comes_as_it_is_left() -> None:
    done = []
    with pytest.raises(KeyboardInterrupt), Interrupt():  # noqa: PT012
        come()
        done.append("all of it")
    assert done == ["all of it"]


@pytest.mark.parametrize("before", [True, False])
def test_where_it_is_let_through_it_comes_at_once(*, before: bool) -> None:
    done = []
    with pytest.raises(KeyboardInterrupt), Interrupt() as interrupt:  # noqa: PT012
        if before:
            come()
        try:
            with interrupt.let_through():
                come()
                done.append("too late")
        finally:
            come()
            done.append("put away")
    assert done == ["put away"]


def test_one_within_another_is_the_outer_ones_to_tell() -> None:
    done = []
    with pytest.raises(KeyboardInterrupt), Interrupt() as outer:  # noqa: PT012
        with Interrupt() as inner, inner.let_through():
            come()
            done.append("inner")
        outer.look()
        done.append("too late")
    assert done == ["inner"]


def test_another_thread_sets_no_handler() -> None:
    found = []

    def look() -> None:
        with Interrupt() as interrupt:
            interrupt.look()
            found.append(signal.getsignal(signal.SIGTERM))

    thread = Thread(target=look)
    thread.start()
    thread.join()
    assert found == [signal.default_int_handler]
