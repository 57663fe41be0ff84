r"""Reads single keys from a terminal, as names, without waiting for Enter.

Ctrl-C still interrupts. Keys that would freeze or suspend a session's terminal (Ctrl-S, Ctrl-Z, Ctrl-\) do
not: they come as keys. `CLOSED` is the terminal going away.
"""

import os
import select
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

CLOSED = "closed"
# The rest of an arrow key's bytes follow at once; a lone Esc is a key of its own.
_ESCAPE_REST_S = 0.05
_NAMES = {
    "\r": "enter", "\n": "enter", " ": "space", "\x1b": "esc", "\x1a": "ctrl-z", "\x1c": "ctrl-\\",
    "\x13": "ctrl-s", "\x11": "ctrl-q", "\x04": "ctrl-d", "\x03": "ctrl-c",
}  # fmt: skip
_ARROWS = {"A": "up", "B": "down", "C": "right", "D": "left"}


class Keys(Protocol):
    """A source of keys."""

    def read(self, timeout_s: float) -> list[str]:
        """The names of the keys pressed, waiting at most `timeout_s` for the first."""


def key_names(text: str) -> list[str]:
    """What was typed, key by key: arrow keys as one key, everything else character by character."""
    names = []
    index = 0
    while index < len(text):
        size, name = _first_key(text[index:])
        names.append(name)
        index += size
    return names


def _first_key(text: str) -> tuple[int, str]:
    if text[:2] not in ("\x1b[", "\x1bO"):
        return 1, _NAMES.get(text[0], text[0])
    if text[2:3] == "M":  # a mouse's report in the oldest form: button and place follow, as three signs
        return min(len(text), 6), "other"
    # A sequence ends at its first letter or tilde; one that is no arrow does nothing.
    for index, character in enumerate(text[2:], start=2):
        if character.isalpha() or character == "~":
            return index + 1, _ARROWS.get(character, "other") if index == 2 else "other"
    return len(text), "other"


class PosixKeys:
    """Keys of a terminal by its descriptor."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def read(self, timeout_s: float) -> list[str]:
        if not self._ready(timeout_s):
            return []
        data = self._bytes()
        if data == b"\x1b" and self._ready(_ESCAPE_REST_S):
            data += self._bytes()
        return key_names(data.decode("utf-8", "replace")) if data else [CLOSED]

    def _ready(self, timeout_s: float) -> bool:
        return bool(select.select((self._descriptor,), (), (), timeout_s)[0])

    def _bytes(self) -> bytes:
        try:
            return os.read(self._descriptor, 1_024)
        except OSError:
            return b""


if sys.platform == "win32":

    class WindowsKeys:
        """Keys of the console. Untested: there was no Windows to test on."""

        def read(self, timeout_s: float) -> list[str]:
            """See `Keys`."""
            import msvcrt
            import time
            from threading import Event

            pause, until = Event(), time.monotonic() + timeout_s
            while not msvcrt.kbhit():
                if time.monotonic() >= until:
                    return []
                pause.wait(0.01)
            first = msvcrt.getwch()
            if first in "\x00\xe0":
                return [{"H": "up", "P": "down", "M": "right", "K": "left"}.get(msvcrt.getwch(), "other")]
            return [_NAMES.get(first, first)]

    @contextmanager
    def single_keys() -> Iterator[Keys]:
        """The console's keys."""
        yield WindowsKeys()

else:

    @contextmanager
    def single_keys() -> Iterator[Keys]:
        """The terminal's keys; on leaving, the terminal is as it was."""
        import termios
        from contextlib import suppress

        descriptor = sys.stdin.fileno()
        before = termios.tcgetattr(descriptor)
        _one_by_one(descriptor)
        try:
            yield PosixKeys(descriptor)
        finally:
            # A terminal that was closed has nothing to give back.
            with suppress(termios.error):
                termios.tcsetattr(descriptor, termios.TCSADRAIN, before)

    def _one_by_one(descriptor: int) -> None:
        import termios

        mode = termios.tcgetattr(descriptor)
        mode[0] &= ~(termios.IXON | termios.IXOFF)
        mode[3] &= ~(termios.ECHO | termios.ICANON)
        off = os.fpathconf(descriptor, "PC_VDISABLE").to_bytes(1, "little")
        for control in (termios.VSUSP, termios.VQUIT):
            mode[6][control] = off
        mode[6][termios.VMIN], mode[6][termios.VTIME] = 1, 0
        termios.tcsetattr(descriptor, termios.TCSADRAIN, mode)


def forget_typed() -> None:
    """What was typed before a question answers none."""
    if sys.platform != "win32" and sys.stdin.isatty():
        import termios

        termios.tcflush(sys.stdin, termios.TCIFLUSH)


def line_comes(timeout_s: float) -> bool:
    """Whether a line, or the end, can be read from standard input; Windows cannot be asked, and is read at once."""
    return sys.platform == "win32" or bool(select.select((sys.stdin,), (), (), timeout_s)[0])
