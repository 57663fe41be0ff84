"""SIGTERM and a closed terminal as Ctrl-C: what a command has begun is put away."""

from collections.abc import Callable
from typing import Any

import click

from stimctl.cli import codes
from stimctl.signal_handlers import install, present


def like_ctrl_c(work: Callable[[], Any]) -> Any:
    """Do it: these signals raise `KeyboardInterrupt` in it as Ctrl-C does, and the exit code is theirs.

    It is no context manager: on the way into one and out of it a signal would raise where nothing catches it.
    """
    caught: list[int] = []
    at_work = False

    def end(number: int, _frame: object) -> None:
        caught.append(number)
        if at_work and len(caught) == 1:  # another one would break into what is put away
            raise KeyboardInterrupt

    before = present(("SIGTERM", "SIGHUP"))
    result = None
    try:
        try:
            install(dict.fromkeys(before, end))
            at_work = True
            if not caught:
                result = work()
        finally:
            at_work = False
            install(before)
    except (KeyboardInterrupt, click.Abort, click.exceptions.Exit, SystemExit):
        if not caught:
            raise
    finally:
        install(before)  # once more: Ctrl-C itself may have broken into the first time
    if caught:
        raise click.exceptions.Exit(codes.SIGNAL_BASE + caught[0])
    return result
