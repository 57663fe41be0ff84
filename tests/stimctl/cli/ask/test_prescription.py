"""A prescription that is given again stands in the form as if it had been typed: nothing is asked, nothing changes."""

from typing import Any

import pytest
from click.testing import CliRunner

from stimctl.cli.ask.form import Form, Unfit
from stimctl.cli.ask.prescription import PrescriptionQuestions, answers_for
from stimctl.prescription import Subject, from_file, paper_from_mapping, values_in, values_of
from stimctl.profile import examples_folder, load_profiles

PROFILES = load_profiles()


def filled(values: dict[str, Any]) -> dict[str, Any]:
    """What the questions make of the answers that stand for these values; asking anybody would fail here."""
    profile = PROFILES[values["profile"]]
    questions = PrescriptionQuestions(profile, None, PROFILES)
    form = Form(answers_for(values, profile))
    return questions.rest(form, *questions.who(form))


@pytest.mark.parametrize("name", sorted(each.name for each in examples_folder().glob("*.toml")))
def test_every_shipped_example_is_the_same_when_it_is_given_again(name: str) -> None:
    original = from_file(examples_folder() / name)
    again = filled(values_of(original.record()))
    assert paper_from_mapping(again, PROFILES).record() == original.record()
    assert paper_from_mapping(filled(values_in(examples_folder() / name)), PROFILES).record() == original.record()


@pytest.mark.parametrize(
    "changes",
    [
        {"minutes": 7.5, "clinician": {"name": "Dr. C.", "lowers": ("minutes",)}},
        {"subject": "animal", "approval": "A-1", "pregnant": False},
        {"subject": "person", "titrate": True},
        {"minutes": None, "seconds": 1_300.5},
    ],
)
def test_so_are_others(changes: dict[str, Any]) -> None:
    values = {**values_in(examples_folder() / "low-back-pain.toml"), **changes}
    values = {name: value for name, value in values.items() if value is not None}
    channel = {**values["channels"][0], "channel": 3}
    if values.get("titrate"):
        del channel["amplitude_ma"]
    values["channels"] = [channel]
    original = paper_from_mapping(values, PROFILES)
    assert original.channels[0].channel == 3
    again = filled(values)
    assert paper_from_mapping(again, PROFILES).record() == original.record()
    assert again["subject"] == Subject(values["subject"])


def test_what_cannot_be_prescribed_is_unfit_and_names_the_channel_as_it_is_called() -> None:
    values = values_in(examples_folder() / "low-back-pain.toml")
    needle = {"diameter_mm": 0.1, "inserted_mm": 1, "coating": "none"}
    values["channels"] = [{**values["channels"][0], "channel": 3, "needle": needle}]
    with pytest.raises(Unfit, match=r"channel 3\.needle is '\S+ uC/cm2': must be at most 30"):
        filled(values)


def test_a_persons_name_is_questioned_and_a_pseudonym_is_taken() -> None:
    questions = PrescriptionQuestions(PROFILES["low-back-pain"], None, PROFILES)
    form = Form({"subject": "person", "pseudonym": "Anna Schmidt"})
    with CliRunner().isolation(input="n\nP-17\n") as (shown, *_):
        assert form.fill(questions.who, review=False) == (Subject.PERSON, "P-17")
        text = shown.getvalue().decode()
    assert "'Anna Schmidt' looks like a person's name. Is it a pseudonym?" in text
    assert "The log never forgets" in text
    maple = Form({"subject": "person", "pseudonym": "maple"})
    with CliRunner().isolation(input="y\n"):
        assert maple.fill(questions.who, review=False) == (Subject.PERSON, "maple")
