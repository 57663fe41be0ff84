"""`stimctl bench capture`: one capture from an oscilloscope, as a file that `bench accept` reads."""

from pathlib import Path

import click

from stimctl.bench.oscilloscope import Oscilloscope, ScopeSettings, save
from stimctl.cli import codes
from stimctl.cli.bench.amounts import DURATION
from stimctl.cli.done import echo_done
from stimctl.cli.numbers import ANY, Number, WholeNumber
from stimctl.errors import Misuse
from stimctl.look import is_there

_CODES = (codes.DONE, codes.USAGE, codes.INVALID, codes.DEVICE, codes.LINE, codes.INTERRUPTED)


@click.command(epilog=codes.help_text(_CODES))
@click.option("--scope", "resource", required=True, metavar="VISA", help="As in TCPIP::192.168.1.20::INSTR.")
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), required=True, help="A new .npz file.")
@click.option("--channel", type=WholeNumber(1, 4), default=1, show_default=True, help="The oscilloscope's input.")
@click.option("--volts-per-division", type=Number(1e-3, 100), default=0.5, show_default=True)
@click.option("--window", type=DURATION, default="12s", show_default=True, help="How long it takes, as in 12s or 20ms.")
@click.option("--points", type=WholeNumber(1_000, 100_000_000), default=1_200_000, show_default=True)
@click.option("--trigger", "trigger_v", type=ANY, default=0.1, show_default=True, help="Volts, upwards.")
@click.option("--patience", type=DURATION, default="60s", show_default=True, help="How long a trigger is waited for.")
@click.option("--reference", is_flag=True, help="Outputs are disabled: take what there is, without a trigger.")
def capture(
    *, resource: str, output: Path, channel: int, volts_per_division: float, window: int, points: int,
    trigger_v: float, patience: int, reference: bool,
) -> None:  # fmt: skip
    """Take one capture from an oscilloscope of Rigol or Siglent over VISA, and write it as .npz.

    It says when it waits for the trigger: start the stimulator then.

    \b
    Examples:
      stimctl bench capture --scope TCPIP::192.168.1.20::INSTR -o run.npz
      stimctl bench capture --scope TCPIP::192.168.1.20::INSTR --reference -o off.npz
    """
    if output.suffix != ".npz" or is_there(output):
        raise Misuse(f"{output}: name a new file that ends in .npz; a capture is never replaced")
    asked = ScopeSettings(channel, volts_per_division, window / 1e6, points, trigger_v)
    with Oscilloscope(resource) as oscilloscope:
        oscilloscope.arm(asked)
        click.echo(f"{oscilloscope.name}: waits for a trigger of {trigger_v:g} V on channel {channel}", err=True)
        if reference:
            oscilloscope.force()
        taken = oscilloscope.read(asked, (patience + window) / 1e6)
    save(output, {channel: taken})
    echo_done(f"{output}: {len(taken.volts)} samples at {taken.rate_hz:g} Hz, from {taken.volts.min():.3f} to "
               f"{taken.volts.max():.3f} V")  # fmt: skip
