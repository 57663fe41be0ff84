"""Answers of a session or a prescription that has not come to be: kept for the next start, for their owner alone.

They are written after each answer, so that no end of the program loses them, and removed once a session was armed, or
the prescription written. What
is true of one moment (screening, scores) is never among them: it is asked anew (docs/decisions/0012-questions.md).
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import click

from stimctl.cli.ask.confirm import confirmed
from stimctl.errors import StimctlError
from stimctl.lock_file import private_folder
from stimctl.look import refuse_pipe
from stimctl.units import counted
from stimctl.user_folder import named_folder, user_folder

_VARIABLE = "STIMCTL_STATE"


def state_folder() -> Path:
    """Where drafts are: STIMCTL_STATE, or this user's folder for state. Raises `Misuse` where there is none."""
    return named_folder(_VARIABLE) or user_folder("state", _VARIABLE)


@dataclass(frozen=True, slots=True)
class DraftAnswers:
    """What was left, and when."""

    answers: Mapping[str, str]
    saved: datetime


class Draft:
    """The draft for one profile, its rehearsals or its prescriptions; that of a repeated one is its subject's own."""

    def __init__(
        self, profile_id: str, *, rehearsal: bool = False, paper: bool = False, again_of: str | None = None
    ) -> None:
        of = "" if again_of is None else f"-again-{sha256(again_of.encode()).hexdigest()[:12]}"
        kind = "rehearsal-" if rehearsal else "prescription-" if paper else ""
        self._name = f"draft-{kind}{profile_id}{of}.json"
        self._failed = False

    @property
    def path(self) -> Path:
        """Its file. Raises `Misuse`."""
        return state_folder() / self._name

    def load(self) -> DraftAnswers | None:
        """What was left, if anything is. One that cannot be read is told of, and counts as none."""
        try:
            refuse_pipe(self.path)
            document = json.loads(self.path.read_text("utf-8"))
            answers = {str(name): str(answer) for name, answer in document["answers"].items()}
            return DraftAnswers(answers, datetime.fromisoformat(document["saved_utc"])) if answers else None
        except (FileNotFoundError, StimctlError):
            return None
        except OSError as fault:
            click.echo(f"Whether answers were left cannot be seen: {_why(fault)}", err=True)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            click.echo(f"Answers were left, but their file is damaged: {self.path}. All is asked anew.", err=True)
        return None

    def offered(self) -> dict[str, str]:
        """What was left, where the person at the terminal wants it. Raises `click.Abort`."""
        left = self.load()
        if left is None:
            return {}
        who = left.answers.get("pseudonym", "nobody yet")
        when = f"{left.saved.astimezone():%Y-%m-%d at %H:%M}"
        were = "was" if len(left.answers) == 1 else "were"
        click.echo(f"{counted(len(left.answers), 'answer')} {were} left on {when}, for {who}.")
        if confirmed("Go on from there? n: they are thrown away"):
            return dict(left.answers)
        self.remove()
        return {}

    def save(self, answers: Mapping[str, str]) -> None:
        """Keep these. Where that cannot be it is said once, and the asking goes on."""
        if self._failed:
            return
        document = {"saved_utc": datetime.now(UTC).isoformat(timespec="seconds"), "answers": dict(answers)}
        try:
            path = self.path
            private_folder(path.parent)
            _replace(path, json.dumps(document).encode())
        except (OSError, StimctlError) as fault:
            self._failed = True
            click.echo(f"  (These answers cannot be saved for another start: {_why(fault)})", err=True)

    def remove(self) -> None:
        """The session came to be, or nobody wants them."""
        try:
            self.path.unlink(missing_ok=True)
        except (OSError, StimctlError) as fault:
            click.echo(f"The draft of these answers cannot be removed: {_why(fault)}", err=True)


def _why(fault: OSError | StimctlError) -> str:
    """In words, with the folder: what is beside the draft for a moment is no name to look for."""
    return f"{state_folder()}: {fault.strerror}" if isinstance(fault, OSError) and fault.strerror else str(fault)


def _replace(path: Path, content: bytes) -> None:
    """Never half a file, and never one that others can read."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.unlink(missing_ok=True)
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    beside.replace(path)
