"""`stimctl bench accept`: whether captures of a stimulator's output are what a profile asks for."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stimctl import __version__
from stimctl.cli import codes
from stimctl.cli.completion import profile_names
from stimctl.cli.numbers import ANY, NOT_NEGATIVE, POSITIVE
from stimctl.cli.table import echo_json, json_option, table
from stimctl.cli.texts import label
from stimctl.errors import Misuse
from stimctl.look import is_there
from stimctl.new_file import write_new
from stimctl.units import counted

if TYPE_CHECKING:
    from stimctl.bench.acceptance import Acceptance, Source
    from stimctl.capture.uncertainty import Instrument

_CODES = (codes.DONE, codes.USAGE, codes.INVALID, codes.UNMET, codes.NOT_EXAMINED, codes.INTERRUPTED)
_FILE = click.Path(dir_okay=False, path_type=Path)
_UNITS = ("V", "mV", "uV", "A", "mA", "uA", "nA")


@click.command(epilog=codes.help_text(_CODES))
@click.option(
    "--capture",
    "captures",
    type=_FILE,
    multiple=True,
    required=True,
    metavar="FILE",
    help="CSV, .sr, .npz, a maker's binary file or a simulator's record. Repeatable, a --load each.",
)
@click.option(
    "--load", "loads", type=POSITIVE, multiple=True, required=True, metavar="OHM", help="What it was taken across."
)
@click.option(
    "--profile",
    "profile_name",
    required=True,
    metavar="NAME",
    shell_complete=profile_names,
    help="What it should be; see `stimctl profile list`.",
)
@click.option("--variant", help="Of the profile, where it has more than one.")
@click.option(
    "--amplitude-ma", type=POSITIVE, help="What was commanded. Without, what the profile allows is the limit."
)
@click.option(
    "--reference",
    "references",
    type=_FILE,
    multiple=True,
    metavar="FILE",
    help="The same set-up with the outputs disabled: net charge and direct current need it. One, or one a capture.",
)
@click.option("--unit", type=click.Choice(_UNITS), default="V", show_default=True, help="What the file's numbers are.")
@click.option(
    "--probe", type=POSITIVE, default=1.0, show_default=True, help="What its numbers have to be multiplied by."
)
@click.option("--channel", "channels", multiple=True, metavar="NAME", help="Only this column. Repeatable.")
@click.option("--gain-percent", type=NOT_NEGATIVE, help="The oscilloscope's gain is good to this.")
@click.option("--load-percent", type=NOT_NEGATIVE, help="The load's resistance is good to this.")
@click.option("--timebase-ppm", type=NOT_NEGATIVE, help="The oscilloscope's clock is good to this.")
@click.option(
    "--full-scale", type=POSITIVE, help="The largest number that the oscilloscope could tell, in the file's unit."
)
@click.option("--stop-at", "stop_at_s", type=ANY, metavar="S", help="When a stop was sent, by the capture's time.")
@click.option("--minutes", type=POSITIVE, help="How long stimulation was to last: the capture holds all of it.")
@click.option("--logged-uc", type=NOT_NEGATIVE, help="The charge of all first phases that the dose log has.")
@click.option("--needle", metavar="MMxMM", help="Diameter and inserted length, such as 0.30x30, for the densities.")
@click.option("--partial", is_flag=True, help="The file holds fewer samples than its header says, and that is right.")
@click.option("--simulated", is_flag=True, help="Say in the report that the output was simulated.")
@click.option("--tolerances", "tolerances_file", type=_FILE, help="Other tolerances than those that are shipped.")
@click.option("--stimulator", callback=label, help="What was measured: maker, model, serial number.")
@click.option("--operator", callback=label, help="Who measured.")
@click.option("--instrument", callback=label, help="With what: maker, model, serial number.")
@click.option("--html", type=_FILE, help="Write a page with pictures here, anew each time.")
@click.option("--pdf", type=_FILE, help="Write the same on paper here, anew each time.")
@click.option("--junit", type=_FILE, help="Write JUnit XML here, anew each time.")
@json_option
def accept(
    captures: tuple[Path, ...], loads: tuple[float, ...], profile_name: str, variant: str | None,
    amplitude_ma: float | None, references: tuple[Path, ...], unit: str, probe: float, channels: tuple[str, ...],
    gain_percent: float | None, load_percent: float | None, timebase_ppm: float | None, full_scale: float | None,
    stop_at_s: float | None, minutes: float | None, logged_uc: float | None, needle: str | None, partial: bool,
    simulated: bool, tolerances_file: Path | None, stimulator: str | None, operator: str | None,
    instrument: str | None, html: Path | None, pdf: Path | None, junit: Path | None, as_json: bool,
) -> None:  # fmt: skip
    """Judge captures of a stimulator's output over a resistor against a profile.

    Each figure stands with its uncertainty and its limits. Two channels need differential probes: the common ground
    of an oscilloscope's inputs joins outputs that have to be isolated.

    \b
    Examples:
      stimctl bench accept --capture scope.csv --profile bench-2-100hz --load 500 --amplitude-ma 1 --html out.html
      stimctl bench accept --profile bench-100hz --capture a.csv --load 500 --capture b.csv --load 2000 \\
        --capture c.csv --load 10000 --reference off.csv --pdf sheet.pdf
    """
    from math import inf

    from stimctl.bench.acceptance import AcceptanceSpec, Source
    from stimctl.bench.acceptance import accept as judged
    from stimctl.bench.expected import expected_of
    from stimctl.bench.tolerances import SHIPPED, load_tolerances
    from stimctl.capture import Declared

    area_cm2 = None if needle is None else _area_cm2(needle)
    beside = _paired(captures, loads, references)
    sources = [Source(path, Declared(load, unit, probe), reference) for path, load, reference in beside]
    tolerances, digest = load_tolerances(tolerances_file or SHIPPED)
    bounds = instrument_of(tolerances.instrument, gain_percent, load_percent, timebase_ppm)
    spec = AcceptanceSpec(
        channels, stop_at_s, minutes, logged_uc, inf if full_scale is None else full_scale, partial, simulated
    )
    name = tolerances.name if tolerances_file is None else str(tolerances_file)
    file = "stimctl/bench/tolerances.toml" if tolerances_file is None else name
    expected = expected_of(profile_name, variant, amplitude_ma)
    acceptance = _with_progress(
        lambda progress: judged(sources, expected, tolerances, file, digest, bounds, spec, progress), sources
    )
    measured = {"stimulator": stimulator, "operator": operator, "instrument": instrument}
    document = _write(acceptance, area_cm2, measured, html, pdf, junit)
    if as_json:
        echo_json(document)
    _conclude(acceptance, quiet=as_json)


def _paired(
    captures: tuple[Path, ...], loads: tuple[float, ...], references: tuple[Path, ...]
) -> "list[tuple[Path, float, Path | None]]":
    if len(captures) != len(loads):
        raise click.UsageError(
            f"{counted(len(captures), 'capture')} and {counted(len(loads), 'load')}: each --capture needs its --load."
        )
    if len(references) not in (0, 1, len(captures)):
        raise click.UsageError(
            f"{counted(len(references), 'reference')} for {counted(len(captures), 'capture')}: none, one, or one each."
        )
    own = references if len(references) == len(captures) else [*references, None][:1] * len(captures)
    return list(zip(captures, loads, own, strict=True))


def _area_cm2(needle: str) -> float:
    """The surface of a bare cylinder, as in the driver's limits."""
    from math import pi

    try:
        diameter_mm, inserted_mm = (float(part) for part in needle.lower().split("x"))
    except ValueError:
        raise Misuse(f"--needle {needle}: has to be diameter x inserted length in mm, such as 0.30x30") from None
    if not (0 < diameter_mm < 5 and 0 < inserted_mm < 200):
        raise Misuse(f"--needle {needle}: no needle is of that size")
    return pi * diameter_mm * inserted_mm / 100


