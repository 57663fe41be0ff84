"""The program `stimctl`: says its help at once, without click, whose import alone takes three times as long."""

import sys

from stimctl.cli.help_text import first_help


def main() -> None:
    """The program `stimctl`."""
    if sys.argv[1:] in (["--help"], ["-h"]) and _is_wide():
        try:
            sys.stdout.write(first_help() + "\n")
            sys.stdout.flush()
            return
        except (OSError, UnicodeError, AttributeError):
            pass  # a stream that is closed, or that nobody reads: click's way ends as it should
    try:
        from stimctl.cli.group import main as command

        command()
    except KeyboardInterrupt:  # before there is a command that could say it
        from stimctl.cli.codes import INTERRUPTED

        sys.stderr.write("\nInterrupted.\n")
        sys.exit(INTERRUPTED)


def _is_wide() -> bool:
    import os

    try:
        return int(os.environ.get("COLUMNS") or os.get_terminal_size(1).columns) >= 80
    except (OSError, ValueError):
        return not os.environ.get("COLUMNS")
