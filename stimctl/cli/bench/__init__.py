"""`stimctl bench`: what a stimulator really puts out, measured and judged."""

import click

from stimctl.cli.bench.accept import accept


@click.group()
def bench() -> None:
    """Measure what a stimulator really puts out, and judge it."""


bench.add_command(accept)
