"""`stimctl stop`: stops every session on this machine, from any terminal of the same user."""

from dataclasses import asdict

import click

from stimctl.cli import codes
from stimctl.cli.done import echo_done
from stimctl.cli.numbers import Number
from stimctl.cli.table import json_option, json_text
from stimctl.label import printable
from stimctl.remote_stop import STOP_TIMEOUT_S, StopReport, StopStatus, stop_all

_EXIT_CODES = """\b
Exit codes:
    0  every session was stopped, and its device measured zero
    2  the command was not understood
    3  no session of yours runs on this machine; nothing was stopped
    5  zero was not confirmed, or a session could not be reached or looked for: PULL THE LEADS"""


@click.command(epilog=_EXIT_CODES)
@click.option(
    "--timeout", "timeout_s", type=Number(0.1, 60), default=STOP_TIMEOUT_S, show_default=True,
    help="Seconds to wait for confirmed zero, all sessions together.",
)  # fmt: skip
@json_option
@click.pass_context
def stop(ctx: click.Context, timeout_s: float, as_json: bool) -> None:
    """Stop whatever session runs on this machine, although it holds the port.

    Every session of this user is asked at once. This does not replace the STOP key of the session's own
    screen, nor pulling the leads.

    Example: stimctl stop
    """
    reports = stop_all(timeout_s)
    if as_json:
        echo_done(json_text([asdict(report) for report in reports]))
    else:
        _say(reports)
    ctx.exit(_exit_code(reports))


def _say(reports: list[StopReport]) -> None:
    if not reports:
        echo_done("No session of yours runs on this machine: nothing was stopped.")
    for report in reports:
        said = printable(report.sentence())
        echo_done(said[:1].upper() + said[1:], err=report.outcome is not StopStatus.ZERO)


def _exit_code(reports: list[StopReport]) -> int:
    if not reports:
        return codes.INVALID
    return codes.DONE if all(report.outcome is StopStatus.ZERO for report in reports) else codes.DEVICE
