"""A plan's file, read and checked: every problem at once, with its line, before anything is driven."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from stimctl.bench.plan.points import PlanPoint, points_of
from stimctl.bench.plan.steps import KINDS, PlanHead, PlanStep
from stimctl.errors import Misuse, Problem, Unsafe
from stimctl.profile.toml_text import check, read_file

EXAMPLE = Path(__file__).with_name("example.toml")


@dataclass(frozen=True, slots=True)
class BenchPlan:
    """A plan: its head, its points in their order, and the SHA-256 of its file."""

    path: Path
    sha256: str
    head: PlanHead
    points: tuple[PlanPoint, ...]


def load_plan(path: Path) -> BenchPlan:
    """Read a plan. Raises `InputInvalid` naming each field, its value, and what to do."""
    text = read_file(path)
    values = dict(text.values)
    tables = values.pop("steps", None)
    problems, head = check(PlanHead, values)
    problems += text.numeral_problems()
    points: list[PlanPoint] = []
    if not isinstance(tables, list) or not tables:
        problems.append(Problem("steps", None, f"there is none: write [[steps]] and kind = one of {', '.join(KINDS)}"))
        tables = []
    for number, table in enumerate(tables):
        found, step = _step(table)
        problems += [replace(each, field=f"steps[{number}].{each.field}".rstrip(".")) for each in found]
        if step is not None:
            made, found = _points(number, step)
            points += made
            problems += found
    if problems or head is None:
        raise text.invalid(problems)
    return BenchPlan(path, text.sha256, head, tuple(points))


def _step(table: Any) -> tuple[list[Problem], PlanStep | None]:
    kind = table.get("kind") if isinstance(table, dict) else None
    model = KINDS.get(kind) if isinstance(kind, str) else None
    if model is None:
        return [Problem("kind", kind, f"must be one of {', '.join(KINDS)}")], None
    return check(model, table)


def _points(number: int, step: PlanStep) -> tuple[tuple[PlanPoint, ...], list[Problem]]:
    """The step's points; a limit that one of them breaks is this file's mistake."""
    try:
        made = points_of(number, step)
        for point in {point.run: point for point in made}.values():
            point.prescription()
    except Unsafe as unsafe:
        return (), [Problem(f"steps[{number}]", None, f"breaks a limit: {each}") for each in unsafe.problems]
    except Misuse as wrong:
        return (), [Problem(f"steps[{number}]", None, str(wrong))]
    return made, []
