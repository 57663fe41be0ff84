"""Words the problems of a prescription as its file has them: its field, its value, its unit.

The checks speak of integers (`ceiling_ua is 3000`); whoever wrote `ceiling_ma = 3.0` is told of that. Of one
amount only the first problem is told, which is the hardest limit: the others follow from it.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from stimctl import limits
from stimctl.errors import Problem, Unsafe
from stimctl.prescription.plan import NEEDLE_DIAMETER, NEEDLE_INSERTED
from stimctl.profile.amounts import limit_text
from stimctl.units import UA_PER_MA

_MINUTES, _SECONDS = ("minutes", 60_000_000, "min"), ("seconds", 1_000_000, "s")
_UNITS = {"_ua": ("_ma", UA_PER_MA, "mA"), "_um": ("_mm", 1_000, "mm")}
_LIMITS = (limits.CEILING, limits.TARGET, limits.STIMULATION, NEEDLE_DIAMETER, NEEDLE_INSERTED)


class UnsafeFile(Unsafe):
    """A file asks for something that must not be done. The problems are headed by the file."""

    def __init__(self, source: str, problems: Iterable[Problem]) -> None:
        super().__init__(problems)
        self.source = source

    def __str__(self) -> str:
        return "\n".join([f"{self.source}:", *(f"  {problem}" for problem in self.problems)])


def as_written(problems: Iterable[Problem], values: Mapping[str, Any]) -> list[Problem]:
    """The problems with the fields, values and units of `values`, which are as a file holds them."""
    found: list[Problem] = []
    amounts: set[str] = set()
    for problem in problems:
        said = _of_amount(problem, values)
        if said is None:
            found.append(problem)
        elif said.field not in amounts:
            amounts.add(said.field)
            found.append(said)
    return found


def _of_amount(problem: Problem, values: Mapping[str, Any]) -> Problem | None:
    """The problem of one amount; None for one of anything else."""
    if problem.field == "stimulation_us":
        field, factor, unit = _SECONDS if values.get("seconds") is not None else _MINUTES
    elif problem.field[-3:] in _UNITS:
        ending, factor, unit = _UNITS[problem.field[-3:]]
        field = problem.field[:-3] + ending
    else:
        return None
    return replace(problem, field=field, value=_at(values, field), allowed=_allowed(problem.allowed, factor, unit))


def _allowed(text: str, factor: int, unit: str) -> str:
    for limit in _LIMITS:
        if text == limit.allowed():
            return limit_text(limit, factor, unit)
    return re.sub(r"(\d+) uA\b", lambda found: f"{int(found[1]) / UA_PER_MA:g} mA", text)


def _at(values: Any, field: str) -> Any:
    """What stands at a field, as in `channels[0].needle.diameter_mm`; None where there is nothing."""
    for part in re.findall(r"[^.\[\]]+", field):
        try:
            values = values[int(part) if part.isdigit() else part]
        except (KeyError, IndexError, TypeError):
            return None
    return values
