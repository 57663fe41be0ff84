"""Hands a stimulator's bytes to its port, and what the port did not take once more.

Where commands have lengths or lines, whatever follows a cut one would be taken for the rest of it: a stop for
amplitudes. So what is left of a write goes first at the next one, and a stop takes its place (see `FollowCut`).
"""

from collections.abc import Callable

from stimctl.errors import LineFault, NotSent

NOT_TAKEN = "the port took nothing of what is for the device in time; check the cable and the port"
# Of `data`, of whose bytes `sent` went and `output` is to follow: those bytes, and all that has to go after them now.
FollowCut = Callable[[bytes, int, bytes], bytes]


class CommandWriter:
    """Sends until `line_gone`. `owed` has to go before anything but a stop."""

    def __init__(self, write: Callable[[bytes], None], follow_cut: FollowCut) -> None:
        self.line_gone = False
        self.fault: LineFault | None = None  # of the newest write
        # What the line took a part of, or nothing, and how many of its bytes went.
        self._data, self._sent = b"", 0
        self.owed = b""
        self._write = write
        self._follow_cut = follow_cut

    def send(self, output: bytes) -> bool:
        """Whether the line took all of it. The read side says whether anybody is there."""
        if self.line_gone:
            return False
        data = self._follow_cut(self._data, self._sent, output)
        try:
            self._write(data[self._sent :])
        except NotSent as short:
            self.fault = short
            self._data, self._sent = data, self._sent + short.sent
            self.owed = self._follow_cut(self._data, self._sent, b"")[self._sent :]
            return False
        except LineFault as fault:
            self.fault = fault
            return False
        self.fault, self._data, self._sent, self.owed = None, b"", 0, b""
        return True
