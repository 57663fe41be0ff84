"""The command `stimctl`: what it says first, its group of commands, and a module for each."""

TYPE_CHECKING = False  # that of `typing` costs as much as a bare Python
if TYPE_CHECKING:
    from stimctl.cli.group import main as main


def __getattr__(name: str) -> object:
    if name != "main":
        raise AttributeError(f"module 'stimctl.cli' has no attribute {name!r}")
    from stimctl.cli.group import main as command

    return command
