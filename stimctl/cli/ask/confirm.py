"""One question to a person at a terminal that is answered y or n, for all commands alike: there is no default."""

import click

from stimctl.cli.ask.answers import YesNo
from stimctl.errors import Misuse


def confirmed(question: str, *, err: bool = False) -> bool:
    """Whether the person said y; asked again until it is y or n. Raises `click.Abort`."""
    return bool(click.prompt(f"{question} (y/n)", default="", show_default=False, value_proc=_read, err=err))


def _read(text: str) -> bool:
    try:
        return YesNo().read(text)
    except Misuse as wrong:
        raise click.UsageError(str(wrong)) from None
