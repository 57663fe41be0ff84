"""Every quote of a profile stands in the source, under its section, with its figures; the page of it is as they are."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from stimctl.profile import Profile
from tests.stimctl.profile.clinical_table import PAGE, page
from tests.stimctl.profile.source_document import Source, kept, problems, profiles, quoted, renewed, whole

PROFILES = profiles()
DOCUMENT = os.environ.get("STIMCTL_SOURCE_DOCUMENT")


@pytest.fixture(scope="module")
def source() -> Source:
    return kept()


@pytest.mark.parametrize("profile", PROFILES.values(), ids=list(PROFILES))
def test_every_quote_stands_in_the_source_under_its_section(profile: Profile, source: Source) -> None:
    assert problems(profile, source) == []
    assert len(list(quoted(profile))) > 20


def test_the_check_finds_a_wrong_quote_section_figure_and_document(source: Source) -> None:
    profile = PROFILES["low-back-pain"]
    assert profile.schedule is not None
    weeks = profile.schedule.course_weeks

    def with_weeks(**changed: object) -> Profile:
        schedule = profile.schedule.model_copy(update={"course_weeks": weeks.model_copy(update=changed)})  # type: ignore[union-attr]
        return profile.model_copy(update={"schedule": schedule})

    assert "not under" in problems(with_weeks(quote="2x/week for 4-7 weeks"), source)[0]
    assert "has no section" in problems(with_weeks(section="Chronic Neck Pain"), source)[0]
    assert "not under 'Fibromyalgia'" in problems(with_weeks(section="Fibromyalgia"), source)[0]
    point = profile.points[0].model_copy(update={"code": "BL-25"})
    other = profile.model_copy(update={"points": (point, *profile.points[1:])})
    assert "BL-25 is not in the sentence" in problems(other, source)[0]
    assert weeks.value is not None
    seven = weeks.value.model_copy(update={"high": 7.0})
    assert problems(with_weeks(value=seven), source) == ["low-back-pain schedule.course_weeks: 7 is not in its quote"]
    assert "its source is" in problems(profile, replace(source, sha256="0" * 64))[0]


def test_the_page_shows_the_profiles_as_they_are(source: Source) -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert text == page(text, source), "renew it: python -m tests.stimctl.profile.clinical_table --write"
    assert "WRONG" not in text


@pytest.mark.skipif(DOCUMENT is None, reason="STIMCTL_SOURCE_DOCUMENT names no document: only what is kept is held")
def test_what_is_kept_is_what_the_document_says() -> None:
    headings = list(kept().sections)
    document = Path(DOCUMENT or "")
    assert renewed(document, headings) == renewed_kept()
    found = whole(document, headings)
    assert [problem for profile in PROFILES.values() for problem in problems(profile, found)] == []


def renewed_kept() -> str:
    return (Path(__file__).with_name("source_sentences.toml")).read_text(encoding="utf-8")
