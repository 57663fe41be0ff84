"""What a command has done is told wherever it can be told.

The rule of every command that changes something: where standard output cannot take what is said of it (a full disk, a
reader that left), standard error does, and the exit code is that of what was done. Else the same note would be added
again by whoever was told of a failure.
"""

import click

from stimctl.cli import streams


def echo_done(text: str) -> None:
    """Print what was done."""
    try:
        click.echo(text)
    except OSError as fault:
        streams.let_go(1)
        try:
            click.echo(f"Standard output cannot be written ({fault.strerror}). This was done:\n{text}", err=True)
        except OSError:
            streams.let_go(2)
