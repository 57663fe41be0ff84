"""What a person writes in a command, fit to be shown."""

import click

from stimctl.label import Label, Prose


def label(_ctx: click.Context, _option: click.Parameter, text: str | None) -> str | None:
    """A name, a role or a thing, as the log has it: full-width figures are those of any other keyboard."""
    try:
        return None if text is None else str(Label(text))
    except ValueError as wrong:
        raise click.BadParameter(f"it {wrong}") from None


def prose(_ctx: click.Context, _option: click.Parameter, text: str) -> str:
    """Sentences."""
    try:
        return str(Prose(text))
    except ValueError as wrong:
        raise click.BadParameter(f"the text {wrong}") from None


author = click.option("--author", callback=label, help="Who writes it: initials or a role, no patient's name.")
