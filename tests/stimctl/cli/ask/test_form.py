"""A form's answers: which of them are kept for another start."""

import pytest

from stimctl.cli.ask.answers import Words
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
