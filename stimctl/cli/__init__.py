"""The command `stimctl`: one module a command, imported only when it is called.

`stimctl --help` has to answer at once, so names and short descriptions stand here, and nothing heavy (numpy,
pydantic, rich, pyserial) is imported before a command needs it.
"""

from importlib import import_module
from typing import Any

import click

from stimctl import __version__
from stimctl.cli import codes, plugins

_COMMANDS = {
    "ports": ("stimctl.cli.ports:ports", "List the serial ports of this machine."),
    "info": ("stimctl.cli.info:info", "Say who answers at a port."),
    "profile": ("stimctl.cli.profile:profile", "List, explain, check and start profiles."),
    "preview": ("stimctl.cli.preview:preview", "Show a profile's pulses, charge and envelope."),
    "run": ("stimctl.cli.run.command:run", "Run a session, with a live screen and a dose log."),
    "stop": ("stimctl.cli.stop:stop", "Stop whatever session runs on this machine."),
    "log": ("stimctl.cli.log.command:log", "Look into the dose log: list, show, verify, export."),
    "bench": ("stimctl.cli.bench:bench", "Judge captures of a stimulator's output against a profile."),
    "traffic": ("stimctl.cli.traffic:traffic", "Show recorded traffic of a line in words."),
    "replay": ("stimctl.cli.replay:replay", "Check recorded sessions against the driver, without a port."),
}


class LazyGroup(click.Group):
    """A group that knows its commands by name and imports each one only when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Our own in order of use, then those of other packages."""
        return [*_COMMANDS, *sorted(name for name in plugins.find() if name not in _COMMANDS)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """The command, imported now, with its exit codes in its help."""
        if cmd_name in _COMMANDS:
            module, _, attribute = _COMMANDS[cmd_name][0].partition(":")
            command: click.Command = getattr(import_module(module), attribute)
        else:
            target = plugins.find().get(cmd_name)
            if target is None:
                return None
            command = plugins.load(cmd_name, target)
        _document(command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """The list in the help, from the table alone."""
        rows = [(name, text) for name, (_, text) in _COMMANDS.items()]
        found = plugins.find()
        rows += [(name, plugins.short_help(name, found[name])) for name in sorted(found) if name not in _COMMANDS]
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; what stimctl raises on purpose becomes one sentence and an exit code."""
        from stimctl.cli.errors import exit_code, sentence
        from stimctl.errors import StimctlError

        try:
            return super().invoke(ctx)
        except StimctlError as error:
            click.echo(sentence(error), err=True)
            ctx.exit(exit_code(error))
        except (KeyboardInterrupt, click.Abort):
            click.echo("\nInterrupted.", err=True)
            ctx.exit(codes.INTERRUPTED)
        except click.ClickException as fault:
            if fault.exit_code != codes.UNEXPECTED:
                raise
            # What click calls 1 is a person's mistake too: 1 is kept for those of the program.
            fault.show()
            ctx.exit(codes.INVALID)


def _document(command: click.Command) -> None:
    """Give each command the exit codes in its help, unless it has its own."""
    if isinstance(command, click.Group):
        for each in command.commands.values():
            _document(each)
    if "Exit codes" not in (command.epilog or ""):
        command.epilog = "\n\n".join(filter(None, (command.epilog, codes.help_text())))


@click.group(
    cls=LazyGroup,
    epilog=codes.help_text(tuple(codes.MEANINGS)),
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, package_name="stimctl")
def main() -> None:
    """Drive a constant-current electroacupuncture stimulator, inside hard limits, with a log of the dose.

    Bench, research and simulation software; not a medical device (see SAFETY.md).

    \b
    Example: stimctl run low-back-pain --port sim:// --prescription profiles/examples/low-back-pain.toml
    """
