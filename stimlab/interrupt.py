"""Signals at a moment of our choosing.

In the middle of a pool's own work, or of `subprocess`'s, one would leave a process that nobody ends, or a lock that
nobody opens.
"""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from threading import current_thread, main_thread
from typing import Any, Self

from stimctl.signal_handlers import install

SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


class Interrupt:
    """Keeps signals until somebody looks, at the latest until it is left.

    Each goes on to the handler that was there before; those without one are left alone.
    """

    def __init__(self) -> None:
        self._caught: list[partial[object]] = []
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        if current_thread() is main_thread():
            found = {each: signal.getsignal(each) for each in SIGNALS}
            self._before = {each: handler for each, handler in found.items() if callable(handler)}
            try:
                self._keep()
            except BaseException:
                self.__exit__()
                raise
        return self

    def _keep(self) -> None:
        install(dict.fromkeys(self._before, self._note))

    def _note(self, number: int, _frame: object) -> None:
        self._caught.append(partial(self._before[number], number, None))

    def look(self) -> None:
        """Raise `KeyboardInterrupt` if Ctrl-C was pressed, or what another signal means: of each that came."""
        if self._caught:
            tell = self._caught.pop(0)
            try:
                tell()
            finally:
                self.look()

    @contextmanager
    def let_through(self) -> Iterator[None]:
        """Meanwhile each does at once what it did before."""
        try:
            install(self._before)
            self.look()
            yield
        finally:
            self._keep()

    def __exit__(self, *_: object) -> None:
        try:
            install(self._before)
        finally:
            # A signal can keep `let_through` from its end until its exception is gone, which is after this.
            self._before = {}
            self.look()
