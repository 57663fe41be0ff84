"""The screening questions: asked before a person is stimulated, and again for each session.

Every question is answered yes or no by the operator. A hard stop answered yes, or anything left unanswered,
is `Unsafe`, and there is no override. A warning answered yes is kept and shown. A `Screening` cannot be read
from a file, copied or used twice, and it grows stale: what was true of a person last week says nothing now.

The list is informed by published contraindications [lit]; the choice of stops and warnings is this project's
[choice]. It does not replace a clinician's examination.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NoReturn, final

from stimctl.errors import Misuse, Problem, Unsafe
from stimctl.units import US_PER_MIN

FRESH_US = 15 * US_PER_MIN  # [choice]
RECENT_DAYS = 2


class AnswerKind(StrEnum):
    """The consequence of a question's answer."""

    REQUIRED = "required"  # must be yes
    HARD_STOP = "hard stop"  # must be no
    WARNING = "warning"  # yes is kept and shown


@dataclass(frozen=True, slots=True)
class Question:
    """One question, answered yes or no; `of_needles` where needles and pairs have to be chosen before."""

    id: str
    kind: AnswerKind
    text: str
    why: str
    of_needles: bool = False

    @property
    def wanted(self) -> bool:
        """The answer that neither forbids a session nor is a warning."""
        return self.kind is AnswerKind.REQUIRED


# In the order in which they are asked: first of the person, then of the needles once it is known where they are.
QUESTIONS: tuple[Question, ...] = (
    Question("identity", AnswerKind.REQUIRED, "Is this the person the pseudonym stands for?", "the right person"),
    Question("consent", AnswerKind.REQUIRED, "Has the person consented to this session?", "consent"),
    Question("attendance", AnswerKind.REQUIRED, "Will somebody attend for the whole session?", "never unattended"),
    Question(
        "speech", AnswerKind.REQUIRED, "Can the person speak, and say when something hurts?", "the person can say stop"
    ),
    Question(
        "implant", AnswerKind.HARD_STOP, "Does the person have a pacemaker, an ICD or another active implant?",
        "the current can disturb it",
    ),
    Question("heart", AnswerKind.HARD_STOP, "Does the person have serious heart disease?", "arrhythmia"),
    Question("epilepsy", AnswerKind.HARD_STOP, "Does the person have epilepsy?", "a seizure can be provoked"),
    Question("pregnancy", AnswerKind.HARD_STOP, "Is the person pregnant, or might she be?", "risk to the pregnancy"),
    Question("infant", AnswerKind.HARD_STOP, "Is the person an infant?", "limits are not made for infants"),
    Question(
        "diathermy", AnswerKind.HARD_STOP,
        "Is electrosurgery, shortwave or microwave therapy in use within 1 m?",
        "burns at the needles, and output that cannot be controlled",
    ),
    Question("ecg", AnswerKind.HARD_STOP, "Is ECG monitoring in use?", "the pulses disturb it"),
    Question("anticoagulant", AnswerKind.WARNING, "Does the person take an anticoagulant?", "bleeding at the needles"),
    Question(
        "recent", AnswerKind.WARNING, f"Was the last session less than {RECENT_DAYS} days ago?",
        "tolerance develops with daily treatment [source]",
    ),
    Question(
        "placement", AnswerKind.REQUIRED,
        "Are needles and pairs placed as prescribed: each pair on one limb, or on one side of the trunk below the "
        "chest; none across the chest, from arm to arm, or on head or neck?",
        "no software can see a needle", of_needles=True,
    ),
    Question(
        "both_sides", AnswerKind.WARNING, "Are there stimulated needles on both sides of the spinal cord?",
        "each channel has to stay on its own side", of_needles=True,
    ),
    Question(
        "metal", AnswerKind.WARNING, "Is there a metal implant in the field of the current?", "local current density",
        of_needles=True,
    ),
    Question(
        "sensation", AnswerKind.WARNING, "Is sensation impaired where the needles are?", "pain gives no warning there",
        of_needles=True,
    ),
)  # fmt: skip
_ALLOWED = {
    AnswerKind.REQUIRED: "must be answered yes",
    AnswerKind.HARD_STOP: "must be answered no; a yes is a hard stop, and there is no override",
    AnswerKind.WARNING: "must be answered",
}


