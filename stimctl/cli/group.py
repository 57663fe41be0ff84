"""The command `stimctl`: one module a command, imported only when it is called."""

import errno
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import click

from stimctl import __version__
from stimctl.cli import codes, plugins, streams
from stimctl.cli.help_text import ABOUT, COMMANDS, EXAMPLE, listed

_NO_ROOM = (errno.ENOSPC, errno.EFBIG, errno.EIO, getattr(errno, "EDQUOT", errno.ENOSPC))  # Windows has no quota


class LazyGroup(click.Group):
    """A group that knows its commands by name and imports each one only when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Our own in order of use, then those of other packages."""
        return [*COMMANDS, *sorted(name for name in plugins.find() if name not in COMMANDS)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """The command, imported now, with its exit codes in its help."""
        if cmd_name in COMMANDS:
            module, _, attribute = COMMANDS[cmd_name][0].partition(":")
            command: click.Command = getattr(import_module(module), attribute)
        else:
            target = plugins.find().get(cmd_name)
            if target is None:
                return None
            command = plugins.load(cmd_name, target)
        _document(command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that is named. Of one that there is not, click suggests none here: it knows none by name."""
        name = args[0]
        if name[:1] != "-" and self.get_command(ctx, name) is None:
            from difflib import get_close_matches

            close = get_close_matches(name, self.list_commands(ctx), n=1)
            ctx.fail(f"No such command {name!r}." + (f" Did you mean {close[0]!r}?" if close else ""))
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """The list in the help, from the table alone."""
        with formatter.section("Commands"):
            formatter.write_dl(listed())

    def main(self, args: Sequence[str] | None = None, *more: Any, **extra: Any) -> Any:
        """Run as a program does."""
        streams.prepare()
        before = os.umask(0o077)  # what a command writes is its user's alone, whoever writes it
        try:
            return super().main(_arguments(args), *more, **extra)
        except OSError as fault:  # of click's own words about a mistake
            raise SystemExit(_unwritten(fault)) from None
        finally:
            os.umask(before)

    def make_context(self, *args: Any, **extra: Any) -> click.Context:
        """With the terminal's width, which click would import all of `shutil` for."""
        try:
            with _read_to_the_end():
                return super().make_context(*args, terminal_width=_columns(), color=_color(), **extra)
        except KeyboardInterrupt:  # click would call it a mistake of the program
            raise SystemExit(_interrupted()) from None

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; what a person does to it becomes one sentence and an exit code."""
        from stimctl.cli.ctrl_c import like_ctrl_c

        try:
            return like_ctrl_c(lambda: self._invoke(ctx))
        except (KeyboardInterrupt, click.Abort):
            ctx.exit(_interrupted())

    def _invoke(self, ctx: click.Context) -> Any:
        """What stimctl raises on purpose becomes one sentence and an exit code."""
        from stimctl.cli.errors import exit_code, sentence
        from stimctl.errors import StimctlError

        try:
            with _read_to_the_end():
                return super().invoke(ctx)
        except StimctlError as error:
            click.echo(sentence(error), err=True)
            ctx.exit(exit_code(error))
        except PermissionError as refused:  # wherever a path was asked for in a folder that this user may not enter
            if refused.filename is None:
                raise
            click.echo(f"Error: {refused.filename}: this user may not look there ({refused.strerror})", err=True)
            ctx.exit(codes.INVALID)
        except click.ClickException as fault:
            if fault.exit_code != codes.UNEXPECTED:
                raise
            # What click calls 1 is a person's mistake too: 1 is kept for those of the program.
            fault.show()
            ctx.exit(codes.INVALID)


def _arguments(args: Sequence[str] | None) -> Sequence[str] | None:
    """The same, where they need no other form: what click finds by itself, it also expands on Windows."""
    given = sys.argv[1:] if args is None else args
    # A stop is not kept from its work by a variable.
    ours = (
        {} if given[:1] == ["stop"] else {name: os.environ[name] for name in os.environ if name.startswith("STIMCTL_")}
    )
    if all(map(str.isprintable, (*given, *ours.values()))):
        return args
    from stimctl.cli.arguments import checked
    from stimctl.cli.errors import sentence
    from stimctl.errors import Misuse

    try:
        return checked(given, ours)
    except Misuse as odd:
        click.echo(sentence(odd), err=True)
        raise SystemExit(codes.INVALID) from None


def _interrupted() -> int:
    click.echo("\nInterrupted.", err=True)
    return codes.INTERRUPTED


def _columns() -> int:
    """As wide as click makes its help: to the terminal's edge, and no wider than 80 columns."""
    try:
        columns = int(os.environ.get("COLUMNS") or os.get_terminal_size(1).columns)
    except (OSError, ValueError):
        columns = 80
    return max(50, min(columns or 80, 80) - 2)


def _color() -> bool | None:
    """No colour where it is not wanted, or no terminal for it; else as click finds."""
    unfit = ("TERM" in os.environ and streams.plain_terminal()) or os.environ.get("NO_COLOR")
    return False if unfit else None


@contextmanager
def _read_to_the_end() -> Iterator[None]:
    """What cannot be printed ends the command, which is not the program's mistake."""
    try:
        yield
    except OSError as fault:
        raise click.exceptions.Exit(_unwritten(fault)) from None


def _unwritten(fault: OSError) -> int:
    """The exit code where the output cannot be written, and that said; any other fault is raised again."""
    if isinstance(fault, BrokenPipeError):  # who reads it has left early, as `head` does
        streams.let_go(1, 2)
        return codes.UNREAD
    if fault.filename is not None or fault.errno not in _NO_ROOM:
        raise fault
    streams.let_go(1)
    try:
        click.echo(f"Error: what this command prints cannot be written: {fault.strerror}", err=True)
    except OSError:
        streams.let_go(2)
    return codes.INVALID


def _document(command: click.Command) -> None:
    """Give each command the exit codes in its help, unless it has its own."""
    if isinstance(command, click.Group):
        for each in command.commands.values():
            _document(each)
    if "Exit codes" not in (command.epilog or ""):
        command.epilog = "\n\n".join(filter(None, (command.epilog, codes.help_text())))


@click.group(
    cls=LazyGroup,
    help=f"{ABOUT}\n\n\b\n{EXAMPLE}",
    epilog=codes.help_text(tuple(codes.MEANINGS)),
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, package_name="stimctl")
def main() -> None:
    """The command `stimctl`; `stimctl.cli.help_text` says what it is."""
