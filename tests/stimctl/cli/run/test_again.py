"""What a run takes of earlier sessions: nothing of an entry that does not hold."""

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from stimctl.cli import codes, main
from stimctl.cli.ask.draft import Draft
from stimctl.cli.run.again import earlier_values, last_session, values_in_log
from stimctl.errors import LogFault, Misuse
from stimctl.ledger import Ledger
from stimctl.ledger.append import draft, utc_now, utc_text
from stimctl.prescription import from_file
from stimctl.profile import examples_folder

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


@pytest.mark.parametrize("name", ["", "latest"])
def test_latest_is_the_newest_as_in_the_other_commands(tmp_path: Path, name: str) -> None:
    asked = Path("profiles/examples/bench-2hz.toml").read_text()
    for who in ("P-1", "P-2"):
        file = tmp_path / f"{who}.toml"
        file.write_text(asked.replace('pseudonym = "example-007"', f'pseudonym = "{who}"'))
        ran = CliRunner().invoke(main, ["run", "bench-2hz", "--port", "sim://", "--prescription", str(file)])
        assert ran.exit_code == codes.DONE, ran.output
    assert earlier_values(name, None, rehearsal=False)[0]["pseudonym"] == "P-2"


def test_a_part_of_an_id_means_its_session_where_it_is_nobodys_pseudonym(home: Path) -> None:
    record = from_file(examples_folder() / "bench-2hz.toml").record()
    with Ledger(home / "ledger.sqlite") as ledger:
        for session_id, pseudonym in (("2026-ab", "P-1"), ("2027-cd", "P-2"), ("2027-ef", "2026"), ("2028-gh", "P-3")):
            body = {"prescription": {**record, "pseudonym": pseudonym}, "pseudonym": pseudonym, "simulator": True}
            ledger.append(session_id, "opened", 0, body)
    for name, pseudonym in (("2026-a", "P-1"), ("cd", "P-2"), ("2026", "2026")):
        assert earlier_values(name, None, rehearsal=False)[0]["pseudonym"] == pseudonym
    with pytest.raises(Misuse, match="no session of '2027' to run again"):
        earlier_values("2027", None, rehearsal=False)


@pytest.mark.parametrize("rehearse", [(), ("--rehearse",)])
@pytest.mark.parametrize("name", ["--again", "--again=latest", "--again=P-17"])
def test_answers_that_were_left_are_told_where_there_is_no_session_to_run_again(
    name: str, rehearse: tuple[str, ...]
) -> None:
    Draft("low-back-pain", rehearsal=bool(rehearse)).save({"subject": "sim", "pseudonym": "P-17"})
    result = CliRunner().invoke(main, ["run", name, *rehearse, "--port", "sim://"])
    assert result.exit_code == codes.INVALID
    said = " ".join(("answers of low-back-pain were left: `stimctl run low-back-pain", *rehearse))
    assert f"{said}` goes on from them" in result.stderr
    other = CliRunner().invoke(main, ["run", "fibromyalgia", name, *rehearse, "--port", "sim://"])
    assert "were left" not in other.stderr
