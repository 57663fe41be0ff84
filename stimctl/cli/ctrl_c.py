"""SIGTERM and a closed terminal as Ctrl-C, for commands that have something to put away."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager

import click

from stimctl.cli import codes


@contextmanager
def like_ctrl_c() -> Iterator[list[int]]:
    """These signals raise `KeyboardInterrupt` as Ctrl-C does; what came, once it came, and the exit code is its own."""
    caught: list[int] = []

    def end(number: int, _frame: object) -> None:
        caught.append(number)
        if len(caught) == 1:  # another one would break into what is put away
            raise KeyboardInterrupt

    numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    wanted = [each for each in numbers if signal.getsignal(each) != signal.SIG_IGN]  # as `nohup` asks
    before = {each: signal.signal(each, end) for each in wanted}
    try:
        yield caught
    except KeyboardInterrupt:
        if not caught:
            raise
        raise click.exceptions.Exit(codes.SIGNAL_BASE + caught[0]) from None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
