"""Locks a terminal for this process, whichever URL it was opened by."""

import contextlib
import os
import re
import sys
from typing import Any

from stimctl.errors import LineLost, PortBusy
from stimctl.lock_file import HELD

if sys.platform != "win32":  # there a serial port can be opened once only
    import fcntl
    import termios

    _TIOCGEXCL = 0x80045440  # Linux's; Python has no name for it

    def lock_terminal(descriptor: int, url: str) -> None:
        """Lock the terminal behind `descriptor` until it is closed. Does nothing to what is no terminal.

        Three locks: the two that programs for serial ports ask for, and one that no other program can open it beside
        us, unless it is root's. Whoever holds one of them keeps us out; a program that opened it and locked nothing
        cannot be seen. Raises `PortBusy`, and `LineLost` where it cannot be locked.
        """
        if not os.isatty(descriptor):
            return
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as fault:
            raise why_unlocked(url, fault) from fault
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as fault:
            if fault.errno in HELD:  # else the first lock stands
                raise busy(url) from fault
        if _opened_by_one_alone(descriptor):
            raise busy(url)
        with contextlib.suppress(OSError):  # a driver that cannot: the first lock stands
            if not _is_pseudo_terminal(descriptor):
                fcntl.ioctl(descriptor, termios.TIOCEXCL)

    def _opened_by_one_alone(descriptor: int) -> bool:
        """Whether another asked that nobody opens it besides: root can all the same, and would speak between."""
        with contextlib.suppress(OSError):
            return sys.platform == "linux" and any(fcntl.ioctl(descriptor, _TIOCGEXCL, bytes(4)))
        return False

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


def why_unlocked(url: str, fault: OSError) -> PortBusy | LineLost:
    """The error for a port that could not be locked: another has it, or it has no locks."""
    if fault.errno in HELD:
        return busy(url)
    return LineLost(
        f"{url}: the port cannot be locked ({os.strerror(fault.errno or 0)}): who else uses it is not known"
    )


def busy(url: str) -> PortBusy:
    """The error for a port that another holds."""
    return PortBusy(f"{url}: another program holds the port; close it, or stop its session with `stimctl stop`")
