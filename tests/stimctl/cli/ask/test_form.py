"""A form's answers: which of them are kept for another start."""

import click
import pytest
from click.testing import CliRunner

from stimctl.cli.ask.answers import Amount, Words
from stimctl.cli.ask.form import Form


def test_what_is_taken_from_the_log_is_not_kept_for_another_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kept, the settings of one subject would stand as answers when the next start names another."""
    kept: list[dict[str, str]] = []
    form = Form(keep=lambda answers: kept.append(dict(answers)))
    monkeypatch.setattr("click.prompt", lambda *_a, **_k: ("AO", "AO"))
    form.take({"minutes": "20", "operator": "BK"})
    form.forget(["operator"])
    assert form.ask("operator", "Operator", Words()) == "AO"
    assert kept == [{"operator": "AO"}]


@pytest.mark.parametrize(
    ("typed", "said"), [("x" * 5_000, "at most 200 characters, and this has 5,000"), ("\x1b[2J", "?")]
)
def test_what_was_pasted_by_mistake_is_not_shown_again_whole_nor_obeyed(typed: str, said: str) -> None:
    @click.command()
    def asks() -> None:
        click.echo(Form().ask("minutes", "Minutes", Amount("Minutes", 1, 60_000_000, "min")))

    result = CliRunner().invoke(asks, input=f"{typed}\n1 s\n")
    told = [line for line in result.output.splitlines() if "Error" in line]
    assert result.exit_code == 0
    assert len(told) == 1
    assert said in told[0]
    assert told[0].isprintable()
    assert len(told[0]) < 200
