"""The questions that `stimctl run` asks at a terminal: screening, needles, pairs, minutes, ceiling, amplitude.

The answers become the same mapping that a prescription's file holds and go through the same reader and the
same checks. Nothing clinical has a default: an answer is offered again only when the person gave it before.
"""

import re
from collections.abc import Mapping
from typing import Any

import click

from stimctl import screening
from stimctl.anatomy import ASHI, PAIRED_SIDES, Region, Side, find
from stimctl.errors import InputInvalid, Misuse, Unsafe
from stimctl.prescription import Coating, Prescription, Subject, from_mapping
from stimctl.profile import Profile
from stimctl.screening import Kind, Question, Screening

_OTHER = "other"
_SCORE = click.IntRange(0, 10)


class Questions:
    """One person's answers about one session; asked again with what was said before as default."""

    def __init__(self) -> None:
        self._said: dict[str, Any] = {}

    def text(self, name: str, question: str, kind: Any = str) -> Any:
        """One answer; what was answered before is the default."""
        self._said[name] = click.prompt(question, type=kind, default=self._said.get(name))
        return self._said[name]

    def choice(self, name: str, question: str, choices: list[str]) -> str:
        """One of `choices`; the only one is not asked for."""
        if len(choices) == 1:
            return choices[0]
        return str(self.text(name, question, click.Choice(choices, case_sensitive=False)))

    def yes(self, name: str, question: str) -> bool:
        """Yes or no."""
        self._said[name] = click.confirm(question, default=self._said.get(name))
        return bool(self._said[name])


def ask_screening(pseudonym: str, now_us: int) -> Screening:
    """Put every question of the screening; a hard stop ends the asking at its end, with all of them.

    Raises `Unsafe`. There is no default and no override.
    """
    click.secho("\nScreening, asked anew for each session. Answer y or n.", bold=True)
    return screening.ask(_one_answer, pseudonym=pseudonym, now_us=now_us)


def _one_answer(question: Question) -> bool:
    answer = click.confirm(f"  {question.text}", default=None)
    if question.kind is Kind.WARNING and answer:
        click.secho(f"    Attend to it: {question.why}", fg="yellow")
    return answer


def ask_prescription(
    profile: Profile, variant: str | None, profiles: Mapping[str, Profile], now_us: int
) -> Prescription:
    """Ask until the answers make a prescription, or the person gives up. Raises `Unsafe`, `click.Abort`."""
    questions = Questions()
    click.secho(f"{profile.title} ({profile.id} {profile.version})", bold=True)
    subject = Subject(questions.choice("subject", "Subject", [str(each) for each in Subject]))
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
        values["declared_ohm"] = questions.text("declared_ohm", "Resistance of the load in ohm", int)
    values["minutes"] = questions.text("minutes", f"Minutes{_says(profile, 'minutes')}", float)
    allowed = f"0.5 to 2.0{_says(profile, 'amplitude_ma')}"
    values["ceiling_ma"] = questions.text("ceiling", f"Ceiling in mA, {allowed}", float)
    values["titrate"] = questions.yes("titrate", "Begin at zero and raise to the person's tolerance (titrate)?")
    count = questions.text("count", "Channels, each with a pair of needles, 1 to 3", click.IntRange(1, 3))
    load = subject is Subject.DUMMY_LOAD or profile.kind == "bench"
    values["channels"] = [_ask_channel(questions, profile, n, load, values["titrate"]) for n in range(1, count + 1)]
    completes = _completes(profile, values["channels"])
    if completes:
        name = questions.text("clinician", f"Clinician who answers for {', '.join(completes)}")
        values["clinician"] = {"name": name, "completes": tuple(completes)}
    return values


def _says(profile: Profile, name: str) -> str:
    value = getattr(profile.stimulation, name).value
    return f" (the profile says {value})" if value is not None else ""


def _ask_channel(questions: Questions, profile: Profile, number: int, load: bool, titrate: bool) -> dict[str, Any]:
    click.secho(f"\nChannel {number}", bold=True)
    channel: dict[str, Any] = {"channel": number}
    if load:
        channel |= {"first": {"point": "terminal 1"}, "second": {"point": "terminal 2"}}
    else:
        first, second = _ask_pair(questions, profile, number)
        channel |= {"first": first, "second": second}
    if not titrate:
        channel["amplitude_ma"] = questions.text(f"amplitude {number}", "Amplitude in mA, peak", float)
    channel["needle"] = {
        "diameter_mm": questions.text(f"diameter {number}", "Needle diameter in mm", float),
        "inserted_mm": questions.text(f"inserted {number}", "Inserted length in mm", float),
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


class _PointName(click.ParamType[str]):
    """A point that is known."""

    name = "point"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The point's own code."""
        try:
            return find(value).code
        except Misuse as unknown:
            self.fail(str(unknown), param, ctx)


def _completes(profile: Profile, channels: list[dict[str, Any]]) -> list[str]:
    """What the profile leaves open, or these answers do otherwise: a clinician has to answer for it."""
    named = set(profile.gaps)
    said = profile.stimulation.pairs.value if profile.stimulation is not None else None
    if said is not None and profile.kind != "bench":
        pairs = {frozenset(pair) for pair in said}
        if any(frozenset((each["first"]["point"], each["second"]["point"])) not in pairs for each in channels):
            named.add("pairs")
    return sorted(named)


def ask_outcome(when: str, *, required: bool) -> dict[str, Any] | None:
    """Pain and sensation, 0 to 10, `before` or `after`; None where it may be and was left out."""
    click.secho(f"\nScores {when} the session, 0 to 10{'' if required else ' (Enter to leave out)'}", bold=True)
    scores: dict[str, Any] = {}
    for name, question in (("pain", "Pain"), ("sensation", "Sensation at the needles")):
        kind, default = (_SCORE, None) if required else (_OptionalScore(), "")
        given = click.prompt(f"  {question}", type=kind, default=default, show_default=False)
        if given != "":
            scores[name] = given
    return {"when": when, **scores} if scores else None


class _OptionalScore(click.ParamType[Any]):
    """A score, or nothing."""

    name = "score"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The number, or an empty text."""
        return value if value == "" else _SCORE.convert(value, param, ctx)
