"""`stimctl run`: runs a session from a prescription to a logged dose, while its operator watches.

This module puts the parts together: prescription, port, log, screen, keys and signals. The session itself is
`stimctl.api.Session`.
"""

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import click

from stimctl.api import Session
from stimctl.cli import codes
from stimctl.cli.device_options import device_options
from stimctl.cli.errors import writing
from stimctl.cli.run.document import run_document
from stimctl.cli.run.exit_code import CODES, exit_code
from stimctl.cli.run.keys import Keys, single_keys
from stimctl.cli.run.operator import FrontEnd, OperatorGone, SessionDisplay, signals_stop
from stimctl.cli.run.plain_screen import PlainLines
from stimctl.cli.run.questions import ask_outcome, ask_prescription, ask_screening
from stimctl.cli.run.summary import SavedFiles, summary_text
from stimctl.cli.streams import at_terminal
from stimctl.cli.table import echo_json, json_option
from stimctl.errors import LogFault, Misuse, Unsafe, WrongDevice
from stimctl.ledger import Ledger
from stimctl.port import TrafficSink
from stimctl.prescription import Prescription, Subject, from_file, subject_of
from stimctl.profile import choose, load_profiles
from stimctl.session.engine import ATTENDED, UNATTENDED
from stimctl.session.interlocks import no_front_end
from stimctl.session.view import EARLIER_DOSE, OperatorMessage, SessionReport, SessionView
from stimctl.stimulators.discovery import DeviceChoice
from stimctl.traffic.transcript import TrafficWriter

_FILE = click.Path(dir_okay=False, path_type=Path)
_ATTENDED_ONLY = (Subject.PERSON, Subject.ANIMAL)


@click.command(epilog=codes.help_text(CODES))
@click.argument("name")
@click.option("--port", "url", required=True, metavar="URL", help="/dev/ttyUSB0, COM3, socket://host:port or sim://.")
@device_options
@click.option(
    "--prescription",
    "prescription_file",
    type=_FILE,
    help="A prescription's file; without one, the questions are asked.",
)
@click.option("--variant", help="Variant of the profile, if it has several and the questions are asked.")
@click.option("--picture", type=_FILE, help="Also draw the waveform into this PNG or SVG file.")
@click.option("--record-traffic", "traffic_file", type=_FILE, help="Record the bytes on the line in this new file.")
@click.option("--unattended", is_flag=True, help="Wait for nobody at any step: dummy loads and simulators only.")
@json_option
def run(
    *,
    name: str,
    url: str,
    choice: DeviceChoice,
    prescription_file: Path | None,
    variant: str | None,
    picture: Path | None,
    traffic_file: Path | None,
    unattended: bool,
    as_json: bool,
) -> None:
    """Run a session of the profile NAME, show it live, and log its dose.

    At a terminal it waits for Enter before the leads are connected and before the ramp. Keys: + and -
    raise and lower the selected channel by 0.1 mA, 1 to 4 select it, h holds, Enter goes on, and
    s, space, q or Esc stop. Ctrl-C and a closed terminal stop too, and so does `stimctl stop`.

    Without a terminal it takes each step by itself, for dummy loads and simulators only.

    \b
    Examples:
      stimctl run low-back-pain --port sim:// --prescription profiles/examples/low-back-pain.toml
      stimctl run low-back-pain --port sim://?pace=real
      stimctl run bench-2-100hz --port /dev/ttyACM0 --device stimjim --prescription load.toml
    """
    terminal = at_terminal() and not as_json
    attended = terminal and not unattended
    prescription = _prescription(name, variant, prescription_file, url, attended=attended)
    before = _outcome("before", prescription, attended=attended)
    with ExitStack() as stack:
        picture = _draw(prescription, picture)
        traffic = _traffic(stack, traffic_file, url)
        ledger = stack.enter_context(Ledger())
        ledger.require_whole()
        if ledger.sealed:
            click.echo(f"Entries of the log were lost: {ledger.sealed}.", err=True)
        auto = ATTENDED if attended else UNATTENDED
        session = Session(url, prescription, ledger, front_end=attended, auto=auto, traffic=traffic, choice=choice)
        departure = OperatorGone()
        report, told, log_fault = _run(session, prescription, before, departure, terminal=terminal, as_json=as_json)
        native, interrupted = choice.device == "native", tuple(session.interrupted)
        head = None if log_fault else ledger.head()
        kept = SavedFiles(ledger.path, picture, traffic_file, log_fault, interrupted, told, native, head, ledger.sealed)
        if as_json:
            echo_json(run_document(ledger, prescription, report, kept))
        else:
            click.echo(summary_text(prescription, report, kept))
        if not departure.hung_up and log_fault is None:
            after = _outcome("after", prescription, attended=attended)
            if after is not None:
                ledger.append(session.session_id, "outcome", session.view().now_us, after)
    sys.exit(exit_code(report, departure.signal, logged=log_fault is None))