def instrument_of(
    assumed: Any, gain_percent: float | None, load_percent: float | None, timebase_ppm: float | None
) -> "Instrument":
    """What was declared of what measured; the rest is assumed, and named. Raises `Misuse`."""
    from stimctl.capture.uncertainty import Instrument

    given = {"gain": gain_percent, "load": load_percent, "time base": timebase_ppm}
    for name, value in given.items():
        if value is not None and value < 0:
            raise Misuse(f"the {name} cannot be good to {value:g}: it has to be 0 or more")
    return Instrument(
        assumed.gain_part if gain_percent is None else gain_percent / 100,
        assumed.load_part if load_percent is None else load_percent / 100,
        assumed.timebase_part if timebase_ppm is None else timebase_ppm / 1e6,
        tuple(name for name, value in given.items() if value is None),
    )


def _with_progress(judge: Any, sources: "list[Source]") -> "Acceptance":
    """Judge, with a bar while files are read; it is drawn on a terminal only, and not where that takes no time."""
    from rich.progress import Progress

    from stimctl.cli.console import CommandConsole

    console = CommandConsole(stderr=True)
    large = sum(source.path.stat().st_size for source in sources if is_there(source.path)) > 20_000_000
    with Progress(console=console, transient=True, disable=not (large and console.is_terminal)) as bars:
        task = bars.add_task("reading", total=1.0)
        result: Acceptance = judge(lambda done: bars.update(task, completed=done))
        return result


