"""The questions that `stimctl run` asks at a terminal: screening, needles, pairs, minutes, ceiling, amplitude.

The answers become the same mapping that a prescription's file holds and go through the same reader and the
same checks. Nothing clinical has a default: an answer is offered again only when the person gave it before.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

import click

from stimctl import screening
from stimctl.anatomy import ASHI, PAIRED_SIDES, Region, Side, find
from stimctl.cli.run import answer_types
from stimctl.errors import InputInvalid, Misuse, Unsafe
from stimctl.prescription import Coating, Prescription, Subject, from_mapping
from stimctl.prescription.completion import left_open
from stimctl.prescription.plan import OHM_MAX
from stimctl.profile import Profile
from stimctl.screening import AnswerKind, Question, Screening

_OTHER = "other"
_WORDS = answer_types.WordsType()
_OHM = answer_types.AmountType("Resistance in ohm", 0, OHM_MAX)


class Questions:
    """One person's answers about one session; asked again with what was said before as default."""

    def __init__(self) -> None:
        self._said: dict[str, Any] = {}

    def text(self, name: str, question: str, kind: answer_types.AnswerType = _WORDS) -> Any:
        """One answer; what was answered before is the default."""
        self._said[name] = _required(question, kind, self._said.get(name))
        return self._said[name]

    def choice(self, name: str, question: str, choices: list[str]) -> str:
        """One of `choices`; the only one is not asked for."""
        if len(choices) == 1:
            return choices[0]
        return str(self.text(name, question, click.Choice(choices, case_sensitive=False)))

    def yes(self, name: str, question: str) -> bool:
        self._said[name] = _yes(question, self._said.get(name))
        return bool(self._said[name])


def _required(question: str, kind: answer_types.AnswerType, default: Any = None) -> Any:
    """One answer; Enter is one only where there is a default."""

    def checked(text: Any) -> Any:
        if text == "":
            raise click.UsageError("an answer is needed here: there is no default")
        return kind.convert(text, None, None)

    shown = f"{question} ({', '.join(kind.choices)})" if isinstance(kind, click.Choice) else question
    given = "" if default is None else default
    return click.prompt(shown, default=given, show_default=default is not None, value_proc=checked)


def _yes(question: str, default: bool | None = None) -> bool:
    shown = {None: "y/n", True: "Y/n", False: "y/N"}[default]

    def checked(text: str) -> bool:
        if text.strip().lower() not in ("y", "yes", "n", "no"):
            raise click.UsageError("answer y or n; there is no default")
        return text.strip().lower() in ("y", "yes")

    given = "" if default is None else "y" if default else "n"
    return bool(click.prompt(f"{question} [{shown}]", default=given, show_default=False, value_proc=checked))


def ask_screening(pseudonym: str, now_us: int) -> Screening:
    """Put the questions of the screening; the first answer that forbids a session ends the asking.

    Raises `Unsafe`. There is no default and no override.
    """
    click.secho("\nScreening, asked anew for each session. Answer y or n.", bold=True)
    return screening.ask(_one_answer, pseudonym=pseudonym, now_us=now_us)


def _one_answer(question: Question) -> bool:
    answer = _yes(f"  {question.text}")
    forbids = [each for each in screening.problems_in({question.id: answer}) if each.value is not None]
    if forbids:
        click.secho(f"    This answer forbids the session: {question.text} {forbids[0].value}", fg="red")
        raise Unsafe(forbids)
    if question.kind is AnswerKind.WARNING and answer:
        click.secho(f"    Attention: {question.why}", fg="yellow")
    return answer


def ask_prescription(
    profile: Profile,
    variant: str | None,
    profiles: Mapping[str, Profile],
    now_us: int,
    check_subject: Callable[[Subject], None] = lambda _subject: None,
) -> Prescription:
    """Ask until the answers make a prescription, or the person gives up. Raises `Unsafe`, `click.Abort`.

    `check_subject` raises for a subject that cannot be: nothing more is asked then.
    """
    questions = Questions()
    click.secho(f"{profile.title} ({profile.id} {profile.version})", bold=True)
    subject = Subject(questions.choice("subject", "Subject", _subjects(profile)))
    check_subject(subject)
    person = subject is Subject.PERSON
    pseudonym = questions.text("pseudonym", "Pseudonym")
    screened = ask_screening(pseudonym, now_us) if person else None
    while True:
        values = {"subject": str(subject), "pseudonym": pseudonym, **_ask_rest(questions, profile, variant, subject)}
        try:
            return from_mapping(values, profiles, source="the answers", screening=screened)
        except (InputInvalid, Unsafe) as wrong:
            click.secho(f"\nThis cannot be prescribed:\n{_numbered(wrong)}\n", fg="red", err=True)
            if not click.confirm("Answer again?", default=True):
                raise


def _subjects(profile: Profile) -> list[str]:
    bench = (Subject.DUMMY_LOAD, Subject.SIMULATOR)
    return [str(each) for each in Subject if profile.kind != "bench" or each in bench]


def _numbered(wrong: InputInvalid | Unsafe) -> str:
    """The problems, with channels called as they were asked: a file's first channel has index 0."""
    text = "\n".join(f"  {problem}" for problem in wrong.problems)
    return re.sub(r"channels\[(\d+)\]", lambda found: f"channel {int(found[1]) + 1}", text)


