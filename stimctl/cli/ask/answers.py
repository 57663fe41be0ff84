"""Kinds of answers: each reads what people type, says its range, and refuses the rest in the question's words."""

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Protocol

from stimctl.anatomy import find
from stimctl.errors import Misuse
from stimctl.label import Label
from stimctl.profile.amounts import amount_text
from stimctl.units import THOUSANDS, UA_PER_MA, US_PER_MIN, US_PER_S, plain_number, whole

UM_PER_MM = 1_000
# By unit as it is shown: what people write, each with how many of the smallest part it is; the first is meant without.
UNITS: Mapping[str, Mapping[str, int]] = {
    "mA": {"ma": UA_PER_MA, "ua": 1, "μa": 1},
    "min": {**dict.fromkeys(("min", "mins", "minute", "minutes", "m"), US_PER_MIN),
            **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), US_PER_S),
            **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), 60 * US_PER_MIN)},
    "mm": {"mm": UM_PER_MM, "cm": 10 * UM_PER_MM, "um": 1, "μm": 1},
    "ohm": {"ohm": 1, "ohms": 1, "ω": 1, "kohm": 1_000, "kω": 1_000, "k": 1_000},
    "": {"": 1},
}  # fmt: skip
_AMOUNT = re.compile(r"([+-]?[0-9][0-9.,]*|[.,][0-9]+)\s*(?:([^\W\d_]+)\.?)?")
# 20:30, as the screen shows a time left, and 20 min 30 s.
_MIN_AND_S = re.compile(
    r"([0-9]{1,2}):([0-5][0-9])|([0-9]{1,2})\s*m(?:in(?:ute)?s?)?\.?\s*([0-5]?[0-9])\s*s(?:ec(?:ond)?s?)?\.?",
    re.IGNORECASE,
)


class AnswerReader(Protocol):
    """One kind of answer. `hint` stands behind the question."""

    hint: str

    def read(self, text: str) -> Any:
        """The answer. Raises `Misuse` with a sentence."""


class Words:
    """A name or a place, as it can be shown and logged."""

    hint = ""

    def read(self, text: str) -> str:
        try:
            label = Label(text)
        except ValueError as wrong:
            raise Misuse(f"{text!r} {wrong}") from None
        # A slip, such as '' for nothing; and one that begins as an option does could never be given to a command.
        if label.startswith("-") or not any(map(str.isalnum, label)):
            raise Misuse(f"{text!r} must have a letter or a figure, and begin with no hyphen")
        return label


class Amount:
    """A whole number of smallest parts from `low` to `high`, typed in a unit or in another of its kind.

    A comma is a decimal point; `2,000` could be two or two thousand, and is refused.
    """

    def __init__(self, what: str, low: int, high: int, unit: str = "", *, span: str = "", why: str = "") -> None:
        self._what, self._low, self._high, self._unit = what, low, high, unit
        factor = next(iter(UNITS[unit].values()))
        self.span = span or f"{amount_text(low, high, factor)} {unit}".strip()
        self.hint = f"{self.span}; {why}" if why else self.span

    def read(self, text: str) -> int:
        found = _AMOUNT.fullmatch(_in_seconds(text.strip()) if self._unit == "min" else text.strip())
        known = UNITS[self._unit]
        unit = (found[2] or "").casefold() if found else ""
        unit = unit or next(iter(known))
        if found is None or unit not in known:
            raise self._not(text, "is not a number" + (f" of {self._unit}" if self._unit else ""))
        if THOUSANDS.fullmatch(found[1]):
            raise self._not(text, "could be two numbers: write a point for a decimal, and thousands without a comma")
        try:
            parts = whole(plain_number(found[1].replace(",", "."), self._what), known[unit], name="", unit="")
        except Misuse:
            raise self._not(text, "is no number, or too finely divided") from None
        if not self._low <= parts <= self._high:
            raise self._not(text, "is not allowed")
        return parts

    def _not(self, text: str, why: str) -> Misuse:
        return Misuse(f"{text} {why}: {self._what} must be {self.span}")


def _in_seconds(text: str) -> str:
    """Minutes and seconds as seconds alone; any other time as it is."""
    both = _MIN_AND_S.fullmatch(text)
    if both is None:
        return text
    minutes, seconds = map(int, filter(None, both.groups()))
    return f"{minutes * 60 + seconds} s"


class OneOf:
    """One of some names, or the beginning of one; small letters, blanks and hyphens do not matter."""

    def __init__(self, choices: Sequence[str]) -> None:
        self.choices = tuple(choices)
        self.hint = ", ".join(self.choices)

    def read(self, text: str) -> str:
        typed = _bare(text)
        exact = [each for each in self.choices if _bare(each) == typed]
        found = exact or [each for each in self.choices if typed and _bare(each).startswith(typed)]
        if len(found) == 1:
            return found[0]
        raise Misuse(f"{text!r} {'could be ' + ' or '.join(found) if found else 'is none of ' + self.hint}")


def _bare(text: str) -> str:
    return "".join(each for each in text.casefold() if each.isalnum())


class YesNo:
    hint = "y/n"

    def read(self, text: str) -> bool:
        answer = {"y": True, "yes": True, "n": False, "no": False}.get(text.strip().casefold())
        if answer is None:
            raise Misuse("answer y or n; there is no default")
        return answer


class PointName:
    """A point that is known, however it is written."""

    hint = "as in BL-23, or Ashi"

    def read(self, text: str) -> str:
        return find(text).code


class ChannelNumbers:
    """How many channels, or which: `2` is channels 1 and 2, `1,3` these two, `3,` the third alone."""

    def __init__(self, most: int, highest: int) -> None:
        self._most, self._highest = most, highest
        self.hint = f"1 to {most}, or their numbers, as in 1,{highest}"

    def read(self, text: str) -> tuple[int, ...]:
        typed = text.replace(" ", "")
        numbers = typed.removesuffix(",").split(",")
        if not all(re.fullmatch(r"[0-9]{1,2}", each) for each in numbers):
            raise Misuse(f"{text!r} is no number of channels: {self.hint}")
        channels = tuple(map(int, numbers))
        if "," not in typed:
            channels = tuple(range(1, channels[0] + 1))
        if not 1 <= len(channels) <= self._most or len(set(channels)) < len(channels):
            raise Misuse(f"Channels must be 1 to {self._most}, each once")
        if not all(1 <= each <= self._highest for each in channels):
            raise Misuse(f"the device has channels 1 to {self._highest}")
        return channels


class Checklist:
    """Several statements answered at once: `word` for none of them, or the numbers of those that apply."""

    def __init__(self, count: int, word: str, alike: Sequence[str] = ()) -> None:
        self._count, self._words = count, {word, *alike}
        self.hint = f"{word}, or the numbers of those that {'are not' if word == 'yes' else 'are'}"

    def read(self, text: str) -> frozenset[int]:
        """The numbers, from 1."""
        typed = text.strip().casefold()
        if typed in self._words:
            return frozenset()
        numbers = [each for each in re.split(r"[\s,]+", typed) if each]
        if numbers and all(re.fullmatch(r"[0-9]{1,2}", each) and 1 <= int(each) <= self._count for each in numbers):
            return frozenset(map(int, numbers))
        raise Misuse(f"answer {self.hint}; there is no default")


def text_of(parts: int, unit: str) -> str:
    """An amount as it could have been typed, exactly: in its unit, or in the next smaller one."""
    if unit == "min" and parts % (US_PER_MIN // 100):
        return f"{Decimal(parts) / US_PER_S:f} s"
    return f"{Decimal(parts) / next(iter(UNITS[unit].values())):f} {unit}".strip()
