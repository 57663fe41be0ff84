"""`stimctl conformance`: tests whether a device keeps docs/protocol.md, and writes the reports."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from stimctl import __version__
from stimctl.cli import codes
from stimctl.cli.device_options import missing_port
from stimctl.cli.numbers import ANY, POSITIVE, WholeNumber
from stimctl.cli.table import echo_json, json_option, table
from stimctl.errors import Misuse
from stimctl.new_file import check_folder, check_free, write_new

if TYPE_CHECKING:
    from stimlab.conformance.check import Check
    from stimlab.conformance.fixture import Ask
    from stimlab.conformance.plan import MatrixPlan
    from stimlab.conformance.requirements import PointMeasured
    from stimlab.conformance.result import SuiteResult

_CODES = (
    codes.DONE, codes.USAGE, codes.INVALID, codes.LINE, codes.UNMET, codes.NOT_EXAMINED, codes.HUNG_UP,
    codes.INTERRUPTED, codes.TERMINATED,
)  # fmt: skip
_FILE = click.Path(dir_okay=False, path_type=Path)
_LOAD = "a resistor of about 1 kohm is connected to each output, and nothing and nobody else"


@click.command(epilog=codes.help_text(_CODES))
@click.option("--port", "url", metavar="URL", help="/dev/ttyUSB0, COM3, socket://host:port or sim://.")
@click.option("--only", multiple=True, metavar="R-NN", help="Only checks that look at this requirement. Repeatable.")
@click.option("-k", "word", metavar="TEXT", help="Only checks with this in their name, topic or title.")
@click.option("--list", "listing", is_flag=True, help="List the checks and run none.")
@click.option("--long", "long", is_flag=True, help="Also those that take minutes (sim:// always runs them).")
@click.option(
    "--full-range/--no-full-range",
    "full_range",
    default=None,
    help="Try each safety action over the whole range, up to 2 mA (default for a simulator). Takes up to 15 min more.",
)
@click.option("--ask", is_flag=True, help="Ask you to switch the power and change the load. Drives up to 0.8 mA.")
@click.option("--dummy-load", is_flag=True, help=f"Confirm that {_LOAD}.")
@click.option("--discard-dose", is_flag=True, help="Go on although a session's dose waits in the device, unread.")
@click.option(
    "--amplitude-ua",
    type=WholeNumber(100, 300),
    default=200,
    show_default=True,
    help="Most to drive outside of the full range.",
)
@click.option(
    "--scope",
    "scope",
    multiple=True,
    metavar="POINT=FILE",
    help="A capture of an oscilloscope for a point that no line can show, or a folder of them. Repeatable.",
)
@click.option(
    "--scope-load", type=POSITIVE, default=1_000, show_default=True, metavar="OHM", help="What it was across."
)
@click.option("--scope-unit", default="V", show_default=True, help="What the captures' numbers are.")
@click.option(
    "--scope-probe", type=POSITIVE, default=1.0, show_default=True, help="What they have to be multiplied by."
)
@click.option(
    "--scope-stop-at", type=ANY, default=0.0, show_default=True, metavar="S", help="When Stop was sent in them."
)
@click.option("--junit", type=_FILE, help="Write JUnit XML here, anew each time.")
@json_option
@click.option("--html", type=_FILE, help="Write a page for people here, with traffic, anew each time.")
def conformance(
    url: str | None, only: tuple[str, ...], word: str | None, listing: bool, long: bool,
    full_range: bool | None, ask: bool, dummy_load: bool, discard_dose: bool, amplitude_ua: int,
    scope: tuple[str, ...], scope_load: float, scope_unit: str, scope_probe: float, scope_stop_at: float,
    junit: Path | None, as_json: bool, html: Path | None,
) -> None:  # fmt: skip
    """Check a native device against the requirements of docs/protocol.md.

    It DRIVES the outputs: with small currents, and over the full range up to 2 mA. Connect 1 kohm to each output and
    nothing else: never a person. Wrong commands are sent on purpose, to see them refused. At sim:// everything runs
    in virtual time.

    \b
    Examples:
      stimctl conformance --port sim:// --html report.html
      stimctl conformance --port /dev/ttyACM0 --only R-46 --dummy-load
    """
    from stimctl.port import check_url
    from stimlab.conformance.plan import MatrixPlan

    chosen = _chosen(only, word)
    if listing:
        click.echo(_listing(chosen))
        return
    if url is None:
        raise missing_port(click.get_current_context())
    check_url(url)
    for file in filter(None, (junit, html)):
        check_free(file, force=True)
        check_folder(file)
    points = _points(scope, scope_load, scope_unit, scope_probe, scope_stop_at)
    _confirm(url, dummy_load)
    plan = MatrixPlan(wanted=full_range, chosen=_fits(only, word))
    run = _run(url, chosen, plan, long=long, ask=ask, discard_dose=discard_dose, amplitude_ua=amplitude_ua)
    run.scope.update(points)
    _conclude(run, _write(run, junit, html), as_json=as_json)


def _points(
    scope: tuple[str, ...], load_ohm: float, unit: str, probe: float, stop_at_s: float
) -> "dict[str, PointMeasured]":
    """What the captures show, before the device is asked anything: a wrong file costs no run."""
    if not scope:
        return {}
    from stimctl.capture import Declared
    from stimlab.conformance.scope_captures import files_of, measured

    return measured(files_of(scope), Declared(load_ohm, unit, probe), stop_at_s)


def _chosen(only: tuple[str, ...], word: str | None) -> "list[Check]":
    from stimlab.conformance.check import all_checks
    from stimlab.conformance.matrix import CELLS
    from stimlab.conformance.operating_point import check_of
    from stimlab.conformance.requirements import NOT_ON_THE_WIRE, texts

    for number in only:
        if number not in texts():
            raise Misuse(f"--only {number}: docs/protocol.md has the requirements R-01 to {max(texts())}")
        if number in NOT_ON_THE_WIRE:
            raise Misuse(f"--only {number}: nothing checks it: {NOT_ON_THE_WIRE[number]}")
    fits = _fits(only, word)
    checks = [each for each in all_checks() if fits(each)]
    if not checks and not any(fits(check_of(cell)) for cell in CELLS):
        raise Misuse("no check fits; `stimctl conformance --list` names all of them")
    return checks


def _fits(only: tuple[str, ...], word: str | None) -> "Callable[[Check], bool]":
    def fits(each: "Check") -> bool:
        if only and not set(only) & set(each.requirements):
            return False
        return word is None or word.lower() in f"{each.name} {each.topic} {each.title}".lower()

    return fits


def _listing(checks: "list[Check]") -> str:
    from stimlab.conformance.matrix import CELLS, SafetyAction

    def needs(each: "Check") -> str:
        names = [(flag.name or "").lower().replace("_", " ") for flag in each.needs]
        return ", ".join([*names, *each.fixture, *(["long"] if each.long else [])])

    rows = [(", ".join(each.requirements), each.name, needs(each), each.title) for each in checks]
    cells = f"And {len(CELLS)} operating points: each of {len(SafetyAction)} actions in each segment, at each"
    cells += " amplitude, on each channel and at each moment; -k 'full range' and --full-range run them."
    return table(("REQUIREMENTS", "CHECK", "NEEDS", "WHAT"), rows) + "\n\n" + cells


def _confirm(url: str, dummy_load: bool) -> None:
    """Ask at every port but sim://: a firmware that is being written may call itself a simulator and be none."""
    if url.startswith("sim:") or dummy_load:
        return
    if not sys.stdin.isatty():
        raise Misuse(f"this drives the outputs: say --dummy-load to confirm that {_LOAD}")
    from stimctl.cli.ask.confirm import confirmed

    if not confirmed(f"This drives the outputs. Is it so that {_LOAD}?", err=True):
        raise click.Abort


