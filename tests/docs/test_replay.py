"""docs/replay.md: its commands do what it says, and its numbers are those that come out."""

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from stimctl import limits
from stimctl.cli import main

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "replay.md").read_text("utf-8")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder like a checkout, with a log of its own."""
    (tmp_path / "profiles").symlink_to(ROOT / "profiles")
    (tmp_path / "tests").symlink_to(ROOT / "tests")
    monkeypatch.setenv("STIMCTL_DATA", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def said(command: str) -> str:
    result = CliRunner().invoke(main, command.split()[1:])
    return result.output


def test_the_first_example(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record, replay = re.findall(r"^    (stimctl .*)$", PAGE, re.MULTILINE)[:2]
    said(record)
    same = said(replay).strip()
    assert f"`{same}`" in PAGE
    monkeypatch.setattr(limits, "KEEPALIVE_US", 262_000)
    for line in said(replay).splitlines():
        assert f"    {line}\n" in PAGE


def test_the_python_example(here: Path) -> None:
    example = PAGE.partition("## From Python\n")[2]
    exec("\n".join(line.removeprefix("    ") for line in example.splitlines()), {})


def test_what_it_names_is_there() -> None:
    for name in re.findall(r"`(tests/[a-z_/.]+|docs/[a-z_/.]+)`", PAGE):
        assert (ROOT / name).exists()
