"""A real terminal for a command under test: a pty whose far end a person would look at and type into."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[=>]|\x1b\][^\x07]*\x07|\r")
PATIENCE_S = 20.0
STIMCTL = (sys.executable, "-c", "from stimctl.cli import main; main()")


def own_terminal() -> None:
    """In a child with a session of its own: its standard input is its terminal."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


class Terminal:
    """Runs `stimctl ARGUMENTS` on a terminal of `columns` by `lines`."""

    def __init__(
        self, *arguments: str, columns: int = 100, lines: int = 40, environment: Mapping[str, str] | None = None
    ) -> None:
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        self.slave_path = Path(os.ttyname(slave))
        self.mode_before = termios.tcgetattr(slave)
        # Its size is this one's, whatever the terminal that the tests run on says of its own.
        inherited = {name: text for name, text in os.environ.items() if name not in ("LINES", "COLUMNS")}
        self.process = subprocess.Popen(
            [*STIMCTL, *arguments],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env={**inherited, "TERM": "xterm-256color", **(environment or {})},
            start_new_session=True,
            preexec_fn=own_terminal,  # noqa: PLW1509 - no other thread runs here
        )
        self._slave = slave
        self._seen = ""
        self._from = 0

    @property
    def shown(self) -> str:
        """All that came so far, as it came."""
        return self._seen

    @property
    def text(self) -> str:
        """All that was shown so far, without control sequences."""
        return ESCAPES.sub("", self._seen)

    def wait_for(self, pattern: str) -> str:
        """Wait until `pattern` is shown, after what was waited for before; return what it matched."""
        until = time.monotonic() + PATIENCE_S
        while True:
            found = re.search(pattern, self.text[self._from :])
            if found:
                self._from += found.end()
                return found[0]
            left = until - time.monotonic()
            if left <= 0 or not self._read(left):
                raise AssertionError(f"never shown: {pattern!r}; shown was:\n{self.text[-3000:]}")

    def press(self, keys: str) -> None:
        """Press keys."""
        os.write(self._master, keys.encode())

    def watch(self, seconds: float) -> None:
        """Look on for a while without touching a key."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self._read(left)

    def signal(self, number: int) -> None:
        """Send the process a signal."""
        self.process.send_signal(number)

    def hang_up(self) -> None:
        """Close the terminal's window."""
        os.close(self._slave)
        self._slave = -1
        os.close(self._master)
        self._master = -1

    def ended(self) -> int:
        """Read to the end; the exit code."""
        if self._master >= 0:
            os.close(self._slave)
            self._slave = -1
            while self._read(PATIENCE_S):
                pass
        return self.process.wait(PATIENCE_S)

    def mode(self) -> list[object]:
        """The terminal's settings now."""
        return list(termios.tcgetattr(self._slave))

    def _read(self, timeout_s: float) -> bool:
        if not select.select((self._master,), (), (), timeout_s)[0]:
            return False
        try:
            data = os.read(self._master, 65_536)
        except OSError:  # a pty's way to say that the far end is closed
            return False
        self._seen += data.decode("utf-8", "replace")
        return bool(data)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
        for descriptor in (self._master, self._slave):
            if descriptor >= 0:
                os.close(descriptor)
