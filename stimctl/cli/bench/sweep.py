"""`stimctl bench sweep`: one quantity in steps, a session each; what was asked, applied and measured at each step."""

import csv
import sys
from collections.abc import Sequence
from dataclasses import replace
from io import TextIOWrapper
from pathlib import Path
from typing import Any, NamedTuple

import click
from click.core import ParameterSource

from stimctl.bench.dummy_load import LoadRun, prescription_for, rate_text, subject_at
from stimctl.bench.readings import ReadingLog, SteadyFigures, check_telemetry_file
from stimctl.cli import codes
from stimctl.cli.bench.amounts import AMPLITUDE, DURATION, RATE, WIDTH
from stimctl.cli.bench.driving import HEADERS, LoadDriver, fault_of, steady_row, tell_of, with_load
from stimctl.cli.bench.load_options import check_limits, check_pulses, load_options
from stimctl.cli.bench.run import keep_telemetry
from stimctl.cli.numbers import WholeNumber
from stimctl.cli.session_log import session_log
from stimctl.cli.streams import at_terminal
from stimctl.cli.table import echo_json, table
from stimctl.new_file import check_new, new_file
from stimctl.prescription import Prescription
from stimctl.session.view import SessionReport
from stimctl.stimulators.discovery import DeviceChoice
from stimctl.units import ma_text
from stimctl.waveform import Mode, Segment

_FILE = click.Path(dir_okay=False, path_type=Path)
_KINDS = {"amplitude": AMPLITUDE, "width": WIDTH, "frequency": RATE}
_MOST_STEPS = 100


class SweepStep(NamedTuple):
    """One step and how it went. Amplitudes in uA, times in us, load in ohm."""

    amplitude_ua: int
    segments: tuple[Segment, ...]
    steady: SteadyFigures
    report: SessionReport

    def record(self, number: int) -> dict[str, Any]:
        """As a row of the CSV and of the JSON document. Where there is no second band, its cells are empty."""
        found, first, second = self.steady, self.segments[0], self.segments[1] if len(self.segments) > 1 else None
        return {
            "step": number, "channel": found.channel, "width_us": first.width_us, "period_us": first.period_us,
            "second_band_width_us": second and second.width_us, "second_band_period_us": second and second.period_us,
            "asked_ua": found.asked_ua, "applied_ua": found.applied_ua, "measured_ua": found.measured_ua,
            "least_ua": found.least_ua, "most_ua": found.most_ua, "ohm": found.ohm, "readings": found.readings,
            "session_id": self.report.session_id, "end": self.report.end.name.lower(),
        }  # fmt: skip


@click.command(epilog=codes.help_text(tuple(codes.MEANINGS)))
@click.argument("quantity", type=click.Choice([*_KINDS]))
@click.option("--at", "values", multiple=True, metavar="AMOUNT", help="A step, as in 0.5mA, 150us or 33Hz. Repeatable.")
@click.option("--from", "first", metavar="AMOUNT", help="The first of even steps.")
@click.option("--to", "last", metavar="AMOUNT", help="The last of even steps.")
@click.option("--steps", type=WholeNumber(2, _MOST_STEPS), default=5, show_default=True, help="How many even steps.")
@click.option("--seconds", type=DURATION, default="5s", show_default=True, help="Of each step at its full amplitude.")
@click.option("--csv", "csv_file", type=_FILE, help="Write the table into this new file.")
@load_options(channels=False)
def sweep(
    *, quantity: str, values: tuple[str, ...], first: str | None, last: str | None, steps: int, seconds: int,
    csv_file: Path | None, url: str, choice: DeviceChoice, ohm: int, amplitude: int, mode: Mode | None,
    frequency: int | None, width: int | None, channel: int, telemetry: Path | None, as_json: bool,
) -> None:  # fmt: skip
    """Step QUANTITY (amplitude, width or frequency) on a dummy load, a session for each step.

    Every step is checked before the first begins. A step that does not end by its timer ends the sweep; what there is
    by then is shown and written.

    \b
    Examples:
      stimctl bench sweep amplitude --port sim:// --ohm 1000 --from 0.5mA --to 2mA --steps 4 --csv sweep.csv
      stimctl bench sweep frequency --port sim:// --ohm 500 --at 1Hz --at 10Hz --at 100Hz
    """
    _check_given(quantity, named=bool(values))
    check_pulses(mode, frequency)
    base = LoadRun(
        ohm=ohm, amplitude_ua=amplitude, channels=(channel,), mode=mode or Mode.HIGH, period_us=frequency,
        width_us=width, plateau_us=seconds, ramp_only=True,
    )  # fmt: skip
    steps_asked = _amounts(quantity, values, first, last, steps)
    asked = [_with(base, quantity, each) for each in steps_asked]
    check_limits(asked, stepped=quantity)  # before the port is opened
    if telemetry is not None:
        check_telemetry_file(telemetry)
    check_new(csv_file, "a table")
    url, readings = with_load(url, ohm), ReadingLog()
    subject = subject_at(url, choice)
    planned = [prescription_for(each, subject) for each in asked]
    with session_log() as ledger:
        driver = LoadDriver(url, choice, ledger, readings, terminal=at_terminal() and not as_json)
        done: list[SweepStep] = []
        try:
            _drive(driver, planned, readings, done)
        finally:
            unwritten = keep_telemetry(telemetry, readings), fault_of(lambda: _write(csv_file, done))
    _show(done, as_json=as_json)
    sys.exit(driver.exit_code(done[-1].report, recorded=tell_of(*unwritten)))


