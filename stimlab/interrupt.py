"""Signals at a moment of our choosing.

In the middle of a pool's own work, or of `subprocess`'s, one would leave a process that nobody ends, or a lock that
nobody opens.
"""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from threading import current_thread, main_thread
from typing import Any, Self

SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


class Interrupt:
    """Keeps signals until somebody looks, at the latest until it is left.

    Each goes on to the handler that was there before; those without one are left alone.
    """

    def __init__(self) -> None:
        self._caught: list[int] = []
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        if current_thread() is main_thread():
            handled = [each for each in SIGNALS if callable(signal.getsignal(each))]
            self._before = {each: signal.signal(each, self._note) for each in handled}
        return self

    def _note(self, number: int, _frame: object) -> None:
        self._caught.append(number)

    def look(self) -> None:
        """Raise `KeyboardInterrupt` if Ctrl-C was pressed, or what another signal means."""
        if self._caught:
            number, self._caught = self._caught[0], []
            self._before[number](number, None)

    @contextmanager
    def let_through(self) -> Iterator[None]:
        """Meanwhile each does at once what it did before."""
        try:
            for number, handler in self._before.items():
                signal.signal(number, handler)
            self.look()
            yield
        finally:
            for number in self._before:
                signal.signal(number, self._note)

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self.look()
