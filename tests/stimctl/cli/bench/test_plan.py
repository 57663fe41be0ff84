"""The question for another load at a terminal."""

import os
import signal
import sys

import pytest

from stimctl.cli.bench.plan import _asking
from stimctl.cli.run.operator import OperatorGone


@pytest.mark.realtime
def test_a_question_takes_nothing_that_was_typed_before_it_and_ends_at_a_signal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    master, slave = os.openpty()
    with os.fdopen(master, "wb", 0) as person, os.fdopen(slave) as terminal:
        monkeypatch.setattr(sys, "stdin", terminal)
        person.write(b"early\nearly\n")
        departure = OperatorGone()
        departure.signal = signal.SIGINT
        _asking(departure)("short")
        person.write(b"\n")
        assert terminal.readline() == "\n"
    assert "CURRENT FLOWS" in capsys.readouterr().err
