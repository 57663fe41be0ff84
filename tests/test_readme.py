"""README.md says what is so: its commands run and print what it shows, its example runs, its links lead somewhere."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from stimctl.cli import codes, main

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What README's reader has: a checkout to stand in, a log, and a folder for pictures."""
    (tmp_path / "build").mkdir()
    (tmp_path / "profiles").symlink_to(ROOT / "profiles")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("STIMCTL_DATA", str(tmp_path / "data"))
    monkeypatch.delenv("STIMCTL_PROFILES", raising=False)


def blocks(kind: str) -> list[str]:
    return re.findall(rf"```{kind}\n(.*?)```", README, re.DOTALL)


@pytest.mark.parametrize("block", blocks("console"), ids=lambda block: block.splitlines()[0][2:40])
def test_a_command_prints_what_is_shown(block: str) -> None:
    command, *shown = block.splitlines()
    assert command.startswith("$ stimctl ")
    result = CliRunner(env={"COLUMNS": "100"}).invoke(main, command.removeprefix("$ stimctl ").split())
    assert result.exit_code == 0
    printed = iter(result.output.splitlines())
    for line in shown:
        # "..." stands for lines left out; whatever is shown comes in this order.
        assert line == "..." or line in printed, f"not printed (here): {line!r}"


def test_the_python_example_runs_and_is_short() -> None:
    (example,) = blocks("python")
    assert len(example.splitlines()) <= 10
    done = subprocess.run([sys.executable, "-c", example], capture_output=True, text=True, check=True)
    assert f"prints `{done.stdout.strip()}`" in README


def test_every_command_it_names_is_there() -> None:
    written = r"(?:`|\$ |^    )stimctl ((?:profile |log |traffic )?[a-z]+)"
    named = set(re.findall(written, README, re.MULTILINE))
    assert {"ports", "info", "run", "stop", "profile new", "log verify", "traffic show"} <= named
    for command in named:
        assert CliRunner().invoke(main, [*command.split(), "--help"]).exit_code == 0, command


def test_every_link_leads_somewhere() -> None:
    links = re.findall(r"\]\((?!http)([^)#]+)\)", README)
    assert len(links) >= 5
    for link in links:
        assert (ROOT / link).exists(), link


def test_the_exit_codes_are_those_of_the_commands() -> None:
    rows = dict(re.findall(r"^\| (\d+) \| (.*) \|$", README, re.MULTILINE))
    assert {int(code): text for code, text in rows.items()} == codes.MEANINGS


def test_the_first_lines_say_what_it_is_not_and_what_has_to_be_there_first() -> None:
    first = "\n".join(README.splitlines()[:16])
    for words in ("not a medical device", "apt-get install make python3-venv", "make run", "make test"):
        assert words in first
