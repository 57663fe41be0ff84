"""`stimctl bench plan`: a whole plan of measurements, driven, captured, judged, and gone on with after a break."""

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stimctl import __version__
from stimctl.cli import codes
from stimctl.cli.device_options import device_options, missing_port
from stimctl.cli.table import echo_file, echo_json, json_option, table
from stimctl.errors import Misuse, StimctlError
from stimctl.new_file import write_new
from stimctl.units import counted

if TYPE_CHECKING:
    from rich.progress import Progress

    from stimctl.bench.plan.file import BenchPlan
    from stimctl.bench.plan.judging import Bounds
    from stimctl.bench.plan.results import PlanResults
    from stimctl.bench.plan.setup import BenchSetup
    from stimctl.cli.run.operator import OperatorGone
    from stimctl.session.view import SessionReport
    from stimctl.stimulators.base import Identity
    from stimctl.stimulators.discovery import DeviceChoice

_FILE = click.Path(dir_okay=False, path_type=Path)
_BENCHES = "stimctl.simulated_benches"


@click.command(epilog=codes.help_text(tuple(codes.MEANINGS)))
@click.argument("file", type=_FILE, required=False)
@click.option("--example", is_flag=True, help="Print a plan to begin from, and do nothing else.")
@click.option("--check", "check_only", is_flag=True, help="Read the plan, list its points, and drive nothing.")
@click.option(
    "--scope", "resource", metavar="VISA", help="As in TCPIP::192.168.1.20::INSTR. A simulator brings its own."
)
@click.option(
    "-o", "--output", "folder", type=click.Path(file_okay=False, path_type=Path),
    help="Folder of the results; a plan that was broken off goes on from there. [default: the plan's name]",
)  # fmt: skip
@click.option("--relay", metavar="COMMAND", help="Changes the load: run with 1000 (ohm), short or open behind it.")
@click.option("--tolerances", "tolerances_file", type=_FILE, help="Other tolerances than those that are shipped.")
@json_option
@device_options(required=False)
@click.pass_context
def plan(
    ctx: click.Context, *, file: Path | None, example: bool, check_only: bool, resource: str | None,
    folder: Path | None, relay: str | None, tolerances_file: Path | None, as_json: bool, url: str | None,
    choice: "DeviceChoice",
) -> None:  # fmt: skip
    """Drive the plan in FILE on resistors, capture each step with an oscilloscope, and judge all of it.

    A person is asked to change the load, or --relay does. Each step that is done is kept: the same command goes on
    after a break. Ctrl-C, or anything that fails, puts the outputs to zero first. Never a person at the outputs; two
    channels at a time need differential probes.

    \b
    Examples:
      stimctl bench plan --example > plan.toml
      stimctl bench plan plan.toml --port /dev/ttyACM0 --scope TCPIP::192.168.1.20::INSTR
      stimctl bench plan plan.toml --port sim:// -o results
    """
    from stimctl.bench.plan.file import EXAMPLE, load_plan
    from stimctl.cli.run.operator import OperatorGone

    if example:
        echo_file(EXAMPLE.read_text("utf-8"))
        return
    if file is None:
        raise click.UsageError("Missing argument 'FILE': the plan; --example prints one to begin from.", ctx)
    loaded = load_plan(file)
    if check_only and as_json:
        echo_json({"points": [{"key": point.key, "title": point.title} for point in loaded.points]})
        return
    if check_only:
        click.echo(table(("POINT", "WHAT"), [(point.key, point.title) for point in loaded.points]))
        return
    if url is None:
        raise missing_port(ctx)
    by_hand = sum(not point.captured for point in loaded.points) if relay is None else 0
    if by_hand and not url.lower().startswith("sim://"):
        click.echo(
            f"{counted(by_hand, 'time')} the load is shorted or opened while current flows, by hand: a --relay does "
            "it to the second, and nobody is near.", err=True,
        )  # fmt: skip
    with ExitStack() as stack:
        departure = OperatorGone()
        setup, resource = _bench(stack, url, resource, relay, departure)
        results = folder or file.with_suffix("")
        sys.exit(_run(loaded, setup, resource, results, tolerances_file, url, choice, departure, as_json=as_json))


def _bench(
    stack: ExitStack, url: str, resource: str | None, relay: str | None, departure: "OperatorGone"
) -> "tuple[BenchSetup, str]":
    from stimctl.bench.plan.setup import RealBench, RelayCommand
    from stimctl.cli.streams import at_terminal

    if url.lower().startswith("sim://"):
        if resource or relay:
            raise Misuse("--port sim:// brings an oscilloscope and loads of its own: leave --scope and --relay out")
        bench: tuple[BenchSetup, str] = stack.enter_context(_simulated()(url))
        return bench
    if resource is None:
        raise click.UsageError("Missing option '--scope': the oscilloscope's VISA name.")
    if relay is not None:
        return RealBench(RelayCommand.of(relay)), resource
    if not at_terminal():
        raise Misuse("somebody has to change the load: run this at a terminal, or name a --relay command")
    return RealBench(_asking(departure)), resource


