"""Hands a stimulator's bytes to its port, and brings a command to its end that a write was cut in the middle of.

Where commands have lengths and no mark at their end, whatever follows a cut one would be taken for the rest of it: a
stop for amplitudes.
"""

from collections.abc import Callable

from stimctl.errors import LineFault, NotSent

# Of `data`, of whose bytes `sent` went: the part that went of the command that ends in, and what has to follow it.
CutCommand = Callable[[bytes, int], tuple[bytes, bytes]]


class CommandWriter:
    """Sends until `line_gone`. `owed` has to go before anything else."""

    def __init__(self, write: Callable[[bytes], None], cut_command: CutCommand) -> None:
        self.line_gone = False
        self.owed = b""
        self.fault: LineFault | None = None  # the newest
        self._went = b""  # of the command that `owed` is the rest of
        self._write = write
        self._cut_command = cut_command

    def send(self, output: bytes) -> bool:
        """Whether the line took all of it.

        What it did not take is sent anew by whoever wanted it; the read side says whether anybody is there.
        """
        if self.line_gone:
            return False
        data = self.owed + output
        try:
            self._write(data)
        except NotSent as short:
            self.fault = short
            if short.sent:
                self._went, self.owed = self._cut_command(self._went + data, len(self._went) + short.sent)
            return False
        except LineFault as fault:
            self.fault = fault
            return False
        self._went = self.owed = b""
        return True
