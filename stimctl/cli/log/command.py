"""`stimctl log list | show | verify | export`: reads the dose log of this machine; nothing here changes it."""

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stimctl.cli import codes
from stimctl.cli.completion import session_ids
from stimctl.cli.log.group import Choice, choosing, log, opened
from stimctl.cli.log.listing import page_out, session_lines
from stimctl.cli.private_file import write_private
from stimctl.cli.table import echo_json, json_option
from stimctl.errors import Misuse
from stimctl.ledger.place import ledger_is_there

if TYPE_CHECKING:
    from stimctl.ledger import Ledger, SessionHead, SessionSummary, Verification

__all__ = ["log"]

_READ = (codes.DONE, codes.USAGE, codes.INVALID, codes.LOG)


@log.command("list")
@choosing
@json_option
@click.pass_obj
def list_(path: Path, choice: Choice, as_json: bool) -> None:
    """List the sessions, newest first: two lines each.

    The second line has the profile, the subject, the device, how long stimulation lasted, and the charge of the first
    phases of all channels with how it is known.

    Example: stimctl log list -n 10 --since 2026-01-31
    """
    sessions = _chosen(path, choice)
    if as_json:
        echo_json([asdict(session) for session in sessions])
    elif sessions:
        page_out([line for session in sessions for line in session_lines(session)])
    else:
        click.echo(f"The ledger {path} holds no such session." if choice.narrows else _nothing(path))


@log.command(epilog=codes.help_text(_READ))
@click.argument("session", metavar="ID", shell_complete=session_ids)
@json_option
@click.pass_context
def show(ctx: click.Context, session: str, as_json: bool) -> None:
    """Show one session: who, what, on which device, which dose, and what happened.

    ID is a session's id, its beginning or end as far as it is unique, or "latest", the newest that was run here. One
    that does not verify is shown with that said first, and the exit code is 7.

    Example: stimctl log show latest
    """
    from stimctl.cli.log.page import page
    from stimctl.ledger.document import document

    with opened(ctx.obj) as ledger:
        summary = ledger.summary(ledger.resolve(session))
    if as_json:
        echo_json(document(summary))
    else:
        click.echo(page(summary))
    ctx.exit(_exit_code(summary))


@log.command(epilog=codes.help_text(_READ))
@click.option("--head", metavar="HASH", help="A head hash noted earlier: it must still be in the chain.")
@click.option(
    "--key", type=click.Path(dir_okay=False, path_type=Path), help="A public key: check every signature with it."
)
@json_option
@click.pass_context
def verify(ctx: click.Context, head: str | None, key: Path | None, as_json: bool) -> None:
    """Check every entry against its hash, the chain against its anchor; name what is not intact, and what was lost.

    Prints the head hash. Note it somewhere else, and give it to a later verify: only then does it come to light when
    ledger and anchor were written anew together. With --key it checks signatures too (`stimctl log sign`).

    Example: stimctl log verify
    """
    with opened(ctx.obj) as ledger:
        verdict = ledger.verify(head)
        signatures = _signatures(ledger, key)
    if as_json:
        echo_json({**asdict(verdict), "lost": verdict.lost, "signatures": signatures})
    else:
        _say(verdict)
        for one in signatures or ():
            fault = one["fault"] or f"vouches for entry {one['vouches_to']} and all before it"
            click.echo(f"Signature of session {one['session_id']} (entry {one['number']}): {fault}.")
    unsigned = signatures is not None and (not signatures or any(one["fault"] for one in signatures))
    if signatures == []:
        click.echo("There is no signature in this ledger.", err=True)
    ctx.exit(codes.DONE if verdict.ok and not unsigned else codes.LOG)


