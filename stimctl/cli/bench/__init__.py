"""`stimctl bench`: what a stimulator really puts out, driven, measured and judged."""

import click

from stimctl.cli.bench.accept import accept
from stimctl.cli.bench.calibrate import calibrate
from stimctl.cli.bench.capture import capture
from stimctl.cli.bench.plan import plan
from stimctl.cli.bench.run import run
from stimctl.cli.bench.sweep import sweep
from stimctl.cli.bench.watch import watch
from stimctl.cli.bench.wiring import wiring


@click.group()
def bench() -> None:
    """Drive a stimulator on a dummy load, measure what it really puts out, and judge it.

    Example: stimctl bench run --port sim:// --ohm 1000 --amplitude 1.5mA
    """


for each in (run, sweep, capture, accept, plan, calibrate, watch, wiring):
    bench.add_command(each)
