"""Keys: what bytes of a terminal mean, and a terminal that is given back as it was."""

import os
import sys
import termios
from collections.abc import Iterator

import pytest

from stimctl.cli.run.keys import CLOSED, PosixKeys, key_names, single_keys


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("+", ["+"]),
        ("+++", ["+", "+", "+"]),
        ("\r", ["enter"]),
        ("\n", ["enter"]),
        (" ", ["space"]),
        ("\x1b", ["esc"]),
        ("\x1b[A", ["up"]),
        ("\x1b[B", ["down"]),
        ("\x1bOA", ["up"]),
        ("\x1b[A\x1b[A+", ["up", "up", "+"]),
        ("\x1b[1;5A", ["other"]),
        ("\x1b[3~h", ["other", "h"]),
        ("\x1b[", ["other"]),
        ("\x1bs", ["esc", "s"]),
        ("\x1a\x1c\x04", ["ctrl-z", "ctrl-\\", "ctrl-d"]),
        ("é", ["é"]),
        ("", []),
    ],
)
def test_names(text: str, names: list[str]) -> None:
    assert key_names(text) == names


@pytest.fixture
def line(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[int, int]]:
    """Both ends of a terminal whose near end is standard input."""
    master, slave = os.openpty()
    stdin = os.fdopen(os.dup(slave), "r")
    monkeypatch.setattr(sys, "stdin", stdin)
    yield master, slave
    stdin.close()
    os.close(slave)


def test_keys_come_one_by_one_and_the_terminal_is_given_back(line: tuple[int, int]) -> None:
    master, slave = line
    before = termios.tcgetattr(slave)
    with single_keys() as keys:
        assert keys.read(0) == []
        os.write(master, b"+")
        assert keys.read(5) == ["+"]
        os.write(master, b"\x13\x1a\x1b")  # what would freeze or suspend a terminal, and a lone Esc
        assert keys.read(5) == ["ctrl-s", "ctrl-z", "esc"]
        assert termios.tcgetattr(slave) != before
    assert termios.tcgetattr(slave) == before
    os.close(master)


def test_a_terminal_that_goes_away_is_a_key_too(line: tuple[int, int]) -> None:
    master, _slave = line
    with single_keys() as keys:
        os.close(master)
        assert keys.read(5) == [CLOSED]


def test_an_arrow_key_in_two_pieces_is_no_escape() -> None:
    near, far = os.pipe()
    os.write(far, b"\x1b")

    class Slow(PosixKeys):
        """The rest arrives when it is first looked for."""

        def _ready(self, timeout_s: float) -> bool:
            if 0 < timeout_s < 1:
                os.write(far, b"[B")
            return super()._ready(timeout_s)

    assert Slow(near).read(1) == ["down"]
    os.close(near)
    os.close(far)
