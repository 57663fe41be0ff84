"""What changes loads: a relay's command is run as words and not by a shell, and what it says is told."""

import sys
from pathlib import Path

import pytest

from stimctl.bench.plan.setup import RelayCommand
from stimctl.errors import Misuse


@pytest.mark.realtime
def test_a_relay_is_given_the_load_as_one_word(tmp_path: Path) -> None:
    out = tmp_path / "out"
    code = "import sys, pathlib; pathlib.Path(sys.argv[1]).write_text(repr(sys.argv[2:]))"
    RelayCommand((sys.executable, "-c", code, str(out), "$HOME; ls"))("short")
    assert out.read_text() == "['$HOME; ls', 'short']"


@pytest.mark.realtime
def test_a_relay_that_fails_says_why() -> None:
    with pytest.raises(Misuse, match="failed with code 3: no such relay"):
        RelayCommand((sys.executable, "-c", "import sys; print('no such relay', file=sys.stderr); sys.exit(3)"))("500")
    with pytest.raises(Misuse, match="cannot be run"):
        RelayCommand(("/nowhere/relay",))("500")


@pytest.mark.realtime
def test_a_relay_that_says_what_is_no_text_fails_like_any_other() -> None:
    """Under power anything else than a `Misuse` would be a traceback."""
    code = "import sys; sys.stderr.buffer.write(bytes([255])); sys.exit(3)"
    with pytest.raises(Misuse, match="failed with code 3"):
        RelayCommand((sys.executable, "-c", code))("short")


@pytest.mark.parametrize("text", ["relay 'one", "", " "])
def test_a_relay_that_is_no_command_is_refused_before_anything_moves(text: str) -> None:
    with pytest.raises(Misuse, match="--relay"):
        RelayCommand.of(text)
