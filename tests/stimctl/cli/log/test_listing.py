"""The list on a terminal: paged where it is longer than the screen, and as it is where it is not."""

import os

import pytest

from stimctl.cli import codes
from stimctl.ledger import Ledger
from tests.stimctl.cli.terminal import Terminal

pytestmark = [
    pytest.mark.realtime,
    pytest.mark.skipif(os.name != "posix", reason="a terminal as POSIX has it"),
]


@pytest.mark.parametrize(("lines", "paged"), [(7, False), (6, True)])
def test_a_list_longer_than_the_screen_goes_through_the_pager(lines: int, paged: bool) -> None:
    with Ledger() as ledger:
        for number in range(3):
            ledger.append(f"20261126-12000{number}-aaaaa", "opened", 0, {"pseudonym": f"P-{number}"})
    with Terminal("log", "list", lines=lines, environment={"PAGER": "sed s/^/paged:/"}) as terminal:
        assert terminal.ended() == codes.DONE
    shown = terminal.text.splitlines()
    assert [line.partition("P-")[2][:1] for line in shown[1::2]] == ["2", "1", "0"]
    assert all(line.startswith("paged:") is paged for line in shown[:6])


def test_a_pager_that_is_left_is_no_error() -> None:
    with Ledger() as ledger:
        for number in range(30):
            ledger.append(f"20261126-1200{number:02}-aaaaa", "opened", 0, {"pseudonym": f"P-{number}"})
    with Terminal("log", "list", lines=6, environment={"PAGER": "head -n 1"}) as terminal:
        assert terminal.ended() == codes.DONE
    assert terminal.text.count("P-") == 0
    assert "Traceback" not in terminal.text


def _with_a_name_from_right_to_left() -> None:
    with Ledger() as ledger:
        for number in range(3):
            ledger.append(f"20261126-12000{number}-aaaaa", "opened", 0, {"pseudonym": "\u05d0\u05d1 7"})


def test_what_the_encoding_lacks_is_shown_in_ascii_by_the_pager_too() -> None:
    _with_a_name_from_right_to_left()
    ascii_only = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    with Terminal("log", "list", lines=6, environment={"PAGER": "cat", **ascii_only}) as terminal:
        assert terminal.ended() == codes.DONE
    assert terminal.text.splitlines()[1] == "  -; - ?? 7; -".ljust(52) + "       -  -"


def test_less_is_told_that_it_reads_utf_8() -> None:
    """Python takes the C locale for UTF-8, and `less` does not."""
    _with_a_name_from_right_to_left()
    with Terminal("log", "list", lines=6, environment={"PAGER": "env", "LC_ALL": "C", "PYTHONUTF8": "1"}) as terminal:
        assert terminal.ended() == codes.DONE
    assert "LESSCHARSET=utf-8" in terminal.text.splitlines()
