"""Commands of other installed packages: found by entry point, imported only when they are called.

`importlib.metadata` costs more than all the rest of `stimctl --help`, so what it would find is read here:
the `entry_points.txt` of each installed distribution, for one group. For the same reason nothing here uses
`pathlib`.
"""

import os
import sys
from collections.abc import Mapping
from functools import cache
from importlib import import_module

TYPE_CHECKING = False  # that of `typing` costs as much as a bare Python
if TYPE_CHECKING:
    import click

GROUP = "stimctl.commands"
# What a known package's command does: its own words could be had only by importing it.
_KNOWN = {
    "conformance": "Check a device against docs/protocol.md.",
    "scenario": "Play sessions in which something goes wrong, on the simulator.",
    "sim": "Run the simulated stimulator as its own process, in real time.",
    "soak": "Run many simulated sessions with faults.",
}


def find() -> Mapping[str, str]:
    """Command names and where each is, as `module:attribute`."""
    return _find(tuple(sys.path))


@cache
def _find(folders: tuple[str, ...]) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for folder in folders:
        for name, target in _of_folder(folder or os.curdir):
            found.setdefault(name, target)
    return found


def _of_folder(folder: str) -> list[tuple[str, str]]:
    try:
        names = sorted(name for name in os.listdir(folder) if name.endswith(".dist-info"))  # noqa: PTH208
    except OSError:
        return []
    return [row for name in names for row in _of_file(os.path.join(folder, name, "entry_points.txt"))]  # noqa: PTH118


def _of_file(path: str) -> list[tuple[str, str]]:
    try:
        with open(path, encoding="utf-8") as lines:  # noqa: PTH123
            text = lines.read()
    except OSError:
        return []
    rows, inside = [], False
    for line in text.splitlines():
        stripped = line.partition("#")[0].strip()
        if stripped.startswith("["):
            inside = stripped == f"[{GROUP}]"
        elif inside and "=" in stripped:
            name, _, target = stripped.partition("=")
            rows.append((name.strip(), target.strip()))
    return rows


def short_help(name: str, target: str) -> str:
    """One line about a command, without importing it."""
    return _KNOWN.get(name, f"Added by {target.partition(':')[0].partition('.')[0]}.")


def load(name: str, target: str) -> "click.Command":
    """Import a command. Raises `Misuse` with a clear sentence when that fails."""
    import click

    from stimctl.errors import Misuse

    module, _, attribute = target.partition(":")
    try:
        command = getattr(import_module(module), attribute)
    except (ImportError, AttributeError, SyntaxError) as fault:
        raise Misuse(
            f"the command {name!r} comes from {module}, which does not load ({fault}); reinstall that package"
        ) from fault
    if not isinstance(command, click.Command):
        raise Misuse(f"the command {name!r} comes from {target}, which is no command")
    return command
