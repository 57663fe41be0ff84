"""Runs one session from the command line: prescription, port, log, screen, keys and signals put together.

The session itself is `stimctl.api.Session`.
"""

import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from io import TextIOWrapper
from pathlib import Path
from typing import Any, TextIO

import click

from stimctl.api import Session
from stimctl.cli.ask.form import Form
from stimctl.cli.done import echo_done
from stimctl.cli.run.document import run_document
from stimctl.cli.run.exit_code import exit_code
from stimctl.cli.run.keys import Keys, single_keys
from stimctl.cli.run.operator import FrontEnd, OperatorGone, SessionDisplay, signals_stop
from stimctl.cli.run.plain_screen import PlainLines
from stimctl.cli.run.preparing import PreparedRun, RunRequest, ask_scores, prepare
from stimctl.cli.run.saving import save_prescription
from stimctl.cli.run.summary import SavedFiles, summary_text
from stimctl.cli.session_log import session_log
from stimctl.cli.table import json_text
from stimctl.errors import LogFault
from stimctl.ledger import Ledger
from stimctl.new_file import check_new, open_growing, write_new, writing
from stimctl.port import TrafficSink, open_port
from stimctl.prescription import Prescription
from stimctl.session.engine import ATTENDED, UNATTENDED
from stimctl.session.view import EARLIER_DOSE, OperatorMessage, SessionReport, SessionView
from stimctl.traffic.transcript import TrafficWriter


@dataclass(frozen=True, slots=True)
class NewFiles:
    """What a run writes beside the log, where that was wanted."""

    save: Path | None
    picture: Path | None
    traffic: Path | None

    def check_new(self) -> None:
        """Raise `Misuse` where one of them is there already, before anybody is asked anything."""
        check_new(self.save, "a prescription")
        check_new(self.picture, "a picture")
        check_new(self.traffic, "a record of traffic")


def run_session(request: RunRequest, files: NewFiles, *, terminal: bool, as_json: bool) -> int:
    """Prepare it, run it to its end and tell of it. Returns the exit code."""
    files.check_new()
    with ExitStack() as stack:
        prepared = prepare(request, stack)
        if files.save is not None:
            save_prescription(prepared.values, files.save)
        picture = _draw(prepared.prescription, files.picture)
        traffic = _traffic(stack, files.traffic, request)
        ledger = stack.enter_context(session_log())
        session = _session(request, prepared, ledger, traffic)
        departure = OperatorGone()
        report, told, log_fault = _run(session, prepared, departure, terminal=terminal, as_json=as_json)
        native, interrupted = request.choice.device == "native", tuple(session.interrupted)
        head = None if log_fault else ledger.head()
        kept = SavedFiles(
            ledger.path,
            picture,
            files.traffic,
            log_fault,
            interrupted,
            told,
            native,
            head,
            ledger.sealed,
            session.recording_fault,
        )
        if as_json:
            echo_done(json_text(run_document(ledger, prepared.prescription, report, kept)))
        else:
            echo_done(summary_text(prepared.prescription, report, kept))
        if report.armed:
            _came_to_be(session, prepared, ledger, ask=not departure.hung_up and log_fault is None)
    return exit_code(report, departure.signal, logged=log_fault is None, recorded=session.recording_fault is None)


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
        course=prepared.course_id,
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
        from stimctl.report import preview

        write_new(picture, [preview.picture(of_prescription(prescription), picture)], force=False)
    return picture


def _traffic(stack: ExitStack, file: Path | None, request: RunRequest) -> TrafficSink | None:
    if file is None:
        return None
    with writing(file):
        out = stack.enter_context(_growing(file))
        return TrafficWriter(out, request.url, rehearsal=request.rehearse)


@contextmanager
def _growing(file: Path) -> Iterator[TextIO]:
    """Line by line, so that a full disk is told of, and a record that is cut short is one up to there."""
    out = TextIOWrapper(open_growing(file), encoding="utf-8", line_buffering=True)
    try:
        yield out
    finally:
        with suppress(OSError):  # told of where the line was written
            out.close()
        if not file.stat().st_size:
            file.unlink()  # for which there was no room at all: it would stand in the way of the next


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
