"""`stimctl log export`: sessions as files for other programs."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from stimctl.cli import codes
from stimctl.cli.completion import session_ids
from stimctl.cli.done import echo_done
from stimctl.cli.log.group import READ, Choice, choosing, exit_code_of, log, opened
from stimctl.cli.table import echo_file
from stimctl.errors import Misuse
from stimctl.new_file import write_new

if TYPE_CHECKING:
    from stimctl.ledger import Entry, Ledger, SessionSummary

    Sessions = Iterable[tuple[SessionSummary, Iterator[Entry]]]


@log.command(epilog=codes.help_text(READ))
@click.argument("sessions", metavar="[ID]...", nargs=-1, shell_complete=session_ids)
@choosing
@click.option("--all", "every", is_flag=True, help="Every session of the ledger.")
@click.option(
    "--format", "form", type=click.Choice(["csv", "parquet", "json", "fhir"]), required=True,
    help="csv, parquet: rows; json: everything; fhir: an R4B Bundle.",
)  # fmt: skip
@click.option(
    "--what", type=click.Choice(["channels", "entries"]), default="channels", show_default=True,
    help="csv and parquet only: one row a channel with its doses, or one row an entry.",
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
    """Write sessions for other programs. Every row, or each document, says SIMULATOR or HARDWARE.

    ID as in `stimctl log show`; several may be given, or chosen by the options. Several in JSON are a list. Parquet has
    the columns of the CSV; it needs --output. docs/exchange.md describes all four.

    Example: stimctl log export latest --format csv -o session.csv
    """
    if bool(sessions) == (choice.narrows or every):
        raise Misuse("name sessions, or choose them by options, or take --all")
    if form == "parquet" and output is None:
        raise Misuse("Parquet is no text: name a file with --output")
    with opened(ctx.obj) as ledger:
        ids = list(dict.fromkeys(map(ledger.resolve, sessions))) or [
            head.session_id for head in choice.of(ledger.heads(newest_first=True))
        ]
        # Who names sessions goes by their entries, who chooses them by the list.
        doubt = None if sessions else ledger.doubt_of_all()
        summaries: list[SessionSummary] = []
        text = _exported(ledger, ids, summaries, form, what, one=len(sessions) == 1)
        if output is None:
            for part in text:
                assert isinstance(part, str)  # Parquet has a file
                echo_file(part)
        else:
            write_new(output, text, force=force)
            marks = ", ".join(sorted({summary.head.watermark for summary in summaries})) or "nothing"
            told = f"session {ids[0]}" if len(ids) == 1 else f"{len(ids)} sessions"
            echo_done(f"{marks}: {told} written to {output}")
    if doubt:
        echo_done(f"Sessions may be missing here: {doubt}.", err=True)
    ctx.exit(max([*map(exit_code_of, summaries), codes.LOG if doubt else codes.DONE]))


def _exported(
    ledger: "Ledger", ids: list[str], summaries: "list[SessionSummary]", form: str, what: str, *, one: bool
) -> Iterator[str | bytes]:
    """The file in parts; each session's summary is added to `summaries` when its part comes."""

    def each() -> "Sessions":
        for session_id in ids:
            summaries.append(ledger.summary(session_id))
            yield summaries[-1], ledger.entries(session_id, doubtful=True)

    if form == "json":
        return _json(each(), one=one)
    return _fhir(each()) if form == "fhir" else _table(each(), form, what)


def _table(sessions: "Sessions", form: str, what: str) -> Iterator[str | bytes]:
    from stimctl.ledger import export as e
    from stimctl.ledger.columns import CHANNEL_COLUMNS, ENTRY_COLUMNS

    columns = CHANNEL_COLUMNS if what == "channels" else ENTRY_COLUMNS
    rows = (
        row
        for summary, entries in sessions
        for row in (e.channel_rows(summary) if what == "channels" else e.entry_rows(summary, entries))
    )
    if form == "csv":
        yield from e.csv_lines(columns, rows)
        return
    from stimctl.ledger.parquet import parquet_bytes

    yield parquet_bytes(columns, rows)


def _json(sessions: "Sessions", *, one: bool) -> Iterator[str]:
    from stimctl.ledger.export import json_text

    texts = (json_text(summary, entries) for summary, entries in sessions)
    if one:
        yield from texts
        return
    yield "["
    for index, text in enumerate(texts):
        yield f"{',' if index else ''}\n{text.rstrip()}"
    yield "\n]\n"


def _fhir(sessions: "Sessions") -> Iterator[str]:
    from stimctl.ledger import fhir

    document = fhir.bundle(summary for summary, _entries in sessions)
    if not fhir.validate(document):
        click.echo("Not validated as FHIR R4B: that needs `pip install 'stimctl[fhir]'`.", err=True)
    yield json.dumps(document, indent=2) + "\n"
