"""Whether doses agree, in words: the summary of a run and the page of the log say it by the same function."""

import pytest

from stimctl.cli.agreement import agreement_text


@pytest.mark.parametrize(
    ("agreement", "exact", "measured"),
    [
        ({"exact": True, "reason": None, "measured": False}, "yes", "NO"),
        ({"exact": False, "reason": None, "measured": True}, "NO", "yes"),
        ({"exact": None, "reason": "an answer was lost", "measured": None}, "not known: an answer was lost", "-"),
        ({"exact": None, "reason": "\x1b[2J"}, "not known: ?[2J", "-"),
        ({}, "-", "-"),
    ],
)
def test_what_is_not_known_has_its_reason(agreement: dict[str, object], exact: str, measured: str) -> None:
    assert agreement_text(agreement, "exact", unknown="-") == exact
    assert agreement_text(agreement, "measured", unknown="-") == measured
