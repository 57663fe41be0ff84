"""Locks a terminal for this process, whichever URL it was opened by."""

import contextlib
import os
import re
import sys
from typing import Any

from stimctl.errors import PortBusy

if sys.platform != "win32":  # there a serial port can be opened once only
    import fcntl
    import termios

    def lock_terminal(descriptor: int, url: str) -> None:
        """Lock the terminal behind `descriptor` until it is closed. Does nothing to what is no terminal.

        Two locks: the one that programs for serial ports ask for, and one that no other program can open it beside
        us, unless it is root's. Raises `PortBusy`.
        """
        if not os.isatty(descriptor):
            return
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as fault:
            raise busy(url) from fault
        with contextlib.suppress(OSError):  # a driver that cannot: the first lock stands
            if not _is_pseudo_terminal(descriptor):
                fcntl.ioctl(descriptor, termios.TIOCEXCL)

    def _is_pseudo_terminal(descriptor: int) -> bool:
        """Whether it is one: then its far end keeps it, and TIOCEXCL with it, beyond the death of who asked for it.

        After a crash nobody but root could open it again.
        """
        return bool(re.match(r"/dev/(pts/|ttys\d)", os.ttyname(descriptor)))
else:

    def lock_terminal(descriptor: int, url: str) -> None:
        """Nothing is to be done."""


def ask_for_lock(line: Any) -> None:
    """Have pyserial lock a local port before it sets anything on it: a second opener does not disturb the first."""
    import serial

    if os.name == "posix" and isinstance(line, serial.Serial):
        line.exclusive = True


def busy(url: str) -> PortBusy:
    """The error for a port that another holds."""
    return PortBusy(f"{url}: another program holds the port; close it, or stop its session with `stimctl stop`")
