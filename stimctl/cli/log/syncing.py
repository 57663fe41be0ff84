"""`stimctl log sync`: this machine's log into a PostgreSQL that many machines share."""

import platform
from dataclasses import asdict
from pathlib import Path

import click

from stimctl.cli import codes
from stimctl.cli.done import echo_done
from stimctl.cli.log.group import log, opened
from stimctl.cli.table import json_option, json_text
from stimctl.errors import Misuse
from stimctl.label import Label
from stimctl.ledger.place import ledger_is_there
from stimctl.units import counted


@log.command(epilog=codes.help_text((codes.DONE, codes.USAGE, codes.INVALID, codes.LINE, codes.LOG)))
@click.argument("url", default="postgresql://")
@click.option(
    "--machine", envvar="STIMCTL_MACHINE", show_envvar=True,
    help="This ledger's name at the far end; without it, this computer's.",
)  # fmt: skip
@click.option("--verify", is_flag=True, help="Have the far end check every entry that it holds of this machine.")
@json_option
@click.pass_context
def sync(ctx: click.Context, url: str, machine: str | None, verify: bool, as_json: bool) -> None:
    """Send what the far end lacks of this log, in order; the log itself is not changed.

    URL as libpq has it: postgresql://user@host/database. What it leaves out comes from PGHOST, PGUSER, PGPASSWORD and
    so on, or from a password file: there a password belongs, because others see the command line. A far end that
    contradicts the log is told, and nothing is overwritten (docs/exchange.md).

    Example: stimctl log sync postgresql://clinic@db.example/doses
    """
    from stimctl.sync.far import FarDatabase
    from stimctl.sync.push import ChainPush

    name = _name(machine)
    path: Path = ctx.obj
    if not ledger_is_there(path):
        raise Misuse(f"the ledger {path} holds nothing to send yet")
    far = FarDatabase(url)
    try:
        with opened(path) as ledger:
            push = ChainPush(ledger, far, name)
            report = push.run()
            wrong = push.faults() if verify else None
    finally:
        far.close()
    if as_json:
        echo_done(json_text({**asdict(report), "faults": wrong}))
    else:
        sent = f"{counted(report.sent, 'entry')} sent to {report.far}, which holds up to entry {report.number:,}"
        echo_done(f"{name}: {sent}.\nHead hash: {report.hash}")
        if wrong == []:
            echo_done("The far end checked every entry that it holds: all are intact, and follow.")
    if report.cuts:
        echo_done(
            f"The connection was cut {counted(report.cuts, 'time')}; nothing is missing or there twice.", err=True
        )
    if report.lost_here:
        echo_done(f"The far end still holds {counted(report.lost_here, 'entry')} that this ledger has lost.", err=True)
    for each in wrong or ():
        echo_done(f"The far end does not hold: {each}.", err=True)
    ctx.exit(codes.LOG if wrong else codes.DONE)


def _name(machine: str | None) -> str:
    try:
        return str(Label(machine or platform.node()))
    except ValueError as wrong:
        raise Misuse(f"the machine's name {wrong}; give one with --machine") from None