def _simulated() -> Callable[[str], AbstractContextManager[Any]]:
    from importlib.metadata import entry_points

    for entry in entry_points(group=_BENCHES):
        if entry.name == "sim":
            found: Callable[[str], AbstractContextManager[Any]] = entry.load()
            return found
    raise Misuse("no simulated bench is installed: reinstall stimctl, which brings one")


def _asking(departure: "OperatorGone") -> Callable[[str], None]:
    """Has a person change the load. A signal that stops a session ends the question; nothing typed before it counts."""
    from stimctl.bench.plan.setup import OPEN, SHORT, load_text
    from stimctl.cli.run.keys import forget_typed, line_comes

    def ask(load: str) -> None:
        powered = "CURRENT FLOWS: touch no bare metal. " if load in (SHORT, OPEN) else ""
        done = "Enter when it is done, Ctrl-C to break off."
        forget_typed()
        click.echo(f"\n{powered}Connect {load_text(load)}, and nobody and nothing else. {done}", err=True)
        while not line_comes(0.1):
            if departure.signal is not None:
                return
        if not sys.stdin.readline():
            raise click.Abort  # nobody is there any more

    return ask


def _run(
    loaded: "BenchPlan", setup: "BenchSetup", resource: str, folder: Path, tolerances_file: Path | None, url: str,
    choice: "DeviceChoice", departure: "OperatorGone", *, as_json: bool,
) -> int:  # fmt: skip
    from stimctl.bench.oscilloscope import Oscilloscope
    from stimctl.bench.plan.driving import PointDriver, who_answers
    from stimctl.bench.plan.results import PlanResults
    from stimctl.bench.plan.runner import PlanRunner
    from stimctl.calibration import standing_of
    from stimctl.cli.bench.plan_stop import PlanStop
    from stimctl.cli.session_log import session_log
    from stimctl.prescription import Subject
    from stimctl.remote_stop import ControlEndpoint

    stop = PlanStop(departure)
    bounds = _bounds(loaded, tolerances_file)
    with Oscilloscope(resource) as scope:
        identity = who_answers(setup, url, choice)
        head = _head(loaded, setup, identity, scope.name, bounds)
        with (
            PlanResults(folder, head) as results,
            session_log() as ledger,
            _progress(loaded, results) as look,
            ControlEndpoint(stop.on_stop, lambda: {"session_id": None}),
        ):
            today = datetime.now(UTC).date()
            standing = standing_of(ledger.path.parent, identity.model, identity.serial, today, identity.firmware)
            if standing.overdue:
                click.echo(standing.overdue, err=True)
            subject = Subject.SIMULATOR if identity.simulator else Subject.DUMMY_LOAD
            driver = PointDriver(url, choice, subject, setup, scope, ledger, loaded.head.scope.probe, stop.around)
            runner = PlanRunner(loaded, driver, results, bounds, look, departed=lambda: stop.came)
            try:
                broke = runner.run()
            except BaseException:
                click.echo("Broken off. The same command goes on from here.", err=True)
                _write(loaded, results, folder)
                raise
            try:
                document = _write(loaded, results, folder)
            except StimctlError as unwritten:
                if broke is None:
                    raise
                click.echo(f"Error: {unwritten}", err=True)
                return _broken_off(broke, departure.signal)
    _show(document, folder, as_json=as_json)
    if broke is not None:
        return _broken_off(broke, departure.signal)
    return _code(document, departure.signal, stopped=stop.came and bool(runner.open_points))


def _bounds(loaded: "BenchPlan", tolerances_file: Path | None) -> "Bounds":
    from stimctl.bench.plan.judging import Bounds
    from stimctl.bench.tolerances import SHIPPED, load_tolerances
    from stimctl.cli.bench.accept import instrument_of

    tolerances, digest = load_tolerances(tolerances_file or SHIPPED)
    part = loaded.head.scope
    instrument = instrument_of(tolerances.instrument, part.gain_percent, part.load_percent, part.timebase_ppm)
    name = "stimctl/bench/tolerances.toml" if tolerances_file is None else str(tolerances_file)
    return Bounds(tolerances, name, digest, instrument)