# --- before -----------------------------------------------------------------------------------------


def _prescription(name: str, variant: str | None, file: Path | None, url: str, *, attended: bool) -> Prescription:
    """From its file or asked, screened where it is for a person; and for this profile."""
    profiles = load_profiles()
    profile = choose(profiles, name)
    if profile.stimulation is None:
        profile.variant(variant)  # raises, saying why there is nothing to stimulate
    now_us = time.monotonic_ns() // 1_000
    if file is None:
        if not attended:
            raise Misuse(
                "the questions are asked only at a terminal; here, give a prescription with --prescription FILE"
            )
        return ask_prescription(profile, variant, profiles, now_us, lambda subject: _no_simulation(url, subject))
    subject, pseudonym = subject_of(file)
    if subject in _ATTENDED_ONLY and not attended:
        raise Unsafe([no_front_end(subject)])
    _no_simulation(url, subject)
    screening = ask_screening(pseudonym, now_us) if subject is Subject.PERSON else None
    prescription = from_file(file, profiles, screening=screening)
    if prescription.profile.id != profile.id:
        raise Misuse(f"{file} prescribes {prescription.profile.id}, not {profile.id}: name the one that is meant")
    if variant is not None and prescription.variant != variant:
        raise Misuse(f"{file} prescribes the variant {prescription.variant}, not {variant}")
    return prescription


def _no_simulation(url: str, subject: Subject) -> None:
    """Before any question; the session itself asks the port, whatever it is called."""
    if subject in _ATTENDED_ONLY and url.lower().startswith("sim://"):
        raise WrongDevice(f"{url} is a simulation: no {subject} can be connected to it")


def _outcome(when: str, prescription: Prescription, *, attended: bool) -> dict[str, Any] | None:
    """Scores are asked of a person, and of nobody else."""
    if not attended or prescription.subject is not Subject.PERSON:
        return None
    return ask_outcome(when)


def _draw(prescription: Prescription, picture: Path | None) -> Path | None:
    """Before the session, so that a picture that cannot be drawn is known of at once."""
    if picture is not None:
        from stimctl.cli.preview import of_prescription
        from stimctl.report.preview import save

        with writing(picture):
            save(of_prescription(prescription), picture)
    return picture


def _traffic(stack: ExitStack, file: Path | None, url: str) -> TrafficSink | None:
    if file is None:
        return None
    if file.exists():
        raise Misuse(f"{file} exists already; a record of traffic is never replaced: name another file")
    with writing(file):
        return TrafficWriter(stack.enter_context(file.open("x", encoding="utf-8")), url)


# --- the session ------------------------------------------------------------------------------------


def _run(
    session: Session,
    prescription: Prescription,
    before: dict[str, Any] | None,
    departure: OperatorGone,
    *,
    terminal: bool,
    as_json: bool,
) -> tuple[SessionReport, tuple[str, ...], str | None]:
    """Run it to its end, whatever ends it; the log is closed and the terminal is as it was.

    Returns its report, what it told of the dose of an earlier session, and why the log has not got all of it.
    """
    report, witness = None, None
    try:
        # Signals outermost: one more Ctrl-C must not break off the session's own end.
        with signals_stop(session.stop, departure), session:
            for session_id in session.interrupted:
                click.echo(f"Session {session_id} had been cut short; the log says so now.", err=True)
            began_us = session.view().now_us
            session.start()
            channels = [plan.channel for plan in prescription.channels]
            with _screen(prescription, began_us, terminal=terminal, as_json=as_json) as (display, keys):
                witness = _DisplayTee(display)
                front_end = FrontEnd(session, channels, witness, keys, departure)
                front_end.before = before
                report = front_end.run()
    except LogFault as fault:
        if report is None or witness is None:
            raise
        return report, tuple(witness.earlier), str(fault)
    return report, tuple(witness.earlier), None


class _DisplayTee:
    """Passes everything on to a display, and keeps what the summary has to say again."""

    def __init__(self, display: SessionDisplay) -> None:
        self._display = display
        self.earlier: list[str] = []

    def show(self, view: SessionView, events: Sequence[Any], selected: int) -> None:
        told = [event.text for event in events if isinstance(event, OperatorMessage)]
        self.earlier += [text for text in told if text.startswith(EARLIER_DOSE)]
        self._display.show(view, events, selected)


@contextmanager
def _screen(
    prescription: Prescription, began_us: int, *, terminal: bool, as_json: bool
) -> Iterator[tuple[SessionDisplay, Keys | None]]:
    if not terminal:
        yield PlainLines(prescription, began_us, sys.stderr if as_json else None), None
        return
    from stimctl.cli.run.live_screen import LiveScreen, can_draw

    with single_keys() as keys:
        if not can_draw():
            yield PlainLines(prescription, began_us, attended=True), keys
            return
        with LiveScreen(prescription, began_us) as screen:
            yield screen, keys