def problems_in(answers: Mapping[str, object]) -> tuple[Problem, ...]:
    """What in these answers forbids a session. Only True and False are answers."""
    found = []
    for question in QUESTIONS:
        answer = answers.get(question.id)
        if not isinstance(answer, bool):
            found.append(Problem(f"screening.{question.id}", None, f"is unanswered: {question.text}"))
        elif (question.kind is AnswerKind.REQUIRED and not answer) or (
            question.kind is AnswerKind.HARD_STOP and answer
        ):
            said = "yes" if answer else "no"
            found.append(Problem(f"screening.{question.id}", said, f"{_ALLOWED[question.kind]} ({question.why})"))
    known = {question.id for question in QUESTIONS}
    found += [Problem(f"screening.{name}", None, "is not one of the questions") for name in answers.keys() - known]
    return tuple(found)


@final
class Screening:
    """Complete answers that forbid nothing, given for one person at one time. Good for one session."""

    def __init__(self, answers: Mapping[str, bool], *, pseudonym: str, now_us: int) -> None:
        """`now_us` is the session's monotonic clock when the asking began. Raises `Unsafe` with every problem."""
        problems = list(problems_in(answers))
        if not isinstance(pseudonym, str) or not pseudonym.strip():
            problems.append(Problem("pseudonym", pseudonym, "must name the person who was asked, by a pseudonym"))
        if problems:
            raise Unsafe(problems)
        self._answers = tuple((question.id, answers[question.id]) for question in QUESTIONS)
        self._pseudonym = pseudonym
        self._asked_at_us = now_us
        self._used = False

    @property
    def pseudonym(self) -> str:
        """The person that was screened."""
        return self._pseudonym

    @property
    def asked_at_us(self) -> int:
        """When the asking began."""
        return self._asked_at_us

    @property
    def used(self) -> bool:
        """Whether a session was begun with it."""
        return self._used

    @property
    def answers(self) -> dict[str, bool]:
        return dict(self._answers)

    @property
    def warnings(self) -> tuple[str, ...]:
        """The warnings that were answered yes, in words."""
        answers = self.answers
        return tuple(
            f"{question.text} Yes: {question.why}"
            for question in QUESTIONS
            if question.kind is AnswerKind.WARNING and answers[question.id]
        )

    def problems(self, pseudonym: str) -> tuple[Problem, ...]:
        """Why it does not serve for this person: it is another's, or used."""
        found = []
        if pseudonym != self._pseudonym:
            found.append(Problem("screening.pseudonym", self._pseudonym, f"must be the person treated, {pseudonym!r}"))
        if self._used:
            found.append(Problem("screening", None, "was used for another session; ask again"))
        return tuple(found)

    def use(self, pseudonym: str, now_us: int) -> None:
        """Begin one session with it. Raises `Unsafe` when it is used, stale or another person's."""
        problems = [*self.problems(pseudonym), *self._staleness(now_us)]
        if problems:
            raise Unsafe(problems)
        self._used = True

    def check_fresh(self, now_us: int) -> None:
        """Raise `Unsafe` when it has grown stale; for a session that began with it and then waited."""
        if problems := self._staleness(now_us):
            raise Unsafe(problems)

    def _staleness(self, now_us: int) -> tuple[Problem, ...]:
        age_us = now_us - self._asked_at_us
        if 0 <= age_us <= FRESH_US:
            return ()
        when = "when a session begins and when it is first armed"
        allowed = f"must be at most {FRESH_US // US_PER_MIN} min old {when}; ask again [choice]"
        return (Problem("screening", f"{age_us / US_PER_MIN:.1f} min old", allowed),)

    def record(self) -> dict[str, Any]:
        """JSON-able, for the log."""
        return {"pseudonym": self._pseudonym, "asked_at_us": self._asked_at_us, "answers": self.answers}

    def __copy__(self) -> NoReturn:
        raise Misuse("a screening is not copied: ask again")

    def __deepcopy__(self, memo: object) -> NoReturn:
        raise Misuse("a screening is not copied: ask again")

    def __reduce__(self) -> NoReturn:
        raise Misuse("a screening is not stored and read again: ask again")


def ask(answer: Callable[[Question], bool | None], *, pseudonym: str, now_us: int) -> Screening:
    """Put every question through `answer`, which gives True for yes, False for no, None for no answer.

    Raises `Unsafe`, listing every hard stop and every question that stayed open.
    """
    given = {question.id: reply for question in QUESTIONS if (reply := answer(question)) is not None}
    return Screening(given, pseudonym=pseudonym, now_us=now_us)
