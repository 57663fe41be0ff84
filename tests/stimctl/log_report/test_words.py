"""The tables of words: the same texts in every language."""

import string
import tomllib
from typing import Any

import pytest

from stimctl.log_report import LANGUAGES
from stimctl.log_report.words import FOLDER, ReportWords
from stimctl.screening import QUESTIONS
from stimctl.session.states import End
from stimctl.wire.codes import EndReason

OF_THE_LOG = {"question", "end", "reason"}  # in English the log's own words
OTHERS = [language for language in LANGUAGES if language != "en"]


def texts(language: str) -> dict[str, str]:
    tables: dict[str, Any] = tomllib.loads(FOLDER.joinpath(f"{language}.toml").read_text("utf-8"))
    assert tables.pop("language") == language
    return {f"{table}.{name}": text for table, found in tables.items() for name, text in found.items()}


def places(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


@pytest.mark.parametrize("language", OTHERS)
def test_every_language_has_the_texts_of_english_with_the_same_places(language: str) -> None:
    english, other = texts("en"), texts(language)
    own = {name: text for name, text in other.items() if name.partition(".")[0] not in OF_THE_LOG}
    assert own.keys() == english.keys()
    assert {name for name in own if places(own[name]) != places(english[name])} == set()


@pytest.mark.parametrize("language", OTHERS)
@pytest.mark.parametrize(
    ("table", "names"),
    [
        ("question", {question.id for question in QUESTIONS}),
        ("end", {end.value for end in End}),
        ("reason", {reason.name.lower().replace("_", " ") for reason in EndReason} - {"none"}),
    ],
)
def test_every_language_has_the_words_of_the_log(language: str, table: str, names: set[str]) -> None:
    found = {name.partition(".")[2] for name in texts(language) if name.startswith(f"{table}.")}
    assert found == names


def test_what_stands_in_a_place_is_printable() -> None:
    words = ReportWords("en")
    assert words("event.refused_said", reason="no\x1b[31m") == "refused by the device: no?[31m"
    assert words.of("end", "line lost\n") == "line lost?"
    assert (words.of("state", None), words.of("no such table", "x")) == ("", "x")
