"""What the pain scores say of a response, against the sessions by which the plan expects one.

No figure makes a response here: the profiles name none. Said is what was scored, and a score that is no lower than the
first is no improvement by any measure; whether a lower one is enough is a clinician's to judge.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from stimctl.course.plan import CoursePlan, PlannedValue


class ScoredResponse(NamedTuple):
    """What is told of it: sentences, and those among them that ask for something."""

    lines: tuple[str, ...]
    warnings: tuple[str, ...]


def response(plan: CoursePlan, before: Sequence[float | None]) -> ScoredResponse:
    """`before` is the pain before each session so far, 0 to 10; None where nobody was asked."""
    expected, reassess = plan.expected_by_session, plan.reassess_by_session
    lines = [_window("a response is expected", expected), _window("without one, think again", reassess)]
    scored = [(number, score) for number, score in enumerate(before, 1) if score is not None]
    if len(scored) < 2:
        why = "no pain score before two sessions is in the log"
        lines.append(f"whether there is a response cannot be said: {why}")
        return ScoredResponse(tuple(lines), tuple(_unscored(plan, 0, len(before))))
    (first, was), (last, now) = scored[0], scored[-1]
    lines.append(f"pain before session {first}: {was:g}; before session {last}: {now:g}")
    scores = f"{was:g} at session {first}, {now:g} at session {last}"
    warnings = (*_due(expected, reassess, last, scores, lower=now < was), *_unscored(plan, last, len(before)))
    return ScoredResponse(tuple(lines), warnings)


def _unscored(plan: CoursePlan, scored: int, done: int) -> Iterator[str]:
    """That the plan asks for something at a session which is done, while the last that was scored came before it."""
    ends = ((plan.reassess_by_session, "low"), (plan.expected_by_session, "high"))
    asked = [each for each, end in ends if each.range is not None and scored < getattr(each.range, end) <= done]
    if asked:
        since = f" since session {scored}" if scored else " since"
        yield f"session {done} is done, and no pain score{since} says whether there is a response: {asked[0].basis}"


def _due(expected: PlannedValue, reassess: PlannedValue, number: int, scores: str, *, lower: bool) -> Iterator[str]:
    """What the plan asks for at session `number`, the last that was scored."""
    if reassess.range is not None and number >= reassess.range.low:
        if lower:
            yield f"whether this is an improvement is yours to judge: pain {scores}; {reassess.basis}"
        else:
            yield f"REASSESS: pain is no lower ({scores}); {reassess.basis}"
    elif expected.range is not None and number >= expected.range.high and not lower:
        yield f"no response by the score ({scores}), where one is expected by now: {expected.basis}"


def _window(what: str, value: PlannedValue) -> str:
    if value.range is None:
        return f"{what} by session: unspecified ({value.note})"
    return f"{what} by session {value.range}: {value.basis}"
