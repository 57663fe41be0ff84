"""The screening at a terminal: lists of questions, each answered as one; the person's first, the needles' last.

A list is answered by a word that has to be typed, or by the numbers of those that apply. There is no default, and
nothing of it is kept for another session (docs/decisions/0012-questions.md).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import click

from stimctl import screening
from stimctl.cli.ask.answers import Checklist
from stimctl.cli.ask.confirm import confirmed
from stimctl.cli.ask.form import AskAgain, Form
from stimctl.errors import Unsafe
from stimctl.screening import QUESTIONS, RECENT_DAYS, AnswerKind, Question, Screening
from stimctl.units import counted


@dataclass(frozen=True, slots=True)
class LastSession:
    """When this log says that the person was last treated, and what time it is."""

    began: datetime | None
    now: datetime

    @property
    def recent(self) -> bool:
        return self.began is not None and self.now - self.began < timedelta(days=RECENT_DAYS)

    def __str__(self) -> str:
        if self.began is None:
            return "This log has no earlier session of this person."
        days = (self.now - self.began).days
        return f"The last session in this log: {self.began.astimezone():%Y-%m-%d %H:%M}, {counted(days, 'day')} ago."


class ScreeningQuestions:
    """Puts the questions to one person, through a form. `now_us` is the session's clock."""

    def __init__(self, now_us: Callable[[], int], last_session: Callable[[str], LastSession]) -> None:
        self._now_us = now_us
        self._last_session = last_session
        self._began_us: int | None = None
        self._answers: dict[str, bool] = {}

    def of_person(self, form: Form, pseudonym: str) -> None:
        """Identity and what the person must say first, then all that forbids a session. Raises `Unsafe`."""
        if self._began_us is None:
            self._began_us = self._now_us()
        last = self._last_session(pseudonym)
        from_log = {"recent": True} if last.recent else {}
        self._answers = dict(from_log)
        about = [each for each in QUESTIONS if not each.of_needles and each.id not in from_log]
        form.note(click.style("\nScreening, asked anew for each session", bold=True))
        self._required(form, "person", [each for each in about if each.kind is AnswerKind.REQUIRED])
        form.note(f"\n{last}{' It is less than the source asks for.' if last.recent else ''}")
        self._listed(form, "contraindications", [each for each in about if each.kind is not AnswerKind.REQUIRED])

    def of_needles(self, form: Form, pseudonym: str, placed: Sequence[str]) -> Screening:
        """What can be answered once it is known where the needles are. Raises `Unsafe`."""
        about = [each for each in QUESTIONS if each.of_needles]
        form.note("\n" + "\n".join(placed))
        self._required(form, "needles", [each for each in about if each.kind is AnswerKind.REQUIRED])
        self._listed(form, "cautions", [each for each in about if each.kind is not AnswerKind.REQUIRED])
        assert self._began_us is not None
        return screening.ask(lambda each: self._answers.get(each.id), pseudonym=pseudonym, now_us=self._began_us)

    def _required(self, form: Form, name: str, questions: Sequence[Question]) -> None:
        self._list(form, name, "Is all of this so?", questions, Checklist(len(questions), "yes", ["y"]))

    def _listed(self, form: Form, name: str, questions: Sequence[Question]) -> None:
        self._list(form, name, "Is any of this so?", questions, Checklist(len(questions), "none"))

    def _list(self, form: Form, name: str, title: str, questions: Sequence[Question], kind: Checklist) -> None:
        form.note("\n".join(f"  {n:>2}  {each.text}" for n, each in enumerate(questions, 1)))
        numbers = form.ask(f"screening {name}", title, kind, of_moment=True)
        answers = {each.id: each.wanted != (n in numbers) for n, each in enumerate(questions, 1)}
        self._refuse(f"screening {name}", answers)
        self._answers |= answers
        warned = [each.why for each in questions if each.kind is AnswerKind.WARNING and answers[each.id]]
        form.note("\n".join(click.style(f"  Attention: {why}", fg="yellow") for why in warned))

    def _refuse(self, name: str, answers: Mapping[str, bool]) -> None:
        """End it where an answer forbids the session; a slip of the key is asked about once, and is no override."""
        forbids = [each for each in screening.problems_in(answers) if each.value is not None]
        if not forbids:
            return
        text = {f"screening.{each.id}": each.text for each in QUESTIONS}
        for each in forbids:
            click.secho(f"  This forbids the session: {text[each.field]} {each.value}", fg="red")
        if confirmed("  Was it meant so?"):
            raise Unsafe(forbids)
        raise AskAgain([name])
