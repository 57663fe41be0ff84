"""`docs/scenarios.md`: its example plays as it says, and it leaves out no time, no expectation and no action."""

import re
from pathlib import Path

from stimctl.profile.toml_text import parse
from stimlab.play.play import play
from stimlab.scenario.model import DOES, TIMES
from stimlab.scenario.reader import ActionFile, ExpectFile, ScenarioFile, scenario_from

TEXT = (Path(__file__).parents[1] / "docs/scenarios.md").read_text("utf-8")


def test_the_example_comes_out_as_it_must() -> None:
    found = re.search(r"<!-- example -->\n```toml\n(.*?)```", TEXT, re.DOTALL)
    assert found is not None
    played = play(scenario_from(parse(found[1].encode(), "docs/scenarios.md").values))
    assert played.unmet == ()
    assert played.idle == ()


def test_every_word_of_a_file_is_explained() -> None:
    words = [*TIMES, *DOES, *ScenarioFile.model_fields, *ExpectFile.model_fields, *ActionFile.model_fields]
    assert [word for word in words if f"`{word}`" not in TEXT and f"[{word}]" not in TEXT] == []