def _ask_rest(questions: Questions, profile: Profile, variant: str | None, subject: Subject) -> dict[str, Any]:
    values: dict[str, Any] = {"format": 1, "profile": profile.id}
    chosen = variant or questions.choice("variant", "Variant", [each.id for each in profile.variants])
    values |= {"variant": chosen, "operator": questions.text("operator", "Operator")}
    if subject is Subject.ANIMAL:
        values["approval"] = questions.text("approval", "Number of the approval")
        values["pregnant"] = questions.yes("pregnant", "Is the animal pregnant?")
    if subject is Subject.DUMMY_LOAD:
        values["declared_ohm"] = questions.text("declared_ohm", "Resistance of the load in ohm", _OHM)
    values["minutes"] = questions.text("minutes", f"Minutes{_says(profile, 'minutes')}", answer_types.minutes(profile))
    allowed = f"0.5 to 2.0{_says(profile, 'amplitude_ma')}"
    values["ceiling_ma"] = questions.text("ceiling", f"Ceiling in mA, {allowed}", answer_types.ceiling(profile))
    values["titrate"] = subject is not Subject.SIMULATOR and questions.yes(
        "titrate", "Begin at zero and raise to the subject's tolerance (titrate)?"
    )
    amplitude = None if values["titrate"] else answer_types.amplitude(profile, values["ceiling_ma"])
    count = questions.text("count", "Channels, each with a pair of needles, 1 to 3", answer_types.CHANNELS)
    load = subject is Subject.DUMMY_LOAD or profile.kind == "bench"
    values["channels"] = [_ask_channel(questions, profile, n, load, amplitude) for n in range(1, count + 1)]
    pairs = [] if load else [{each["first"]["point"], each["second"]["point"]} for each in values["channels"]]
    completes = sorted(left_open(profile, pairs))
    if completes:
        name = questions.text("clinician", f"Clinician who answers for {', '.join(completes)}")
        values["clinician"] = {"name": name, "completes": tuple(completes)}
    return values


def _says(profile: Profile, name: str) -> str:
    value = getattr(profile.stimulation, name).value
    return f" (the profile says {value})" if value is not None else ""


def _ask_channel(
    questions: Questions, profile: Profile, number: int, load: bool, amplitude: answer_types.AmountType | None
) -> dict[str, Any]:
    click.secho(f"\nChannel {number}", bold=True)
    channel: dict[str, Any] = {"channel": number}
    if load:
        channel |= {"first": {"point": "terminal 1"}, "second": {"point": "terminal 2"}}
    else:
        first, second = _ask_pair(questions, profile, number)
        channel |= {"first": first, "second": second}
    if amplitude is not None:
        channel["amplitude_ma"] = questions.text(f"amplitude {number}", "Amplitude in mA, peak", amplitude)
    channel["needle"] = {
        "diameter_mm": questions.text(f"diameter {number}", "Needle diameter in mm", answer_types.DIAMETER),
        "inserted_mm": questions.text(f"inserted {number}", "Inserted length in mm", answer_types.INSERTED),
        "coating": questions.choice(f"coating {number}", "Coating", [str(each) for each in Coating]),
    }
    return channel


def _ask_pair(questions: Questions, profile: Profile, number: int) -> tuple[dict[str, Any], dict[str, Any]]:
    said = [] if profile.stimulation is None else profile.stimulation.pairs.value or ()
    known = {f"{first}/{second}": (first, second) for first, second in said}
    chosen = questions.choice(f"pair {number}", "Pair", [*known, _OTHER]) if known else _OTHER
    if chosen != _OTHER:
        first, second = known[chosen]
        side = questions.choice(f"side {number}", "Side", sorted(PAIRED_SIDES))
        return {"point": first, "side": side}, {"point": second, "side": side}
    first_end = _ask_end(questions, f"{number} first", "First needle")
    return first_end, _ask_end(questions, f"{number} second", "Second needle")


def _ask_end(questions: Questions, name: str, title: str) -> dict[str, Any]:
    point = find(questions.text(f"point {name}", f"{title}: point, as in BL-23, or Ashi", _PointName()))
    sides = sorted(point.sides())
    end: dict[str, Any] = {"point": point.code}
    if sides != [Side.MIDLINE]:
        end["side"] = questions.choice(f"side {name}", f"{title}: side", [str(side) for side in sides])
    if point is ASHI:
        end["region"] = questions.choice(f"region {name}", f"{title}: region", [str(each) for each in Region])
        end["spot"] = questions.text(f"spot {name}", f"{title}: its place in words")
    return end


class _PointName(answer_types.AnswerType):
    """A point that is known."""

    name = "point"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            return find(value).code
        except Misuse as unknown:
            self.fail(str(unknown), param, ctx)


def ask_outcome(when: str) -> dict[str, Any]:
    """Pain and sensation, 0 to 10, `before` or `after`."""
    click.secho(f"\nScores {when} the session, 0 to 10", bold=True)
    scores = {
        name: _required(f"  {question}", answer_types.AmountType(question, 0, 10))
        for name, question in (("pain", "Pain"), ("sensation", "Sensation at the needles"))
    }
    return {"when": when, **scores}