def _check_given(quantity: str, *, named: bool) -> None:
    """Refuse an option that the steps speak for: it would say nothing."""
    context = click.get_current_context()
    for name in ("frequency", "mode") if quantity == "frequency" else (quantity,):
        if context.get_parameter_source(name) is not ParameterSource.DEFAULT:
            raise click.UsageError(f"--{name}: in a sweep of the {quantity} the steps say it; leave it out.")
    if named and context.get_parameter_source("steps") is not ParameterSource.DEFAULT:
        raise click.UsageError("--steps: --at names each step; leave one of the two out.")


def _with(base: LoadRun, quantity: str, amount: int) -> LoadRun:
    if quantity == "amplitude":
        return replace(base, amplitude_ua=amount)
    return replace(base, width_us=amount) if quantity == "width" else replace(base, period_us=amount)


def _amounts(quantity: str, values: Sequence[str], first: str | None, last: str | None, steps: int) -> list[int]:
    """The steps, in the smallest parts: those that were named, or even ones; for a rate they are even in Hz."""
    kind = _KINDS[quantity]
    if values and (first or last):
        raise click.UsageError("--at names the steps, --from and --to make even ones: give one of the two.")
    if values:
        return [kind.convert(each, None, None) for each in values]
    if first is None or last is None:
        raise click.UsageError("Say what the steps are: --at AMOUNT, or --from and --to.")
    low, high = kind.convert(first, None, None), kind.convert(last, None, None)
    if quantity == "frequency":
        rates = [1e6 / low + (1e6 / high - 1e6 / low) * index / (steps - 1) for index in range(steps)]
        return [round(1e6 / rate) for rate in rates]
    return [round(low + (high - low) * index / (steps - 1)) for index in range(steps)]


def _drive(driver: LoadDriver, planned: list[Prescription], readings: ReadingLog, done: list[SweepStep]) -> None:
    for number, prescription in enumerate(planned, start=1):
        if number > 1:
            readings.next_step()
        plan = prescription.channels[0]
        report = driver.drive(prescription)
        found = readings.steady(plan.channel, plan.amplitude_ua)
        done.append(SweepStep(plan.amplitude_ua, prescription.program.segments, found, report))
        click.echo(f"step {number} of {len(planned)}: {'  '.join(_cells(number, done[-1]))}", err=True)
        if driver.exit_code(report) != codes.DONE or driver.departure.signal is not None:
            return


def _cells(number: int, step: SweepStep) -> list[str]:
    rates, widths = zip(*((rate_text(each.period_us), f"{each.width_us} us") for each in step.segments), strict=True)
    pulses = (" / ".join(rates), " / ".join(widths), ma_text(step.amplitude_ua))
    end = "" if step.report.end.name == "TIMER" else step.report.end.value
    return [str(number), *pulses, *steady_row(step.steady)[2:], end]


def _show(done: Sequence[SweepStep], *, as_json: bool) -> None:
    if as_json:
        echo_json({"steps": [step.record(number) for number, step in enumerate(done, start=1)]})
        return
    headers = ("STEP", "RATE", "WIDTH", "ASKED", *HEADERS[2:], "ENDED")
    click.echo(table(headers, [_cells(number, step) for number, step in enumerate(done, start=1)]))


def _write(file: Path | None, done: Sequence[SweepStep]) -> None:
    if file is None or not done:
        return
    with new_file(file, force=False) as raw, TextIOWrapper(raw, encoding="utf-8", newline="") as out:
        rows = [step.record(number) for number, step in enumerate(done, start=1)]
        writer = csv.DictWriter(out, rows[0])
        writer.writeheader()
        writer.writerows(rows)
