"""What a run takes of earlier sessions: nothing of an entry that does not hold."""

from collections.abc import Callable
from pathlib import Path

import pytest

from stimctl.cli.run.again import earlier_values, last_session, values_in_log
from stimctl.errors import LogFault, Misuse
from stimctl.ledger import Ledger
from stimctl.ledger.append import draft, utc_now, utc_text

TWICE = '{"prescription":{"profile":{"id":"low-back-pain"}},"pseudonym":"P-1","pseudonym":"P-2","simulator":false}'


@pytest.fixture
def twice(home: Path) -> None:
    """A session of which the log says twice whose it is; its hash holds, and so does the chain."""
    with Ledger(home / "ledger.sqlite") as ledger:
        assert ledger._appender
        ledger._appender.append([draft("s-1", "opened", 0, utc_text(utc_now()), TWICE)])
        ledger.require_whole()


@pytest.mark.usefixtures("twice")
@pytest.mark.parametrize(
    "taken",
    [
        lambda: earlier_values("P-2", None, rehearsal=False),
        lambda: last_session("P-2", rehearsal=False),
        lambda: values_in_log("s-1"),
    ],
)
def test_nothing_is_taken_of_a_body_that_names_something_twice(taken: Callable[[], object]) -> None:
    with pytest.raises(LogFault, match="the body of entry 1 is not as this program writes it, with each name once"):
        taken()


@pytest.mark.parametrize(
    ("rehearsed", "said"),
    [
        (True, "no session of 'P-1' to run again; a rehearsal is run again with --rehearse"),
        (False, "no rehearsal of 'P-1' to run again; a session is run again without --rehearse"),
    ],
)
def test_what_there_is_of_the_other_kind_is_named(home: Path, rehearsed: bool, said: str) -> None:
    body = {"prescription": {"rehearsal": rehearsed}, "pseudonym": "P-1", "simulator": rehearsed}
    with Ledger(home / "ledger.sqlite") as ledger:
        ledger.append("s-1", "opened", 0, body)
    with pytest.raises(Misuse, match=said):
        earlier_values("P-1", None, rehearsal=not rehearsed)
    with pytest.raises(Misuse, match="log list"):
        earlier_values("P-2", None, rehearsal=not rehearsed)
