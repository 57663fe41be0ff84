"""Says of sessions that are shown what does not verify."""

from typing import TYPE_CHECKING

import click

from stimctl.cli import codes
from stimctl.label import printable

if TYPE_CHECKING:
    from stimctl.ledger import SessionSummary


def exit_code(summary: "SessionSummary") -> int:
    """Say what does not verify, and give the exit code."""
    for fault in summary.faults:
        click.echo(f"Session {summary.head.session_id} does not verify: {printable(fault)}.", err=True)
    return codes.LOG if summary.faults else codes.DONE
