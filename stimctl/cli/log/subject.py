"""`stimctl log subject`: all that the ledger holds of one subject, in one document."""

import json
from pathlib import Path

import click

from stimctl.cli import codes
from stimctl.cli.done import echo_done
from stimctl.cli.log.group import log, opened
from stimctl.cli.texts import label
from stimctl.new_file import write_new

_CODES = codes.help_text((codes.DONE, codes.USAGE, codes.INVALID, codes.LOG))


@log.command(epilog=_CODES)
@click.argument("who", metavar="WHO", callback=label)
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path),
    help="File to write, readable by you alone; without it, to the terminal.",
)  # fmt: skip
@click.option("--force", is_flag=True, help="Replace the file if it is there.")
@click.pass_context
def subject(ctx: click.Context, who: str, output: Path | None, force: bool) -> None:
    """Write everything of WHO, a pseudonym, as one JSON document: sessions with every entry, and courses.

    Screening, scores, notes, adverse events and corrections are among the entries; docs/schema/subject.json describes
    it. What does not verify is told, and the exit code is 7.

    Example: stimctl log subject P-17 -o P-17.json
    """
    from stimctl.ledger.subject import subject_document

    with opened(ctx.obj) as ledger:
        found = subject_document(ledger, who)
    text = json.dumps(found, indent=2) + "\n"
    if output is None:
        click.echo(text, nl=False)
    else:
        write_new(output, [text], force=force)
        what = f"sessions {len(found['sessions'])}, courses {len(found['courses'])}"
        echo_done(f"All of {who} ({what}) written to {output}")
    for fault in found["faults"]:
        echo_done(f"What is here of {who} does not verify: {fault}.", err=True)
    ctx.exit(codes.DONE if found["verifies"] else codes.LOG)
