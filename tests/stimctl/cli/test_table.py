"""Tables and long lines on a terminal: no wider than it; in a pipe whole."""

from pathlib import Path

import pytest

from stimctl.cli.table import folded, table
from stimctl.label import columns
from tests.stimctl.cli.terminal import Terminal


@pytest.mark.parametrize(
    "text", ["one two  three", "x" * 50, "\u8179\u90e8\u75bc\u75db" * 9, "", "  led", "a " + "b" * 30]
)
@pytest.mark.parametrize("width", [8, 12, 80])
def test_a_folded_text_fits_and_loses_nothing(text: str, width: int) -> None:
    lines = folded(text, width)
    assert all(columns(line) <= width for line in lines)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")


def test_all_but_the_first_line_are_indented() -> None:
    assert folded("sent start, nonce 7", 12, "    ") == ["sent start,", "    nonce 7"]


def test_in_a_pipe_each_row_is_one_line() -> None:
    assert table(("A", "B"), [("x" * 200, "y")]).splitlines()[1] == "x" * 200 + "  y"


@pytest.mark.realtime
def test_on_a_terminal_no_line_is_wider_than_it(tmp_path: Path) -> None:
    own = Path("profiles/bench-100hz.toml").read_text("utf-8").replace('id = "bench-100hz"', f'id = "{"x" * 300}"')
    (tmp_path / f"{'x' * 200}.toml").write_text(own, "utf-8")
    for words in (["profile", "list"], ["scenario", "list"]):
        with Terminal(*words, columns=80, environment={"STIMCTL_PROFILES": str(tmp_path)}) as terminal:
            terminal.ended()
            assert max(map(columns, terminal.text.splitlines())) <= 80
            assert len(terminal.text.splitlines()) > 5
