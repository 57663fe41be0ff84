"""The group `stimctl log`, how its commands open the ledger, and how they choose sessions."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import update_wrapper
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import click

from stimctl.cli import codes
from stimctl.cli.completion import profile_names
from stimctl.cli.numbers import WholeNumber
from stimctl.cli.texts import label

if TYPE_CHECKING:
    from stimctl.ledger import Ledger, SessionHead, SessionSummary

READ = (codes.DONE, codes.USAGE, codes.INVALID, codes.LOG)
_Command = TypeVar("_Command", bound=Callable[..., Any])


@click.group()
@click.option(
    "--data", "folder", type=click.Path(readable=False, path_type=Path),
    help="Folder of the ledger, instead of what STIMCTL_DATA names, or this user's data folder.",
)  # fmt: skip
@click.pass_context
def log(ctx: click.Context, folder: Path | None) -> None:
    """The dose log of this machine: list, show, verify, export, report; add notes; back up and recover.

    Nothing that was written is ever changed: what is added is a new entry.

    Example: stimctl log list
    """
    from stimctl.ledger.place import ledger_path

    ctx.obj = ledger_path(folder)


@contextmanager
def opened(path: Path, *, read_only: bool = True) -> "Iterator[Ledger]":
    """The ledger, to read; what was lost is told."""
    from stimctl.ledger import Ledger

    with Ledger(path, read_only=read_only) as ledger:
        if ledger.sealed:
            click.echo(f"Entries were lost: {ledger.sealed}.", err=True)
        yield ledger


def exit_code_of(summary: "SessionSummary") -> int:
    """Say what does not verify, and give the exit code."""
    for fault in summary.faults:
        click.echo(f"Session {summary.head.session_id} does not verify: {fault}.", err=True)
    return codes.LOG if summary.faults else codes.DONE


class Choice(NamedTuple):
    """Which sessions are meant."""

    number: int | None
    since: datetime | None
    profile: str | None
    subject: str | None
    device: str | None

    @property
    def narrows(self) -> bool:
        """Whether it leaves anything out."""
        return any(each is not None for each in self)

    def of(self, heads: "Iterator[SessionHead]") -> "Iterator[SessionHead]":
        """Those of `heads`, newest first, that are meant."""
        any_fits = all(each is None for each in self[1:])
        return islice(heads if any_fits else filter(self._fits, heads), self.number)

    def _fits(self, head: "SessionHead") -> bool:
        return (
            (self.since is None or _began_since(head, self.since))
            and self.profile in (None, head.profile_id)
            and self.subject in (None, head.pseudonym, head.subject)
            and (self.device is None or self.device.lower() in f"{head.device_model} {head.device_serial}".lower())
        )


def _began_since(head: "SessionHead", moment: datetime) -> bool:
    """Whether a session began then or later; one whose start cannot be read is not left out."""
    try:
        return datetime.fromisoformat(head.started_utc or head.fetched_utc or "").astimezone(UTC) >= moment
    except (ValueError, OverflowError):
        return True


def _since(_ctx: click.Context, _option: click.Parameter, text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        raise click.BadParameter(f"{text!r} is no day or moment: write 2026-01-31 or 2026-01-31T14:00") from None


def choosing(command: _Command) -> _Command:
    """Give a command the options that choose sessions; it gets them as one `choice`."""
    options = (
        click.option("-n", "number", type=WholeNumber(1), help="The newest N only."),
        click.option("--since", callback=_since, metavar="DAY", help="From this day on, by this computer's clock."),
        click.option("--profile", shell_complete=profile_names, help="Of this profile."),
        click.option("--subject", callback=label, help="Of this pseudonym, or of this kind of subject."),
        click.option("--device", help="On a device whose model or serial number has this in it."),
    )

    def wrapped(*arguments: Any, number: Any, since: Any, profile: Any, subject: Any, device: Any, **more: Any) -> Any:
        return command(*arguments, choice=Choice(number, since, profile, subject, device), **more)

    update_wrapper(wrapped, command)  # with the options that it has already
    for option in reversed(options):
        wrapped = option(wrapped)
    return wrapped  # type: ignore[return-value]  # a command of the same name, with other options
