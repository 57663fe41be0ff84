"""Signals that come at every instant of a piece of work: Python runs handlers between any two of its own calls."""

import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


@contextmanager
def handled_by(handler: Callable[..., object]) -> Iterator[None]:
    """These signals have this handler, and have to have it still at the end."""
    before = {each: signal.signal(each, handler) for each in SIGNALS}
    try:
        yield
        assert handlers() == {handler}, "as it was"
    finally:
        for each, old in before.items():
            signal.signal(each, old)


def handlers() -> set[object]:
    return {signal.getsignal(each) for each in SIGNALS}


def come(number: int = signal.SIGTERM) -> None:
    os.kill(os.getpid(), number)


def at_each_instant(
    work: Callable[[], object], numbers: Sequence[int], *, step: int = 1
) -> Iterator[tuple[bool, BaseException | None]]:
    """Do the work again and again, and send the signals `step` instants later each time, until it is done before.

    Of each time: whether they were sent, and what was raised. What the work returns goes when no signal comes any
    more: Python drops what is raised in a `__del__`.
    """
    left = sent = 1

    def send(_frame: object, _event: str, what: Any) -> None:
        nonlocal left
        left -= what is not sys.setprofile
        if left == 0 and what is not sys.setprofile:
            sys.setprofile(None)
            for number in numbers:
                come(number)

    def raised() -> BaseException | None:
        try:
            sys.setprofile(send)
            _kept = work()
        except BaseException as error:  # noqa: BLE001 - whatever a handler raises
            return error
        finally:
            sys.setprofile(None)
        return None

    while left <= 0 or sent == 1:
        left = sent
        error = raised()
        yield left <= 0, error
        sent += step
