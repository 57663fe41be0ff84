"""The questions of a prescription: subject, minutes, ceiling, pairs, needles.

The answers become the same mapping that a prescription's file holds and go through the same reader and the same
checks, which also say what a clinician has to answer for. Nothing clinical has a default: an answer is offered again
only where the person gave it before.
"""

import re
from collections.abc import Callable, Mapping
from textwrap import indent
from typing import Any

import click

from stimctl import limits
from stimctl.anatomy import ASHI, PAIRED_SIDES, Placement, Region, Side, check_pair, find, place
from stimctl.cli.ask.answers import Amount, ChannelNumbers, PointName, Words, YesNo, text_of
from stimctl.cli.ask.form import AskAgain, Form, Unfit
from stimctl.cli.table import pairs
from stimctl.errors import InputInvalid, Unsafe
from stimctl.label import looks_like_name
from stimctl.limits import Limit
from stimctl.prescription import Coating, PaperPrescription, Subject, fields_of, paper_from_mapping
from stimctl.prescription.completion import choice_range, to_answer_for
from stimctl.prescription.plan import LIVING, NEEDLE_DIAMETER, NEEDLE_INSERTED, OHM_MAX
from stimctl.prescription.values import duration
from stimctl.profile import Profile
from stimctl.profile.amounts import limit_text
from stimctl.units import UA_PER_MA, US_PER_MIN, whole

_OTHER, _LOAD = "other", "terminals"
_TERMINALS: tuple[dict[str, Any], dict[str, Any]] = ({"point": "terminal 1"}, {"point": "terminal 2"})
_OF_END = ("point", "side", "region", "spot")
_UM_PER_MM = 1_000
_WORDS, _YES_NO = Words(), YesNo()
_CHANNELS = ChannelNumbers(limits.CHANNELS_AT_ONCE.high, 4)
_OHM = Amount("Resistance", 0, OHM_MAX, "ohm")


