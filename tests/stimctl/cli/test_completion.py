"""What a shell completes: commands, profiles, devices and session ids, asked as bash asks."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from stimctl.cli import codes, main
from stimctl.cli.completion import profile_names, session_ids
from stimctl.ledger import Ledger, ledger_path

STIMCTL = str(Path(sys.executable).with_name("stimctl"))


def completed(words: str, folder: Path) -> list[str]:
    count = len(words.split(" ")) - 1
    asked = {"COMP_WORDS": words, "COMP_CWORD": str(count), "_STIMCTL_COMPLETE": "bash_complete"}
    done = subprocess.run(
        [STIMCTL], env={**os.environ, **asked}, cwd=folder, capture_output=True, text=True, check=True
    )
    return [line.partition(",")[2] for line in done.stdout.splitlines()]


@pytest.mark.parametrize(
    ("words", "among"),
    [
        ("stimctl be", {"bench"}),
        ("stimctl bench ", {"run", "sweep", "accept"}),
        ("stimctl run bench-2", {"bench-2hz", "bench-2-100hz"}),
        ("stimctl bench run --device ", {"native", "stimjim", "pulsepal", "auto", "shelf"}),
        ("stimctl info --port si", {"sim://"}),
    ],
)
def test_words_are_completed(words: str, among: set[str], tmp_path: Path) -> None:
    (tmp_path / "stimctl.toml").write_text('[devices.shelf]\nport = "sim://"\n')
    assert among <= set(completed(words, tmp_path))


def test_the_newest_session_comes_first(home: Path, tmp_path: Path) -> None:
    run = ["bench", "run", "--port", "sim://", "--ohm", "1000", "--seconds", "20"]
    assert CliRunner().invoke(main, run).exit_code == codes.DONE
    assert CliRunner().invoke(main, run).exit_code == codes.DONE
    with Ledger(ledger_path(), read_only=True) as ledger:
        first, second = ledger.session_ids()
    assert completed("stimctl log show ", tmp_path) == ["latest", second, first]


def parameters(command: click.Command) -> Iterator[tuple[str, click.Parameter]]:
    """Each parameter of each command below, with its command's name."""
    context = click.Context(command)
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            yield from ((f"{name} {more}", each) for more, each in parameters(below))
    else:
        yield from (("", each) for each in command.params)


def test_every_session_and_every_profile_that_is_asked_for_is_completed() -> None:
    lacking, seen = [], 0
    for where, each in parameters(main):
        session = (each.metavar or "").startswith(("ID", "[ID]")) or (each.name == "again" and where.startswith("run"))
        if session or "--profile" in each.opts:
            seen += 1
            if each._custom_shell_complete is not (session_ids if session else profile_names):
                lacking.append((where, each.name))
    assert lacking == []
    assert seen > 12


def test_a_wrong_file_completes_nothing_and_breaks_nothing(tmp_path: Path) -> None:
    (tmp_path / "stimctl.toml").write_text("[")
    assert completed("stimctl info --device n", tmp_path) == ["native"]
