"""SIGTERM and a closed terminal as Ctrl-C: what a command has begun is put away."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from threading import current_thread, main_thread

import click

from stimctl.cli import codes


@contextmanager
def like_ctrl_c() -> Iterator[None]:
    """These signals raise `KeyboardInterrupt` as Ctrl-C does; however the command ends, the exit code is theirs."""
    caught: list[int] = []

    def end(number: int, _frame: object) -> None:
        caught.append(number)
        if len(caught) == 1:  # another one would break into what is put away
            raise KeyboardInterrupt

    names = ("SIGTERM", "SIGHUP") if current_thread() is main_thread() else ()  # no other may set a handler
    numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
    wanted = [each for each in numbers if signal.getsignal(each) != signal.SIG_IGN]  # as `nohup` asks
    before = {each: signal.signal(each, end) for each in wanted}
    try:
        yield
    except (KeyboardInterrupt, click.Abort, click.exceptions.Exit):
        if not caught:
            raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if caught:
        raise click.exceptions.Exit(codes.SIGNAL_BASE + caught[0])
