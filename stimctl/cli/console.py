"""Rich's console, which a pipe that nobody reads ends like any output: rich alone exits with the code of a mistake."""

from rich.console import Console


class CommandConsole(Console):
    """Prints and draws for a command."""

    def on_broken_pipe(self) -> None:
        """Called where the error is being handled: the command's group says what it means."""
        raise  # noqa: PLE0704
