"""`stimctl bench run`: a dummy load driven from amounts alone, and what was asked, applied and measured."""

import sys
from pathlib import Path
from typing import Any

import click

from stimctl.bench.dummy_load import LoadRun, prescription_for, pulses_text, subject_at
from stimctl.bench.readings import ReadingLog, SteadyFigures, check_telemetry_file, write_telemetry
from stimctl.cli import codes
from stimctl.cli.bench.amounts import DURATION
from stimctl.cli.bench.driving import LoadDriver, fault_of, steady_table, tell_of, with_load
from stimctl.cli.bench.load_options import check_limits, check_pulses, load_options
from stimctl.cli.run.document import run_document
from stimctl.cli.run.summary import SavedFiles, summary_text
from stimctl.cli.run.wording import needles
from stimctl.cli.session_log import session_log
from stimctl.cli.streams import at_terminal
from stimctl.cli.table import echo_json
from stimctl.stimulators.discovery import DeviceChoice
from stimctl.waveform import Mode


@click.command(epilog=codes.help_text(tuple(codes.MEANINGS)))
@load_options(channels=True)
@click.option(
    "--seconds", type=DURATION, default="30s", show_default=True, help="In all, ramps included, as in 30 or 2min."
)
@click.option("--ramp-only", is_flag=True, help="A run that is mostly ramp is meant.")
def run(
    *,
    url: str,
    choice: DeviceChoice,
    ohm: int,
    amplitude: int,
    mode: Mode | None,
    frequency: int | None,
    width: int | None,
    seconds: int,
    channels: tuple[int, ...],
    ramp_only: bool,
    telemetry: Path | None,
    as_json: bool,
) -> None:
    """Drive a dummy load: no needle, no pseudonym, no file. Never a person.

    The limits are those of every session, and it is logged like one. At a terminal the current is plotted while it
    flows; s, space, q or Esc stop.

    \b
    Examples:
      stimctl bench run --port sim:// --ohm 1000 --amplitude 1.5mA --mode 2/100 --seconds 30
      stimctl bench run --device bench1 --ohm 500 --frequency 33.3 --width 150us --telemetry run.csv
    """
    check_pulses(mode, frequency)
    asked = LoadRun(
        ohm=ohm, amplitude_ua=amplitude, channels=channels, mode=mode or Mode.DENSE_DISPERSE, period_us=frequency,
        width_us=width, stimulation_us=seconds, ramp_only=ramp_only,
    )  # fmt: skip
    check_limits([asked])  # before the port is opened
    if telemetry is not None:
        check_telemetry_file(telemetry)
    url = with_load(url, ohm)
    prescription = prescription_for(asked, subject_at(url, choice))
    click.echo(f"{pulses_text(prescription)}\n" + "\n".join(needles(prescription)), err=True)
    readings = ReadingLog()
    with session_log() as ledger:
        driver = LoadDriver(url, choice, ledger, readings, terminal=at_terminal() and not as_json)
        try:
            report = driver.drive(prescription)
        finally:
            unwritten = keep_telemetry(telemetry, readings)
        found = [readings.steady(each, amplitude) for each in channels]
        fault = driver.log_fault
        kept = SavedFiles(
            ledger.path, log_fault=fault, native=choice.device == "native", head=None if fault else ledger.head(),
            lost=ledger.sealed,
        )  # fmt: skip
        if as_json:
            document = run_document(ledger, prescription, report, kept)
            echo_json(
                {"session": document, "steady": [each._asdict() for each in found], "pulses": _pulses(prescription)}
            )
        else:
            click.echo(f"{summary_text(prescription, report, kept)}\n\n{_figures(found, telemetry, unwritten)}")
    sys.exit(driver.exit_code(report, recorded=tell_of(unwritten)))


def _pulses(prescription: Any) -> list[dict[str, int]]:
    return [{"period_us": each.period_us, "width_us": each.width_us} for each in prescription.program.segments]


def _figures(found: list[SteadyFigures], telemetry: Path | None, unwritten: str | None) -> str:
    text = f"At the highest amplitude that was read, by the device's own measurement:\n{steady_table(found)}"
    return text if telemetry is None or unwritten else f"{text}\n\ntelemetry  {telemetry}"


def keep_telemetry(file: Path | None, readings: ReadingLog) -> str | None:
    """Write what there is, also of a run that broke off. Returns why it could not be written, if it could not."""
    return None if file is None else fault_of(lambda: write_telemetry(file, readings.rows))
