"""Signals are kept until somebody looks, and none is lost."""

import signal
from collections.abc import Callable, Iterator
from threading import Thread

import pytest

from stimlab.interrupt import SIGNALS, Interrupt
from tests.signals import at_each_instant, come, handled_by, handlers

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="sends signals to itself")


@pytest.fixture(autouse=True)
def _like_ctrl_c() -> Iterator[None]:
    with handled_by(signal.default_int_handler):
        yield


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


@pytest.mark.parametrize("looks", [True, False])
def test_of_two_that_came_each_is_told(*, looks: bool) -> None:
    told = []

    def tell(number: int, _frame: object) -> None:
        told.append(number)
        if number == signal.SIGTERM:
            raise KeyboardInterrupt

    for each in SIGNALS:
        signal.signal(each, tell)
    with pytest.raises(KeyboardInterrupt), Interrupt() as interrupt:  # noqa: PT012
        for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGINT):
            come(number)
            interrupt._note  # noqa: B018 - Python calls handlers between two of its own steps
        if looks:
            interrupt.look()
    for each in SIGNALS:
        signal.signal(each, signal.default_int_handler)
    assert told == [signal.SIGHUP, signal.SIGTERM, signal.SIGINT]


def one_look() -> None:
    with Interrupt() as interrupt:
        interrupt.look()


def one_that_is_let_through() -> None:
    with Interrupt() as outer, outer.let_through(), Interrupt() as inner, inner.let_through():
        inner.look()


@pytest.mark.parametrize("numbers", [(each,) for each in SIGNALS] + [SIGNALS], ids=str)
@pytest.mark.parametrize("work", [one_look, one_that_is_let_through])
def test_handlers_are_as_before_at_whatever_instant_one_comes(work: Callable[[], None], numbers: list[int]) -> None:
    instants = 0
    for sent, error in at_each_instant(work, numbers):
        instants += 1
        assert isinstance(error, KeyboardInterrupt) is sent, instants
        assert handlers() == {signal.default_int_handler}, instants
    assert instants > 100
