"""`stimctl log list | show | verify`: reads the dose log of this machine; nothing here changes it."""

from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stimctl.cli import codes
from stimctl.cli.completion import session_ids
from stimctl.cli.log.group import READ, Choice, choosing, exit_code_of, log, opened
from stimctl.cli.log.listing import page_out, session_lines
from stimctl.cli.table import echo_json, echo_json_rows, json_option
from stimctl.ledger.place import ledger_is_there
from stimctl.units import counted

if TYPE_CHECKING:
    from stimctl.ledger import Ledger, SessionHead, Verification

__all__ = ["log"]


_CHECKED = 100  # sessions of a list whose entries are looked at: ten thousand take longer than a list may [choice]


@log.command("list", epilog=codes.help_text(READ))
@choosing
@json_option
@click.pass_context
def list_(ctx: click.Context, choice: Choice, as_json: bool) -> None:
    """List the sessions, newest first: two lines each.

    The second line has the profile, the subject, the device, how long stimulation lasted, and the charge of the first
    phases of all channels with how it is known. Of the first 100 the entries that say so are checked: one that does
    not verify has a third line, and the exit code is 7.

    Example: stimctl log list -n 10 --since 2026-01-31
    """
    doubts: list[str] = []
    sessions = _chosen(ctx.obj, choice, doubts)
    if as_json:
        echo_json_rows({**session.plain(), "fault": fault} for session, fault in sessions)
    elif lines := [line for session, fault in sessions for line in session_lines(session, fault)]:
        page_out(lines)
    else:
        click.echo(f"The ledger {ctx.obj} holds no such session." if choice.narrows else _nothing(ctx.obj))
    for doubt in doubts:
        click.echo(doubt, err=True)
    ctx.exit(codes.LOG if doubts else codes.DONE)


@log.command(epilog=codes.help_text(READ))
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
    from stimctl.course.place import facts_of, place_of
    from stimctl.ledger.document import document

    with opened(ctx.obj) as ledger:
        summary = ledger.summary(ledger.resolve(session))
        place = place_of(ledger, summary.head.session_id)
        if as_json:
            today = datetime.now(UTC).astimezone().date()
            echo_json(document(summary, course=place and facts_of(ledger, place, today)))
        else:
            click.echo(page(summary, place))
    code = exit_code_of(summary)
    for fault in place.course.faults if place else ():
        click.echo(f"The course of this session does not verify: {fault}.", err=True)
        code = codes.LOG
    ctx.exit(code)


@log.command(epilog=codes.help_text(READ))
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


def _signatures(ledger: "Ledger", key: Path | None) -> list[dict[str, Any]] | None:
    if key is None:
        return None
    from stimctl.ledger.signature import check, public_key_of

    return [one._asdict() for one in check(ledger, public_key_of(key))]


def _chosen(path: Path, choice: Choice, doubts: list[str]) -> "Iterator[tuple[SessionHead, str | None]]":
    """The sessions that are meant, each with what is wrong with it; that is told in `doubts` too."""
    # Without the ledger's own modules where there is nothing to list.
    if not ledger_is_there(path):
        return
    with opened(path) as ledger:
        if wrong := ledger.doubt_of_list():
            doubts.append(f"Sessions may be missing here: {wrong}; `stimctl log verify` says more.")
        place = 0
        for place, head in enumerate(choice.of(ledger.heads(newest_first=True)), 1):
            fault = ledger.doubt_of_line(head.session_id) if place <= _CHECKED else None
            if fault:
                doubts.append(f"Session {head.session_id} does not verify: {fault}.")
            yield head, fault
        if place > _CHECKED:
            click.echo(f"The first {_CHECKED:,} were checked; `stimctl log verify` looks at all.", err=True)


def _nothing(path: Path) -> str:
    return f"The ledger {path} holds no session yet."


def _say(verdict: "Verification") -> None:
    for loss in verdict.losses:
        click.echo(f"Lost earlier: {loss.sentence}.", err=True)
    entries, are = counted(verdict.entries, "entry"), "is" if verdict.entries == 1 else "are"
    if verdict.broken is None:
        there = f"that {are} there {are} intact" if verdict.losses else f"{are} intact, and the anchor agrees"
        click.echo(f"All {entries} {there}.")
        click.echo(f"Head hash: {verdict.head}")
    else:
        click.echo(f"The ledger is not intact: {verdict.broken.sentence}.", err=True)
        click.echo(f"{entries} from the first on {are} intact; hash of the last: {verdict.head}", err=True)
    if verdict.lost:
        click.echo(f"Lost in all: {verdict.lost:,}.", err=True)
    click.echo(verdict.note)


# The other commands register themselves with the group.
from stimctl.cli.log import exporting, keeping, report, subject, syncing  # noqa: E402, F401
