"""Questions of every command that are answered y or n; and a signal while one is asked."""

import signal

import pytest

from stimctl.cli import codes
from tests.stimctl.cli.terminal import Terminal

NAMED = ("course", "new", "Mary Smith", "low-back-pain", "--spacing", "3-4", "--clinician", "AO")


@pytest.mark.realtime
def test_what_is_neither_y_nor_n_is_asked_again_in_the_same_words_everywhere() -> None:
    with Terminal(*NAMED) as terminal:
        for wrong in ("x", ""):
            terminal.wait_for(r"Is it a pseudonym\? \(y/n\)")
            terminal.press(f"{wrong}\n")
            terminal.wait_for("answer y or n; there is no default")
        terminal.press("n\n")
        terminal.wait_for("nothing was written")
        assert terminal.ended() == codes.INVALID


@pytest.mark.realtime
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_ends_a_question_with_its_own_code(number: signal.Signals) -> None:
    with Terminal(*NAMED) as terminal:
        terminal.wait_for(r"Is it a pseudonym\? \(y/n\)")
        terminal.watch(0.3)  # what comes between the question and the wait for its answer is seen with the next key
        terminal.signal(number)
        assert terminal.ended() == codes.SIGNAL_BASE + number
