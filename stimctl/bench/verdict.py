"""One figure beside its limits.

A figure holds when it lies inside of its limits by its own expanded uncertainty, the guard band; it fails when it lies
outside by as much; between the two nobody can say, and that is what is said.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from stimctl.capture.uncertainty import Figure


class Verdict(StrEnum):
    """What can be said of a figure."""

    HOLDS = "holds"
    FAILS = "fails"
    UNDECIDED = "undecided"
    NOT_MEASURABLE = "not measurable"
    NO_LIMIT = "no limit"


@dataclass(frozen=True, slots=True)
class Row:
    """A figure, where it was measured, and its limits (None for none). `note` says what a reader has to know of it."""

    name: str
    where: str
    figure: Figure
    low: float | None
    high: float | None
    note: str = ""
    judged: bool = True  # whether the whole is open while this is

    @property
    def guard(self) -> float | None:
        """By how much it has to lie inside."""
        return None if self.low is None and self.high is None else self.figure.uncertainty

    @property
    def verdict(self) -> Verdict:
        """Where the figure and its uncertainty lie."""
        if not self.figure.known:
            return Verdict.NOT_MEASURABLE
        if self.low is None and self.high is None:
            return Verdict.NO_LIMIT
        if self.figure.over:  # the worst there is
            return Verdict.FAILS
        low = float("-inf") if self.low is None else self.low
        high = float("inf") if self.high is None else self.high
        value, guard = self.figure.value, self.figure.uncertainty
        slack = 1e-9 * max(1.0, abs(value))
        if low + guard <= value + slack and value - slack <= high - guard:
            return Verdict.HOLDS
        outside = value + guard < low - slack or value - guard > high + slack
        return Verdict.FAILS if outside else Verdict.UNDECIDED


def around(name: str, where: str, figure: Figure, wanted: float, off: float, note: str = "") -> Row:
    """A figure that may be `off` to each side of what is wanted."""
    return Row(name, where, figure, wanted - off, wanted + off, note)


def at_most(name: str, where: str, figure: Figure, limit: float, note: str = "") -> Row:
    """A figure whose size may not be over a limit."""
    size = replace(figure, value=abs(figure.value))
    return Row(name, where, size, None, limit, note)


def count_row(name: str, where: str, count: int, note: str = "") -> Row:
    """How many there are of what there must not be."""
    return Row(name, where, Figure(float(count), 0.0, ""), None, 0.0, note)


def open_(name: str, where: str, unit: str, reason: str) -> Row:
    """A figure that has a limit and cannot be measured."""
    return Row(name, where, Figure(float("nan"), float("nan"), unit, reason), None, None)


def shown(name: str, where: str, figure: Figure, note: str = "") -> Row:
    """A figure without a limit."""
    return Row(name, where, figure, None, None, note, judged=False)


def verdict_text(counts: Mapping[Verdict, int]) -> str:
    """The first line of every report. It never says more than was measured."""
    fails, holds = counts[Verdict.FAILS], counts[Verdict.HOLDS]
    left = [f"{counts[each]} {each}" for each in (Verdict.UNDECIDED, Verdict.NOT_MEASURABLE) if counts[each]]
    rest = f"; {', '.join(left)}" if left else ""
    if fails:
        return f"DOES NOT HOLD: {fails} of {fails + holds} figures fail{rest}"
    return f"HOLDS in what was measured{rest}" if left else f"HOLDS: all {holds} figures"
