"""The log of a command that drives a device: no session begins where it is not whole."""

from collections.abc import Iterator
from contextlib import contextmanager

import click

from stimctl.ledger import Ledger


@contextmanager
def session_log() -> Iterator[Ledger]:
    """This machine's ledger, to append to; what was found lost is told. Raises `LogFault` where it does not hold."""
    with Ledger() as ledger:
        ledger.require_whole()
        if ledger.sealed:
            click.echo(f"Entries of the log were lost: {ledger.sealed}.", err=True)
        yield ledger
