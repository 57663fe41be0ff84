"""Sessions in two lines each, as `stimctl log list` shows them. It loads next to nothing: a list comes at once."""

import os
import sys
from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING

import click

from stimctl.label import columns, fitted, isolated
from stimctl.label import printable as plain
from stimctl.units import charge_text, clock_text

if TYPE_CHECKING:
    from stimctl.ledger import SessionHead

_WIDTH = 80
_WHAT_WIDTH = _WIDTH - 30


def session_lines(head: "SessionHead", fault: str | None = None) -> Iterator[str]:
    """One session in two lines of at most 80 columns, and a third where it does not verify."""
    state = f"{head.state}: {head.end_reason}" if head.end_reason else head.state
    first = f"{head.session_id:21}  {head.watermark:9}  {_when(head.started_utc or head.fetched_utc or ''):28}  {state}"
    who = f"{head.subject or '-'} {head.pseudonym or ''}".rstrip()
    device = f"{head.device_model or '-'} {head.device_serial or ''}".rstrip()
    what = fitted(f"{head.profile_id or '-'}; {who}; {device}", _WHAT_WIDTH)
    blanks = " " * (_WHAT_WIDTH - columns(what))
    lasted = "-" if head.stimulated_us is None else clock_text(head.stimulated_us)
    dose = "-" if head.delivered_pc is None else f"{charge_text(head.delivered_pc)} {head.delivered_standing}"
    yield plain(fitted(first, _WIDTH))
    yield f"  {isolated(plain(what))}{blanks}  {lasted:>6}  {plain(dose)}"
    if fault:
        yield plain(fitted(f"  DOES NOT VERIFY: {fault}", _WIDTH))


def _when(utc: str) -> str:
    """A moment to the minute, by the clock on the wall, with UTC beside it."""
    try:
        local = datetime.fromisoformat(utc).astimezone()
    except ValueError:
        return utc
    # By its parts: `isoformat` would ask for the zone's offset too, which takes as long as all the rest.
    date = f"{local.year:04}-{local.month:02}-{local.day:02}"
    return f"{date} {local.hour:02}:{local.minute:02} ({utc[11:16]} UTC)"


def page_out(lines: list[str]) -> None:
    """Through a pager where a person would have to scroll back."""
    if sys.stdout.isatty():
        from shutil import get_terminal_size

        if len(lines) >= get_terminal_size().lines:
            # As it would be printed: the pager is given bytes, and would show "?" for all that its encoding lacks. That
            # it is UTF-8, `less` would ask the locale, which may be another than the one that Python goes by.
            encoding, errors = sys.stdout.encoding, sys.stdout.errors or "strict"
            if encoding.lower().replace("_", "-") == "utf-8":
                os.environ.setdefault("LESSCHARSET", "utf-8")
            click.echo_via_pager("\n".join(lines).encode(encoding, errors).decode(encoding))
            return
    click.echo("\n".join(lines))