def _head(
    loaded: "BenchPlan", setup: "BenchSetup", identity: "Identity", scope: str, bounds: "Bounds"
) -> dict[str, Any]:
    from dataclasses import asdict

    instrument = {**asdict(bounds.instrument), "assumed": list(bounds.instrument.assumed)}
    return {
        "plan_sha256": loaded.sha256, "title": loaded.head.title, "device": identity.record(), "scope": scope,
        "simulated": setup.simulated, "tolerances": bounds.file, "tolerances_sha256": bounds.sha256,
        "instrument": instrument, "begun_utc": datetime.now(UTC).isoformat(timespec="seconds"),
    }  # fmt: skip


@contextmanager
def _progress(loaded: "BenchPlan", results: "PlanResults") -> Iterator[Any]:
    """A line on standard error for each point that is done, and on a terminal a bar below."""
    from rich.progress import Progress

    from stimctl.cli.console import CommandConsole

    console = CommandConsole(stderr=True)
    total, before = len(loaded.points), len(results.done)
    if before:
        goes_on = "it goes on with the next" if before < total else "nothing is driven"
        click.echo(f"{before} of {total} points are done already; {goes_on}.", err=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bars:
        yield _Teller(bars, total, before).tell


class _Teller:
    """Tells of each point that is done."""

    def __init__(self, bars: "Progress", total: int, before: int) -> None:
        self._bars, self._total, self._done = bars, total, before
        self._task = bars.add_task("points", total=total, completed=before)

    def tell(self, point: Any, verdict: Any) -> None:
        """One more."""
        self._done += 1
        self._bars.update(self._task, completed=self._done)
        click.echo(f"{self._done} of {self._total}  {point.title}: {verdict}", err=True)


def _write(loaded: "BenchPlan", results: "PlanResults", folder: Path) -> dict[str, Any]:
    import json

    from stimctl.bench.plan.report import plan_document, plan_page

    made_utc = datetime.now(UTC).isoformat(timespec="seconds")
    document = plan_document(loaded, results, made_utc, f"stimctl {__version__}")
    write_new(folder / "report.json", [json.dumps(document, indent=1), "\n"], force=True)
    try:
        from stimctl.bench.plan.figures import svg
    except ImportError:
        click.echo("no pictures: they need matplotlib, `pip install 'stimctl[bench]'`", err=True)
        pictures = {}
    else:
        pictures = {point["key"]: svg(point) for point in document["points"]}
    write_new(folder / "report.html", [plan_page(document, pictures)], force=True)
    try:
        from stimctl.bench.plan.paper import plan_paper

        made = plan_paper(document, pictures)
    except Misuse as missing:
        click.echo(f"no report.pdf: {missing}", err=True)
    else:
        write_new(folder / "report.pdf", [made], force=True)
    return document


def _show(document: dict[str, Any], folder: Path, *, as_json: bool) -> None:
    from stimctl.bench.plan.report import point_cells

    if as_json:
        echo_json(document)
    click.echo(document["verdict"], err=as_json)
    if document["simulated"]:
        click.echo("SIMULATED: no current flowed into anything real.", err=as_json)
    rows = [point_cells(point) for point in document["points"]]
    click.echo(table(("POINT", "WHAT", "VERDICT", "FIGURES"), rows), err=as_json)
    click.echo(f"\nreport  {folder / 'report.html'}", err=as_json)


def _broken_off(broke: "SessionReport", signal: int | None) -> int:
    """Tell of the session that ended the plan; the exit code is by it."""
    from stimctl.bench.plan.runner import TO_EXAMINE
    from stimctl.cli.run.exit_code import exit_code
    from stimctl.session.view import PULL_THE_LEADS

    zero = f"and zero was not confirmed: {PULL_THE_LEADS}" if broke.zero_confirmed_us is None else "at zero"
    click.echo(f"Broken off, {zero}; {broke.end.value}. {broke.end_text}".strip(), err=True)
    examine = "Examine the device first: it ended by a fault of its own. Then t" if broke.end in TO_EXAMINE else "T"
    click.echo(f"{examine}he same command goes on from here.", err=True)
    code = exit_code(broke, signal)
    if signal is not None and code in (codes.DONE, codes.STOPPED, codes.ENDED_EARLY):
        return codes.SIGNAL_BASE + signal  # it came as the session ended by itself
    return code or codes.STOPPED  # from elsewhere, as late


def _code(document: dict[str, Any], signal: int | None, *, stopped: bool) -> int:
    """Of a plan that no session broke off."""
    if stopped:
        click.echo("Stopped between two points, at zero. The same command goes on from here.", err=True)
        return codes.SIGNAL_BASE + signal if signal is not None else codes.STOPPED
    if not document["holds"]:
        return codes.UNMET
    return codes.DONE if document["whole"] else codes.NOT_EXAMINED
