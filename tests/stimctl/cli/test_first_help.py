"""`stimctl --help` at once, and in the words that click would use."""

import os
import subprocess
import sys

import pytest
from click.testing import CliRunner

from stimctl.cli import help_text, main

PROGRAM = "import sys; sys.argv = ['stimctl', *sys.argv[1:]]\nfrom stimctl.cli.first_help import main\nmain()\n"
LOADED = "sys.stderr.write(' '.join(name for name in ('click', 'typing', 'inspect', 'numpy') if name in sys.modules))\n"


def test_it_is_what_click_says() -> None:
    said = CliRunner().invoke(main, ["--help"], prog_name="stimctl", env={"COLUMNS": "80"}).output
    assert help_text.first_help() + "\n" == said


@pytest.mark.parametrize("option", ["--help", "-h"])
def test_it_is_said_without_click(option: str) -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM + LOADED, option], capture_output=True, text=True, check=True)
    assert done.stdout == help_text.first_help() + "\n"
    assert done.stderr == ""


def test_a_narrow_terminal_has_clicks_lines() -> None:
    narrow = {**os.environ, "COLUMNS": "60"}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, "--help"], env=narrow, capture_output=True, text=True, check=True
    )
    options = done.stdout.partition("Exit codes")[0].partition("Options")[2]
    assert max(map(len, options.splitlines())) <= 60


def test_all_else_is_clicks() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM, "--version"], capture_output=True, text=True, check=True)
    assert "version" in done.stdout


@pytest.mark.parametrize("late", ["click", "stimctl.cli.group", "stimctl.cli.errors", "stimctl.cli.log.group"])
def test_ctrl_c_while_it_still_starts_is_no_traceback(late: str) -> None:
    code = """
import sys
class Pressed:
    def find_spec(self, name, path=None, target=None):
        if name == sys.argv[-1]:
            sys.argv.pop()
            raise KeyboardInterrupt
sys.meta_path.insert(0, Pressed())
from stimctl.cli.first_help import main
main()
"""
    done = subprocess.run(
        [sys.executable, "-c", code, "log", "list", late], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "\nInterrupted.\n")