@log.command(epilog=codes.help_text(_READ))
@click.argument("sessions", metavar="[ID]...", nargs=-1, shell_complete=session_ids)
@choosing
@click.option("--all", "every", is_flag=True, help="Every session of the ledger.")
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
@click.option("--force", is_flag=True, help="Replace the file if it is there.")
@click.pass_context
def export(
    ctx: click.Context,
    sessions: tuple[str, ...],
    choice: Choice,
    every: bool,
    form: str,
    what: str,
    output: Path | None,
    force: bool,
) -> None:
    """Write sessions as CSV under one header, or as JSON. Every row, or each document, says SIMULATOR or HARDWARE.

    ID as in `stimctl log show`; several may be given, or chosen by the options. Several in JSON are a list.

    Example: stimctl log export latest --format csv -o session.csv
    """
    if bool(sessions) == (choice.narrows or every):
        raise Misuse("name sessions, or choose them by options, or take --all")
    with opened(ctx.obj) as ledger:
        ids = [ledger.resolve(one) for one in sessions] or [head.session_id for head in choice.of(_newest(ledger))]
        summaries: list[SessionSummary] = []
        text = _exported(ledger, ids, summaries, form, what, one=len(sessions) == 1)
        if output is None:
            for part in text:
                click.echo(part, nl=False)
        else:
            write_private(output, text, force=force)
            marks = ", ".join(sorted({summary.head.watermark for summary in summaries})) or "nothing"
            told = f"session {ids[0]}" if len(ids) == 1 else f"{len(ids)} sessions"
            click.echo(f"{marks}: {told} written to {output}")
    ctx.exit(max(map(_exit_code, summaries), default=codes.DONE))


def _exported(
    ledger: "Ledger", ids: list[str], summaries: "list[SessionSummary]", form: str, what: str, *, one: bool
) -> Iterator[str]:
    """The text in parts; each session's summary is added to `summaries` when its part comes."""
    from stimctl.ledger import export as e

    def each() -> "Iterator[tuple[SessionSummary, Iterator[Any]]]":
        for session_id in ids:
            summaries.append(ledger.summary(session_id))
            yield summaries[-1], ledger.entries(session_id, doubtful=True)

    if form == "csv":
        yield from e.csv_lines(
            row
            for summary, entries in each()
            for row in (e.channel_rows(summary) if what == "channels" else e.entry_rows(summary, entries))
        )
        return
    texts = (e.json_text(summary, entries) for summary, entries in each())
    if one:
        yield from texts
        return
    yield "["
    for index, text in enumerate(texts):
        yield f"{',' if index else ''}\n{text.rstrip()}"
    yield "\n]\n"


def _exit_code(summary: "SessionSummary") -> int:
    """Say what does not verify, and give the exit code."""
    for fault in summary.faults:
        click.echo(f"Session {summary.head.session_id} does not verify: {fault}.", err=True)
    return codes.LOG if summary.faults else codes.DONE


def _signatures(ledger: "Ledger", key: Path | None) -> list[dict[str, Any]] | None:
    if key is None:
        return None
    from stimctl.ledger.signature import check, public_key_of

    return [one._asdict() for one in check(ledger, public_key_of(key))]


def _newest(ledger: "Ledger") -> "Iterator[SessionHead]":
    return ledger.heads(newest_first=True)


def _chosen(path: Path, choice: Choice) -> "list[SessionHead]":
    # Without the ledger's own modules where there is nothing to list.
    if not ledger_is_there(path):
        return []
    with opened(path) as ledger:
        return list(choice.of(_newest(ledger)))


def _nothing(path: Path) -> str:
    return f"The ledger {path} holds no session yet."


def _say(verdict: "Verification") -> None:
    for loss in verdict.losses:
        click.echo(f"Lost earlier: {loss.sentence}.", err=True)
    if verdict.broken is None:
        click.echo(f"All {verdict.entries:,} entries that are there are intact." if verdict.losses else _all(verdict))
        click.echo(f"Head hash: {verdict.head}")
    else:
        click.echo(f"The ledger is not intact: {verdict.broken.sentence}.", err=True)
        click.echo(
            f"{verdict.entries} entries from the first on are intact; hash of the last: {verdict.head}", err=True
        )
    if verdict.lost:
        click.echo(f"Lost in all: {verdict.lost:,}.", err=True)
    click.echo(verdict.note)


def _all(verdict: "Verification") -> str:
    return f"All {verdict.entries:,} entries are intact, and the anchor agrees."


# The commands that add or replace register themselves with the group.
from stimctl.cli.log import keeping, subject  # noqa: E402, F401
