"""Handlers are set whole and put back whole, whoever sets them and whenever a signal comes."""

import signal
from collections.abc import Callable
from threading import Thread

import pytest

from stimctl.api import _Signals
from stimctl.cli.run.operator import OperatorGone, signals_stop
from stimctl.signal_handlers import install, present
from tests.signals import SIGNALS, at_each_instant, handled_by, handlers

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="sends signals to itself")
NAMES = [each.name for each in SIGNALS]


def of_a_session() -> None:
    with _Signals(lambda _end: None):
        pass


def of_a_front_end() -> None:
    with signals_stop(lambda _end, _detail: None, OperatorGone()):
        pass


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("work", [of_a_session, of_a_front_end])
def test_a_signal_that_raises_in_between_leaves_the_handlers_of_before(work: Callable[[], None], number: int) -> None:
    instants = 0
    with handled_by(signal.default_int_handler):
        for _ in at_each_instant(work, [number]):
            instants += 1
            assert handlers() == {signal.default_int_handler}, instants
    assert instants > 50


def test_one_that_is_ignored_stays_so_and_another_thread_sets_none() -> None:
    found = []
    with handled_by(signal.default_int_handler):
        thread = Thread(target=lambda: found.append(present(NAMES)))
        thread.start()
        thread.join()
        install({signal.SIGHUP: signal.SIG_IGN})
        found.append(present([*NAMES, "SIG_OF_ANOTHER_SYSTEM"]))
        install({signal.SIGHUP: signal.default_int_handler})
    wanted = dict.fromkeys(SIGNALS, signal.default_int_handler)
    del wanted[signal.SIGHUP]
    assert found == [{}, wanted]
