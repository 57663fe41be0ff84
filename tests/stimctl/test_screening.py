"""Screening: every question answered, no override, good once and not for long."""

import copy
import json
import pickle

import pytest

from stimctl.errors import Misuse, Unsafe
from stimctl.screening import FRESH_US, QUESTIONS, AnswerKind, Question, Screening, ask

GOOD = {question.id: question.kind is AnswerKind.REQUIRED for question in QUESTIONS}
NOW_US = 5_000_000


def screening(**changed: bool) -> Screening:
    return Screening({**GOOD, **changed}, pseudonym="p-1", now_us=NOW_US)


def of_kind(kind: AnswerKind) -> list[str]:
    return [question.id for question in QUESTIONS if question.kind is kind]


def test_the_list_holds_what_it_has_to() -> None:
    assert set(of_kind(AnswerKind.REQUIRED)) == {"identity", "consent", "attendance", "speech", "placement"}
    assert set(of_kind(AnswerKind.HARD_STOP)) == {
        "implant",
        "heart",
        "epilepsy",
        "pregnancy",
        "infant",
        "diathermy",
        "ecg",
    }
    assert set(of_kind(AnswerKind.WARNING)) == {"both_sides", "anticoagulant", "metal", "sensation", "recent"}


def test_good_answers_make_a_screening() -> None:
    made = screening()
    assert made.answers == GOOD
    assert made.warnings == ()
    assert not made.used


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.id)
def test_every_question_has_to_be_answered(question: Question) -> None:
    with pytest.raises(Unsafe, match=rf"screening\.{question.id}: is unanswered"):
        ask(lambda asked: None if asked is question else GOOD[asked.id], pseudonym="p-1", now_us=0)


@pytest.mark.parametrize("name", of_kind(AnswerKind.HARD_STOP))
def test_each_hard_stop_answered_yes_is_unsafe(name: str) -> None:
    with pytest.raises(Unsafe, match="no override"):
        screening(**{name: True})


@pytest.mark.parametrize("name", of_kind(AnswerKind.REQUIRED))
def test_each_requirement_answered_no_is_unsafe(name: str) -> None:
    with pytest.raises(Unsafe, match="must be answered yes"):
        screening(**{name: False})


@pytest.mark.parametrize("name", of_kind(AnswerKind.WARNING))
def test_each_warning_answered_yes_is_kept(name: str) -> None:
    assert len(screening(**{name: True}).warnings) == 1


@pytest.mark.parametrize("answer", ["no", "yes", 0, 1, "", [], 0.0])
def test_only_true_and_false_are_answers(answer: object) -> None:
    with pytest.raises(Unsafe, match="implant: is unanswered"):
        screening(implant=answer)  # type: ignore[arg-type]


def test_all_problems_come_at_once() -> None:
    with pytest.raises(Unsafe) as caught:
        Screening({}, pseudonym=" ", now_us=0)
    assert len(caught.value.problems) == len(QUESTIONS) + 1


def test_an_answer_to_no_question_is_refused() -> None:
    with pytest.raises(Unsafe, match="is not one of the questions"):
        screening(override=True)


def test_it_serves_one_session() -> None:
    made = screening()
    made.use("p-1", NOW_US)
    assert made.used
    with pytest.raises(Unsafe, match="was used"):
        made.use("p-1", NOW_US)


def test_it_serves_one_person() -> None:
    with pytest.raises(Unsafe, match="p-1"):
        screening().use("p-2", NOW_US)


def test_it_grows_stale_and_does_not_come_from_the_future() -> None:
    screening().use("p-1", NOW_US + FRESH_US)
    for now_us in (NOW_US + FRESH_US + 1, NOW_US - 1):
        with pytest.raises(Unsafe, match="ask again"):
            screening().use("p-1", now_us)


def test_a_session_that_waited_too_long_is_not_armed_with_it() -> None:
    made = screening()
    made.use("p-1", NOW_US)
    made.check_fresh(NOW_US + FRESH_US)
    with pytest.raises(Unsafe, match="first armed; ask again"):
        made.check_fresh(NOW_US + FRESH_US + 1)


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, pickle.dumps])
def test_it_cannot_be_copied_or_stored(copied: object) -> None:
    with pytest.raises(Misuse):
        copied(screening())  # type: ignore[operator]


def test_its_record_is_json() -> None:
    assert json.loads(json.dumps(screening().record()))["answers"]["implant"] is False
