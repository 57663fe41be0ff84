"""What a command has done is told wherever it can be told.

The rule of every command that changes something: where one of standard output and standard error cannot take what is
said of it (a full disk, a reader that left), the other does, and takes what comes after it too; the exit code is that
of what was done. Else the same note would be added again by whoever was told of a failure.
"""

import click

from stimctl.cli import streams

_NAMES = {False: "output", True: "error"}


def echo_done(text: str, *, err: bool = False) -> None:
    """Print what was done; with `err` what is wrong with it, on standard error."""
    try:
        click.echo(text, err=err)
    except OSError as fault:
        streams.lead_over(*((2, 1) if err else (1, 2)))
        try:
            why = f"Standard {_NAMES[err]} cannot be written ({fault.strerror}). What belongs there:"
            click.echo(f"{why}\n{text}", err=not err)
        except OSError:
            streams.let_go(1, 2)
