"""The plan of a course: how often, how long, how far apart, and when a response is expected.

Each value is the profile's own, with who says so and where, or a person's; nothing here has a default. What nobody has
said stays unspecified, and is told as such.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

from stimctl.errors import Misuse
from stimctl.profile import Origin, Profile, Range, value_text

# The values that a plan has, by the part of the profile that holds them.
FIELDS = {
    "sessions_per_week": "schedule",
    "course_weeks": "schedule",
    "course_sessions": "schedule",
    "spacing_days": "schedule",
    "expected_by_session": "response",
    "reassess_by_session": "response",
}
_LEAST, _MOST = 0.01, 1000  # of any value: what is beyond is a slip of the keys [choice]
_ORIGINS = {Origin.SOURCE: "source", Origin.DEFAULT: "choice"}


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedValue:
    """One value: from `low` to `high`, or None where nobody has said it; `origin` says who did.

    `slip` is where the source contradicts itself.
    """

    name: str
    low: float | None = None
    high: float | None = None
    origin: str = Origin.UNSPECIFIED.value
    section: str | None = None
    quote: str | None = None
    note: str | None = None
    slip: str | None = None

    @property
    def range(self) -> Range | None:
        """The value, where there is one."""
        return None if self.low is None or self.high is None else Range(low=self.low, high=self.high)

    @property
    def amount(self) -> str:
        """As people read it, with its unit."""
        return "unspecified" if self.range is None else value_text(self.name, self.range)

    @property
    def basis(self) -> str:
        """Who says so: the mark of its origin, then the source's words and their section, or why."""
        where = f" ({self.section})" if self.section else ""
        words = [f"[{_ORIGINS.get(Origin(self.origin), self.origin)}]"]
        words += [f'"{self.quote}"{where}'] if self.quote else []
        words += [self.note] if self.note else []
        words += [f"But: {self.slip}"] if self.slip else []
        return " ".join(words)

    def record(self) -> dict[str, Any]:
        """JSON-able, for the ledger: without its name, and without what is not there."""
        fields = {**asdict(self), "from": self.origin}
        return {name: each for name, each in fields.items() if name not in ("name", "origin") and each is not None}


def mapping(value: object) -> dict[str, Any]:
    """A place of an entry where a mapping belongs; an empty one where it holds something else."""
    return value if isinstance(value, dict) else {}


def _is_amount(low: object, high: object) -> bool:
    """Whether these are the ends of an amount of which days can be reckoned."""
    if isinstance(low, bool) or not isinstance(low, int | float) or not isinstance(high, int | float):
        return False
    return _LEAST <= low <= high <= _MOST


def read_value(name: str, record: object) -> PlannedValue:
    """From a record in the ledger; whatever cannot be read there counts as unspecified."""
    found = mapping(record)
    numbers = {end: found.get(end) for end in ("low", "high")}
    origin = found.get("from")
    if not _is_amount(*numbers.values()) or origin not in list(Origin):
        numbers, origin = {"low": None, "high": None}, Origin.UNSPECIFIED.value
    texts = {each: found[each] for each in ("section", "quote", "note", "slip") if isinstance(found.get(each), str)}
    return PlannedValue(name=name, origin=str(origin), **numbers, **texts)


@dataclass(frozen=True, slots=True)
class CoursePlan:
    """All values of a plan, by their names in the profile."""

    sessions_per_week: PlannedValue
    course_weeks: PlannedValue
    course_sessions: PlannedValue
    spacing_days: PlannedValue
    expected_by_session: PlannedValue
    reassess_by_session: PlannedValue

    def __iter__(self) -> Iterator[PlannedValue]:
        return (getattr(self, name) for name in FIELDS)

    def record(self) -> dict[str, dict[str, Any]]:
        """JSON-able, for the ledger."""
        return {value.name: value.record() for value in self}

    def changed(self, records: object) -> "CoursePlan":
        """With the values of a later entry in place of these."""
        values = {name: read_value(name, record) for name, record in mapping(records).items() if name in FIELDS}
        return replace(self, **values)


def read_plan(records: object) -> CoursePlan:
    """From an entry's body."""
    found = mapping(records)
    return CoursePlan(**{name: read_value(name, found.get(name)) for name in FIELDS})


def plan_of(profile: Profile) -> CoursePlan:
    """The plan of a profile. Raises `Misuse` for one without a schedule, or of which no session is ever run here."""
    if profile.no_stimulation is not None:
        raise Misuse(
            f"{profile.id} has nothing to stimulate ({profile.no_stimulation.value}): no session of it is in this log, "
            "and none could be counted"
        )
    if profile.schedule is None or profile.response is None:
        raise Misuse(f"{profile.id} has no schedule to plan a course by; `stimctl profile show {profile.id}` shows it")
    section = profile.source.section if profile.source else None
    values = {}
    for name, part in FIELDS.items():
        each = getattr(getattr(profile, part), name)
        quoted = (each.section or section) if each.quote else None
        ends = {} if each.value is None else {"low": each.value.low, "high": each.value.high}
        values[name] = PlannedValue(
            name=name,
            origin=each.origin.value,
            section=quoted,
            quote=each.quote,
            note=each.note,
            slip=each.slip,
            **ends,
        )
    return CoursePlan(**values)


def by_person(name: str, amount: Range, who: str) -> PlannedValue:
    """A value that a person supplies, and answers for. Raises `Misuse` for one that cannot be."""
    if not _is_amount(amount.low, amount.high):
        raise Misuse(f"{name.replace('_', ' ')} must be from {_LEAST:g} to {_MOST}, not {amount}")
    if (name.endswith("_session") or name == "course_sessions") and (amount.low % 1 or amount.high % 1):
        raise Misuse(f"{name.replace('_', ' ')} counts sessions: whole numbers, not {amount}")
    return PlannedValue(name=name, low=amount.low, high=amount.high, origin=Origin.CLINICIAN.value, note=f"by {who}")