class PrescriptionQuestions:
    """Asks for a prescription of one profile. `allowed` raises for a subject that cannot be."""

    def __init__(
        self,
        profile: Profile,
        variant: str | None,
        profiles: Mapping[str, Profile],
        subject: Subject | None = None,
        allowed: Callable[[Subject], None] = lambda _subject: None,
    ) -> None:
        self._profile, self._variant, self._profiles = profile, variant, profiles
        self._subject = subject
        self._allowed = allowed

    def who(self, form: Form) -> tuple[Subject, str]:
        """Subject and pseudonym."""
        bench = self._profile.kind == "bench"
        subjects = [str(each) for each in Subject if not (bench and each in LIVING)]
        subject = self._subject or Subject(form.choose("subject", "Subject", subjects))
        self._allowed(subject)
        pseudonym = form.ask("pseudonym", "Pseudonym", _WORDS)
        if subject in LIVING and looks_like_name(pseudonym):
            question = f"{pseudonym!r} looks like a person's name. Is it a pseudonym?"
            if not form.ask("pseudonym meant", question, _YES_NO, of_moment=True):
                raise AskAgain(["pseudonym", "pseudonym meant"], "The log never forgets: take a pseudonym, as in P-17.")
        return subject, pseudonym

    def rest(self, form: Form, subject: Subject, pseudonym: str) -> dict[str, Any]:
        """All else, as a file holds it. Raises `AskAgain` for answers that do not go together."""
        profile = self._profile
        variant = self._variant or form.choose("variant", "Variant", [each.id for each in profile.variants])
        values: dict[str, Any] = {"format": 1, "profile": profile.id, "variant": variant, "subject": str(subject)}
        values |= {"operator": form.ask("operator", "Operator", _WORDS), "pseudonym": pseudonym}
        values |= _of_subject(form, subject)
        values |= duration(form.ask("minutes", "Minutes", self._amount("minutes", limits.STIMULATION, "min")))
        ceiling_ua = form.ask("ceiling", "Ceiling", self._amount("amplitude_ma", limits.CEILING, "mA"))
        values["ceiling_ma"] = ceiling_ua / UA_PER_MA
        if form.ask("titrate", "Begin at zero and raise to the subject's tolerance (titrate)?", _YES_NO):
            values["titrate"] = True
        numbers = form.ask("channels", "Channels, each with a pair of needles", _CHANNELS)
        amplitude = None if "titrate" in values else self._amplitude(ceiling_ua)
        values["channels"] = [self._channel(form, n, amplitude, subject) for n in numbers]
        self._clinician(form, values)
        return self._plateau(form, values)

    def _amount(self, name: str, limit: Limit, unit: str) -> Amount:
        """Down to the limit and up to what the profile says; less than it says is a clinician's choice."""
        what, factor = ("Minutes", US_PER_MIN) if unit == "min" else ("Ceiling", UA_PER_MA)
        low, high = choice_range(self._profile, name, limit, factor)
        span = limit_text(Limit(limit.name, low, high, limit.held_by, ""), factor, unit)
        span = span.removeprefix("must be ").removesuffix(" ()")
        return Amount(what, low, high, unit, span=span, why=self._says(name))

    def _says(self, name: str) -> str:
        value = getattr(self._profile.stimulation, name).value
        return f"{self._profile.id} says {value}" if value is not None else ""

    def _amplitude(self, ceiling_ua: int) -> Amount:
        low, high = choice_range(self._profile, "amplitude_ma", limits.TARGET, UA_PER_MA)
        high = min(high, ceiling_ua)
        return Amount("Amplitude", min(low, high), high, "mA", why="peak of the first phase")

    # --- channels ---

    def _channel(self, form: Form, number: int, amplitude: Amount | None, subject: Subject) -> dict[str, Any]:
        form.note(click.style(f"\nChannel {number}", bold=True))
        channel: dict[str, Any] = {"channel": number}
        channel["first"], channel["second"] = self._pair(form, number, subject)
        if amplitude is not None:
            channel["amplitude_ma"] = form.ask(f"amplitude {number}", f"Amplitude, channel {number}", amplitude)
            channel["amplitude_ma"] /= UA_PER_MA
        if subject is not Subject.DUMMY_LOAD:  # which has no needles
            channel["needle"] = self._needle(form, number)
        return channel

    def _needle(self, form: Form, number: int) -> dict[str, Any]:
        return {
            "diameter_mm": form.ask(f"diameter {number}", f"Needle diameter, channel {number}", _DIAMETER) / _UM_PER_MM,
            "inserted_mm": form.ask(f"inserted {number}", f"Inserted length, channel {number}", _INSERTED) / _UM_PER_MM,
            "coating": form.choose(f"coating {number}", f"Coating, channel {number}", [str(each) for each in Coating]),
        }

    def _pair(self, form: Form, number: int, subject: Subject) -> tuple[dict[str, Any], dict[str, Any]]:
        if subject is Subject.DUMMY_LOAD or self._profile.kind == "bench":
            return _TERMINALS
        named = self._profile.stimulation.pairs.value if self._profile.stimulation is not None else None
        known = {f"{first}/{second}": (first, second) for first, second in named or ()}
        pair = f"pair {number}"
        simulated = [_LOAD] if subject is Subject.SIMULATOR else []
        chosen = form.choose(pair, f"Pair, channel {number}", [*known, _OTHER, *simulated])
        if chosen == _LOAD:
            return _TERMINALS
        if chosen != _OTHER:
            side = form.choose(f"side {number}", f"Side, channel {number}", sorted(PAIRED_SIDES))
            first, second = ({"point": point, "side": side} for point in known[chosen])
        else:
            points = pairs((point.code, point.use) for point in self._profile.points)
            form.note("Points of this profile:\n" + indent(points, "  "))
            first = _end(form, f"{number} first", f"First needle, channel {number}")
            second = _end(form, f"{number} second", f"Second needle, channel {number}")
        _check_pair(number, first, second)
        return first, second

    # --- what the checks have to say ---

    def _clinician(self, form: Form, values: dict[str, Any]) -> None:
        """Whoever answers for what the profile leaves open, or for less than it says."""
        completes, lowers = to_answer_for(fields_of(values, self._profiles))
        if not completes and not lowers:
            return
        what = ", ".join([*completes, *(f"less {name} than the profile says" for name in lowers)])
        values["clinician"] = {"name": form.ask("clinician", f"Clinician who answers for: {what}", _WORDS)}
        values["clinician"] |= {name: each for name, each in (("completes", completes), ("lowers", lowers)) if each}

    def _plateau(self, form: Form, values: dict[str, Any]) -> dict[str, Any]:
        """The values, once they can be prescribed. Raises `Unfit`."""
        try:
            self.paper(values)
        except (InputInvalid, Unsafe) as wrong:
            ramp_only = {**values, "ramp_only": True}
            try:
                self.paper(ramp_only)
            except (InputInvalid, Unsafe):
                raise Unfit(f"This cannot be prescribed:\n{_numbered(wrong, values)}") from None
            form.note(click.style(_numbered(wrong, values), fg="yellow"))
            if form.ask("ramp_only", "Is a session that is mostly ramp meant?", _YES_NO):
                return ramp_only
            raise Unfit("Then give it more time, or a lower amplitude.") from None
        return values

    def paper(self, values: Mapping[str, Any]) -> PaperPrescription:
        """What the values prescribe, before the screening. Raises `InputInvalid`, `Unsafe`."""
        return paper_from_mapping(values, self._profiles, source="the answers")


_DIAMETER = Amount("Needle diameter", NEEDLE_DIAMETER.low, NEEDLE_DIAMETER.high, "mm")
_INSERTED = Amount("Inserted length", NEEDLE_INSERTED.low, NEEDLE_INSERTED.high, "mm")


