"""Types for answers at the terminal: each is checked when it is typed, and refused in the words of the question."""

from typing import TYPE_CHECKING, Any

import click

from stimctl import limits
from stimctl.errors import Misuse
from stimctl.label import Label
from stimctl.prescription.plan import NEEDLE_DIAMETER, NEEDLE_INSERTED
from stimctl.profile import Profile
from stimctl.profile.amounts import amount_text
from stimctl.units import UA_PER_MA, US_PER_MIN, plain_number, whole

if TYPE_CHECKING:
    AnswerType = click.ParamType[Any]
else:
    AnswerType = click.ParamType  # generic from click 8.4 on

UM_PER_MM = 1_000


class WordsType(AnswerType):
    """A name or a place, as it can be shown and logged."""

    name = "words"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The text as a label."""
        try:
            return Label(str(value))
        except ValueError as wrong:
            self.fail(str(wrong), param, ctx)


class AmountType(AnswerType):
    """A number from `low` to `high`, both in whole parts of which `factor` make one of what is typed."""

    name = "amount"

    def __init__(self, what: str, low: int, high: int, factor: int = 1, why: str = "") -> None:
        self._what, self._low, self._high, self._factor = what, low, high, factor
        self._why = f" ({why})" if why else ""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The number: a whole one where only those are allowed."""
        span = f"{self._what} must be {amount_text(self._low, self._high, self._factor)}{self._why}"
        try:
            number = plain_number(str(value), self._what)
        except Misuse:
            self.fail(f"{value!r} is not a number: {span}", param, ctx)
        try:
            parts = whole(number, self._factor, name=self._what, unit="the smallest part")
        except Misuse:
            self.fail(f"{value} is too finely divided, too large or not a number: {span}", param, ctx)
        if not self._low <= parts <= self._high:
            self.fail(f"{value} is not allowed: {span}", param, ctx)
        return parts if self._factor == 1 else float(number)


DIAMETER = AmountType("Needle diameter in mm", NEEDLE_DIAMETER.low, NEEDLE_DIAMETER.high, UM_PER_MM)
INSERTED = AmountType("Inserted length in mm", NEEDLE_INSERTED.low, NEEDLE_INSERTED.high, UM_PER_MM)
CHANNELS = AmountType("Channels", limits.CHANNELS_AT_ONCE.low, limits.CHANNELS_AT_ONCE.high)


def minutes(profile: Profile) -> AmountType:
    """Minutes within the profile's own, or within the longest session."""
    low, high, why = _range(profile, "minutes", US_PER_MIN)
    # What is shorter than a tenth of a minute stands in a file, in seconds.
    return AmountType("Minutes", low or US_PER_MIN // 10, high or limits.STIMULATION.high, US_PER_MIN, why)


def ceiling(profile: Profile) -> AmountType:
    """Within the hard limits, and not above what the profile says."""
    _, high, why = _range(profile, "amplitude_ma", UA_PER_MA)
    return AmountType("Ceiling in mA", limits.CEILING.low, high or limits.CEILING.high, UA_PER_MA, why)


def amplitude(profile: Profile, ceiling_ma: float) -> AmountType:
    """From the lowest that is allowed up to the ceiling that was answered."""
    low, _, _ = _range(profile, "amplitude_ma", UA_PER_MA)
    ceiling_ua = whole(ceiling_ma, UA_PER_MA, name="ceiling", unit="uA")
    why = "at most the ceiling"
    return AmountType("Amplitude in mA", min(low or limits.TARGET.low, ceiling_ua), ceiling_ua, UA_PER_MA, why)


def _range(profile: Profile, name: str, factor: int) -> tuple[int, int, str]:
    """What the profile says, in whole parts, and that it does; zeros where it says nothing that has to be kept."""
    value = getattr(profile.stimulation, name).value
    if value is None or profile.kind == "bench":
        return 0, 0, ""
    return *value.scaled(factor), f"{profile.id} says so"
