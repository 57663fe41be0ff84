"""`stimctl run`: runs a session from a prescription to a logged dose, while its operator watches.

This module puts the parts together: prescription, port, log, screen, keys and signals. The session itself is
`stimctl.api.Session`.
"""

import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import click

from stimctl.api import Session
from stimctl.cli import codes
from stimctl.cli.ask.form import Form
from stimctl.cli.device_options import device_options
from stimctl.cli.errors import writing
from stimctl.cli.port_option import port_option
from stimctl.cli.run.document import run_document
from stimctl.cli.run.exit_code import CODES, exit_code
from stimctl.cli.run.keys import Keys, single_keys
from stimctl.cli.run.operator import FrontEnd, OperatorGone, SessionDisplay, signals_stop
from stimctl.cli.run.plain_screen import PlainLines
from stimctl.cli.run.preparing import PreparedRun, RunRequest, ask_scores, prepare, save_prescription
from stimctl.cli.run.summary import SavedFiles, summary_text
from stimctl.cli.streams import at_terminal
from stimctl.cli.table import echo_json, json_option
from stimctl.errors import LogFault, Misuse
from stimctl.ledger import Ledger
from stimctl.port import TrafficSink, open_port
from stimctl.prescription import Prescription
from stimctl.session.engine import ATTENDED, UNATTENDED
from stimctl.session.view import EARLIER_DOSE, OperatorMessage, SessionReport, SessionView
from stimctl.traffic.transcript import TrafficWriter

_FILE = click.Path(dir_okay=False, path_type=Path)
REHEARSAL_URL = "sim://?pace=real"


@click.command(epilog=codes.help_text(CODES))
@click.argument("name", required=False)
@port_option(required=False)
@device_options
@click.option(
    "--prescription",
    "prescription_file",
    type=_FILE,
    help="A prescription's file; without one, the questions are asked.",
)
@click.option(
    "--again",
    metavar="[WHO]",
    is_flag=False,
    flag_value="",
    help="The last prescription of a pseudonym or of a session's id, or the last of all: asked is only what is new.",
)
@click.option("--rehearse", is_flag=True, help="A person's whole session, on the simulator; marked REHEARSAL.")
@click.option("--variant", help="Variant of the profile, if it has several and the questions are asked.")
@click.option("--save", type=_FILE, help="Also write the prescription into this new file.")
@click.option("--picture", type=_FILE, help="Also draw the waveform into this PNG or SVG file.")
@click.option("--record-traffic", "traffic_file", type=_FILE, help="Record the bytes on the line in this new file.")
@click.option("--unattended", is_flag=True, help="Wait for nobody at any step: dummy loads and simulators only.")
@json_option
def run(
    *,
    url: str | None,
    prescription_file: Path | None,
    save: Path | None,
    picture: Path | None,
    traffic_file: Path | None,
    unattended: bool,
    as_json: bool,
    rehearse: bool,
    **typed: Any,
) -> None:
    """Run a session of the profile NAME, show it live, and log its dose.

    At a terminal the device is identified first, then what is missing is asked, and it waits for Enter before the leads
    are connected and before the ramp. Keys: + and - raise and lower the selected channel by 0.1 mA, 1 to 4 select it,
    h holds, Enter goes on, and s, space, q or Esc stop. Ctrl-C and a closed terminal stop too, as does `stimctl stop`.

    Without a terminal it takes each step by itself, for dummy loads and simulators only.

    \b
    Examples:
      stimctl run low-back-pain --port sim:// --prescription profiles/examples/low-back-pain.toml
      stimctl run low-back-pain --rehearse
      stimctl run --again P-17 --port /dev/ttyACM0
      stimctl run bench-2-100hz --port /dev/ttyACM0 --device stimjim --prescription load.toml
    """
    if url is None and not rehearse:
        raise click.UsageError("Missing option '--port'.")
    if prescription_file is not None and typed["again"] is not None:
        raise click.UsageError("--again and --prescription exclude each other: both name a prescription")
    terminal = at_terminal() and not as_json
    request = RunRequest(
        url=url or REHEARSAL_URL,
        attended=terminal and not unattended,
        file=prescription_file,
        rehearse=rehearse,
        **typed,
    )
    with ExitStack() as stack:
        prepared = prepare(request, stack)
        if save is not None:
            save_prescription(prepared.values, save)
        picture = _draw(prepared.prescription, picture)
        traffic = _traffic(stack, traffic_file, request.url)
        ledger = stack.enter_context(Ledger())
        session = _session(request, prepared, ledger, traffic)
        departure = OperatorGone()
        report, told, log_fault = _run(session, prepared, departure, terminal=terminal, as_json=as_json)
        native, interrupted = request.choice.device == "native", tuple(session.interrupted)
        kept = SavedFiles(ledger.path, picture, traffic_file, log_fault, interrupted, told, native)
        if as_json:
            echo_json(run_document(ledger, prepared.prescription, report, kept))
        else:
            click.echo(summary_text(prepared.prescription, report, kept))
        if report.armed:
            _came_to_be(session, prepared, ledger, ask=not departure.hung_up and log_fault is None)
    sys.exit(exit_code(report, departure.signal, logged=log_fault is None))


def _session(request: RunRequest, prepared: PreparedRun, ledger: Ledger, traffic: TrafficSink | None) -> Session:
    return Session(
        request.url,
        prepared.prescription,
        ledger,
        front_end=request.attended,
        auto=ATTENDED if request.attended else UNATTENDED,
        traffic=traffic,
        choice=request.choice,
        opener=open_port if prepared.device is None else prepared.device.take,
    )


def _came_to_be(session: Session, prepared: PreparedRun, ledger: Ledger, *, ask: bool) -> None:
    """The log has the answers now; and the scores after it are asked, where there are some from before."""
    if prepared.draft is not None:
        prepared.draft.remove()
    if prepared.before is not None and ask:
        ledger.append(session.session_id, "outcome", session.view().now_us, Form().fill(_after, review=False))


def _after(form: Form) -> dict[str, Any]:
    return ask_scores(form, "after")


# --- before -----------------------------------------------------------------------------------------


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
    prepared: PreparedRun,
    departure: OperatorGone,
    *,
    terminal: bool,
    as_json: bool,
) -> tuple[SessionReport, tuple[str, ...], str | None]:
    """Run it to its end, whatever ends it; the log is closed and the terminal is as it was.

    Returns its report, what it told of the dose of an earlier session, and why the log has not got all of it.
    """
    report, witness, prescription = None, None, prepared.prescription
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
                front_end.before = prepared.before
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