def _write(
    acceptance: "Acceptance", area_cm2: float | None, measured: dict[str, str | None], html: Path | None,
    pdf: Path | None, junit: Path | None,
) -> dict[str, Any]:  # fmt: skip
    from stimctl.bench.document import as_junit, document

    made_utc = datetime.now(UTC).isoformat(timespec="seconds")
    told = document(acceptance, made_utc, f"stimctl {__version__}", area_cm2, measured)
    pictures = _pictures(acceptance) if html is not None or pdf is not None else []
    if html is not None:
        from stimctl.bench.page import as_html

        write_new(html, [as_html(told, pictures)], force=True)
    if pdf is not None:
        from stimctl.bench.paper import paper

        write_new(pdf, [paper(told, pictures)], force=True)
    if junit is not None:
        write_new(junit, [as_junit(told)], force=True)
    return told


def _pictures(acceptance: "Acceptance") -> list[str]:
    try:
        from stimctl.bench.figures import svg
    except ImportError:
        raise Misuse("pictures need matplotlib: install it with `pip install 'stimctl[bench]'`") from None
    return [svg(taken) for taken in acceptance.taken]


def _conclude(acceptance: "Acceptance", *, quiet: bool) -> None:
    """Say what came out, on standard error where a document is on the other, and leave with its code."""
    from stimctl.bench.document import document, limits, shown

    told = document(acceptance, "", "")
    click.echo(acceptance.verdict, err=quiet)
    if acceptance.simulated:
        click.echo("SIMULATED: no current flowed into anything real.", err=quiet)
    for capture in told["captures"]:
        click.echo(
            f"\n{capture['file']}: {capture['form']}, {capture['rate_hz']:g} Hz, {capture['duration_s']:.3f} s",
            err=quiet,
        )
        for note in capture["notes"]:
            click.echo(f"  note: {note}", err=quiet)
        rows = [
            (row["where"], row["name"], shown(row) or row["reason"], row["unit"], limits(row), row["verdict"])
            for row in capture["rows"]
        ]
        click.echo(table(("WHERE", "WHAT", "MEASURED (k = 2)", "UNIT", "LIMITS", "VERDICT"), rows), err=quiet)
    if acceptance.instrument.assumed and not acceptance.simulated:
        click.echo(
            f"\nAssumed, not declared: how good the {', the '.join(acceptance.instrument.assumed)} is.", err=quiet
        )
    if not acceptance.holds:
        raise click.exceptions.Exit(codes.UNMET)
    if not acceptance.whole:
        raise click.exceptions.Exit(codes.NOT_EXAMINED)
