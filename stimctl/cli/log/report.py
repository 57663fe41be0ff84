"""`stimctl log report`: one session, or all of one subject's, as a page for a clinic's files."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from stimctl import __version__
from stimctl.cli import codes
from stimctl.cli.completion import session_ids
from stimctl.cli.done import echo_done
from stimctl.cli.log.group import exit_code_of, log, opened
from stimctl.cli.texts import label
from stimctl.errors import Misuse, StimctlError
from stimctl.log_report import LANGUAGES, PAPERS
from stimctl.new_file import check_free, write_new

if TYPE_CHECKING:
    from stimctl.ledger import Ledger, SessionHead, SessionSummary
    from stimctl.log_report.blocks import LogReport
    from stimctl.profile import Profile

_FILE = click.Path(dir_okay=False, path_type=Path)
_CODES = (codes.DONE, codes.USAGE, codes.INVALID, codes.LOG)


@log.command(epilog=codes.help_text(_CODES))
@click.argument("session", metavar="[ID]", required=False, shell_complete=session_ids)
@click.option("--subject", callback=label, metavar="PSEUDONYM", help="All sessions of this subject, as a course.")
@click.option("--pdf", type=_FILE, help="Write it on paper here, readable by you alone.")
@click.option("--html", type=_FILE, help="Write it as a page here, readable by you alone.")
@click.option("--paper", type=click.Choice(PAPERS), default=PAPERS[0], show_default=True, help="Size of a page.")
@click.option(
    "--language", type=click.Choice(LANGUAGES), default="en", show_default=True, help="English or Simplified Chinese."
)
@click.option("--force", is_flag=True, help="Replace the file if it is there.")
@click.pass_context
def report(
    ctx: click.Context,
    session: str | None,
    subject: str | None,
    pdf: Path | None,
    html: Path | None,
    paper: str,
    language: str,
    force: bool,
) -> None:
    """Write one session, or the course of one subject, as a report to be filed and signed.

    ID as in `stimctl log show`. Each figure stands with how it is known; what nobody knows is empty. A session that
    does not verify says so on every page, and the exit code is 7.

    \b
    Example: stimctl log report latest --pdf session.pdf
      stimctl log report --subject P-17 --pdf course.pdf --paper letter
    """
    if (session is None) == (subject is None):
        raise Misuse("name a session, or a --subject")
    files = [file for file in (pdf, html) if file is not None]
    if not files:
        raise Misuse("name a file to write: --pdf, --html, or both")
    for file in files:
        check_free(file, force=force)
    with opened(ctx.obj) as ledger:
        made, summaries, doubts = _made(ledger, session, subject, language)
    makers: tuple[tuple[Path | None, Callable[[LogReport, str], bytes]], ...] = ((pdf, _as_pdf), (html, _as_html))
    for file, content in [(file, maker(made, paper)) for file, maker in makers if file is not None]:
        write_new(file, [content], force=force)
        echo_done(f"{' · '.join([*made.marks, ''])}{made.title}, {made.subtitle}: written to {file}")
    for doubt in doubts:
        echo_done(f"What is here of {subject} does not verify: {doubt}.", err=True)
    ctx.exit(max([*map(exit_code_of, summaries), codes.LOG if doubts else codes.DONE]))


def _made(
    ledger: "Ledger", session: str | None, subject: str | None, language: str
) -> "tuple[LogReport, list[SessionSummary], list[str]]":
    """The report, the sessions in it, and what of their courses does not verify."""
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise Misuse("a report's plots need matplotlib: install it with `pip install 'stimctl[pdf]'`") from None
    from stimctl.ledger.subject import courses_of
    from stimctl.log_report.case import by_plan, case_of, cases_of, head_of
    from stimctl.log_report.course_report import course_report
    from stimctl.log_report.session_report import session_report
    from stimctl.log_report.words import ReportWords

    words, head = ReportWords(language), head_of(ledger)
    made, tool = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC", f"stimctl {__version__}"
    if subject is not None:
        cases, courses = cases_of(ledger, subject), tuple(courses_of(ledger, subject))
        doubt = ledger.doubt_of_all()
        doubts = [fault for fault in (doubt, *(each.fault for of in courses for each in of.entries)) if fault]
        told = course_report(words, subject, cases, by_plan(ledger, subject, cases), courses, doubts, head, made, tool)
        return told, [case.summary for case in cases], doubts
    case = case_of(ledger, ledger.resolve(session or ""))
    profile = _profile(case.summary.head)
    return session_report(words, case, head, profile, made, tool), [case.summary], []


def _profile(head: "SessionHead") -> "Profile | None":
    """The profile's file that the session followed, where the very same is on this computer."""
    from stimctl.profile import load_profiles

    try:
        found = load_profiles().get(head.profile_id or "")
    except StimctlError:
        return None
    return found if found is not None and found.sha256 == head.profile_sha256 else None


def _as_pdf(made: "LogReport", paper: str) -> bytes:
    from stimctl.log_report.as_typst import typeset

    return typeset(made, paper).pdf()


def _as_html(made: "LogReport", paper: str) -> bytes:
    from stimctl.log_report.as_html import as_html

    return as_html(made, paper).encode()
