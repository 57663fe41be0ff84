"""A form at the terminal: answers by name, each of which can be changed until the end.

The questions are a plain function that asks one after the other. It is run anew whenever an answer changes, and is
given again what still stands; so what depends on another answer is asked when that one changes, and only then.
"""

from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeVar

import click

from stimctl.cli.ask.answers import AnswerReader, OneOf
from stimctl.cli.errors import shown
from stimctl.cli.table import table
from stimctl.errors import Misuse

T = TypeVar("T")
BACK = "<"
_LONGEST = 200  # of what is typed, so that a paste by mistake is not shown again whole [choice]
HELP = f"Enter takes what stands in [ ]; {BACK} goes back one question; Ctrl-C ends."


class AskAgain(Exception):
    """Ask these anew, after saying why. Their answers are offered as defaults."""

    def __init__(self, names: Collection[str], why: str = "") -> None:
        super().__init__(why)
        self.names, self.why = names, why


class Unfit(AskAgain):
    """The answers do not go together: the person says which of them is to change."""

    def __init__(self, why: str) -> None:
        super().__init__((), why)


class Form:
    """One person's answers. `keep` is told of all of them after each."""

    def __init__(
        self,
        answers: Mapping[str, str] | None = None,
        keep: Callable[[Mapping[str, str]], None] = lambda _answers: None,
        before_each: Callable[[], None] = lambda: None,
    ) -> None:
        self._standing = dict(answers or {})
        self._offered: dict[str, str] = {}
        self._keep = keep
        self._before_each = before_each
        self._passed: dict[str, str] = {}  # the questions of this run, with their titles
        self._notes: list[str] = []
        self._of_moment: set[str] = set()
        self._taken: set[str] = set()  # that nobody gave here: kept, they would stand for whoever is named next

    def ask(self, name: str, title: str, kind: AnswerReader, *, of_moment: bool = False) -> Any:
        """One answer: what stands, where that still fits; else it is asked until it does.

        One `of_moment` is true of this session alone: it is never offered again, and never kept.
        """
        if of_moment:
            self._of_moment.add(name)
        if name in self._standing:
            try:
                value = kind.read(self._standing[name])
            except Misuse:
                self.doubt([name])
            else:
                self._passed[name] = title
                self._notes.clear()
                return value
        self._before_each()
        for note in filter(None, self._notes):
            click.echo(note)
        self._notes.clear()
        text, value = self._prompt(title, kind, "" if of_moment else self._offered.get(name, ""))
        self._standing[name] = text
        self._passed[name] = title
        if not of_moment:
            everything = {**self._offered, **self._standing}
            self._taken.discard(name)
            unkept = self._of_moment | self._taken
            self._keep({each: answer for each, answer in everything.items() if each not in unkept})
        return value

    def choose(self, name: str, title: str, choices: list[str]) -> str:
        """One of `choices`; the only one is not asked for."""
        return choices[0] if len(choices) == 1 else str(self.ask(name, title, OneOf(choices)))

    def note(self, text: str) -> None:
        """Say this before the next question, if one is asked."""
        self._notes.append(text)

    def take(self, answers: Mapping[str, str]) -> set[str]:
        """Let these stand where nothing does yet; their names."""
        new = {name: answer for name, answer in answers.items() if name not in self._standing}
        self._standing |= new
        self._taken |= set(new)
        return set(new)

    def forget(self, names: Collection[str]) -> None:
        """These, and all that is true of one moment, were another person's: they are asked, and offered to nobody."""
        for name in (*names, *self._of_moment):
            self._standing.pop(name, None)
            self._offered.pop(name, None)

    def doubt(self, names: Collection[str]) -> None:
        """These do not stand any more; they are offered when they are asked again."""
        self._offered |= {name: self._standing.pop(name) for name in names if name in self._standing}

    def fill(self, questions: Callable[["Form"], T], *, review: bool = True) -> T:
        """Ask until `questions` is content and, with `review`, the person is too."""
        while True:
            self._passed, self._notes = {}, []
            try:
                result = questions(self)
                if not review or not (changed := self._review("Enter goes on; a number changes that answer")):
                    return result
                self.doubt([changed])
            except Unfit as wrong:
                click.secho(f"\n{wrong.why}", fg="red", err=True)
                while not (changed := self._review("The number of the answer to change")):
                    click.echo("None of them can stay as they are: name one, or end with Ctrl-C.")
                self.doubt([changed])
            except AskAgain as again:
                if again.why:
                    click.secho(f"  {again.why}", fg="red")
                self.doubt(again.names)

    def _review(self, question: str) -> str | None:
        """The name of an answer that is to change; None where all may stay."""
        names = list(self._passed)
        rows = [(str(n), self._passed[name], self._standing[name]) for n, name in enumerate(names, 1)]
        click.echo("\n" + table(("", "QUESTION", "ANSWER"), rows))
        chosen = click.prompt(question, default="", show_default=False, value_proc=lambda text: _row(text, len(names)))
        return None if chosen is None else names[chosen - 1]

    def _prompt(self, title: str, kind: AnswerReader, offered: str) -> tuple[str, Any]:
        def read(text: str) -> tuple[str, Any]:
            if text.strip() == BACK:
                raise AskAgain(list(self._passed)[-1:])
            if text == "":
                raise click.UsageError("an answer is needed here: there is no default")
            if len(text) > _LONGEST:
                raise click.UsageError(f"an answer has at most {_LONGEST} characters, and this has {len(text):,}")
            try:
                return text, kind.read(text)
            except Misuse as wrong:
                raise click.UsageError(shown(wrong)) from None

        hint = f" ({kind.hint})" if kind.hint else ""
        answer: tuple[str, Any] = click.prompt(
            f"{title}{hint}", default=offered, show_default=bool(offered), value_proc=read
        )
        return answer


def _row(text: str, count: int) -> int | None:
    if not text.strip():
        return None
    if text.strip().isascii() and text.strip().isdecimal() and 1 <= int(text) <= count:
        return int(text)
    raise click.UsageError(f"a number from 1 to {count}, or Enter")
