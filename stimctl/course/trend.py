"""The trends of a course, as curves over its sessions: pain, reached amplitude, impedance, charge."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from stimctl.course.courses import Course
from stimctl.course.visits import Visit
from stimctl.errors import Misuse
from stimctl.label import isolated
from stimctl.units import UA_PER_MA, counted

_PC_PER_MC = 1_000_000_000
_OHM_PER_KOHM = 1_000
_SCORE, _MOST_PAIN = "0 to 10", 10


class TrendCurve(NamedTuple):
    """One line of a panel: a figure for each session, None where it is not known."""

    name: str
    figures: tuple[float | None, ...]


class TrendPanel(NamedTuple):
    """Curves of one quantity; `standing` says how their figures are known."""

    title: str
    unit: str
    curves: tuple[TrendCurve, ...]
    standing: str

    @property
    def top(self) -> float:
        """Where its scale ends, which begins at 0 so that a small change looks small."""
        known = [figure for curve in self.curves for figure in curve.figures if figure is not None]
        return _MOST_PAIN if self.unit == _SCORE else 1.15 * max(known, default=0) or 1.0


class Trends(NamedTuple):
    """All that is drawn of a course."""

    title: str
    labels: tuple[str, ...]
    panels: tuple[TrendPanel, ...]
    simulated: bool
    doubtful: bool

    @property
    def marks(self) -> tuple[str, ...]:
        """The words that stand over it."""
        return ("DOES NOT VERIFY",) * self.doubtful + ("SIMULATED",) * self.simulated


def trends(course: Course, found: Sequence[Visit]) -> Trends:
    """The curves of a course. Raises `Misuse` where it has no session yet."""
    if not found:
        raise Misuse(f"the course of {course.pseudonym} has no session yet: there is nothing to draw")
    followed = course.profile.get("title") or course.profile_id
    title = f"{isolated(course.pseudonym)}, {followed}: {counted(len(found), 'session')}"
    doubtful = bool(course.faults) or any(visit.faults for visit in found)
    labels = tuple(f"{visit.number}\n{visit.day:%d %b}" for visit in found)
    return Trends(title, labels, tuple(_panels(found)), course.simulated, doubtful)


def _panels(found: Sequence[Visit]) -> Iterator[TrendPanel]:
    pain = (
        TrendCurve("before", tuple(visit.pain_before for visit in found)),
        TrendCurve("after", tuple(visit.pain_after for visit in found)),
    )
    yield TrendPanel("Pain", _SCORE, pain, "as the subject scored it")
    channels = sorted({channel for visit in found for channel in (*visit.reached_ua, *visit.ohm)})
    reached = {n: tuple(_scaled(visit.reached_ua.get(n), UA_PER_MA) for visit in found) for n in channels}
    yield TrendPanel("Reached amplitude", "mA", _by_channel(reached), "the highest that the device said it applied")
    ohm = {n: tuple(_scaled(visit.ohm.get(n), _OHM_PER_KOHM) for visit in found) for n in channels}
    yield TrendPanel("Impedance", "kohm", _by_channel(ohm), "median, measured by the device")
    # A curve for each standing: what was counted and what is a most are not joined by a line.
    standings = dict.fromkeys(visit.delivered_standing for visit in found if visit.delivered_pc is not None)
    charge = tuple(TrendCurve(each, tuple(_charge(visit, each) for visit in found)) for each in standings)
    yield TrendPanel("Charge of the first phases", "mC", charge, ", ".join(standings) or "unknown")


def _by_channel(figures: Mapping[int, tuple[float | None, ...]]) -> tuple[TrendCurve, ...]:
    return tuple(TrendCurve(f"channel {channel}", each) for channel, each in figures.items())


def _charge(visit: Visit, standing: str) -> float | None:
    return _scaled(visit.delivered_pc, _PC_PER_MC) if visit.delivered_standing == standing else None


def _scaled(figure: float | None, factor: int) -> float | None:
    return None if figure is None else figure / factor
