"""The classes of the log's entries, and the page that is made of them."""

import subprocess
import sys
from dataclasses import MISSING, fields

import pytest

from stimctl.entries import KINDS, Closed, LogEntry, NoteTaken, Opened


@pytest.mark.parametrize("entry", [each for kind, each in KINDS.items() if kind], ids=lambda each: each.kind)
def test_what_is_written_is_read_again(entry: type[LogEntry]) -> None:
    made = entry(**{field.name: f"a {field.name}" for field in fields(entry)})
    assert entry.read(made.body()) == made
    needed = {field.name: 1 for field in fields(entry) if field.default is MISSING}
    assert set(entry(**needed).body()) == set(needed), "what may be left out is"


def test_an_older_or_a_newer_body_is_read_as_far_as_it_goes() -> None:
    read = Opened.read({"operator": "AO", "of_a_later_version": 1})
    assert (read.operator, read.subject) == ("AO", None)
    assert NoteTaken.read({}).body() == {}


def test_a_session_closed_by_its_own_program_says_what_it_could_not_learn() -> None:
    assert Closed(end_reason="timer", commanded={}).body()["delivered"] is None
    assert "delivered" not in Closed(end_reason="interrupted").body()


@pytest.mark.realtime
def test_the_page_is_made_of_the_classes() -> None:
    subprocess.run([sys.executable, "-m", "stimctl.ledger.document", "--check"], check=True)
