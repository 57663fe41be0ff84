"""`stimctl log`: reads the dose log of this machine. Nothing here changes it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from stimctl.cli import codes
from stimctl.cli.completion import session_ids
from stimctl.cli.errors import writing
from stimctl.cli.table import echo_json, json_option, table

if TYPE_CHECKING:
    from stimctl.ledger import Ledger, SessionHead, Verification

_LIST_COLUMNS = ("ID", "", "STARTED (UTC)", "STATE", "SUBJECT", "WHO", "PROFILE", "DEVICE")
_VERIFY_EXIT_CODES = """\b
Exit codes:
    0  every entry holds
    2  the command was not understood
    3  what was given as a head hash is none
    7  an entry is not intact, or the ledger cannot be read"""


@click.group()
@click.option(
    "--data", "folder", type=click.Path(file_okay=False, path_type=Path), envvar="STIMCTL_DATA", show_envvar=True,
    help="Folder of the ledger, instead of this user's data folder.",
)  # fmt: skip
@click.pass_context
def log(ctx: click.Context, folder: Path | None) -> None:
    """Look into the dose log of this machine: list, show, verify, export. Nothing here changes it.

    Example: stimctl log list
    """
    from stimctl.ledger import ledger_path

    ctx.obj = ledger_path(folder)


@log.command("list")
@json_option
@click.pass_obj
def list_(path: Path, as_json: bool) -> None:
    """List the sessions, oldest first.

    Example: stimctl log list
    """
    sessions = _sessions(path)
    if as_json:
        echo_json([asdict(session) for session in sessions])
    elif sessions:
        click.echo(table(_LIST_COLUMNS, map(_row, sessions)))
    else:
        click.echo(f"The ledger {path} holds no session yet.")


@log.command()
@click.argument("session", metavar="ID", shell_complete=session_ids)
@json_option
@click.pass_obj
def show(path: Path, session: str, as_json: bool) -> None:
    """Show one session: who, what, on which device, which dose, and what happened.

    ID is a session's id, its beginning or end as far as it is unique, or "latest".

    Example: stimctl log show latest
    """
    from stimctl.cli.log.page import page
    from stimctl.ledger.document import document

    with _opened(path) as ledger:
        summary = ledger.summary(ledger.resolve(session))
    if as_json:
        echo_json(document(summary))
    else:
        click.echo(page(summary))


@log.command(epilog=_VERIFY_EXIT_CODES)
@click.option("--head", metavar="HASH", help="A head hash noted earlier: it must still be in the chain.")
@json_option
@click.pass_context
def verify(ctx: click.Context, head: str | None, as_json: bool) -> None:
    """Check every entry against its hash, and name the first that is not intact.

    Prints the head hash. Note it somewhere else, and give it to a later verify: only then do entries cut
    off at the end, or a ledger written anew, come to light.

    Example: stimctl log verify
    """
    with _opened(ctx.obj) as ledger:
        verdict = ledger.verify(head)
    if as_json:
        echo_json(asdict(verdict))
    else:
        _say(verdict)
    ctx.exit(codes.DONE if verdict.ok else codes.LOG)


@log.command()
@click.argument("session", metavar="ID", shell_complete=session_ids)
@click.option(
    "--format", "form", type=click.Choice(["csv", "json"]), required=True, help="csv: rows; json: everything."
)
@click.option(
    "--what", type=click.Choice(["channels", "entries"]), default="channels", show_default=True,
    help="csv only: one row a channel with its doses, or one row an entry.",
)  # fmt: skip
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path),
    help="File to write, readable by you alone; without it, to the terminal.",
)  # fmt: skip
@click.pass_obj
def export(path: Path, session: str, form: str, what: str, output: Path | None) -> None:
    """Write one session as CSV or JSON. Every row, or the top of the document, says SIMULATOR or HARDWARE.

    ID as in `stimctl log show`.

    Example: stimctl log export latest --format csv -o session.csv
    """
    from stimctl.ledger.export import csv_of_channels, csv_of_entries, json_text

    with _opened(path) as ledger:
        one = ledger.resolve(session)
        summary = ledger.summary(one)
        if form == "json":
            text = json_text(summary, ledger.entries(one))
        else:
            text = csv_of_channels(summary) if what == "channels" else csv_of_entries(summary, ledger.entries(one))
    if output is None:
        click.echo(text, nl=False)
        return
    with writing(output):
        output.touch(mode=0o600)
        output.write_text(text, encoding="utf-8", newline="")
    click.echo(f"{summary.head.watermark}: session {one} written to {output}")


@contextmanager
def _opened(path: Path) -> "Iterator[Ledger]":
    from stimctl.ledger import Ledger

    with Ledger(path, read_only=True) as ledger:
        yield ledger


def _sessions(path: Path) -> "list[SessionHead]":
    if not path.exists():
        return []
    with _opened(path) as ledger:
        return ledger.sessions()


def _row(head: "SessionHead") -> list[str]:
    from stimctl.label import printable as plain

    device = f"{head.device_model or '-'} {head.device_serial or ''}".rstrip()
    state = f"{head.state}: {head.end_reason}" if head.end_reason else head.state
    cells = (
        head.session_id,
        head.watermark,
        head.started_utc[:19],
        state,
        head.subject,
        head.pseudonym,
        head.profile_id,
        device,
    )
    return [plain(cell or "-") for cell in cells]


def _say(verdict: "Verification") -> None:
    if verdict.broken is None:
        click.echo(f"All {verdict.entries} entries are intact.")
        click.echo(f"Head hash: {verdict.head}")
    else:
        click.echo(f"The ledger is not intact: {verdict.broken.sentence}.", err=True)
        click.echo(
            f"{verdict.entries} entries from the first on are intact; hash of the last: {verdict.head}", err=True
        )
    click.echo(verdict.note)
