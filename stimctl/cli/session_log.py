"""The log of a command that drives a device: no session begins where it is not whole, or has no room for one."""

from collections.abc import Iterator
from contextlib import contextmanager

import click

from stimctl.ledger import Ledger
from stimctl.ledger.files import require_room


@contextmanager
def session_log() -> Iterator[Ledger]:
    """This machine's ledger, to append to; what was found lost is told. Raises `LogFault` where it does not hold."""
    with Ledger() as ledger:
        ledger.require_whole()
        require_room(ledger.path)
        if ledger.sealed:
            click.echo(f"Entries of the log were lost: {ledger.sealed}.", err=True)
        yield ledger