def _of_subject(form: Form, subject: Subject) -> dict[str, Any]:
    if subject is Subject.ANIMAL:
        return {
            "approval": form.ask("approval", "Number of the approval", _WORDS),
            "pregnant": form.ask("pregnant", "Is the animal pregnant?", _YES_NO),
        }
    if subject is Subject.DUMMY_LOAD:
        return {"declared_ohm": form.ask("declared_ohm", "Resistance of the load", _OHM)}
    return {}


def _end(form: Form, name: str, title: str) -> dict[str, Any]:
    """Where one needle is. Raises `AskAgain` for a place that contradicts itself."""
    point = find(form.ask(f"point {name}", f"{title}: point", PointName()))
    sides = sorted(point.sides())
    end: dict[str, Any] = {"point": point.code}
    if sides != [Side.MIDLINE]:
        end["side"] = form.choose(f"side {name}", f"{title}: side", [str(side) for side in sides])
    if point is ASHI:
        end["region"] = form.choose(f"region {name}", f"{title}: region", [str(each) for each in Region])
        end["spot"] = form.ask(f"spot {name}", f"{title}: its place in words", _WORDS)
    try:
        _placed(end)
    except InputInvalid as wrong:
        why = "; ".join(each.allowed for each in wrong.problems)
        raise AskAgain([f"{each} {name}" for each in _OF_END[1:]], why) from None
    return end


def _check_pair(number: int, first: Mapping[str, Any], second: Mapping[str, Any]) -> None:
    """Say at once that a pair is refused. Raises `AskAgain`."""
    places = _placed(first), _placed(second)
    reason = check_pair(*places)
    if reason is not None:
        ends = [f"{each} {number} {name}" for name in ("first", "second") for each in _OF_END]
        pair = [f"pair {number}", f"side {number}", *ends]
        raise AskAgain(pair, f"{places[0]} to {places[1]} is refused: {reason}")


def _placed(end: Mapping[str, Any]) -> Placement:
    side, region = end.get("side"), end.get("region")
    return place(end["point"], side and Side(side), region and Region(region), end.get("spot", ""))


def _numbered(wrong: InputInvalid | Unsafe, values: Mapping[str, Any]) -> str:
    """The problems, with channels called as they were asked: a file's first channel has index 0."""
    numbers = [each["channel"] for each in values["channels"]]
    text = "\n".join(f"  {problem}" for problem in wrong.problems)
    return re.sub(r"channels\[(\d+)\]", lambda found: f"channel {numbers[int(found[1])]}", text)


def answers_for(values: Mapping[str, Any], profile: Profile) -> dict[str, str]:
    """The answers, as they could have been typed, that make these values: a prescription that is given again."""
    answers = {name: str(values[name]) for name in ("subject", "pseudonym", "operator", "variant") if name in values}
    unit = (values["minutes"], US_PER_MIN) if "minutes" in values else (values["seconds"], US_PER_MIN // 60)
    answers["minutes"] = text_of(whole(unit[0], unit[1], name="minutes", unit="us"), "min")
    answers["ceiling"] = text_of(whole(values["ceiling_ma"], UA_PER_MA, name="ceiling", unit="uA"), "mA")
    yes_no = {True: "y", False: "n"}
    answers |= {name: yes_no[bool(values.get(name))] for name in ("titrate", "ramp_only", "pregnant")}
    answers |= {name: str(values[name]) for name in ("approval", "declared_ohm") if name in values}
    channels = values["channels"]
    numbers = [each["channel"] for each in channels]
    dense = numbers == list(range(1, len(numbers) + 1))
    answers["channels"] = str(len(numbers)) if dense else ",".join(map(str, numbers)) + ","
    for channel in channels:
        answers |= _channel_answers(channel, profile)
    if "clinician" in values:
        answers["clinician"] = values["clinician"]["name"]
    return answers


def _channel_answers(channel: Mapping[str, Any], profile: Profile) -> dict[str, str]:
    n, ends = channel["channel"], (channel["first"], channel["second"])
    answers: dict[str, str] = {}
    if needle := channel.get("needle"):
        answers |= {f"{name} {n}": f"{needle[f'{name}_mm']:g} mm" for name in ("diameter", "inserted")}
        answers[f"coating {n}"] = needle["coating"]
    if "amplitude_ma" in channel:
        answers[f"amplitude {n}"] = f"{channel['amplitude_ma']:g} mA"
    pairs = profile.stimulation.pairs.value if profile.stimulation is not None else None
    pair = tuple(each["point"] for each in ends)
    if pair in (pairs or ()) and ends[0].get("side") == ends[1].get("side"):
        return answers | {f"pair {n}": "/".join(pair), f"side {n}": ends[0]["side"]}
    answers[f"pair {n}"] = _LOAD if ends == _TERMINALS else _OTHER
    for name, end in zip(("first", "second"), ends, strict=True):
        answers |= {f"{key} {n} {name}": str(value) for key, value in end.items()}
    return answers