def _run(
    url: str, checks: "list[Check]", plan: "MatrixPlan", *, long: bool, ask: bool, discard_dose: bool, amplitude_ua: int
) -> "SuiteResult":
    from stimctl.port import open_port
    from stimlab.conformance.check import all_checks
    from stimlab.conformance.display import ConformanceDisplay
    from stimlab.conformance.dut import Dut
    from stimlab.conformance.fixture import fixture_for
    from stimlab.conformance.runner import SuiteRunner

    port = open_port(url)
    try:
        with ConformanceDisplay() as display:
            person: Ask | None = display.ask if ask else None
            dut = Dut(port, fixture=fixture_for(port, person), amplitude_ua=amplitude_ua)
            runner = SuiteRunner(
                dut, long=long, discard_dose=discard_dose, tool=f"stimctl {__version__}", progress=display.progress
            )
            return runner.run(checks, plan, left_out=[each for each in all_checks() if each not in checks])
    finally:
        port.close()


def _write(run: "SuiteResult", junit: Path | None, html: Path | None) -> list[str]:
    """Write the reports. Returns why one could not be written: that takes no verdict away."""
    from stimlab.conformance.junit import as_junit
    from stimlab.conformance.page import as_html

    kinds: tuple[tuple[Path | None, Callable[[SuiteResult], str]], ...]
    kinds = (junit, as_junit), (html, as_html)
    faults = []
    for path, made in kinds:
        try:
            if path is not None:
                write_new(path, [made(run)], force=True)
        except Misuse as fault:
            faults.append(str(fault))
    return faults


def _conclude(run: "SuiteResult", faults: list[str], *, as_json: bool) -> None:
    """Say what came out, and leave with its code."""
    from stimlab.conformance.display import summary
    from stimlab.conformance.report import document

    if as_json:
        echo_json(document(run))
    click.echo(summary(run), err=as_json)
    for fault in faults:
        click.echo(f"Error: {fault}", err=True)
    if code := _code(run, written=not faults):
        raise click.exceptions.Exit(code)


def _code(run: "SuiteResult", *, written: bool) -> int:
    if run.broken_off.startswith("interrupted"):
        return codes.INTERRUPTED
    if run.line_lost:
        return codes.LINE
    if not run.conforms:
        return codes.UNMET
    if not written:
        return codes.INVALID
    return codes.NOT_EXAMINED if run.not_examined else codes.DONE
