"""SIGTERM and a closed terminal, in commands that have no handlers of their own."""

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from stimctl.cli import codes
from stimctl.cli.ctrl_c import like_ctrl_c
from tests.signals import at_each_instant, handled_by, handlers

WRITES = """
import sys
from collections.abc import Callable
from pathlib import Path
from stimctl.cli.ctrl_c import like_ctrl_c
from stimctl.new_file import write_new

def parts():
    yield "half of it"
    print("begun", flush=True)
    sys.stdin.read()

try:
    like_ctrl_c(lambda: write_new(Path(sys.argv[1]), parts(), force=False))
except BaseException as end:
    sys.exit(end.exit_code)
"""


@pytest.mark.realtime
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_leaves_no_half_of_a_file(number: signal.Signals, tmp_path: Path) -> None:
    command = [sys.executable, "-c", WRITES, str(tmp_path / "out")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        process.send_signal(number)
        assert process.wait(30) == codes.SIGNAL_BASE + number
    assert list(tmp_path.iterdir()) == []


class EndedAsBefore(BaseException):
    """What SIGTERM and SIGHUP do without a handler: the program is gone, with their code too."""


def end_as_before(number: int, _frame: object) -> None:
    raise KeyboardInterrupt if number == signal.SIGINT else EndedAsBefore


def end_with_a_code() -> None:
    raise click.exceptions.Exit(codes.UNMET)


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="sends signals to itself")
@pytest.mark.parametrize("work", [lambda: len("done"), end_with_a_code, sys.exit], ids=["done", "code", "sys.exit"])
@pytest.mark.parametrize("names", ["SIGTERM", "SIGHUP", "SIGTERM SIGHUP", "SIGINT"])
def test_at_whatever_instant_a_signal_comes_it_has_its_own_code(work: Callable[[], object], names: str) -> None:
    """Also between the setting of two handlers, and while they are put back."""
    numbers = [signal.Signals[name] for name in names.split()]
    own: list[bool] = []
    with handled_by(end_as_before):
        for sent, error in at_each_instant(lambda: like_ctrl_c(work), numbers):
            assert handlers() == {end_as_before}, len(own)
            if not sent:
                break
            own.append(isinstance(error, click.exceptions.Exit) and error.exit_code - codes.SIGNAL_BASE in numbers)
            before = KeyboardInterrupt if names == "SIGINT" else EndedAsBefore
            assert own[-1] or isinstance(error, before), len(own)
    assert len(own) > 30
    assert any(own) is (names != "SIGINT")
