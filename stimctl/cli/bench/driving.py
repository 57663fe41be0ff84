"""Drives one session on a dummy load from a command: no gates, keys where there is a terminal, a plot of what flows."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from urllib.parse import parse_qsl

import click

from stimctl.api import Session
from stimctl.bench.readings import ReadingLog, SteadyFigures
from stimctl.cli.run.exit_code import exit_code
from stimctl.cli.run.keys import single_keys
from stimctl.cli.run.operator import FrontEnd, OperatorGone, SessionDisplay, signals_stop
from stimctl.cli.run.plain_screen import PlainLines
from stimctl.cli.table import table
from stimctl.errors import LogFault, StimctlError
from stimctl.ledger import Ledger
from stimctl.prescription import Prescription
from stimctl.session.view import SessionReport
from stimctl.stimulators.discovery import DeviceChoice
from stimctl.units import ma_text
from stimctl.wire.codes import ohm_text


def with_load(url: str, ohm: int) -> str:
    """A simulator's URL that names no load gets the declared one: nobody else can connect it."""
    scheme, _, rest = url.partition("://")
    options = dict(parse_qsl(rest.partition("?")[2]))
    if scheme.lower() != "sim" or {"load", "scenario"} & options.keys():
        return url
    return f"{url}{'&' if '?' in url else '?'}load={f'r{ohm}' if ohm else 'short'}"


class LoadDriver:
    """Runs prescriptions one after the other at one port, into one log.

    `departure` says whether a signal broke in, `log_fault` why the log has not got the whole of the last one.
    """

    def __init__(self, url: str, choice: DeviceChoice, ledger: Ledger, readings: ReadingLog, *, terminal: bool) -> None:
        self.departure = OperatorGone()
        self.log_fault: str | None = None
        self._url = url
        self._choice = choice
        self._ledger = ledger
        self._readings = readings
        self._terminal = terminal

    def drive(self, prescription: Prescription, display: SessionDisplay | None = None) -> SessionReport:
        """One session to its end, whatever ends it. Without a display its progress is shown on standard error."""
        session = Session(
            self._url,
            prescription,
            self._ledger,
            front_end=self._terminal,
            choice=self._choice,
            on_reading=self._readings.take,
        )
        channels, report = [plan.channel for plan in prescription.channels], None
        try:
            with signals_stop(session.stop, self.departure), session, ExitStack() as stack:
                began_us = session.view().now_us
                session.start()
                keys = stack.enter_context(single_keys()) if self._terminal else None
                shown = display or stack.enter_context(self._screen(prescription, began_us))
                report = FrontEnd(session, channels, shown, keys, self.departure).run()
        except LogFault as fault:
            if report is None:
                raise
            self.log_fault = str(fault)
        return report

    def exit_code(self, report: SessionReport, *, recorded: bool = True) -> int:
        """That of the last session, by its end, by whether it is logged, and `recorded` where a file was asked for."""
        return exit_code(report, self.departure.signal, logged=self.log_fault is None, recorded=recorded)

    @contextmanager
    def _screen(self, prescription: Prescription, began_us: int) -> Iterator[SessionDisplay]:
        from stimctl.cli.bench.plot_screen import plot_screen

        drawn = plot_screen(prescription, began_us, self._readings) if self._terminal else None
        lines = PlainLines(prescription, began_us, sys.stderr, attended=self._terminal)
        with drawn if drawn is not None else nullcontext(lines) as display:
            yield display


def fault_of(write: Callable[[], None]) -> str | None:
    """Why a file of what was measured could not be written: that takes no summary away, and is told after it."""
    try:
        write()
    except StimctlError as fault:
        return str(fault)
    return None


def tell_of(*faults: str | None) -> bool:
    """Whether there was none."""
    for fault in filter(None, faults):
        click.echo(f"Error: {fault}", err=True)
    return not any(faults)


HEADERS = ("CHANNEL", "ASKED", "APPLIED", "MEASURED", "FROM", "TO", "RESISTANCE", "READINGS")


def steady_row(found: SteadyFigures) -> list[str]:
    """One channel's figures as people read them."""
    measured = [found.measured_ua, found.least_ua, found.most_ua]
    ohm = "not measured" if found.ohm is None else ohm_text(found.ohm)
    return [
        str(found.channel), ma_text(found.asked_ua), ma_text(found.applied_ua),
        *("-" if each is None else ma_text(each) for each in measured), ohm, str(found.readings),
    ]  # fmt: skip


def steady_table(found: Sequence[SteadyFigures]) -> str:
    """What was asked, applied and measured on each channel at the highest amplitude that was read."""
    return table(HEADERS, [steady_row(each) for each in found])
