"""Sets handlers of signals, and puts those of before back, whole: although signals come in between and raise there."""

import signal
from collections.abc import Iterable, Mapping
from threading import current_thread, main_thread
from typing import Any

_RAISED = 3  # how often a signal may raise meanwhile: Ctrl-C, SIGTERM and a hangup once each [choice]


def present(names: Iterable[str]) -> dict[int, Any]:
    """The handlers, by number, of those signals that this system has and that a program may take over.

    One that is ignored stays ignored: so `nohup` and a shell's background ask for it. None outside the main thread,
    where Python sets no handler, and none of a handler that is not Python's, which could not be put back.
    """
    if current_thread() is not main_thread():
        return {}
    numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
    found = {number: signal.getsignal(number) for number in numbers}
    return {number: handler for number, handler in found.items() if handler not in (None, signal.SIG_IGN)}


def install(handlers: Mapping[int, Any]) -> None:
    """Each of them; what signals raise meanwhile is raised after the last.

    Blocking signals would not do: another thread takes them then, and they raise here all the same.
    """
    _install(list(handlers.items()), _RAISED)


def _install(left: list[tuple[int, Any]], again: int) -> None:
    try:
        if again:
            _install(left, again - 1)
    finally:
        while left:
            signal.signal(*left[-1])
            left.pop()
