"""`stimctl bench wiring`: the wiring check of docs/hardware.md, step by step, with its answers kept."""

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from stimctl import __version__
from stimctl.cli import codes
from stimctl.cli.device_options import device_options
from stimctl.errors import LogFault

if TYPE_CHECKING:
    from stimctl.bench.wiring import Answer, WiringRecord, WiringStep, WiringTable
    from stimctl.cli.bench.driving import LoadDriver
    from stimctl.prescription import Subject
    from stimctl.stimulators.discovery import DeviceChoice

_ANSWERS: "dict[str, Answer]" = {"y": "as expected", "n": "not as expected", "l": "left out"}


@click.command(epilog=codes.help_text(tuple(codes.MEANINGS)))
@device_options()
def wiring(url: str, choice: "DeviceChoice") -> None:
    """Go through the wiring check: a resistor of 1 kohm on each channel, an oscilloscope across it, fifteen steps.

    Each step says what to do and what has to be seen; some are driven from here, on channel 1, when you say so. At the
    first that is not as expected it ends: switch off, and find out why. The answers are kept. Never a person.

    \b
    Example:
      stimctl bench wiring --port /dev/ttyACM0 --device stimjim
    """
    from stimctl.bench.readings import ReadingLog
    from stimctl.bench.wiring import WiringRecord, wiring_table
    from stimctl.cli.bench.driving import LoadDriver, with_load
    from stimctl.cli.session_log import session_log
    from stimctl.cli.streams import at_terminal
    from stimctl.prescription import Subject
    from stimctl.stimulators.discovery import identify

    steps = wiring_table()
    url = with_load(url, steps.ohm)
    identity = identify(url, choice).identity
    now = datetime.now(UTC)
    head = {
        "wiring_check": 1, "device": identity.record(), "url": url, "begun_utc": now.isoformat(timespec="seconds"),
        "software": f"stimctl {__version__}",
    }  # fmt: skip
    subject = Subject.SIMULATOR if identity.simulator else Subject.DUMMY_LOAD
    click.echo(f"{identity.model} {identity.serial}, firmware {identity.firmware}")
    click.echo(
        "A resistor of 1 kohm, 1 %, in place of the load on each channel; an oscilloscope across it: 1 V is 1 mA."
    )
    mine = [step for step in steps.steps if not step.only or choice.device in step.only]
    with session_log() as ledger, WiringRecord(ledger.path.parent, head, f"{now:%Y%m%d-%H%M%S-%f}") as record:
        driver = LoadDriver(url, choice, ledger, ReadingLog(), terminal=at_terminal())
        given = [_step(steps, step, driver, subject, record) for step in mine]
        click.echo(f"\nanswers  {record.path}")
    left = given.count("left out")
    click.echo(f"All {len(mine)} are as expected." if not left else f"{left} of {len(mine)} were left out.")
    sys.exit(codes.NOT_EXAMINED if left else codes.DONE)


def _step(
    steps: "WiringTable", step: "WiringStep", driver: "LoadDriver", subject: "Subject", record: "WiringRecord"
) -> "Answer":
    from stimctl.bench.wiring import WiringAnswer
    from stimctl.cli.run.keys import forget_typed

    click.echo(f"\n{step.number}  {step.do}\n   scope on: {step.scope or '-'}\n   expected: {step.expected}")
    session_id = _driven(steps, step, driver, subject)
    forget_typed()  # what was typed before it was seen answers nothing
    letter = click.prompt("As expected? (y, n, l: leave it out)", type=click.Choice([*_ANSWERS]), show_choices=False)
    seen = click.prompt("What was seen (Enter for nothing more)", default="", show_default=False)
    answer = _ANSWERS[letter]
    at_utc = datetime.now(UTC).isoformat(timespec="seconds")
    record.put(WiringAnswer(step.number, answer, seen, at_utc, session_id))
    if answer == "not as expected":
        click.echo(f"\nSTOP at step {step.number}: switch off, and find out why.\nanswers  {record.path}")
        raise click.exceptions.Exit(codes.UNMET)
    return answer


def _driven(steps: "WiringTable", step: "WiringStep", driver: "LoadDriver", subject: "Subject") -> str | None:
    """Drive what the step wants, where the person wants it. A session that a person or the step ends is as meant."""
    from stimctl.bench.dummy_load import prescription_for, pulses_text
    from stimctl.cli.ask.confirm import confirmed
    from stimctl.cli.run.keys import forget_typed
    from stimctl.units import ma_text

    run = steps.run_of(step)
    if run is None:
        return None
    prescription = prescription_for(run, subject)
    what = f"{pulses_text(prescription)} at {ma_text(run.amplitude_ua)} on channel 1"
    forget_typed()
    if not confirmed(f"Drive it from here: {what}?"):
        return None
    report = driver.drive(prescription)
    click.echo(f"   ended: {report.end.value}")
    if driver.departure.signal is not None:
        raise click.exceptions.Exit(codes.SIGNAL_BASE + driver.departure.signal)
    if driver.log_fault is not None:
        raise LogFault(driver.log_fault)
    return report.session_id
